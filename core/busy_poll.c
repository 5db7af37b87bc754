#include "core/busy_poll.h"

void
busy_poll_init(struct busy_poll *p)
{
    *p = (struct busy_poll){.outcomes = UINT8_MAX};
}

static bool
is_worth_it(const struct busy_poll *p)
{
    return (p->outcomes & 1) || __builtin_popcount(p->outcomes) >= BUSY_POLL_ENOUGH;
}

bool
busy_poll_begin(struct busy_poll *p)
{
    ASSERT(!p->polling);
    p->polling = is_worth_it(p) || p->slept >= BUSY_POLL_RETRY;
    if (!p->polling)
        p->slept++;
    return p->polling;
}

void
busy_poll_end(struct busy_poll *p, bool work_came)
{
    if (!p->polling)
        return;
    p->polling = false;
    p->slept = 0;
    p->outcomes = (uint8_t)(p->outcomes << 1 | work_came);
}

void
busy_poll_cancel(struct busy_poll *p)
{
    p->polling = false;
}

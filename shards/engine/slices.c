#include "shards/engine/slices.h"

#include "core/clock.h"
#include "shards/engine/core.h"

static void
take_spare(struct ctx *c, bool in_vain)
{
    ASSERT(c->sh == &c->core->shard);
    c->spare_ns = SLICES_SPARE_MAX * c->core->limits.slice_ns;
    c->in_vain = in_vain;
}

void
slices_take_spare(struct ctx *c)
{
    take_spare(c, false);
}

void
slices_take_spare_at_first(struct ctx *c)
{
    take_spare(c, true);
}

/* Of a first go. What is left counts, not what has been spent: a guess that was a little too short is no
 * reason to do all of it again. */
static bool
will_end(const struct ctx *c, uint64_t over_ns, double done)
{
    uint64_t at_once_ns = SLICES_AT_ONCE * c->core->limits.slice_ns;
    double took_ns = (double)(at_once_ns + over_ns);

    return over_ns <= at_once_ns || took_ns * (1 - done) <= done * (double)c->spare_ns;
}

bool
slices_time_is_over(const struct ctx *c, uint64_t until_ns, double done)
{
    uint64_t now_ns = clock_now_ns();

    if (now_ns <= until_ns)
        return false;
    if (c->spare_ns == 0 || now_ns - until_ns > c->spare_ns * (c->in_vain ? 2 : 1))
        return true;
    return (c->in_vain && !will_end(c, now_ns - until_ns, done)) || core_is_wanted(c->core, now_ns);
}

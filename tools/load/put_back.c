#include "tools/load/put_back.h"

#include "core/clock.h"

#include <poll.h>

#define NS_PER_S 1000000000ULL
#define WAIT_MS 100

/* Lanes that do not answer any more. */
struct lost {
    bool lane[LANES_MAX];
};

/* The lanes that still owe answers: how many, and what to wait for. */
static unsigned
find_owed(const struct sink *s, const struct lost *lost, struct pollfd *fds, unsigned *of)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->open_lanes; i++) {
        const struct lane *l = &s->lanes[i];

        if (lost->lane[i] || !lane_is_owed(l))
            continue;
        fds[n] = (struct pollfd){l->fd, (short)(POLLIN | (lane_has_unsent(l) ? POLLOUT : 0)), 0};
        of[n++] = i;
    }
    return n;
}

/* Until no lane owes an answer, or one has been silent for too long. */
static void
take_answers(struct sink *s, struct lost *lost)
{
    struct pollfd fds[LANES_MAX];
    unsigned of[LANES_MAX], n;
    uint64_t since = clock_now_ns();

    while ((n = find_owed(s, lost, fds, of)) > 0) {
        bool silent = poll(fds, n, WAIT_MS) <= 0;

        if (!silent)
            since = clock_now_ns();
        silent = silent && clock_now_ns() - since > PUT_BACK_SECONDS * NS_PER_S;
        for (unsigned i = 0; i < n; i++)
            if (silent || (fds[i].revents && lane_exchange(&s->lanes[of[i]]) < 0))
                lost->lane[of[i]] = true;
    }
}

static void
put_back_lane(struct sink *s, unsigned i)
{
    struct slice key, now;

    s->position(s->position_arg, i, &key, &now);
    lane_put_back(&s->lanes[i], key);
}

static bool
any_lacks(const struct sink *s)
{
    for (unsigned i = 0; i < s->open_lanes; i++)
        if (s->lanes[i].lacks)
            return true;
    return false;
}

static void
add_up(const struct sink *s, const struct lost *lost, struct put_back *ret)
{
    for (unsigned i = 0; i < s->open_lanes; i++) {
        const struct lane *l = &s->lanes[i];

        if (!l->lacks)
            continue;
        if (ret->lanes++ == 0 || l->lacks_line < ret->line)
            ret->line = l->lacks_line;
        ret->again += l->done_behind;
        ret->failed += lost->lane[i] || l->put_back_refused;
    }
}

void
put_back(struct sink *s, struct put_back *ret)
{
    struct lost lost = {0};

    *ret = (struct put_back){0};
    if (!any_lacks(s))
        return;
    for (unsigned i = 0; i < s->open_lanes; i++) {
        lost.lane[i] = s->lanes[i].garbled;
        lane_settle(&s->lanes[i]);
    }
    take_answers(s, &lost);
    for (unsigned i = 0; i < s->open_lanes; i++)
        if (!lost.lane[i] && s->lanes[i].lacks)
            put_back_lane(s, i);
    take_answers(s, &lost);
    add_up(s, &lost, ret);
}

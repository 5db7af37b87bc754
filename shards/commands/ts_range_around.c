/* What lies around a range: the points before and behind it that twa and EMPTY look at. Where a filter takes
 * few points they may lie far away, so each is searched for in slices. See ts_range_priv.h. */
#include "shards/commands/ts_range_priv.h"

#include <math.h>
#include <stdlib.h>

#define NEIGHBOURS_MAX 5  /* on each side one, and a number; and a number before the oldest bucket */
#define NEIGHBOUR_STEP 64 /* each try looks at so many times more points */

struct neighbour {
    bool after, number; /* as asked */
    int64_t ts;
    bool over, found;
    struct sample sample;
    struct ts_position position;
};

struct ts_around {
    uint32_t n;
    struct neighbour neighbour[NEIGHBOURS_MAX];
};

/* --- searching -------------------------------------------------------------------------------- */

struct search {
    const struct ts_range *r;
    struct neighbour *nb;
    uint64_t looked_at;
};

static int
search_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct search *s = arg;
    struct neighbour *nb = s->nb;
    uint32_t stride = sizeof(*p) / sizeof(p->ts), known = ts_position_known(&nb->position, &p->ts, stride, n);

    s->looked_at += n;
    for (uint32_t i = known; i < n; i++)
        if (ts_range_passes(s->r, &p[i]) && !(nb->number && isnan(p[i].value))) {
            nb->found = true;
            nb->sample = p[i];
            return 1;
        }
    return known < n && ts_position_pass(&nb->position, &p[known].ts, stride, n - known);
}

static int
search_block(void *arg, const struct block_info *info)
{
    struct search *s = arg;
    struct ts_position *position = &s->nb->position;

    if (ts_position_stops_at(position, info))
        return SERIES_BLOCK_ENOUGH;
    if (position->again > 0 || !ts_range_excludes_block(s->r, info))
        return SERIES_BLOCK_READ;
    ts_position_pass_block(position, info);
    return SERIES_BLOCK_TAKEN;
}

/* All there is on its side. */
static struct series_query
query_of(const struct ts_reading *x, const struct neighbour *nb)
{
    struct series_query q = {.start = x->visible, .end = INT64_MAX, .reverse = !nb->after, .block = search_block};

    if (nb->after)
        q.start = MAX(q.start, nb->ts + 1);
    else
        q.end = nb->ts - 1;
    if (x->r->times_n > 0) {
        q.start = MAX(q.start, x->r->times[0]);
        q.end = MIN(q.end, x->r->times[x->r->times_n - 1]);
    }
    return q;
}

/* Looks at the next points, `limit` of them. 1: there may be more; 0; or an error. */
static int
search_some(struct ts_reading *x, struct neighbour *nb, uint64_t limit)
{
    struct series_query q = query_of(x, nb);
    struct search s = {.r = x->r, .nb = nb};
    int rc;

    q.limit = limit;
    ts_position_narrow(&nb->position, &q);
    if (q.start > q.end)
        return 0;
    rc = ts_read(x->c, x->k, x->s, &q, search_emit, &s);
    ts_position_again(&nb->position);
    return rc < 0 ? rc : s.looked_at >= q.limit;
}

/* Mostly the very next point is the one, so few are asked for at first. Not where whole blocks are passed
 * over: what the store is asked for has to reach behind them. */
static int
search(struct ts_reading *x, struct neighbour *nb)
{
    uint64_t limit = ts_range_is_filtered(x->r) ? UINT64_MAX : 1;
    int rc;

    ts_position_go(&nb->position, x->c, x->position.until_ns);
    do {
        rc = search_some(x, nb, limit);
        limit = limit > UINT64_MAX / NEIGHBOUR_STEP ? UINT64_MAX : limit * NEIGHBOUR_STEP;
    } while (rc == 1 && !nb->found && !nb->position.stopped);
    x->position.moved |= nb->position.moved;
    if (rc >= 0 && !nb->found && nb->position.stopped)
        return -EINPROGRESS;
    return MIN(rc, 0);
}

/* --- what was asked --------------------------------------------------------------------------- */

static struct neighbour *
neighbour_of(struct ts_reading *x, bool after, int64_t ts, bool number)
{
    struct ts_around *a = x->around;

    if (a == NULL) {
        a = x->around = calloc(1, sizeof(*a));
        ASSERT(a);
    }
    for (uint32_t i = 0; i < a->n; i++)
        if (a->neighbour[i].after == after && a->neighbour[i].ts == ts && a->neighbour[i].number == number)
            return &a->neighbour[i];
    ASSERT(a->n < NEIGHBOURS_MAX);
    a->neighbour[a->n] = (struct neighbour){.after = after, .number = number, .ts = ts, .position.reverse = !after};
    return &a->neighbour[a->n++];
}

int
ts_range_neighbour(void *arg, bool after, int64_t ts, bool number, struct sample *ret_sample)
{
    struct ts_reading *x = arg;
    struct neighbour *nb;
    int rc = 0;

    if (after ? ts == INT64_MAX : ts == INT64_MIN)
        return 0;
    nb = neighbour_of(x, after, ts, number);
    if (!nb->over && x->s) /* a destination of a rule may have nothing but its open bucket */
        rc = search(x, nb);
    if (rc < 0)
        return rc;
    nb->over = true;
    *ret_sample = nb->sample;
    return nb->found;
}

/* From where it was asked to where it has come. */
static bool
neighbour_stands(const struct neighbour *nb, int64_t from, int64_t to)
{
    int64_t come = nb->found ? nb->sample.ts : nb->after ? INT64_MAX : INT64_MIN;

    if (!nb->over && !nb->position.begun)
        return true;
    if (!nb->over)
        come = nb->position.at;
    return nb->after ? to <= nb->ts || from > come : from >= nb->ts || to < come;
}

bool
ts_around_stands(const struct ts_around *a, int64_t from, int64_t to)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!neighbour_stands(&a->neighbour[i], from, to))
            return false;
    return true;
}

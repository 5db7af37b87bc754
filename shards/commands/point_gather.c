#include "shards/commands/point_gather.h"

#include <stdlib.h>

/* Times as numbers that rise along the reply. */
static int64_t
turned(const struct point_gather *g, int64_t ts)
{
    return g->reverse ? ~ts : ts;
}

void
point_gather_fini(struct point_gather *g)
{
    for (uint32_t i = 0; i < g->runs_n; i++)
        point_run_fini(&g->runs[i]);
    free(g->runs);
    *g = (struct point_gather){0};
}

void
point_gather_begin_run(struct point_gather *g, uint8_t type)
{
    g->runs = realloc(g->runs, (g->runs_n + 1) * sizeof(*g->runs));
    ASSERT(g->runs);
    g->runs[g->runs_n++] = (struct point_run){.type = type};
}

void
point_gather_narrow(const struct point_gather *g, struct series_query *q)
{
    q->limit = g->limit - MIN(g->limit, (uint64_t)g->runs[g->runs_n - 1].n);
    if (!g->is_cut)
        return;
    if (g->cut_at == (g->reverse ? INT64_MAX : INT64_MIN))
        q->limit = 0;
    else if (g->reverse)
        q->start = MAX(q->start, g->cut_at + 1);
    else
        q->end = MIN(q->end, g->cut_at - 1);
}

bool
point_gather_is_full(const struct point_gather *g, uint32_t n)
{
    return g->limit > g->points_max && g->n + n > g->points_max;
}

/* --- what is before a time ---------------------------------------------------------------------- */

/* How many of n points in order are before the time, turned. */
static uint32_t
count_before(const struct point_gather *g, const struct sample *p, uint32_t n, int64_t at)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (turned(g, p[mid].ts) < at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The same, those at the time included. */
static uint32_t
count_up_to(const struct point_gather *g, const struct point_run *r, int64_t at)
{
    return at == INT64_MAX ? r->n : count_before(g, r->p, r->n, at + 1);
}

static bool
reaches_limit(const struct point_gather *g, int64_t at)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < g->runs_n; i++)
        n += count_up_to(g, &g->runs[i], at);
    return n >= g->limit;
}

/* The turned time of the last point within the limit; there are more than that. */
static int64_t
time_of_limit(const struct point_gather *g)
{
    int64_t low = INT64_MAX, high = INT64_MIN;

    for (uint32_t i = 0; i < g->runs_n; i++) {
        const struct point_run *r = &g->runs[i];

        if (r->n == 0)
            continue;
        low = MIN(low, turned(g, r->p[0].ts));
        high = MAX(high, turned(g, r->p[r->n - 1].ts));
    }
    while (low < high) {
        int64_t mid = low + (int64_t)(((uint64_t)high - (uint64_t)low) / 2);

        if (reaches_limit(g, mid))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* --- cutting ------------------------------------------------------------------------------------ */

/* Of the points at the time of the last one those of the lower types come first. */
void
point_gather_cut(struct point_gather *g)
{
    uint64_t rest = g->limit;
    int64_t at;

    if (g->n <= g->limit)
        return;
    at = time_of_limit(g);
    for (uint32_t i = 0; i < g->runs_n; i++)
        rest -= count_before(g, g->runs[i].p, g->runs[i].n, at);
    for (uint32_t i = 0; i < g->runs_n; i++) {
        struct point_run *r = &g->runs[i];
        uint32_t before = count_before(g, r->p, r->n, at);
        uint32_t same = (uint32_t)MIN(rest, (uint64_t)(count_up_to(g, r, at) - before));

        rest -= same;
        point_run_cut(r, before + same);
    }
    g->n = g->limit;
    g->is_cut = true;
    g->cut_at = turned(g, at);
}

uint32_t
point_gather_add(struct point_gather *g, const struct sample *p, const uint8_t *quality,
                 uint32_t n)
{
    ASSERT(!point_gather_is_full(g, n));
    if (g->n + n > 2 * g->points_max)
        point_gather_cut(g);
    if (g->is_cut)
        n = count_before(g, p, n, turned(g, g->cut_at));
    if (n > 0)
        point_run_add(&g->runs[g->runs_n - 1], p, quality, n);
    g->n += n;
    return n;
}

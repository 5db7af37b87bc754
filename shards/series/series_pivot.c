#include "shards/series/series_pivot.h"

#include <stdlib.h>

/* Where reading of each table stands. */
struct pivot {
    const struct series_table *in;
    uint32_t n;
    bool reverse;
    uint32_t *at;
};

/* False: every table is used up. */
static bool
next_time(const struct pivot *p, int64_t *ret_ts)
{
    bool any = false;
    int64_t best = 0;

    for (uint32_t i = 0; i < p->n; i++) {
        int64_t ts;

        if (p->at[i] == p->in[i].n)
            continue;
        ts = p->in[i].ts[p->at[i]];
        if (!any || (p->reverse ? ts > best : ts < best))
            best = ts;
        any = true;
    }
    *ret_ts = best;
    return any;
}

static void
take_row(struct pivot *p, int64_t ts, double *row)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct series_table *t = &p->in[i];

        if (p->at[i] < t->n && t->ts[p->at[i]] == ts)
            memcpy(row, series_table_row(t, p->at[i]++), t->cols * sizeof(*row));
        row += t->cols;
    }
}

int
series_pivot(const struct series_table *in, uint32_t n, bool reverse, uint64_t limit,
             struct series_table *out)
{
    struct pivot p = {in, n, reverse, calloc(n, sizeof(*p.at))};
    int64_t ts;
    int rc = 0;

    ASSERT(p.at && out->n == 0 && out->cols > 0);
    while (out->n < limit && next_time(&p, &ts)) {
        if ((uint64_t)(out->n + 1) * out->cols > SERIES_PIVOT_VALUES_MAX) {
            rc = -E2BIG;
            break;
        }
        take_row(&p, ts, series_table_push(out, ts));
    }
    free(p.at);
    return rc;
}

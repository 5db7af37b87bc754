#include "shards/series/series_pivot.h"

#include <stdlib.h>

void
series_pivot_begin(struct series_pivot *p, const struct series_table *in, uint32_t n, bool reverse)
{
    *p = (struct series_pivot){.in = in, .n = n, .reverse = reverse, .at = calloc(n, sizeof(*p->at))};
    ASSERT(p->at);
    for (uint32_t i = 0; i < n; i++)
        p->cols += in[i].cols;
}

void
series_pivot_end(struct series_pivot *p)
{
    free(p->at);
    *p = (struct series_pivot){0};
}

/* False: every table is used up. */
static bool
next_time(const struct series_pivot *p, int64_t *ret_ts)
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
take_row(struct series_pivot *p, int64_t ts, double *row)
{
    for (uint32_t i = 0; i < p->cols; i++)
        row[i] = series_none();
    for (uint32_t i = 0; i < p->n; i++) {
        const struct series_table *t = &p->in[i];

        if (p->at[i] < t->n && t->ts[p->at[i]] == ts)
            memcpy(row, series_table_row(t, p->at[i]++), t->cols * sizeof(*row));
        row += t->cols;
    }
}

static void
pass_row(struct series_pivot *p, int64_t ts)
{
    for (uint32_t i = 0; i < p->n; i++)
        p->at[i] += p->at[i] < p->in[i].n && p->in[i].ts[p->at[i]] == ts;
}

bool
series_pivot_next(struct series_pivot *p, int64_t *ret_ts, double *ret_row)
{
    if (!next_time(p, ret_ts))
        return false;
    if (ret_row == NULL) {
        pass_row(p, *ret_ts);
        return true;
    }
    take_row(p, *ret_ts, ret_row);
    return true;
}

int
series_pivot(const struct series_table *in, uint32_t n, bool reverse, uint64_t limit,
             struct series_table *out)
{
    struct series_pivot p;
    int64_t ts;
    int rc = 0;

    ASSERT(out->n == 0 && out->cols > 0);
    series_pivot_begin(&p, in, n, reverse);
    while (rc == 0 && out->n < limit && next_time(&p, &ts)) {
        if ((uint64_t)(out->n + 1) * out->cols > SERIES_PIVOT_VALUES_MAX)
            rc = -E2BIG;
        else
            take_row(&p, ts, series_table_push(out, ts));
    }
    series_pivot_end(&p);
    return rc;
}

#include "shards/series/series_table.h"

#include "core/reaper.h"

#include <math.h>
#include <stdlib.h>

#define TABLE_FIRST_ROWS 16

void
series_table_fini(struct series_table *t)
{
    reaper_free(t->ts, t->cap * sizeof(*t->ts));
    reaper_free(t->v, (size_t)t->cap * t->cols * sizeof(*t->v));
    *t = (struct series_table){.cols = t->cols};
}

static void
set_capacity(struct series_table *t, uint32_t cap)
{
    t->ts = realloc(t->ts, cap * sizeof(*t->ts));
    t->v = realloc(t->v, (size_t)cap * MAX(t->cols, 1u) * sizeof(*t->v));
    ASSERT(t->ts && t->v);
    t->cap = cap;
}

void
series_table_reserve(struct series_table *t, uint32_t more)
{
    uint32_t cap = MAX(t->cap, TABLE_FIRST_ROWS);

    ASSERT(more <= UINT32_MAX / 2 - t->n);
    if (t->cap - t->n >= more)
        return;
    while (cap - t->n < more)
        cap *= 2;
    set_capacity(t, cap);
}

void
series_table_trim(struct series_table *t)
{
    if (t->n > t->cap / 2)
        return;
    if (t->n == 0)
        series_table_fini(t);
    else
        set_capacity(t, t->n);
}

double *
series_table_push(struct series_table *t, int64_t ts)
{
    double *row;

    if (unlikely(t->n == t->cap))
        series_table_reserve(t, 1);
    t->ts[t->n] = ts;
    row = series_table_row(t, t->n++);
    for (uint32_t i = 0; i < t->cols; i++)
        row[i] = NAN;
    return row;
}

static void
swap_rows(struct series_table *t, uint32_t a, uint32_t b)
{
    double *va = series_table_row(t, a), *vb = series_table_row(t, b), v;
    int64_t ts = t->ts[a];

    t->ts[a] = t->ts[b];
    t->ts[b] = ts;
    for (uint32_t i = 0; i < t->cols; i++) {
        v = va[i];
        va[i] = vb[i];
        vb[i] = v;
    }
}

void
series_table_reverse(struct series_table *t)
{
    for (uint32_t i = 0; i < t->n / 2; i++)
        swap_rows(t, i, t->n - 1 - i);
}

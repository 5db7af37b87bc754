/* Results of a query: rows of a time and `cols` values. Memory is the process heap's; whoever fills
 * it sees to the limits. */
#ifndef SHARDS_SERIES_SERIES_TABLE_H
#define SHARDS_SERIES_SERIES_TABLE_H

#include "core/base.h"

#define SERIES_TABLE_COLS_MAX 1024

/* Starts zeroed but for cols. */
struct series_table {
    int64_t *ts;
    double *v; /* row after row */
    uint32_t n, cap, cols;
};

void series_table_fini(struct series_table *t);
/* Makes room for `more` rows. */
void series_table_reserve(struct series_table *t, uint32_t more);
/* Nothing more comes: gives back what it has too much of. */
void series_table_trim(struct series_table *t);
/* Appends a row, its values NaN; returns where they are, until the next call. */
double *series_table_push(struct series_table *t, int64_t ts);
/* The last row becomes the first. */
void series_table_reverse(struct series_table *t);
static inline double *
series_table_row(const struct series_table *t, uint32_t i)
{
    return t->v + (size_t)i * t->cols;
}
/* Bytes it holds. */
static inline size_t
series_table_bytes(const struct series_table *t)
{
    return (size_t)t->cap * (sizeof(*t->ts) + t->cols * sizeof(*t->v));
}

#endif

/* Tables of several series side by side: one row for each time, series_none where a series has none. */
#ifndef SHARDS_SERIES_SERIES_PIVOT_H
#define SHARDS_SERIES_SERIES_PIVOT_H

#include "shards/series/series_table.h"

#define SERIES_PIVOT_VALUES_MAX 4194304 /* values of one result */

/* What stands where there is no value: a NaN unlike those that commands and arithmetic make. */
#define SERIES_NONE_BITS 0x7ffd6e6f6e650000ULL
static inline double
series_none(void)
{
    uint64_t bits = SERIES_NONE_BITS;
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}
static inline bool
series_is_none(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits == SERIES_NONE_BITS;
}

/* Rows one after the other, each made when it is asked for. */
struct series_pivot {
    const struct series_table *in;
    uint32_t n, cols;
    bool reverse;
    uint32_t *at; /* where reading of each table stands */
};

/* Of n tables, each in order of time (falling where `reverse`), which stay as they are until
 * series_pivot_end. */
void series_pivot_begin(struct series_pivot *p, const struct series_table *in, uint32_t n, bool reverse);
/* The next row's time, and its values into ret_row, `cols` of them, where that is not NULL; false: there is
 * none. */
bool series_pivot_next(struct series_pivot *p, int64_t *ret_ts, double *ret_row);
void series_pivot_end(struct series_pivot *p);

/* Merges n tables, each in order of time (falling where `reverse`), into out: empty, and as wide as
 * they are together. Rows of a table that share a time go to rows of their own, the first of each
 * table beside each other. At most `limit` rows. 0 or -E2BIG: more than SERIES_PIVOT_VALUES_MAX. */
int series_pivot(const struct series_table *in, uint32_t n, bool reverse, uint64_t limit,
                 struct series_table *out);

#endif

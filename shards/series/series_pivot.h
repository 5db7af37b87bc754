/* Tables of several series side by side: one row for each time, NaN where a series has none. */
#ifndef SHARDS_SERIES_SERIES_PIVOT_H
#define SHARDS_SERIES_SERIES_PIVOT_H

#include "shards/series/series_table.h"

#define SERIES_PIVOT_VALUES_MAX 4194304 /* values of one result */

/* Merges n tables, each in order of time (falling where `reverse`), into out: empty, and as wide as
 * they are together. Rows of a table that share a time go to rows of their own, the first of each
 * table beside each other. At most `limit` rows. 0 or -E2BIG: more than SERIES_PIVOT_VALUES_MAX. */
int series_pivot(const struct series_table *in, uint32_t n, bool reverse, uint64_t limit,
                 struct series_table *out);

#endif

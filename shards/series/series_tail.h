/* Small blocks at the end of what is stored of a series: those that a checkpoint wrote as they were
 * sealed. Once there are enough points in them the next checkpoint writes them as one block or a
 * few, the small way: half as long a row of headers, and columns an entropy coder has learnt from.
 * So every point is encoded twice, once quickly and once well, and what is read soon after it came
 * is decoded fast. Private to the folder's store side. Helper thread. */
#ifndef SHARDS_SERIES_SERIES_TAIL_H
#define SHARDS_SERIES_SERIES_TAIL_H

#include "shards/series/series_rows.h"

#define SERIES_TAIL_ROWS_MAX 64 /* joined at a time */

/* A block of so many points is not joined with others any more. */
static inline uint32_t
series_cold_points(uint32_t block_points_max)
{
    return block_points_max / 2;
}

struct series_tail {
    struct samples points; /* malloc'd */
    int64_t row_ts[SERIES_TAIL_ROWS_MAX];
    uint32_t rows;
};

/* What is asked about. */
struct series_tail_query {
    int64_t before;      /* rows from here on are not stored blocks */
    int64_t after;       /* nor is any taken that holds points at or before this; INT64_MIN = all */
    const int64_t *skip; /* a row that does not count; NULL = none */
    uint32_t cold_points;
};

/* Reads the small blocks behind the last cold one: rows is 0 when they do not make a cold block
 * together, when there is but one, or when one of them is damaged or cannot be read (readers will say
 * so). */
void series_tail_read(struct store *s, const struct series_id *id, const struct series_tail_query *q,
                      struct series_tail *ret);
void series_tail_fini(struct series_tail *t);

#endif

/* What the files of the aggregation share. See aggregate.h. */
#ifndef SHARDS_SERIES_AGGREGATE_PRIV_H
#define SHARDS_SERIES_AGGREGATE_PRIV_H

#include "shards/series/aggregate.h"

/* Times beyond both ends of int64: bucket bounds. */
typedef __int128 wide_time;

/* What the functions of a query look at. */
enum aggregate_want {
    WANT_SUM = 1 << 0,
    WANT_SQUARES = 1 << 1,
    WANT_BOUNDS = 1 << 2,
    WANT_AREA = 1 << 3,   /* twa */
    WANT_RANKED = 1 << 4, /* percentiles */
    WANT_LAST = 1 << 5,   /* to carry it over gaps */
};
unsigned aggregate_wants(enum aggregate fn);

/* Adds n numbers, none NaN. */
void sums_add_numbers(struct sums *s, const struct sample *p, uint32_t n, unsigned want);
/* The same, as a column. False: the sum is no number any more, and nothing was added. */
bool sums_add_column(struct sums *s, const double *v, uint32_t n);
/* Adds a block's header; its points are numbers. False: its sums overflow. */
bool sums_add_block(struct sums *s, const struct block_info *info, bool reverse, unsigned want);

/* The area of the open bucket: of the trapezoids between its points so far, and between the first of
 * them and its neighbour, as far as that is in the bucket. `far` is the last point seen. */
struct twa {
    bool any;
    double area;
    int64_t near_ts; /* where the area begins, seen from where reading began */
    struct sample far;
};

/* Numbers of a bucket to choose from by rank. */
struct ranked {
    uint64_t *u; /* as integers of the same order */
    uint32_t n, cap;
};

/* 0 or -EOVERFLOW: AGGREGATE_RANKED_MAX. */
int ranked_add(struct ranked *r, const struct sample *p, uint32_t n);
/* The k-th smallest, from 0 on. */
double ranked_select(struct ranked *r, uint32_t k);
void ranked_fini(struct ranked *r);

struct bucketer {
    const struct aggregation *a;
    neighbour_fn neighbour;
    void *arg;
    struct series_table *out;
    unsigned want;
    bool takes_nan, takes_numbers; /* which points make a row */

    /* the bucket being filled */
    bool open;
    bool has_row;
    wide_time start;      /* of it */
    int64_t lowest, highest; /* times in it */
    struct sums sums;
    struct ranked ranked;
    struct twa twa;

    /* the stream so far */
    bool any;         /* a point was added */
    bool leading_gap;  /* the series has points on the side that reading began from */
    bool trailing_gap; /* and on the side it goes to */
    bool has_behind;   /* a number among those ... */
    struct sample behind; /* ... the first one */
    bool has_older;       /* a number before the oldest bucket, wanted where one lies in it, left out */
    struct sample older;
    bool draining;    /* no more rows, only the next number is wanted */
    bool has_seen;
    struct sample seen; /* the last number seen, at first the neighbour */

    /* rows that wait for the next number */
    bool twa_waits;   /* the area of row twa_row */
    uint32_t twa_row;
    wide_time twa_start;
    struct twa waiting;
    uint32_t filled;  /* rows up to here are not waiting to be filled */
    bool has_first;
    wide_time first_start; /* bucket of row 0, when gaps are filled */
};

/* --- aggregate_bucket.c for aggregate_fill.c */
/* Pushes rows of empty buckets between two bucket starts, both excluded; > 0 = limit reached. */
int bucketer_push_gap(struct bucketer *b, wide_time after, wide_time before);
wide_time bucketer_start_of(const struct bucketer *b, int64_t ts);

/* --- aggregate_fill.c */
/* Begins the area of a bucket with its first number. */
void twa_begin(const struct bucketer *b, struct twa *t, wide_time start, const struct sample *p);
void twa_add(struct twa *t, const struct sample *p, uint32_t n);
/* The next number is known, NULL = there is none: completes what waits for it. */
void bucketer_resolve(struct bucketer *b, const struct sample *next);

#endif

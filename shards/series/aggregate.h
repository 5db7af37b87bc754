/* Aggregation: a stream of points becomes rows of buckets. Knows nothing of where points come from.
 *
 * The functions and their arithmetic are those of RedisTimeSeries 8.10, so that replies are the
 * same to the last digit: sums are plain sums in the order of reading (backward when a query reads
 * backward), variance is taken from the sum and the sum of squares, avg goes on as a running mean in
 * long double once its sum would overflow, twa is the area under straight lines between points
 * divided by their time. NaN is counted by countnan and countall and is nothing to the others. Of
 * ours are p50, p95 and p99: the value at that rank, nearest rank.
 *
 * Where a whole stored block lies in one bucket its header can stand for its points
 * (bucketer_add_block). Sums are then sums of the blocks' sums: equal up to rounding.
 *
 * Two levels: struct sums aggregates points one bucket at a time (rules, reducers); a bucketer cuts
 * a stream into buckets and fills gaps. Pure: any thread. */
#ifndef SHARDS_SERIES_AGGREGATE_H
#define SHARDS_SERIES_AGGREGATE_H

#include "core/aggregate_names.h"
#include "shards/series/block.h"
#include "shards/series/series_table.h"

#define AGGREGATES_MAX 16           /* functions of one query */
#define AGGREGATE_ROWS_MAX 1000000  /* buckets of one result */
#define AGGREGATE_RANKED_MAX 4194304 /* points of a bucket that percentiles can rank */

/* What the function says of a bucket without points that count, where gaps are filled: 0 or NaN
 * (last and twa look at neighbours besides). */
double aggregate_empty(enum aggregate fn);

/* --- one bucket ------------------------------------------------------------------------------- */

/* Everything but twa and percentiles. Starts as sums_none. */
struct sums {
    uint64_t n, nans; /* numbers; NaN */
    double sum, sum_squares, min, max;
    double first, last; /* numbers, in the order added */
    long double mean;   /* running, once the sum overflowed */
    bool overflow;
};
extern const struct sums sums_none;

/* Adds one value, in order of time. NaN is counted, and nothing to the rest. */
void sums_add(struct sums *s, double v);
/* The function's value; NaN where it has none. Not for twa and percentiles. */
double sums_value(const struct sums *s, enum aggregate fn);

/* --- buckets ---------------------------------------------------------------------------------- */

enum bucket_stamp {
    BUCKET_START,
    BUCKET_MID,
    BUCKET_END,
};

/* What is asked. Points are those from <= ts <= to. */
struct aggregation {
    uint8_t fn[AGGREGATES_MAX]; /* enum aggregate; repeats are columns of their own */
    uint32_t fn_n;
    int64_t bucket; /* > 0 */
    int64_t align;  /* buckets begin at align + k * bucket */
    enum bucket_stamp stamp;
    bool empty; /* also rows for buckets without points, between points of the series */
    bool reverse;
    bool whole; /* areas of twa reach to the ends of their buckets, also beyond from and to */
    int64_t from, to;
    uint64_t limit; /* rows, >= 1 */
};

/* The first bucket time <= ts; INT64_MIN where that would be below it. */
int64_t bucket_start(int64_t ts, int64_t bucket, int64_t align);
/* The time a row bears: of the bucket that straddles time 0 the start is said to be 0. */
int64_t bucket_time(int64_t start, int64_t bucket, enum bucket_stamp stamp);

/* The series' (filtered) points around what is read: the first after ts, or the last before it;
 * with `number` NaN does not count. 1 = found; 0 = there is none; or a negative errno. */
typedef int (*neighbour_fn)(void *arg, bool after, int64_t ts, bool number,
                            struct sample *ret_sample);

struct bucketer;
/* `arg` is neighbour's; rows go to `out`, whose cols is fn_n. All three live as long as it does. */
struct bucketer *bucketer_create(const struct aggregation *a, neighbour_fn neighbour, void *arg,
                                 struct series_table *out);
void bucketer_destroy(struct bucketer **b);

/* Before the points: looks for neighbours, on both sides, where the functions want them. When the neighbour
 * function fails it returns that error, and may be called again. None of the others looks for any. Each
 * returns 0; > 0: no more points are wanted; -E2BIG: more than AGGREGATE_ROWS_MAX buckets; -EOVERFLOW: more
 * than AGGREGATE_RANKED_MAX points to rank. */
int bucketer_begin(struct bucketer *b);
/* n points in the order of the query. */
int bucketer_add(struct bucketer *b, const struct sample *p, uint32_t n);
/* The same, as columns. */
int bucketer_add_columns(struct bucketer *b, const int64_t *ts, const double *v, uint32_t n);
/* Takes a whole block by its header; false: its points are needed. *ret_rc as from bucketer_add. */
bool bucketer_add_block(struct bucketer *b, const struct block_info *info, int *ret_rc);
/* After the points, also when no more were wanted. */
int bucketer_finish(struct bucketer *b);

#endif

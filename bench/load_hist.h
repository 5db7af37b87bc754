/* A log-linear histogram of nanoseconds for latencies.
 *
 * Every power of two is cut into 128 equal buckets, so a bucket is at most 1/128 of its value wide
 * and its middle is off by less than 0.4 %; values under 256 ns are exact. Recording is an index
 * and an addition, merging is a loop of additions. One thread records; merge when it has ended. */
#ifndef BENCH_LOAD_HIST_H
#define BENCH_LOAD_HIST_H

#include "core/base.h"

#define LOAD_HIST_SUB_BITS 7
/* Values of 2^42 ns (73 minutes) and above share the last bucket; min and max stay exact. */
#define LOAD_HIST_VALUE_BITS 42
#define LOAD_HIST_BUCKETS ((LOAD_HIST_VALUE_BITS - LOAD_HIST_SUB_BITS + 1) << LOAD_HIST_SUB_BITS)

struct load_hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* UINT64_MAX while empty */
    uint64_t max_ns;
    uint64_t bucket[LOAD_HIST_BUCKETS];
};

void load_hist_init(struct load_hist *h);
/* Records `times` observations of `ns`. */
void load_hist_add(struct load_hist *h, uint64_t ns, uint64_t times);
/* Adds everything in `from` to `into`. */
void load_hist_merge(struct load_hist *into, const struct load_hist *from);
/* The smallest value that at least the share `q` (0..1) of the observations does not exceed, to the
 * precision of a bucket and never outside [min, max]; 0 while empty. */
uint64_t load_hist_quantile(const struct load_hist *h, double q);
/* 0 while empty. */
double load_hist_mean(const struct load_hist *h);

#endif

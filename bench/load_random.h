/* Random numbers for key choice: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", OOPSLA 2014), and Zipf ranks by rejection-inversion (Hoermann, Derflinger:
 * "Rejection-inversion to generate variates from monotone discrete distributions", 1996), which
 * needs no table and no pass over the keys. */
#ifndef BENCH_LOAD_RANDOM_H
#define BENCH_LOAD_RANDOM_H

#include "core/base.h"

struct load_rng {
    uint64_t state;
};

static inline uint64_t
load_rng_next(struct load_rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* 0..n-1, n > 0. The bias of the multiplication is below n / 2^64. */
static inline uint64_t
load_rng_below(struct load_rng *r, uint64_t n)
{
    return (uint64_t)(((__uint128_t)load_rng_next(r) * n) >> 64);
}

/* 0 <= x < 1 */
static inline double
load_rng_unit(struct load_rng *r)
{
    return (double)(load_rng_next(r) >> 11) * 0x1.0p-53;
}

struct load_zipf {
    uint64_t n;
    double theta;
    double low, high; /* the range of the integral that is drawn from */
    double sure;      /* a rank this close to its variate needs no second look */
};

/* Ranks 1..n with probability proportional to rank^-theta; n > 0, theta > 0. */
void load_zipf_init(struct load_zipf *z, uint64_t n, double theta);
/* 0..n-1, 0 being the most frequent. */
uint64_t load_zipf_next(const struct load_zipf *z, struct load_rng *r);

#endif

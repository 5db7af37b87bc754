/* The inner loops of the block codecs, compiled once for every level of vector instructions.
 *
 * codec_kernels_loops.c is plain C (with the compilers' vector types where it pays) that is built
 * for the baseline, for x86-64-v3 (AVX2) and for x86-64-v4 (AVX-512); the processor picks one
 * before main. All give the same bytes and the same numbers: floating point is neither reordered
 * nor contracted, and tests/unit/test_codec_kernels.c holds each against a reference that works
 * bit by bit. Pure functions: any thread.
 *
 * Integers wrap modulo 2^64. In and out may be the same array where a comment says so, and do not
 * overlap otherwise. */
#ifndef SHARDS_SERIES_CODEC_KERNELS_H
#define SHARDS_SERIES_CODEC_KERNELS_H

#include "shards/series/block.h"

#define KERNEL_VECTOR 1024 /* integers of a full vector, laid out in lanes (bitpack.h) */

/* |d| below this converts between doubles and integers by adding KERNEL_ROUNDER, which leaves the
 * nearest integer in the low bits. */
#define KERNEL_DECIMAL_LIMIT 0x1p51
#define KERNEL_ROUNDER 0x1.8p52

#define KERNEL_RESTS 16
#define KERNEL_CLASS_MAX 57 /* whose rest one load delivers from any bit on */
#define KERNEL_RESTS_BITS (KERNEL_RESTS * (KERNEL_CLASS_MAX - 1) + 64)

/* Running sums of an integer column. */
struct kernel_sums {
    uint64_t value, delta;
};

/* What values without NaN come to, added one after the other. */
struct kernel_fold {
    double sum, sum_squares, min, max;
};

struct codec_kernels {
    const char *name;

    /* --- bits: widths 1 to 64, out of a full vector ------------------------------------------- */

    /* ret[i] = packed[i] + add. */
    void (*unpack)(const uint8_t *in, unsigned width, uint64_t add, uint64_t *ret);
    /* Packs in[i] - subtract, of which the low `width` bits count. */
    void (*pack)(const uint64_t *in, unsigned width, uint64_t subtract, uint8_t *out);

    /* --- integer columns there: any n --------------------------------------------------------- */

    /* r[i] = x[i] - x[i - 1] - base, with x[-1] = before. */
    void (*differences)(const uint64_t *x, uint32_t n, uint64_t before, uint64_t base,
                        uint64_t *ret_r);
    /* r[i] = (x[i] - x[i - 1]) - (x[i - 1] - x[i - 2]), with x[-2] and x[-1] in `before`. */
    void (*differences_twice)(const uint64_t *x, uint32_t n, const uint64_t before[2],
                              uint64_t *ret_r);
    /* r[i] = (r[i] << 1) ^ (r[i] >> 63, signed). */
    void (*zigzag)(uint64_t *r, uint32_t n);
    /* Least and greatest as signed integers; n > 0. */
    void (*range)(const uint64_t *x, uint32_t n, int64_t *ret_low, int64_t *ret_high);
    /* The same of x[i] - x[i - 1], i from 1; n > 1. */
    void (*range_of_differences)(const uint64_t *x, uint32_t n, int64_t *ret_low,
                                 int64_t *ret_high);
    /* All of them ored together. */
    uint64_t (*bits_used)(const uint64_t *r, uint32_t n);
    /* How many r[i] - base are greater than `limit`. */
    uint32_t (*count_above)(const uint64_t *r, uint32_t n, uint64_t base, uint64_t limit);
    /* Are all x[i] - first multiples of g, as signed integers? inverse * (odd part of g) = 1. May
     * say no for the one multiple -2^63. */
    bool (*multiples)(const uint64_t *x, uint32_t n, uint64_t first, uint64_t g, uint64_t inverse);
    /* x[i] = (x[i] - first) / g, given that they are. */
    void (*divide)(uint64_t *x, uint32_t n, uint64_t first, uint64_t g, uint64_t inverse);

    /* --- integer columns back: any n ---------------------------------------------------------- */

    /* ret[i] = start + i * step. */
    void (*progression)(uint64_t start, uint64_t step, uint32_t n, uint64_t *ret);
    /* x[i] = x[i] * scale + add. */
    void (*affine)(uint64_t *x, uint32_t n, uint64_t scale, uint64_t add);
    /* r[i] = r[i] >> 1 ^ -(r[i] & 1). */
    void (*unzigzag)(uint64_t *r, uint32_t n);
    /* value += r[i] + base, r[i] = value + add. */
    void (*sum_deltas)(uint64_t *r, uint32_t n, uint64_t base, uint64_t add, struct kernel_sums *s);
    /* delta += r[i], value += delta, r[i] = value + add. */
    void (*sum_deltas_twice)(uint64_t *r, uint32_t n, uint64_t add, struct kernel_sums *s);
    /* value ^= r[i] << shift, r[i] = value. */
    void (*sum_xors)(uint64_t *r, uint32_t n, unsigned shift, struct kernel_sums *s);
    /* No integer is less than the one before it, the first one not less than `before`. */
    bool (*rises)(const int64_t *x, uint32_t n, int64_t before);

    /* --- entropy coded integers there (entropy.h) --------------------------------------------- */

    /* ret[i] = the leading bit of class[i], and below it the class[i] - 1 bits that are next in
     * `bits`, from *pos on. KERNEL_RESTS at a time, as long as that many are left of n and *pos is
     * at most `last`; returns how many it was, with *pos behind them. From `last` on
     * KERNEL_RESTS_BITS must be readable. */
    uint32_t (*add_rests)(const uint8_t *class, uint32_t n, const uint8_t *bits, uint64_t *pos,
                          uint64_t last, uint64_t *ret);

    /* --- decimals: any n ---------------------------------------------------------------------- */

    /* Value of decimals d / scale, by way of a 32-bit float with is_float. */
    void (*from_decimals)(const int64_t *d, uint32_t n, double scale, bool is_float, double *ret);
    /* The nearest d of every value, 0 when there is none; returns how many do not give back their
     * values bit for bit. */
    uint32_t (*to_decimals)(const double *v, uint32_t n, double scale, bool is_float,
                            int64_t *ret_d);

    /* --- points: any n ------------------------------------------------------------------------ */

    void (*join)(const int64_t *ts, const double *v, uint32_t n, struct sample *ret);
    void (*split)(const struct sample *p, uint32_t n, int64_t *ret_ts, double *ret_v);
    bool (*has_nan)(const double *v, uint32_t n);
    /* As if one after the other: sum += v, sum_squares += v * v, min = v < min ? v : min, max = v >
     * max ? v : max. There is no NaN among them. */
    void (*fold)(const double *v, uint32_t n, struct kernel_fold *f);
};

/* The fastest that this processor runs. */
extern const struct codec_kernels *codec_kernels;

/* All that this processor runs, for tests; NULL at the end. */
const struct codec_kernels *const *codec_kernels_all(void);

#endif

/* The loops of codec_kernels.h. Built several times: KERNELS names the table that this build makes,
 * KERNEL_NAME is its name as text, KERNEL_BYTES the width of its vector registers. Every function
 * is static, so that the linker cannot take one of this build for one of another. */
#include "shards/series/codec_kernels.h"

#define LANES 16
#define LANE_VALUES (KERNEL_VECTOR / LANES)
#define PARTS (LANES * 8 / KERNEL_BYTES) /* registers of one row of lanes */
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif
static_assert(LANE_VALUES == 64, "a lane of 64 values fills whole words at any width");

extern const struct codec_kernels KERNELS;

typedef uint64_t vec __attribute__((vector_size(KERNEL_BYTES)));

static inline uint64_t
mask_of(unsigned width)
{
    return ~0ULL >> (64 - width);
}

static inline uint64_t
to_bits(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof(u));
    return u;
}

static inline double
of_bits(uint64_t u)
{
    double v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

/* --- bits ------------------------------------------------------------------------------------- */

static inline void
load_row(vec row[PARTS], const void *p)
{
    unsigned k;

    UNROLLED
    for (k = 0; k < PARTS; k++)
        memcpy(&row[k], (const char *)p + k * sizeof(vec), sizeof(vec));
}

static inline void
store_row(void *p, const vec row[PARTS])
{
    unsigned k;

    UNROLLED
    for (k = 0; k < PARTS; k++)
        memcpy((char *)p + k * sizeof(vec), &row[k], sizeof(vec));
}

static void
unpack(const uint8_t *in, unsigned width, uint64_t add, uint64_t *ret)
{
    const vec mask = (vec){0} + mask_of(width), plus = (vec){0} + add;
    vec word[PARTS], x[PARTS];
    unsigned row, k, bits = 64; /* used of `word`; 64 = fetch */

    for (row = 0; row < LANE_VALUES; row++, ret += LANES) {
        if (bits == 64) {
            load_row(word, in);
            in += sizeof(word);
            bits = 0;
        }
        UNROLLED
        for (k = 0; k < PARTS; k++)
            x[k] = word[k] >> bits;
        if (64 - bits < width) {
            load_row(word, in);
            in += sizeof(word);
            UNROLLED
            for (k = 0; k < PARTS; k++)
                x[k] |= word[k] << (64 - bits);
            bits += width - 64;
        } else {
            bits += width;
        }
        UNROLLED
        for (k = 0; k < PARTS; k++)
            x[k] = (x[k] & mask) + plus;
        store_row(ret, x);
    }
}

static void
pack(const uint64_t *in, unsigned width, uint64_t subtract, uint8_t *out)
{
    const vec mask = (vec){0} + mask_of(width), minus = (vec){0} + subtract;
    vec acc[PARTS] = {0}, x[PARTS];
    unsigned row, k, bits = 0; /* used of `acc` */

    for (row = 0; row < LANE_VALUES; row++, in += LANES) {
        load_row(x, in);
        UNROLLED
        for (k = 0; k < PARTS; k++) {
            x[k] = (x[k] - minus) & mask;
            acc[k] |= x[k] << bits;
        }
        bits += width;
        if (bits < 64)
            continue;
        store_row(out, acc);
        out += sizeof(acc);
        bits -= 64;
        UNROLLED
        for (k = 0; k < PARTS; k++)
            acc[k] = bits ? x[k] >> (width - bits) : (vec){0};
    }
}

/* --- integer columns there -------------------------------------------------------------------- */

static void
differences(const uint64_t *x, uint32_t n, uint64_t before, uint64_t base, uint64_t *ret_r)
{
    uint32_t i;

    if (n == 0)
        return;
    ret_r[0] = x[0] - before - base;
    for (i = 1; i < n; i++)
        ret_r[i] = x[i] - x[i - 1] - base;
}

static void
differences_twice(const uint64_t *x, uint32_t n, const uint64_t before[2], uint64_t *ret_r)
{
    uint32_t i;

    if (n > 0)
        ret_r[0] = x[0] - 2 * before[1] + before[0];
    if (n > 1)
        ret_r[1] = x[1] - 2 * x[0] + before[1];
    for (i = 2; i < n; i++)
        ret_r[i] = x[i] - 2 * x[i - 1] + x[i - 2];
}

static void
zigzag_all(uint64_t *r, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        r[i] = r[i] << 1 ^ (0 - (r[i] >> 63));
}

static void
range(const uint64_t *x, uint32_t n, int64_t *ret_low, int64_t *ret_high)
{
    int64_t low = (int64_t)x[0], high = low;
    uint32_t i;

    for (i = 1; i < n; i++) {
        int64_t v = (int64_t)x[i];
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    *ret_low = low;
    *ret_high = high;
}

static void
range_of_differences(const uint64_t *x, uint32_t n, int64_t *ret_low, int64_t *ret_high)
{
    int64_t low = (int64_t)(x[1] - x[0]), high = low;
    uint32_t i;

    for (i = 2; i < n; i++) {
        int64_t v = (int64_t)(x[i] - x[i - 1]);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    *ret_low = low;
    *ret_high = high;
}

static uint64_t
bits_used(const uint64_t *r, uint32_t n)
{
    uint64_t used = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        used |= r[i];
    return used;
}

static uint32_t
count_above(const uint64_t *r, uint32_t n, uint64_t base, uint64_t limit)
{
    uint64_t count = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        count += r[i] - base > limit;
    return (uint32_t)count;
}

/* An odd number divides y exactly when y times its inverse modulo 2^64 is no more than the greatest
 * quotient there can be. */
static bool
multiples(const uint64_t *x, uint32_t n, uint64_t first, uint64_t g, uint64_t inverse)
{
    const unsigned shift = (unsigned)__builtin_ctzll(g);
    const uint64_t low_bits = (1ULL << shift) - 1, most = (uint64_t)INT64_MAX / g;
    uint64_t wrong = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        uint64_t y = x[i] - first, q = (uint64_t)((int64_t)y >> shift) * inverse;
        wrong |= (y & low_bits) | (uint64_t)(q + most > 2 * most);
    }
    return wrong == 0;
}

static void
divide(uint64_t *x, uint32_t n, uint64_t first, uint64_t g, uint64_t inverse)
{
    const unsigned shift = (unsigned)__builtin_ctzll(g);
    uint32_t i;

    for (i = 0; i < n; i++)
        x[i] = (uint64_t)((int64_t)(x[i] - first) >> shift) * inverse;
}

/* --- integer columns back --------------------------------------------------------------------- */

static void
progression(uint64_t start, uint64_t step, uint32_t n, uint64_t *ret)
{
    uint32_t i;

    for (i = 0; i < n; i++, start += step)
        ret[i] = start;
}

static void
affine(uint64_t *x, uint32_t n, uint64_t scale, uint64_t add)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        x[i] = x[i] * scale + add;
}

static void
unzigzag_all(uint64_t *r, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        r[i] = r[i] >> 1 ^ (0 - (r[i] & 1));
}

#include "shards/series/codec_kernels_sums.h"

static bool
rises(const int64_t *x, uint32_t n, int64_t before)
{
    uint64_t falls = 0;
    uint32_t i;

    if (n == 0)
        return true;
    for (i = 1; i < n; i++)
        falls |= (uint64_t)(x[i] < x[i - 1]);
    return !falls && x[0] >= before;
}

/* --- entropy coded integers ------------------------------------------------------------------- */

#include "shards/series/codec_kernels_rests.h"

/* --- decimals --------------------------------------------------------------------------------- */

/* A power of ten to divide by, and its reciprocal: the nearest double and what that one misses. */
struct divisor {
    double by, inverse, missed;
};

static inline struct divisor
divisor_from(double by)
{
    struct divisor s = {.by = by};

#ifdef __FMA__
    s.inverse = 1 / by;
    s.missed = __builtin_fma(-by, s.inverse, 1) * s.inverse;
#endif
    return s;
}

/* whole / s.by, rounded as division rounds, for |whole| up to KERNEL_DECIMAL_LIMIT; division takes
 * many times as long. What is rounded here is the quotient but for 2^-104 of it, and that is only
 * rounded another way when the middle between two doubles is as near. It never is: a middle has an
 * odd m of 54 bits, and m * 5^digits, which is less than 2^96, is never the same as whole times a
 * power of two but at least 1 off. */
static inline double
quotient(double whole, struct divisor s)
{
#ifdef __FMA__
    return __builtin_fma(whole, s.inverse, whole * s.missed);
#else
    return whole / s.by;
#endif
}

static inline double
whole_of(int64_t d)
{
    return of_bits((uint64_t)d + to_bits(KERNEL_ROUNDER)) - KERNEL_ROUNDER;
}

/* No encoder writes such a d, and what it comes to is no whole number: but the same on all
 * processors. */
static inline uint64_t
is_outside(int64_t d)
{
    return ((uint64_t)d + (uint64_t)KERNEL_DECIMAL_LIMIT) >> 52;
}

static void
from_outside_decimals(const int64_t *d, uint32_t n, double scale, bool is_float, double *ret)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        ret[i] = whole_of(d[i]) / scale;
        if (is_float)
            ret[i] = (double)(float)ret[i];
    }
}

static void
from_decimals(const int64_t *d, uint32_t n, double scale, bool is_float, double *ret)
{
    const struct divisor by = divisor_from(scale);
    uint64_t outside = 0;
    uint32_t i;

    if (is_float)
        for (i = 0; i < n; i++) {
            ret[i] = (double)(float)quotient(whole_of(d[i]), by);
            outside |= is_outside(d[i]);
        }
    else
        for (i = 0; i < n; i++) {
            ret[i] = quotient(whole_of(d[i]), by);
            outside |= is_outside(d[i]);
        }
    if (outside)
        from_outside_decimals(d, n, scale, is_float, ret);
}

static inline int64_t
decimal_of(double v, double scale)
{
    double t = v * scale;

    t = __builtin_fabs(t) < KERNEL_DECIMAL_LIMIT ? t : 0.0;
    return (int64_t)(to_bits(t + KERNEL_ROUNDER) - to_bits(KERNEL_ROUNDER));
}

static uint32_t
to_decimals(const double *v, uint32_t n, double scale, bool is_float, int64_t *ret_d)
{
    const struct divisor by = divisor_from(scale);
    uint64_t differ = 0;
    uint32_t i;

    if (is_float)
        for (i = 0; i < n; i++) {
            ret_d[i] = decimal_of(v[i], scale);
            differ += to_bits((double)(float)quotient(whole_of(ret_d[i]), by)) != to_bits(v[i]);
        }
    else
        for (i = 0; i < n; i++) {
            ret_d[i] = decimal_of(v[i], scale);
            differ += to_bits(quotient(whole_of(ret_d[i]), by)) != to_bits(v[i]);
        }
    return (uint32_t)differ;
}

/* --- points ----------------------------------------------------------------------------------- */

static void
join(const int64_t *ts, const double *v, uint32_t n, struct sample *ret)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        ret[i] = (struct sample){ts[i], v[i]};
}

static void
split(const struct sample *p, uint32_t n, int64_t *ret_ts, double *ret_v)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        ret_ts[i] = p[i].ts;
        ret_v[i] = p[i].value;
    }
}

/* --- folding ---------------------------------------------------------------------------------- */

static bool
has_nan(const double *v, uint32_t n)
{
    uint64_t any = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        any |= (uint64_t)(v[i] != v[i]);
    return any;
}

#define FOLD_PARTS 4
#define FOLD_STEP (FOLD_PARTS * KERNEL_BYTES / sizeof(double))

typedef double dvec __attribute__((vector_size(KERNEL_BYTES)));

static inline dvec
choose(vec mask, dvec a, dvec b)
{
    return (dvec)(((vec)a & mask) | ((vec)b & ~mask));
}

/* Least and greatest of whole registers; returns how many values that were. Which of several zeros
 * it takes is left open. */
static uint32_t
bounds_of_parts(const double *v, uint32_t n, double *min, double *max)
{
    dvec low[FOLD_PARTS], high[FOLD_PARTS], x[FOLD_PARTS];
    const double *part_low = (const double *)low, *part_high = (const double *)high;
    uint32_t i, k;

    for (k = 0; k < FOLD_PARTS; k++) {
        low[k] = (dvec){0} + *min;
        high[k] = (dvec){0} + *max;
    }
    for (i = 0; i + FOLD_STEP <= n; i += FOLD_STEP) {
        memcpy(x, v + i, sizeof(x));
        UNROLLED
        for (k = 0; k < FOLD_PARTS; k++) {
            low[k] = choose((vec)(x[k] < low[k]), x[k], low[k]);
            high[k] = choose((vec)(x[k] > high[k]), x[k], high[k]);
        }
    }
    for (k = 0; k < FOLD_STEP; k++) {
        *min = part_low[k] < *min ? part_low[k] : *min;
        *max = part_high[k] > *max ? part_high[k] : *max;
    }
    return i;
}

/* The first zero there is: -0 and 0 are equal, and the one that came first counts. */
static double
first_zero(const double *v)
{
    while (*v != 0)
        v++;
    return *v;
}

static void
fold(const double *v, uint32_t n, struct kernel_fold *f)
{
    double sum = f->sum, squares = f->sum_squares, min = f->min, max = f->max;
    uint32_t i = n >= 2 * FOLD_STEP ? bounds_of_parts(v, n, &min, &max) : 0;

    for (; i < n; i++) {
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
    }
    for (i = 0; i < n; i++) {
        sum += v[i];
        squares += v[i] * v[i];
    }
    if (min < f->min)
        f->min = min == 0 ? first_zero(v) : min;
    if (max > f->max)
        f->max = max == 0 ? first_zero(v) : max;
    f->sum = sum;
    f->sum_squares = squares;
}

const struct codec_kernels KERNELS = {
    .name = KERNEL_NAME,
    .unpack = unpack,
    .pack = pack,
    .differences = differences,
    .differences_twice = differences_twice,
    .zigzag = zigzag_all,
    .range = range,
    .range_of_differences = range_of_differences,
    .bits_used = bits_used,
    .count_above = count_above,
    .multiples = multiples,
    .divide = divide,
    .progression = progression,
    .affine = affine,
    .unzigzag = unzigzag_all,
    .sum_deltas = sum_deltas,
    .sum_deltas_twice = sum_deltas_twice,
    .sum_xors = sum_xors,
    .rises = rises,
    .add_rests = add_rests,
    .from_decimals = from_decimals,
    .to_decimals = to_decimals,
    .join = join,
    .split = split,
    .has_nan = has_nan,
    .fold = fold,
};

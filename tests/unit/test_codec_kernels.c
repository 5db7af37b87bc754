/* The codecs' inner loops: every build of them that this processor runs gives what the reference
 * here gives, which is written from docs/FORMATS.md bit by bit and value by value. */
#include "shards/series/codec_kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static uint64_t seed = 88172645463325252ULL;

static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t
bits_of(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof(u));
    return u;
}

static double
double_of(uint64_t u)
{
    double v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

/* Lengths around what vector registers hold, and a full vector. */
static const uint32_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 1000, 1024};

/* Integers of all sizes. */
static void
fill(uint64_t *x, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        x[i] = rnd() >> (rnd() % 64);
}

/* For each build `k`, for each length `n` (of at most KERNEL_VECTOR). */
#define EACH_BUILD(k) \
    for (const struct codec_kernels *const *at_ = codec_kernels_all(), *k; (k = *at_); at_++)
#define EACH_LENGTH(n)                                                                    \
    for (const uint32_t *at_n_ = lengths; at_n_ < lengths + ARRAY_SIZE(lengths); at_n_++) \
        for (uint32_t n = *at_n_, once_ = 1; once_; once_ = 0)

#define ASSERT_SAME(k, a, b, n)           \
    for (uint32_t i_ = 0; i_ < (n); i_++) \
    cr_assert_eq((a)[i_], (b)[i_], "%s: %u of %u", (k)->name, i_, n)

Test(codec_kernels, the_list_ends_with_the_one_in_use)
{
    const struct codec_kernels *const *all = codec_kernels_all();

    cr_assert_str_eq(all[0]->name, "base");
    while (all[1])
        all++;
    cr_assert_eq(all[0], codec_kernels);
}

/* --- bits ------------------------------------------------------------------------------------- */

/* Bit b of integer i: lane i % 16, place i / 16 of that lane; its words of 64 bits stand 16 apart.
 */
static size_t
bit_at(uint32_t i, unsigned width, unsigned b)
{
    size_t in_lane = (size_t)(i / 16) * width + b;

    return (in_lane / 64 * 16 + i % 16) * 64 + in_lane % 64;
}

static void
reference_pack(const uint64_t *in, unsigned width, uint64_t subtract, uint8_t *out)
{
    uint32_t i;
    unsigned b;

    memset(out, 0, KERNEL_VECTOR / 8 * width);
    for (i = 0; i < KERNEL_VECTOR; i++)
        for (b = 0; b < width; b++) {
            size_t at = bit_at(i, width, b);
            out[at / 8] |= (uint8_t)((in[i] - subtract) >> b & 1) << at % 8;
        }
}

Test(codec_kernels, packing_is_as_documented_at_every_width)
{
    uint64_t in[KERNEL_VECTOR], back[KERNEL_VECTOR];
    unsigned width;
    uint32_t i;

    EACH_BUILD(k)
    {
        for (width = 1; width <= 64; width++) {
            size_t bytes = KERNEL_VECTOR / 8 * width;
            uint8_t *expected = malloc(bytes), *packed = malloc(bytes);
            uint64_t base = width % 3 ? rnd() : 0;
            fill(in, KERNEL_VECTOR); /* bits above the width are there, too */
            reference_pack(in, width, base, expected);
            k->pack(in, width, base, packed);
            cr_assert_arr_eq(packed, expected, bytes, "%s: width %u", k->name, width);
            k->unpack(packed, width, base, back);
            for (i = 0; i < KERNEL_VECTOR; i++) {
                uint64_t low = (in[i] - base) & ~0ULL >> (64 - width);
                cr_assert_eq(back[i], low + base, "%s: width %u at %u", k->name, width, i);
            }
            free(expected);
            free(packed);
        }
    }
}

/* --- integer columns -------------------------------------------------------------------------- */

Test(codec_kernels, progression_and_affine)
{
    uint64_t x[KERNEL_VECTOR], y[KERNEL_VECTOR], start = rnd(), step = rnd();
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        for (i = 0; i < n; i++)
            y[i] = start + i * step;
        k->progression(start, step, n, x);
        ASSERT_SAME(k, x, y, n);
        for (i = 0; i < n; i++)
            y[i] = x[i] * step + start;
        k->affine(x, n, step, start);
        ASSERT_SAME(k, x, y, n);
    }
}

Test(codec_kernels, unzigzag_and_sums)
{
    uint64_t r[KERNEL_VECTOR], x[KERNEL_VECTOR], y[KERNEL_VECTOR], base = rnd(), add = rnd();
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        struct kernel_sums s = {rnd(), rnd()}, t = s;
        fill(r, n);
        memcpy(x, r, sizeof(x));
        for (i = 0; i < n; i++)
            y[i] = r[i] & 1 ? 0 - (r[i] / 2) - 1 : r[i] / 2;
        k->unzigzag(x, n);
        ASSERT_SAME(k, x, y, n);

        memcpy(x, r, sizeof(x));
        for (i = 0; i < n; i++)
            y[i] = (s.value += r[i] + base) + add;
        k->sum_deltas(x, n, base, add, &t);
        ASSERT_SAME(k, x, y, n);
        cr_assert_eq(s.value, t.value);

        memcpy(x, r, sizeof(x));
        for (i = 0; i < n; i++) {
            s.delta += r[i];
            y[i] = (s.value += s.delta) + add;
        }
        k->sum_deltas_twice(x, n, add, &t);
        ASSERT_SAME(k, x, y, n);
        cr_assert(s.value == t.value && s.delta == t.delta);

        memcpy(x, r, sizeof(x));
        for (i = 0; i < n; i++)
            y[i] = s.value ^= r[i] << (n % 64);
        k->sum_xors(x, n, n % 64, &t);
        ASSERT_SAME(k, x, y, n);
        cr_assert_eq(s.value, t.value);
    }
}

Test(codec_kernels, differences_once_and_twice)
{
    uint64_t x[KERNEL_VECTOR], r[KERNEL_VECTOR], y[KERNEL_VECTOR];
    const uint64_t before[2] = {rnd(), rnd()}, base = rnd();
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        fill(x, n);
        for (i = 0; i < n; i++)
            y[i] = x[i] - (i ? x[i - 1] : before[1]) - base;
        k->differences(x, n, before[1], base, r);
        ASSERT_SAME(k, r, y, n);
        for (i = 0; i < n; i++) {
            uint64_t one = i ? x[i - 1] : before[1];
            uint64_t two = i > 1 ? x[i - 2] : before[i];
            y[i] = (x[i] - one) - (one - two);
        }
        k->differences_twice(x, n, before, r);
        ASSERT_SAME(k, r, y, n);
    }
}

Test(codec_kernels, zigzag_is_undone_by_unzigzag)
{
    uint64_t x[KERNEL_VECTOR], r[KERNEL_VECTOR];
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        fill(x, n);
        memcpy(r, x, sizeof(r));
        k->zigzag(r, n);
        for (i = 0; i < n; i++)
            cr_assert_eq(r[i], (int64_t)x[i] < 0 ? 2 * ~x[i] + 1 : 2 * x[i], "%s", k->name);
        k->unzigzag(r, n);
        ASSERT_SAME(k, r, x, n);
    }
}

Test(codec_kernels, ranges_widths_and_counts)
{
    uint64_t x[KERNEL_VECTOR], used, base, limit;
    int64_t low, high, least, greatest;
    uint32_t i, above;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        fill(x, n);
        base = rnd();
        limit = rnd() >> (rnd() % 64);
        for (i = 0, used = 0, above = 0; i < n; i++) {
            used |= x[i];
            above += x[i] - base > limit;
        }
        cr_assert_eq(k->bits_used(x, n), used, "%s: %u", k->name, n);
        cr_assert_eq(k->count_above(x, n, base, limit), above, "%s: %u", k->name, n);
        if (n == 0)
            continue;
        for (i = 0, least = INT64_MAX, greatest = INT64_MIN; i < n; i++) {
            least = MIN(least, (int64_t)x[i]);
            greatest = MAX(greatest, (int64_t)x[i]);
        }
        k->range(x, n, &low, &high);
        cr_assert(low == least && high == greatest, "%s: %u", k->name, n);
        if (n == 1)
            continue;
        for (i = 1, least = INT64_MAX, greatest = INT64_MIN; i < n; i++) {
            least = MIN(least, (int64_t)(x[i] - x[i - 1]));
            greatest = MAX(greatest, (int64_t)(x[i] - x[i - 1]));
        }
        k->range_of_differences(x, n, &low, &high);
        cr_assert(low == least && high == greatest, "%s: %u", k->name, n);
    }
}

static uint64_t
inverse_of_odd_part(uint64_t g)
{
    uint64_t odd = g >> __builtin_ctzll(g), inverse = odd;
    unsigned i;

    for (i = 0; i < 6; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

Test(codec_kernels, multiples_are_told_and_divided)
{
    static const uint64_t divisors[] = {2, 3, 100, 1000, 1024, 60000, 999999937, 1ULL << 62};
    uint64_t x[KERNEL_VECTOR], y[KERNEL_VECTOR], first, g;
    unsigned d;
    uint32_t i, at;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    for (d = 0; d < ARRAY_SIZE(divisors); d++) {
        g = divisors[d];
        first = rnd();
        for (i = 0; i < n; i++) { /* quotients of either sign, products of at most 62 bits */
            y[i] = (uint64_t)((int64_t)rnd() / (int64_t)g / 2);
            x[i] = first + y[i] * g;
        }
        cr_assert(k->multiples(x, n, first, g, inverse_of_odd_part(g)), "%s: %lu", k->name, g);
        for (at = 0; at < n; at += 1 + n / 9) {
            x[at] += 1 + rnd() % (g - 1);
            cr_assert_not(k->multiples(x, n, first, g, inverse_of_odd_part(g)), "%s: %lu at %u",
                          k->name, g, at);
            x[at] = first + y[at] * g;
        }
        k->divide(x, n, first, g, inverse_of_odd_part(g));
        ASSERT_SAME(k, x, y, n);
    }
}

Test(codec_kernels, rises_sees_every_fall)
{
    int64_t x[KERNEL_VECTOR];
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        for (i = 0; i < n; i++)
            x[i] = INT64_MIN / 2 + (int64_t)(i / 2);
        cr_assert(k->rises(x, n, INT64_MIN));
        cr_assert(k->rises(x, n, INT64_MIN / 2));
        cr_assert_eq(k->rises(x, n, INT64_MIN / 2 + 1), n == 0);
        for (i = 1; i < n; i++) {
            int64_t was = x[i];
            x[i] = x[i - 1] - 1;
            cr_assert_not(k->rises(x, n, INT64_MIN), "%s: fall at %u of %u", k->name, i, n);
            x[i] = was;
        }
    }
}

/* --- entropy coded integers ------------------------------------------------------------------- */

static uint64_t
reference_rest(const uint8_t *bits, uint64_t *pos, unsigned class)
{
    uint64_t x = class ? 1ULL << (class - 1) : 0;
    unsigned b;

    for (b = 0; b + 1 < class; b++, ++*pos)
        x |= (uint64_t)(bits[*pos / 8] >> *pos % 8 & 1) << b;
    return x;
}

Test(codec_kernels, rests_of_any_classes)
{
    static uint8_t bits[KERNEL_VECTOR * 8 + 16];
    uint8_t class[KERNEL_VECTOR];
    uint64_t x[KERNEL_VECTOR], y[KERNEL_VECTOR], from, pos, at;
    unsigned widest;
    uint32_t i;

    for (i = 0; i < sizeof(bits); i++)
        bits[i] = (uint8_t)rnd();
    EACH_BUILD(k)
    EACH_LENGTH(n)
    for (widest = 0; widest <= KERNEL_CLASS_MAX; widest++) {
        from = pos = at = rnd() % 64;
        for (i = 0; i < n; i++) {
            class[i] = (uint8_t)(rnd() % (widest + 1));
            y[i] = reference_rest(bits, &at, class[i]);
        }
        i = k->add_rests(class, n, bits, &pos, UINT64_MAX, x);
        cr_assert_eq(i, n / KERNEL_RESTS * KERNEL_RESTS);
        ASSERT_SAME(k, x, y, i);
        for (; i < n; i++)
            reference_rest(bits, &pos, class[i]);
        cr_assert_eq(pos, at, "%s: class %u, %u", k->name, widest, n);

        pos = from; /* stops behind the first step that leads beyond `last` */
        i = k->add_rests(class, n, bits, &pos, from + widest, x);
        cr_assert(n < KERNEL_RESTS ? i == 0 && pos == from : i >= KERNEL_RESTS);
        cr_assert(i + KERNEL_RESTS > n || pos > from + widest);
        ASSERT_SAME(k, x, y, i);
    }
}

/* --- decimals --------------------------------------------------------------------------------- */

static double
value_shape(unsigned shape)
{
    switch (shape) {
    case 0:
        return (double)(int64_t)(rnd() % 2000000 - 1000000) / 100;
    case 1:
        return (double)(float)((double)(rnd() % 100000) / 1000);
    case 2:
        return double_of(rnd());
    case 3:
        return rnd() % 2 ? -0.0 : 0.0;
    case 4:
        return double_of(0x7ff0000000000000 | rnd()); /* NaN and infinity */
    case 5:
        return (double)(rnd() >> 11) * (rnd() % 2 ? 1 : -1); /* around the limit */
    default:
        return double_of(rnd() % 1000); /* subnormal */
    }
}
#define VALUE_SHAPES 7

static int64_t
reference_decimal(double v, double scale)
{
    volatile double t = v * scale;

    if (!(fabs(t) < KERNEL_DECIMAL_LIMIT))
        return 0;
    return (int64_t)nearbyint(t);
}

static double
reference_value(int64_t d, double scale, bool is_float)
{
    volatile double whole = double_of((uint64_t)d + bits_of(KERNEL_ROUNDER));
    volatile double v = (whole - KERNEL_ROUNDER) / scale;

    return is_float ? (double)(float)v : v;
}

Test(codec_kernels, decimals_there_and_back)
{
    static const double scales[] = {1, 10, 100, 1e5, 1e9, 1e18};
    double v[KERNEL_VECTOR], back[KERNEL_VECTOR];
    int64_t d[KERNEL_VECTOR];
    unsigned shape, s, is_float;
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    for (shape = 0; shape < VALUE_SHAPES; shape++)
        for (s = 0; s < ARRAY_SIZE(scales); s++)
            for (is_float = 0; is_float < 2; is_float++) {
                uint32_t wrong = 0, said;
                for (i = 0; i < n; i++)
                    v[i] = value_shape(shape);
                said = k->to_decimals(v, n, scales[s], is_float, d);
                k->from_decimals(d, n, scales[s], is_float, back);
                for (i = 0; i < n; i++) {
                    double expected = reference_value(d[i], scales[s], is_float);
                    cr_assert_eq(d[i], reference_decimal(v[i], scales[s]), "%s: %a", k->name, v[i]);
                    cr_assert_eq(bits_of(back[i]), bits_of(expected), "%s: %ld", k->name, d[i]);
                    wrong += bits_of(expected) != bits_of(v[i]);
                }
                cr_assert_eq(said, wrong, "%s: shape %u", k->name, shape);
            }
}

/* Modulo 2^64. */
static uint64_t
inverse_of_power5(unsigned digits)
{
    uint64_t inverse = 1, fifth = 0xcccccccccccccccd;

    while (digits-- > 0)
        inverse *= fifth;
    return inverse;
}

/* A d whose d / 10^digits lies as close as can be to the middle between two doubles, `off` to one
 * side of it: the middle is m * 2^-t * 2^-digits with an odd m of 54 bits, so that d * 2^t = m *
 * 5^digits + off. */
static int64_t
beside_a_middle(unsigned digits, int64_t off)
{
    unsigned __int128 power5 = 1, product;
    unsigned k, t;
    uint64_t m;

    for (k = 0; k < digits; k++)
        power5 *= 5;
    for (t = 3; power5 << 54 >> t >= (uint64_t)KERNEL_DECIMAL_LIMIT; t++)
        continue;
    m = (0 - (uint64_t)off * inverse_of_power5(digits)) & ((1ULL << t) - 1);
    m |= (1ULL << 53 | rnd() >> 11) >> t << t;
    product = m * power5 + (unsigned __int128)off;
    cr_assert_eq((uint64_t)product & ((1ULL << t) - 1), 0);
    return (int64_t)(product >> t);
}

/* Division by reciprocals rounds as division does, where that is hardest too. */
Test(codec_kernels, quotients_beside_the_middle)
{
    double back[KERNEL_VECTOR], scale = 1;
    int64_t d[KERNEL_VECTOR];
    unsigned digits, round;
    uint32_t i;

    for (digits = 0; digits <= 18; digits++, scale *= 10)
        for (round = 0; round < 50; round++) {
            for (i = 0; i < KERNEL_VECTOR; i++) {
                int64_t off = (int64_t)(rnd() % 8) * 2 + 1;
                d[i] = beside_a_middle(digits, rnd() % 2 ? off : -off) * (rnd() % 2 ? 1 : -1);
            }
            EACH_BUILD(k)
            {
                k->from_decimals(d, KERNEL_VECTOR, scale, false, back);
                for (i = 0; i < KERNEL_VECTOR; i++)
                    cr_assert_eq(bits_of(back[i]), bits_of(reference_value(d[i], scale, false)),
                                 "%s: %ld / 1e%u", k->name, d[i], digits);
            }
        }
}

/* What a damaged column may hold, one that is in range among others too. */
Test(codec_kernels, values_of_any_integers)
{
    double back[KERNEL_VECTOR];
    int64_t d[KERNEL_VECTOR];
    unsigned is_float;
    uint32_t i;

    EACH_BUILD(k)
    for (is_float = 0; is_float < 2; is_float++) {
        fill((uint64_t *)d, KERNEL_VECTOR);
        d[0] = 12345;
        d[1] =
            INT64_MAX - (int64_t)bits_of(KERNEL_ROUNDER); /* infinity and its neighbours, or NaN */
        d[2] = (int64_t)(bits_of(INFINITY) - bits_of(KERNEL_ROUNDER));
        d[3] = (int64_t)KERNEL_DECIMAL_LIMIT;
        d[4] = -(int64_t)KERNEL_DECIMAL_LIMIT - 1;
        k->from_decimals(d, KERNEL_VECTOR, 1000, is_float, back);
        for (i = 0; i < KERNEL_VECTOR; i++) {
            double expected = reference_value(d[i], 1000, is_float);
            cr_assert_eq(isnan(back[i]), isnan(expected));
            if (!isnan(expected))
                cr_assert_eq(bits_of(back[i]), bits_of(expected), "%s: %ld", k->name, d[i]);
        }
    }
}

/* --- points ----------------------------------------------------------------------------------- */

Test(codec_kernels, join_and_split)
{
    struct sample p[KERNEL_VECTOR];
    int64_t ts[KERNEL_VECTOR], ts2[KERNEL_VECTOR];
    double v[KERNEL_VECTOR], v2[KERNEL_VECTOR];
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        fill((uint64_t *)ts, n);
        for (i = 0; i < n; i++)
            v[i] = value_shape(i % VALUE_SHAPES);
        k->join(ts, v, n, p);
        for (i = 0; i < n; i++)
            cr_assert(p[i].ts == ts[i] && bits_of(p[i].value) == bits_of(v[i]));
        k->split(p, n, ts2, v2);
        cr_assert_eq(memcmp(ts, ts2, n * sizeof(*ts)), 0);
        cr_assert_eq(memcmp(v, v2, n * sizeof(*v)), 0);
    }
}

/* --- folding ---------------------------------------------------------------------------------- */

Test(codec_kernels, one_nan_anywhere_is_seen)
{
    double v[KERNEL_VECTOR];
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    {
        for (i = 0; i < n; i++)
            v[i] = i % 2 ? INFINITY : -0.0;
        cr_assert_not(k->has_nan(v, n));
        for (i = 0; i < n; i++) {
            double was = v[i];
            v[i] = double_of(0x7ff0000000000001);
            cr_assert(k->has_nan(v, n), "%s: at %u of %u", k->name, i, n);
            v[i] = was;
        }
    }
}

/* Signs of zeros included. Infinities of both signs make the sums NaN, whose bits are left open. */
Test(codec_kernels, fold_is_a_loop)
{
    double v[KERNEL_VECTOR];
    unsigned shape;
    uint32_t i;

    EACH_BUILD(k)
    EACH_LENGTH(n)
    for (shape = 0; shape < VALUE_SHAPES; shape++) {
        struct kernel_fold f = {1.5, 2.25, shape % 2 ? 1.5 : INFINITY, shape % 2 ? 1.5 : -INFINITY};
        struct kernel_fold g = f;
        for (i = 0; i < n; i++) {
            v[i] = value_shape(shape);
            if (isnan(v[i]))
                v[i] = -3;
            g.sum += v[i];
            g.sum_squares += v[i] * v[i];
            g.min = v[i] < g.min ? v[i] : g.min;
            g.max = v[i] > g.max ? v[i] : g.max;
        }
        k->fold(v, n, &f);
        cr_assert(bits_of(f.sum) == bits_of(g.sum) || (isnan(f.sum) && isnan(g.sum)));
        cr_assert_eq(bits_of(f.sum_squares), bits_of(g.sum_squares), "%s: %u", k->name, shape);
        cr_assert_eq(bits_of(f.min), bits_of(g.min), "%s: shape %u n %u", k->name, shape, n);
        cr_assert_eq(bits_of(f.max), bits_of(g.max), "%s: shape %u n %u", k->name, shape, n);
    }
}

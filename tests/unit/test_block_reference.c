/* Blocks against a decoder that is written from their description (block_reference.h), at every
 * length: what goes in comes out bit for bit, by the fast way and by the slow one. */
#include "tests/unit/block_reference.h"
#include "tests/unit/block_shapes.h"

#include <stdio.h>

#define LENGTH_MAX 8192

static struct reference_seen seen;

static bool
same_bits(double a, double b)
{
    return double_bits(a) == double_bits(b) || (isnan(a) && isnan(b));
}

static void
assert_header(const struct block_info *a, const struct block_info *b)
{
    cr_assert(a->count == b->count && a->nan_count == b->nan_count);
    cr_assert(a->first_ts == b->first_ts && a->last_ts == b->last_ts);
    cr_assert(same_bits(a->first, b->first) && same_bits(a->last, b->last));
    cr_assert(same_bits(a->min, b->min) && same_bits(a->max, b->max));
    cr_assert(same_bits(a->sum, b->sum) && same_bits(a->sum_squares, b->sum_squares));
}

/* The header's figures, as a loop over the points has them. */
static void
assert_statistics(const struct samples *in, const struct block_info *b)
{
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    uint32_t i, nan_count = 0;

    for (i = 0; i < in->n; i++) {
        double v = in->p[i].value;
        if (isnan(v)) {
            nan_count++;
            continue;
        }
        sum += v;
        squares += v * v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    cr_assert_eq(b->nan_count, nan_count);
    cr_assert(same_bits(b->sum, sum) && same_bits(b->sum_squares, squares));
    if (nan_count < in->n)
        cr_assert(same_bits(b->min, min) && same_bits(b->max, max), "%u: %a %a", in->n, b->max,
                  max);
}

static void
assert_reference(const struct samples *in, struct slice block, const char *what)
{
    struct block_info slow, fast;
    struct reference_points p = reference_decode(block, &seen, &slow);
    uint32_t i;

    cr_assert(block_read_info(block, &fast), "%s", what);
    assert_header(&slow, &fast);
    assert_statistics(in, &fast);
    for (i = 0; i < in->n; i++) {
        cr_assert_eq((int64_t)p.ts[i], in->p[i].ts, "%s: time %u of %u", what, i, in->n);
        cr_assert_eq(double_bits(p.v[i]), double_bits(in->p[i].value),
                     "%s: value %u of %u: %a not %a", what, i, in->n, p.v[i], in->p[i].value);
        cr_assert_eq(p.q[i], in->quality ? in->quality[i] : 0, "%s: quality %u", what, i);
    }
    reference_free(&p);
}

static void
assert_decodes(const struct samples *in, struct slice block, struct sample *p, uint8_t *q,
               const char *what)
{
    cr_assert(block_decode(block, p, q), "%s: %u", what, in->n);
    cr_assert_eq(memcmp(p, in->p, in->n * sizeof(*p)), 0, "%s: %u", what, in->n);
    if (in->quality)
        cr_assert_eq(memcmp(q, in->quality, in->n), 0, "%s: %u", what, in->n);
}

/* Both efforts; the reference, which is slow, only with `deep`. */
static void
check(const struct samples *in, bool deep, const char *what)
{
    static struct sample p[LENGTH_MAX];
    static uint8_t q[LENGTH_MAX];
    struct buf out = {0};
    unsigned effort;

    for (effort = BLOCK_QUICK; effort <= BLOCK_SMALL; effort++) {
        struct slice block;
        out.n = 0;
        block_encode(in, effort, &out);
        block = (struct slice){out.p, out.n};
        assert_decodes(in, block, p, q, what);
        if (deep)
            assert_reference(in, block, what);
    }
    buf_fini(&out);
}

static void
describe(char what[64], unsigned times, unsigned values, unsigned qualities)
{
    snprintf(what, 64, "times %u values %u qualities %u", times, values, qualities);
}

/* Shape by shape in turn: 1, 2, 3 ... points. */
Test(block_reference, every_length_comes_back_bit_for_bit)
{
    struct samples all[VALUE_SHAPES];
    unsigned shape;
    uint32_t n;
    char what[64];

    for (shape = 0; shape < VALUE_SHAPES; shape++)
        all[shape] = make(LENGTH_MAX, shape % TIME_SHAPES, shape, shape % QUALITY_SHAPES);
    for (n = 1; n <= LENGTH_MAX; n++) {
        shape = n % VALUE_SHAPES;
        struct samples in = {all[shape].p, all[shape].quality, n};
        describe(what, shape % TIME_SHAPES, shape, shape % QUALITY_SHAPES);
        check(&in, n < 200 || n % 61 == 0, what);
    }
    for (shape = 0; shape < VALUE_SHAPES; shape++)
        drop(&all[shape]);
}

Test(block_reference, every_form_is_met_and_decoded_as_described)
{
    static const uint32_t lengths[] = {1, 2, 40, 1024, 1500};
    unsigned t, v, k;
    char what[64];

    for (k = 0; k < ARRAY_SIZE(lengths); k++)
        for (t = 0; t < TIME_SHAPES; t++)
            for (v = 0; v < VALUE_SHAPES; v++) {
                unsigned q = (t + v + k) % QUALITY_SHAPES;
                struct samples in = make(lengths[k], t, v, q);
                describe(what, t, v, q);
                check(&in, true, what);
                drop(&in);
            }
    for (k = 0; k < 5; k++)
        cr_expect_gt(seen.value_codec[k], 0, "value codec %u", k);
    for (k = 0; k < 4; k++)
        cr_expect_gt(seen.quality_codec[k], 0, "quality codec %u", k);
    for (k = 0; k < 4; k++)
        cr_expect_gt(seen.transform[k], 0, "transform %u", k);
    for (k = 0; k < 3; k++)
        cr_expect_gt(seen.packing[k], 0, "packing %u", k);
    cr_expect_gt(seen.signed_residuals, 0);
    cr_expect_gt(seen.divisors, 0);
    cr_expect_gt(seen.vector_bases, 0);
    cr_expect_gt(seen.patched, 0);
    cr_expect_gt(seen.full_vectors, 0);
    cr_expect_gt(seen.runs, 0);
    cr_expect_gt(seen.corrections, 0);
    cr_expect_gt(seen.floats, 0);
}

/* --- bit patterns that are easily lost -------------------------------------------------------- */

static const uint64_t hard_bits[] = {
    0x0000000000000000, /* 0 */
    0x8000000000000000, /* -0 */
    0x7ff0000000000000, /* infinity */
    0xfff0000000000000, /* -infinity */
    0x7ff8000000000000, /* quiet NaN */
    0x7ff0000000000001, /* signalling NaN */
    0x7ff0000000000002, /* a NaN that others use as a mark for stale */
    0xffffffffffffffff, /* NaN with every bit */
    0x0000000000000001, /* least subnormal */
    0x800fffffffffffff, /* greatest subnormal, negative */
    0x0010000000000000, /* least normal */
    0x7fefffffffffffff, /* greatest number */
    0x4340000000000001, /* beyond 2^53 */
    0x3ff0000000000001, /* 1 and a bit */
    0x40f869f000000000, /* 99999 */
    0x3fb999999999999a, /* 0.1 */
};

Test(block_reference, hard_bit_patterns_among_any_shape)
{
    unsigned shape, k, every;
    char what[64];

    for (shape = 0; shape < VALUE_SHAPES; shape++)
        for (every = 1; every < 400; every = every * 7 + 1) {
            struct samples in = make(1200, shape % TIME_SHAPES, shape, 5);
            for (k = 0; k < in.n; k += every)
                in.p[k].value = bits_double(hard_bits[rnd_below(ARRAY_SIZE(hard_bits))]);
            snprintf(what, sizeof(what), "values %u, every %u", shape, every);
            check(&in, true, what);
            drop(&in);
        }
}

Test(block_reference, each_hard_bit_pattern_alone_and_twice)
{
    struct sample p[2];
    unsigned a, b;

    for (a = 0; a < ARRAY_SIZE(hard_bits); a++)
        for (b = 0; b < ARRAY_SIZE(hard_bits); b++) {
            struct samples in = {.p = p, .n = 2};
            p[0] = (struct sample){INT64_MIN, bits_double(hard_bits[a])};
            p[1] = (struct sample){b % 2 ? INT64_MAX : INT64_MIN, bits_double(hard_bits[b])};
            check(&in, true, "pair");
            in.n = 1;
            check(&in, true, "alone");
        }
}

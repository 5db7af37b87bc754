/* Adding up values, blocks and ranges of blocks: bit for bit what a loop over the points gives. */
#include "tests/unit/block_shapes.h"

#include <criterion/criterion.h>

static bool
same_bits(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

static void
add_plainly(struct block_sums *s, double v)
{
    if (isnan(v)) {
        s->nan_count++;
        return;
    }
    s->sum += v;
    s->sum_squares += v * v;
    s->min = v < s->min ? v : s->min;
    s->max = v > s->max ? v : s->max;
    s->first = s->count ? s->first : v;
    s->last = v;
    s->count++;
}

static void
assert_sums(const struct block_sums *a, const struct block_sums *b, const char *what,
            unsigned shape)
{
    cr_assert(a->count == b->count && a->nan_count == b->nan_count, "%s %u", what, shape);
    cr_assert(same_bits(a->sum, b->sum) || (isnan(a->sum) && isnan(b->sum)), "%s %u: %a %a", what,
              shape, a->sum, b->sum);
    cr_assert(same_bits(a->sum_squares, b->sum_squares), "%s %u: %a %a", what, shape,
              a->sum_squares, b->sum_squares);
    if (a->count)
        cr_assert(same_bits(a->min, b->min) && same_bits(a->max, b->max) &&
                      same_bits(a->first, b->first) && same_bits(a->last, b->last),
                  "%s %u: %a %a %a %a", what, shape, a->min, b->min, a->max, b->max);
}

Test(block_sums, values_added_in_pieces_give_what_a_loop_gives)
{
    static double v[3000];
    unsigned shape, round;
    uint32_t i, at, n;

    for (shape = 0; shape < VALUE_SHAPES; shape++)
        for (round = 0; round < 40; round++) {
            struct block_sums fast = BLOCK_SUMS_NONE, slow = BLOCK_SUMS_NONE;
            for (i = 0; i < ARRAY_SIZE(v); i++)
                v[i] = value_shape(shape, i);
            for (at = 0; at < ARRAY_SIZE(v); at += n) {
                n = (uint32_t)rnd_below(round % 2 ? 1500 : 12);
                n = (uint32_t)MIN(n, ARRAY_SIZE(v) - at);
                block_sums_add(&fast, v + at, n);
                for (i = at; i < at + n; i++)
                    add_plainly(&slow, v[i]);
                assert_sums(&fast, &slow, "values", shape);
            }
        }
}

/* Of equal values the first counts: the sign of a zero tells. */
Test(block_sums, the_first_zero_is_the_least_and_the_greatest)
{
    double v[600];
    unsigned first;
    uint32_t n, at, i;

    for (first = 0; first < 2; first++)
        for (n = 1; n <= ARRAY_SIZE(v); n += 7)
            for (at = 0; at < n; at += 13) {
                struct block_sums low = BLOCK_SUMS_NONE, high = BLOCK_SUMS_NONE;
                for (i = 0; i < n; i++)
                    v[i] = i < at ? 5 : (i == at) == first ? -0.0 : 0.0;
                block_sums_add(&low, v, n);
                for (i = 0; i < at; i++)
                    v[i] = -5;
                block_sums_add(&high, v, n);
                cr_assert_eq(!!signbit(low.min), first, "%u at %u", n, at);
                cr_assert_eq(!!signbit(high.max), first, "%u at %u", n, at);
            }
}

/* --- blocks ----------------------------------------------------------------------------------- */

static double
whole_number(unsigned shape, uint32_t i)
{
    switch (shape) {
    case 0:
        return 7;
    case 1:
        return (double)rnd_below(2000) - 1000;
    case 2:
        return (double)(rnd_below(4000)) / 4;
    case 3:
        return i % 100 ? 0.5 : -0.5;
    default:
        return (double)(1 + rnd_below(1ULL << 40));
    }
}
#define WHOLE_SHAPES 5

static void
encode(const struct samples *in, struct buf *out, struct block_info *info)
{
    out->n = 0;
    block_encode(in, rnd_below(2) ? BLOCK_QUICK : BLOCK_SMALL, out);
    cr_assert(block_read_info((struct slice){out->p, out->n}, info));
}

/* A block that is added by its header gives what its points give, whatever was there before. */
static void
check_block(const struct samples *in, const struct block_sums *before, unsigned shape,
            bool *ret_taken)
{
    struct block_sums fast = *before, slow = *before;
    struct buf out = {0};
    struct block_info info;
    uint32_t i;

    encode(in, &out, &info);
    *ret_taken = block_sums_add_block(&fast, (struct slice){out.p, out.n}, &info);
    if (*ret_taken) {
        for (i = 0; i < in->n; i++)
            add_plainly(&slow, in->p[i].value);
        assert_sums(&fast, &slow, "block", shape);
    } else {
        assert_sums(&fast, before, "untouched", shape);
    }
    buf_fini(&out);
}

static struct block_sums
sums_before(unsigned round)
{
    struct block_sums s = BLOCK_SUMS_NONE;

    if (round % 4 == 1)
        add_plainly(&s, 12345);
    if (round % 4 == 2)
        add_plainly(&s, 0.1);
    if (round % 4 == 3)
        add_plainly(&s, 0x1p52 + 1);
    return s;
}

Test(block_sums, whole_blocks_are_added_by_their_headers_only_where_that_is_exact)
{
    unsigned shape, round, taken = 0, refused = 0;

    for (shape = 0; shape < VALUE_SHAPES + WHOLE_SHAPES; shape++)
        for (round = 0; round < 60; round++) {
            struct samples in = make(1 + (uint32_t)rnd_below(2100), 0, shape % VALUE_SHAPES, 5);
            struct block_sums before = sums_before(round);
            bool by_header;
            uint32_t i;
            for (i = 0; i < in.n && shape >= VALUE_SHAPES; i++)
                in.p[i].value = whole_number(shape - VALUE_SHAPES, i);
            check_block(&in, &before, shape, &by_header);
            by_header ? taken++ : refused++;
            /* Small whole numbers and quarters must be: that is what it is for. */
            if (round % 4 < 2 && shape >= VALUE_SHAPES && shape < VALUE_SHAPES + 3 && in.n > 1)
                cr_assert(by_header, "shape %u, %u points", shape, in.n);
            drop(&in);
        }
    cr_assert(taken > 100 && refused > 100, "%u and %u", taken, refused);
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void
check_range(struct block_reader *r, const struct samples *in, struct slice block, int64_t start,
            int64_t end, unsigned shape)
{
    static struct block_vector v;
    struct block_sums fast = BLOCK_SUMS_NONE, slow = BLOCK_SUMS_NONE;
    uint32_t i;

    cr_assert_eq(block_sums_add_range(&fast, r, block, start, end, &v), 0);
    for (i = 0; i < in->n; i++)
        if (in->p[i].ts >= start && in->p[i].ts <= end)
            add_plainly(&slow, in->p[i].value);
    assert_sums(&fast, &slow, "range", shape);
}

Test(block_sums, any_range_of_a_block_adds_what_lies_in_it)
{
    struct block_reader *r = block_reader_create();
    struct buf out = {0};
    struct block_info info;
    unsigned shape, round;

    for (shape = 0; shape < VALUE_SHAPES; shape++)
        for (round = 0; round < 30; round++) {
            struct samples in = make(1 + (uint32_t)rnd_below(3000), shape % TIME_SHAPES, shape, 5);
            int64_t a = in.p[rnd_below(in.n)].ts, b = in.p[rnd_below(in.n)].ts;
            encode(&in, &out, &info);
            struct slice block = {out.p, out.n};
            check_range(r, &in, block, MIN(a, b), MAX(a, b), shape);
            check_range(r, &in, block, INT64_MIN, INT64_MAX, shape);
            check_range(r, &in, block, INT64_MIN, a, shape);
            check_range(r, &in, block, a, INT64_MAX, shape);
            check_range(r, &in, block, INT64_MAX, INT64_MIN, shape);
            drop(&in);
        }
    buf_fini(&out);
    block_reader_destroy(&r);
}

Test(block_sums, a_damaged_block_is_refused)
{
    struct block_reader *r = block_reader_create();
    struct samples in = make(1500, 0, 7, 5);
    struct block_sums s = BLOCK_SUMS_NONE;
    static struct block_vector v;
    struct buf out = {0};
    struct block_info info;

    encode(&in, &out, &info);
    cr_assert_eq(block_sums_add_range(&s, r, (struct slice){out.p, 3}, 0, INT64_MAX, &v), -EBADMSG);
    cr_assert_eq(block_sums_add_range(&s, r, (struct slice){out.p, out.n - 9}, 0, INT64_MAX, &v),
                 -EBADMSG);
    buf_fini(&out);
    drop(&in);
    block_reader_destroy(&r);
}

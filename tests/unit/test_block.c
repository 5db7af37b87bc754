/* Blocks: what goes in comes out bit for bit, whatever it is; what is damaged is refused. */
#include "shards/series/bitpack.h"
#include "tests/unit/block_shapes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static void
assert_same(const struct samples *in, const struct sample *p, const uint8_t *q, const char *what)
{
    uint32_t i;

    for (i = 0; i < in->n; i++) {
        cr_assert_eq(in->p[i].ts, p[i].ts, "%s: time %u of %u", what, i, in->n);
        cr_assert_eq(double_bits(in->p[i].value), double_bits(p[i].value), "%s: value %u of %u: %a",
                     what, i, in->n, in->p[i].value);
        cr_assert_eq(in->quality ? in->quality[i] : 0, q[i], "%s: quality %u", what, i);
    }
}

/* Every choice of columns delivers the same points, vector by vector. */
static void
assert_reader_agrees(const struct samples *in, struct slice block, const char *what)
{
    struct block_reader *r = block_reader_create();
    struct block_vector *v = malloc(sizeof(*v));
    unsigned columns;
    uint32_t at, i;
    int rc;

    for (columns = 0; columns < 8; columns++) {
        cr_assert(block_reader_open(r, block, columns), "%s", what);
        for (at = 0; (rc = block_reader_next(r, v)) == 1; at += v->n)
            for (i = 0; i < v->n; i++) {
                const struct sample *p = &in->p[at + i];
                uint8_t q = in->quality ? in->quality[at + i] : 0;
                if (columns & BLOCK_TIMES)
                    cr_assert_eq(v->ts[i], p->ts, "%s: time %u", what, at + i);
                if (columns & BLOCK_VALUES)
                    cr_assert_eq(double_bits(v->value[i]), double_bits(p->value), "%s: value %u",
                                 what, at + i);
                if (columns & BLOCK_QUALITIES)
                    cr_assert_eq(v->quality[i], q, "%s: quality %u", what, at + i);
            }
        cr_assert_eq(rc, 0, "%s", what);
        cr_assert_eq(at, in->n, "%s", what);
    }
    free(v);
    block_reader_destroy(&r);
    cr_assert_null(r);
}

/* Encodes, decodes into memory of exactly the right size, compares; returns the size. */
static size_t
round_trip_with(const struct samples *in, enum block_effort effort, const char *what)
{
    struct buf out = {0};
    struct sample *p = malloc(in->n * sizeof(*p));
    uint8_t *q = malloc(in->n);
    char *exact;
    struct block_info info;
    size_t bytes;

    block_encode(in, effort, &out);
    exact = malloc(out.n); /* so that a sanitizer sees the first byte read too far */
    memcpy(exact, out.p, out.n);
    bytes = out.n;
    cr_assert(block_read_info((struct slice){exact, bytes}, &info), "%s", what);
    cr_assert_eq(info.count, in->n);
    cr_assert_eq(info.first_ts, in->p[0].ts);
    cr_assert_eq(info.last_ts, in->p[in->n - 1].ts);
    cr_assert(block_decode((struct slice){exact, bytes}, p, q), "%s n %u", what, in->n);
    assert_same(in, p, q, what);
    memset(p, 0, in->n * sizeof(*p));
    cr_assert(block_decode((struct slice){exact, bytes}, p, NULL), "%s", what);
    assert_reader_agrees(in, (struct slice){exact, bytes}, what);
    free(exact);
    free(p);
    free(q);
    buf_fini(&out);
    return bytes;
}

/* Both ways; returns the size of the small one. */
static size_t
round_trip(const struct samples *in, const char *what)
{
    round_trip_with(in, BLOCK_QUICK, what);
    return round_trip_with(in, BLOCK_SMALL, what);
}

static const uint32_t sizes[] = {1, 2, 3, 7, 64, 100, 1023, 1024, 1025, 2048, 5000};

Test(block, every_shape_of_data_comes_back_bit_for_bit)
{
    unsigned t, v, q, k;
    char what[64];

    for (k = 0; k < ARRAY_SIZE(sizes); k++)
        for (t = 0; t < TIME_SHAPES; t++)
            for (v = 0; v < VALUE_SHAPES; v++) {
                q = (t + v + k) % QUALITY_SHAPES;
                struct samples s = make(sizes[k], t, v, q);
                snprintf(what, sizeof(what), "times %u values %u quality %u", t, v, q);
                round_trip(&s, what);
                drop(&s);
            }
}

Test(block, info_has_the_statistics_without_nan)
{
    struct sample p[] = {{1, NAN}, {2, 3.0}, {2, -4.0}, {9, 2.0}};
    struct samples in = {.p = p, .n = 4};
    struct buf out = {0};
    struct block_info b;

    block_encode(&in, BLOCK_SMALL, &out);
    cr_assert(block_read_info((struct slice){out.p, out.n}, &b));
    cr_assert_eq(b.count, 4);
    cr_assert_eq(b.nan_count, 1);
    cr_assert_eq(b.first_ts, 1);
    cr_assert_eq(b.last_ts, 9);
    cr_assert_eq(b.min, -4.0);
    cr_assert_eq(b.max, 3.0);
    cr_assert_eq(b.sum, 1.0);
    cr_assert_eq(b.sum_squares, 29.0);
    cr_assert(isnan(b.first));
    cr_assert_eq(b.last, 2.0);
    buf_fini(&out);
}

Test(block, regular_and_repeating_data_is_nearly_free)
{
    struct samples s = make(1024, 0, 0, 5);
    cr_assert_leq(round_trip(&s, "constant"), 64);
    drop(&s);
    s = make(1024, 1, 0, 5);
    cr_assert_leq(round_trip(&s, "one timestamp"), 64);
    drop(&s);
    s = make(1024, 0, 1, 5); /* steps of a cent */
    cr_assert_leq(round_trip(&s, "walk"), 1024 * 2 / 8 + 160);
    drop(&s);
    s = make(1, 0, 1, 5);
    cr_assert_leq(round_trip(&s, "one point"), 32);
    drop(&s);
}

Test(block, biggest_block_round_trips)
{
    struct samples s = make(BLOCK_POINTS_MAX, 2, 1, 5);
    round_trip(&s, "biggest");
    drop(&s);
}

Test(block, any_truncation_is_refused)
{
    struct sample p[1500];
    uint8_t q[1500];
    unsigned v;

    for (v = 0; v < VALUE_SHAPES; v++) {
        struct samples s = make(1500, v % TIME_SHAPES, v, v % QUALITY_SHAPES);
        struct buf out = {0};
        size_t n;
        block_encode(&s, rnd_below(2) ? BLOCK_SMALL : BLOCK_QUICK, &out);
        for (n = 0; n < out.n; n++) {
            char *cut = malloc(n + 1);
            memcpy(cut, out.p, n);
            cut = realloc(cut, n ? n : 1);
            cr_assert_not(block_decode((struct slice){cut, n}, p, q), "values %u cut at %zu of %zu",
                          v, n, out.n);
            free(cut);
        }
        buf_fini(&out);
        drop(&s);
    }
}

/* Not every flipped bit can be seen (a price may change into another price; rows are checksummed by
 * the store), but none may lead out of bounds or out of order. */
Test(block, flipped_bits_never_lead_out_of_bounds)
{
    unsigned round;

    for (round = 0; round < 20000; round++) {
        struct samples s = make(1 + (uint32_t)rnd_below(1100), (unsigned)rnd_below(TIME_SHAPES),
                                (unsigned)rnd_below(VALUE_SHAPES), (unsigned)rnd_below(6));
        struct buf out = {0};
        struct block_info info;
        block_encode(&s, rnd_below(2) ? BLOCK_SMALL : BLOCK_QUICK, &out);
        uint64_t flips = 1 + rnd_below(4);
        while (flips-- > 0)
            out.p[rnd_below(rnd_below(2) ? MIN(out.n, (size_t)80) : out.n)] ^= 1 << rnd_below(8);
        struct slice damaged = {out.p, out.n};
        if (block_read_info(damaged, &info) && info.count < 100000) {
            struct sample *p = malloc(info.count * sizeof(*p));
            uint8_t *q = malloc(info.count);
            uint32_t i;
            if (block_decode(damaged, p, q))
                for (i = 1; i < info.count; i++)
                    cr_assert_leq(p[i - 1].ts, p[i].ts);
            free(p);
            free(q);
        }
        buf_fini(&out);
        drop(&s);
    }
}

Test(block, another_version_is_refused)
{
    struct samples s = make(10, 0, 1, 0);
    struct buf out = {0};
    struct block_info info;
    struct sample p[10];
    unsigned version;

    block_encode(&s, rnd_below(2) ? BLOCK_SMALL : BLOCK_QUICK, &out);
    for (version = 0; version < 256; version++) {
        bool known = version >= BLOCK_FORMAT_OLDEST && version <= BLOCK_FORMAT_VERSION;
        out.p[0] = (char)version;
        cr_assert_eq(block_read_info((struct slice){out.p, out.n}, &info), known);
        cr_assert_eq(block_decode((struct slice){out.p, out.n}, p, NULL), known);
    }
    buf_fini(&out);
    drop(&s);
}

/* Forty points as a server wrote them when the version was 1. */
static const uint8_t version_1[] = {
    0x01, 0x00, 0x28, 0x80, 0xe0, 0xe7, 0xd5, 0xb2, 0x50, 0xb9, 0x19, 0x00, 0x00, 0x00, 0x00,
    0x00, 0xb0, 0x66, 0x40, 0x7b, 0x14, 0xae, 0x47, 0xe1, 0xb2, 0x66, 0x40, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x80, 0x33, 0x33, 0x33, 0x33, 0x33, 0xb3, 0x66, 0x40, 0x4a, 0xe1,
    0x7a, 0x14, 0x6e, 0xa8, 0xbb, 0x40, 0xc2, 0x42, 0xad, 0x79, 0x48, 0x9d, 0x33, 0x41, 0x27,
    0x3c, 0x11, 0x00, 0x00, 0x80, 0x00, 0x0d, 0x09, 0x03, 0x18, 0x90, 0x00, 0x03, 0x0f, 0x48,
    0x50, 0x01, 0x06, 0x1b, 0x78, 0x10, 0x02, 0x09, 0x27, 0x00, 0xfa, 0xf4, 0xe9, 0xd3, 0xa7,
    0x4f, 0x9f, 0x3e, 0x7d, 0xfa, 0x02, 0xea, 0xd3, 0xa7, 0x0f, 0x03, 0x02, 0x01, 0x03, 0x00,
    0x22, 0x00, 0x0c, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00,
    0x15, 0xcc, 0x9b, 0x02, 0x07, 0x85, 0x00, 0x02, 0x0b, 0xc0, 0x02, 0x0b, 0x80, 0x05, 0xc0,
    0x02, 0x60, 0x81, 0x05, 0xe0, 0x78, 0x60, 0x01, 0xb0, 0xc0, 0x02, 0x60, 0x01, 0xb0, 0x00,
    0x58, 0x60, 0x01, 0xb0, 0x11, 0x48, 0x00, 0x6e, 0x74, 0x23, 0x01, 0x00, 0x15, 0xc0, 0x13,
};

Test(block, version_1_is_still_read)
{
    struct slice block = {(const char *)version_1, sizeof(version_1)};
    struct sample p[40];
    uint8_t q[40];
    uint32_t i;

    cr_assert(block_decode(block, p, q));
    for (i = 0; i < 40; i++) {
        double v = i == 17 ? -0.0 : (double)(18150 + i * 7 % 11) / 100;
        cr_assert_eq(p[i].ts, 1381190400000 + i / 3 * 250 + (i >= 30) * 7);
        cr_assert_eq(double_bits(p[i].value), double_bits(v), "%u", i);
        cr_assert_eq(q[i], i > 20 ? 192 : 0);
    }
}

Test(block, bitpack_round_trips_at_every_width)
{
    static const uint32_t lengths[] = {1, 2, 63, 100, 1023, 1024};
    uint64_t in[BITPACK_VECTOR], out[BITPACK_VECTOR];
    unsigned width, k;
    uint32_t i;

    for (width = 0; width <= 64; width++)
        for (k = 0; k < ARRAY_SIZE(lengths); k++) {
            uint32_t n = lengths[k];
            uint64_t base = k % 2 ? rnd() : 0;
            uint8_t *bytes = malloc(bitpack_bytes(n, width) + !bitpack_bytes(n, width));
            for (i = 0; i < n; i++)
                in[i] = base + (width ? rnd() >> (64 - width) : 0);
            bitpack_encode(in, n, width, base, bytes);
            bitpack_decode(bytes, n, width, base, out);
            for (i = 0; i < n; i++)
                cr_assert_eq(in[i], out[i], "width %u n %u at %u", width, n, i);
            free(bytes);
        }
}

Test(block, integer_columns_choose_the_small_form)
{
    static int64_t x[4096], y[4096], spare[4096];
    struct int_decoder d;
    struct buf out = {0};
    uint32_t i, k;

    for (k = 0; k < 4; k++) {
        for (i = 0; i < 4096; i++)
            x[i] = k == 0   ? (int64_t)i * i * 1000                /* differences of differences */
                   : k == 1 ? 1000000 + (int64_t)(rnd() % 16) * 25 /* divisor */
                   : k == 2 ? (int64_t)rnd_below(2) * INT64_MIN + INT64_MAX
                            : (int64_t)i * 60000 + (i == 2000 ? 1 : 0);
        out.n = 0;
        memcpy(spare, x, sizeof(x));
        int_encode(spare, 4096, BLOCK_SMALL, &out);
        cr_assert_leq(out.n,
                      k == 0   ? 1100u
                      : k == 3 ? 130u
                      : k == 1 ? 4096u * 4 / 8 + 60
                               : 4096u * 5,
                      "case %u: %zu", k, out.n);
        cr_assert(int_decoder_init(&d, (struct slice){out.p, out.n}));
        for (i = 0; i < 4096; i += INT_VECTOR)
            cr_assert(int_decoder_next(&d, y + i, INT_VECTOR));
        cr_assert(int_decoder_done(&d));
        cr_assert_eq(memcmp(x, y, sizeof(x)), 0, "case %u", k);
    }
    buf_fini(&out);
}

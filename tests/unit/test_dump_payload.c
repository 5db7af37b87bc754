/* Payloads of DUMP: what is written is read as the same; what cannot be is refused. */
#include "shards/commands/dump_payload.h"

#include "core/crc64.h"
#include "shards/series/block.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define STRING_MAX (1 * MIB)

/* The slices of the last result point into it. */
static char *exact;

static void
end(void)
{
    free(exact);
}

static enum dump_error
parse(const struct buf *b, struct dump *ret)
{
    free(exact);
    exact = malloc(b->n); /* a read past it is noticed */
    cr_assert(exact);
    memcpy(exact, b->p, b->n);
    return dump_parse((struct slice){exact, b->n}, STRING_MAX, ret);
}

static struct buf
sealed(const char *bytes, size_t n)
{
    struct buf b = {0};

    buf_append(&b, bytes, n);
    dump_write_footer(&b, 0);
    return b;
}

Test(dump_payload, the_checksum_is_that_of_redis, .fini = end)
{
    char bytes[100];

    cr_assert_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9caULL);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 37);
    for (unsigned cut = 0; cut <= sizeof(bytes); cut++)
        cr_assert_eq(crc64(crc64(0, bytes, cut), bytes + cut, sizeof(bytes) - cut),
                     crc64(0, bytes, sizeof(bytes)), "cut at %u", cut);
}

Test(dump_payload, strings_are_read_as_written, .fini = end)
{
    static const size_t lengths[] = {0, 1, 10, 63, 64, 16383, 16384, 100000, STRING_MAX};
    static const char *const numbers[] = {"0",     "-1",    "127",    "-128",       "128",
                                          "-129",  "32767", "-32768", "32768",      "2147483647",
                                          "-2147483648",    "2147483648", "01", "-0", "12345678901"};
    struct dump d;

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct slice s = {calloc(lengths[i] + 1, 1), lengths[i]};
        struct buf b = {0};

        dump_write_string(&b, s);
        cr_assert_eq(b.n, dump_string_bytes(s));
        cr_assert_eq(parse(&b, &d), DUMP_OK);
        cr_assert(d.kind == DUMP_STRING && slice_equal(d.string, s));
        dump_fini(&d);
        buf_fini(&b);
        free((char *)s.p);
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct buf b = {0};

        dump_write_string(&b, slice_of(numbers[i]));
        cr_assert_eq(b.n, dump_string_bytes(slice_of(numbers[i])));
        cr_assert_eq(parse(&b, &d), DUMP_OK);
        cr_assert(slice_equal(d.string, slice_of(numbers[i])), "%s", numbers[i]);
        dump_fini(&d);
        buf_fini(&b);
    }
}

Test(dump_payload, a_string_beyond_the_limit_is_refused_before_it_is_unpacked, .fini = end)
{
    struct slice s = {calloc(STRING_MAX + 1, 1), STRING_MAX + 1};
    struct buf b = {0}, lzf = sealed("\x00\xc3\x02\x80\x00\x10\x00\x01\x00"
                                     "a", 10);
    struct dump d;

    dump_write_string(&b, s);
    cr_assert_eq(parse(&b, &d), DUMP_LONG);
    cr_assert_eq(parse(&lzf, &d), DUMP_LONG);
    free((char *)s.p);
    buf_fini(&b);
    buf_fini(&lzf);
}

static void
put_points(struct buf *out, uint8_t type, int64_t first, int64_t step, uint32_t n)
{
    struct samples in = {malloc(n * sizeof(*in.p)), NULL, n};
    struct buf block = {0};

    cr_assert(in.p);
    for (uint32_t i = 0; i < n; i++)
        in.p[i] = (struct sample){first + i * step, 1};
    block_encode(&in, BLOCK_QUICK, &block);
    dump_series_block(out, type, (struct slice){block.p, block.n});
    buf_fini(&block);
    samples_fini(&in);
}

static enum dump_error
parse_ended(struct buf *b)
{
    enum dump_error e;
    struct dump d;

    dump_series_end(b, 0);
    e = parse(b, &d);
    if (e == DUMP_OK)
        dump_fini(&d);
    buf_fini(b);
    return e;
}

Test(dump_payload, a_series_is_read_as_written, .fini = end)
{
    static const struct series_label labels[] = {{SLICE("a"), SLICE("1")}, {SLICE("b"), SLICE("")}};
    struct series_meta m = series_meta_default;
    struct slice block;
    struct buf b = {0};
    struct dump d;
    uint8_t type;

    m.retention = 5;
    m.labels = labels;
    m.labels_n = 2;
    dump_series_begin(&b, &m);
    put_points(&b, 0, -5, 1, 1000);
    put_points(&b, 0, 994, 1, 10); /* the same time as the last one */
    put_points(&b, 0xff, INT64_MIN, 0, 3);
    dump_series_end(&b, 0);
    cr_assert_eq(parse(&b, &d), DUMP_OK);
    cr_assert(d.kind == DUMP_SERIES && d.points == 1013 && series_meta_equal(&d.meta, &m));
    cr_assert(dump_next_block(&d, &type, &block) && type == 0);
    cr_assert(dump_next_block(&d, &type, &block) && type == 0);
    cr_assert(dump_next_block(&d, &type, &block) && type == 0xff);
    cr_assert_not(dump_next_block(&d, &type, &block));
    dump_fini(&d);
    buf_fini(&b);
}

Test(dump_payload, a_series_that_cannot_be_is_refused, .fini = end)
{
    struct series_meta m = series_meta_default;
    struct buf b = {0};

    dump_series_begin(&b, &m);
    cr_assert_eq(parse_ended(&b), DUMP_OK, "without points");
    dump_series_begin(&b, &m);
    put_points(&b, 1, 0, 1, 10);
    put_points(&b, 0, 0, 1, 10);
    cr_assert_eq(parse_ended(&b), DUMP_DAMAGED, "data types fall");
    dump_series_begin(&b, &m);
    put_points(&b, 1, 0, 1, 10);
    put_points(&b, 1, 8, 1, 10);
    cr_assert_eq(parse_ended(&b), DUMP_DAMAGED, "times fall");
    m.has_source = true;
    dump_series_begin(&b, &m);
    cr_assert_eq(parse_ended(&b), DUMP_DAMAGED, "a source");
}

/* Thirty bytes can stand for two million points. */
Test(dump_payload, points_are_counted_before_they_are_unpacked, .fini = end)
{
    struct buf b = {0};

    dump_series_begin(&b, &series_meta_default);
    for (int64_t i = 0; i * 1000000 <= DUMP_POINTS_MAX; i++)
        put_points(&b, 0, i * 1000000, 1, 1000000);
    cr_assert_lt(b.n, 1000);
    cr_assert_eq(parse_ended(&b), DUMP_POINTS);
    dump_series_begin(&b, &series_meta_default);
    put_points(&b, 0, 7, 0, 1000000);
    put_points(&b, 0, 8, 1, 10);
    cr_assert_eq(parse_ended(&b), DUMP_OK);
    dump_series_begin(&b, &series_meta_default);
    put_points(&b, 0, 7, 0, 1000000);
    put_points(&b, 0, 7, 1, 10);
    cr_assert_eq(parse_ended(&b), DUMP_DAMAGED, "more of one time than a series takes");
}

Test(dump_payload, versions_and_sums_are_looked_at, .fini = end)
{
    struct buf b = sealed("\x00\x01v", 3);
    struct dump d;

    for (size_t i = 0; i < b.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[i] ^= (char)(1u << bit);
            cr_assert_eq(parse(&b, &d), DUMP_SUM);
            b.p[i] ^= (char)(1u << bit);
        }
    for (size_t n = 0; n < b.n; n++) {
        struct buf shorter = {.p = b.p, .n = n};

        if (n > 0)
            cr_assert_eq(parse(&shorter, &d), DUMP_SUM);
    }
    buf_fini(&b);
}

#include "shards/store/row.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* The definition, bit by bit. */
static uint16_t
crc16_by_the_book(const char *p, size_t n)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < n; i++) {
        crc ^= (uint32_t)(uint8_t)p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return (uint16_t)crc;
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

Test(row, slot_has_the_values_of_redis_cluster)
{
    static const struct {
        const char *key;
        uint16_t slot;
    } known[] = {
        {"", 0},
        {"123456789", 0x31c3},
        {"foo", 12182},
        {"bar", 5061},
        {"hello", 866},
        {"a", 15495},
        {"{}", 15257},
        {"{}foo", 9500},
        {"foo{}{bar}", 8363},
        {"foo{{bar}}zap", 4015},
        {"foo{bar}{zap}", 5061},
        {"{user1000}.following", 3443},
        {"{user1000}.followers", 3443},
        {"user1000", 3443},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        cr_assert_eq(key_slot(slice_of(known[i].key)), known[i].slot, "%s: %u", known[i].key,
                     key_slot(slice_of(known[i].key)));
}

Test(row, slot_equals_the_definition_at_every_length)
{
    uint64_t seed = 88172645463325252;

    for (int round = 0; round < 50; round++)
        for (size_t n = 1; n < 300; n++) {
            /* At the very end of the allocation, so that a read past it is seen by ASan. */
            char *exact = malloc(n);

            for (size_t i = 0; i < n; i++)
                exact[i] = (char)(next_random(&seed) | 0x80); /* no braces */
            cr_assert_eq(key_slot((struct slice){exact, n}),
                         crc16_by_the_book(exact, n) % ROW_SLOTS, "length %zu", n);
            free(exact);
        }
}

Test(row, slot_hashes_only_a_tag_that_is_closed_and_not_empty)
{
    cr_assert_eq(key_slot(SLICE("x{tag}y")), key_slot(SLICE("tag")));
    cr_assert_eq(key_slot(SLICE("{tag}")), key_slot(SLICE("tag")));
    cr_assert_eq(key_slot(SLICE("a}b{tag}")), key_slot(SLICE("tag")));
    cr_assert_eq(key_slot(SLICE("{a}{b}")), key_slot(SLICE("a")));
    cr_assert_eq(key_slot(SLICE("{{a}b")), key_slot(SLICE("{a")));
    cr_assert_eq(key_slot(SLICE("{open")), crc16_by_the_book("{open", 5) % ROW_SLOTS);
    cr_assert_eq(key_slot(SLICE("{}{tag}")), crc16_by_the_book("{}{tag}", 7) % ROW_SLOTS);
    cr_assert_eq(key_slot(SLICE("end{")), crc16_by_the_book("end{", 4) % ROW_SLOTS);
}

Test(row, keys_come_back_out_of_rows)
{
    static const size_t lengths[] = {0, 1, 20, 255, 256, 65535};
    static const int64_t times[] = {INT64_MIN, -1, 0, 1, 1700000000000, INT64_MAX};
    char *key = malloc(65535), *row = malloc(ROW_KEY_BYTES_MAX);
    struct row_parts parts;
    size_t n;

    memset(key, 0xff, 65535);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct slice k = {key, lengths[i]};

        n = row_main(row, 126, 16383, k);
        cr_assert(row_parse((struct slice){row, n}, &parts));
        cr_assert(slice_equal(parts.key, k) && parts.db == 126 && parts.slot == 16383);
        cr_assert_eq(parts.kind, ROW_MAIN);
        for (size_t t = 0; t < ARRAY_SIZE(times); t++) {
            n = row_block(row, 3, 0x1234, k, 0x80, times[t]);
            cr_assert_leq(n, ROW_KEY_BYTES_MAX);
            cr_assert(row_parse((struct slice){row, n}, &parts));
            cr_assert(slice_equal(parts.key, k) && parts.db == 3 && parts.slot == 0x1234);
            cr_assert(parts.kind == ROW_BLOCK && parts.data_type == 0x80 && parts.ts == times[t]);
        }
    }
    free(key);
    free(row);
}

Test(row, bytes_are_as_documented)
{
    char row[64];
    size_t n = row_block(row, 2, 0x0102, SLICE("ab"), 7, 5);

    cr_assert_eq(n, 5 + 2 + 1 + 9);
    cr_assert_arr_eq(row,
                     "\x02\x01\x02\x00\x02"
                     "ab"
                     "\x10\x07\x80\0\0\0\0\0\0\x05",
                     n);
    n = row_main(row, 0, 1, SLICE("k"));
    cr_assert_eq(n, 7);
    cr_assert_arr_eq(row, "\0\0\x01\0\x01k\x01", n);
}

Test(row, foreign_bytes_are_refused)
{
    char row[64];
    struct row_parts parts;
    size_t n = row_block(row, 0, 5, SLICE("key"), 1, 1);

    for (size_t cut = 0; cut < n; cut++)
        cr_assert_not(row_parse((struct slice){row, cut}, &parts), "cut to %zu", cut);
    cr_assert_not(row_parse((struct slice){row, n + 1}, &parts), "one byte too many");
    row[8] = 0x11;
    cr_assert_not(row_parse((struct slice){row, n}, &parts), "kind nobody has");
    n = row_main(row, 0, 5, SLICE("key"));
    cr_assert_not(row_parse((struct slice){row, n + 1}, &parts), "a main row has no sub key");
    put_be16(row + 1, 16384);
    cr_assert_not(row_parse((struct slice){row, n}, &parts), "slot out of range");
    n = row_main(row, 0, 5, SLICE("key"));
    row[0] = (char)ROW_DB_META;
    cr_assert_not(row_parse((struct slice){row, n}, &parts), "rows of the shard have no parts");
}

Test(row, random_bytes_never_read_outside)
{
    uint64_t seed = 42;
    struct row_parts parts;
    int parsed = 0;

    for (int i = 0; i < 200000; i++) {
        size_t n = next_random(&seed) % 32;
        char *p = malloc(n + !n);

        for (size_t j = 0; j < n; j++)
            p[j] = (char)(j < 5 ? next_random(&seed) % 12 : next_random(&seed) % 18);
        if (row_parse((struct slice){p, n}, &parts)) {
            parsed++;
            cr_assert(parts.key.p >= p && parts.key.p + parts.key.n < p + n);
        }
        free(p);
    }
    cr_assert_gt(parsed, 0);
}

static int
compare(const char *a, size_t an, const char *b, size_t bn)
{
    int c = memcmp(a, b, MIN(an, bn));

    return c ? c : (an > bn) - (an < bn);
}

Test(row, bounds_hold_exactly_the_rows_of_a_key)
{
    char lower[64], upper[64], row[64];
    size_t lower_n = row_key_lower(lower, 1, 7, SLICE("key"));
    size_t upper_n = row_key_upper(upper, 1, 7, SLICE("key"));
    static const struct {
        uint8_t db;
        uint16_t slot;
        const char *key;
        bool inside;
    } cases[] = {
        {1, 7, "key", true},   {1, 7, "kex", false}, {1, 7, "kez", false},  {1, 7, "ke", false},
        {1, 7, "key2", false}, {1, 8, "key", false}, {1, 6, "key", false},  {0, 7, "key", false},
        {2, 7, "key", false},  {1, 7, "", false},    {1, 7, "keyy", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int what = 0; what < 4; what++) {
            struct slice key = slice_of(cases[i].key);
            size_t n = what == 0
                           ? row_main(row, cases[i].db, cases[i].slot, key)
                           : row_block(row, cases[i].db, cases[i].slot, key, what == 1 ? 0 : 255,
                                       what == 3 ? INT64_MAX : INT64_MIN);
            bool inside =
                compare(row, n, lower, lower_n) >= 0 && compare(row, n, upper, upper_n) < 0;

            cr_assert_eq(inside, cases[i].inside, "%s %d", cases[i].key, what);
        }
}

Test(row, order_is_main_row_then_types_then_time)
{
    char before[64], row[64];
    size_t before_n = row_main(before, 1, 7, SLICE("key")), n;
    static const int64_t times[] = {INT64_MIN, -5, -1, 0, 1, 256, INT64_MAX};

    for (unsigned type = 0; type < 256; type++)
        for (size_t t = 0; t < ARRAY_SIZE(times); t++) {
            n = row_block(row, 1, 7, SLICE("key"), (uint8_t)type, times[t]);
            cr_assert_lt(compare(before, before_n, row, n), 0);
            memcpy(before, row, n);
            before_n = n;
        }
    n = row_slot_lower(row, 1, 8);
    cr_assert_lt(compare(before, before_n, row, n), 0);
    n = row_db_lower(row, 2);
    cr_assert_lt(compare(before, before_n, row, n), 0);
}

Test(row, labels_stand_apart_from_the_rows_of_their_key)
{
    struct row_parts parts;
    char row[64], bound[8];
    size_t n = row_labels(row, 2, 258, SLICE("ab"));

    cr_assert_eq(n, 8);
    cr_assert_arr_eq(row, "\x82\x01\x02\x00\x02"
                          "ab\x02", n);
    cr_assert(row_parse((struct slice){row, n}, &parts));
    cr_assert(parts.db == 2 && parts.slot == 258 && parts.kind == ROW_LABELS);
    cr_assert(slice_equal(parts.key, SLICE("ab")));
    cr_assert_gt(compare(row, n, bound, row_labels_lower(bound, 2)), 0);
    cr_assert_lt(compare(row, n, bound, row_labels_lower(bound, 3)), 0);
    row[n - 1] = ROW_MAIN;
    cr_assert_not(row_parse((struct slice){row, n}, &parts), "a main row among the labels");
    n = row_main(row, 2, 258, SLICE("ab"));
    row[n - 1] = ROW_LABELS;
    cr_assert_not(row_parse((struct slice){row, n}, &parts), "labels among the main rows");
}

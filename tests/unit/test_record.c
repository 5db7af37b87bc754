/* Journal records: what is written is what is read, and nothing else is taken for a record. */
#include "shards/engine/record.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* Only the open batch of a journal: enough to append to. */
static struct journal journal;

static void
end(void)
{
    buf_fini(&journal.open);
}

/* The payload of the only record appended since the last call, in a block of exactly its size so
 * that a read past it is seen by ASan. Freed by the next call. */
static struct slice
payload(void)
{
    static char *exact;
    const char *p = journal.open.p;
    size_t n = 0;
    unsigned shift = 0;

    do
        n |= (size_t)(*p & 0x7f) << shift, shift += 7;
    while (*p++ & 0x80);
    cr_assert_eq((size_t)(p - journal.open.p) + n, journal.open.n, "one record, all of it filled");
    free(exact);
    exact = malloc(n + (n == 0));
    cr_assert(exact);
    memcpy(exact, p, n);
    journal.open.n = 0;
    return (struct slice){exact, n};
}

static struct record
parse(void)
{
    struct record r;

    cr_assert(record_parse(payload(), &r));
    return r;
}

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Lengths at which a varint grows, and the limits. */
static const size_t lengths[] = {0,   1,     2,     126,   127,   128,   129,    255,
                                 256, 16383, 16384, 16385, 65534, 65535, 100000, 1 << 21};
static const int64_t times[] = {0, 1, 1700000000000, INT64_MAX};

static struct slice
filled(char *room, size_t n, char with)
{
    memset(room, with, n);
    return (struct slice){room, n};
}

static char room[3][1 << 21];

Test(record, set_round_trip, .fini = end)
{
    for (size_t k = 0; k < ARRAY_SIZE(lengths); k++)
        for (size_t v = 0; v < ARRAY_SIZE(lengths) && lengths[k] <= 65535; v++) {
            struct slice key = filled(room[0], lengths[k], 'k');
            struct slice value = filled(room[1], lengths[v], 'v');
            int64_t expire = times[(k + v) % ARRAY_SIZE(times)];
            struct record r;

            record_set(&journal, (uint8_t)(v % 16), key, expire, value);
            r = parse();
            cr_assert_eq(r.op, RECORD_SET);
            cr_assert_eq(r.db, v % 16);
            cr_assert(slice_equal(r.key, key) && slice_equal(r.bytes, value));
            cr_assert_eq(r.expire_ms, expire);
        }
}

Test(record, del_and_expire_round_trip, .fini = end)
{
    for (size_t k = 0; k < ARRAY_SIZE(lengths) && lengths[k] <= 65535; k++) {
        struct slice key = filled(room[0], lengths[k], 'k');
        struct record r;

        record_del(&journal, 15, key);
        r = parse();
        cr_assert(r.op == RECORD_DEL && r.db == 15 && slice_equal(r.key, key));
        for (size_t t = 0; t < ARRAY_SIZE(times); t++) {
            record_expire(&journal, 3, key, times[t]);
            r = parse();
            cr_assert(r.op == RECORD_EXPIRE && r.db == 3 && slice_equal(r.key, key));
            cr_assert_eq(r.expire_ms, times[t]);
        }
    }
}

Test(record, patch_round_trip, .fini = end)
{
    static const uint64_t offsets[] = {0,     127,     128,     16383,
                                       16384, 1 << 21, 1 << 28, RECORD_STRING_BYTES_MAX - 3};
    struct slice key = SLICE("k"), bytes = SLICE("abc");
    struct record r;

    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        record_patch(&journal, 1, key, offsets[i], bytes);
        r = parse();
        cr_assert(r.op == RECORD_PATCH && r.db == 1 && slice_equal(r.key, key));
        cr_assert_eq(r.offset, offsets[i]);
        cr_assert(slice_equal(r.bytes, bytes));
    }
}

Test(record, series_meta_round_trip, .fini = end)
{
    for (size_t k = 0; k < ARRAY_SIZE(lengths) && lengths[k] <= 65535; k++) {
        struct slice key = filled(room[0], lengths[k], 'k');
        struct slice meta = filled(room[1], lengths[ARRAY_SIZE(lengths) - 1 - k], 'm');
        struct record r;

        record_series_meta(&journal, 9, key, meta);
        r = parse();
        cr_assert(r.op == RECORD_SERIES_META && r.db == 9 && slice_equal(r.key, key));
        cr_assert(slice_equal(r.bytes, meta));
    }
}

Test(record, delete_round_trip, .fini = end)
{
    static const int64_t at[] = {INT64_MIN, -1, 0, 1700000000000, INT64_MAX};
    struct slice key = SLICE("series:of:something");
    char backward[64];
    struct record r;

    for (size_t i = 0; i < ARRAY_SIZE(at); i++)
        for (size_t k = i; k < ARRAY_SIZE(at); k++) {
            record_delete(&journal, 3, key, 0x80, at[i], at[k]);
            r = parse();
            cr_assert(r.op == RECORD_DELETE && r.db == 3 && slice_equal(r.key, key));
            cr_assert(r.type == 0x80 && r.ts == at[i] && r.to == at[k]);
        }
    memcpy(backward, "\x09\x00\x01k\x00", 5);
    put_le64(backward + 5, 2);
    put_le64(backward + 13, 1);
    cr_assert_not(record_parse((struct slice){backward, 21}, &r), "ends before it begins");
    put_le64(backward + 13, 2);
    cr_assert(record_parse((struct slice){backward, 21}, &r));
    cr_assert_not(record_parse((struct slice){backward, 20}, &r));
}

Test(record, block_round_trip, .fini = end)
{
    for (size_t k = 0; k < ARRAY_SIZE(lengths) && lengths[k] <= 65535; k++) {
        struct slice key = filled(room[0], lengths[k], 'k');
        struct slice block = filled(room[1], lengths[ARRAY_SIZE(lengths) - 1 - k], 'b');
        struct record r;

        record_block(&journal, 4, key, 0xff, block);
        r = parse();
        cr_assert(r.op == RECORD_BLOCK && r.db == 4 && r.type == 0xff);
        cr_assert(slice_equal(r.key, key) && slice_equal(r.bytes, block));
        cr_assert_not(record_parse((struct slice){"\x0a\x00\x01k", 4}, &r), "no data type");
    }
}

Test(record, point_round_trip, .fini = end)
{
    static const int64_t at[] = {INT64_MIN, -1, 0, 1, 1700000000000, INT64_MAX};
    static const double values[] = {0.0, -0.0, 1.5, 1e308, 5e-324, (double)INFINITY, (double)NAN};
    struct slice key = SLICE("series:of:something");
    struct record r;

    for (size_t i = 0; i < ARRAY_SIZE(at); i++)
        for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
            record_point(&journal, 2, key, 0xfe, at[i], values[v], 0xab, 6);
            r = parse();
            cr_assert(r.op == RECORD_POINT && r.db == 2 && slice_equal(r.key, key));
            cr_assert(r.type == 0xfe && r.quality == 0xab && r.policy == 6);
            cr_assert_eq(r.ts, at[i]);
            cr_assert_eq(memcmp(&r.value, &values[v], 8), 0, "bit by bit, NaN and -0 too");
        }
}

Test(record, flush_round_trip, .fini = end)
{
    struct record r;

    record_flush(&journal, 7);
    r = parse();
    cr_assert(r.op == RECORD_FLUSH && r.db == 7);
    record_flush(&journal, RECORD_DB_ALL);
    r = parse();
    cr_assert(r.op == RECORD_FLUSH && r.db == RECORD_DB_ALL);
}

Test(record, group_round_trip, .fini = end)
{
    static const uint32_t sizes[] = {1, 2, 3, 127, 128, 129, RECORD_GROUP_MAX};
    uint16_t shards[RECORD_GROUP_MAX];
    uint64_t lsns[RECORD_GROUP_MAX];

    for (uint32_t i = 0; i < RECORD_GROUP_MAX; i++) {
        shards[i] = (uint16_t)(i * 251);
        lsns[i] = UINT64_MAX - i * 0x123456789ull;
    }
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct record r;

        record_group(&journal, shards, lsns, sizes[s]);
        r = parse();
        cr_assert_eq(r.op, RECORD_GROUP);
        cr_assert_eq(r.parts_n, sizes[s]);
        for (uint32_t i = 0; i < sizes[s]; i++) {
            uint16_t shard;
            uint64_t lsn;

            record_group_part(&r, i, &shard, &lsn);
            cr_assert(shard == shards[i] && lsn == lsns[i]);
        }
    }
}

Test(record, every_record_takes_one_lsn, .fini = end)
{
    uint64_t before = journal.next_lsn;

    record_set(&journal, 0, SLICE("k"), 0, SLICE("v"));
    record_del(&journal, 0, SLICE("k"));
    record_flush(&journal, 0);
    cr_assert_eq(journal.next_lsn, before + 3);
}

/* One of each kind, with a key long enough for a length of two bytes. */
static void
append_kind(unsigned kind)
{
    struct slice key = filled(room[0], 130, 'k');
    uint16_t shards[3] = {1, 2, 3};
    uint64_t lsns[3] = {10, 20, 30};

    switch (kind) {
    case RECORD_SET:
        record_set(&journal, 0, key, 99, SLICE(""));
        break;
    case RECORD_DEL:
        record_del(&journal, 0, key);
        break;
    case RECORD_EXPIRE:
        record_expire(&journal, 0, SLICE(""), 99);
        break;
    case RECORD_PATCH:
        record_patch(&journal, 0, key, 300, SLICE(""));
        break;
    case RECORD_POINT:
        record_point(&journal, 0, key, 1, 2, 3, 4, 5);
        break;
    case RECORD_FLUSH:
        record_flush(&journal, 0);
        break;
    default:
        record_group(&journal, shards, lsns, 3);
    }
}

/* The records above end with their last fixed field, so every shorter one lacks something; only DEL
 * cannot tell, its key is the rest. */
Test(record, a_record_cut_short_is_none, .fini = end)
{
    for (unsigned kind = RECORD_SET; kind <= RECORD_GROUP; kind++) {
        struct slice whole;
        struct record r;

        append_kind(kind);
        whole = payload();
        cr_assert(record_parse(whole, &r));
        for (size_t n = 0; n < whole.n; n++) {
            char *exact = malloc(n + (n == 0));
            bool got;

            memcpy(exact, whole.p, n);
            got = record_parse((struct slice){exact, n}, &r);
            cr_assert_eq(got, kind == RECORD_DEL && n >= 2, "kind %u, %zu of %zu", kind, n,
                         whole.n);
            free(exact);
        }
    }
}

Test(record, bytes_left_over_are_refused_where_nothing_may_follow, .fini = end)
{
    static const unsigned kinds[] = {RECORD_POINT, RECORD_FLUSH, RECORD_GROUP};

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct slice whole;
        struct record r;
        char longer[512];

        append_kind(kinds[i]);
        whole = payload();
        memcpy(longer, whole.p, whole.n);
        longer[whole.n] = 0;
        cr_assert(!record_parse((struct slice){longer, whole.n + 1}, &r), "kind %u", kinds[i]);
    }
}

static bool
parses(const char *bytes, size_t n)
{
    struct record r;

    return record_parse((struct slice){bytes, n}, &r);
}

#define PARSES(lit) parses((lit), sizeof(lit) - 1)

Test(record, what_cannot_be_is_refused)
{
    cr_assert(!PARSES("") && !PARSES("\x02"));
    cr_assert(!PARSES("\x00\x00") && !PARSES("\x08\x00key") && !PARSES("\xff\x00"));
    /* key lengths: too long for what follows, ten bytes and more, 2^63 */
    cr_assert(!PARSES("\x01\x00\x05keyz"));
    cr_assert(!PARSES("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    cr_assert(!PARSES("\x04\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"));
    cr_assert(!PARSES("\x01\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    /* expiry before 1970: KEEP_EXPIRE and its like */
    cr_assert(!PARSES("\x01\x00\x01k\x00\x00\x00\x00\x00\x00\x00\x80"));
    cr_assert(!PARSES("\x03\x00\xff\xff\xff\xff\xff\xff\xff\xffkey"));
    /* groups: more participants than can be, fewer bytes than they take */
    cr_assert(!PARSES("\x07\x00\x81\x02"));
    cr_assert(!PARSES("\x07\x00\x02"
                      "0123456789"));
    cr_assert(PARSES("\x07\x00\x01"
                     "0123456789"));
}

Test(record, strings_longer_than_any_are_refused, .fini = end)
{
    struct record r;

    record_patch(&journal, 0, SLICE("k"), RECORD_STRING_BYTES_MAX, SLICE(""));
    cr_assert(record_parse(payload(), &r));
    record_patch(&journal, 0, SLICE("k"), RECORD_STRING_BYTES_MAX, SLICE("x"));
    cr_assert(!record_parse(payload(), &r));
    record_patch(&journal, 0, SLICE("k"), RECORD_STRING_BYTES_MAX + 1, SLICE(""));
    cr_assert(!record_parse(payload(), &r));
    record_patch(&journal, 0, SLICE("k"), UINT64_MAX, SLICE("x"));
    cr_assert(!record_parse(payload(), &r));
}

Test(record, keys_longer_than_any_are_refused, .fini = end)
{
    struct record r;

    record_del(&journal, 0, filled(room[0], RECORD_KEY_BYTES_MAX, 'k'));
    cr_assert(record_parse(payload(), &r));
    record_del(&journal, 0, filled(room[0], RECORD_KEY_BYTES_MAX + 1, 'k'));
    cr_assert(!record_parse(payload(), &r));
}

static bool
inside(struct slice part, struct slice whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Whatever the bytes, what is handed out lies within them, and a refusal leaves the result alone.
 */
Test(record, random_bytes_never_lead_outside)
{
    uint64_t seed = 88172645463325252;

    for (unsigned i = 0; i < 300000; i++) {
        size_t n = next_random(&seed) % 48;
        char *bytes = malloc(n + (n == 0));
        struct slice s = {bytes, n};
        struct record r = {.op = 0xee};

        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)(next_random(&seed) >> 32);
        if (n)
            bytes[0] = (char)(next_random(&seed) % 9);
        if (record_parse(s, &r)) {
            cr_assert(inside(r.key, s) && inside(r.bytes, s));
            cr_assert(inside((struct slice){r.parts, (size_t)r.parts_n * 10}, s));
        } else {
            cr_assert_eq(r.op, 0xee);
        }
        free(bytes);
    }
}

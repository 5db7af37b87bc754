#include "shards/engine/rows.h"

#include "shards/engine/exec.h"
#include "shards/head/entry.h"
#include "store_fixture.h"

#define KEYS 3000
#define BLOCKS_OF_SERIES 5

static struct slice
key_name(char out[32], unsigned i)
{
    return (struct slice){out, (size_t)snprintf(out, 32, "key:%u", i)};
}

static void
put_main(struct store_batch *b, uint8_t db, struct slice key, uint8_t type, int64_t expire_ms)
{
    char row[ROW_KEY_BYTES_MAX];
    struct buf value = {0};

    row_head_write(&value, type, expire_ms);
    buf_append_lit(&value, "payload");
    store_batch_put(b, (struct slice){row, row_main(row, db, key_slot(key), key)},
                    (struct slice){value.p, value.n});
    buf_fini(&value);
}

static void
put_blocks(struct store_batch *b, uint8_t db, struct slice key)
{
    char row[ROW_KEY_BYTES_MAX];

    for (int64_t ts = -1; ts < BLOCKS_OF_SERIES - 1; ts++)
        store_batch_put(b, (struct slice){row, row_block(row, db, key_slot(key), key, 7, ts)},
                        SLICE("a block"));
}

static bool
is_series(unsigned i)
{
    return i % 3 == 0;
}

/* Strings and, every third, series with blocks; in the neighbouring databases a key each. */
static void
fill(struct store_fixture *f)
{
    struct store_batch *b = store_batch_create(f->s);
    char name[32];

    for (unsigned i = 0; i < KEYS; i++) {
        struct slice key = key_name(name, i);

        put_main(b, 3, key, is_series(i) ? ENTRY_SERIES : ENTRY_STRING, i);
        if (is_series(i))
            put_blocks(b, 3, key);
    }
    put_main(b, 2, SLICE("below"), ENTRY_STRING, 0);
    put_main(b, 4, SLICE("above"), ENTRY_STRING, 0);
    store_batch_put(b,
                    SLICE("\xff"
                          "about the shard"),
                    SLICE("x"));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

/* Marks what a walk over [first, last] shows; returns how many rows. */
static unsigned
walk(struct store_fixture *f, uint32_t first, uint32_t last, bool cached_only, char *seen,
     int expected)
{
    struct rows r;
    unsigned n = 0;
    uint32_t slot = first;

    rows_open(&r, f->s, 3, first, last, cached_only);
    while (rows_next(&r)) {
        char text[32] = {0};
        unsigned i;

        memcpy(text, r.key.p, MIN(r.key.n, sizeof(text) - 1));
        cr_assert_eq(sscanf(text, "key:%u", &i), 1, "%s", text);
        cr_assert(i < KEYS && seen[i] == 0);
        cr_assert(r.slot == key_slot(r.key) && r.slot >= slot && r.slot <= last);
        cr_assert_eq(r.head.type, is_series(i) ? ENTRY_SERIES : ENTRY_STRING);
        cr_assert_eq(r.head.expire_ms, i);
        slot = r.slot;
        seen[i] = 1;
        n++;
    }
    cr_assert_eq(rows_close(&r), expected);
    return n;
}

Test(rows, a_walk_shows_every_main_row_of_its_slots_once_in_slot_order)
{
    struct store_fixture f;
    char seen[KEYS] = {0}, halves[KEYS] = {0};

    fixture_init(&f);
    fill(&f);
    cr_assert_eq(walk(&f, 0, ROW_SLOTS - 1, false, seen, 0), KEYS);
    cr_assert_eq(walk(&f, 0, 8191, false, halves, 0) +
                     walk(&f, 8192, ROW_SLOTS - 1, false, halves, 0),
                 KEYS);
    fixture_fini(&f);
}

Test(rows, a_row_that_cannot_be_read_is_passed_over)
{
    struct store_fixture f;
    char row[ROW_KEY_BYTES_MAX], name[32], seen[KEYS] = {0};
    struct slice key = key_name(name, 5);

    fixture_init(&f);
    fill(&f);
    {
        struct store_batch *b = store_batch_create(f.s);

        store_batch_put(b, (struct slice){row, row_main(row, 3, key_slot(key), key)}, SLICE("?"));
        cr_assert_eq(store_batch_commit(b, &f.err), 0);
        store_batch_destroy(&b);
    }
    cr_assert_eq(walk(&f, 0, ROW_SLOTS - 1, false, seen, 0), KEYS - 1);
    cr_assert_eq(seen[5], 0);
    fixture_fini(&f);
}

Test(rows, a_cached_walk_goes_as_far_as_the_cache_and_through_after_warming)
{
    struct store_fixture f;
    char seen[KEYS] = {0};

    fixture_init(&f);
    fill(&f);
    store_close(&f.s);
    store_env_destroy(&f.env);
    f.env = fixture_env(32 * MIB);
    fixture_open(&f);
    cr_assert_lt(walk(&f, 0, ROW_SLOTS - 1, true, seen, -EAGAIN), KEYS);
    rows_warm(f.s, 3, 0, ROW_SLOTS - 1, UINT64_MAX);
    memset(seen, 0, sizeof(seen));
    cr_assert_eq(walk(&f, 0, ROW_SLOTS - 1, true, seen, 0), KEYS);
    fixture_fini(&f);
}

/* What scan.c relies on: after warming n rows from a slot, a cached walk from there sees n rows and
 * the beginning of the slot behind them. */
Test(rows, warming_reaches_to_the_end_of_the_slot_with_the_last_row_asked_for)
{
    struct store_fixture f;
    uint32_t from[] = {0, 5000, 16000};

    fixture_init(&f);
    fill(&f);
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        struct rows r;
        uint32_t slot = from[i];
        unsigned n = 0;

        store_close(&f.s);
        store_env_destroy(&f.env);
        f.env = fixture_env(32 * MIB);
        fixture_open(&f);
        rows_warm(f.s, 3, from[i], ROW_SLOTS - 1, 10);
        rows_open(&r, f.s, 3, from[i], ROW_SLOTS - 1, true);
        for (; rows_next(&r) && (r.slot == slot || n < 10); n++)
            slot = r.slot;
        cr_assert_geq(n, 10);
        cr_assert_eq(rows_close(&r), 0);
    }
    fixture_fini(&f);
}

/* As the sweep for expired keys walks: some rows, then on behind the last one's key. */
Test(rows, a_walk_in_pieces_goes_on_behind_a_key_and_leaves_the_cache_alone)
{
    struct store_fixture f;
    char from[ROW_KEY_BYTES_MAX], seen[KEYS] = {0};
    size_t from_n = 0;
    unsigned n = 0, pieces = 0;
    bool more = true;

    fixture_init(&f);
    fill(&f);
    store_close(&f.s);
    store_env_destroy(&f.env);
    f.env = fixture_env(32 * MIB);
    fixture_open(&f);
    for (; more; pieces++) {
        struct rows r;
        unsigned in_piece = 0;

        rows_open_passing(&r, f.s, 3, (struct slice){from, from_n});
        while ((more = rows_next(&r)) && in_piece++ < 7) {
            from_n = row_key_upper(from, 3, r.slot, r.key);
            n++;
        }
        cr_assert_eq(rows_close(&r), 0);
    }
    cr_assert_eq(n, KEYS);
    cr_assert_geq(pieces, KEYS / 7);
    cr_assert_lt(walk(&f, 0, ROW_SLOTS - 1, true, seen, -EAGAIN), KEYS);
    fixture_fini(&f);
}

/* A list serves walks over its slots as long as nothing is flushed, and says when it was cut. */
Test(rows, a_list_stands_in_for_a_store_that_the_cache_cannot_hold)
{
    struct store_fixture f;
    struct shard sh;
    struct row_list *all, *some;
    uint64_t n = 0;
    struct rows r;

    fixture_init(&f);
    fill(&f);
    shard_init(&sh, 0, NULL);
    sh.store = f.s;
    all = row_list_create(&sh, 3, 0, ROW_SLOTS - 1);
    some = row_list_create(&sh, 3, 5000, ROW_SLOTS - 1);
    cr_assert_eq(sh.walks, 2);
    row_list_fill(all, UINT64_MAX);
    row_list_fill(some, 10);
    row_list_offer(all);
    row_list_offer(some);
    sh.store = NULL; /* nobody asks it */

    for (rows_open_shard(&r, &sh, 3, 0, ROW_SLOTS - 1); rows_next(&r); n++)
        cr_assert_eq(r.slot, key_slot(r.key));
    cr_assert_eq(rows_close(&r), 0);
    cr_assert_eq(n, KEYS);

    n = 0;
    for (rows_open_shard(&r, &sh, 3, 5000, ROW_SLOTS - 1); rows_next(&r); n++)
        cr_assert_geq(r.slot, 5000);
    cr_assert_eq(rows_close(&r), -EAGAIN);
    cr_assert_gt(n, 10);

    rows_open_shard(&r, &sh, 3, 5000, ROW_SLOTS - 1);
    cr_assert(rows_next(&r));
    cr_assert_eq(rows_close(&r), 0);

    all->owned = some;
    row_list_destroy(&all);
    cr_assert_null(all);
    cr_assert_null(sh.row_lists);
    cr_assert_eq(sh.walks, 0);
    shard_fini(&sh);
    fixture_fini(&f);
}

/* Taken for absent it would be written anew, and what the store has of it be lost. */
Test(rows, the_key_of_a_damaged_row_is_not_absent)
{
    struct shard *sh = calloc(1, sizeof(*sh));
    struct slice key = SLICE("k"), other = SLICE("other");
    struct store_fixture f;
    struct store_batch *b;
    char row[ROW_KEY_BYTES_MAX];

    fixture_init(&f);
    shard_init(sh, 0, NULL);
    sh->store = f.s;
    sh->recovering = true;
    sh->db[3].stored_keys = 2;
    b = store_batch_create(f.s);
    put_main(b, 3, other, ENTRY_STRING, 0);
    store_batch_put(b, (struct slice){row, row_main(row, 3, key_slot(key), key)},
                    SLICE("\xee\0\0 of another version"));
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    cr_assert(load_key_now(sh, 3, SLICE("absent"), head_hash(SLICE("absent"))));
    cr_assert(load_key_now(sh, 3, other, head_hash(other)));
    cr_assert_not_null(head_find(&sh->db[3].head, head_hash(other), other));
    cr_assert_not(load_key_now(sh, 3, key, head_hash(key)), "nobody knows what it is");
    sh->store = NULL;
    shard_fini(sh);
    free(sh);
    fixture_fini(&f);
}

#include "shards/engine/checkpoint.h"

#include "shards/series/series_row.h"
#include "shards/store/row.h"
#include "store_fixture.h"

#define ROW "\xff" "ckpt"

Test(checkpoint_state, comes_back_as_it_was_written)
{
    struct store_fixture f;
    struct checkpoint_state st;
    struct store_batch *b;
    uint64_t keys[SHARD_DBS];

    fixture_init(&f);
    cr_assert_eq(checkpoint_read_state(f.s, &st, &f.err), 0);
    cr_assert(st.lsn == 0 && st.keys[0] == 0, "a new store");
    for (unsigned i = 0; i < SHARD_DBS; i++)
        keys[i] = 1000 + i;
    b = store_batch_create(f.s);
    checkpoint_put_state(b, 77, keys);
    cr_assert_eq(store_batch_commit(b, &f.err), 0);
    store_batch_destroy(&b);
    cr_assert_eq(checkpoint_read_state(f.s, &st, &f.err), 0, "%s", f.err.text);
    cr_assert_eq(st.lsn, 77);
    cr_assert_arr_eq(st.keys, keys, sizeof(keys));
    st = (struct checkpoint_state){0};
    cr_assert_eq(checkpoint_peek_state(f.dir, &st, &f.err), 0, "beside who has it open: %s", f.err.text);
    cr_assert_eq(st.lsn, 77);
    cr_assert_arr_eq(st.keys, keys, sizeof(keys));
    fixture_fini(&f);
}

/* Version 1 had no rows of labels, version 2 main rows that do not say how crowded their times are. */
Test(checkpoint_state, another_version_is_refused)
{
    const uint8_t versions[] = {0, 1, 2, CHECKPOINT_FORMAT_VERSION + 1, 255};
    char value[1 + 8 + 8 * SHARD_DBS] = {0};
    struct store_fixture f;
    struct checkpoint_state st = {.lsn = 5};

    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct store_batch *b = store_batch_create(f.s);

        value[0] = (char)versions[i];
        store_batch_put(b, (struct slice){ROW, sizeof(ROW) - 1},
                        (struct slice){value, sizeof(value)});
        cr_assert_eq(store_batch_commit(b, &f.err), 0);
        store_batch_destroy(&b);
        cr_assert_eq(checkpoint_read_state(f.s, &st, &f.err), -EBADMSG);
        cr_assert(strstr(f.err.text, "this server reads version 3"), "%s", f.err.text);
        cr_assert_eq(checkpoint_peek_state(f.dir, &st, &f.err), -EBADMSG);
        cr_assert(strstr(f.err.text, "this server reads version 3"), "%s", f.err.text);
        cr_assert_eq(st.lsn, 5);
    }
    fixture_fini(&f);
}

Test(checkpoint_state, looking_for_it_makes_nothing)
{
    struct store_fixture f;
    struct checkpoint_state st = {.lsn = 5};
    char dir[80], current[100];

    fixture_init(&f);
    snprintf(dir, sizeof(dir), "%s/new", f.base);
    cr_assert_eq(checkpoint_peek_state(dir, &st, &f.err), -ENOENT);
    cr_assert_eq(st.lsn, 5);
    cr_assert_eq(mkdir(dir, 0750), 0);
    cr_assert_eq(checkpoint_peek_state(dir, &st, &f.err), 0, "%s", f.err.text);
    cr_assert_eq(st.lsn, 0, "nothing is stored yet");
    cr_assert_eq(rmdir(dir), 0, "and nothing was made");
    store_close(&f.s);
    snprintf(current, sizeof(current), "%s/CURRENT", f.dir);
    cr_assert_eq(truncate(current, 0), 0);
    cr_assert_eq(checkpoint_peek_state(f.dir, &st, &f.err), -EIO);
    cr_assert(f.err.text[0]);
    fixture_fini(&f);
}

/* --- the compaction filter ------------------------------------------------------------------- */

#define EXPIRY 1000000000

/* Bytes of the value that a compaction leaves when the last checkpoint began then. */
static size_t
left_by_compaction(struct store_fixture *f, struct shard *sh, int64_t stored_ms)
{
    char name[64];
    struct slice key = {name, row_main(name, 0, key_slot(SLICE("k")), SLICE("k"))}, payload;
    struct store_batch *b = store_batch_create(f->s);
    struct row_head head;
    struct store_value v;
    struct buf row = {0};

    row_head_write(&row, ENTRY_STRING, EXPIRY);
    buf_append_lit(&row, "value");
    store_batch_put(b, key, (struct slice){row.p, row.n});
    cr_assert_eq(store_batch_commit(b, &f->err), 0);
    store_batch_destroy(&b);
    buf_fini(&row);
    atomic_store(&sh->stored_ms, stored_ms);
    store_compact_all(f->s);
    cr_assert_eq(store_get(f->s, key, &v, &f->err), 1);
    cr_assert(row_head_parse(v.v, &head, &payload));
    cr_assert_eq(head.expire_ms, EXPIRY);
    store_value_put(&v);
    return payload.n;
}

/* PERSIST or EXPIRE may have come since, with a record in the journal that finds the value here. */
Test(checkpoint_state, an_expired_value_stays_while_the_journal_may_prolong_it)
{
    struct shard *sh = calloc(1, sizeof(*sh));
    struct store_fixture f;

    fixture_init(&f);
    store_close(&f.s);
    f.options.filter = checkpoint_filter;
    f.options.filter_arg = sh;
    fixture_open(&f);
    cr_assert_eq(left_by_compaction(&f, sh, 0), 5, "no checkpoint since the start");
    cr_assert_eq(left_by_compaction(&f, sh, EXPIRY - 1), 5);
    cr_assert_eq(left_by_compaction(&f, sh, EXPIRY + EXPIRED_VALUE_KEPT_MS - 1), 5);
    cr_assert_eq(left_by_compaction(&f, sh, EXPIRY + EXPIRED_VALUE_KEPT_MS), 0);
    fixture_fini(&f);
    free(sh);
}

#include "shards/engine/checkpoint.h"

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
        cr_assert_eq(st.lsn, 5);
    }
    fixture_fini(&f);
}

/* A checkpoint from its start to its end, with changes between its stages: what is clean afterwards,
 * what stays dirty, what the store has and how many keys it says it has. */
#include "shards/engine/checkpoint_priv.h"
#include "shards/engine/core.h"
#include "shards/engine/expire.h"
#include "shards/engine/keyspace.h"
#include "shards/series/series_row.h"
#include "shards/store/row.h"
#include "shards/store/store_priv.h"

#include "store_fixture.h"

#define PATIENCE_NS (60ULL * 1000 * 1000 * 1000)

struct fixture {
    struct store_fixture store;
    struct node node;
    struct core *core;
    struct shard *sh;
    unsigned done; /* calls of a waiter */
    int rc;
    struct checkpoint_waiter waiter;
};

static void
flush_journal(void *arg)
{
    journal_flush(&((struct fixture *)arg)->sh->journal);
}

static void
setup(struct fixture *f)
{
    struct reactor_options opt = {.cpu = -1, .io = {.recv_buffers = 8}};
    struct journal_tail tail;
    struct journal_error err;
    const char *why = "";

    *f = (struct fixture){.node = {.ncores = 1}};
    fixture_init(&f->store);
    config_init(&f->node.config);
    f->node.config.journal_segment_bytes = 256 * KIB;
    f->node.config.journal_batch_bytes = 64 * KIB;
    f->core = calloc(1, sizeof(*f->core));
    cr_assert_not_null(f->core);
    core_init(f->core, &f->node, 0);
    f->sh = &f->core->shard;
    f->sh->store = f->store.s;
    cr_assert_eq(reactor_init(&f->core->reactor, &opt), 0);
    cr_assert_eq(reactor_attach(&f->core->reactor, &why), 0, "%s", why);
    conn_set_init(&f->core->conns, &f->core->reactor);
    cr_assert_eq(journal_scan(f->store.base, 0, NULL, NULL, &tail, &err), 0, "%s", err.text);
    cr_assert_eq(core_open_journal(f->core, f->store.base, &tail, 1, &err), 0, "%s", err.text);
    reactor_add_flush(&f->core->reactor, flush_journal, f);
}

static void
teardown(struct fixture *f)
{
    struct journal *j = &f->sh->journal;
    uint64_t deadline = clock_now_ns() + PATIENCE_NS;

    journal_want_durable(j, journal_last_lsn(j));
    while (!journal_idle(j)) {
        reactor_turn(&f->core->reactor, false);
        cr_assert_lt(clock_now_ns(), deadline);
    }
    for (unsigned i = 0; i < SHARD_DBS; i++)
        head_check(&f->sh->db[i].head);
    journal_close(j);
    reactor_fini(&f->core->reactor);
    core_fini(f->core);
    free(f->core);
    fixture_fini(&f->store);
}

static struct key
key_of(struct fixture *f, struct ctx *c, const char *name)
{
    static const struct command none = {.name = "test"};

    *c = (struct ctx){.core = f->core, .sh = f->sh, .cmd = &none};
    return key_open_db(c, slice_of(name), 0);
}

static void
set(struct fixture *f, const char *name, const char *value)
{
    struct ctx c;
    struct key k = key_of(f, &c, name);

    key_set_string(&c, &k, slice_of(value), 0);
}

static struct entry *
entry(struct fixture *f, const char *name)
{
    return head_find(&f->sh->db[0].head, head_hash(slice_of(name)), slice_of(name));
}

static void
delete(struct fixture *f, const char *name)
{
    struct ctx c;
    struct key k = key_of(f, &c, name);

    key_delete(&c, &k, entry(f, name));
}

static bool
is_at(const struct fixture *f, enum checkpoint_stage stage)
{
    return f->sh->checkpoint && f->sh->checkpoint->stage == stage;
}

/* Goes on until the checkpoint is about to do `stage`, or (WRITE) a helper does it. */
static void
run_to(struct fixture *f, enum checkpoint_stage stage)
{
    uint64_t deadline = clock_now_ns() + PATIENCE_NS;

    while (!is_at(f, stage)) {
        checkpoint_poll(f->sh);
        if (is_at(f, stage))
            return;
        reactor_turn(&f->core->reactor, false);
        cr_assert_lt(clock_now_ns(), deadline);
    }
}

static void
waiter_done(struct checkpoint_waiter *w, int rc)
{
    struct fixture *f = container_of(w, struct fixture, waiter);

    f->done++;
    f->rc = rc;
}

static void
begin(struct fixture *f)
{
    f->waiter.done = waiter_done;
    checkpoint_wait(f->sh, &f->waiter);
}

static void
finish(struct fixture *f)
{
    uint64_t deadline = clock_now_ns() + PATIENCE_NS;
    unsigned done = f->done;

    while (f->done == done) {
        reactor_turn(&f->core->reactor, false);
        checkpoint_poll(f->sh);
        cr_assert_lt(clock_now_ns(), deadline);
    }
}

static void
expect_clean(struct fixture *f, const char *name)
{
    const struct entry *e = entry(f, name);

    cr_assert_not_null(e, "%s", name);
    cr_assert_eq(e->dirty_pos, 0, "%s is still dirty", name);
    cr_assert_eq(e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE | ENTRY_FLUSHING | ENTRY_TOMBSTONE),
                 ENTRY_IN_STORE, "%s", name);
}

static void
expect_dirty(struct fixture *f, const char *name, unsigned flags)
{
    const struct entry *e = entry(f, name);

    cr_assert_not_null(e, "%s", name);
    cr_assert_neq(e->dirty_pos, 0, "%s is clean", name);
    cr_assert_eq(e->flags & (ENTRY_IN_STORE | ENTRY_FLUSHING | ENTRY_TOMBSTONE), flags, "%s", name);
}

/* The value of the key's row; NULL = the store has none. */
static void
expect_row(struct fixture *f, const char *name, const char *value)
{
    char bytes[ROW_KEY_BYTES_MAX];
    struct slice key = slice_of(name), payload;
    struct slice row = {bytes, row_main(bytes, 0, key_slot(key), key)};
    struct store_value v;
    struct row_head head;
    int rc = store_get(f->store.s, row, &v, &f->store.err);

    cr_assert_eq(rc, value != NULL, "%s: %d", name, rc);
    if (rc == 0)
        return;
    cr_assert(row_head_parse(v.v, &head, &payload));
    cr_assert(slice_equal(payload, slice_of(value)), "%s is '%.*s'", name, (int)payload.n, payload.p);
    store_value_put(&v);
}

static void
put_row(struct fixture *f, const char *name, const char *value)
{
    struct store_batch *b = store_batch_create(f->store.s);
    char bytes[ROW_KEY_BYTES_MAX];
    struct slice key = slice_of(name);
    struct buf row = {0};

    row_head_write(&row, ENTRY_STRING, 0);
    buf_append(&row, value, strlen(value));
    store_batch_put(b, (struct slice){bytes, row_main(bytes, 0, key_slot(key), key)}, (struct slice){row.p, row.n});
    cr_assert_eq(store_batch_commit(b, &f->store.err), 0, "%s", f->store.err.text);
    store_batch_destroy(&b);
    buf_fini(&row);
}

static uint64_t
stored_keys(const struct fixture *f)
{
    struct checkpoint_state st;
    struct store_error err;

    cr_assert_eq(checkpoint_read_state(f->sh->store, &st, &err), 0);
    cr_assert_eq(st.keys[0], f->sh->db[0].stored_keys, "the store says otherwise");
    return st.keys[0];
}

static void
checkpoint(struct fixture *f)
{
    begin(f);
    finish(f);
    cr_assert_eq(f->rc, 0);
}

Test(checkpoint, what_did_not_change_meanwhile_is_clean_and_stored)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    set(&f, "b", "2");
    checkpoint(&f);
    expect_clean(&f, "a");
    expect_clean(&f, "b");
    expect_row(&f, "a", "1");
    expect_row(&f, "b", "2");
    cr_assert_eq(stored_keys(&f), 2);
    cr_assert_eq(f.sh->checkpoint_lsn, 2);
    cr_assert_eq(keyspace_keys(f.sh, 0), 2);
    teardown(&f);
}

Test(checkpoint, what_changed_while_it_was_written_stays_dirty)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    set(&f, "b", "2");
    begin(&f);
    run_to(&f, WRITE);
    set(&f, "a", "other");
    finish(&f);
    expect_dirty(&f, "a", ENTRY_IN_STORE);
    expect_clean(&f, "b");
    expect_row(&f, "a", "1");
    cr_assert_eq(f.sh->checkpoint_lsn, 2, "the later change is still to be replayed");
    checkpoint(&f);
    expect_clean(&f, "a");
    expect_row(&f, "a", "other");
    cr_assert_eq(stored_keys(&f), 2);
    teardown(&f);
}

Test(checkpoint, what_changed_before_it_was_settled_stays_dirty)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    begin(&f);
    run_to(&f, SETTLE);
    set(&f, "a", "other");
    set(&f, "new", "2");
    finish(&f);
    expect_dirty(&f, "a", ENTRY_IN_STORE);
    cr_assert_neq(entry(&f, "new")->dirty_pos, 0);
    expect_row(&f, "new", NULL);
    cr_assert_eq(stored_keys(&f), 1);
    cr_assert_eq(keyspace_keys(f.sh, 0), 2);
    teardown(&f);
}

/* The first try may have brought a row to light that no count knows. */
Test(checkpoint, a_flush_that_is_replayed_drops_what_a_crash_may_have_left)
{
    struct fixture f;
    struct ctx c;

    setup(&f);
    set(&f, "a", "1");
    checkpoint(&f);
    delete(&f, "a");
    checkpoint(&f);
    cr_assert_eq(stored_keys(&f), 0);
    put_row(&f, "old", "2");
    expect_row(&f, "old", "2");
    f.sh->recovering = true;
    key_of(&f, &c, "any");
    keyspace_flush(&c, 0);
    f.sh->recovering = false;
    checkpoint(&f);
    expect_row(&f, "old", NULL);
    cr_assert_eq(stored_keys(&f), 0);
    teardown(&f);
}

Test(checkpoint, a_tombstone_stays_until_the_store_has_forgotten_the_key)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    checkpoint(&f);
    delete(&f, "a");
    expect_dirty(&f, "a", ENTRY_IN_STORE | ENTRY_TOMBSTONE);
    begin(&f);
    run_to(&f, SETTLE);
    cr_assert_not_null(entry(&f, "a"));
    finish(&f);
    cr_assert_null(entry(&f, "a"));
    expect_row(&f, "a", NULL);
    cr_assert_eq(stored_keys(&f), 0);
    teardown(&f);
}

Test(checkpoint, a_key_deleted_while_it_was_written_is_deleted_by_the_next)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    begin(&f);
    run_to(&f, WRITE);
    delete(&f, "a");
    finish(&f);
    expect_dirty(&f, "a", ENTRY_IN_STORE | ENTRY_TOMBSTONE);
    expect_row(&f, "a", "1");
    cr_assert_eq(stored_keys(&f), 1);
    cr_assert_eq(keyspace_keys(f.sh, 0), 0, "clients do not see it");
    checkpoint(&f);
    cr_assert_null(entry(&f, "a"));
    cr_assert_eq(stored_keys(&f), 0);
    teardown(&f);
}

Test(checkpoint, a_key_written_anew_while_its_row_goes_is_there)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    checkpoint(&f);
    delete(&f, "a");
    begin(&f);
    run_to(&f, SETTLE);
    set(&f, "a", "2");
    finish(&f);
    expect_dirty(&f, "a", 0);
    cr_assert_eq(keyspace_keys(f.sh, 0), 1);
    cr_assert_eq(stored_keys(&f), 0);
    checkpoint(&f);
    expect_clean(&f, "a");
    expect_row(&f, "a", "2");
    teardown(&f);
}

/* More than a slice of entries: some are settled, some are not, when the change comes. */
Test(checkpoint, settles_in_slices_with_the_counts_right_in_between)
{
    const unsigned n = 3 * CHECKPOINT_SLICE_ENTRIES + 7;
    struct fixture f;
    unsigned turns = 0;
    char name[16];

    setup(&f);
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "k%u", i);
        set(&f, name, "v");
    }
    begin(&f);
    run_to(&f, SETTLE);
    while (f.done == 0) {
        checkpoint_poll(f.sh);
        turns++;
        cr_assert_eq(keyspace_keys(f.sh, 0), n);
        cr_assert_eq(f.sh->db[0].stored_keys, f.sh->db[0].head.in_store);
    }
    cr_assert_geq(turns, 4);
    cr_assert_eq(stored_keys(&f), n);
    cr_assert_eq(f.sh->db[0].head.dirty_count, 0);
    teardown(&f);
}

/* However late it is: what takes many turns must come to its end. */
Test(checkpoint, a_slice_whose_time_is_over_does_one_entry)
{
    const struct checkpoint_slice over = {.entries = UINT32_MAX, .until_ns = 0};
    struct checkpoint *c;
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    set(&f, "b", "2");
    set(&f, "c", "3");
    begin(&f);
    run_to(&f, GATHER);
    c = f.sh->checkpoint;
    cr_assert_not(checkpoint_gather(c, over));
    cr_assert_eq(c->rows, 1);
    cr_assert_not(checkpoint_gather(c, over));
    cr_assert_eq(c->rows, 2);
    run_to(&f, SETTLE);
    cr_assert_not(checkpoint_settle(c, over));
    cr_assert_eq(f.sh->db[0].head.in_store, 1);
    finish(&f);
    cr_assert_eq(f.sh->db[0].head.in_store, 3);
    cr_assert_eq(stored_keys(&f), 3);
    teardown(&f);
}

Test(checkpoint, a_flush_while_it_was_written_hides_what_it_wrote)
{
    struct fixture f;
    struct ctx c;

    setup(&f);
    set(&f, "a", "1");
    begin(&f);
    run_to(&f, SETTLE);
    key_of(&f, &c, "a");
    keyspace_flush(&c, 0);
    set(&f, "b", "2");
    finish(&f);
    cr_assert(f.sh->db[0].hidden, "the row of a is still in the store");
    cr_assert_eq(keyspace_keys(f.sh, 0), 1);
    checkpoint(&f);
    cr_assert_not(f.sh->db[0].hidden);
    expect_row(&f, "a", NULL);
    expect_clean(&f, "b");
    cr_assert_eq(stored_keys(&f), 1);
    teardown(&f);
}

Test(checkpoint, one_that_fails_leaves_everything_dirty)
{
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    checkpoint(&f);
    set(&f, "a", "2");
    set(&f, "b", "3");
    begin(&f);
    run_to(&f, WAIT);
    journal_give_up(&f.sh->journal, EIO);
    finish(&f);
    cr_assert_eq(f.rc, -EIO);
    cr_assert_eq(checkpoint_stats(f.sh)->failures, 1);
    expect_dirty(&f, "a", ENTRY_IN_STORE);
    cr_assert_neq(entry(&f, "b")->dirty_pos, 0);
    expect_row(&f, "a", "1");
    expect_row(&f, "b", NULL);
    cr_assert_eq(stored_keys(&f), 1);
    cr_assert_eq(f.sh->checkpoint_lsn, 1);
    teardown(&f);
}

/* The key leaves memory and is written again, without a look at the store. */
static void
set_unseen(struct fixture *f, const char *name, const char *value)
{
    head_remove(&f->sh->db[0].head, head_hash(slice_of(name)), entry(f, name));
    set(f, name, value);
    cr_assert_eq(entry(f, name)->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE), ENTRY_MAYBE_STORE);
}

/* What is not open has no damaged rows: a key that was taken for one would be counted twice. */
Test(checkpoint, keys_are_counted_once_when_the_store_was_not_open_for_a_while)
{
    char table[512], away[520];
    struct fixture f;

    setup(&f);
    set(&f, "a", "1");
    set(&f, "b", "2");
    checkpoint(&f);
    fixture_find_file(f.store.dir, ".sst", table);
    snprintf(away, sizeof(away), "%s.away", table);
    set_unseen(&f, "a", "3");
    f.store.s->wounded = true; /* RocksDB had an error: it is opened anew */
    cr_assert_eq(rename(table, away), 0);
    begin(&f);
    finish(&f);
    cr_assert_eq(f.rc, -EIO);
    cr_assert_null(f.store.s->db);
    cr_assert_eq(rename(away, table), 0);
    set_unseen(&f, "b", "4");
    checkpoint(&f);
    expect_row(&f, "a", "3");
    expect_row(&f, "b", "4");
    cr_assert_eq(stored_keys(&f), 2);
    teardown(&f);
}

static int64_t
sweep(struct fixture *f)
{
    uint64_t deadline = clock_now_ns() + PATIENCE_NS;

    f->sh->sweep_due_ms = 0;
    do {
        reactor_turn(&f->core->reactor, false);
        expire_sweep_tick(f->core);
        cr_assert_lt(clock_now_ns(), deadline);
    } while (f->sh->sweep_due_ms == 0 || f->sh->sweep_due_ms == INT64_MAX);
    return f->sh->sweep_due_ms;
}

/* A pass over the store for keys whose time is over. */
Test(checkpoint, a_sweep_that_cannot_read_the_store_comes_back)
{
    struct fixture f;
    rocksdb_t *db;
    int64_t began;

    setup(&f);
    set(&f, "a", "1");
    checkpoint(&f);
    head_remove(&f.sh->db[0].head, head_hash(SLICE("a")), entry(&f, "a"));
    db = f.store.s->db;
    f.store.s->db = NULL;
    began = clock_wall_us() / 1000;
    cr_assert_geq(sweep(&f), began + SWEEP_UNREADABLE_MS);
    cr_assert_leq(f.sh->sweep_due_ms, clock_wall_us() / 1000 + SWEEP_UNREADABLE_MS);
    f.store.s->db = db;
    teardown(&f);
}

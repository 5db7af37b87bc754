/* Whole ranges of rows dropped, which is how a database is emptied.
 *
 * A range tombstone would do it in one small commit, but iterators do not bear these well as long as one is there
 * (store_ranges.c), and the rows would keep their room until compactions have been everywhere. So tables that lie
 * in the range are taken out of the database, all in one step, and only what is left is deleted row by row: rows of
 * tables that reach beyond the range, that are in level 0, where RocksDB leaves them alone, or that a compaction
 * has its hands on just then. Where these cannot be read the range goes as a range tombstone after all.
 *
 * With a table its tombstones go, too. So between the two steps, and after a crash there, some rows of the range may
 * be as they were before, and others be gone: whoever drops a range must not look at it before that has succeeded,
 * nor after a crash before he has dropped it again. */
#include "shards/store/store_priv.h"

#define SPILL_BYTES (1 * MIB)
#define ABOVE_BYTES 8

/* RocksDB takes tables up to a key that it includes: the highest one below `upper`, but for keys that go on with
 * ABOVE_BYTES times 0xff; a table that ends with such a one is left. */
static void
append_last_below(struct buf *b, struct slice upper)
{
    static const char above[ABOVE_BYTES] = {-1, -1, -1, -1, -1, -1, -1, -1};
    char last = upper.p[upper.n - 1];

    buf_append(b, upper.p, upper.n - 1);
    if (last == 0)
        return;
    buf_append(b, &(char){(char)(last - 1)}, 1);
    buf_append(b, above, sizeof(above));
}

static int
drop_tables(struct store *s, struct slice lower, struct slice upper, struct store_error *err)
{
    struct buf last = {0};
    char *message = NULL;

    append_last_below(&last, upper);
    if (store_compare_keys(lower, (struct slice){last.p, last.n}) < 0)
        rocksdb_delete_file_in_range(s->db, lower.p, lower.n, last.p, last.n, &message);
    buf_fini(&last);
    store_monitor_refresh(s);
    if (likely(!message))
        return 0;
    s->wounded = true;
    return store_error_take(err, message);
}

static int
delete_rows(struct store_batch *b, struct store_iter *it, struct store_error *err)
{
    int r = 0;

    for (store_iter_first(it); r == 0 && store_iter_valid(it); store_iter_next(it)) {
        store_batch_delete(b, store_iter_key(it));
        if (store_batch_bytes(b) >= SPILL_BYTES)
            r = store_batch_spill(b, err);
    }
    return r;
}

static int
gather_rows(struct store_batch *b, struct store *s, struct slice lower, struct slice upper, struct store_error *err)
{
    struct store_iter *it = store_iter_open_to_delete(s, lower, upper);
    int r = delete_rows(b, it, err), status = 0;

    if (r == 0)
        status = store_iter_status(it, err);
    store_iter_close(&it);
    if (status != -EIO)
        return r < 0 ? r : status;
    store_batch_delete_range(b, lower, upper);
    return 0;
}

static int
drop_rows(struct store *s, struct slice lower, struct slice upper, struct store_error *err)
{
    struct store_batch *b = store_batch_create(s);
    int r = gather_rows(b, s, lower, upper, err);

    if (r == 0)
        r = store_batch_commit(b, err);
    store_batch_destroy(&b);
    return r;
}

int
store_delete_range(struct store *s, struct slice lower, struct slice upper, struct store_error *err)
{
    int r;

    if (store_compare_keys(lower, upper) >= 0)
        return 0;
    r = store_check_health(s, 0, err);
    if (r == 0)
        r = drop_tables(s, lower, upper, err);
    return r == 0 ? drop_rows(s, lower, upper, err) : r;
}

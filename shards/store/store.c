/* The store: what a checkpoint leaves behind, sorted on disk.
 *
 * RocksDB is used for what it is best at, sorted tables, compaction, range scans, bloom filters,
 * and not for what the shard does itself: its memtable would be a second head, its WAL a second
 * journal. Everything comes in as a finished table (store_sst.c) that is linked into the database
 * in one step; memtable and WAL exist and stay empty. What that buys, measured with 100,000 rows of
 * 27 + 100 bytes (docs/decisions/0008-sst-ingestion.md has the table):
 *
 *   - 1.5 to 2 million rows a second, durable, against 0.3 to 1.2 by way of a memtable that is then
 *     flushed: a row is copied into the batch, from there into a block, and is done;
 *   - one atomic, durable step whatever the size. A flush is durable, but RocksDB begins one
 *     whenever a memtable is full, so a big write could be found there in half;
 *   - no write ever stalls inside RocksDB. The price: nothing slows us down when compaction falls
 *     behind, so the checkpoint asks store_is_stalled() first.
 *
 * The price of a commit is six syncs (see store_sst.c), whatever it holds: commit seldom, commit
 * much.
 *
 * Files: store_batch collects a commit, store_sort orders it, store_sst makes it part of the
 * database; store_drop takes whole ranges out of it; store_iter reads ranges, store_peek one row for
 * who does not open it; store_env is what
 * all databases share, store_options how one is set up, store_wal what a start leaves behind;
 * store_ranges knows of range tombstones, which iterators of this RocksDB do not bear well;
 * store_health is about full disks and reopening, store_error about RocksDB's texts, store_monitor
 * and store_stats about what it says of itself; row and row_slot make the keys.
 */
#include "shards/store/store_priv.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 0750

/* Makes the name of `dir` in its parent durable. */
static int
sync_parent(const char *dir)
{
    char *copy = strdup(dir);
    int fd, r = 0;

    ASSERT(copy);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        r = -errno;
    if (fd >= 0)
        close(fd);
    free(copy);
    return r;
}

static int
prepare_dir(const char *dir, struct store_error *err)
{
    int r;

    if (mkdir(dir, DIR_MODE) < 0 && errno != EEXIST)
        return store_error_errno(err, dir, errno);
    r = sync_parent(dir);
    return r < 0 ? store_error_errno(err, dir, -r) : store_sst_sweep(dir, err);
}

int
store_open_db(struct store *s, struct store_error *err)
{
    char *message = NULL;
    cpu_set_t before;
    int r = store_env_enter(s->env, &before);

    if (r < 0)
        return store_error_errno(err, "cannot run on the background CPUs", -r);
    s->db = rocksdb_open(s->options, s->dir, &message);
    store_env_leave(&before);
    if (message)
        return store_error_take(err, message);
    store_ranges_look(s);
    store_sweep_wals(s->dir);
    return 0;
}

int
store_open(struct store **ret_s, struct store_env *env, const struct store_options *opt,
           struct store_error *err)
{
    struct store *s;
    int r = prepare_dir(opt->dir, err);

    if (r < 0)
        return r;
    s = calloc(1, sizeof(*s));
    ASSERT(s);
    s->dir = strdup(opt->dir);
    ASSERT(s->dir);
    s->env = env;
    list_init(&s->monitor_node);
    s->room_bytes = opt->room_bytes ? opt->room_bytes : STORE_ROOM_BYTES;
    s->kept_tables = MIN(opt->kept_tables ? opt->kept_tables : UINT64_MAX, STORE_L0_KEPT_FILES);
    store_options_build(s, env, opt);
    r = store_check_room(s, 0, err);
    if (r == 0)
        r = store_open_db(s, err);
    if (r < 0) {
        store_close(&s);
        return r;
    }
    store_monitor_add(s);
    *ret_s = s;
    return 0;
}

void
store_close(struct store **s)
{
    if (!*s)
        return;
    store_monitor_remove(*s);
    ASSERT(atomic_load_explicit(&(*s)->readers, memory_order_acquire) == 0);
    if ((*s)->db)
        rocksdb_close((*s)->db);
    store_options_free(*s);
    free((*s)->dir);
    free(*s);
    *s = NULL;
}

static int
get(struct store *s, const rocksdb_readoptions_t *how, struct slice key, struct store_value *ret_v,
    struct store_error *err)
{
    char *message = NULL;
    rocksdb_pinnableslice_t *pin;

    if (unlikely(!s->db))
        return store_error_errno(err, "the store could not be reopened", EIO);
    pin = rocksdb_get_pinned(s->db, how, key.p, key.n, &message);
    if (message)
        return store_error_take(err, message);
    if (!pin)
        return 0;
    ret_v->pin = pin;
    ret_v->v.p = rocksdb_pinnableslice_value(pin, &ret_v->v.n);
    return 1;
}

int
store_get_cached(struct store *s, struct slice key, struct store_value *ret_v)
{
    int r;

    if (unlikely(!store_enter(s, false)))
        return -EAGAIN;
    r = get(s, s->read_cached, key, ret_v, NULL);
    store_leave(s);
    return r;
}

int
store_get(struct store *s, struct slice key, struct store_value *ret_v, struct store_error *err)
{
    int r;

    store_enter(s, true);
    r = get(s, s->read_blocking, key, ret_v, err);
    store_leave(s);
    return r;
}

/* The value is pinned in the block cache, which outlives the database: no need to stand between
 * enter and leave meanwhile. */
void
store_value_put(struct store_value *v)
{
    rocksdb_pinnableslice_destroy(v->pin);
    *v = (struct store_value){0};
}

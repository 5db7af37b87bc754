/* Table files on their way into the database.
 *
 * A file is written as `<dir>/ingest-<n>.sst`, a name RocksDB does not take for one of its own, and
 * then ingested: linked under a name of the database and entered into the MANIFEST.
 *
 * What is on disk when store_sst_ingest returns 0 (system calls of a commit as strace shows them,
 * each before the next):
 *
 *   write(ingest-<n>.sst) fdatasync           the table
 *   write(MANIFEST) fdatasync                 reserves a file number
 *   link(ingest-<n>.sst, <number>.sst) fdatasync(<number>.sst)
 *   fsync(directory)                          the new name
 *   pwrite(<number>.sst) fdatasync            its sequence number, if it overlaps older rows
 *   write(MANIFEST) fdatasync                 the commit point
 *   unlink(ingest-<n>.sst)                    may be lost, swept at the next open
 *
 * A crash before the commit point leaves files that no MANIFEST names: RocksDB deletes its half at
 * open, store_sst_sweep ours.
 *
 * RocksDB looks for the lowest level that has nothing in the file's range, and reads a row or two to
 * find it. Where it cannot read those, the file is ingested together with another that is about its
 * first key: two files that overlap go to level 0 without a look, each with a sequence number of its
 * own while there is a snapshot. The other one, which deletes that key, is the older of the two. A file
 * with range tombstones always goes in like that: it must never get the sequence number 0 of a file
 * that meets no other, for RocksDB 7.8 asserts that no compaction meets a range tombstone with that. In
 * RocksDB a range tombstone deletes what is older, so it spares the rows of its own file, which have the
 * same sequence number. */
#include "shards/store/store_priv.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SST_PREFIX "ingest-"
#define SST_SUFFIX ".sst"

/* Begins the file; RocksDB's message or NULL. */
static char *
sst_begin(struct store_sst *sst, struct store *s)
{
    char *message = NULL;
    int n;

    *sst = (struct store_sst){.s = s};
    n = asprintf(&sst->path, "%s/" SST_PREFIX "%016" PRIx64 SST_SUFFIX, s->dir, s->sst_next++);
    ASSERT(n > 0);
    sst->writer = rocksdb_sstfilewriter_create(s->sst_env, s->sst_options);
    rocksdb_sstfilewriter_open(sst->writer, sst->path, &message);
    return message;
}

int
store_sst_open(struct store_sst *sst, struct store *s, uint64_t bytes, struct store_error *err)
{
    int r = store_check_health(s, bytes, err);
    char *message;

    *sst = (struct store_sst){.s = s};
    if (r < 0)
        return r;
    message = sst_begin(sst, s);
    return message ? store_error_take(err, message) : 0;
}

static void
note_first(struct store_sst *sst, struct slice key)
{
    struct slice first = {sst->first.p, sst->first.n};

    if (likely(first.n > 0 && store_compare_keys(first, key) <= 0))
        return;
    sst->first.n = 0;
    buf_append(&sst->first, key.p, key.n);
}

int
store_sst_put(struct store_sst *sst, struct slice key, struct slice value, struct store_error *err)
{
    char *message = NULL;

    note_first(sst, key);
    rocksdb_sstfilewriter_put(sst->writer, key.p, key.n, value.p, value.n, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_delete(struct store_sst *sst, struct slice key, struct store_error *err)
{
    char *message = NULL;

    note_first(sst, key);
    rocksdb_sstfilewriter_delete(sst->writer, key.p, key.n, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_delete_range(struct store_sst *sst, struct slice lower, struct slice upper,
                       struct store_error *err)
{
    char *message = NULL;

    note_first(sst, lower);
    sst->has_ranges = true;
    rocksdb_sstfilewriter_delete_range(sst->writer, lower.p, lower.n, upper.p, upper.n, &message);
    return message ? store_error_take(err, message) : 0;
}

/* Without a look at what the database has; RocksDB's message or NULL. */
static char *
ingest_unseen(struct store_sst *sst)
{
    struct store *s = sst->s;
    const rocksdb_snapshot_t *snapshot;
    struct store_sst older;
    char *message = sst_begin(&older, s);

    if (!message)
        rocksdb_sstfilewriter_delete(older.writer, sst->first.p, sst->first.n, &message);
    if (!message)
        rocksdb_sstfilewriter_finish(older.writer, &message);
    if (!message) {
        const char *paths[] = {older.path, sst->path};

        snapshot = rocksdb_create_snapshot(s->db);
        rocksdb_ingest_external_file(s->db, paths, ARRAY_SIZE(paths), s->ingest, &message);
        rocksdb_release_snapshot(s->db, snapshot);
    }
    store_sst_close(&older);
    return message;
}

static char *
ingest(struct store_sst *sst)
{
    const char *paths[] = {sst->path};
    char *message = NULL;

    if (sst->has_ranges) {
        store_ranges_come(sst->s); /* each time: a database that was opened anew has looked, and found none */
        return ingest_unseen(sst);
    }
    rocksdb_ingest_external_file(sst->s->db, paths, 1, sst->s->ingest, &message);
    if (likely(!message) || !store_error_is_of_reading(message))
        return message;
    rocksdb_free(message);
    return ingest_unseen(sst);
}

/* Through its error by a compaction RocksDB refuses also what came to be ingested just then. */
static int
ingest_again(struct store_sst *sst, struct store_error *err)
{
    char *message;
    int r = store_heal(sst->s, err);

    if (r < 0)
        return r;
    message = ingest(sst);
    if (!message)
        return 0;
    sst->s->wounded = true;
    return store_error_take(err, message);
}

int
store_sst_ingest(struct store_sst *sst, struct store_error *err)
{
    char *message = NULL;
    bool is_of_reading;
    int r = 0;

    rocksdb_sstfilewriter_finish(sst->writer, &message);
    if (message)
        return store_error_take(err, message);
    message = ingest(sst);
    if (unlikely(message)) {
        sst->s->wounded = true;
        is_of_reading = store_error_is_of_reading(message);
        r = store_error_take(err, message);
        if (is_of_reading)
            r = ingest_again(sst, err);
    }
    if (unlikely(store_has_ranges(sst->s)) && sst->s->db)
        store_ranges_look(sst->s);
    store_monitor_refresh(sst->s);
    return r;
}

void
store_sst_close(struct store_sst *sst)
{
    if (sst->writer)
        rocksdb_sstfilewriter_destroy(sst->writer);
    if (sst->path)
        unlink(sst->path);
    free(sst->path);
    buf_fini(&sst->first);
    *sst = (struct store_sst){0};
}

static bool
has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

static bool
is_on_its_way(const char *name)
{
    return strncmp(name, SST_PREFIX, strlen(SST_PREFIX)) == 0;
}

bool
store_sst_is_table(const char *name)
{
    return has_suffix(name, SST_SUFFIX) && !is_on_its_way(name);
}

/* What a look through the directory found. */
struct sweep {
    bool has_current; /* CURRENT names the MANIFEST: there is a database */
    bool has_tables;
};

static int
sweep_entry(int dir_fd, const char *name, struct sweep *w)
{
    if (strcmp(name, "CURRENT") == 0)
        w->has_current = true;
    if (store_sst_is_table(name))
        w->has_tables = true;
    if (!has_suffix(name, SST_SUFFIX) || !is_on_its_way(name))
        return 0;
    return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

int
store_sst_sweep(const char *dir, struct store_error *err)
{
    DIR *d = opendir(dir);
    struct sweep w = {0};
    struct dirent *entry;
    int r = 0;

    if (!d)
        return store_error_errno(err, dir, errno);
    while (r == 0 && (entry = readdir(d)))
        r = sweep_entry(dirfd(d), entry->d_name, &w);
    closedir(d);
    if (r < 0)
        return store_error_errno(err, dir, -r);
    /* RocksDB would make a new, empty database here and delete these tables. */
    if (w.has_tables && !w.has_current)
        return store_error_errno(err, STORE_LOST_CURRENT, EIO);
    return 0;
}

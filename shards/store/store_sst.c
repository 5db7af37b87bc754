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
 * open, store_sst_sweep ours. */
#include "shards/store/store_priv.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SST_PREFIX "ingest-"
#define SST_SUFFIX ".sst"

int
store_sst_open(struct store_sst *sst, struct store *s, uint64_t bytes, struct store_error *err)
{
    char *message = NULL;
    int n, r;

    *sst = (struct store_sst){.s = s};
    r = store_check_health(s, bytes, err);
    if (r < 0)
        return r;
    n = asprintf(&sst->path, "%s/" SST_PREFIX "%016" PRIx64 SST_SUFFIX, s->dir, s->sst_next++);
    ASSERT(n > 0);
    sst->writer = rocksdb_sstfilewriter_create(s->sst_env, s->sst_options);
    rocksdb_sstfilewriter_open(sst->writer, sst->path, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_put(struct store_sst *sst, struct slice key, struct slice value, struct store_error *err)
{
    char *message = NULL;

    rocksdb_sstfilewriter_put(sst->writer, key.p, key.n, value.p, value.n, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_delete(struct store_sst *sst, struct slice key, struct store_error *err)
{
    char *message = NULL;

    rocksdb_sstfilewriter_delete(sst->writer, key.p, key.n, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_delete_range(struct store_sst *sst, struct slice lower, struct slice upper,
                       struct store_error *err)
{
    char *message = NULL;

    rocksdb_sstfilewriter_delete_range(sst->writer, lower.p, lower.n, upper.p, upper.n, &message);
    return message ? store_error_take(err, message) : 0;
}

int
store_sst_ingest(struct store_sst *sst, struct store_error *err)
{
    const char *paths[] = {sst->path};
    char *message = NULL;

    rocksdb_sstfilewriter_finish(sst->writer, &message);
    if (message)
        return store_error_take(err, message);
    rocksdb_ingest_external_file(sst->s->db, paths, 1, sst->s->ingest, &message);
    store_monitor_refresh(sst->s);
    if (!message)
        return 0;
    sst->s->wounded = true;
    return store_error_take(err, message);
}

void
store_sst_close(struct store_sst *sst)
{
    if (sst->writer)
        rocksdb_sstfilewriter_destroy(sst->writer);
    if (sst->path)
        unlink(sst->path);
    free(sst->path);
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

/* The store of one shard: one RocksDB, written only by checkpoints through SST ingestion (no WAL,
 * no memtable), read by rows and ranges. The only module that includes rocksdb/c.h.
 *
 * Threads: store_get_cached and store_iter_* with cached_only may run on the loop: they never touch
 * the disk. So may the statistics. Everything else blocks and runs on a helper (or before the loop
 * starts); commits, range deletes and open and close on one thread at a time. Values and iterators
 * may be released on another thread than the one that got them.
 *
 * What is left of waiting on the loop: the first read of a thread after a commit or a compaction
 * takes RocksDB's mutex to see the new tables, 0.1-0.2 ms in some of these cases; and while a store has range
 * tombstones, of rows deleted that could not be read, iterators read what is not cached, cached_only or not
 * (store_ranges.c). */
#ifndef SHARDS_STORE_STORE_H
#define SHARDS_STORE_STORE_H

#include "core/base.h"
#include "core/buf.h"

/* What all stores of a process share: block cache, rate limiter, background threads' CPUs. */
struct store_env;
struct store_env_options {
    uint64_t block_cache_bytes;
    uint64_t compaction_rate_bytes; /* per second, 0 = unlimited */
    unsigned background_threads;    /* compaction threads, >= 1 */
};
/* RocksDB's threads inherit the CPU mask of the calling thread: call it from a thread that runs on
 * the background CPUs. NULL when out of memory. */
struct store_env *store_env_create(const struct store_env_options *opt);
void store_env_destroy(struct store_env **e);

enum store_compression { STORE_COMPRESSION_NONE, STORE_COMPRESSION_LZ4, STORE_COMPRESSION_ZSTD };

struct store_options {
    const char *dir; /* created if missing */
    enum store_compression compression;
    /* Compaction filter: called on RocksDB's threads for every row that is rewritten. 0 = keep,
     * 1 = replace the value by what was put into `ret_value` (at most 64 bytes). NULL = no filter.
     * Must be pure. */
    int (*filter)(void *arg, struct slice key, struct slice value, char *ret_value, size_t *ret_n);
    void *filter_arg;
    /* Commits fail with -ENOSPC rather than leave less than this free on the file system; 0 stands
     * for STORE_ROOM_BYTES (store_priv.h). */
    uint64_t room_bytes;
    /* Most tables once they are not compacted any more (store_keeps_tables), as far as files may be open;
     * STORE_L0_KEPT_FILES at most, and 0 stands for these. */
    uint64_t kept_tables;
};

struct store;
struct store_error {
    char text[512]; /* RocksDB's name the file, with its directory */
};

/* 0, -EBUSY (another store has the directory), -ENOSPC, -EIO or the errno of the directory; err
 * says what. The CPUs of the caller do not matter: RocksDB's threads go where the environment's
 * are. */
int store_open(struct store **ret_s, struct store_env *env, const struct store_options *opt,
               struct store_error *err);
/* All iterators and batches must be gone; values may be released later, before the environment. */
void store_close(struct store **s);

/* One row of the database in `dir`, appended to ret_value, without opening it for more: nothing is made
 * or removed there, and a server may use it. 1 found, 0 not there or nothing stored yet, -EIO or the
 * errno of the directory with err. Blocks. */
int store_peek(const char *dir, struct slice key, struct buf *ret_value, struct store_error *err);

/* A value found; release with store_value_put. */
struct store_value {
    struct slice v;
    void *pin;
};
void store_value_put(struct store_value *v);

/* 1 found, 0 certainly not there (bloom filter or cached blocks say so), -EAGAIN would touch the
 * disk, -EIO on error. Never blocks on disk. */
int store_get_cached(struct store *s, struct slice key, struct store_value *ret_v);
/* 1 found, 0 not there, -EIO. Blocks. */
int store_get(struct store *s, struct slice key, struct store_value *ret_v,
              struct store_error *err);

/* Range iteration over [lower, upper); an iterator is a consistent snapshot. An empty bound is
 * none. Held for long it keeps old tables on the disk, and after a full disk it can hold up
 * commits. */
struct store_iter;
struct store_iter *store_iter_open(struct store *s, struct slice lower, struct slice upper,
                                   bool cached_only, bool fill_cache);
/* Blocks. Whatever this one passes stays in the block cache while it is open, beyond the cache's
 * limit if need be: a block as large as the value in it may be more than the cache takes in. */
struct store_iter *store_iter_open_holding(struct store *s, struct slice lower, struct slice upper);
void store_iter_close(struct store_iter **it);
/* Positions: at the first row >= key; at the last row <= key; first; last. */
void store_iter_seek(struct store_iter *it, struct slice key);
void store_iter_seek_back(struct store_iter *it, struct slice key);
void store_iter_first(struct store_iter *it);
void store_iter_last(struct store_iter *it);
void store_iter_next(struct store_iter *it);
void store_iter_prev(struct store_iter *it);
/* True while on a row. When false, store_iter_status tells why: 0 end, -EAGAIN would touch the disk
 * (cached_only), -EIO error. */
bool store_iter_valid(const struct store_iter *it);
int store_iter_status(const struct store_iter *it, struct store_error *err);
struct slice store_iter_key(const struct store_iter *it);
struct slice store_iter_value(const struct store_iter *it);

/* What is to stay in the block cache for a while: iterators that were opened holding, and values.
 * NULL is an empty one. */
struct store_hold;
void store_hold_iter(struct store_hold **h, struct store_iter *it);
void store_hold_value(struct store_hold **h, struct store_value v);
/* Moves all that `from` holds. */
void store_hold_join(struct store_hold **h, struct store_hold **from);
void store_hold_release(struct store_hold **h);

/* Is that text about rows of a table that cannot be read, and not about writing, or about a database that
 * is not open? */
bool store_error_is_of_reading(const char *text);
/* Before a commit of so many bytes, or before it is gathered: 0 when there is room and the database is open
 * and takes ingestions; -ENOSPC, -EIO, or -EBUSY when it must be reopened and somebody holds an iterator.
 * On the thread that commits. */
int store_check_health(struct store *s, uint64_t bytes, struct store_error *err);

/* A set of puts and deletes that becomes visible at once and is on disk when commit returns 0.
 * Later operations on the same key win. Memory is bounded by the caller's slices. */
struct store_batch;
struct store_batch *store_batch_create(struct store *s);
void store_batch_destroy(struct store_batch **b);
void store_batch_put(struct store_batch *b, struct slice key, struct slice value);
/* The value is the one, then the other. */
void store_batch_put_joined(struct store_batch *b, struct slice key, struct slice first,
                            struct slice then);
void store_batch_delete(struct store_batch *b, struct slice key);
/* Every row in [lower, upper) that is there now is deleted, unless the batch itself puts it (before
 * or after this call). Reads the range (blocking); what cannot be read is deleted all the same. 0, or
 * -EBUSY as store_batch_commit. */
int store_batch_delete_rows(struct store_batch *b, struct slice lower, struct slice upper,
                            struct store_error *err);
/* Writes what it has to the table file that the commit will complete, so that a large batch need not be
 * held in memory as a whole. Every key that comes later must be above all of these. Errors as
 * store_batch_commit; from then on a failure leaves a batch that can only be destroyed. */
int store_batch_spill(struct store_batch *b, struct store_error *err);
/* Of what is held in memory. */
size_t store_batch_rows(const struct store_batch *b);
size_t store_batch_bytes(const struct store_batch *b);
/* Sorts, writes one SST beside the database, syncs and ingests it. An empty batch is fine.
 * 0, -ENOSPC, -EIO, or -EBUSY (after an error of RocksDB, while somebody holds an iterator: try
 * again); err says what. On failure nothing of it is visible and the batch is as it was, to be
 * committed again; after success it is empty and may be filled anew. */
int store_batch_commit(struct store_batch *b, struct store_error *err);

/* Drops a whole key range: tables that lie in it at once, the rows of others one by one. Not in one step: after a
 * failure or a crash some rows are gone, others as they are or were before, until it is dropped again
 * (store_drop.c). Errors as store_batch_commit. Blocks. */
int store_delete_range(struct store *s, struct slice lower, struct slice upper,
                       struct store_error *err);

/* Statistics: RocksDB properties by short name; 0 when unknown. As of the last commit or a quarter
 * of a second ago, whichever is later. Any thread; a few loads. */
struct store_stats {
    uint64_t sst_bytes, live_keys_estimate, pending_compaction_bytes, running_compactions, l0_files,
        background_errors, table_readers_bytes;
    bool write_stopped;
};
void store_get_stats(struct store *s, struct store_stats *ret);
/* True when compaction is far behind (stop triggers near): checkpoints wait, which in time holds
 * back clients. Any thread; a few loads. */
bool store_is_stalled(struct store *s);
/* A compaction met a table that cannot be read: until the next open tables are kept as they are, and reads
 * get slower. ret_why says which table. On the thread that commits, or between commits. */
bool store_keeps_tables(struct store *s, struct store_error *ret_why);
/* Blocks: compacts everything; for tests and tools. */
void store_compact_all(struct store *s);

#endif

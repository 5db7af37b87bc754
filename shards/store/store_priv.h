/* What the files of the store share. Only they include rocksdb/c.h. */
#ifndef SHARDS_STORE_STORE_PRIV_H
#define SHARDS_STORE_STORE_PRIV_H

#include "core/list.h"
#include "shards/store/store.h"
#include "shards/store/store_sort.h"

#include <pthread.h>
#include <rocksdb/c.h>
#include <sched.h>
#include <stdatomic.h>

/* Level 0 files: compaction starts at the first, RocksDB would hold up its own writers at the other
 * two. Ingestion ignores those, so store_is_stalled() says so before the third is reached. */
#define STORE_L0_COMPACT_FILES 4
#define STORE_L0_SLOW_FILES 20
#define STORE_L0_STOP_FILES 36
#define STORE_L0_STALLED_FILES 32
/* The same of a database whose tables are not compacted any more: each takes a file descriptor. */
#define STORE_L0_KEPT_FILES 1000
#define STORE_PENDING_BYTES_STALLED (64 * GIB)

/* Stays free on the file system: what RocksDB needs to note what it does. */
#define STORE_ROOM_BYTES (16 * MIB)
#define STORE_VALUE_BYTES_MAX (1 * GIB)
#define STORE_READ_TIER_ALL 0
#define STORE_READ_TIER_CACHE 1 /* block cache only */
#define STORE_FILTER_VALUE_BYTES_MAX 64

/* What is known of a database without asking it (store_monitor.c). */
enum store_number {
    STORE_SST_BYTES,
    STORE_LIVE_KEYS,
    STORE_PENDING_BYTES,
    STORE_COMPACTIONS,
    STORE_L0_FILES,
    STORE_ERRORS,
    STORE_READERS_BYTES,
    STORE_WRITE_STOPPED,
    STORE_NUMBERS
};

struct store_monitor {
    pthread_t thread;
    pthread_mutex_t lock; /* the rest, and asking */
    pthread_cond_t wake;
    struct list stores;
    bool stop;
};

struct store_env {
    rocksdb_env_t *env;
    rocksdb_cache_t *cache;
    rocksdb_ratelimiter_t *limiter; /* NULL: unlimited */
    unsigned background_threads;
    cpu_set_t cpus; /* where the thread ran that created us: the place of all RocksDB threads */
    struct store_monitor monitor;
};

struct store {
    rocksdb_t *db; /* NULL: a reopen failed, see store_health.c */
    char *dir;
    /* Set at open, then only read. */
    struct store_env *env;
    rocksdb_options_t *options;
    rocksdb_options_t *sst_options; /* for files on their way in */
    rocksdb_envoptions_t *sst_env;
    rocksdb_ingestexternalfileoptions_t *ingest;
    rocksdb_readoptions_t *read_cached, *read_blocking;
    uint64_t room_bytes;
    uint64_t kept_tables;
    /* The committing thread's. */
    uint64_t sst_next;
    bool wounded; /* RocksDB had an error: reopen before the next ingestion */
    struct store_error unreadable; /* why it keeps its tables as they are */
    atomic_bool keeps_tables;      /* released once that is said */
    /* Range tombstones are there, or about to be. Written by the committing thread, read by who opens an iterator. */
    atomic_bool has_ranges;
    /* The gate between readers and a reopen. */
    atomic_uint readers;
    atomic_bool gate_shut;
    /* Written by the monitor and the committing thread, read by anybody. */
    struct list monitor_node;
    atomic_uint_least64_t numbers[STORE_NUMBERS];
};

/* The order of the rows: as unsigned bytes, the shorter one first. */
static inline int
store_compare_keys(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, MIN(a.n, b.n));

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Runs the calling thread on the CPUs of the environment until it leaves again, so that threads
 * RocksDB starts meanwhile inherit them. 0 or a negative errno. */
int store_env_enter(const struct store_env *e, cpu_set_t *ret_before);
void store_env_leave(const cpu_set_t *before);

/* Fills the option objects of `s`. */
void store_options_build(struct store *s, struct store_env *env, const struct store_options *opt);
void store_options_free(struct store *s);

/* Opens s->db. */
int store_open_db(struct store *s, struct store_error *err);
/* Of an open database: removes the empty files of earlier opens. What cannot be removed stays for the
 * next one. */
void store_sweep_wals(const char *dir);

/* Before a table with range tombstones is ingested. */
void store_ranges_come(struct store *s);
/* After an open, and while there are some now and then: are there any? */
void store_ranges_look(struct store *s);
bool store_has_ranges(struct store *s);

/* Blocks. Shows what is under range tombstones, too, and so misses nothing that cannot be read. */
struct store_iter *store_iter_open_to_delete(struct store *s, struct slice lower, struct slice upper);

/* Readers of s->db stand between these two. False: it is being reopened (never with `wait`). */
bool store_enter(struct store *s, bool wait);
void store_leave(struct store *s);
/* 0 if the file system has so many bytes free and room_bytes besides, else -ENOSPC. */
int store_check_room(struct store *s, uint64_t bytes, struct store_error *err);
/* store_check_health without a look at the room: reopens a database that had an error inside RocksDB. */
int store_heal(struct store *s, struct store_error *err);

/* The monitor's thread starts in the caller's CPU mask. 0 or a negative errno. */
int store_monitor_start(struct store_monitor *m);
void store_monitor_stop(struct store_monitor *m);
void store_monitor_add(struct store *s);
void store_monitor_remove(struct store *s);
/* Asks now. Blocks for RocksDB's mutex. */
void store_monitor_refresh(struct store *s);

/* Takes an error text of RocksDB (frees it) and says which errno it means. */
int store_error_take(struct store_error *err, char *message);
/* Our own errors: "text: strerror(code)". Returns -code. */
int store_error_errno(struct store_error *err, const char *what, int code);

/* All rows in [lower, upper) that are there before the batch, unread, by a range tombstone. */
void store_batch_delete_range(struct store_batch *b, struct slice lower, struct slice upper);

/* A table file being written beside the database; rows are added in strictly ascending order. */
struct store_sst {
    struct store *s;
    rocksdb_sstfilewriter_t *writer;
    char *path;
    struct buf first; /* the smallest key that anything in it is about */
    bool has_ranges;
};
/* `bytes` is about what will be written. Errors as store_check_health. */
int store_sst_open(struct store_sst *sst, struct store *s, uint64_t bytes, struct store_error *err);
int store_sst_put(struct store_sst *sst, struct slice key, struct slice value,
                  struct store_error *err);
int store_sst_delete(struct store_sst *sst, struct slice key, struct store_error *err);
/* Of the rows that are there before the file: not of those in it. At any time, in any order. */
int store_sst_delete_range(struct store_sst *sst, struct slice lower, struct slice upper,
                           struct store_error *err);
/* Makes the file durable and part of the database, which is healed on the way if a compaction met a
 * table that it cannot read. */
int store_sst_ingest(struct store_sst *sst, struct store_error *err);
/* Releases everything; an ingested file has moved, any other is removed. */
void store_sst_close(struct store_sst *sst);
/* Is it the name of a table of a database, and not of one on its way in? */
bool store_sst_is_table(const char *name);
#define STORE_LOST_CURRENT "table files but no CURRENT file"
/* Removes table files that a crash left on their way in; refuses a directory whose tables have lost
 * their database. */
int store_sst_sweep(const char *dir, struct store_error *err);

#endif

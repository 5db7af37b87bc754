/* A shard: the data of one core, and what keeps it durable.
 *
 * Owner: the core of the same number, whose loop also does its I/O. The data half (heads, arena,
 * open journal batch) may be leased to another core for one cross-shard transaction; meanwhile the
 * owner touches only the I/O half (marked below) and everything that wants the data waits in
 * `waiters`, first come first served. Ownership travels with mesh messages, never by locks.
 *
 * Acknowledgement: acked_seq is the last journal batch whose records are durable here and whose
 * cross-shard groups are durable in every journal they are in. Replies leave up to there. */
#ifndef SHARDS_ENGINE_SHARD_H
#define SHARDS_ENGINE_SHARD_H

#include "alloc/arena.h"
#include "core/list.h"
#include "core/mesh.h"
#include "shards/head/head.h"
#include "shards/journal/journal.h"
#include "shards/series/series.h"
#include "shards/store/store.h"

#define SHARD_DBS 16
#define SHARD_SET_WORDS (MESH_CORES_MAX / 64)

struct core;
struct key_waiter;
struct labels;
struct shard;
struct checkpoint;
struct checkpoint_control;
struct row_list;
struct wait_table;

/* Somebody who wants to touch a shard that is leased, or to lease it. Runs once, in order. */
struct shard_waiter {
    struct list node;
    void (*run)(struct shard_waiter *w, struct shard *sh);
};

/* Something to do when a journal batch is acknowledged: a reply to another core, WAITAOF ... */
struct ack_waiter {
    struct list node;
    uint32_t seq;
    bool failed; /* the journal failed: it never will be */
    void (*run)(struct ack_waiter *w);
};

/* A cross-shard group that may still be missing after a crash: the part in this journal. */
struct shard_group {
    struct list node, ready_node;
    uint32_t seq; /* batch of the part */
    uint64_t lsn;
    const uint64_t *shards; /* SHARD_SET_WORDS, a bit for each participant; stays as it is */
    /* Called once, when the part is durable here and no group before it in this journal can take it
     * along after a crash, or (failed) when that will never be. */
    void (*ready)(struct shard_group *g);
    bool told, failed;
};

struct shard_db {
    struct head head;
    struct head *aside;    /* keys set aside by the start, see aside.h; NULL: none */
    struct labels *labels; /* index of its series by label; NULL until one has labels */
    struct shard *sh;
    uint32_t flushes;     /* how often it was flushed */
    uint64_t stored_keys; /* main rows in the store that count as keys */
    uint64_t unread_maybes; /* entries that were looked up in vain: the store cannot read their rows */
    bool hidden;          /* flushed: what the store has is not there any more */
};

/* May the store have keys that memory has not? One that is set aside may be in no count. */
static inline bool
shard_db_has_cold(const struct shard_db *d)
{
    return !d->hidden && (d->stored_keys > d->head.in_store || unlikely(d->aside != NULL));
}

/* Are there entries to be looked up before keys can be counted? */
static inline bool
shard_db_has_maybes(const struct shard_db *d)
{
    return !d->hidden && d->head.maybe_store > d->unread_maybes;
}

struct shard {
    /* data: the owner's, or the lease holder's */
    uint16_t id;
    struct arena *arena;
    struct shard_db db[SHARD_DBS];
    struct journal journal;
    struct series_limits series_limits;
    bool recovering;          /* replay: nothing is journaled */
    bool lru_touch;           /* keep access times */
    uint32_t now_s;           /* for access times; set every turn */
    uint32_t flush_epoch;     /* counts FLUSHDB/FLUSHALL */
    struct list detached;     /* heads of flushed databases, freed in slices */
    bool observed;            /* somebody watches or waits for keys: changes are told */
    struct watch_table *watches;
    struct wait_table *waits; /* see wait.h */
    struct list fired;        /* those of its waiters that are to look again */
    uint64_t expired, evicted, hits, misses, points;
    uint64_t series_keys;     /* series keys in memory */
    uint32_t delete_seq;      /* batch that last removed a key, 0 = none did */
    uint64_t expire_cursor[SHARD_DBS]; /* where the active expiry walk stands */
    uint8_t expire_db;
    int64_t sweep_due_ms;     /* no row of the store expires before; 0 at the start: nobody knows */
    struct row_list *row_lists; /* what walks over the store may use, see rows.h */
    uint32_t walks;             /* row lists that are being made or used */

    /* lease: the owner's, changed by messages */
    bool leased;
    struct list waiters;

    /* I/O half: always the owner core's */
    struct core *core;
    struct store *store;
    struct checkpoint *checkpoint; /* under way, else NULL */
    struct checkpoint_control *checkpoint_control;
    uint64_t replayed_lsn;    /* recovering: last record applied */
    uint32_t acked_seq;
    uint32_t store_epoch;     /* checkpoints written into the store */
    uint32_t counts_pending;  /* requests that wait for exact key counts ... */
    uint64_t exact_until_ns;  /* ... and just after them: no write leaves a key not looked up */
    struct list groups;       /* unresolved, oldest first */
    struct list ack_waiters;  /* ascending seq */
    uint64_t checkpoint_lsn;  /* replay starts after it */
    /* When the last checkpoint in the store began, as wall clock; 0 = before this start. For the
     * compaction filter: set by the owner, read by RocksDB's threads, orders nothing. */
    _Atomic int64_t stored_ms;
    /* DEBUG FAULT store: so many of the next helper jobs take so much longer. Helpers count down. */
    _Atomic int32_t slow_jobs, slow_ms;
};

/* May this core's handlers touch the shard now? */
static inline bool
shard_available(const struct shard *sh)
{
    return likely(!sh->leased);
}

static inline uint32_t
shard_slot_owner(uint16_t slot, uint32_t ncores)
{
    return (uint32_t)slot * ncores / 16384;
}

/* Is journal batch seq not yet acknowledged? Only the few batches between the acknowledged one and
 * the open one can be; older numbers, wrapped or not, are done. Nothing waits for an empty batch: it
 * may never be written. */
static inline bool
shard_seq_pending(const struct shard *sh, uint32_t seq)
{
    const struct journal *j = &sh->journal;

    if (likely((uint32_t)(j->open_seq - seq) >= (uint32_t)(j->open_seq - sh->acked_seq)))
        return false;
    return seq != j->open_seq || j->open_first_lsn < j->next_lsn;
}

/* The newest batch that has records: what a reply that saw all of the shard waits for. */
static inline uint32_t
shard_newest_seq(const struct shard *sh)
{
    const struct journal *j = &sh->journal;

    return j->open_first_lsn < j->next_lsn ? j->open_seq : j->open_seq - 1;
}

void shard_init(struct shard *sh, uint16_t id, struct core *core);
void shard_fini(struct shard *sh);
/* On a helper, before it touches the store: the delay that DEBUG FAULT asked for. */
void shard_slow_down(struct shard *sh);
/* Bytes its data takes in memory. */
size_t shard_memory(const struct shard *sh);

/* Waits for the lease to end; runs at once when the shard is free. */
void shard_wait(struct shard *sh, struct shard_waiter *w);
/* Gives the data half away / takes it back and runs who waited. Owner core. */
void shard_lease(struct shard *sh);
void shard_unlease(struct shard *sh);

/* Runs w when batch seq is acknowledged (at once when it is already). Owner core. */
void shard_when_acked(struct shard *sh, struct ack_waiter *w, uint32_t seq);
/* A group's part was written into this journal (the caller has filled seq, lsn, shards and ready) /
 * every part is ready. Owner core. */
void shard_group_add(struct shard *sh, struct shard_group *g);
void shard_group_resolved(struct shard *sh, struct shard_group *g);
/* Another part will never be durable: after a crash this journal ends before the group, so it fails
 * as well. Owner core. */
void shard_group_doomed(struct shard *sh, struct shard_group *g);
/* The journal failed for good: tells everybody who waits for it. Owner core. */
void shard_fail(struct shard *sh);
/* The journal made progress: moves acked_seq, releases replies. Owner core. */
void shard_progress(struct shard *sh);

/* Registers a client that watches the key (WATCH) / forgets its watches here. */
void shard_watch(struct shard *sh, uint64_t client, uint8_t db, struct slice key);
void shard_unwatch(struct shard *sh, uint64_t client);
/* Registers one who waits for points of a series / takes it out again (see wait.h). */
void shard_await(struct shard *sh, struct key_waiter *w, uint8_t db, struct slice key);
void shard_unawait(struct shard *sh, struct key_waiter *w);

/* What was done to a key, for those who watch it or wait for its points. Hot path: where nobody does
 * (`observed` is false) none of these is called. */
void shard_key_touched(struct shard *sh, uint8_t db, struct slice key);
void shard_series_changed(struct shard *sh, uint8_t db, struct slice key);
void shard_series_point(struct shard *sh, uint8_t db, struct slice key, uint8_t type, int64_t ts);
void shard_point_replaced(struct shard *sh, uint8_t db, struct slice key, int64_t ts);
void shard_hidden_gone(struct shard *sh, uint8_t db, struct slice key, int64_t kept_from);
void shard_series_gone(struct shard *sh, uint8_t db, struct slice key);
void shard_db_gone(struct shard *sh, uint8_t db);

#endif

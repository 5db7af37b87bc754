/* Active expiry: keys go when their time is over although nobody reads them.
 *
 * Keys in memory (expire.c): every tick walks a part of the directory, on the loop, in databases that
 * have expiring keys, within a time budget.
 *
 * Keys that only the store has (expire_store.c): every tick a helper looks at some main rows of the
 * store, past the block cache, within the same budget, and says which are over. Those are removed
 * like any other, but for their values, which nobody reads: a record in the journal, a tombstone
 * that counts at once, and the rows go with the next checkpoint. Where most is over the next look
 * follows at once. There is no pass over the store before the earliest expiry that the last one and
 * the checkpoints since have seen.
 * Why not by RocksDB's compaction: docs/decisions/0009-stored-expiry.md. */
#ifndef SHARDS_ENGINE_EXPIRE_H
#define SHARDS_ENGINE_EXPIRE_H

#include "shards/engine/shard.h"

#define EXPIRE_CYCLE_NS 500000ULL /* at effort 1; each step of effort adds as much */
#define EXPIRE_FOUND_MAX 64       /* keys removed before the clock is looked at again */

#define SWEEP_TICK_NS 500000ULL   /* at effort 1; each step of effort adds as much */
#define SWEEP_KEYS_MAX 256        /* keys a job may find ... */
#define SWEEP_KEY_BYTES_MAX (1 * MIB) /* ... and their length together */
#define SWEEP_BUSY_SHARE 8 /* of the loop's time, at most, while most of what is looked at is over */
#define SWEEP_PAUSE_NS 1000000000ULL /* between two passes */

struct core;
struct expire_sweep;

/* A tick over the keys in memory. */
void expire_cycle(struct shard *sh);

/* A tick over the store: starts the next job unless one is under way. Own loop, shard available. */
void expire_sweep_tick(struct core *c);
void expire_sweep_destroy(struct expire_sweep **s);
/* A checkpoint writes a row with this expiry (0 = none). */
static inline void
expire_sweep_note(struct shard *sh, int64_t expire_ms)
{
    if (expire_ms != 0 && expire_ms < sh->sweep_due_ms)
        sh->sweep_due_ms = expire_ms;
}

/* Removes a key whose time is over. */
void expire_entry(struct shard *sh, uint8_t db, struct entry *e);
/* The same of one that only the store has. */
void expire_stored(struct shard *sh, uint8_t db, struct slice name, bool is_series);

#endif

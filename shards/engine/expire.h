/* Active expiry: keys go when their time is over although nobody reads them.
 *
 * Keys in memory (expire.c): every tick walks a part of the directory, on the loop, in databases that
 * have expiring keys, within a time budget. Where many of the keys looked at are over, the walk goes
 * on between two ticks, with pauses: as fast as they can be written, keys must be able to go.
 *
 * Keys that only the store has (expire_store.c): every tick a helper looks at some main rows of the
 * store, past the block cache, within the same budget, and says which are over. Those are removed
 * like any other, but for their values, which nobody reads: a record in the journal, a tombstone
 * that counts at once, and the rows go with the next checkpoint. Where most is over the next look
 * follows at once. What cannot be read is passed over, up to the next slot, until a later pass. There is no
 * pass over the store before the earliest expiry that the last one and the checkpoints since have seen.
 * Why not by RocksDB's compaction: docs/decisions/0009-stored-expiry.md. */
#ifndef SHARDS_ENGINE_EXPIRE_H
#define SHARDS_ENGINE_EXPIRE_H

#include "shards/engine/shard.h"

#define EXPIRE_CYCLE_NS 500000ULL /* at effort 1; each step of effort adds as much */
#define EXPIRE_MANY_SHARE 8       /* one of so many is over: the walk goes on ... */
#define EXPIRE_PAUSE_NS 1500000ULL /* ... after a pause, for EXPIRE_CYCLE_NS: a quarter of the time */
#define EXPIRE_FOUND_MAX 64       /* keys removed before the clock is looked at again */

#define SWEEP_TICK_NS 500000ULL   /* at effort 1; each step of effort adds as much */
#define SWEEP_KEYS_MAX 256        /* keys a job may find ... */
#define SWEEP_KEY_BYTES_MAX (1 * MIB) /* ... and their length together */
#define SWEEP_BUSY_SHARE 8 /* of the loop's time, at most, while most of what is looked at is over */
#define SWEEP_PAUSE_NS 1000000000ULL /* between two passes */
#define SWEEP_UNREADABLE_MS 60000 /* until the next one when something could not be read */

struct core;
struct expire_sweep;

/* Walks over keys in memory for that long. True: many of them were over. Own loop, shard available. */
bool expire_cycle(struct shard *sh, uint64_t budget_ns);

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

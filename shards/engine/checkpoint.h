/* Checkpoint: brings what changed since the last one from memory into the store, so that the journal
 * before it can be recycled. Fuzzy, in slices, without stopping anything:
 *
 *   gather   on the loop, a slice a turn: takes entries off the dirty list and copies them as rows
 *            (series lend their frozen chunks). The LSN noted before the first is where replay will
 *            start; later changes that slip in do no harm, records are absolute or carry their LSN.
 *   wait     until every record the copies may show is on disk, and every cross-shard group among
 *            them is durable everywhere (the write-ahead rule).
 *   write    on the helper: encode blocks, merge late points, one atomic commit that also holds the
 *            new LSN and the key counts.
 *   settle   on the loop, a slice a turn: entries that did not change meanwhile are clean now,
 *            tombstones go, the journal is released.
 *
 * A slice ends by the clock, since a key may be a few bytes or thousands of chunks: whoever asks a
 * core for something meanwhile waits for one slice and not for what a number of keys may cost.
 *
 * A failure leaves everything dirty; it is tried again after CHECKPOINT_RETRY_NS. */
#ifndef SHARDS_ENGINE_CHECKPOINT_H
#define SHARDS_ENGINE_CHECKPOINT_H

#include "shards/engine/shard.h"

#define CHECKPOINT_SLICE_ENTRIES 256
#define CHECKPOINT_SLICE_NS 100000ULL /* on a loop that has nothing else to do in that turn */
#define CHECKPOINT_RETRY_NS 1000000000ULL
#define CHECKPOINT_FAILURES_MAX 3 /* one after the other, until nobody waits for the next one's room */
/* 2: rows of labels stand in the store; 3: main rows of version 2 */
#define CHECKPOINT_FORMAT_VERSION 3

/* Wants to know when a checkpoint that began after it asked is done. */
struct checkpoint_waiter {
    struct list node;
    void (*done)(struct checkpoint_waiter *w, int rc);
};

/* Starts one soon (after the one under way, if any). */
void checkpoint_request(struct shard *sh);
void checkpoint_wait(struct shard *sh, struct checkpoint_waiter *w);
/* Wants to know when the one under way is done. False: none is. */
bool checkpoint_wait_running(struct shard *sh, struct checkpoint_waiter *w);
/* The last CHECKPOINT_FAILURES_MAX failed, or none can be made: what is dirty stays so until one succeeds. For the
 * shard's owner, or who leased it. */
bool checkpoint_fails(const struct shard *sh);
/* Every turn: starts one when limits say so, and moves the one under way on. Returns work done. */
unsigned checkpoint_poll(struct shard *sh);
/* Blocking and complete, for a shard whose loop does not run (recovery, resharding). */
int checkpoint_now(struct shard *sh, struct store_error *err);

/* What the store says about itself. */
struct checkpoint_state {
    uint64_t lsn;
    uint64_t keys[SHARD_DBS];
};
/* 0 (zeros when the store is new), -EBADMSG or -EIO with err. Blocking. */
int checkpoint_read_state(struct store *s, struct checkpoint_state *ret_state,
                          struct store_error *err);
/* The same of a store that nobody has opened for it, see store_peek. */
int checkpoint_peek_state(const char *dir, struct checkpoint_state *ret_state,
                          struct store_error *err);

/* Adds that row to a batch: LSN and keys per database (SHARD_DBS of them). */
void checkpoint_put_state(struct store_batch *b, uint64_t lsn, const uint64_t *keys);

/* A series is destroyed while a checkpoint reads its chunks: keeps it until then. False: nothing
 * reads it, destroy it now. */
bool checkpoint_keep(struct shard *sh, struct entry *e);

/* For INFO. */
struct checkpoint_stats {
    uint64_t count, failures, rows, bytes;
    uint64_t last_ns;     /* duration of the last one */
    int64_t last_unix_s;  /* when it completed */
    bool running;
    int last_error;
};
const struct checkpoint_stats *checkpoint_stats(const struct shard *sh);

/* The compaction filter of our rows: the value of an expired string shrinks to nothing. Its time may have
 * been prolonged by a command that only the journal has: so only what was over when the last checkpoint
 * began, by more than clocks may differ. `arg` is the shard. */
#define EXPIRED_VALUE_KEPT_MS 60000
int checkpoint_filter(void *arg, struct slice key, struct slice value, char *ret_value,
                      size_t *ret_n);

#endif

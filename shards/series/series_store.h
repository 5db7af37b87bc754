/* Series between memory and store: what a checkpoint writes, what readers see, what a key that is
 * fetched back begins with.
 *
 * Rows of a key: its main row (series_row.h), and for each data type block rows named by their
 * first timestamp: sealed blocks, disjoint in time, and after them one copy of the open chunk.
 *
 * Threads: series_flush_write, series_warm_* and everything with cached_only false block on the
 * disk. series_read and series_load touch memory of the shard: owner only. */
#ifndef SHARDS_SERIES_SERIES_STORE_H
#define SHARDS_SERIES_SERIES_STORE_H

#include "shards/series/series.h"
#include "shards/store/store.h"

/* Adds to the batch what one data type of a key contributes to a checkpoint: its sealed chunks and
 * open chunk as block rows, and every stored block that late points fall into, merged with them.
 * 0, -EIO, -EBADMSG (a stored block is damaged; err names it), -EFBIG (more than BLOCK_POINTS_MAX
 * points of one time, which series_add does not let happen; err names them). */
int series_flush_write(struct store *s, struct store_batch *b, uint8_t db, uint16_t slot,
                       struct slice key, struct series_flush *f, struct store_error *err);

/* Is offered a stored block by its header: one that lies in the range as a whole and that no late
 * point meets. Its points are in the order of the query between those emitted before and after. */
enum series_block_answer {
    SERIES_BLOCK_READ,   /* its points are wanted */
    SERIES_BLOCK_TAKEN,  /* they are not */
    SERIES_BLOCK_ENOUGH, /* nor any others */
}; /* or a negative errno: stop, series_read returns it */
typedef int (*series_block_fn)(void *arg, const struct block_info *info);

/* Takes points of such a block as columns, front to back, instead of by emit: cheaper, for the block is
 * decoded vector by vector and its qualities are not. Returns as emit does. */
typedef int (*series_vector_fn)(void *arg, const struct block_vector *v);

/* Which points: start <= ts <= end, at most `limit` of them, oldest or (reverse) newest first. */
struct series_query {
    int64_t start, end;
    uint64_t limit;
    bool reverse;
    series_block_fn block; /* NULL: everything is emitted. Points taken do not count for limit */
    series_vector_fn vector; /* only forward and with `block`, for those it wants read; may be NULL */
};

/* Takes n > 0 points in the order asked for; quality NULL = all 0. Both are valid during the call
 * only. 0 = go on; > 0 = enough; < 0 = stop, series_read returns it. */
typedef int (*series_emit_fn)(void *arg, const struct sample *p, const uint8_t *quality,
                              uint32_t n);

/* Reads points wherever they are: stored blocks and late points merged, then the chunks in memory.
 * s NULL: memory only. 0; -EAGAIN: cached_only and a block is not in the cache (what was emitted so
 * far is to be thrown away; series_warm_range helps); -EIO; -EBADMSG: a block is damaged. */
int series_read(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
                const struct series *mem, const struct series_query *q, series_emit_fn emit,
                void *arg);

/* Where the rows of a key are. */
struct series_place {
    struct store *store; /* NULL: nothing is stored */
    struct slice key;
    uint16_t slot;
    uint8_t db;
    bool cached_only;
};
/* What deleting the points from <= ts <= to takes, for series_delete; series_deletion_fini frees
 * what it holds. Errors as series_read: after -EAGAIN the newest points before `from` must be
 * fetched. */
int series_delete_plan(const struct series_place *at, const struct series *s, int64_t from,
                       int64_t to, struct series_deletion *ret_d);

/* Of a query that met -EAGAIN: what must be fetched, deletions considered. */
void series_query_fetch(const struct series *s, struct series_query *q);

/* Bytes of rows that are held in the block cache for one request; what is more has to find room. */
#define SERIES_HELD_BYTES_MAX (64 * MIB)

/* Helper: brings every row into the block cache that series_read of this query may touch; they stay
 * until what is added to *held is released, on any thread. Takes them off *room, the bytes that may
 * be held. 0 or -EIO. */
int series_warm_range(struct store *s, uint8_t db, uint16_t slot, struct slice key, uint8_t type,
                      const struct series_query *q, uint64_t *room, struct store_hold **held);
/* Helper: the same for what series_load of this main row needs. */
int series_warm_open(struct store *s, uint8_t db, uint16_t slot, struct slice key,
                     struct slice main_row, struct store_hold **held);

/* Rebuilds the part of a series key that is in memory from its main row (head included) and each
 * type's open row. The key must not be part of a checkpoint under way.
 * 0, -EAGAIN (cached_only), -EIO, -EBADMSG. */
int series_load(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
                struct slice main_row, struct arena *a, struct series_key **ret_k);

#endif

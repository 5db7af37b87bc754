/* Series and the store: writing a checkpoint's part of a series, reading across memory and store,
 * loading. Rows: shards/store/row.h; main row: series_row.h. */
#ifndef SHARDS_SERIES_SERIES_STORE_H
#define SHARDS_SERIES_SERIES_STORE_H

#include "shards/series/series.h"
#include "shards/store/store.h"

/* Helper thread. Adds to the batch: sealed chunks and the open copy as blocks, the late points
 * merged into the stored (or just flushed) blocks they belong to, deletions of rows that are
 * superseded. 0, -EIO, -EBADMSG, -ENOMEM; err says what. */
int series_flush_write(struct store *s, struct store_batch *b, uint8_t db, uint16_t slot,
                       struct slice key, const struct series_flush *f, struct store_error *err);

struct series_query {
    int64_t start, end; /* inclusive */
    uint64_t limit;     /* points at most */
    bool reverse;       /* newest first */
};
typedef int (*series_emit_fn)(void *arg, const struct sample *p, const uint8_t *quality,
                              uint32_t n);

/* Owner. Points of one data type in time order (reverse: newest first), in runs. s NULL = memory
 * only. quality may be NULL = all 0. emit returning non-zero stops the read and is returned.
 * 0; -EAGAIN: cached_only and a block is not in the cache (discard what was emitted); -EIO;
 * -EBADMSG. */
int series_read(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
                const struct series *mem, const struct series_query *q, series_emit_fn emit,
                void *arg);
/* Any thread, blocking: reads the stored blocks a query needs, so that a cached_only read succeeds
 * afterwards. 0, -EIO, -EBADMSG. */
int series_warm_range(struct store *s, uint8_t db, uint16_t slot, struct slice key, uint8_t type,
                      const struct series_query *q);
/* Any thread, blocking: reads the open block rows of a main row, for series_load afterwards. */
int series_warm_open(struct store *s, uint8_t db, uint16_t slot, struct slice key,
                     struct slice main_row);

/* Owner. Builds the part in memory from the main row and the open blocks. 0, -EAGAIN (cached_only),
 * -EIO, -EBADMSG. */
int series_load(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
                struct slice main_row, struct arena *a, struct series_key **ret_k);

#endif

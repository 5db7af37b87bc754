/* Walking over the main rows of a database in the store, slot by slot: the keys that may not be in
 * memory. Any thread; with cached_only it never touches the disk and may run on the loop. */
#ifndef SHARDS_ENGINE_ROWS_H
#define SHARDS_ENGINE_ROWS_H

#include "shards/series/series_row.h"
#include "shards/store/row.h"
#include "shards/store/store.h"

struct rows {
    struct store_iter *it;
    bool started;
    /* the row it is at */
    uint16_t slot;
    struct slice key; /* valid until the next call */
    struct row_head head;
};

/* Main rows of the slots [first, last] as they are now. */
void rows_open(struct rows *r, struct store *s, uint8_t db, uint32_t first, uint32_t last,
               bool cached_only);
/* Main rows of a database from row key `from` on (empty: all), read from the disk and past the block
 * cache: for walks over everything. Blocks. */
void rows_open_passing(struct rows *r, struct store *s, uint8_t db, struct slice from);
/* Goes to the next main row, by slot; damaged rows are passed over. False: no more, or *not now*:
 * rows_close tells. */
bool rows_next(struct rows *r);
/* 0, -EAGAIN (cached_only: what comes next is not in the block cache), -EIO. */
int rows_close(struct rows *r);

/* Blocks: brings what a cached walk from slot `first` needs into the block cache, up to the end of
 * the slot with the `rows`-th row or of slot `last`. */
void rows_warm(struct store *s, uint8_t db, uint32_t first, uint32_t last, uint64_t rows);

#endif

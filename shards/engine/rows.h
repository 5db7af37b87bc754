/* Walking over the main rows of a database in the store, slot by slot: the keys that may not be in
 * memory. Any thread; with cached_only it never touches the disk and may run on the loop.
 *
 * When what a walk needs does not stay in the block cache (the rows of all keys together may be
 * larger than it, and so may be the value of one) a helper makes a list of the rows instead. Such a
 * list is as good as the store although it gets older: from before it is begun until it is given
 * back shard.walks is not 0, and meanwhile whatever a checkpoint brings to the store stays in
 * memory as well, where walks look first (checkpoint.c, keep_for_walks). Only a flush makes a list
 * worthless. */
#ifndef SHARDS_ENGINE_ROWS_H
#define SHARDS_ENGINE_ROWS_H

#include "shards/engine/shard.h"
#include "shards/series/series_row.h"
#include "shards/store/row.h"
#include "shards/store/store.h"

struct rows {
    struct store_iter *it; /* NULL: it walks through a list */
    const struct row_list *list;
    size_t at;
    bool started;
    /* the row it is at */
    uint16_t slot;
    struct slice key; /* valid until the next call */
    struct row_head head;
};

/* Rows of the slots [first, last], or as many as were asked for. */
struct row_list {
    struct row_list *next;  /* in shard.row_lists */
    struct row_list *owned; /* the next one of the same owner */
    struct shard *sh;
    uint8_t db;
    uint32_t first, last, flush_epoch;
    struct buf rows;
    bool cut; /* there are more rows */
    int rc;   /* 0, -EIO */
};

/* On the owner of the shard, or who leased it: announces a list, before any helper makes it. */
struct row_list *row_list_create(struct shard *sh, uint8_t db, uint32_t first, uint32_t last);
/* On a helper, blocking: the rows up to the first one behind the slot with the `rows`-th. */
void row_list_fill(struct row_list *l, uint64_t rows);
/* From now on walks over the same slots go through it. */
void row_list_offer(struct row_list *l);
/* Gives back a list and those owned with it; NULL does nothing. */
void row_list_destroy(struct row_list **l);

/* The same as rows_open(cached_only), or through a list that was offered for these slots. */
void rows_open_shard(struct rows *r, const struct shard *sh, uint8_t db, uint32_t first,
                     uint32_t last);
/* Main rows of the slots [first, last] as they are now. */
void rows_open(struct rows *r, struct store *s, uint8_t db, uint32_t first, uint32_t last,
               bool cached_only);
/* Main rows of a database from row key `from` on (empty: all), read from the disk and past the block
 * cache: for walks over everything. Blocks. */
void rows_open_passing(struct rows *r, struct store *s, uint8_t db, struct slice from);
/* Goes to the next main row, by slot; damaged rows are passed over. False: no more, or *not now*:
 * rows_close tells. */
bool rows_next(struct rows *r);
/* 0, -EAGAIN (cached_only: what comes next is not in the block cache, or in the list), -EIO. */
int rows_close(struct rows *r);

/* Blocks: brings what a cached walk from slot `first` needs into the block cache, up to the end of
 * the slot with the `rows`-th row or of slot `last`. */
int rows_warm(struct store *s, uint8_t db, uint32_t first, uint32_t last, uint64_t rows);

#endif

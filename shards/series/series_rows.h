/* Block rows of one data type of one key, in order of time: the walk that writers and readers
 * share. Private to the folder's store side. */
#ifndef SHARDS_SERIES_SERIES_ROWS_H
#define SHARDS_SERIES_SERIES_ROWS_H

#include "shards/series/series.h"
#include "shards/store/row.h"
#include "shards/store/store.h"

/* Whose rows. */
struct series_id {
    uint8_t db;
    uint16_t slot;
    struct slice key;
    uint8_t type;
};

/* One snapshot of a key's rows. */
struct series_rows {
    struct store_iter *it;
    struct series_id id;
    int64_t ts;             /* of the row it stands on */
    struct slice block;     /* its value, valid until the next move */
    struct block_info info; /* its header */
    char *name;             /* room for one row key */
    struct store_error why; /* of the last -EIO */
};

/* Bytes that any row key of `key` fits into. */
static inline size_t
row_key_room(struct slice key)
{
    return ROW_KEY_BYTES_MAX - 65535 + key.n;
}

/* Begins to walk the block rows of a series; cached_only: no row is read from disk. */
void series_rows_open(struct series_rows *r, struct store *s, const struct series_id *id,
                      bool cached_only, bool fill_cache);
/* Blocking; the rows it passes stay in the block cache (store_iter_open_holding) until what
 * series_rows_detach hands over is released. */
void series_rows_open_holding(struct series_rows *r, struct store *s, const struct series_id *id);
void series_rows_detach(struct series_rows *r, struct store_hold **held);
void series_rows_close(struct series_rows *r);

/* Each moves to a block row: 1 = on it; 0 = there is none; -EAGAIN, -EIO (r->why says more);
 * -EBADMSG: it is damaged.
 * The last row with a first time <= ts; the first of all; the one after; the one before. */
int series_rows_at(struct series_rows *r, int64_t ts);
int series_rows_first(struct series_rows *r);
int series_rows_next(struct series_rows *r);
int series_rows_prev(struct series_rows *r);
/* The late_gen of the data type in the main row of this snapshot; 0 when there is no such row.
 * 0, -EAGAIN, -EIO, -EBADMSG. */
int series_rows_late_gen(struct series_rows *r, uint32_t *ret_gen);

/* Decodes the row it stands on; p and quality are malloc'd (grown from what they were), for the
 * caller to free in the end. 0 or -EBADMSG. */
int series_rows_decode(const struct series_rows *r, struct samples *buffer);

#endif

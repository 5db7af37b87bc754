/* Values of main rows. All begin alike:
 *
 *   [version:1][entry type:1][flags:1][expiry, ms since the epoch:8, only with flag 1]
 *   [length: varint][metadata of a series, only with flag 2][payload]
 *
 * A string's payload is its value. A series' payload says for each data type what its block rows
 * are and what the last checkpoint had seen. Byte by byte in docs/FORMATS.md. Pure functions: any
 * thread, but series_row_write reads the series. */
#ifndef SHARDS_SERIES_SERIES_ROW_H
#define SHARDS_SERIES_SERIES_ROW_H

#include "core/buf.h"
#include "shards/series/series.h"

#define ROW_FORMAT_VERSION 2 /* 2: run_max */

enum row_flag {
    ROW_HAS_EXPIRE = 1 << 0,
    ROW_HAS_META = 1 << 1, /* series only; without it the defaults */
};

struct row_head {
    uint8_t type;      /* enum entry_type */
    int64_t expire_ms; /* 0 = never */
    struct slice meta; /* series_meta_parse reads it; n 0 = the defaults */
};

void row_head_write(struct buf *out, uint8_t type, int64_t expire_ms);
/* The head of a series' row. */
void series_row_head_write(struct buf *out, int64_t expire_ms, const struct series_meta *m);
/* False: damaged, or written by a later version. Metadata and payload point into `row`. */
bool row_head_parse(struct slice row, struct row_head *ret_head, struct slice *ret_payload);

/* One data type of a series row. */
struct series_row_type {
    uint8_t type;
    bool has_open;   /* the row of the open chunk is there, at open_ts; and `last` */
    bool has_blocks; /* so may be blocks before it */
    uint8_t last_quality;
    uint32_t late_gen;  /* late points of checkpoints up to this one are in the blocks */
    uint32_t run_max;   /* has_blocks: no time has more points in them */
    uint64_t as_of_lsn; /* so are the points of journal records up to this one */
    int64_t open_ts;
    struct sample last; /* the newest point */
};

/* Appends the payload as it will be true once the checkpoint under way is on disk: between
 * series_flush_begin and series_flush_done of every data type, all begun with this as_of_lsn. */
void series_row_write(struct buf *out, const struct series_key *k, uint64_t as_of_lsn);
/* Fills up to SERIES_TYPES_MAX places, ascending by type. False: damaged. */
bool series_row_parse(struct slice payload, struct series_row_type *ret_types, uint32_t *ret_n);

#endif

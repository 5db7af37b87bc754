/* The main row of a key in the store: what every type shares, and the part of a series.
 *
 *   [version:1 = 1][entry type:1][flags:1, bit 0 = expiry present][expire_ms:8, if
 * present][payload]
 *
 * Payload of a string: its bytes. Of a series: [types:2] and for each data type, ascending,
 *   [data type:1][flags:1: bit 0 open row, bit 1 stored blocks, bit 2 last sample]
 *   [as_of_lsn:8][late_gen:4][first ts of the open row:8][last ts:8][last value:8][last quality:1]
 */
#ifndef SHARDS_SERIES_SERIES_ROW_H
#define SHARDS_SERIES_SERIES_ROW_H

#include "core/base.h"
#include "core/buf.h"
#include "shards/series/series.h"

#define ROW_FORMAT_VERSION 1

struct row_head {
    uint8_t type;      /* enum entry_type */
    int64_t expire_ms; /* 0 = never */
};

/* Appends the head; the payload follows. */
void row_head_write(struct buf *out, uint8_t type, int64_t expire_ms);
/* False: not a row of ours. ret_payload points into row. */
bool row_head_parse(struct slice row, struct row_head *ret_head, struct slice *ret_payload);

/* One data type in a series' main row. */
struct series_row_type {
    uint8_t type;
    bool has_open, has_blocks, has_last;
    uint64_t as_of_lsn;
    uint32_t late_gen;
    int64_t open_ts;
    struct sample last;
    uint8_t last_quality;
};

/* Appends the payload of a series as it will be once the checkpoint it is flushed in is done. Call
 * it on the owner right after series_flush_begin was called for every data type of `k`; as_of_lsn
 * is stored for all of them. */
void series_row_write(struct buf *out, const struct series_key *k, uint64_t as_of_lsn);
/* Reads type number i (0..). 1 = there, 0 = no more, -EBADMSG. */
int series_row_read(struct slice payload, uint32_t i, struct series_row_type *ret_t);

#endif

/* Sealed block of a series: up to BLOCK_POINTS_MAX points, sorted by time, in columns.
 *
 * Header: version, codecs, count, first and last time, min, max, sum, sum of squares, first and
 * last value; then the three columns. Timestamps, and values as decimal integers (after ALP, with
 * corrections for what is no decimal) or as bit patterns, are integer columns: plain, differences
 * or differences of differences, bit-packed in vectors of 1024 with patches or entropy coded,
 * whatever is smallest (codec_int.h). Constant and raw values, quality all 0, in runs, as integers
 * or raw. Lossless bit for bit (NaN payloads, -0, subnormals). Byte by byte in docs/FORMATS.md.
 * Pure functions: any thread. */
#ifndef SHARDS_SERIES_BLOCK_H
#define SHARDS_SERIES_BLOCK_H

#include "core/base.h"
#include "core/buf.h"

#define BLOCK_FORMAT_VERSION 1
#define BLOCK_POINTS_MAX (2 * 1024 * 1024) /* hard limit of the format */

struct sample {
    int64_t ts;
    double value;
};

/* Points beside each other; quality may be NULL = all 0. */
struct samples {
    struct sample *p;
    uint8_t *quality;
    uint32_t n;
};

struct block_info {
    uint32_t count;
    int64_t first_ts, last_ts;
    uint32_t nan_count; /* NaN values; they take no part in min, max and the sums */
    double min, max, sum, sum_squares, first, last;
};

/* Appends the encoded block to `out`. Points are sorted by ts, n in 1..BLOCK_POINTS_MAX. */
void block_encode(const struct samples *in, struct buf *out);
/* Header only. False: not a valid block. */
bool block_read_info(struct slice block, struct block_info *ret_info);
/* Decodes everything into caller's arrays of at least info.count elements; quality may be NULL when
 * not wanted. False: damaged (never reads or writes out of bounds whatever the bytes are). */
bool block_decode(struct slice block, struct sample *ret_points, uint8_t *ret_quality);

#endif

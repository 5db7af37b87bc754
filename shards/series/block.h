/* Sealed block of a series: up to BLOCK_POINTS_MAX points, sorted by time, in columns.
 *
 * Header: version, codecs, count, first and last time, min, max, sum, sum of squares, first and
 * last value; then the three columns. Timestamps, and values as decimal integers (after ALP, with
 * corrections for what is no decimal), as bit patterns or as their halves (ALP-RD), are integer
 * columns: plain, differences, differences of differences or changed bits (XOR), bit-packed in
 * vectors of 1024 with patches or entropy coded, whatever is smallest (codec_int.h). Constant and
 * raw values, quality all 0, in runs, as integers or raw. Lossless bit for bit (NaN payloads, -0,
 * subnormals). Byte by byte in docs/FORMATS.md. Pure functions: any thread. */
#ifndef SHARDS_SERIES_BLOCK_H
#define SHARDS_SERIES_BLOCK_H

#include "core/base.h"
#include "core/buf.h"

#define BLOCK_FORMAT_VERSION 2
#define BLOCK_FORMAT_OLDEST 1              /* that is read */
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
    const char *encoded; /* the block itself, while what was read stays */
    uint32_t bytes;      /* of it */
    uint32_t nan_count; /* NaN values; they take no part in min, max and the sums */
    double min, max, sum, sum_squares, first, last;
};

/* Which codecs to consider: docs/decisions/0010-block-effort.md has the figures. */
enum block_effort {
    BLOCK_QUICK, /* what vector loops write and read: for blocks soon written again */
    BLOCK_SMALL, /* the smallest of everything that promises something */
};

/* Appends the encoded block to `out`. Points are sorted by ts, n in 1..BLOCK_POINTS_MAX. */
void block_encode(const struct samples *in, enum block_effort effort, struct buf *out);
/* Header only. False: not a valid block. */
bool block_read_info(struct slice block, struct block_info *ret_info);
/* Decodes everything into caller's arrays of at least info.count elements; quality may be NULL when
 * not wanted. False: damaged (never reads or writes out of bounds whatever the bytes are). */
bool block_decode(struct slice block, struct sample *ret_points, uint8_t *ret_quality);

/* The same into memory of its own, for samples_fini. 0 or -EBADMSG. */
int block_decode_samples(struct slice block, struct samples *ret);
void samples_fini(struct samples *s);

/* --- vector by vector ------------------------------------------------------------------------- */

#define BLOCK_VECTOR 1024

/* Which columns a reader decodes. */
enum block_columns {
    BLOCK_TIMES = 1 << 0,
    BLOCK_VALUES = 1 << 1,
    BLOCK_QUALITIES = 1 << 2,
};

/* Points beside each other; a column that was not asked for is left as it was. */
struct block_vector {
    uint32_t n; /* BLOCK_VECTOR, less at the end */
    int64_t ts[BLOCK_VECTOR];
    double value[BLOCK_VECTOR];
    uint8_t quality[BLOCK_VECTOR];
};

/* Decodes one block after the other, front to back, in pieces that stay in the nearest cache. About
 * 80 KiB of malloc'd memory, to be used for many blocks. */
struct block_reader *block_reader_create(void);
void block_reader_destroy(struct block_reader **r);
/* Begins with `block`, whose bytes must stay until its last vector was read. False: damaged. */
bool block_reader_open(struct block_reader *r, struct slice block, unsigned columns);
/* 1 = here are the next points; 0 = there are no more, and the columns were used up exactly;
 * -EBADMSG = damaged, and what came before is not to be trusted either. */
int block_reader_next(struct block_reader *r, struct block_vector *ret);

/* --- adding up -------------------------------------------------------------------------------- */

/* What points come to, added one after the other in their order; NaN values are only counted. */
struct block_sums {
    uint64_t count, nan_count;
    double sum, sum_squares;
    double min, max, first, last; /* count > 0 */
};
#define BLOCK_SUMS_NONE ((struct block_sums){.min = __builtin_inf(), .max = -__builtin_inf()})

/* Adds n values. The result is bit for bit that of a loop over them: sum += v, sum_squares += v *
 * v, and of equal values (0 and -0) the one that came first as min and max. */
void block_sums_add(struct block_sums *s, const double *v, uint32_t n);
/* Adds a whole block by its header, in constant time, if that gives bit for bit what adding its
 * points one by one would: it has no NaN, its values are known to be multiples of a power of two
 * (whole numbers, quarters), and all sums on the way are exact. False: nothing was added, its
 * points have to be. Count, min, max, first and last of struct block_info are exact in any case. */
bool block_sums_add_block(struct block_sums *s, struct slice block, const struct block_info *info);
/* Adds the points of a block with start <= ts <= end: by its header where that is exact, without
 * decoding times where all are in. 0, or -EBADMSG (s is not to be used then). `v` is room to work.
 */
int block_sums_add_range(struct block_sums *s, struct block_reader *r, struct slice block,
                         int64_t start, int64_t end, struct block_vector *v);

#endif

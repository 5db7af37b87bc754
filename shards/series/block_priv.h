/* The three columns of a block. Each encoder appends, each decoder gets exactly its column and
 * returns false when it is damaged; none reads or writes out of bounds whatever the bytes are. */
#ifndef SHARDS_SERIES_BLOCK_PRIV_H
#define SHARDS_SERIES_BLOCK_PRIV_H

#include "shards/series/block.h"
#include "shards/series/codec_int.h"

/* First byte of a value column. */
enum value_codec {
    VALUE_CONSTANT = 0, /* all as the header's first value, bit for bit; nothing follows */
    VALUE_RAW = 1,      /* 8 bytes each */
    VALUE_BITS = 2,     /* integer column of the bit patterns */
    VALUE_DECIMAL = 3,  /* integer column of value * 10^digits, and corrections */
};

/* First byte of a quality column. */
enum quality_codec {
    QUALITY_ZERO = 0, /* nothing follows */
    QUALITY_RUNS = 1, /* [quality:1][length: varint] until all are there */
    QUALITY_RAW = 2,  /* 1 byte each */
    QUALITY_INTS = 3, /* integer column */
};

static inline uint64_t
double_bits(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof(u));
    return u;
}

static inline double
bits_double(uint64_t u)
{
    double v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

void time_encode(const struct sample *p, size_t n, struct buf *out);
/* Also checks that times rise and end at last_ts. */
bool time_decode(struct slice in, size_t n, int64_t first_ts, int64_t last_ts,
                 struct sample *ret_points);

void value_encode(const struct sample *p, size_t n, struct buf *out);
bool value_decode(struct slice in, size_t n, double first, struct sample *ret_points);

/* What follows the codec byte of VALUE_DECIMAL. False: not worth trying, nothing was appended. */
bool decimal_encode(const double *v, size_t n, struct buf *out);
bool decimal_decode(struct slice in, size_t n, struct sample *ret_points);

/* `quality` may be NULL = all 0. */
void quality_encode(const uint8_t *quality, size_t n, struct buf *out);
bool quality_decode(struct slice in, size_t n, uint8_t *ret_quality);

#endif

/* The three columns of a block. Each encoder appends; no decoder reads or writes out of bounds,
 * whatever the bytes are. */
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
    VALUE_HALVES = 4,   /* integer columns of the upper and the lower bits; since version 2 */
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

/* Where the columns of a block are. */
struct block_slices {
    struct slice time, value, quality;
};

/* The results are valid only when it returns true. */
bool block_columns_find(struct slice block, struct block_info *ret_info, struct block_slices *ret);

/* Each decoder is opened on exactly its column, delivers n points at a time (BLOCK_VECTOR, less the
 * last time), and says in the end whether the column was used up. False: damaged. */

/* What ts holds afterwards is of no use. */
void time_encode(int64_t *ts, size_t n, enum block_effort effort, struct buf *out);

struct time_decoder {
    struct int_decoder ints;
    int64_t last;
};

bool time_decoder_open(struct time_decoder *d, struct slice in, int64_t first_ts);
/* Also checks that times rise, from the first one on. */
bool time_decoder_next(struct time_decoder *d, int64_t *ret_ts, uint32_t n);
bool time_decoder_done(const struct time_decoder *d);

/* `spare` is room for n integers. */
void value_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort,
                  struct buf *out);

/* Corrections of decimals, a vector of them at a time. */
struct correction_decoder {
    struct int_decoder at, off;
    uint64_t left;         /* not yet decoded */
    uint32_t next, loaded; /* of the arrays */
    int64_t done;          /* points seen */
    int64_t position[INT_VECTOR], difference[INT_VECTOR];
};

struct decimal_decoder {
    struct int_decoder ints;
    double scale;
    bool is_float, corrected;
    struct correction_decoder corrections; /* if corrected */
};

/* What follows the codec byte of VALUE_DECIMAL. False: not worth trying, nothing was appended. */
bool decimal_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort,
                    struct buf *out);
bool decimal_decoder_open(struct decimal_decoder *d, struct slice in, size_t n);
bool decimal_decoder_next(struct decimal_decoder *d, double *ret_v, uint32_t n);
bool decimal_decoder_done(const struct decimal_decoder *d);
/* Every value is a multiple of the power of two that this returns; 0 = none is known. */
double decimal_unit(struct slice in);

struct halves_decoder {
    struct int_decoder left, right;
    uint8_t right_bits;
};

/* What follows the codec byte of VALUE_HALVES. Takes HALVES_BITS_MIN bits a value and more. */
#define HALVES_BITS_MIN 36
void halves_encode(const double *v, size_t n, int64_t *spare, struct buf *out);
bool halves_decoder_open(struct halves_decoder *d, struct slice in);
bool halves_decoder_next(struct halves_decoder *d, double *ret_v, uint32_t n);
bool halves_decoder_done(const struct halves_decoder *d);

struct value_decoder {
    uint8_t codec; /* an enum value_codec */
    double first;
    struct cursor raw;
    union {
        struct int_decoder ints;
        struct decimal_decoder decimal;
        struct halves_decoder halves;
    };
};

bool value_decoder_open(struct value_decoder *d, struct slice in, size_t n, double first);
/* The column that every value has an integer in (of halves the left one); NULL = there is none. */
struct int_decoder *value_decoder_ints(struct value_decoder *d);
bool value_decoder_next(struct value_decoder *d, double *ret_v, uint32_t n);
bool value_decoder_done(const struct value_decoder *d);

/* `quality` may be NULL = all 0. */
void quality_encode(const uint8_t *quality, size_t n, enum block_effort effort, struct buf *out);

struct quality_decoder {
    uint8_t codec; /* an enum quality_codec */
    uint8_t run;
    uint64_t run_left;
    struct cursor in;
    struct int_decoder ints;
};

bool quality_decoder_open(struct quality_decoder *d, struct slice in);
bool quality_decoder_next(struct quality_decoder *d, uint8_t *ret_quality, uint32_t n);
bool quality_decoder_done(const struct quality_decoder *d);

#endif

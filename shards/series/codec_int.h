/* Columns of integers: what timestamps, decimal values and bit patterns all become.
 *
 * Encoding is three steps, each chosen by trying:
 *   normalise   y = (x - first) / greatest common divisor: seconds in a millisecond column, ticks
 * of 25 cents and multiples of 100 cost nothing transform   y itself above its minimum; differences
 * above a base; differences around a centre; differences of differences; of bit patterns also what
 * changes from one to the next (XOR, as Gorilla and Chimp have it). All give unsigned residuals, 0
 * for the first point. pack        nothing (all residuals 0); bit-packed vectors of
 * 1024 with patches; entropy coded The entropy coder is taken only where it saves ENTROPY_MUST_SAVE
 * of the packed size, since packed vectors decode several times faster.
 *
 * Column: [mode:1][first: signed varint][divisor: varint, only with INT_SCALED]
 *         [base (of differences of differences: the first difference): signed varint][packed]
 * Arithmetic wraps modulo 2^64, so that every column is coded without loss whatever its range.
 * Pure functions: any thread. */
#ifndef SHARDS_SERIES_CODEC_INT_H
#define SHARDS_SERIES_CODEC_INT_H

#include "shards/series/codec_kernels.h"
#include "shards/series/int_vector.h"

enum int_transform { INT_PLAIN = 0, INT_DELTA = 1, INT_DELTA2 = 2, INT_XOR = 3 };
enum int_pack { INT_PACK_NONE = 0, INT_PACK_BITS = 1, INT_PACK_ENTROPY = 2 };

/* Bits of the mode byte. */
#define INT_TRANSFORM_MASK 0x03
#define INT_SIGNED 0x04 /* residuals are zigzag */
#define INT_SCALED 0x08
#define INT_PACK_SHIFT 4
#define INT_PACK_MASK 0x30
#define INT_MODE_USED 0x3f

/* Appends the column; n > 0. What x holds afterwards is of no use. */
void int_encode(int64_t *x, size_t n, enum block_effort effort, struct buf *out);
/* The same for bit patterns of doubles: INT_XOR may be taken, too. */
void int_encode_bits(int64_t *x, size_t n, enum block_effort effort, struct buf *out);

/* Decodes front to back, a vector at a time; lives on the caller's stack (12 KiB). */
struct int_decoder {
    uint8_t mode;
    uint64_t first, scale, base;
    struct kernel_sums sums; /* of y */
    struct cursor in;        /* packed vectors */
    struct entropy_decoder entropy;
};

/* `in` is the whole column. False: damaged, or one of bit patterns. */
bool int_decoder_init(struct int_decoder *d, struct slice in);
/* The same for what int_encode_bits wrote. */
bool int_decoder_init_bits(struct int_decoder *d, struct slice in);
/* Only what stands before the residuals: mode, first, scale, base. False: damaged. */
bool int_decoder_peek(struct int_decoder *d, struct slice in);
/* What a column that is entropy coded is read from; NULL for one that is not. */
struct entropy_decoder *int_decoder_entropy(struct int_decoder *d);
/* The next n values: INT_VECTOR, or less the last time. False: damaged. */
bool int_decoder_next(struct int_decoder *d, int64_t *out, uint32_t n);
/* After the last value: true when the column was used up exactly. */
bool int_decoder_done(const struct int_decoder *d);

#endif

/* Entropy coder for integers that are small most of the time but not always.
 *
 * An integer is split in two: its class, which is its number of significant bits (0..64), and the
 * bits below the leading one. Classes go through a range coder of the rANS kind (asymmetric numeral
 * systems, Duda 2013) with the frequencies of this very run; the remaining bits, which are close to
 * noise, are stored as they are. On deltas of ticks this halves what bit-packing takes: most prices
 * repeat and most gaps are short, but a few are long.
 *
 * Stream: [lowest class:1][classes - 1:1][frequency of each: varint, sum ENTROPY_ONE]
 *         [number of words: varint][state 0:4][state 1:4][words: 2 bytes each][remaining bits]
 * Integer i belongs to state i % 2. The states must come back to where the encoder began, all words
 * and bits must be used up: a damaged stream does not go unnoticed easily.
 * Pure functions: any thread. */
#ifndef SHARDS_SERIES_ENTROPY_H
#define SHARDS_SERIES_ENTROPY_H

#include "shards/series/bitpack.h"
#include "shards/series/varint.h"

#define ENTROPY_CLASSES 65
#define ENTROPY_ONE_BITS 11
#define ENTROPY_ONE (1u << ENTROPY_ONE_BITS) /* frequencies add up to this */
#define ENTROPY_STATES 2
#define ENTROPY_STATE_LOW (1u << 16) /* states live in [this, 2^32) between integers */

/* Bits below the leading one. */
static inline unsigned
entropy_rest_bits(unsigned class)
{
    return class ? class - 1 : 0;
}

/* How many integers have each number of significant bits. */
struct class_counts {
    uint32_t of[ENTROPY_CLASSES];
};

void class_counts_add(struct class_counts *c, const uint64_t *v, size_t n);

/* Bits that classes and rest take, without what stands before them. */
double entropy_bits(const struct class_counts *c, size_t n);
/* Bytes that entropy_encode is going to need, within a few. */
size_t entropy_estimate(const struct class_counts *c, size_t n);
/* Appends n > 0 integers whose counts are `c`. */
void entropy_encode(const uint64_t *v, size_t n, const struct class_counts *c, struct buf *out);

#define ENTROPY_VECTOR 1024 /* integers decoded at once, at most */
#define ENTROPY_TAIL_BYTES 256
#define ENTROPY_PLACE_ROOM 3 /* what is filled at once may go beyond the last place */

/* Decodes front to back in pieces; lives on the caller's stack and does not move: near the end of
 * the words and of the rest it goes on in copies of their last bytes, which have padding. */
struct entropy_decoder {
    uint32_t state[ENTROPY_STATES];
    uint32_t turn;  /* state of the next integer */
    uint32_t ahead; /* integers whose classes are in class_of already, and nothing else */
    const uint8_t *word, *word_end;
    struct bit_reader rest;
    bool overrun;    /* ran out of words */
    unsigned widest; /* bits that may follow a class */
    /* Of the class that each place belongs to. */
    struct entropy_place {
        uint16_t freq, offset; /* distance from where its places begin */
    } place[ENTROPY_ONE + ENTROPY_PLACE_ROOM];
    uint8_t place_class[ENTROPY_ONE];
    uint8_t class_of[ENTROPY_VECTOR];
    uint8_t word_tail[16], rest_tail[ENTROPY_TAIL_BYTES];
};

/* `in` is the whole stream. False: damaged. */
bool entropy_decoder_init(struct entropy_decoder *d, struct slice in);
/* The next n <= ENTROPY_VECTOR integers. */
void entropy_decoder_next(struct entropy_decoder *d, uint64_t *out, uint32_t n);
/* Half of the work for the next n integers of two streams, in much less time than one after the
 * other. The next call of entropy_decoder_next for either has to be for this n. */
void entropy_decoders_ahead(struct entropy_decoder *d, struct entropy_decoder *e, uint32_t n);
/* After the last integer: true when everything fits together. */
bool entropy_decoder_done(const struct entropy_decoder *d);

#endif

/* What the encoders of integer columns share: a first look at the column, which tells the ways of
 * making residuals that are worth trying. y stands for normalised values, see codec_int.h. */
#ifndef SHARDS_SERIES_CODEC_INT_PRIV_H
#define SHARDS_SERIES_CODEC_INT_PRIV_H

#include "shards/series/codec_int.h"

#define LOOK_POINTS 64

/* What stands above the least value, above the least difference, around the usual difference,
 * differences of differences; bits that change. */
enum int_way {
    INT_WAY_PLAIN,
    INT_WAY_ABOVE,
    INT_WAY_AROUND,
    INT_WAY_TWICE,
    INT_WAY_XOR, /* bit patterns only */
    INT_WAYS,
};
#define INT_WAYS_OF_NUMBERS INT_WAY_XOR

/* Values here and there in the column, their differences, and the differences of these; and which
 * bits change. */
struct int_look {
    int64_t y[LOOK_POINTS], d[LOOK_POINTS], d2[LOOK_POINTS];
    uint64_t changed[LOOK_POINTS];
    unsigned n;
    int64_t usual; /* the median of d, about */
};

/* The greatest common divisor of all x - x[0]; 1 when there is none to speak of. */
uint64_t int_divisor(const int64_t *x, size_t n);
/* In place: x becomes y = (x - x[0]) / g. */
void int_normalise(int64_t *x, size_t n, uint64_t g);

/* y + first are the values as they were. */
void int_take_look(const int64_t *y, size_t n, int64_t first, struct int_look *ret);
/* Bits that the values looked at would take in a way, about. */
unsigned int_look_bits(const struct int_look *l, enum int_way way);
/* Marks those of the first `ways` ways that are worth trying; the best looking one always is. */
void int_choose_ways(const struct int_look *l, unsigned ways, bool worth[INT_WAYS]);
/* The way that bit-packing will like best. */
enum int_way int_best_way(const struct int_look *l);

/* What stands before the packed residuals. */
void int_write_head(struct buf *out, unsigned mode, int64_t first, uint64_t scale, int64_t base);
/* The column of y, with the one best way, bit-packed. */
void int_encode_quick(const int64_t *y, size_t n, int64_t first, uint64_t scale, struct buf *out);

static inline bool
int_way_is_signed(enum int_way way)
{
    return way == INT_WAY_AROUND || way == INT_WAY_TWICE;
}

static inline enum int_transform
int_way_transform(enum int_way way)
{
    switch (way) {
    case INT_WAY_PLAIN:
        return INT_PLAIN;
    case INT_WAY_TWICE:
        return INT_DELTA2;
    case INT_WAY_XOR:
        return INT_XOR;
    default:
        return INT_DELTA;
    }
}

#endif

/* A vector of up to 1024 residuals of an integer column, bit-packed: all in the width that costs
 * least, and what does not fit patched in.
 *
 * [head:1 = width, top bit: patched][base: varint][patches: varint][width of their high bits:1]
 * [low bits of all][positions of the patched, 10 bits each][their high bits]
 *
 * Pure functions: any thread. */
#ifndef SHARDS_SERIES_INT_VECTOR_H
#define SHARDS_SERIES_INT_VECTOR_H

#include "shards/series/entropy.h"

#define INT_VECTOR BITPACK_VECTOR

/* How one vector is bit-packed. */
struct int_vector_plan {
    uint64_t base;
    unsigned width;      /* bits of every value */
    unsigned high_width; /* further bits of the patched ones */
    uint32_t patches;
    size_t bytes; /* that the vector takes */
};

/* `c` are the counts of r. with_base: take the least value off all; only worth it for residuals that do
 * not lie around 0 already. */
void int_vector_plan(struct int_vector_plan *plan, const uint64_t *r, uint32_t n,
                     const struct class_counts *c, bool with_base);
/* As planned for the same integers. */
void int_vector_write(const uint64_t *r, uint32_t n, const struct int_vector_plan *plan,
                      struct buf *out);
/* Residuals are r - `less`. Chooses the width from the greatest one and a sample: several times
 * faster, at times a little longer. */
void int_vector_write_quick(const uint64_t *r, uint32_t n, uint64_t less, bool with_base,
                            struct buf *out);
/* Bits that a few residuals would take, packed like a vector. */
size_t int_vector_sample_bits(const uint64_t *r, uint32_t n);
/* Adds `add` to all of them. False: damaged. */
bool int_vector_read(struct cursor *c, uint64_t add, uint64_t *ret_r, uint32_t n);

#endif

/* Integers packed into `width` bits each, and streams of fields of changing width.
 *
 * A full vector (BITPACK_VECTOR integers) is laid out in 16 lanes: integer i stands in lane i % 16,
 * and every lane packs its 64 integers, low bits first, into `width` words of 64 bits; word w of
 * all lanes stand beside each other. Each step of packing then does the same shift on 16
 * neighbouring words, which compilers turn into vector instructions (codec_kernels.h). A shorter
 * vector is one run of bits, low bits first. Both take exactly bitpack_bytes(n, width). Pure
 * functions: any thread. */
#ifndef SHARDS_SERIES_BITPACK_H
#define SHARDS_SERIES_BITPACK_H

#include "core/base.h"
#include "core/buf.h"

#define BITPACK_VECTOR 1024

static inline size_t
bitpack_bytes(uint32_t n, unsigned width)
{
    return ((size_t)n * width + 7) / 8;
}

/* Packs in[i] - base, of which the low `width` bits count; n <= BITPACK_VECTOR, width <= 64. Writes
 * exactly bitpack_bytes(n, width). */
void bitpack_encode(const uint64_t *in, uint32_t n, unsigned width, uint64_t base, uint8_t *out);
/* out[i] = what was packed + base. Reads exactly bitpack_bytes(n, width). */
void bitpack_decode(const uint8_t *in, uint32_t n, unsigned width, uint64_t base, uint64_t *out);

/* Appends fields of up to 64 bits, low bits first. */
struct bit_writer {
    struct buf *out;
    uint64_t acc;
    unsigned bits; /* valid in acc, < 64 */
};

void bit_writer_init(struct bit_writer *w, struct buf *out);
/* Writes out the last bits, the rest of their byte zero. */
void bit_writer_finish(struct bit_writer *w);

static inline void
bit_writer_put(struct bit_writer *w, uint64_t v, unsigned width)
{
    if (width == 0)
        return;
    v &= ~0ULL >> (64 - width);
    w->acc |= v << w->bits;
    if (w->bits + width >= 64) {
        unsigned used = 64 - w->bits;
        put_le64(buf_reserve(w->out, 8), w->acc);
        w->out->n += 8;
        w->acc = used < 64 ? v >> used : 0;
        w->bits = width - used;
    } else {
        w->bits += width;
    }
}

/* Reads them back. Past the end it delivers zero bits and remembers that it did. */
struct bit_reader {
    const uint8_t *p;
    uint64_t pos, end; /* in bits */
};

void bit_reader_init(struct bit_reader *r, const uint8_t *p, size_t bytes);
/* The careful way, near the end and for wide fields. */
uint64_t bit_reader_get_slow(struct bit_reader *r, unsigned width);

static inline uint64_t
bit_reader_get(struct bit_reader *r, unsigned width)
{
    uint64_t v;

    if (unlikely(width > 56 || r->pos + 64 > r->end))
        return bit_reader_get_slow(r, width);
    v = get_le64(r->p + (r->pos >> 3)) >> (r->pos & 7);
    r->pos += width;
    return v & ((1ULL << width) - 1);
}

/* True when everything but the padding of the last byte was read, and nothing beyond. */
static inline bool
bit_reader_at_end(const struct bit_reader *r)
{
    return r->pos <= r->end && r->end - r->pos < 8;
}

#endif

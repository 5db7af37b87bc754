#include "shards/series/bitpack.h"

#include "shards/series/codec_kernels.h"

static_assert(BITPACK_VECTOR == KERNEL_VECTOR, "the kernels know full vectors only");

/* --- runs: less than a full vector ------------------------------------------------------------ */

static void
run_encode(const uint64_t *in, uint32_t n, unsigned width, uint64_t base, uint8_t *out)
{
    const uint64_t mask = ~0ULL >> (64 - width);
    uint64_t acc = 0;
    unsigned bits = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        uint64_t v = (in[i] - base) & mask;
        acc |= v << bits;
        bits += width;
        if (bits < 64)
            continue;
        put_le64(out, acc);
        out += 8;
        bits -= 64;
        acc = bits ? v >> (width - bits) : 0;
    }
    for (; bits > 0; bits -= MIN(bits, 8u), acc >>= 8)
        *out++ = (uint8_t)acc;
}

/* The first integers, for which whole words can be read; returns how many those are. Each is found
 * by itself, so that they do not wait for each other. */
static uint32_t
run_decode_fast(const uint8_t *in, uint32_t n, unsigned width, uint64_t base, uint64_t *out)
{
    const uint64_t mask = ~0ULL >> (64 - width);
    const size_t bits = bitpack_bytes(n, width) * 8;
    size_t pos = 0;
    uint32_t i;

    for (i = 0; i < n && pos + 64 + 8 <= bits; i++, pos += width) {
        const uint8_t *p = in + (pos >> 3);
        unsigned skip = pos & 7;
        out[i] = ((get_le64(p) >> skip | (uint64_t)p[8] << 1 << (63 - skip)) & mask) + base;
    }
    return i;
}

static void
run_decode(const uint8_t *in, uint32_t n, unsigned width, uint64_t base, uint64_t *out)
{
    uint32_t i = run_decode_fast(in, n, width, base, out);
    struct bit_reader r;

    bit_reader_init(&r, in, bitpack_bytes(n, width));
    r.pos = (uint64_t)i * width;
    for (; i < n; i++)
        out[i] = bit_reader_get(&r, width) + base;
}

/* --- vectors ---------------------------------------------------------------------------------- */

void
bitpack_encode(const uint64_t *in, uint32_t n, unsigned width, uint64_t base, uint8_t *out)
{
    ASSERT(n <= BITPACK_VECTOR && width <= 64);
    if (width == 0)
        return;
    if (n == BITPACK_VECTOR)
        codec_kernels->pack(in, width, base, out);
    else
        run_encode(in, n, width, base, out);
}

void
bitpack_decode(const uint8_t *in, uint32_t n, unsigned width, uint64_t base, uint64_t *out)
{
    ASSERT(n <= BITPACK_VECTOR && width <= 64);
    if (width == 0)
        codec_kernels->progression(base, 0, n, out);
    else if (n == BITPACK_VECTOR)
        codec_kernels->unpack(in, width, base, out);
    else
        run_decode(in, n, width, base, out);
}

/* --- streams of fields ------------------------------------------------------------------------ */

void
bit_writer_init(struct bit_writer *w, struct buf *out)
{
    *w = (struct bit_writer){.out = out};
}

void
bit_writer_finish(struct bit_writer *w)
{
    for (; w->bits > 0; w->bits -= MIN(w->bits, 8u), w->acc >>= 8) {
        *buf_reserve(w->out, 1) = (char)w->acc;
        w->out->n++;
    }
}

void
bit_reader_init(struct bit_reader *r, const uint8_t *p, size_t bytes)
{
    *r = (struct bit_reader){.p = p, .pos = 0, .end = (uint64_t)bytes * 8};
}

uint64_t
bit_reader_get_slow(struct bit_reader *r, unsigned width)
{
    uint64_t v = 0;
    unsigned got = 0;

    while (got < width && r->pos < r->end) {
        unsigned off = r->pos & 7, take = MIN(8 - off, width - got);
        uint64_t part = (uint64_t)(r->p[r->pos >> 3] >> off) & ((1u << take) - 1);
        v |= part << got;
        got += take;
        r->pos += take;
    }
    r->pos += width - got;
    return v;
}

#include "shards/series/bitpack.h"

#define LANES 16
#define LANE_VALUES (BITPACK_VECTOR / LANES)
static_assert(LANE_VALUES == 64, "a lane of 64 values fills whole words at any width");

static inline uint64_t
mask_of(unsigned width)
{
    return width ? ~0ULL >> (64 - width) : 0;
}

static void
lanes_encode(const uint64_t *in, unsigned width, uint8_t *out)
{
    const uint64_t mask = mask_of(width);
    uint64_t acc[LANES] = {0};
    unsigned row, lane, bits = 0;

    for (row = 0; row < LANE_VALUES; row++, in += LANES) {
        for (lane = 0; lane < LANES; lane++)
            acc[lane] |= (in[lane] & mask) << bits;
        bits += width;
        if (bits < 64)
            continue;
        bits -= 64;
        memcpy(out, acc, sizeof(acc));
        out += sizeof(acc);
        for (lane = 0; lane < LANES; lane++)
            acc[lane] = bits ? (in[lane] & mask) >> (width - bits) : 0;
    }
}

static void
lanes_decode(const uint8_t *in, unsigned width, uint64_t *out)
{
    const uint64_t mask = mask_of(width);
    uint64_t word[LANES];
    unsigned row, lane, bits = 64; /* used of `word`; 64 = fetch */

    for (row = 0; row < LANE_VALUES; row++, out += LANES) {
        unsigned have;
        if (bits == 64) {
            memcpy(word, in, sizeof(word));
            in += sizeof(word);
            bits = 0;
        }
        for (lane = 0; lane < LANES; lane++)
            out[lane] = (word[lane] >> bits) & mask;
        have = 64 - bits;
        bits += width;
        if (have >= width)
            continue;
        memcpy(word, in, sizeof(word));
        in += sizeof(word);
        for (lane = 0; lane < LANES; lane++)
            out[lane] |= (word[lane] << have) & mask;
        bits -= 64;
    }
}

static void
run_encode(const uint64_t *in, uint32_t n, unsigned width, uint8_t *out)
{
    const uint64_t mask = mask_of(width);
    unsigned __int128 acc = 0;
    unsigned bits = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        acc |= (unsigned __int128)(in[i] & mask) << bits;
        for (bits += width; bits >= 8; bits -= 8, acc >>= 8)
            *out++ = (uint8_t)acc;
    }
    if (bits)
        *out = (uint8_t)acc;
}

void
bitpack_encode(const uint64_t *in, uint32_t n, unsigned width, uint8_t *out)
{
    ASSERT(n <= BITPACK_VECTOR && width <= 64);
    if (width == 0)
        return;
    if (n == BITPACK_VECTOR)
        lanes_encode(in, width, out);
    else
        run_encode(in, n, width, out);
}

void
bitpack_decode(const uint8_t *in, uint32_t n, unsigned width, uint64_t *out)
{
    struct bit_reader r;
    uint32_t i;

    ASSERT(n <= BITPACK_VECTOR && width <= 64);
    if (width == 0) {
        memset(out, 0, n * sizeof(*out));
        return;
    }
    if (n == BITPACK_VECTOR) {
        lanes_decode(in, width, out);
        return;
    }
    bit_reader_init(&r, in, bitpack_bytes(n, width));
    for (i = 0; i < n; i++)
        out[i] = bit_reader_get(&r, width);
}

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

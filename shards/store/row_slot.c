/* The slot of a key: CRC16 in the XMODEM variant (polynomial 0x1021, start 0, no reflection), mod
 * 16384, over the hash tag if the key has one. This is what every Redis Cluster client computes
 * (https://redis.io/docs/reference/cluster-spec, "Keys distribution model" and "Hash tags").
 *
 * Every command pays for it, so eight bytes are folded at a time: the CRC of eight bytes is the XOR
 * of what each byte contributes from its distance to the end, one table per distance. A key whose
 * length is no multiple of eight needs no slow tail: since the register starts at 0, zero bytes in
 * front of the key change nothing, so the odd bytes are taken first, as a word filled up with
 * zeros. 20 bytes are three steps.
 *
 * A CRC is linear, so each table is spanned by its eight one-bit entries, and those are successive
 * powers of x modulo the polynomial. The compiler works them out from the polynomial alone. */
#include "shards/store/row.h"

#define POLYNOMIAL 0x1021
/* From x^n mod P to x^(n+1) mod P. */
#define TIMES_X(v) ((((v) << 1) ^ (((v)&0x8000) ? POLYNOMIAL : 0)) & 0xffff)

/* X<t><b> is what bit b of a byte contributes that has t bytes behind it: x^(16 + 8t + b) mod P. */
#define POWERS(t, before)                                                               \
    X##t##0 = (before), X##t##1 = TIMES_X(X##t##0), X##t##2 = TIMES_X(X##t##1),         \
    X##t##3 = TIMES_X(X##t##2), X##t##4 = TIMES_X(X##t##3), X##t##5 = TIMES_X(X##t##4), \
    X##t##6 = TIMES_X(X##t##5), X##t##7 = TIMES_X(X##t##6)

enum {
    POWERS(0, POLYNOMIAL),
    POWERS(1, TIMES_X(X07)),
    POWERS(2, TIMES_X(X17)),
    POWERS(3, TIMES_X(X27)),
    POWERS(4, TIMES_X(X37)),
    POWERS(5, TIMES_X(X47)),
    POWERS(6, TIMES_X(X57)),
    POWERS(7, TIMES_X(X67)),
};

/* S<k> lists the 2^k sums of the lowest k bits' contributions to v. */
#define S1(t, v) (v), (v) ^ X##t##0
#define S2(t, v) S1(t, v), S1(t, (v) ^ X##t##1)
#define S3(t, v) S2(t, v), S2(t, (v) ^ X##t##2)
#define S4(t, v) S3(t, v), S3(t, (v) ^ X##t##3)
#define S5(t, v) S4(t, v), S4(t, (v) ^ X##t##4)
#define S6(t, v) S5(t, v), S5(t, (v) ^ X##t##5)
#define S7(t, v) S6(t, v), S6(t, (v) ^ X##t##6)
#define S8(t, v) S7(t, v), S7(t, (v) ^ X##t##7)

static const uint16_t contribution[8][256] = {
    {S8(0, 0)}, {S8(1, 0)}, {S8(2, 0)}, {S8(3, 0)}, {S8(4, 0)}, {S8(5, 0)}, {S8(6, 0)}, {S8(7, 0)},
};

/* Folds a word into the register; its lowest byte comes first in the key. */
static inline uint16_t
crc_step(uint16_t crc, uint64_t w)
{
    w ^= __builtin_bswap16(crc);
    return contribution[7][w & 0xff] ^ contribution[6][w >> 8 & 0xff] ^
           contribution[5][w >> 16 & 0xff] ^ contribution[4][w >> 24 & 0xff] ^
           contribution[3][w >> 32 & 0xff] ^ contribution[2][w >> 40 & 0xff] ^
           contribution[1][w >> 48 & 0xff] ^ contribution[0][w >> 56];
}

/* The first n < 8 bytes as the end of a word whose beginning is zero. `size` is how many bytes may
 * be read: with eight or more, one load does. */
static inline uint64_t
odd_word(const char *p, size_t n, size_t size)
{
    uint64_t w = 0;

    if (n == 0)
        return 0;
    if (likely(size >= 8))
        return get_le64(p) << (64 - 8 * n);
    while (n-- > 0)
        w |= (uint64_t)(uint8_t)p[n] << (64 - 8 * (size - n));
    return w;
}

static uint16_t
crc16(const char *p, size_t n)
{
    size_t odd = n % 8;
    uint16_t crc = crc_step(0, odd_word(p, odd, n));
    const char *end = p + n;

    for (p += odd; p < end; p += 8)
        crc = crc_step(crc, get_le64(p));
    return crc;
}

/* What is hashed: the text between the first '{' and the first '}' after it, unless that is empty
 * or there is no such pair. */
static struct slice
hash_tag(struct slice key)
{
    const char *open = memchr(key.p, '{', key.n), *close;
    size_t rest;

    if (likely(!open))
        return key;
    rest = key.n - (size_t)(open + 1 - key.p);
    close = memchr(open + 1, '}', rest);
    if (!close || close == open + 1)
        return key;
    return (struct slice){open + 1, (size_t)(close - open - 1)};
}

uint16_t
key_slot(struct slice key)
{
    if (unlikely(key.n == 0))
        return 0;
    key = hash_tag(key);
    return crc16(key.p, key.n) % ROW_SLOTS;
}

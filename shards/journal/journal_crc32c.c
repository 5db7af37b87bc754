/* CRC32C (Castagnoli polynomial 0x1EDC6F41, reflected, as in RFC 3720).
 *
 * With SSE4.2 and PCLMUL: the crc32 instruction takes 8 bytes every cycle but answers only after
 * three, so three neighbouring stretches run side by side. Their results are joined by shifting:
 * appending k zero bytes multiplies a CRC by x^(8k) modulo the polynomial, one carry-less
 * multiplication by a constant, folded back to 32 bits by one more crc32 instruction (which itself
 * multiplies by x^32; reflection costs another factor x, hence x^(8k-33) in the constants).
 *
 * Elsewhere: eight tables of 256 words, eight bytes a step. */
#include "shards/journal/journal_format.h"

#define POLYNOMIAL 0x82f63b78U /* 0x1EDC6F41, bits reversed */

static uint32_t tables[8][256];

uint32_t
journal_crc32c_portable(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;

    crc = ~crc;
    for (; n >= 8; n -= 8, b += 8) {
        uint64_t v = get_le64(b) ^ crc;

        crc = tables[7][v & 0xff] ^ tables[6][v >> 8 & 0xff] ^ tables[5][v >> 16 & 0xff] ^
              tables[4][v >> 24 & 0xff] ^ tables[3][v >> 32 & 0xff] ^ tables[2][v >> 40 & 0xff] ^
              tables[1][v >> 48 & 0xff] ^ tables[0][v >> 56];
    }
    for (; n; n--, b++)
        crc = crc >> 8 ^ tables[0][(crc ^ *b) & 0xff];
    return ~crc;
}

static void
fill_tables(void)
{
    uint32_t i, k, v;

    for (i = 0; i < 256; i++) {
        for (v = i, k = 0; k < 8; k++)
            v = v >> 1 ^ (v & 1 ? POLYNOMIAL : 0);
        tables[0][i] = v;
    }
    for (i = 0; i < 256; i++)
        for (k = 1; k < 8; k++)
            tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 0xff];
}

#ifdef __x86_64__
#include <nmmintrin.h>
#include <wmmintrin.h>

#define TARGET_CRC __attribute__((target("sse4.2,pclmul")))

/* Stretch lengths in bytes, and x^(8k-33), bits reversed, for k = one and two stretches. */
#define LONG_BYTES 1024
#define LONG_SHIFT_1 0x170076faU
#define LONG_SHIFT_2 0xa51b6135U
#define SHORT_BYTES 128
#define SHORT_SHIFT_1 0x0d3b6092U
#define SHORT_SHIFT_2 0xb9e02b86U

TARGET_CRC static inline uint32_t
shift_crc(uint32_t crc, uint32_t constant)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)constant), 0);

    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three stretches of `bytes` from b. */
TARGET_CRC static inline uint32_t
three_stretches(uint32_t crc, const uint8_t *b, size_t bytes, uint32_t shift_1, uint32_t shift_2)
{
    uint64_t c0 = crc, c1 = 0, c2 = 0;
    size_t i;

    for (i = 0; i < bytes; i += 8) {
        c0 = _mm_crc32_u64(c0, get_le64(b + i));
        c1 = _mm_crc32_u64(c1, get_le64(b + bytes + i));
        c2 = _mm_crc32_u64(c2, get_le64(b + 2 * bytes + i));
    }
    return shift_crc((uint32_t)c0, shift_2) ^ shift_crc((uint32_t)c1, shift_1) ^ (uint32_t)c2;
}

TARGET_CRC static uint32_t
crc32c_sse42(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *b = p;

    crc = ~crc;
    for (; n >= 3 * LONG_BYTES; n -= 3 * LONG_BYTES, b += 3 * LONG_BYTES)
        crc = three_stretches(crc, b, LONG_BYTES, LONG_SHIFT_1, LONG_SHIFT_2);
    for (; n >= 3 * SHORT_BYTES; n -= 3 * SHORT_BYTES, b += 3 * SHORT_BYTES)
        crc = three_stretches(crc, b, SHORT_BYTES, SHORT_SHIFT_1, SHORT_SHIFT_2);
    for (; n >= 8; n -= 8, b += 8)
        crc = (uint32_t)_mm_crc32_u64(crc, get_le64(b));
    for (; n; n--, b++)
        crc = _mm_crc32_u8(crc, *b);
    return ~crc;
}
#endif

static uint32_t (*implementation)(uint32_t crc, const void *p, size_t n);

/* Before main, so that threads only ever read the choice and the tables. */
__attribute__((constructor)) static void
choose_implementation(void)
{
    fill_tables();
    implementation = journal_crc32c_portable;
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        implementation = crc32c_sse42;
#endif
}

uint32_t
journal_crc32c(uint32_t crc, const void *p, size_t n)
{
    return implementation(crc, p, n);
}

#include "core/crc64.h"

#define POLYNOMIAL 0x95ac9329ac4bc9b5ULL /* reflected */
#define STRIDE 8

/* table[k][b]: what byte b comes to when k more bytes follow it. */
static uint64_t table[STRIDE][256];

__attribute__((constructor)) static void
make_table(void)
{
    for (unsigned b = 0; b < 256; b++) {
        uint64_t crc = b;

        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
        table[0][b] = crc;
    }
    for (unsigned k = 1; k < STRIDE; k++)
        for (unsigned b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
}

uint64_t
crc64(uint64_t crc, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (; n >= STRIDE; n -= STRIDE, at += STRIDE) {
        uint64_t word = get_le64(at) ^ crc;

        crc = 0;
        for (unsigned k = 0; k < STRIDE; k++)
            crc ^= table[STRIDE - 1 - k][word >> 8 * k & 0xff];
    }
    while (n-- > 0)
        crc = crc >> 8 ^ table[0][(crc ^ *at++) & 0xff];
    return crc;
}

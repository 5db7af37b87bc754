/* Part of codec_kernels_loops.c: what entropy coded integers have below their leading bits.
 *
 * Rests stand one after the other, so each begins where the widths of all before it add up to. Four
 * neighbours nearly always come out of one load of 64 bits: a multiplication adds up the widths
 * within each four (16 integers at once), and one shift by four counts does the rest. */
#ifndef SHARDS_SERIES_CODEC_KERNELS_RESTS_H
#define SHARDS_SERIES_CODEC_KERNELS_RESTS_H

#include "shards/series/codec_kernels.h"

/* Takes the rest of one class at `pos`; returns where the next one begins. */
static inline uint64_t
rest_of_one(unsigned class, const uint8_t *bits, uint64_t pos, uint64_t *ret)
{
    const uint64_t lead = (1ULL << class) >> 1;
    const uint64_t rest = get_le64(bits + (pos >> 3)) >> (pos & 7);

    *ret = lead | (rest & (lead - (class > 0)));
    return pos + class - (class > 0);
}

static uint64_t
rests_one_by_one(const uint8_t *class, uint32_t n, const uint8_t *bits, uint64_t pos, uint64_t *ret)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        pos = rest_of_one(class[i], bits, pos, &ret[i]);
    return pos;
}

#if KERNEL_BYTES >= 32

#define ONE_LOAD_BITS 57 /* that a load delivers from any bit on */

typedef uint64_t quad __attribute__((vector_size(32)));
typedef uint64_t pair __attribute__((vector_size(16)));
typedef uint32_t four_words __attribute__((vector_size(16)));
typedef uint8_t step_bytes __attribute__((vector_size(KERNEL_RESTS)));

static inline quad
widen(uint32_t bytes)
{
    return (((quad){0} + bytes) >> (quad){0, 8, 16, 24}) & 0xff;
}

/* Of four classes and the bits that stand in `word` before each, a byte each. */
static inline void
rests_of_four(uint32_t classes, uint32_t before, uint64_t word, uint64_t *ret)
{
    const quad class = widen(classes);
    const quad lead = ((quad){1, 1, 1, 1} << class) >> 1;
    const quad rest = ((quad){0} + word) >> widen(before);
    const quad x = lead | (rest & (lead + (quad)(class > 0)));

    memcpy(ret, &x, sizeof(x));
}

static inline uint64_t
rests_of_step(const uint8_t *class, const uint8_t *bits, uint64_t pos, uint64_t *ret)
{
    uint32_t classes[KERNEL_RESTS / 4], before[KERNEL_RESTS / 4], total[KERNEL_RESTS / 4];
    step_bytes c;
    four_words up_to, sums;
    pair wide;
    unsigned k;

    memcpy(&c, class, sizeof(c));
    up_to = (four_words)(c + (step_bytes)(c > 0)) * 0x01010101;
    sums = up_to >> 24;
    wide = (pair)(sums > ONE_LOAD_BITS);
    if (unlikely(wide[0] | wide[1]))
        return rests_one_by_one(class, KERNEL_RESTS, bits, pos, ret);
    memcpy(classes, &c, sizeof(classes));
    memcpy(total, &sums, sizeof(total));
    up_to <<= 8;
    memcpy(before, &up_to, sizeof(before));
    UNROLLED
    for (k = 0; k < KERNEL_RESTS / 4; k++) {
        rests_of_four(classes[k], before[k], get_le64(bits + (pos >> 3)) >> (pos & 7), ret + 4 * k);
        pos += total[k];
    }
    return pos;
}

#else

static inline uint64_t
rests_of_step(const uint8_t *class, const uint8_t *bits, uint64_t pos, uint64_t *ret)
{
    return rests_one_by_one(class, KERNEL_RESTS, bits, pos, ret);
}

#endif

static uint32_t
add_rests(const uint8_t *class, uint32_t n, const uint8_t *bits, uint64_t *pos, uint64_t last,
          uint64_t *ret)
{
    uint64_t at = *pos;
    uint32_t i;

    for (i = 0; i + KERNEL_RESTS <= n && at <= last; i += KERNEL_RESTS)
        at = rests_of_step(class + i, bits, at, ret + i);
    *pos = at;
    return i;
}

#endif

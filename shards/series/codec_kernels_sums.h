/* Part of codec_kernels_loops.c: differences of integer columns back to values.
 *
 * One after the other every value waits for the addition before it. A register adds up its own
 * differences first, so that only one addition a register is left to wait for. */
#ifndef SHARDS_SERIES_CODEC_KERNELS_SUMS_H
#define SHARDS_SERIES_CODEC_KERNELS_SUMS_H

#include "shards/series/codec_kernels.h"

#if KERNEL_BYTES >= 32

#define REGISTER_VALUES (KERNEL_BYTES / sizeof(uint64_t))

/* x[i] = x[0] + ... + x[i]. */
static inline vec
added_up(vec x)
{
    const vec none = {0};

#if KERNEL_BYTES == 32
    x += __builtin_shufflevector(x, none, 4, 0, 1, 2);
    x += __builtin_shufflevector(x, none, 4, 4, 0, 1);
#else
    x += __builtin_shufflevector(x, none, 8, 0, 1, 2, 3, 4, 5, 6);
    x += __builtin_shufflevector(x, none, 8, 8, 0, 1, 2, 3, 4, 5);
    x += __builtin_shufflevector(x, none, 8, 8, 8, 8, 0, 1, 2, 3);
#endif
    return x;
}

/* Whole registers: sum += r[i] + base, r[i] = sum. Returns how many values that was. */
static uint32_t
sum_registers(uint64_t *r, uint32_t n, uint64_t base, uint64_t *sum)
{
    vec before = (vec){0} + *sum, x, y;
    uint32_t i;

    for (i = 0; i + REGISTER_VALUES <= n; i += REGISTER_VALUES) {
        memcpy(&x, r + i, sizeof(x));
        x = added_up(x + base);
        y = x + before;
        memcpy(r + i, &y, sizeof(y));
        before += (vec){0} + x[REGISTER_VALUES - 1];
    }
    *sum = before[0];
    return i;
}

#else

static uint32_t
sum_registers(uint64_t *r, uint32_t n, uint64_t base, uint64_t *sum)
{
    (void)r, (void)n, (void)base, (void)sum;
    return 0;
}

#endif

static void
sum_deltas(uint64_t *r, uint32_t n, uint64_t base, uint64_t add, struct kernel_sums *s)
{
    uint64_t value = s->value + add;
    uint32_t i = sum_registers(r, n, base, &value);

    for (value -= add; i < n; i++) {
        value += r[i] + base;
        r[i] = value + add;
    }
    s->value = value;
}

static void
sum_deltas_twice(uint64_t *r, uint32_t n, uint64_t add, struct kernel_sums *s)
{
    uint64_t value = s->value, delta = s->delta;
    uint32_t i;

    for (i = 0; i < n; i++) {
        delta += r[i];
        value += delta;
        r[i] = value + add;
    }
    s->value = value;
    s->delta = delta;
}

static void
sum_xors(uint64_t *r, uint32_t n, unsigned shift, struct kernel_sums *s)
{
    uint64_t value = s->value;
    uint32_t i;

    for (i = 0; i < n; i++) {
        value ^= r[i] << shift;
        r[i] = value;
    }
    s->value = value;
}

#endif

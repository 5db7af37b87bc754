/* Points of many shapes, for tests of blocks: prices, readings, noise, NaN and worse. */
#ifndef TESTS_UNIT_BLOCK_SHAPES_H
#define TESTS_UNIT_BLOCK_SHAPES_H

#include "shards/series/block_priv.h"

#include <math.h>
#include <stdlib.h>

static uint64_t seed = 88172645463325252ULL;

static inline uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static inline uint64_t
rnd_below(uint64_t n)
{
    return rnd() % n;
}

/* --- shapes of data --------------------------------------------------------------------------- */

static inline double
value_shape(unsigned shape, uint32_t i)
{
    static int64_t cents;

    switch (shape) {
    case 0:
        return 42.5;
    case 1:
        cents = i ? cents + (int64_t)rnd_below(3) - 1 : 18125;
        return (double)cents / 100;
    case 2:
        return (double)(int64_t)rnd_below(100000) / 10 - 5000;
    case 3:
        return bits_double(rnd());
    case 4:
        return (double)(float)((double)rnd_below(100000) / 1000);
    case 5:
        return rnd_below(20) ? (double)rnd_below(1000) / 100
                             : bits_double(0x7ff0000000000000 | rnd());
    case 6:
        return rnd_below(2) ? -0.0 : 0.0;
    case 7:
        return sin(i * 0.01);
    case 8:
        return (double)(i * 1000000ULL) * 1e15;
    case 9:
        return bits_double(rnd_below(1000));
    case 10:
        return rnd_below(50) ? 13.8 : 13.8 + 1e-13;
    case 11:
        return i % 7 == 3 ? INFINITY : i % 7 == 5 ? NAN : -1e300 * (double)rnd_below(100);
    case 12: /* noise around nothing, of either sign: upper bits alike, lower ones any */
        return ldexp((double)(rnd() >> 11), -53) * (rnd_below(2) ? 70 : -70);
    case 13: /* noise in the lower bits, and one upper bit that goes on and off now and then */
        return bits_double(0x3ff0000000000000 | (uint64_t)(i / 150 % 2) << 50 | rnd() >> 30);
    default:
        return (double)(int64_t)rnd();
    }
}
#define VALUE_SHAPES 15

static inline int64_t
time_step(unsigned shape, uint32_t i)
{
    switch (shape) {
    case 0:
        return 1000;
    case 1:
        return 0;
    case 2:
        return rnd_below(3) ? 0 : (int64_t)rnd_below(500);
    case 3:
        return 1000000 + (int64_t)rnd_below(7);
    case 4:
        return rnd_below(1000) ? 60000 : 86400000;
    case 5:
        return (int64_t)(rnd() >> (22 + rnd_below(40)));
    default:
        return i == 1 ? INT64_MAX : 0;
    }
}
#define TIME_SHAPES 7

static inline int64_t
time_start(unsigned shape)
{
    static const int64_t start[TIME_SHAPES] = {
        1381190400000, -5, 0, 1381190400000000000, -86400000, INT64_MIN, INT64_MIN,
    };
    return start[shape];
}

static inline uint8_t
quality_shape(unsigned shape, uint32_t i)
{
    switch (shape) {
    case 1:
        return 192;
    case 2:
        return i / 100 % 3 == 0;
    case 3:
        return (uint8_t)rnd();
    case 4:
        return i % 2 ? 7 : 9;
    default:
        return 0;
    }
}
#define QUALITY_SHAPES 6

static inline struct samples
make(uint32_t n, unsigned times, unsigned values, unsigned qualities)
{
    struct samples s = {.p = malloc(n * sizeof(*s.p)), .n = n};
    uint32_t i;

    if (qualities < QUALITY_SHAPES - 1)
        s.quality = malloc(n);
    for (i = 0; i < n; i++) {
        uint64_t ts = (uint64_t)(i ? s.p[i - 1].ts : time_start(times));
        uint64_t step = i ? (uint64_t)time_step(times, i) : 0;
        if (step > (uint64_t)INT64_MAX - ts)
            step = 0;
        s.p[i] = (struct sample){(int64_t)(ts + step), value_shape(values, i)};
        if (s.quality)
            s.quality[i] = quality_shape(qualities, i);
    }
    return s;
}

static inline void
drop(struct samples *s)
{
    free(s->p);
    free(s->quality);
}

#endif

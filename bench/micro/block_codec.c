/* Speed of the block codecs and of appending to a series. One JSON object a line:
 *
 *   block_encode   points a second, and bytes a point, for shapes of data at two block sizes
 *   block_decode   the same way back
 *   series_append  ns a point, in order, sealing included; ticks share timestamps (KEEP)
 *
 * Shapes: ticks (bursts of equal milliseconds, prices in cents that mostly repeat), sensor (one a
 * second, decimals that drift), jitter (microseconds around a rhythm, true doubles), constant. */
#include "shards/series/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define POINTS (1024 * 1024)
#define ROUNDS 5
#define APPENDS 20000000
#define FORGET_EVERY 1000000 /* as if a checkpoint came by */

static uint64_t seed = 88172645463325252;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const char *const shapes[] = {"ticks", "sensor", "jitter", "constant"};

static void
make_point(unsigned shape, uint32_t i, struct sample *p, const struct sample *before)
{
    static int64_t level;
    uint64_t r = next_random();

    if (i == 0)
        level = 18150;
    switch (shape) {
    case 0:
        level += r % 10 ? 0 : (int64_t)(r >> 32) % 5 - 2;
        *p = (struct sample){before->ts + (r % 5 < 3 ? 0 : (int64_t)(r >> 40) % 400),
                             (double)level / 100};
        break;
    case 1:
        level += (int64_t)(r >> 32) % 21 - 10;
        *p = (struct sample){before->ts + 1000, (double)level / 100};
        break;
    case 2:
        *p = (struct sample){before->ts + 1000000 + (int64_t)(r >> 50), sin(i * 0.001) + i * 1e-9};
        break;
    default:
        *p = (struct sample){before->ts + 1000, 42};
    }
}

/* CPU time of this thread: the machine may be busy with other things. */
static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double
seconds_since(uint64_t start)
{
    return (double)(now_ns() - start) / 1e9;
}

static double
encode_all(const struct sample *p, uint32_t block, struct buf *out, size_t *offsets)
{
    uint64_t start = now_ns();
    uint32_t i;

    out->n = 0;
    for (i = 0; i < POINTS; i += block) {
        struct samples in = {.p = (struct sample *)p + i, .n = block};
        offsets[i / block] = out->n;
        block_encode(&in, BLOCK_SMALL, out);
    }
    offsets[i / block] = out->n;
    return seconds_since(start);
}

static double
decode_all(const struct buf *blocks, uint32_t block, const size_t *offsets, struct sample *out)
{
    uint64_t start = now_ns();
    uint32_t i;

    for (i = 0; i < POINTS; i += block) {
        size_t at = offsets[i / block], end = offsets[i / block + 1];
        ASSERT(block_decode((struct slice){blocks->p + at, end - at}, out + i, NULL));
    }
    return seconds_since(start);
}

static void
bench_blocks(unsigned shape, uint32_t block)
{
    struct sample *p = malloc(POINTS * sizeof(*p)), *back = malloc(POINTS * sizeof(*p));
    size_t *offsets = malloc((POINTS / block + 1) * sizeof(*offsets));
    struct sample start = {1381190400000, 0};
    double encode = INFINITY, decode = INFINITY;
    struct buf out = {0};
    uint32_t i;

    ASSERT(p && back && offsets);
    for (i = 0; i < POINTS; i++)
        make_point(shape, i, &p[i], i ? &p[i - 1] : &start);
    for (i = 0; i < ROUNDS; i++) {
        encode = fmin(encode, encode_all(p, block, &out, offsets));
        decode = fmin(decode, decode_all(&out, block, offsets, back));
    }
    ASSERT(memcmp(p, back, POINTS * sizeof(*p)) == 0);
    printf("{\"bench\": \"block_encode\", \"shape\": \"%s\", \"block_points\": %u, "
           "\"points_per_s\": %.0f, \"bytes_per_point\": %.3f}\n",
           shapes[shape], block, POINTS / encode, (double)out.n / POINTS);
    printf("{\"bench\": \"block_decode\", \"shape\": \"%s\", \"block_points\": %u, "
           "\"points_per_s\": %.0f}\n",
           shapes[shape], block, POINTS / decode);
    buf_fini(&out);
    free(p);
    free(back);
    free(offsets);
}

static void
bench_append(const char *name, bool ticks)
{
    struct series_limits lim = {1024, 8192, 30000};
    struct series_key *k = NULL;
    struct series *s = NULL;
    struct arena *a;
    uint64_t start, ns = 0;
    uint32_t i;

    ASSERT(arena_create(&a) == 0);
    start = now_ns();
    for (i = 0; i < APPENDS; i++) {
        if (i % FORGET_EVERY == 0) {
            ns += now_ns() - start;
            series_key_destroy(a, &k);
            k = series_key_create(a);
            s = series_get(a, k, 0);
            start = now_ns();
        }
        series_add(a, k, s, &lim, ticks ? i / 2 * 100 : i * 100L, i, 0,
                   ticks ? DUPLICATE_KEEP : DUPLICATE_LAST);
    }
    ns += now_ns() - start;
    printf("{\"bench\": \"series_append\", \"shape\": \"%s\", \"ns_per_point\": %.2f}\n", name,
           (double)ns / APPENDS);
    series_key_destroy(a, &k);
    arena_destroy(&a);
}

int
main(void)
{
    unsigned shape;

    for (shape = 0; shape < ARRAY_SIZE(shapes); shape++) {
        bench_blocks(shape, 1024);
        bench_blocks(shape, 8192);
    }
    bench_append("in order", false);
    bench_append("ticks", true);
    return 0;
}

/* Speed of the block codecs and of appending to a series. One JSON object a line:
 *
 *   block          points a second encoded and decoded, whole blocks and their values alone, and
 * bytes a point, for shapes of data, both efforts, two block sizes; sum_blocks: points a second
 * added up (block_sums_add_range) without looking at the headers' sums series_append  ns a point,
 * in order, sealing included; ticks share timestamps (KEEP)
 *
 * Shapes: ticks (bursts of equal milliseconds, prices in cents that mostly repeat), sensor (one a
 * second, decimals that drift), jitter (microseconds around a rhythm, true doubles), constant, load (what
 * bench/load sends: gaps of chance, any price from 100 to 1000). */
#include "shards/series/block_priv.h"
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

static const char *const shapes[] = {"ticks", "sensor", "jitter", "constant", "load"};

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
    case 3:
        *p = (struct sample){before->ts + 1000, 42};
        break;
    default:
        *p = (struct sample){before->ts + 1 + (int64_t)(-20 * log1p(-(double)(r >> 11) * 0x1p-53)),
                             (double)(10000 + next_random() % 90000) / 100};
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

/* Columns of a bench, one block after the other. */
struct bench {
    const struct sample *p;
    const double *v;
    uint32_t block;
    enum block_effort effort;
    struct buf out;
    size_t offsets[POINTS / 1024 + 1];
    struct sample *back;
    double *values;
    int64_t *spare;
};

static struct slice
encoded(const struct bench *b, uint32_t at)
{
    size_t from = b->offsets[at / b->block], to = b->offsets[at / b->block + 1];

    return (struct slice){b->out.p + from, to - from};
}

static void
encode_blocks(struct bench *b)
{
    uint32_t i;

    b->out.n = 0;
    for (i = 0; i < POINTS; i += b->block) {
        struct samples in = {.p = (struct sample *)b->p + i, .n = b->block};
        b->offsets[i / b->block] = b->out.n;
        block_encode(&in, b->effort, &b->out);
    }
    b->offsets[i / b->block] = b->out.n;
}

static void
decode_blocks(struct bench *b)
{
    uint32_t i;

    for (i = 0; i < POINTS; i += b->block)
        ASSERT(block_decode(encoded(b, i), b->back + i, NULL));
}

static void
encode_values(struct bench *b)
{
    uint32_t i;

    b->out.n = 0;
    for (i = 0; i < POINTS; i += b->block) {
        b->offsets[i / b->block] = b->out.n;
        value_encode(b->v + i, b->block, b->spare, b->effort, &b->out);
    }
    b->offsets[i / b->block] = b->out.n;
}

/* Vector by vector into the same place, as readers do. */
static void
decode_values(struct bench *b)
{
    struct value_decoder d;
    uint32_t i, k;

    for (i = 0; i < POINTS; i += b->block) {
        ASSERT(value_decoder_open(&d, encoded(b, i), b->block, b->v[i]));
        for (k = 0; k < b->block; k += INT_VECTOR)
            ASSERT(value_decoder_next(&d, b->values, INT_VECTOR));
        ASSERT(value_decoder_done(&d));
    }
}

/* The range ends just inside the block, so that no header answers. */
static void
sum_blocks(struct bench *b)
{
    static struct block_vector v;
    struct block_reader *r = block_reader_create();
    struct block_sums s = BLOCK_SUMS_NONE;
    uint32_t i;

    for (i = 0; i < POINTS; i += b->block)
        ASSERT(block_sums_add_range(&s, r, encoded(b, i), b->p[i].ts, b->p[i + b->block - 1].ts - 1,
                                    &v) == 0);
    block_reader_destroy(&r);
}

/* Points a second, the best of several rounds. */
static double
rate(struct bench *b, void (*what)(struct bench *b))
{
    double best = INFINITY;
    unsigned i;

    for (i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();
        what(b);
        best = fmin(best, seconds_since(start));
    }
    return POINTS / best;
}

static void
bench_blocks(const char *shape, struct bench *b)
{
    double encode, decode, values_encode, values_decode, sum, bytes;

    encode = rate(b, encode_blocks);
    bytes = (double)b->out.n / POINTS;
    decode = rate(b, decode_blocks);
    ASSERT(memcmp(b->p, b->back, POINTS * sizeof(*b->p)) == 0);
    sum = rate(b, sum_blocks);
    values_encode = rate(b, encode_values);
    values_decode = rate(b, decode_values);
    printf("{\"bench\": \"block\", \"shape\": \"%s\", \"block_points\": %u, \"effort\": \"%s\", "
           "\"encode\": %.0f, \"decode\": %.0f, \"values_encode\": %.0f, \"values_decode\": %.0f, "
           "\"sum\": %.0f, \"bytes_per_point\": %.3f}\n",
           shape, b->block, b->effort == BLOCK_QUICK ? "quick" : "small", encode, decode,
           values_encode, values_decode, sum, bytes);
    fflush(stdout);
}

static void
bench_shape(unsigned shape)
{
    static const uint32_t blocks[] = {1024, 4096};
    struct sample *p = malloc(POINTS * sizeof(*p)), start = {1381190400000, 0};
    struct bench b = {.p = p,
                      .back = malloc(POINTS * sizeof(*p)),
                      .values = malloc(POINTS * sizeof(*b.values)),
                      .spare = malloc(POINTS * sizeof(*b.spare))};
    double *v = malloc(POINTS * sizeof(*v));
    uint32_t i;

    ASSERT(p && v && b.back && b.values && b.spare);
    for (i = 0; i < POINTS; i++) {
        make_point(shape, i, &p[i], i ? &p[i - 1] : &start);
        v[i] = p[i].value;
    }
    b.v = v;
    for (i = 0; i < ARRAY_SIZE(blocks); i++)
        for (b.effort = BLOCK_QUICK; b.effort <= BLOCK_SMALL; b.effort++) {
            b.block = blocks[i];
            bench_blocks(shapes[shape], &b);
        }
    buf_fini(&b.out);
    free(p);
    free(v);
    free(b.back);
    free(b.values);
    free(b.spare);
}

static void
bench_append(const char *name, bool ticks)
{
    struct series_limits lim = {1024, 8192, 30000, SERIES_SAME_TS_MAX, false};
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

    for (shape = 0; shape < ARRAY_SIZE(shapes); shape++)
        bench_shape(shape);
    bench_append("in order", false);
    bench_append("ticks", true);
    return 0;
}

/* Points made from any bytes go into a block and come back bit for bit, whichever effort; what the
 * header says is what a loop over the points gives.
 *
 * The first byte says how times grow, the second how values are made of the bytes that follow, the
 * third how many points a byte repeats, so that short inputs make long blocks. */
#include "shards/series/block.h"

#include <math.h>
#include <stdlib.h>

#define POINTS_MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const uint8_t *p, *end;
};

/* Up to n bytes as a little-endian integer, zeros after the end. */
static uint64_t
take(struct source *s, unsigned n)
{
    uint64_t v = 0;
    unsigned i;

    for (i = 0; i < n; i++)
        v |= (uint64_t)(s->p < s->end ? *s->p++ : 0) << 8 * i;
    return v;
}

static double
make_value(struct source *s, unsigned how, double before)
{
    static const double scales[] = {1, 10, 100, 1e4, 1e9};
    uint64_t u;
    double v;

    switch (how % 6) {
    case 0: /* any bits */
        u = take(s, 8);
        memcpy(&v, &u, sizeof(v));
        return v;
    case 1: /* decimals */
        return (double)(int16_t)take(s, 2) / scales[how / 6 % 5];
    case 2: /* a walk */
        return before + (double)(int8_t)take(s, 1) / 100;
    case 3: /* floats */
        return (double)(float)((double)(uint16_t)take(s, 2) / 1000);
    case 4: /* a few bits change */
        memcpy(&u, &before, sizeof(u));
        u ^= take(s, 2) << (how / 6 % 48);
        memcpy(&v, &u, sizeof(v));
        return v;
    default: /* true doubles beside each other */
        return sin((double)take(s, 1)) + 2;
    }
}

static int64_t
make_step(struct source *s, unsigned how)
{
    switch (how % 4) {
    case 0:
        return how;
    case 1:
        return (int64_t)take(s, 1);
    case 2:
        return 1000 + (int64_t)(int8_t)take(s, 1);
    default:
        return (int64_t)(take(s, 8) >> (1 + how / 4 % 63));
    }
}

static struct samples
make_points(struct source *s)
{
    unsigned times = (unsigned)take(s, 1), values = (unsigned)take(s, 1);
    unsigned repeat = 1 + (unsigned)take(s, 1) % 40, k;
    struct samples in = {malloc(POINTS_MAX * sizeof(*in.p)), malloc(POINTS_MAX), 0};
    double v = 18125;
    int64_t ts = (int64_t)take(s, 8);

    ASSERT(in.p && in.quality);
    while (s->p < s->end && in.n < POINTS_MAX) {
        int64_t step = make_step(s, times);
        uint8_t quality = (uint8_t)(times & 0x80 ? take(s, 1) : 0);
        v = make_value(s, values, v);
        for (k = 0; k < repeat && in.n < POINTS_MAX; k++) {
            in.quality[in.n] = quality;
            in.p[in.n++] = (struct sample){ts, v};
            ts += ts <= INT64_MAX - step ? step : 0;
        }
    }
    return in;
}

static void
check_info(const struct samples *in, const struct block_info *info)
{
    uint32_t i, nan_count = 0;

    for (i = 0; i < in->n; i++) {
        if (isnan(in->p[i].value))
            nan_count++;
        else
            ASSERT(info->min <= in->p[i].value && info->max >= in->p[i].value);
    }
    ASSERT(info->count == in->n && info->nan_count == nan_count);
    ASSERT(info->first_ts == in->p[0].ts && info->last_ts == in->p[in->n - 1].ts);
}

static void
round_trip(const struct samples *in, enum block_effort effort)
{
    struct sample *p = malloc(in->n * sizeof(*p));
    uint8_t *q = malloc(in->n);
    struct buf out = {0};
    struct block_info info;

    ASSERT(p && q);
    block_encode(in, effort, &out);
    ASSERT(block_read_info((struct slice){out.p, out.n}, &info));
    check_info(in, &info);
    ASSERT(block_decode((struct slice){out.p, out.n}, p, q));
    ASSERT(memcmp(p, in->p, in->n * sizeof(*p)) == 0);
    ASSERT(memcmp(q, in->quality, in->n) == 0);
    buf_fini(&out);
    free(p);
    free(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {data, data + size};
    struct samples in = make_points(&s);

    if (in.n) {
        round_trip(&in, BLOCK_QUICK);
        round_trip(&in, BLOCK_SMALL);
    }
    free(in.p);
    free(in.quality);
    return 0;
}

/* Chunks of raw points: growing, inserting, cutting. */
#include "shards/series/series_priv.h"

void *
series_alloc(struct arena *a, struct series_key *k, size_t n)
{
    k->bytes += arena_usable(n);
    return arena_alloc(a, n);
}

void *
series_realloc(struct arena *a, struct series_key *k, void *p, size_t old_n, size_t new_n)
{
    if (!p)
        return series_alloc(a, k, new_n);
    k->bytes += arena_usable(new_n) - arena_usable(old_n);
    return arena_realloc(a, p, old_n, new_n);
}

void
series_free(struct arena *a, struct series_key *k, void *p, size_t n)
{
    if (!p)
        return;
    k->bytes -= arena_usable(n);
    arena_free(a, p, n);
}

#define GUESS_POINTS_MIN 64 /* fewer are halved at once */
#define GUESS_STEP 16

/* Most series have their points at regular times: the place looked for is near where it would be if
 * these had, and a few cache misses are saved. From there in steps that double, so that no other order
 * of times costs more than halving twice. Leaves it in [*ret_lo, *ret_hi]. */
static void
narrow(const struct sample *p, uint32_t n, int64_t ts, uint32_t *ret_lo, uint32_t *ret_hi)
{
    int64_t first = p[0].ts, last = p[n - 1].ts;
    uint32_t at, step = GUESS_STEP;

    if (ts <= first || ts > last) {
        *ret_lo = *ret_hi = ts <= first ? 0 : n;
        return;
    }
    at = (uint32_t)((double)((uint64_t)ts - (uint64_t)first) /
                    (double)((uint64_t)last - (uint64_t)first) * (n - 1));
    at = MIN(at, n - 1);
    if (p[at].ts < ts) {
        for (; n - 1 - at > step && p[at + step].ts < ts; step *= 2)
            at += step;
        *ret_lo = at + 1;
        *ret_hi = MIN(at + step, n - 1);
    } else {
        for (; at > step && p[at - step].ts >= ts; step *= 2)
            at -= step;
        *ret_lo = at > step ? at - step + 1 : 1;
        *ret_hi = at;
    }
}

uint32_t
samples_lower(const struct sample *p, uint32_t n, int64_t ts)
{
    uint32_t lo = 0, hi = n;

    if (n >= GUESS_POINTS_MIN)
        narrow(p, n, ts, &lo, &hi);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (p[mid].ts < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t
samples_upper(const struct sample *p, uint32_t n, int64_t ts)
{
    return ts == INT64_MAX ? n : samples_lower(p, n, ts + 1);
}

void
chunk_reserve(struct arena *a, struct series_key *k, struct series_chunk *c, uint32_t cap)
{
    c->p = series_realloc(a, k, c->p, c->cap * sizeof(*c->p), cap * sizeof(*c->p));
    if (c->quality)
        c->quality = series_realloc(a, k, c->quality, c->cap, cap);
    c->cap = cap;
}

/* Room for the first quality that is not 0. */
static void
quality_start(struct arena *a, struct series_key *k, struct series_chunk *c)
{
    c->quality = series_alloc(a, k, c->cap);
    memset(c->quality, 0, c->n);
}

/* One point first: many a series has no more; then room for a few, then doubling. */
static uint32_t
next_cap(uint32_t cap)
{
    return cap == 0 ? 1 : cap == 1 ? 4 : 2 * cap;
}

void
chunk_insert(struct arena *a, struct series_key *k, struct series_chunk *c, uint32_t at,
             struct sample p, uint8_t quality)
{
    ASSERT(at <= c->n && c->n < BLOCK_POINTS_MAX);
    if (c->n == c->cap)
        chunk_reserve(a, k, c, next_cap(c->cap));
    if (unlikely(quality && !c->quality))
        quality_start(a, k, c);
    memmove(c->p + at + 1, c->p + at, (c->n - at) * sizeof(*c->p));
    c->p[at] = p;
    if (c->quality) {
        memmove(c->quality + at + 1, c->quality + at, c->n - at);
        c->quality[at] = quality;
    }
    c->n++;
}

struct series_chunk
chunk_take_front(struct arena *a, struct series_key *k, struct series_chunk *c, uint32_t at)
{
    struct series_chunk front = {.n = at, .cap = at};

    ASSERT(at > 0 && at < c->n);
    front.p = series_alloc(a, k, at * sizeof(*front.p));
    memcpy(front.p, c->p, at * sizeof(*front.p));
    c->n -= at;
    memmove(c->p, c->p + at, c->n * sizeof(*c->p));
    if (c->quality) {
        front.quality = series_alloc(a, k, at);
        memcpy(front.quality, c->quality, at);
        memmove(c->quality, c->quality + at, c->n);
    }
    return front;
}

void
chunk_free(struct arena *a, struct series_key *k, struct series_chunk *c)
{
    series_free(a, k, c->p, c->cap * sizeof(*c->p));
    series_free(a, k, c->quality, c->cap);
    *c = (struct series_chunk){0};
}

void
chunk_append(struct arena *a, struct series_key *k, struct series_chunk *c,
             const struct samples *in)
{
    uint8_t any = 0;

    if (c->cap - c->n < in->n)
        chunk_reserve(a, k, c, c->n + in->n);
    memcpy(c->p + c->n, in->p, in->n * sizeof(*c->p));
    for (uint32_t i = 0; in->quality && i < in->n; i++)
        any |= in->quality[i];
    if (any && !c->quality)
        quality_start(a, k, c);
    if (c->quality && in->quality)
        memcpy(c->quality + c->n, in->quality, in->n);
    else if (c->quality)
        memset(c->quality + c->n, 0, in->n);
    c->n += in->n;
}

uint32_t
chunk_boundary(const struct series_chunk *c, uint32_t at)
{
    int64_t ts = c->p[at].ts;
    uint32_t below, above;

    if (c->p[0].ts == c->p[c->n - 1].ts)
        return 0;
    below = samples_lower(c->p, at, ts);
    if (below > 0)
        return below;
    above = at + samples_upper(c->p + at, c->n - at, ts);
    return above < c->n ? above : 0;
}

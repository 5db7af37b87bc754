#include "bench/load_hist.h"

#include <math.h>

#define SUB (1U << LOAD_HIST_SUB_BITS)

void
load_hist_init(struct load_hist *h)
{
    memset(h, 0, sizeof(*h));
    h->min_ns = UINT64_MAX;
}

/* Buckets 0..2*SUB-1 hold one value each; after them every SUB buckets cover twice the range of the
 * SUB before. */
static unsigned
bucket_of(uint64_t ns)
{
    unsigned shift;

    if (ns >= 1ULL << LOAD_HIST_VALUE_BITS)
        return LOAD_HIST_BUCKETS - 1;
    if (ns < 2 * SUB)
        return (unsigned)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - LOAD_HIST_SUB_BITS;
    return (shift << LOAD_HIST_SUB_BITS) + (unsigned)(ns >> shift);
}

static uint64_t
bucket_middle(unsigned i)
{
    unsigned shift;
    uint64_t low;

    if (i < 2 * SUB)
        return i;
    shift = (i >> LOAD_HIST_SUB_BITS) - 1;
    low = (uint64_t)(i - (shift << LOAD_HIST_SUB_BITS)) << shift;
    return low + ((1ULL << shift) >> 1);
}

void
load_hist_add(struct load_hist *h, uint64_t ns, uint64_t times)
{
    if (times == 0)
        return;
    h->count += times;
    h->sum_ns += ns * times;
    h->min_ns = MIN(h->min_ns, ns);
    h->max_ns = MAX(h->max_ns, ns);
    h->bucket[bucket_of(ns)] += times;
}

void
load_hist_merge(struct load_hist *into, const struct load_hist *from)
{
    unsigned i;

    into->count += from->count;
    into->sum_ns += from->sum_ns;
    into->min_ns = MIN(into->min_ns, from->min_ns);
    into->max_ns = MAX(into->max_ns, from->max_ns);
    for (i = 0; i < LOAD_HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

uint64_t
load_hist_quantile(const struct load_hist *h, double q)
{
    uint64_t want, seen = 0;
    unsigned i;

    if (h->count == 0)
        return 0;
    want = (uint64_t)ceil(q * (double)h->count);
    want = MIN(MAX(want, 1), h->count);
    if (want == h->count)
        return h->max_ns;
    for (i = 0; i < LOAD_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= want)
            break;
    }
    return MIN(MAX(bucket_middle(i), h->min_ns), h->max_ns);
}

double
load_hist_mean(const struct load_hist *h)
{
    return h->count == 0 ? 0.0 : (double)h->sum_ns / (double)h->count;
}

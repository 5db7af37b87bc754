/* Timestamps: an integer column of their distances from the first one. A fixed rhythm ends as a
 * constant difference (a few bytes whatever the count), a jittering one as small residuals around
 * the usual difference, ticks as entropy coded gaps in which "same timestamp" is the cheapest. */
#include "shards/series/block_priv.h"

#include <stdlib.h>

void
time_encode(const struct sample *p, size_t n, struct buf *out)
{
    int64_t *x = malloc(n * sizeof(*x));
    size_t i;

    ASSERT(x);
    for (i = 0; i < n; i++)
        x[i] = (int64_t)((uint64_t)p[i].ts - (uint64_t)p[0].ts);
    int_encode(x, n, out);
    free(x);
}

bool
time_decode(struct slice in, size_t n, int64_t first_ts, int64_t last_ts, struct sample *ret_points)
{
    struct int_decoder d;
    int64_t x[INT_VECTOR], last = first_ts;
    bool sorted = true;
    size_t i;
    uint32_t k;

    if (!int_decoder_init(&d, in))
        return false;
    for (i = 0; i < n; i += INT_VECTOR) {
        uint32_t piece = (uint32_t)MIN(n - i, (size_t)INT_VECTOR);
        if (!int_decoder_next(&d, x, piece))
            return false;
        for (k = 0; k < piece; k++) {
            int64_t ts = (int64_t)((uint64_t)x[k] + (uint64_t)first_ts);
            sorted &= ts >= last;
            ret_points[i + k].ts = last = ts;
        }
    }
    return sorted && int_decoder_done(&d) && ret_points[0].ts == first_ts && last == last_ts;
}

/* Timestamps: an integer column of their distances from the first one. A fixed rhythm ends as a
 * constant difference (a few bytes whatever the count), a jittering one as small residuals around
 * the usual difference, ticks as entropy coded gaps in which "same timestamp" is the cheapest. */
#include "shards/series/block_priv.h"

void
time_encode(int64_t *ts, size_t n, enum block_effort effort, struct buf *out)
{
    codec_kernels->affine((uint64_t *)ts, (uint32_t)n, 1, 0 - (uint64_t)ts[0]);
    int_encode(ts, n, effort, out);
}

bool
time_decoder_open(struct time_decoder *d, struct slice in, int64_t first_ts)
{
    if (!int_decoder_init(&d->ints, in))
        return false;
    d->ints.first += (uint64_t)first_ts;
    d->last = first_ts;
    return true;
}

bool
time_decoder_next(struct time_decoder *d, int64_t *ret_ts, uint32_t n)
{
    if (!int_decoder_next(&d->ints, ret_ts, n) || !codec_kernels->rises(ret_ts, n, d->last))
        return false;
    d->last = ret_ts[n - 1];
    return true;
}

bool
time_decoder_done(const struct time_decoder *d)
{
    return int_decoder_done(&d->ints);
}

/* Quality bytes: mostly all 0, else mostly long runs. */
#include "shards/series/block_priv.h"

#include <stdlib.h>

static bool
is_zero(const uint8_t *q, size_t n)
{
    uint8_t any = 0;
    size_t i;

    for (i = 0; i < n; i++)
        any |= q[i];
    return any == 0;
}

/* Appends the runs, or gives up once they are as long as the raw bytes. */
static bool
runs_encode(const uint8_t *q, size_t n, struct buf *out)
{
    size_t i, start, before = out->n;

    for (i = 0; i < n && out->n - before < n;) {
        start = i;
        while (i < n && q[i] == q[start])
            i++;
        buf_put_u8(out, q[start]);
        varint_put(out, i - start);
    }
    return i == n && out->n - before < n;
}

static void
ints_encode(const uint8_t *q, size_t n, enum block_effort effort, struct buf *out)
{
    int64_t *x = malloc(n * sizeof(*x));
    size_t i;

    ASSERT(x);
    for (i = 0; i < n; i++)
        x[i] = q[i];
    int_encode(x, n, effort, out);
    free(x);
}

void
quality_encode(const uint8_t *quality, size_t n, enum block_effort effort, struct buf *out)
{
    struct buf runs = {0}, ints = {0};
    bool has_runs;

    if (!quality || is_zero(quality, n)) {
        buf_put_u8(out, QUALITY_ZERO);
        return;
    }
    has_runs = runs_encode(quality, n, &runs);
    ints_encode(quality, n, effort, &ints);
    if (has_runs && runs.n <= ints.n) {
        buf_put_u8(out, QUALITY_RUNS);
        buf_append(out, runs.p, runs.n);
    } else if (ints.n < n) {
        buf_put_u8(out, QUALITY_INTS);
        buf_append(out, ints.p, ints.n);
    } else {
        buf_put_u8(out, QUALITY_RAW);
        buf_append(out, quality, n);
    }
    buf_fini(&runs);
    buf_fini(&ints);
}

/* --- decoding --------------------------------------------------------------------------------- */

bool
quality_decoder_open(struct quality_decoder *d, struct slice in)
{
    d->in = cursor_of(in);
    d->run_left = 0;
    if (!cursor_u8(&d->in, &d->codec) || d->codec > QUALITY_INTS)
        return false;
    if (d->codec != QUALITY_INTS)
        return true;
    return int_decoder_init(&d->ints, (struct slice){(const char *)d->in.p, cursor_left(&d->in)});
}

static bool
next_of_runs(struct quality_decoder *d, uint8_t *q, uint32_t n)
{
    while (n > 0) {
        uint32_t k;
        if (d->run_left == 0 &&
            (!cursor_u8(&d->in, &d->run) || !varint_get(&d->in, &d->run_left) || d->run_left == 0))
            return false;
        k = (uint32_t)MIN((uint64_t)n, d->run_left);
        memset(q, d->run, k);
        d->run_left -= k;
        q += k;
        n -= k;
    }
    return true;
}

static bool
next_of_ints(struct quality_decoder *d, uint8_t *q, uint32_t n)
{
    int64_t x[INT_VECTOR];
    uint32_t i;

    if (!int_decoder_next(&d->ints, x, n))
        return false;
    for (i = 0; i < n; i++) {
        if (x[i] < 0 || x[i] > UINT8_MAX)
            return false;
        q[i] = (uint8_t)x[i];
    }
    return true;
}

bool
quality_decoder_next(struct quality_decoder *d, uint8_t *ret_quality, uint32_t n)
{
    const uint8_t *raw;

    switch (d->codec) {
    case QUALITY_ZERO:
        memset(ret_quality, 0, n);
        return true;
    case QUALITY_RUNS:
        return next_of_runs(d, ret_quality, n);
    case QUALITY_RAW:
        raw = cursor_take(&d->in, n);
        if (raw)
            memcpy(ret_quality, raw, n);
        return raw;
    default:
        return next_of_ints(d, ret_quality, n);
    }
}

bool
quality_decoder_done(const struct quality_decoder *d)
{
    if (d->codec == QUALITY_INTS)
        return int_decoder_done(&d->ints);
    return d->run_left == 0 && cursor_left(&d->in) == 0;
}

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
ints_encode(const uint8_t *q, size_t n, struct buf *out)
{
    int64_t *x = malloc(n * sizeof(*x));
    size_t i;

    ASSERT(x);
    for (i = 0; i < n; i++)
        x[i] = q[i];
    int_encode(x, n, out);
    free(x);
}

void
quality_encode(const uint8_t *quality, size_t n, struct buf *out)
{
    struct buf runs = {0}, ints = {0};
    bool has_runs;

    if (!quality || is_zero(quality, n)) {
        buf_put_u8(out, QUALITY_ZERO);
        return;
    }
    has_runs = runs_encode(quality, n, &runs);
    ints_encode(quality, n, &ints);
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

static bool
runs_decode(struct cursor *c, size_t n, uint8_t *ret_quality)
{
    size_t i = 0;

    while (i < n) {
        uint8_t q;
        uint64_t length;
        if (!cursor_u8(c, &q) || !varint_get(c, &length) || length == 0 || length > n - i)
            return false;
        if (ret_quality)
            memset(ret_quality + i, q, length);
        i += length;
    }
    return c->p == c->end;
}

static bool
ints_decode(struct slice in, size_t n, uint8_t *ret_quality)
{
    struct int_decoder d;
    int64_t x[INT_VECTOR];
    size_t i;
    uint32_t k;

    if (!int_decoder_init(&d, in))
        return false;
    for (i = 0; i < n; i += INT_VECTOR) {
        uint32_t piece = (uint32_t)MIN(n - i, (size_t)INT_VECTOR);
        if (!int_decoder_next(&d, x, piece))
            return false;
        for (k = 0; k < piece; k++) {
            if (x[k] < 0 || x[k] > UINT8_MAX)
                return false;
            if (ret_quality)
                ret_quality[i + k] = (uint8_t)x[k];
        }
    }
    return int_decoder_done(&d);
}

bool
quality_decode(struct slice in, size_t n, uint8_t *ret_quality)
{
    struct cursor c = cursor_of(in);
    uint8_t codec;

    if (!cursor_u8(&c, &codec))
        return false;
    switch (codec) {
    case QUALITY_ZERO:
        if (ret_quality)
            memset(ret_quality, 0, n);
        return cursor_left(&c) == 0;
    case QUALITY_RUNS:
        return runs_decode(&c, n, ret_quality);
    case QUALITY_RAW:
        if (ret_quality && cursor_left(&c) == n)
            memcpy(ret_quality, c.p, n);
        return cursor_left(&c) == n;
    case QUALITY_INTS:
        return ints_decode((struct slice){(const char *)c.p, cursor_left(&c)}, n, ret_quality);
    default:
        return false;
    }
}

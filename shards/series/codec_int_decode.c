/* Decoding of integer columns, a vector at a time. */
#include "shards/series/codec_int.h"

static bool
read_mode(struct int_decoder *d, struct cursor *c)
{
    unsigned transform, pack;

    if (!cursor_u8(c, &d->mode) || d->mode & ~INT_MODE_USED)
        return false;
    transform = d->mode & INT_TRANSFORM_MASK;
    pack = (d->mode & INT_PACK_MASK) >> INT_PACK_SHIFT;
    return transform <= INT_DELTA2 && pack <= INT_PACK_ENTROPY;
}

static unsigned
pack_of(const struct int_decoder *d)
{
    return (d->mode & INT_PACK_MASK) >> INT_PACK_SHIFT;
}

/* Sets the running state so that the first residual, 0, yields the first value. */
static void
start_state(struct int_decoder *d)
{
    d->prev = d->prev_delta = 0;
    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_DELTA:
        d->prev = 0 - d->base;
        break;
    case INT_DELTA2:
        d->prev = 0 - d->base;
        d->prev_delta = d->base;
        break;
    }
}

bool
int_decoder_init(struct int_decoder *d, struct slice in)
{
    struct cursor c = cursor_of(in);
    int64_t first, base;

    d->scale = 1;
    if (!read_mode(d, &c) || !varint_get_signed(&c, &first))
        return false;
    if (d->mode & INT_SCALED && !varint_get(&c, &d->scale))
        return false;
    if (!varint_get_signed(&c, &base))
        return false;
    d->first = (uint64_t)first;
    d->base = (uint64_t)base;
    d->in = c;
    start_state(d);
    if (pack_of(d) != INT_PACK_ENTROPY)
        return true;
    return entropy_decoder_init(&d->entropy, (struct slice){(const char *)c.p, cursor_left(&c)});
}

static void
undo_transform(struct int_decoder *d, const uint64_t *r, uint64_t *y, uint32_t n)
{
    const uint64_t base = d->base;
    uint64_t prev = d->prev, delta = d->prev_delta;
    uint32_t i;

    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_PLAIN:
        for (i = 0; i < n; i++)
            y[i] = r[i] + base;
        break;
    case INT_DELTA:
        for (i = 0; i < n; i++)
            y[i] = prev += r[i] + base;
        break;
    case INT_DELTA2:
        for (i = 0; i < n; i++)
            y[i] = prev += delta += r[i];
        break;
    }
    d->prev = prev;
    d->prev_delta = delta;
}

bool
int_decoder_next(struct int_decoder *d, int64_t *out, uint32_t n)
{
    uint64_t *r = d->residual, *y = (uint64_t *)out;
    uint32_t i;

    ASSERT(n <= INT_VECTOR);
    if (pack_of(d) == INT_PACK_NONE)
        memset(r, 0, n * sizeof(*r));
    else if (pack_of(d) == INT_PACK_ENTROPY)
        entropy_decoder_next(&d->entropy, r, n);
    else if (!int_vector_read(&d->in, r, n))
        return false;
    if (d->mode & INT_SIGNED)
        for (i = 0; i < n; i++)
            r[i] = (uint64_t)unzigzag(r[i]);
    undo_transform(d, r, y, n);
    for (i = 0; i < n; i++)
        y[i] = y[i] * d->scale + d->first;
    return true;
}

bool
int_decoder_done(const struct int_decoder *d)
{
    if (pack_of(d) == INT_PACK_ENTROPY)
        return entropy_decoder_done(&d->entropy);
    return d->in.p == d->in.end;
}

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
    if (transform == INT_XOR && d->mode & (INT_SIGNED | INT_SCALED))
        return false;
    return pack <= INT_PACK_ENTROPY;
}

static unsigned
pack_of(const struct int_decoder *d)
{
    return (d->mode & INT_PACK_MASK) >> INT_PACK_SHIFT;
}

static bool
is_xor(const struct int_decoder *d)
{
    return (d->mode & INT_TRANSFORM_MASK) == INT_XOR;
}

/* Sets the running sums so that the first residual, 0, yields the first value. */
static void
start_sums(struct int_decoder *d)
{
    d->sums = (struct kernel_sums){0};
    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_DELTA:
        d->sums.value = 0 - d->base;
        break;
    case INT_DELTA2:
        d->sums.value = 0 - d->base;
        d->sums.delta = d->base;
        break;
    case INT_XOR:
        d->sums.value = d->first;
        break;
    }
}

bool
int_decoder_peek(struct int_decoder *d, struct slice in)
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
    return !is_xor(d) || d->base < 64;
}

bool
int_decoder_init(struct int_decoder *d, struct slice in)
{
    return int_decoder_init_bits(d, in) && !is_xor(d);
}

bool
int_decoder_init_bits(struct int_decoder *d, struct slice in)
{
    if (!int_decoder_peek(d, in))
        return false;
    start_sums(d);
    if (pack_of(d) != INT_PACK_ENTROPY)
        return true;
    return entropy_decoder_init(&d->entropy,
                                (struct slice){(const char *)d->in.p, cursor_left(&d->in)});
}

struct entropy_decoder *
int_decoder_entropy(struct int_decoder *d)
{
    return pack_of(d) == INT_PACK_ENTROPY ? &d->entropy : NULL;
}

/* All residuals are 0: the values are one line. */
static void
next_of_line(struct int_decoder *d, uint64_t *x, uint32_t n)
{
    const bool plain = (d->mode & INT_TRANSFORM_MASK) == INT_PLAIN;
    const uint64_t step = plain ? 0 : d->base;
    const uint64_t y = plain ? d->base : d->sums.value + step;

    if (is_xor(d)) {
        codec_kernels->progression(d->first, 0, n, x);
        return;
    }
    codec_kernels->progression(d->first + y * d->scale, step * d->scale, n, x);
    d->sums.value += n * step;
}

/* From residuals to y + add. Plain ones have their base already. */
static void
undo_transform(struct int_decoder *d, uint64_t *r, uint32_t n, uint64_t add)
{
    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_DELTA:
        codec_kernels->sum_deltas(r, n, d->base, add, &d->sums);
        break;
    case INT_DELTA2:
        codec_kernels->sum_deltas_twice(r, n, add, &d->sums);
        break;
    case INT_XOR:
        codec_kernels->sum_xors(r, n, (unsigned)d->base, &d->sums);
        break;
    }
}

static bool
next_residuals(struct int_decoder *d, uint64_t add, uint64_t *r, uint32_t n)
{
    const bool is_signed = d->mode & INT_SIGNED, packed = pack_of(d) == INT_PACK_BITS;
    const bool at_once = packed && !is_signed;

    if (packed && !int_vector_read(&d->in, at_once ? add : 0, r, n))
        return false;
    if (!packed)
        entropy_decoder_next(&d->entropy, r, n);
    if (is_signed)
        codec_kernels->unzigzag(r, n);
    if (add && !at_once)
        codec_kernels->affine(r, n, 1, add);
    return true;
}

bool
int_decoder_next(struct int_decoder *d, int64_t *out, uint32_t n)
{
    const bool plain = (d->mode & INT_TRANSFORM_MASK) == INT_PLAIN;
    const uint64_t first = d->scale == 1 ? d->first : 0;
    uint64_t *x = (uint64_t *)out;

    ASSERT(n <= INT_VECTOR);
    if (pack_of(d) == INT_PACK_NONE) {
        next_of_line(d, x, n);
        return true;
    }
    if (!next_residuals(d, plain ? d->base + first : 0, x, n))
        return false;
    undo_transform(d, x, n, first);
    if (d->scale != 1)
        codec_kernels->affine(x, n, d->scale, d->first);
    return true;
}

bool
int_decoder_done(const struct int_decoder *d)
{
    if (pack_of(d) == INT_PACK_ENTROPY)
        return entropy_decoder_done(&d->entropy);
    return d->in.p == d->in.end;
}

/* The value column: which codec wins. Decimal is tried first since nearly all measured and quoted
 * numbers are decimals; bit patterns when that leaves much; raw when nothing helps. */
#include "shards/series/block_priv.h"

/* Bit patterns are tried when the decimal column takes more than this. */
#define DECIMAL_GOOD_BITS 16

static bool
is_constant(const double *v, size_t n)
{
    uint64_t first = double_bits(v[0]), differ = 0;
    size_t i;

    for (i = 1; i < n; i++)
        differ |= double_bits(v[i]) ^ first;
    return differ == 0;
}

static void
bits_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    memcpy(spare, v, n * sizeof(*spare));
    int_encode(spare, n, effort, out);
}

static void
append_best(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    struct buf decimal = {0}, bits = {0};
    bool has_decimal = decimal_encode(v, n, spare, effort, &decimal);

    if (!has_decimal || decimal.n * 8 > n * DECIMAL_GOOD_BITS)
        bits_encode(v, n, spare, effort, &bits);
    if (has_decimal && decimal.n < n * sizeof(*v) && (!bits.n || decimal.n <= bits.n)) {
        buf_put_u8(out, VALUE_DECIMAL);
        buf_append(out, decimal.p, decimal.n);
    } else if (bits.n < n * sizeof(*v)) {
        buf_put_u8(out, VALUE_BITS);
        buf_append(out, bits.p, bits.n);
    } else {
        buf_put_u8(out, VALUE_RAW);
        buf_append(out, v, n * sizeof(*v));
    }
    buf_fini(&decimal);
    buf_fini(&bits);
}

void
value_encode(const double *v, size_t n, int64_t *spare, enum block_effort effort, struct buf *out)
{
    if (is_constant(v, n))
        buf_put_u8(out, VALUE_CONSTANT);
    else
        append_best(v, n, spare, effort, out);
}

/* --- decoding --------------------------------------------------------------------------------- */

bool
value_decoder_open(struct value_decoder *d, struct slice in, size_t n, double first)
{
    struct slice rest = {in.p + 1, in.n - 1};

    if (in.n == 0)
        return false;
    d->codec = (uint8_t)in.p[0];
    d->first = first;
    d->raw = cursor_of(rest);
    switch (d->codec) {
    case VALUE_CONSTANT:
        return rest.n == 0;
    case VALUE_RAW:
        return rest.n == n * sizeof(double);
    case VALUE_BITS:
        return int_decoder_init(&d->ints, rest);
    case VALUE_DECIMAL:
        return decimal_decoder_open(&d->decimal, rest, n);
    default:
        return false;
    }
}

static void
fill(double *v, uint32_t n, double with)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        v[i] = with;
}

bool
value_decoder_next(struct value_decoder *d, double *ret_v, uint32_t n)
{
    int64_t bits[INT_VECTOR];

    switch (d->codec) {
    case VALUE_CONSTANT:
        fill(ret_v, n, d->first);
        return true;
    case VALUE_RAW:
        memcpy(ret_v, cursor_take(&d->raw, n * sizeof(*ret_v)), n * sizeof(*ret_v));
        return true;
    case VALUE_BITS:
        if (!int_decoder_next(&d->ints, bits, n))
            return false;
        memcpy(ret_v, bits, n * sizeof(*ret_v));
        return true;
    default:
        return decimal_decoder_next(&d->decimal, ret_v, n);
    }
}

bool
value_decoder_done(const struct value_decoder *d)
{
    switch (d->codec) {
    case VALUE_BITS:
        return int_decoder_done(&d->ints);
    case VALUE_DECIMAL:
        return decimal_decoder_done(&d->decimal);
    default: /* sizes were right from the start */
        return true;
    }
}

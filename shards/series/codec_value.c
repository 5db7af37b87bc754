/* The value column: which codec wins. Decimal is tried first since nearly all measured and quoted
 * numbers are decimals; bit patterns when that leaves much; raw when nothing helps. */
#include "shards/series/block_priv.h"

#include <stdlib.h>

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
bits_encode(const double *v, size_t n, struct buf *out)
{
    int64_t *x = malloc(n * sizeof(*x));

    ASSERT(x);
    memcpy(x, v, n * sizeof(*x));
    int_encode(x, n, out);
    free(x);
}

static void
append_best(const double *v, size_t n, struct buf *out)
{
    struct buf decimal = {0}, bits = {0};
    bool has_decimal = decimal_encode(v, n, &decimal);

    if (!has_decimal || decimal.n * 8 > n * DECIMAL_GOOD_BITS)
        bits_encode(v, n, &bits);
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
value_encode(const struct sample *p, size_t n, struct buf *out)
{
    double *v = malloc(n * sizeof(*v));
    size_t i;

    ASSERT(v);
    for (i = 0; i < n; i++)
        v[i] = p[i].value;
    if (is_constant(v, n))
        buf_put_u8(out, VALUE_CONSTANT);
    else
        append_best(v, n, out);
    free(v);
}

static bool
constant_decode(struct slice in, size_t n, double first, struct sample *ret_points)
{
    size_t i;

    for (i = 0; i < n; i++)
        ret_points[i].value = first;
    return in.n == 0;
}

static bool
raw_decode(struct slice in, size_t n, struct sample *ret_points)
{
    size_t i;

    if (in.n != n * sizeof(double))
        return false;
    for (i = 0; i < n; i++)
        ret_points[i].value = bits_double(get_le64(in.p + i * sizeof(double)));
    return true;
}

static bool
bits_decode(struct slice in, size_t n, struct sample *ret_points)
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
        for (k = 0; k < piece; k++)
            ret_points[i + k].value = bits_double((uint64_t)x[k]);
    }
    return int_decoder_done(&d);
}

bool
value_decode(struct slice in, size_t n, double first, struct sample *ret_points)
{
    struct slice rest = {in.p + 1, in.n - 1};

    if (in.n == 0)
        return false;
    switch ((uint8_t)in.p[0]) {
    case VALUE_CONSTANT:
        return constant_decode(rest, n, first, ret_points);
    case VALUE_RAW:
        return raw_decode(rest, n, ret_points);
    case VALUE_BITS:
        return bits_decode(rest, n, ret_points);
    case VALUE_DECIMAL:
        return decimal_decode(rest, n, ret_points);
    default:
        return false;
    }
}

/* Values of samples as text: the notations of RedisTimeSeries, see number.h. */
#include "net/number.h"

#include <math.h>
#include <stdlib.h>

#include "net/number_priv.h"

/* Below this every double is printed without an exponent in RESP2: its last digit is behind the
 * point, or is the last of an integer. */
#define PLAIN_LIMIT 0x1p52
/* In RESP3: zeros that may follow the digits of an integer, decimals that never need an exponent,
 * and the exponent from which more decimals do. */
#define RESP3_ZEROS_LIMIT 7
#define RESP3_DECIMALS_LIMIT 7
#define RESP3_EXPONENT_LIMIT 4
/* Doubles of this size and above do not fit an int64. */
#define INT64_LIMIT 0x1p63

/* A value's digits without trailing zeros, as text: the first stands at 10^exponent. */
struct digits {
    char text[RESP_INT_TEXT_MAX];
    int n, exponent;
    int raw_exponent; /* of the last digit before zeros were taken away */
};

static struct digits
digits_of(double v)
{
    struct digits d;
    uint64_t digits;

    double_digits(v, &digits, &d.raw_exponent);
    d.n = (int)format_uint(d.text, digits);
    d.exponent = d.n - 1 + d.raw_exponent;
    while (d.n > 1 && d.text[d.n - 1] == '0')
        d.n--;
    return d;
}

static size_t
put_text(char *out, const char *text)
{
    size_t n = strlen(text);

    memcpy(out, text, n);
    return n;
}

static char *
put_mantissa(char *out, const struct digits *d)
{
    *out++ = d->text[0];
    if (d->n > 1) {
        *out++ = '.';
        memcpy(out, d->text + 1, (size_t)d->n - 1);
        out += d->n - 1;
    }
    return out;
}

static char *
put_resp2(char *out, double v)
{
    struct digits d = digits_of(v);

    if (v >= 1 && (v < PLAIN_LIMIT || d.raw_exponent <= 0))
        return number_put_fixed(out, d.text, d.n, d.exponent);
    out = put_mantissa(out, &d);
    *out++ = 'E';
    return out + format_int(out, d.exponent);
}

static char *
put_resp3(char *out, double v)
{
    struct digits d = digits_of(v);
    int last = d.exponent - d.n + 1; /* exponent of the last digit */

    if (last >= 0 && abs(d.exponent) < d.n + RESP3_ZEROS_LIMIT)
        return number_put_fixed(out, d.text, d.n, d.exponent);
    if (last < 0 && (last > -RESP3_DECIMALS_LIMIT || abs(d.exponent) < RESP3_EXPONENT_LIMIT))
        return number_put_fixed(out, d.text, d.n, d.exponent);
    out = put_mantissa(out, &d);
    *out++ = 'e';
    if (d.exponent >= 0)
        *out++ = '+';
    return out + format_int(out, d.exponent);
}

/* What both do alike: the sign, zero; then the rest by `put`. */
static size_t
put_signed(char *out, double v, char *(*put)(char *out, double v))
{
    char *start = out;

    if (signbit(v)) {
        *out++ = '-';
        v = -v;
    }
    if (v == 0)
        *out++ = '0';
    else
        out = put(out, v);
    return (size_t)(out - start);
}

size_t
format_sample_resp2(char out[RESP_DOUBLE_TEXT_MAX], double v)
{
    if (isnan(v))
        return put_text(out, "NaN");
    if (isinf(v))
        return put_text(out, v > 0 ? "Infinity" : "-Infinity");
    return put_signed(out, v, put_resp2);
}

size_t
format_sample_resp3(char out[RESP_DOUBLE_TEXT_MAX], double v)
{
    if (isnan(v))
        return put_text(out, "nan");
    if (isinf(v))
        return put_text(out, v > 0 ? "inf" : "-inf");
    if (v != 0 && fabs(v) < INT64_LIMIT && v == (double)(int64_t)v)
        return format_int(out, (int64_t)v);
    return put_signed(out, v, put_resp3);
}

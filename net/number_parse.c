/* Text to integers and doubles.
 *
 * A decimal is read as digits x 10^exponent. When the digits fit in 53 bits and the power is one a
 * double holds exactly, one multiplication or division of two exact numbers rounds once, which is
 * the correct rounding (W. D. Clinger, "How to read floating point numbers accurately", 1990).
 * Everything else is left to strtod, on a copy that ends in NUL. */
#include "net/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define INT_DIGITS_MAX 19
#define EXACT_DIGITS_MAX 19             /* digits that fit a uint64 whatever they are */
#define EXACT_MANTISSA_MAX (1ULL << 53) /* integers a double holds exactly */
#define EXACT_POWER_MAX 22              /* powers of ten a double holds exactly */
#define EXPONENT_TEXT_LIMIT 100000      /* far outside of any double; stops counting */

static const double exact_powers[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
parse_int(struct slice s, int64_t *ret_v)
{
    const char *p = s.p, *end = s.p + s.n;
    uint64_t v = 0, limit = INT64_MAX;
    bool negative = false;

    if (s.n > 0 && *p == '-') {
        negative = true;
        limit++;
        p++;
    }
    if (p == end || end - p > INT_DIGITS_MAX)
        return false;
    if (*p == '0' && s.n > 1)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        v = v * 10 + (uint64_t)(*p - '0');
    }
    if (v > limit)
        return false;
    *ret_v = (int64_t)(negative ? 0 - v : v);
    return true;
}

/* A number as it was written: what is needed for the fast way, and whether it is one at all. */
struct decimal {
    uint64_t mantissa; /* of the first EXACT_DIGITS_MAX significant digits */
    unsigned digits;   /* significant digits, leading zeros not counted */
    int64_t exponent;  /* of ten, for the mantissa */
    bool negative;
};

static const char *
take_digits(struct decimal *d, const char *p, const char *end)
{
    for (; p < end && is_digit(*p); p++) {
        d->digits += d->digits > 0 || *p != '0';
        if (d->digits <= EXACT_DIGITS_MAX)
            d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
    }
    return p;
}

/* What follows 'e'. NULL = no digits. */
static const char *
take_exponent(struct decimal *d, const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    const char *start;
    int64_t v = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (start = p; p < end && is_digit(*p); p++)
        if (v < EXPONENT_TEXT_LIMIT)
            v = v * 10 + (*p - '0');
    d->exponent += negative ? -v : v;
    return p > start ? p : NULL;
}

/* Reads [+-]digits[.digits][e[+-]digits] and nothing more. False = it is not one. */
static bool
read_decimal(struct slice s, struct decimal *d)
{
    const char *p = s.p, *end = s.p + s.n, *start, *point;
    size_t written;

    *d = (struct decimal){.negative = s.n > 0 && *p == '-'};
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    start = p;
    p = take_digits(d, p, end);
    written = (size_t)(p - start);
    if (p < end && *p == '.') {
        point = ++p;
        p = take_digits(d, p, end);
        written += (size_t)(p - point);
        d->exponent = -(p - point);
    }
    if (written == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E'))
        p = take_exponent(d, p + 1, end);
    return p == end;
}

static bool
parse_exactly(const struct decimal *d, double *ret_v)
{
    double v;

    if (d->digits > EXACT_DIGITS_MAX || d->mantissa > EXACT_MANTISSA_MAX ||
        d->exponent < -EXACT_POWER_MAX || d->exponent > EXACT_POWER_MAX)
        return false;
    v = (double)d->mantissa;
    v = d->exponent < 0 ? v / exact_powers[-d->exponent] : v * exact_powers[d->exponent];
    *ret_v = d->negative ? -v : v;
    return true;
}

/* s is known to be a decimal. */
static bool
parse_with_libc(struct slice s, double *ret_v)
{
    char text[PARSE_DOUBLE_TEXT_MAX + 1];
    char *end;
    double v;

    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    errno = 0;
    v = strtod(text, &end);
    if (end != text + s.n)
        return false;
    if (errno == ERANGE && (isinf(v) || v == 0))
        return false;
    *ret_v = v;
    return true;
}

static bool
parse_special(struct slice s, double *ret_v)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    double v;

    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s = (struct slice){s.p + 1, s.n - 1};
    if (slice_is(s, "inf") || slice_is(s, "infinity"))
        v = HUGE_VAL;
    else if (slice_is(s, "nan"))
        v = NAN;
    else
        return false;
    *ret_v = negative ? -v : v;
    return true;
}

bool
parse_double(struct slice s, double *ret_v)
{
    struct decimal d;

    if (s.n == 0 || s.n > PARSE_DOUBLE_TEXT_MAX)
        return false;
    if (!read_decimal(s, &d))
        return parse_special(s, ret_v);
    if (likely(parse_exactly(&d, ret_v)))
        return true;
    return parse_with_libc(s, ret_v);
}

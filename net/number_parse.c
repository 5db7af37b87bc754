/* Text to integers and doubles.
 *
 * A decimal is read as digits x 10^exponent. When the digits fit in 53 bits and the power is one a
 * double holds exactly, one multiplication or division of two exact numbers rounds once, which is
 * the correct rounding (W. D. Clinger, "How to read floating point numbers accurately", 1990).
 * Otherwise a 64-bit mantissa times a 128-bit power of ten decides it (D. Lemire, "Number parsing
 * at a gigabyte per second", 2021; that the 128 bits always suffice: N. Mushtak and D. Lemire,
 * "Fast number parsing without fallback", 2023). More than 19 digits are tried with the digit after
 * them as 0 and as 1 higher; if that is not the same double, strtod has the last word, on a copy
 * that ends in NUL. */
#include "net/number.h"

#include <math.h>
#include <stdlib.h>

#include "net/number_priv.h"

#define INT_DIGITS_MAX 19
#define EXACT_DIGITS_MAX 19             /* digits that fit a uint64 whatever they are */
#define EXACT_MANTISSA_MAX (1ULL << 53) /* integers a double holds exactly */
#define EIGHT_ZEROS 0x3030303030303030ULL /* as text */
#define EIGHT_POINTS 0x2e2e2e2e2e2e2e2eULL
#define SHORT_TEXT_MAX 18               /* characters; the digits among them fit a uint64 */
#define EXACT_POWER_MAX 22              /* powers of ten a double holds exactly */
#define EXPONENT_TEXT_LIMIT 100000      /* far outside of any double; stops counting */
#define DOUBLE_POW10_MAX 308            /* 1 x 10^309 is infinite */
#define INFINITY_BITS ((uint64_t)DOUBLE_EXPONENT_MAX << DOUBLE_FRACTION_BITS)
/* Of 64 bits of a product 55 are kept at most: 52, the hidden one, one to round by, a leading 0. */
#define KEPT_BELOW_MASK ((1ULL << (64 - DOUBLE_FRACTION_BITS - 3)) - 1)
/* 64 bits times 5^e or over 5^-e can end exactly half way between two doubles only for these. */
#define TIE_POW10_MIN (-4)
#define TIE_POW10_MAX 23

static const double exact_powers[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const uint64_t small_powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* Eight digits at once, the first one in the lowest byte: all are checked, then neighbours become pairs,
 * fours, and one number. */
static inline bool
read_eight_digits(uint64_t x, uint64_t *ret)
{
    uint64_t pairs_even, pairs_odd;

    if ((x & 0xf0f0f0f0f0f0f0f0ULL) != EIGHT_ZEROS ||
        ((x + 0x0606060606060606ULL) & 0xf0f0f0f0f0f0f0f0ULL) != EIGHT_ZEROS)
        return false;
    x -= EIGHT_ZEROS;
    x = x * 10 + (x >> 8); /* every other byte is a pair now */
    pairs_even = x & 0x000000ff000000ffULL;
    pairs_odd = x >> 16 & 0x000000ff000000ffULL;
    *ret = (pairs_even * (100 + (1000000ULL << 32)) + pairs_odd * (1 + (10000ULL << 32))) >> 32;
    return true;
}

/* The first n of eight bytes as the last ones, with the digit 0 before them. */
static inline uint64_t
put_last(uint64_t x, unsigned n)
{
    return n == 8 ? x : x << (64 - 8 * n) | EIGHT_ZEROS >> 8 * n;
}

/* The n < 8 digits before `end`, which has at least eight readable bytes before it. */
static inline bool
take_last_digits(const char *end, unsigned n, uint64_t *v)
{
    uint64_t x;

    if (!read_eight_digits(put_last(get_le64(end - 8) >> (64 - 8 * n), n), &x))
        return false;
    *v = *v * small_powers[n] + x;
    return true;
}

bool
parse_int(struct slice s, int64_t *ret_v)
{
    const char *p = s.p, *end = s.p + s.n;
    uint64_t v = 0, limit = INT64_MAX, eight;
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
    if (end - p >= 8) {
        for (; end - p >= 8; p += 8) {
            if (!read_eight_digits(get_le64(p), &eight))
                return false;
            v = v * 100000000 + eight;
        }
        if (p < end && !take_last_digits(end, (unsigned)(end - p), &v))
            return false;
    } else {
        for (; p < end; p++) {
            if (!is_digit(*p))
                return false;
            v = v * 10 + (uint64_t)(*p - '0');
        }
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
    double v = (double)d->mantissa;

    if (d->digits > EXACT_DIGITS_MAX || d->mantissa > EXACT_MANTISSA_MAX)
        return false;
    if (d->exponent < 0 && d->exponent >= -EXACT_POWER_MAX)
        v /= exact_powers[-d->exponent];
    else if (d->exponent >= 0 && d->exponent <= EXACT_POWER_MAX)
        v *= exact_powers[d->exponent];
    else if (d->mantissa > 0)
        return false;
    *ret_v = d->negative ? -v : v;
    return true;
}

/* w x 10^e as the bits of the nearest double, 0 or infinity when there is none. w > 0. */
static uint64_t
nearest_double(uint64_t w, int64_t e)
{
    int zeros = __builtin_clzll(w), shift, exponent;
    uint64_t high, low, m;
    unsigned __int128 product;
    const struct pow10 *power;

    if (e < POW10_MIN)
        return 0;
    if (e > DOUBLE_POW10_MAX)
        return INFINITY_BITS;
    power = &number_pow10[e - POW10_MIN];
    product = (unsigned __int128)(w << zeros) * power->hi;
    /* The lower half of the power matters only if it could carry into the bits that are kept. */
    if (((uint64_t)(product >> 64) & KEPT_BELOW_MASK) == KEPT_BELOW_MASK)
        product += (uint64_t)(((unsigned __int128)(w << zeros) * power->lo) >> 64);
    high = (uint64_t)(product >> 64);
    low = (uint64_t)product;
    shift = (int)(high >> 63) + 64 - DOUBLE_FRACTION_BITS - 3;
    m = high >> shift; /* 54 bits: one more than a double has, to round by */
    exponent = floor_log2_pow10((int)e) + 63 + (int)(high >> 63) - zeros + DOUBLE_EXPONENT_BIAS;
    if (exponent <= 0) { /* subnormal: fewer bits, the last of them to round by */
        if (exponent <= -63)
            return 0;
        m >>= 1 - exponent;
        m = (m + (m & 1)) >> 1;
        return m; /* rounded up to 2^52 it is the smallest normal one, by its layout */
    }
    /* Exactly half way, possible for small powers only: to the even neighbour. */
    if (low <= 1 && e >= TIE_POW10_MIN && e <= TIE_POW10_MAX && (m & 3) == 1 && m << shift == high)
        m &= ~1ULL;
    m = (m + (m & 1)) >> 1;
    /* The hidden bit counts one up in the exponent, and a mantissa rounded up to 2^53 one more. */
    m += (uint64_t)(exponent - 1) << DOUBLE_FRACTION_BITS;
    return MIN(m, INFINITY_BITS);
}

/* False: the digits that were left out could matter. */
static bool
parse_widely(const struct decimal *d, uint64_t *ret_bits)
{
    int64_t e = d->exponent;

    if (d->digits <= EXACT_DIGITS_MAX) {
        *ret_bits = nearest_double(d->mantissa, e);
        return true;
    }
    e += d->digits - EXACT_DIGITS_MAX;
    *ret_bits = nearest_double(d->mantissa, e);
    return *ret_bits == nearest_double(d->mantissa + 1, e);
}

/* s is known to be a decimal above zero. */
static uint64_t
parse_with_libc(struct slice s)
{
    char text[PARSE_DOUBLE_TEXT_MAX + 1];
    uint64_t bits;
    double v;

    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    v = fabs(strtod(text, NULL));
    memcpy(&bits, &v, sizeof(bits));
    return bits;
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

#define EIGHT_TEXT_MIN 4

/* Four to eight characters, digits and perhaps a point among them, all at once. False: look closer. */
static inline bool
parse_eight(const char *p, size_t n, double *ret_v)
{
    uint64_t x = get_le32(p) | (uint64_t)get_le32(p + n - 4) << 8 * (n - 4);
    uint64_t y = x ^ EIGHT_POINTS, point, v;
    unsigned digits = (unsigned)n, decimals = 0;

    point = (y - 0x0101010101010101ULL) & ~y & 0x8080808080808080ULL; /* the lowest one is right */
    if (point) {
        unsigned at = (unsigned)__builtin_ctzll(point) / 8;
        uint64_t before = (1ULL << 8 * at) - 1;

        x = (x & before) | (x >> 8 & ~before);
        digits--;
        decimals = digits - at;
    }
    if (!read_eight_digits(put_last(x, digits), &v))
        return false;
    *ret_v = decimals ? (double)v / exact_powers[decimals] : (double)v;
    return true;
}

/* Most numbers are short and have nothing but digits, a point and a sign. False: look closer. */
static inline bool
parse_short(struct slice s, double *ret_v)
{
    const char *p = s.p, *end = s.p + s.n, *point = NULL;
    bool negative = *p == '-';
    size_t digits = s.n - negative;
    uint64_t v = 0;
    double d;

    if (digits >= EIGHT_TEXT_MIN && digits <= 8 && parse_eight(p + negative, digits, &d)) {
        *ret_v = negative ? -d : d;
        return true;
    }
    for (p += negative; p < end; p++) {
        if (is_digit(*p)) {
            v = v * 10 + (uint64_t)(*p - '0');
        } else {
            if (*p != '.' || point)
                return false;
            point = p;
            digits--;
        }
    }
    if (digits == 0 || v > EXACT_MANTISSA_MAX)
        return false;
    d = (double)v;
    if (point)
        d /= exact_powers[end - point - 1];
    *ret_v = negative ? -d : d;
    return true;
}

bool
parse_double(struct slice s, double *ret_v)
{
    struct decimal d;
    uint64_t bits;

    if (s.n == 0 || s.n > PARSE_DOUBLE_TEXT_MAX)
        return false;
    if (likely(s.n <= SHORT_TEXT_MAX && parse_short(s, ret_v)))
        return true;
    if (unlikely(!read_decimal(s, &d)))
        return parse_special(s, ret_v);
    if (likely(parse_exactly(&d, ret_v)))
        return true;
    if (!parse_widely(&d, &bits))
        bits = parse_with_libc(s);
    if (bits == 0 || bits == INFINITY_BITS)
        return false;
    bits |= (uint64_t)d.negative << 63;
    memcpy(ret_v, &bits, sizeof(*ret_v));
    return true;
}

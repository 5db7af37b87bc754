/* Integers and doubles to text.
 *
 * A double is turned into its shortest digits and a decimal exponent first, and into text after.
 * The doubles people send are short decimals (100.5, 0.25, 1700000000): for those the digits are
 * found by multiplying with growing powers of ten until nothing is left behind the point, at the
 * price of a few multiplications and one division. Everything else takes the general way: the
 * Schubfach algorithm (R. Giulietti, "The Schubfach way to render doubles", 2020), three
 * multiplications of 64 by 128 bits. */
#include "net/number.h"

#include <math.h>
#include <stdlib.h>

#include "net/number_priv.h"

/* Decimals of up to 15 digits are further apart than doubles are: one that reads back as v is the
 * only one of its length. Beyond that the nearest of several has to be chosen: the general way. */
#define SHORT_DIGITS_LIMIT 1e15
/* Past this the general way is the cheaper one: a power tried costs 2 to 3 ns, it costs 30. */
#define SHORT_DECIMALS_MAX 6
/* Where %.17g changes to an exponent. */
#define FIXED_EXPONENT_MIN (-4)
#define FIXED_EXPONENT_MAX 16

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static const uint64_t powers_of_ten[20] = {
    1ULL,
    10ULL,
    100ULL,
    1000ULL,
    10000ULL,
    100000ULL,
    1000000ULL,
    10000000ULL,
    100000000ULL,
    1000000000ULL,
    10000000000ULL,
    100000000000ULL,
    1000000000000ULL,
    10000000000000ULL,
    100000000000000ULL,
    1000000000000000ULL,
    10000000000000000ULL,
    100000000000000000ULL,
    1000000000000000000ULL,
    10000000000000000000ULL,
};

/* log10 from the bit length (1233/4096 is just above log10 of 2), put right by one comparison. */
static inline unsigned
count_digits(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    unsigned low = (bits * 1233) >> 12;

    return low + (v >= powers_of_ten[low]) + (v == 0);
}

/* The lower eight digits, in two halves that do not wait for each other. */
static inline void
put_eight(char *out, uint32_t v)
{
    uint32_t high = v / 10000, low = v % 10000;

    memcpy(out, digit_pairs + high / 100 * 2, 2);
    memcpy(out + 2, digit_pairs + high % 100 * 2, 2);
    memcpy(out + 4, digit_pairs + low / 100 * 2, 2);
    memcpy(out + 6, digit_pairs + low % 100 * 2, 2);
}

static inline size_t
put_uint(char *out, uint64_t v)
{
    unsigned n = count_digits(v), at = n;

    while (v >= 100000000) {
        at -= 8;
        put_eight(out + at, (uint32_t)(v % 100000000));
        v /= 100000000;
    }
    while (v >= 100) {
        at -= 2;
        memcpy(out + at, digit_pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10)
        memcpy(out, digit_pairs + v * 2, 2);
    else
        out[0] = (char)('0' + v);
    return n;
}

size_t
format_uint(char out[RESP_INT_TEXT_MAX], uint64_t v)
{
    return put_uint(out, v);
}

size_t
format_int(char out[RESP_INT_TEXT_MAX], int64_t v)
{
    if (v >= 0)
        return put_uint(out, (uint64_t)v);
    out[0] = '-';
    return 1 + put_uint(out + 1, 0 - (uint64_t)v);
}

static char *
put_zeros(char *out, int n)
{
    memset(out, '0', (size_t)n);
    return out + n;
}

char *
number_put_fixed(char *out, const char *digits, int n, int exponent)
{
    int whole = exponent + 1;

    if (whole <= 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_zeros(out, -whole);
        memcpy(out, digits, (size_t)n);
        return out + n;
    }
    if (whole >= n) {
        memcpy(out, digits, (size_t)n);
        return put_zeros(out + n, whole - n);
    }
    memcpy(out, digits, (size_t)whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, (size_t)(n - whole));
    return out + n + 1;
}

/* As printf: a sign and at least two digits. */
static char *
put_exponent(char *out, int exponent)
{
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    exponent = abs(exponent);
    if (exponent < 10)
        *out++ = '0';
    return out + put_uint(out, (uint64_t)exponent);
}

/* digits x 10^decimal_exponent, without trailing zeros in the digits. */
static char *
put_decimal(char *out, uint64_t digits, int decimal_exponent)
{
    char text[RESP_INT_TEXT_MAX];
    int n = (int)put_uint(text, digits);
    int exponent = n - 1 + decimal_exponent;

    while (n > 1 && text[n - 1] == '0')
        n--;
    if (exponent >= FIXED_EXPONENT_MIN && exponent <= FIXED_EXPONENT_MAX)
        return number_put_fixed(out, text, n, exponent);
    *out++ = text[0];
    if (n > 1) {
        *out++ = '.';
        memcpy(out, text + 1, (size_t)n - 1);
        out += n - 1;
    }
    return put_exponent(out, exponent);
}

/* v = *ret_digits / 10^*ret_decimals exactly as strtod would read it. v is finite and above 0. */
static bool
short_decimal(double v, uint64_t *ret_digits, int *ret_decimals)
{
    int k;

    for (k = 0; k <= SHORT_DECIMALS_MAX; k++) {
        double power = (double)powers_of_ten[k], scaled = v * power;
        uint64_t digits;

        if (scaled >= SHORT_DIGITS_LIMIT)
            return false;
        digits = (uint64_t)(scaled + 0.5);
        /* Two roundings away at most, or it is not worth the division that proves it. */
        if (fabs(scaled - (double)digits) > scaled * 0x1p-52 || digits == 0)
            continue;
        if ((double)digits / power == v) {
            *ret_digits = digits;
            *ret_decimals = k;
            return true;
        }
    }
    return false;
}

/* floor(g x c / 2^128), the lowest bit set if anything was cut off: that is enough to compare the
 * result with multiples of four. */
static inline uint64_t
multiply_round_to_odd(struct pow10 g, uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g.lo * c;
    unsigned __int128 high = (unsigned __int128)g.hi * c + (uint64_t)(low >> 64);

    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The power rounded up, as the proof wants it. */
static inline struct pow10
pow10_up(int e)
{
    struct pow10 g = number_pow10[e - POW10_MIN];

    if (e > POW10_EXACT_MAX) {
        g.lo++;
        g.hi += g.lo == 0;
    }
    return g;
}

/* What rounds to v = c x 2^q lies between the middles to its neighbours. Scaled by 10^-k, with k so
 * that the interval is between 1 and 10 wide, it holds a multiple of ten or else an integer.
 * All is kept in quarters: v, the middles and the candidates are then integers. */
static void
shortest_decimal(double v, uint64_t *ret_digits, int *ret_exponent)
{
    uint64_t bits, fraction, c, lower, upper, middle, s, tens;
    int e, q, k, h;
    bool odd, narrow_below, low_in, high_in;
    struct pow10 g;

    memcpy(&bits, &v, sizeof(bits));
    fraction = bits & (DOUBLE_HIDDEN_BIT - 1);
    e = (int)(bits >> DOUBLE_FRACTION_BITS);
    c = e ? fraction | DOUBLE_HIDDEN_BIT : fraction;
    q = (e ? e : 1) - DOUBLE_EXPONENT_BIAS - DOUBLE_FRACTION_BITS;
    odd = c & 1; /* an interval around an odd c does not include its ends */
    narrow_below = fraction == 0 && e > 1;
    k = narrow_below ? (q * 1262611 - 524031) >> 22 : floor_log10_pow2(q);
    h = q + floor_log2_pow10(-k) + 1;
    g = pow10_up(-k);
    lower = multiply_round_to_odd(g, (4 * c - 2 + narrow_below) << h) + odd;
    middle = multiply_round_to_odd(g, (4 * c) << h);
    upper = multiply_round_to_odd(g, (4 * c + 2) << h) - odd;
    s = middle / 4;
    tens = s / 10;
    *ret_exponent = k + 1;
    low_in = tens > 0 && lower <= 40 * tens;
    high_in = tens > 0 && 40 * tens + 40 <= upper;
    *ret_digits = tens + high_in;
    if (low_in != high_in)
        return;
    *ret_exponent = k;
    low_in = lower <= 4 * s;
    high_in = 4 * s + 4 <= upper;
    if (low_in == high_in) /* both or neither: the nearer, at a tie the even one */
        high_in = middle > 4 * s + 2 || (middle == 4 * s + 2 && (s & 1));
    *ret_digits = s + high_in;
}

static size_t
put_text(char *out, const char *text)
{
    size_t n = strlen(text);

    memcpy(out, text, n);
    return n;
}

void
double_digits(double v, uint64_t *ret_digits, int *ret_exponent)
{
    int decimals;

    if (short_decimal(v, ret_digits, &decimals))
        *ret_exponent = -decimals;
    else
        shortest_decimal(v, ret_digits, ret_exponent);
}

size_t
format_double(char out[RESP_DOUBLE_TEXT_MAX], double v)
{
    char *start = out;
    uint64_t digits;
    int exponent;

    if (isnan(v))
        return put_text(out, "nan");
    if (isinf(v))
        return put_text(out, v > 0 ? "inf" : "-inf");
    if (signbit(v)) {
        *out++ = '-';
        v = -v;
    }
    if (v == 0) {
        *out++ = '0';
        return (size_t)(out - start);
    }
    double_digits(v, &digits, &exponent);
    return (size_t)(put_decimal(out, digits, exponent) - start);
}

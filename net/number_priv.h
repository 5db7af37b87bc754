/* What the files about numbers share: powers of ten to 128 bits, for both directions between text
 * and doubles, and the digits of a double, for every way to write them. */
#ifndef NET_NUMBER_PRIV_H
#define NET_NUMBER_PRIV_H

#include "core/base.h"

#define POW10_MIN (-342)   /* lower: 10^19 x 10^e is below half of the smallest double */
#define POW10_MAX 324      /* brings the smallest double above 1 */
#define POW10_EXACT_MAX 55 /* 0..55 fit into 128 bits */

/* 10^e = (hi:lo) x 2^(floor(log2(10^e)) - 127), the highest bit of hi is set. Exact from 0 to
 * POW10_EXACT_MAX, cut off above, rounded up below: a number over a power of ten that ends exactly
 * half way between two doubles then comes out just above the middle, never just below. */
struct pow10 {
    uint64_t hi, lo;
};

extern const struct pow10 number_pow10[POW10_MAX - POW10_MIN + 1];

/* Layout of a double. */
#define DOUBLE_FRACTION_BITS 52
#define DOUBLE_HIDDEN_BIT (1ULL << DOUBLE_FRACTION_BITS)
#define DOUBLE_EXPONENT_MAX 0x7ff
#define DOUBLE_EXPONENT_BIAS 1023

/* floor(log2(10^e)) and floor(log10(2^e)), exact for every exponent a double can have. */
static inline int
floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

static inline int
floor_log10_pow2(int e)
{
    return (e * 1262611) >> 22;
}

/* The shortest digits of a double that is finite and above 0: v reads back from digits x
 * 10^exponent. The digits may end in zeros. */
void double_digits(double v, uint64_t *ret_digits, int *ret_exponent);
/* n digits as a decimal without an exponent, the first of them at 10^exponent. Returns the end. */
char *number_put_fixed(char *out, const char *digits, int n, int exponent);

#endif

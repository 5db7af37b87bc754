/* The k-th smallest of n numbers, in a time that no order of them makes worse: eight rounds at most,
 * each keeping the numbers that have the digit of the one looked for, a digit being the highest bits in
 * which numbers differ. As integers whose order is that of the numbers. */
#include "shards/series/aggregate_priv.h"

#include <stdlib.h>

#define DIGIT_BITS 8

static uint64_t
ordered_bits(double v)
{
    uint64_t u;

    memcpy(&u, &v, sizeof(u));
    return u >> 63 ? ~u : u | 1ull << 63;
}

static double
from_ordered(uint64_t u)
{
    double v;

    u = u >> 63 ? u & ~(1ull << 63) : ~u;
    memcpy(&v, &u, sizeof(v));
    return v;
}

static uint64_t
bits_that_differ(const uint64_t *u, uint32_t n)
{
    uint64_t differ = 0;

    for (uint32_t i = 1; i < n; i++)
        differ |= u[i] ^ u[0];
    return differ;
}

/* Where the digit begins: none of them differ above it. */
static unsigned
shift_of(uint64_t differ)
{
    unsigned highest = 64 - (unsigned)__builtin_clzll(differ);

    return highest > DIGIT_BITS ? highest - DIGIT_BITS : 0;
}

static uint32_t
digit_at(uint64_t u, unsigned shift)
{
    return (uint32_t)(u >> shift) & ((1u << DIGIT_BITS) - 1);
}

/* The digit of the k-th of them. *k = its place among those that have it. */
static uint32_t
find_digit(const uint64_t *u, uint32_t n, unsigned shift, uint32_t *k)
{
    uint32_t count[1 << DIGIT_BITS] = {0}, digit = 0;

    for (uint32_t i = 0; i < n; i++)
        count[digit_at(u[i], shift)]++;
    while (*k >= count[digit])
        *k -= count[digit++];
    return digit;
}

/* Puts those with the digit first and returns how many they are. Without a branch that the processor
 * would have to guess. */
static uint32_t
put_first(uint64_t *u, uint32_t n, unsigned shift, uint32_t digit)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = u[i];

        u[i] = u[found];
        u[found] = x;
        found += digit_at(x, shift) == digit;
    }
    return found;
}

double
ranked_select(struct ranked *r, uint32_t k)
{
    uint32_t n = r->n;
    uint64_t differ;
    unsigned shift;

    ASSERT(k < n);
    while ((differ = bits_that_differ(r->u, n)) != 0) {
        shift = shift_of(differ);
        n = put_first(r->u, n, shift, find_digit(r->u, n, shift, &k));
    }
    return from_ordered(r->u[0]);
}

int
ranked_add(struct ranked *r, const struct sample *p, uint32_t n)
{
    if (r->n + n > AGGREGATE_RANKED_MAX)
        return -EOVERFLOW;
    if (r->n + n > r->cap) {
        r->cap = MAX(r->n + n, r->cap ? 2 * r->cap : 64);
        r->u = realloc(r->u, r->cap * sizeof(*r->u));
        ASSERT(r->u);
    }
    for (uint32_t i = 0; i < n; i++)
        r->u[r->n + i] = ordered_bits(p[i].value);
    r->n += n;
    return 0;
}

void
ranked_fini(struct ranked *r)
{
    free(r->u);
    *r = (struct ranked){0};
}

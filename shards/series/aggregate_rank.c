/* The k-th smallest of n numbers, in a time that no order of them makes worse: eight rounds at most,
 * each keeping the numbers whose next byte is that of the one looked for. As integers whose order is
 * that of the numbers. */
#include "shards/series/aggregate_priv.h"

#include <stdlib.h>

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

/* Puts those whose byte at `shift` is smaller than `byte` first, then the equal ones, then the
 * others; *ret_from and *ret_to = where the equal ones are. */
static void
partition(uint64_t *u, uint32_t n, unsigned shift, uint8_t byte, uint32_t *ret_from,
          uint32_t *ret_to)
{
    uint32_t low = 0, i = 0, high = n;

    while (i < high) {
        uint8_t x = (uint8_t)(u[i] >> shift);
        uint64_t swap = u[i];

        if (x < byte) {
            u[i++] = u[low];
            u[low++] = swap;
        } else if (x > byte) {
            u[i] = u[--high];
            u[high] = swap;
        } else {
            i++;
        }
    }
    *ret_from = low;
    *ret_to = high;
}

/* The byte at `shift` of the k-th of them, all equal above it. */
static uint8_t
byte_of(const uint64_t *u, uint32_t n, unsigned shift, uint32_t k)
{
    uint32_t count[256] = {0}, below = 0, byte = 0;

    for (uint32_t i = 0; i < n; i++)
        count[(uint8_t)(u[i] >> shift)]++;
    while (below + count[byte] <= k)
        below += count[byte++];
    return (uint8_t)byte;
}

double
ranked_select(struct ranked *r, uint32_t k)
{
    uint64_t *u = r->u;
    uint32_t n = r->n, from, to;

    ASSERT(k < n);
    for (unsigned shift = 64; shift > 0 && n > 1;) {
        shift -= 8;
        partition(u, n, shift, byte_of(u, n, shift, k), &from, &to);
        u += from;
        n = to - from;
        k -= from;
    }
    return from_ordered(u[k]);
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

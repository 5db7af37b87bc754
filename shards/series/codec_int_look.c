/* What kind of column is this? See codec_int_priv.h. */
#include "shards/series/codec_int_priv.h"

#define LOOK_RUN 4       /* so many beside each other, lest a pattern hides between them */
#define DIVISOR_FIRST 16 /* values whose common divisor is looked for at first */
#define LOOK_MARGIN 0.15 /* a way that looks so much worse, and a bit a point, is not tried */

/* --- common divisor --------------------------------------------------------------------------- */

static uint64_t
gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* Most differences fit 32 bits, where dividing is several times faster. */
static inline bool
divides(uint64_t g, uint64_t size)
{
    if (likely((g | size) <= UINT32_MAX))
        return (uint32_t)size % (uint32_t)g == 0;
    return size % g == 0;
}

/* The greatest divisor of g and every x[i] - x[0] (wrapped, so that the quotients are exact in any
 * case), in steps; stops at 1. */
static uint64_t
divisor_of(const int64_t *x, size_t n, size_t step, uint64_t g)
{
    size_t i;

    for (i = step; i < n && g != 1; i += step) {
        int64_t e = (int64_t)((uint64_t)x[i] - (uint64_t)x[0]);
        uint64_t size = e < 0 ? 0 - (uint64_t)e : (uint64_t)e;
        if (size && (g == 0 || !divides(g, size)))
            g = gcd(size, g);
    }
    return g;
}

/* Inverse of an odd number modulo 2^64: Newton's iteration doubles the right bits each time. */
static uint64_t
inverse_of(uint64_t odd)
{
    uint64_t inverse = odd;
    unsigned k;

    for (k = 0; k < 5; k++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

/* Is nothing left to find out? No g beyond INT64_MAX is of use; 0 says that all values seen are the
 * same. */
static bool
is_divisor(const int64_t *x, size_t n, uint64_t g)
{
    return g == 1 || g > INT64_MAX ||
           (g && codec_kernels->multiples((const uint64_t *)x, (uint32_t)n, (uint64_t)x[0], g,
                                          inverse_of(g >> __builtin_ctzll(g))));
}

/* A few values tell at once that there is none, or which one it is likely to be: the first ones in
 * most columns, those here and there in columns that begin with a pattern. */
uint64_t
int_divisor(const int64_t *x, size_t n)
{
    uint64_t g = divisor_of(x, MIN(n, (size_t)DIVISOR_FIRST), 1, 0);

    if (!is_divisor(x, n, g))
        g = divisor_of(x, n, n / LOOK_POINTS + 1, g);
    if (!is_divisor(x, n, g))
        g = divisor_of(x, n, 1, g);
    return g == 0 || g > INT64_MAX ? 1 : g;
}

void
int_normalise(int64_t *x, size_t n, uint64_t g)
{
    uint64_t *y = (uint64_t *)x, first = y[0];

    if (g == 1)
        codec_kernels->affine(y, (uint32_t)n, 1, 0 - first);
    else
        codec_kernels->divide(y, (uint32_t)n, first, g, inverse_of(g >> __builtin_ctzll(g)));
}

/* --- a first look ----------------------------------------------------------------------------- */

/* The median of one value of each run. */
static int64_t
usual_of(const int64_t *v, unsigned n)
{
    int64_t sorted[LOOK_POINTS / LOOK_RUN + 1];
    unsigned i, k, m = 0;

    for (i = 0; i < n; i += LOOK_RUN) {
        for (k = m++; k > 0 && sorted[k - 1] > v[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = v[i];
    }
    return sorted[m / 2];
}

static void
look_at(const int64_t *y, size_t at, int64_t origin, struct int_look *l)
{
    size_t before = at - 1, first = before ? before - 1 : 0;
    unsigned i = l->n++;

    l->y[i] = y[at];
    l->d[i] = (int64_t)((uint64_t)y[at] - (uint64_t)y[before]);
    l->changed[i] = ((uint64_t)y[at] + (uint64_t)origin) ^ ((uint64_t)y[before] + (uint64_t)origin);
    l->d2[i] = (int64_t)((uint64_t)l->d[i] - ((uint64_t)y[before] - (uint64_t)y[first]));
}

void
int_take_look(const int64_t *y, size_t n, int64_t origin, struct int_look *l)
{
    const size_t runs = LOOK_POINTS / LOOK_RUN;
    size_t i, k;

    l->n = 0;
    if (n <= LOOK_POINTS)
        for (i = 1; i < n; i++)
            look_at(y, i, origin, l);
    else
        for (i = 0; i < runs; i++)
            for (k = 0; k < LOOK_RUN; k++)
                look_at(y, 1 + i * (n - 1 - LOOK_RUN) / (runs - 1) + k, origin, l);
    l->usual = l->n ? usual_of(l->d, l->n) : 0;
}

static unsigned
bits_above(const int64_t *v, unsigned n)
{
    int64_t low = INT64_MAX;
    unsigned i, bits = 0;

    for (i = 0; i < n; i++)
        low = MIN(low, v[i]);
    for (i = 0; i < n; i++)
        bits += bit_width((uint64_t)v[i] - (uint64_t)low);
    return bits;
}

static unsigned
bits_around(const int64_t *v, unsigned n, int64_t centre)
{
    unsigned i, bits = 0;

    for (i = 0; i < n; i++)
        bits += bit_width(zigzag((int64_t)((uint64_t)v[i] - (uint64_t)centre)));
    return bits;
}

static unsigned
bits_changed(const struct int_look *l)
{
    unsigned shift, i, bits = 0;
    uint64_t any = 0;

    for (i = 0; i < l->n; i++)
        any |= l->changed[i];
    shift = any ? (unsigned)__builtin_ctzll(any) : 0;
    for (i = 0; i < l->n; i++)
        bits += bit_width(l->changed[i] >> shift);
    return bits;
}

unsigned
int_look_bits(const struct int_look *l, enum int_way way)
{
    switch (way) {
    case INT_WAY_PLAIN:
        return bits_above(l->y, l->n);
    case INT_WAY_ABOVE:
        return bits_above(l->d, l->n);
    case INT_WAY_AROUND:
        return bits_around(l->d, l->n, l->usual);
    case INT_WAY_XOR:
        return bits_changed(l);
    default:
        return bits_around(l->d2, l->n, 0);
    }
}

void
int_choose_ways(const struct int_look *l, unsigned ways, bool worth[INT_WAYS])
{
    unsigned bits[INT_WAYS], least = UINT_MAX, way;

    for (way = 0; way < ways; way++) {
        bits[way] = int_look_bits(l, way);
        least = MIN(least, bits[way]);
    }
    for (way = 0; way < INT_WAYS; way++)
        worth[way] = way < ways && bits[way] <= least * (1 + LOOK_MARGIN) + l->n;
}

/* --- the one best way ------------------------------------------------------------------------- */

/* The residuals that a way would leave. */
static void
look_residuals(const struct int_look *l, enum int_way way, uint64_t *ret_r)
{
    const int64_t *v = way == INT_WAY_PLAIN ? l->y : way == INT_WAY_TWICE ? l->d2 : l->d;
    int64_t low = way == INT_WAY_AROUND ? l->usual : 0, unused;

    if (!int_way_is_signed(way))
        codec_kernels->range((const uint64_t *)v, l->n, &low, &unused);
    memcpy(ret_r, v, l->n * sizeof(*ret_r));
    codec_kernels->affine(ret_r, l->n, 1, 0 - (uint64_t)low);
    if (int_way_is_signed(way))
        codec_kernels->zigzag(ret_r, l->n);
}

enum int_way
int_best_way(const struct int_look *l)
{
    size_t bits, least = SIZE_MAX;
    uint64_t r[LOOK_POINTS];
    enum int_way way, best = INT_WAY_PLAIN;

    for (way = 0; l->n > 0 && way < INT_WAYS_OF_NUMBERS; way++) {
        look_residuals(l, way, r);
        bits = int_vector_sample_bits(r, l->n);
        if (bits < least) {
            least = bits;
            best = way;
        }
    }
    return best;
}

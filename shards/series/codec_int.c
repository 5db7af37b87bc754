/* Encoding of integer columns: see codec_int.h for what is tried. */
#include "shards/series/codec_int.h"

#include <stdlib.h>

#define ENTROPY_MUST_SAVE 0.05
#define LOOK_POINTS 64   /* of a column, to see which ways are worth trying */
#define LOOK_RUN 4       /* so many beside each other, lest a pattern hides between them */
#define LOOK_MARGIN 0.15 /* a way that looks so much worse, and a bit a point, is not tried */

/* One way of making residuals out of a column. */
struct int_trial {
    uint64_t *residual;
    struct class_counts counts;
    enum int_transform transform;
    bool is_signed;
    int64_t base;
    size_t packed_bytes, entropy_bytes;
};

/* --- transforms ------------------------------------------------------------------------------- */

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

/* The greatest divisor of all x - x[0] (wrapped, so that the quotients are exact in any case);
 * stops at 1. */
static uint64_t
common_divisor(const int64_t *x, size_t n)
{
    uint64_t g = 0;
    size_t i;

    for (i = 1; i < n && g != 1; i++) {
        int64_t e = (int64_t)((uint64_t)x[i] - (uint64_t)x[0]);
        uint64_t size = e < 0 ? 0 - (uint64_t)e : (uint64_t)e;
        if (size && (g == 0 || !divides(g, size)))
            g = gcd(size, g);
    }
    return g == 0 || g > INT64_MAX ? 1 : g;
}

/* All y are multiples of g: dividing by the odd part is multiplying by its inverse modulo 2^64,
 * which Newton's iteration finds, doubling the right bits each time. */
static void
divide_exactly(int64_t *y, size_t n, uint64_t g)
{
    unsigned shift = (unsigned)__builtin_ctzll(g), k;
    uint64_t odd = g >> shift, inverse = odd;
    size_t i;

    for (k = 0; k < 5; k++)
        inverse *= 2 - odd * inverse;
    for (i = 0; i < n; i++)
        y[i] = (int64_t)((uint64_t)(y[i] >> shift) * inverse);
}

static void
residuals_plain(const int64_t *y, size_t n, struct int_trial *t)
{
    int64_t low = y[0];
    size_t i;

    for (i = 1; i < n; i++)
        low = MIN(low, y[i]);
    for (i = 0; i < n; i++)
        t->residual[i] = (uint64_t)y[i] - (uint64_t)low;
    t->base = low;
}

static void
residuals_delta(const int64_t *y, size_t n, struct int_trial *t)
{
    size_t i;

    t->residual[0] = 0;
    for (i = 1; i < n; i++)
        t->residual[i] = (uint64_t)y[i] - (uint64_t)y[i - 1] - (uint64_t)t->base;
}

static void
residuals_delta2(const int64_t *y, size_t n, struct int_trial *t)
{
    size_t i;

    t->base = n > 1 ? (int64_t)((uint64_t)y[1] - (uint64_t)y[0]) : 0;
    t->residual[0] = 0;
    if (n > 1)
        t->residual[1] = 0;
    for (i = 2; i < n; i++)
        t->residual[i] = (uint64_t)y[i] - 2 * (uint64_t)y[i - 1] + (uint64_t)y[i - 2];
}

/* --- a first look ----------------------------------------------------------------------------- */

/* Differences here and there in the column, as they come and sorted, and what the ways of making
 * residuals would leave of them. */
struct look {
    int64_t y[LOOK_POINTS], d[LOOK_POINTS], d2[LOOK_POINTS];
    unsigned n;
    int64_t usual; /* median of d */
};

static int64_t
median(const int64_t *v, unsigned n)
{
    int64_t sorted[LOOK_POINTS];
    unsigned i, k;

    for (i = 0; i < n; i++) {
        for (k = i; k > 0 && sorted[k - 1] > v[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = v[i];
    }
    return sorted[n / 2];
}

static void
look_at(const int64_t *y, size_t at, struct look *l)
{
    size_t before = at - 1, first = before ? before - 1 : 0;
    unsigned i = l->n++;

    l->y[i] = y[at];
    l->d[i] = (int64_t)((uint64_t)y[at] - (uint64_t)y[before]);
    l->d2[i] = (int64_t)((uint64_t)l->d[i] - ((uint64_t)y[before] - (uint64_t)y[first]));
}

static void
take_look(const int64_t *y, size_t n, struct look *l)
{
    const size_t runs = LOOK_POINTS / LOOK_RUN;
    size_t i, k;

    l->n = 0;
    if (n <= LOOK_POINTS)
        for (i = 1; i < n; i++)
            look_at(y, i, l);
    else
        for (i = 0; i < runs; i++)
            for (k = 0; k < LOOK_RUN; k++)
                look_at(y, 1 + i * (n - 1 - LOOK_RUN) / (runs - 1) + k, l);
    l->usual = l->n ? median(l->d, l->n) : 0;
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

static int64_t
least_difference(const int64_t *y, size_t n)
{
    int64_t low = INT64_MAX;
    size_t i;

    for (i = 1; i < n; i++)
        low = MIN(low, (int64_t)((uint64_t)y[i] - (uint64_t)y[i - 1]));
    return n > 1 ? low : 0;
}

/* --- choosing --------------------------------------------------------------------------------- */

static void
measure(struct int_trial *t, size_t n)
{
    size_t i;
    unsigned k;

    t->counts = (struct class_counts){0};
    t->packed_bytes = 0;
    for (i = 0; i < n; i += INT_VECTOR) {
        uint32_t piece = (uint32_t)MIN(n - i, (size_t)INT_VECTOR);
        struct class_counts c = {0};
        class_counts_add(&c, t->residual + i, piece);
        t->packed_bytes += int_vector_bytes(t->residual + i, piece, &c, t->transform == INT_PLAIN);
        for (k = 0; k < ENTROPY_CLASSES; k++)
            t->counts.of[k] += c.of[k];
    }
    t->entropy_bytes = entropy_estimate(&t->counts, n);
}

static enum int_pack
best_pack(const struct int_trial *t, size_t n)
{
    if (t->counts.of[0] == n)
        return INT_PACK_NONE;
    return (double)t->entropy_bytes < (double)t->packed_bytes * (1 - ENTROPY_MUST_SAVE)
               ? INT_PACK_ENTROPY
               : INT_PACK_BITS;
}

static size_t
trial_bytes(const struct int_trial *t, size_t n)
{
    switch (best_pack(t, n)) {
    case INT_PACK_NONE:
        return 0;
    case INT_PACK_ENTROPY:
        return t->entropy_bytes;
    default:
        return t->packed_bytes;
    }
}

/* The ways of making residuals: what stands above the least value, above the least difference,
 * around the usual difference, differences of differences. */
enum way { WAY_PLAIN, WAY_ABOVE, WAY_AROUND, WAY_TWICE, WAYS };

static unsigned
look_bits(const struct look *l, enum way way)
{
    switch (way) {
    case WAY_PLAIN:
        return bits_above(l->y, l->n);
    case WAY_ABOVE:
        return bits_above(l->d, l->n);
    case WAY_AROUND:
        return bits_around(l->d, l->n, l->usual);
    default:
        return bits_around(l->d2, l->n, 0);
    }
}

/* Marks the ways worth trying; the best looking one always is. */
static void
choose_ways(const struct look *l, bool worth[WAYS])
{
    unsigned bits[WAYS], least = UINT_MAX, way;

    for (way = 0; way < WAYS; way++) {
        bits[way] = look_bits(l, way);
        least = MIN(least, bits[way]);
    }
    for (way = 0; way < WAYS; way++)
        worth[way] = bits[way] <= least * (1 + LOOK_MARGIN) + l->n;
}

static void
make_trial(enum way way, const struct look *l, const int64_t *y, size_t n, struct int_trial *t)
{
    size_t i;

    t->is_signed = way == WAY_AROUND || way == WAY_TWICE;
    switch (way) {
    case WAY_PLAIN:
        t->transform = INT_PLAIN;
        residuals_plain(y, n, t);
        break;
    case WAY_ABOVE:
    case WAY_AROUND:
        t->transform = INT_DELTA;
        t->base = way == WAY_ABOVE ? least_difference(y, n) : l->usual;
        residuals_delta(y, n, t);
        break;
    default:
        t->transform = INT_DELTA2;
        residuals_delta2(y, n, t);
        break;
    }
    for (i = 0; t->is_signed && i < n; i++)
        t->residual[i] = zigzag((int64_t)t->residual[i]);
    measure(t, n);
}

/* The smallest of the ways worth trying. `t` has room for residuals in both places. */
static struct int_trial
best_trial(const int64_t *y, size_t n, struct int_trial t[2])
{
    struct look look;
    bool worth[WAYS], any = false;
    unsigned way;

    take_look(y, n, &look);
    choose_ways(&look, worth);
    for (way = 0; way < WAYS; way++) {
        if (!worth[way])
            continue;
        make_trial(way, &look, y, n, &t[1]);
        if (!any || trial_bytes(&t[1], n) < trial_bytes(&t[0], n)) {
            struct int_trial better = t[1];
            t[1] = t[0];
            t[0] = better;
        }
        any = true;
    }
    return t[0];
}

/* --- column ----------------------------------------------------------------------------------- */

static void
write_column(const struct int_trial *t, size_t n, int64_t first, uint64_t scale, struct buf *out)
{
    enum int_pack pack = best_pack(t, n);
    size_t i;

    buf_put_u8(out, (uint8_t)(t->transform | (t->is_signed ? INT_SIGNED : 0) |
                              (scale != 1 ? INT_SCALED : 0) | pack << INT_PACK_SHIFT));
    varint_put(out, zigzag(first));
    if (scale != 1)
        varint_put(out, scale);
    varint_put(out, zigzag(t->base));
    if (pack == INT_PACK_ENTROPY)
        entropy_encode(t->residual, n, &t->counts, out);
    for (i = 0; pack == INT_PACK_BITS && i < n; i += INT_VECTOR)
        int_vector_write(t->residual + i, (uint32_t)MIN(n - i, (size_t)INT_VECTOR),
                         t->transform == INT_PLAIN, out);
}

void
int_encode(const int64_t *x, size_t n, struct buf *out)
{
    uint64_t *space = malloc(3 * n * sizeof(*space)), scale = common_divisor(x, n);
    int64_t *y = (int64_t *)space;
    struct int_trial trials[2] = {{.residual = space + n}, {.residual = space + 2 * n}}, best;
    size_t i;

    ASSERT(space && n > 0);
    for (i = 0; i < n; i++)
        y[i] = (int64_t)((uint64_t)x[i] - (uint64_t)x[0]);
    if (scale != 1)
        divide_exactly(y, n, scale);
    best = best_trial(y, n, trials);
    write_column(&best, n, x[0], scale, out);
    free(space);
}

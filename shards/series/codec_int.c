/* Encoding of integer columns, by measuring every way that looks promising. See codec_int.h. */
#include "shards/series/codec_int_priv.h"

#include <stdlib.h>

#define ENTROPY_MUST_SAVE 0.05

/* One way of making residuals out of a column. */
struct int_trial {
    uint64_t *residual;
    struct class_counts counts;
    enum int_transform transform;
    bool is_signed;
    int64_t base;
    size_t packed_bytes, entropy_bytes;
};

/* --- residuals -------------------------------------------------------------------------------- */

static void
residuals_plain(const int64_t *y, size_t n, struct int_trial *t)
{
    int64_t high;

    codec_kernels->range((const uint64_t *)y, (uint32_t)n, &t->base, &high);
    memcpy(t->residual, y, n * sizeof(*y));
    codec_kernels->affine(t->residual, (uint32_t)n, 1, 0 - (uint64_t)t->base);
}

static void
residuals_delta(const int64_t *y, size_t n, struct int_trial *t)
{
    const uint64_t base = (uint64_t)t->base;

    codec_kernels->differences((const uint64_t *)y, (uint32_t)n, 0 - base, base, t->residual);
}

static void
residuals_delta2(const int64_t *y, size_t n, struct int_trial *t)
{
    const uint64_t base = n > 1 ? (uint64_t)y[1] - (uint64_t)y[0] : 0;
    const uint64_t before[2] = {0 - 2 * base, 0 - base};

    t->base = (int64_t)base;
    codec_kernels->differences_twice((const uint64_t *)y, (uint32_t)n, before, t->residual);
}

static int64_t
least_difference(const int64_t *y, size_t n)
{
    int64_t low = 0, high;

    if (n > 1)
        codec_kernels->range_of_differences((const uint64_t *)y, (uint32_t)n, &low, &high);
    return low;
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

static void
make_trial(enum int_way way, const struct int_look *l, const int64_t *y, size_t n,
           struct int_trial *t)
{
    t->is_signed = int_way_is_signed(way);
    t->transform = int_way_transform(way);
    switch (way) {
    case INT_WAY_PLAIN:
        residuals_plain(y, n, t);
        break;
    case INT_WAY_ABOVE:
    case INT_WAY_AROUND:
        t->base = way == INT_WAY_ABOVE ? least_difference(y, n) : l->usual;
        residuals_delta(y, n, t);
        break;
    default:
        residuals_delta2(y, n, t);
        break;
    }
    if (t->is_signed)
        codec_kernels->zigzag(t->residual, (uint32_t)n);
    measure(t, n);
}

/* The smallest of the ways worth trying. `t` has room for residuals in both places. */
static struct int_trial
best_trial(const int64_t *y, size_t n, struct int_trial t[2])
{
    struct int_look look;
    bool worth[INT_WAYS], any = false;
    unsigned way;

    int_take_look(y, n, &look);
    int_choose_ways(&look, worth);
    for (way = 0; way < INT_WAYS; way++) {
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

void
int_write_head(struct buf *out, unsigned mode, int64_t first, uint64_t scale, int64_t base)
{
    buf_put_u8(out, (uint8_t)(mode | (scale != 1 ? INT_SCALED : 0)));
    varint_put(out, zigzag(first));
    if (scale != 1)
        varint_put(out, scale);
    varint_put(out, zigzag(base));
}

static void
write_column(const struct int_trial *t, size_t n, int64_t first, uint64_t scale, struct buf *out)
{
    enum int_pack pack = best_pack(t, n);
    size_t i;

    int_write_head(out, t->transform | (t->is_signed ? INT_SIGNED : 0) | pack << INT_PACK_SHIFT,
                   first, scale, t->base);
    if (pack == INT_PACK_ENTROPY)
        entropy_encode(t->residual, n, &t->counts, out);
    for (i = 0; pack == INT_PACK_BITS && i < n; i += INT_VECTOR)
        int_vector_write(t->residual + i, (uint32_t)MIN(n - i, (size_t)INT_VECTOR),
                         t->transform == INT_PLAIN, out);
}

static void
encode_small(const int64_t *y, size_t n, int64_t first, uint64_t scale, struct buf *out)
{
    uint64_t *space = malloc(2 * n * sizeof(*space));
    struct int_trial trials[2] = {{.residual = space}, {.residual = space + n}}, best;

    ASSERT(space);
    best = best_trial(y, n, trials);
    write_column(&best, n, first, scale, out);
    free(space);
}

void
int_encode(int64_t *x, size_t n, enum block_effort effort, struct buf *out)
{
    const int64_t first = x[0];
    const uint64_t scale = int_divisor(x, n);

    ASSERT(n > 0 && n <= BLOCK_POINTS_MAX);
    int_normalise(x, n, scale);
    if (effort == BLOCK_QUICK)
        int_encode_quick(x, n, first, scale, out);
    else
        encode_small(x, n, first, scale, out);
}

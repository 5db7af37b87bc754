/* Encoding of integer columns, by measuring every way that looks promising. See codec_int.h. */
#include "shards/series/codec_int_priv.h"

#include <stdlib.h>

#define ENTROPY_MUST_SAVE 0.05
/* Ways are measured on runs of neighbours of a long column before one is on all of it. */
#define SAMPLE_COLUMN_MIN 2048
#define SAMPLE_RUNS 4
#define SAMPLE_RUN 128
#define SAMPLE_MARGIN 0.03 /* so much better than measured may a way turn out to be */

/* One way of making residuals out of a column. */
struct int_trial {
    uint64_t *residual;
    struct class_counts counts;
    struct int_vector_plan *plans; /* of each vector */
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

/* Which bits change from each value to the next, without the low ones that never do. */
static void
residuals_xor(const int64_t *y, size_t n, int64_t first, struct int_trial *t)
{
    uint64_t any = 0, before = (uint64_t)first, x;
    unsigned shift;
    size_t i;

    for (i = 0; i < n; i++, before = x) {
        x = (uint64_t)y[i] + (uint64_t)first;
        t->residual[i] = x ^ before;
        any |= x ^ before;
    }
    shift = any ? (unsigned)__builtin_ctzll(any) : 0;
    for (i = 0; i < n; i++)
        t->residual[i] >>= shift;
    t->base = shift;
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
        struct int_vector_plan *plan = &t->plans[i / INT_VECTOR];
        struct class_counts c = {0};
        class_counts_add(&c, t->residual + i, piece);
        int_vector_plan(plan, t->residual + i, piece, &c, t->transform == INT_PLAIN);
        t->packed_bytes += plan->bytes;
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

/* Normalised values of a column, and what they were normalised by. */
struct int_column {
    const int64_t *y;
    size_t n;
    int64_t first;
    uint64_t scale;
    bool is_bits;
};

static void
make_trial(enum int_way way, const struct int_look *l, const struct int_column *c,
           struct int_trial *t)
{
    const int64_t *y = c->y;
    const size_t n = c->n;

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
    case INT_WAY_XOR:
        residuals_xor(y, n, c->first, t);
        break;
    default:
        residuals_delta2(y, n, t);
        break;
    }
    if (t->is_signed)
        codec_kernels->zigzag(t->residual, (uint32_t)n);
    measure(t, n);
}

/* Residuals of a run that begins at y[at], at > 1. */
static void
sample_run(enum int_way way, const struct int_look *l, const int64_t *y, size_t at, uint64_t *ret_r)
{
    const uint64_t *x = (const uint64_t *)y + at;

    switch (way) {
    case INT_WAY_PLAIN:
        memcpy(ret_r, x, SAMPLE_RUN * sizeof(*ret_r));
        break;
    case INT_WAY_ABOVE:
        codec_kernels->differences(x, SAMPLE_RUN, x[-1], 0, ret_r);
        break;
    case INT_WAY_AROUND:
        codec_kernels->differences(x, SAMPLE_RUN, x[-1], (uint64_t)l->usual, ret_r);
        break;
    default:
        codec_kernels->differences_twice(x, SAMPLE_RUN, x - 2, ret_r);
        break;
    }
    if (int_way_is_signed(way))
        codec_kernels->zigzag(ret_r, SAMPLE_RUN);
}

/* What is left above the least of each run (plain) or of all runs. */
static void
sample_subtract(enum int_way way, uint64_t *r)
{
    const uint32_t run = way == INT_WAY_PLAIN ? SAMPLE_RUN : SAMPLE_RUNS * SAMPLE_RUN;
    int64_t low, high;
    uint32_t i;

    for (i = 0; i < SAMPLE_RUNS * SAMPLE_RUN; i += run) {
        codec_kernels->range(r + i, run, &low, &high);
        codec_kernels->affine(r + i, run, 1, 0 - (uint64_t)low);
    }
}

/* Bits that a value takes in a way, as far as the runs tell. */
static double
sample_bits(enum int_way way, const struct int_look *l, const struct int_column *c)
{
    uint64_t r[SAMPLE_RUNS * SAMPLE_RUN];
    struct class_counts all = {0};
    size_t packed = 0, i;
    unsigned k;

    for (i = 0; i < SAMPLE_RUNS; i++)
        sample_run(way, l, c->y, 2 + i * (c->n - 2 - SAMPLE_RUN) / (SAMPLE_RUNS - 1),
                   r + i * SAMPLE_RUN);
    if (!int_way_is_signed(way))
        sample_subtract(way, r);
    for (i = 0; i < SAMPLE_RUNS; i++) {
        struct class_counts run = {0};
        struct int_vector_plan plan;

        class_counts_add(&run, r + i * SAMPLE_RUN, SAMPLE_RUN);
        int_vector_plan(&plan, r + i * SAMPLE_RUN, SAMPLE_RUN, &run, false);
        packed += plan.bytes * 8;
        for (k = 0; k < ENTROPY_CLASSES; k++)
            all.of[k] += run.of[k];
    }
    return MIN((double)packed, entropy_bits(&all, ARRAY_SIZE(r))) / ARRAY_SIZE(r);
}

/* The ways worth trying, and what they promise: 0 where they were not measured. */
struct int_choice {
    struct int_look look;
    bool worth[INT_WAYS];
    double bits[INT_WAYS];
};

static void
choose(const struct int_column *c, struct int_choice *ret)
{
    const unsigned ways = c->is_bits && c->scale == 1 ? INT_WAYS : INT_WAYS_OF_NUMBERS;
    unsigned way;

    int_take_look(c->y, c->n, c->first, &ret->look);
    int_choose_ways(&ret->look, ways, ret->worth);
    for (way = 0; way < INT_WAYS; way++)
        ret->bits[way] = c->n >= SAMPLE_COLUMN_MIN && ret->worth[way] && way < INT_WAYS_OF_NUMBERS
                             ? sample_bits(way, &ret->look, c)
                             : 0;
}

/* The most promising way that was not taken yet; INT_WAYS when there is none. */
static enum int_way
next_way(struct int_choice *ch)
{
    enum int_way way, best = INT_WAYS;

    for (way = 0; way < INT_WAYS; way++)
        if (ch->worth[way] && (best == INT_WAYS || ch->bits[way] < ch->bits[best]))
            best = way;
    if (best != INT_WAYS)
        ch->worth[best] = false;
    return best;
}

/* The smallest of the ways worth trying. `t` has room for residuals in both places. */
static struct int_trial
best_trial(const struct int_column *c, struct int_trial t[2])
{
    struct int_choice ch;
    size_t best = SIZE_MAX, bytes;
    enum int_way way;

    choose(c, &ch);
    while ((way = next_way(&ch)) != INT_WAYS) {
        if (ch.bits[way] * (1 - SAMPLE_MARGIN) * (double)c->n >= 8.0 * (double)best)
            break;
        make_trial(way, &ch.look, c, &t[1]);
        bytes = trial_bytes(&t[1], c->n);
        if (bytes < best) {
            struct int_trial better = t[1];
            t[1] = t[0];
            t[0] = better;
            best = bytes;
        }
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
                         &t->plans[i / INT_VECTOR], out);
}

static void
encode_small(const struct int_column *c, struct buf *out)
{
    const size_t vectors = (c->n + INT_VECTOR - 1) / INT_VECTOR;
    uint64_t *space = malloc(2 * (c->n * sizeof(*space) + vectors * sizeof(struct int_vector_plan)));
    struct int_vector_plan *plans = (void *)(space + 2 * c->n);
    struct int_trial trials[2] = {{.residual = space, .plans = plans},
                                  {.residual = space + c->n, .plans = plans + vectors}}, best;

    ASSERT(space);
    best = best_trial(c, trials);
    write_column(&best, c->n, c->first, c->scale, out);
    free(space);
}

static void
encode(int64_t *x, size_t n, bool is_bits, enum block_effort effort, struct buf *out)
{
    struct int_column c = {x, n, x[0], int_divisor(x, n), is_bits};

    ASSERT(n > 0 && n <= BLOCK_POINTS_MAX);
    int_normalise(x, n, c.scale);
    if (effort == BLOCK_QUICK)
        int_encode_quick(x, n, c.first, c.scale, out);
    else
        encode_small(&c, out);
}

void
int_encode(int64_t *x, size_t n, enum block_effort effort, struct buf *out)
{
    encode(x, n, false, effort, out);
}

void
int_encode_bits(int64_t *x, size_t n, enum block_effort effort, struct buf *out)
{
    encode(x, n, true, effort, out);
}

#include "shards/series/codec_int.h"

#include <stdlib.h>

#define ENTROPY_MUST_SAVE 0.05
#define LOOK_POINTS 64   /* of a column, to see which ways are worth trying */
#define LOOK_RUN 4       /* so many beside each other, lest a pattern hides between them */
#define LOOK_MARGIN 0.15 /* a way that looks so much worse, and a bit a point, is not tried */
#define POSITION_BITS 10 /* of a patch within its vector */
#define VECTOR_PATCHED 0x80
static_assert(1 << POSITION_BITS == INT_VECTOR, "a patch position names any value of a vector");

/* How one vector is bit-packed. */
struct vector_plan {
    uint64_t base;
    unsigned width;      /* bits of every value */
    unsigned high_width; /* further bits of the patched ones */
    uint32_t patches;
    size_t bytes;
};

/* One way of making residuals out of a column. */
struct int_trial {
    uint64_t *residual;
    struct class_counts counts;
    enum int_transform transform;
    bool is_signed;
    int64_t base;
    size_t packed_bytes, entropy_bytes;
};

/* --- packing -------------------------------------------------------------------------------------
 */

static void
plan_width(struct vector_plan *plan, const struct class_counts *c, uint32_t n)
{
    unsigned w, top = ENTROPY_CLASSES - 1;
    uint32_t above = 0;

    while (top && !c->of[top])
        top--;
    plan->bytes = SIZE_MAX;
    for (w = top;; w--) {
        size_t bytes = bitpack_bytes(n, w);
        if (above)
            bytes += 3 + bitpack_bytes(above, POSITION_BITS) + bitpack_bytes(above, top - w);
        if (bytes < plan->bytes)
            *plan = (struct vector_plan){plan->base, w, above ? top - w : 0, above, bytes};
        if (w == 0)
            break;
        above += c->of[w];
    }
    plan->bytes += 2;
}

/* `c` are the counts of r as it stands; recounted when the vector has a base of its own, which only
 * plain values do: the others lie around 0 already. */
static void
plan_vector(struct vector_plan *plan, const uint64_t *r, uint32_t n, const struct class_counts *c,
            enum int_transform transform)
{
    struct class_counts above_base = {0};
    uint64_t low = r[0], shifted[INT_VECTOR];
    uint32_t i;

    for (i = 1; transform == INT_PLAIN && i < n; i++)
        low = MIN(low, r[i]);
    if (transform != INT_PLAIN)
        low = 0;
    plan->base = low;
    if (low == 0) {
        plan_width(plan, c, n);
        return;
    }
    for (i = 0; i < n; i++)
        shifted[i] = r[i] - low;
    class_counts_add(&above_base, shifted, n);
    plan_width(plan, &above_base, n);
    plan->bytes += bit_width(low) / 7;
}

static void
append_packed(struct buf *out, const uint64_t *v, uint32_t n, unsigned width)
{
    size_t bytes = bitpack_bytes(n, width);

    bitpack_encode(v, n, width, (uint8_t *)buf_reserve(out, bytes));
    out->n += bytes;
}

static void
write_patches(const uint64_t *v, uint32_t n, const struct vector_plan *plan, struct buf *out)
{
    uint64_t at[INT_VECTOR], high[INT_VECTOR];
    uint32_t i, k = 0;

    for (i = 0; i < n; i++) {
        if (bit_width(v[i]) <= plan->width)
            continue;
        at[k] = i;
        high[k++] = v[i] >> plan->width;
    }
    ASSERT(k == plan->patches);
    append_packed(out, at, k, POSITION_BITS);
    append_packed(out, high, k, plan->high_width);
}

static void
write_vector(const uint64_t *r, uint32_t n, enum int_transform transform, struct buf *out)
{
    struct class_counts c = {0};
    struct vector_plan plan;
    uint64_t v[INT_VECTOR];
    uint32_t i;

    class_counts_add(&c, r, n);
    plan_vector(&plan, r, n, &c, transform);
    for (i = 0; i < n; i++)
        v[i] = r[i] - plan.base;
    buf_put_u8(out, (uint8_t)(plan.width | (plan.patches ? VECTOR_PATCHED : 0)));
    varint_put(out, plan.base);
    if (plan.patches) {
        varint_put(out, plan.patches);
        buf_put_u8(out, (uint8_t)plan.high_width);
    }
    append_packed(out, v, n, plan.width);
    if (plan.patches)
        write_patches(v, n, &plan, out);
}

/* --- transforms ----------------------------------------------------------------------------------
 */

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

/* --- a first look -------------------------------------------------------------------------------
 */

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

/* --- choosing ------------------------------------------------------------------------------------
 */

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
        struct vector_plan plan;
        class_counts_add(&c, t->residual + i, piece);
        plan_vector(&plan, t->residual + i, piece, &c, t->transform);
        t->packed_bytes += plan.bytes;
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

/* --- column --------------------------------------------------------------------------------------
 */

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
        write_vector(t->residual + i, (uint32_t)MIN(n - i, (size_t)INT_VECTOR), t->transform, out);
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

/* --- decoding ------------------------------------------------------------------------------------
 */

static bool
read_mode(struct int_decoder *d, struct cursor *c)
{
    unsigned transform, pack;

    if (!cursor_u8(c, &d->mode) || d->mode & ~INT_MODE_USED)
        return false;
    transform = d->mode & INT_TRANSFORM_MASK;
    pack = (d->mode & INT_PACK_MASK) >> INT_PACK_SHIFT;
    return transform <= INT_DELTA2 && pack <= INT_PACK_ENTROPY;
}

static unsigned
pack_of(const struct int_decoder *d)
{
    return (d->mode & INT_PACK_MASK) >> INT_PACK_SHIFT;
}

/* Sets the running state so that the first residual, 0, yields the first value. */
static void
start_state(struct int_decoder *d)
{
    d->prev = d->prev_delta = 0;
    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_DELTA:
        d->prev = 0 - d->base;
        break;
    case INT_DELTA2:
        d->prev = 0 - d->base;
        d->prev_delta = d->base;
        break;
    }
}

bool
int_decoder_init(struct int_decoder *d, struct slice in)
{
    struct cursor c = cursor_of(in);
    int64_t first, base;

    d->scale = 1;
    if (!read_mode(d, &c) || !varint_get_signed(&c, &first))
        return false;
    if (d->mode & INT_SCALED && !varint_get(&c, &d->scale))
        return false;
    if (!varint_get_signed(&c, &base))
        return false;
    d->first = (uint64_t)first;
    d->base = (uint64_t)base;
    d->in = c;
    start_state(d);
    if (pack_of(d) != INT_PACK_ENTROPY)
        return true;
    return entropy_decoder_init(&d->entropy, (struct slice){(const char *)c.p, cursor_left(&c)});
}

static bool
apply_patches(struct cursor *c, uint64_t *r, uint32_t n, unsigned width, unsigned high_width,
              uint32_t patches)
{
    uint64_t at[INT_VECTOR], high[INT_VECTOR];
    const uint8_t *p = cursor_take(c, bitpack_bytes(patches, POSITION_BITS));
    const uint8_t *q = cursor_take(c, bitpack_bytes(patches, high_width));
    uint32_t i;

    if (!p || !q)
        return false;
    bitpack_decode(p, patches, POSITION_BITS, at);
    bitpack_decode(q, patches, high_width, high);
    for (i = 0; i < patches; i++) {
        if (at[i] >= n)
            return false;
        r[at[i]] |= high[i] << width;
    }
    return true;
}

static bool
read_vector(struct cursor *c, uint64_t *r, uint32_t n)
{
    uint8_t head, high_width = 0;
    uint64_t base, patches = 0;
    const uint8_t *p;
    unsigned width;
    uint32_t i;

    if (!cursor_u8(c, &head) || !varint_get(c, &base))
        return false;
    width = head & (VECTOR_PATCHED - 1);
    if (width > 64)
        return false;
    if (head & VECTOR_PATCHED && (!varint_get(c, &patches) || !cursor_u8(c, &high_width) ||
                                  patches > n || width + high_width > 64 || width == 64))
        return false;
    p = cursor_take(c, bitpack_bytes(n, width));
    if (!p)
        return false;
    bitpack_decode(p, n, width, r);
    if (patches && !apply_patches(c, r, n, width, high_width, (uint32_t)patches))
        return false;
    for (i = 0; base && i < n; i++)
        r[i] += base;
    return true;
}

static void
undo_transform(struct int_decoder *d, const uint64_t *r, uint64_t *y, uint32_t n)
{
    const uint64_t base = d->base;
    uint64_t prev = d->prev, delta = d->prev_delta;
    uint32_t i;

    switch (d->mode & INT_TRANSFORM_MASK) {
    case INT_PLAIN:
        for (i = 0; i < n; i++)
            y[i] = r[i] + base;
        break;
    case INT_DELTA:
        for (i = 0; i < n; i++)
            y[i] = prev += r[i] + base;
        break;
    case INT_DELTA2:
        for (i = 0; i < n; i++)
            y[i] = prev += delta += r[i];
        break;
    }
    d->prev = prev;
    d->prev_delta = delta;
}

bool
int_decoder_next(struct int_decoder *d, int64_t *out, uint32_t n)
{
    uint64_t *r = d->residual, *y = (uint64_t *)out;
    uint32_t i;

    ASSERT(n <= INT_VECTOR);
    if (pack_of(d) == INT_PACK_NONE)
        memset(r, 0, n * sizeof(*r));
    else if (pack_of(d) == INT_PACK_ENTROPY)
        entropy_decoder_next(&d->entropy, r, n);
    else if (!read_vector(&d->in, r, n))
        return false;
    if (d->mode & INT_SIGNED)
        for (i = 0; i < n; i++)
            r[i] = (uint64_t)unzigzag(r[i]);
    undo_transform(d, r, y, n);
    for (i = 0; i < n; i++)
        y[i] = y[i] * d->scale + d->first;
    return true;
}

bool
int_decoder_done(const struct int_decoder *d)
{
    if (pack_of(d) == INT_PACK_ENTROPY)
        return entropy_decoder_done(&d->entropy);
    return d->in.p == d->in.end;
}

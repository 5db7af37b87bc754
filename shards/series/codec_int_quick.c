/* Encoding of integer columns at the speed of vector loops: a look at some values decides the way,
 * and each vector's width is found from its greatest residual and a sample. No entropy coder. */
#include "shards/series/codec_int_priv.h"

struct quick {
    const uint64_t *y;
    size_t n;
    enum int_way way;
    int64_t base;
    bool flat; /* all residuals are 0 */
};

static void
choose(struct quick *q)
{
    struct int_look look;
    int64_t high = 0;

    int_take_look((const int64_t *)q->y, q->n, 0, &look);
    q->way = int_best_way(&look);
    switch (q->way) {
    case INT_WAY_PLAIN:
        codec_kernels->range(q->y, (uint32_t)q->n, &q->base, &high);
        q->flat = q->base == high;
        break;
    case INT_WAY_ABOVE:
        codec_kernels->range_of_differences(q->y, (uint32_t)q->n, &q->base, &high);
        q->flat = q->base == high;
        break;
    case INT_WAY_AROUND:
        q->base = look.usual;
        break;
    default:
        q->base = (int64_t)(q->y[1] - q->y[0]);
        break;
    }
}

/* Values and the one before them; the very first follows from the base so that its residual is 0.
 */
static void
differences(const struct quick *q, size_t at, uint32_t n, uint64_t *ret_r)
{
    const uint64_t base = (uint64_t)q->base;

    codec_kernels->differences(q->y + at, n, at ? q->y[at - 1] : 0 - base, base, ret_r);
}

static void
differences_twice(const struct quick *q, size_t at, uint32_t n, uint64_t *ret_r)
{
    const uint64_t base = (uint64_t)q->base;
    const uint64_t start[2] = {0 - 2 * base, 0 - base};

    codec_kernels->differences_twice(q->y + at, n, at ? q->y + at - 2 : start, ret_r);
}

static void
write_vector(const struct quick *q, size_t at, uint32_t n, struct buf *out)
{
    uint64_t r[INT_VECTOR];

    switch (q->way) {
    case INT_WAY_PLAIN:
        int_vector_write_quick(q->y + at, n, (uint64_t)q->base, true, out);
        return;
    case INT_WAY_TWICE:
        differences_twice(q, at, n, r);
        break;
    default:
        differences(q, at, n, r);
        break;
    }
    if (int_way_is_signed(q->way))
        codec_kernels->zigzag(r, n);
    int_vector_write_quick(r, n, 0, false, out);
}

void
int_encode_quick(const int64_t *y, size_t n, int64_t first, uint64_t scale, struct buf *out)
{
    struct quick q = {.y = (const uint64_t *)y, .n = n};
    unsigned mode;
    size_t i;

    choose(&q);
    mode = int_way_transform(q.way) | (int_way_is_signed(q.way) ? INT_SIGNED : 0) |
           (q.flat ? INT_PACK_NONE : INT_PACK_BITS) << INT_PACK_SHIFT;
    int_write_head(out, mode, first, scale, q.base);
    for (i = 0; !q.flat && i < n; i += INT_VECTOR)
        write_vector(&q, i, (uint32_t)MIN(n - i, (size_t)INT_VECTOR), out);
}

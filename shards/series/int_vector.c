#include "shards/series/int_vector.h"

#include "shards/series/codec_kernels.h"

#define POSITION_BITS 10 /* of a patch within its vector */
#define VECTOR_PATCHED 0x80
#define BASE_FAR_BITS 3
static_assert(1 << POSITION_BITS == INT_VECTOR, "a patch position names any value of a vector");

/* --- writing ---------------------------------------------------------------------------------- */

static void
plan_width(struct int_vector_plan *plan, const struct class_counts *c, uint32_t n)
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
            *plan = (struct int_vector_plan){plan->base, w, above ? top - w : 0, above, bytes};
        if (w == 0)
            break;
        above += c->of[w];
    }
    plan->bytes += 2;
}

/* Least and greatest of unsigned integers. */
static void
bounds_of(const uint64_t *r, uint32_t n, uint64_t *ret_low, uint64_t *ret_high)
{
    int64_t low, high;

    codec_kernels->range(r, n, &low, &high);
    *ret_low = (uint64_t)low;
    *ret_high = (uint64_t)high;
    if (low >= 0)
        return;
    *ret_low = *ret_high = r[0];
    for (uint32_t i = 1; i < n; i++) {
        *ret_low = MIN(*ret_low, r[i]);
        *ret_high = MAX(*ret_high, r[i]);
    }
}

/* Is the least value so far below what the others take their width from that they would not be
 * narrower without it? */
static bool
base_is_idle(uint64_t low, uint64_t high, const struct int_vector_plan *plan)
{
    return low == 0 || (bit_width(low) + BASE_FAR_BITS <= plan->width &&
                        bit_width(high - low) == bit_width(high));
}

/* The counts are of r as it stands: made anew where the vector has a base of its own. */
void
int_vector_plan(struct int_vector_plan *plan, const uint64_t *r, uint32_t n,
                const struct class_counts *c, bool with_base)
{
    struct class_counts above_base = {0};
    uint64_t low = 0, high = 0, shifted[INT_VECTOR];
    uint32_t i;

    plan->base = 0;
    plan_width(plan, c, n);
    if (with_base)
        bounds_of(r, n, &low, &high);
    if (base_is_idle(low, high, plan))
        return;
    plan->base = low;
    for (i = 0; i < n; i++)
        shifted[i] = r[i] - low;
    class_counts_add(&above_base, shifted, n);
    plan_width(plan, &above_base, n);
    plan->bytes += bit_width(low) / 7;
}

static void
append_packed(struct buf *out, const uint64_t *v, uint32_t n, unsigned width, uint64_t base)
{
    size_t bytes = bitpack_bytes(n, width);

    bitpack_encode(v, n, width, base, (uint8_t *)buf_reserve(out, bytes));
    out->n += bytes;
}

static void
write_patches(const uint64_t *r, uint32_t n, uint64_t less, const struct int_vector_plan *plan,
              struct buf *out)
{
    const uint64_t low = less + plan->base;
    uint64_t at[INT_VECTOR], high[INT_VECTOR];
    uint32_t i, k = 0;

    at[0] = high[0] = 0;
    for (i = 0; i < n; i++) { /* without a branch that could not be foretold */
        at[k] = i;
        high[k] = (r[i] - low) >> plan->width;
        k += high[k] != 0;
    }
    ASSERT(k == plan->patches);
    append_packed(out, at, k, POSITION_BITS, 0);
    append_packed(out, high, k, plan->high_width, 0);
}

/* Packs r - less. */
static void
write_planned(const uint64_t *r, uint32_t n, uint64_t less, const struct int_vector_plan *plan,
              struct buf *out)
{
    buf_put_u8(out, (uint8_t)(plan->width | (plan->patches ? VECTOR_PATCHED : 0)));
    varint_put(out, plan->base);
    if (plan->patches) {
        varint_put(out, plan->patches);
        buf_put_u8(out, (uint8_t)plan->high_width);
    }
    append_packed(out, r, n, plan->width, less + plan->base);
    if (plan->patches)
        write_patches(r, n, less, plan, out);
}

void
int_vector_write(const uint64_t *r, uint32_t n, const struct int_vector_plan *plan, struct buf *out)
{
    write_planned(r, n, 0, plan, out);
}

/* --- writing quickly -------------------------------------------------------------------------- */

#define SAMPLE 64 /* of a vector */

/* The width that suits r - less best as far as a sample tells; `top` is the greatest one. */
static unsigned
sampled_width(const uint64_t *r, uint32_t n, uint64_t less, unsigned top, size_t *ret_bits)
{
    uint8_t of[ENTROPY_CLASSES] = {0};
    const uint32_t samples = MIN(n, (uint32_t)SAMPLE);
    uint32_t i, above = 0;
    unsigned w, best = top;
    size_t bits, least = SIZE_MAX;

    for (i = 0; i < samples; i++)
        of[bit_width(r[n < SAMPLE ? i : i * n / SAMPLE] - less)]++;
    for (w = top;; w--) {
        bits = (size_t)samples * w + (size_t)above * (POSITION_BITS + top - w);
        if (bits < least) {
            least = bits;
            best = w;
        }
        if (w == 0)
            break;
        above += of[w];
    }
    *ret_bits = least;
    return best;
}

size_t
int_vector_sample_bits(const uint64_t *r, uint32_t n)
{
    size_t bits;

    sampled_width(r, n, 0, bit_width(codec_kernels->bits_used(r, n)), &bits);
    return bits;
}

/* Lets what does not fit `width` be patched, if that is shorter. */
static void
plan_patches(struct int_vector_plan *plan, const uint64_t *r, uint32_t n, uint64_t less,
             unsigned width)
{
    const unsigned top = plan->width, high = top - width;
    const uint64_t limit = width ? ~0ULL >> (64 - width) : 0;
    uint32_t above = codec_kernels->count_above(r, n, less, limit);
    size_t bytes = bitpack_bytes(n, width) + bitpack_bytes(above, POSITION_BITS) +
                   bitpack_bytes(above, high) + 3;

    if (bytes < bitpack_bytes(n, top))
        *plan = (struct int_vector_plan){plan->base, width, high, above, bytes};
}

void
int_vector_write_quick(const uint64_t *r, uint32_t n, uint64_t less, bool with_base,
                       struct buf *out)
{
    struct int_vector_plan plan = {0};
    uint64_t least = less;
    int64_t low, high;
    unsigned width;
    size_t bits;

    if (with_base) {
        codec_kernels->range(r, n, &low, &high);
        least = (uint64_t)low;
        plan.base = least - less;
        plan.width = bit_width((uint64_t)high - least);
    } else {
        plan.width = bit_width(codec_kernels->bits_used(r, n));
    }
    width = sampled_width(r, n, least, plan.width, &bits);
    if (width < plan.width)
        plan_patches(&plan, r, n, least, width);
    write_planned(r, n, less, &plan, out);
}

/* --- reading ---------------------------------------------------------------------------------- */

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
    bitpack_decode(p, patches, POSITION_BITS, 0, at);
    bitpack_decode(q, patches, high_width, 0, high);
    for (i = 0; i < patches; i++) {
        if (at[i] >= n)
            return false;
        r[at[i]] += high[i] << width;
    }
    return true;
}

bool
int_vector_read(struct cursor *c, uint64_t add, uint64_t *r, uint32_t n)
{
    uint8_t head, high_width = 0;
    uint64_t base, patches = 0;
    const uint8_t *p;
    unsigned width;

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
    bitpack_decode(p, n, width, base + add, r);
    return !patches || apply_patches(c, r, n, width, high_width, (uint32_t)patches);
}

/* The container of a block: header, choice of nothing (the columns choose for themselves).
 *
 * [version:1][flags:1][count: varint][first time: signed varint][last - first time: varint]
 * [first value:8][last:8][min:8][max:8][sum:8][sum of squares:8][NaN values: varint]
 * [bytes of the time column: varint][bytes of the value column: varint]
 * [time column][value column][quality column: the rest]
 *
 * What the flags say is known from elsewhere is left out, so that a block of one point takes about
 * 30 bytes. NaN values take no part in min, max and the sums; with nothing but NaN, min and max are
 * the first value. */
#include "shards/series/block_priv.h"

#include <stdlib.h>

enum block_flag {
    BLOCK_LAST_IS_FIRST = 1 << 0,
    BLOCK_MIN_IS_FIRST = 1 << 1,
    BLOCK_MIN_IS_LAST = 1 << 2,
    BLOCK_MAX_IS_FIRST = 1 << 3,
    BLOCK_MAX_IS_LAST = 1 << 4,
    BLOCK_SUMS_DERIVED = 1 << 5, /* first * count, first * first * count */
    BLOCK_HAS_NAN = 1 << 6,
    BLOCK_FLAGS_USED = 0x7f,
};

static bool
same_bits(double a, double b)
{
    return double_bits(a) == double_bits(b);
}

static void
info_of(const int64_t *ts, const double *v, uint32_t n, struct block_info *ret)
{
    struct block_sums s = BLOCK_SUMS_NONE;

    block_sums_add(&s, v, n);
    *ret = (struct block_info){.count = n,
                               .first_ts = ts[0],
                               .last_ts = ts[n - 1],
                               .nan_count = (uint32_t)s.nan_count,
                               .min = s.count ? s.min : v[0],
                               .max = s.count ? s.max : v[0],
                               .sum = s.sum,
                               .sum_squares = s.sum_squares,
                               .first = v[0],
                               .last = v[n - 1]};
}

static bool
sums_derived(const struct block_info *b)
{
    return same_bits(b->sum, b->first * b->count) &&
           same_bits(b->sum_squares, b->first * b->first * b->count);
}

static unsigned
flags_of(const struct block_info *b)
{
    unsigned flags = 0;

    if (same_bits(b->last, b->first))
        flags |= BLOCK_LAST_IS_FIRST;
    if (same_bits(b->min, b->first))
        flags |= BLOCK_MIN_IS_FIRST;
    else if (same_bits(b->min, b->last))
        flags |= BLOCK_MIN_IS_LAST;
    if (same_bits(b->max, b->first))
        flags |= BLOCK_MAX_IS_FIRST;
    else if (same_bits(b->max, b->last))
        flags |= BLOCK_MAX_IS_LAST;
    if (sums_derived(b))
        flags |= BLOCK_SUMS_DERIVED;
    if (b->nan_count)
        flags |= BLOCK_HAS_NAN;
    return flags;
}

static void
put_unless(struct buf *out, bool known, double v)
{
    if (!known)
        buf_put_u64(out, double_bits(v));
}

static void
write_header(const struct block_info *b, struct buf *out)
{
    unsigned flags = flags_of(b);

    buf_put_u8(out, BLOCK_FORMAT_VERSION);
    buf_put_u8(out, (uint8_t)flags);
    varint_put(out, b->count);
    varint_put(out, zigzag(b->first_ts));
    varint_put(out, (uint64_t)b->last_ts - (uint64_t)b->first_ts);
    buf_put_u64(out, double_bits(b->first));
    put_unless(out, flags & BLOCK_LAST_IS_FIRST, b->last);
    put_unless(out, flags & (BLOCK_MIN_IS_FIRST | BLOCK_MIN_IS_LAST), b->min);
    put_unless(out, flags & (BLOCK_MAX_IS_FIRST | BLOCK_MAX_IS_LAST), b->max);
    put_unless(out, flags & BLOCK_SUMS_DERIVED, b->sum);
    put_unless(out, flags & BLOCK_SUMS_DERIVED, b->sum_squares);
    if (flags & BLOCK_HAS_NAN)
        varint_put(out, b->nan_count);
}

void
block_encode(const struct samples *in, enum block_effort effort, struct buf *out)
{
    const uint32_t n = in->n;
    int64_t *ts = malloc(3 * n * sizeof(*ts)), *spare = ts + 2 * (size_t)n;
    double *v = (double *)(ts + n);
    struct buf columns = {0};
    struct block_info info;
    size_t time_bytes, value_bytes;

    ASSERT(ts && n > 0 && n <= BLOCK_POINTS_MAX);
    codec_kernels->split(in->p, n, ts, v);
    info_of(ts, v, n, &info);
    time_encode(ts, n, effort, &columns);
    time_bytes = columns.n;
    value_encode(v, n, spare, effort, &columns);
    value_bytes = columns.n - time_bytes;
    quality_encode(in->quality, n, effort, &columns);
    write_header(&info, out);
    varint_put(out, time_bytes);
    varint_put(out, value_bytes);
    buf_append(out, columns.p, columns.n);
    buf_fini(&columns);
    free(ts);
}

static bool
get_double(struct cursor *c, double *ret)
{
    uint64_t u;

    if (!cursor_u64(c, &u))
        return false;
    *ret = bits_double(u);
    return true;
}

static bool
read_range(struct cursor *c, uint8_t *ret_flags, struct block_info *b)
{
    uint8_t version;
    uint64_t count, span;

    if (!cursor_u8(c, &version) || version < BLOCK_FORMAT_OLDEST || version > BLOCK_FORMAT_VERSION)
        return false;
    if (!cursor_u8(c, ret_flags) || *ret_flags & ~BLOCK_FLAGS_USED)
        return false;
    if (!varint_get(c, &count) || count == 0 || count > BLOCK_POINTS_MAX)
        return false;
    if (!varint_get_signed(c, &b->first_ts) || !varint_get(c, &span))
        return false;
    b->count = (uint32_t)count;
    b->last_ts = (int64_t)((uint64_t)b->first_ts + span);
    return span <= (uint64_t)INT64_MAX - (uint64_t)b->first_ts;
}

static bool
read_bounds(struct cursor *c, unsigned flags, struct block_info *b)
{
    if (!get_double(c, &b->first))
        return false;
    b->last = b->min = b->max = b->first;
    if (!(flags & BLOCK_LAST_IS_FIRST) && !get_double(c, &b->last))
        return false;
    if (flags & BLOCK_MIN_IS_LAST)
        b->min = b->last;
    else if (!(flags & BLOCK_MIN_IS_FIRST) && !get_double(c, &b->min))
        return false;
    if (flags & BLOCK_MAX_IS_LAST)
        b->max = b->last;
    else if (!(flags & BLOCK_MAX_IS_FIRST) && !get_double(c, &b->max))
        return false;
    return true;
}

static bool
read_sums(struct cursor *c, unsigned flags, struct block_info *b)
{
    uint64_t nan_count = 0;

    b->sum = b->first * b->count;
    b->sum_squares = b->first * b->first * b->count;
    if (!(flags & BLOCK_SUMS_DERIVED) &&
        (!get_double(c, &b->sum) || !get_double(c, &b->sum_squares)))
        return false;
    if (flags & BLOCK_HAS_NAN && !varint_get(c, &nan_count))
        return false;
    b->nan_count = (uint32_t)nan_count;
    return nan_count <= b->count;
}

static bool
read_header(struct cursor *c, struct block_info *ret)
{
    uint8_t flags;

    return read_range(c, &flags, ret) && read_bounds(c, flags, ret) && read_sums(c, flags, ret);
}

bool
block_read_info(struct slice block, struct block_info *ret_info)
{
    struct cursor c = cursor_of(block);
    struct block_info info;

    if (!read_header(&c, &info))
        return false;
    info.encoded = block.p;
    info.bytes = (uint32_t)block.n;
    *ret_info = info;
    return true;
}

bool
block_columns_find(struct slice block, struct block_info *ret_info, struct block_slices *ret)
{
    struct cursor c = cursor_of(block);
    uint64_t time_bytes, value_bytes;
    const uint8_t *time, *value;

    if (!read_header(&c, ret_info) || !varint_get(&c, &time_bytes) || !varint_get(&c, &value_bytes))
        return false;
    time = cursor_take(&c, time_bytes);
    value = cursor_take(&c, value_bytes);
    if (!time || !value)
        return false;
    ret->time = (struct slice){(const char *)time, time_bytes};
    ret->value = (struct slice){(const char *)value, value_bytes};
    ret->quality = (struct slice){(const char *)c.p, cursor_left(&c)};
    return true;
}

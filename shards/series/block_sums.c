/* Adding up points and blocks. See block.h for what is exact. */
#include "shards/series/block_priv.h"

#include <math.h>

/* --- points ----------------------------------------------------------------------------------- */

static void
add_one(struct block_sums *s, double v)
{
    if (v != v) {
        s->nan_count++;
        return;
    }
    if (s->count++ == 0)
        s->first = v;
    s->last = v;
    s->sum += v;
    s->sum_squares += v * v;
    s->min = v < s->min ? v : s->min;
    s->max = v > s->max ? v : s->max;
}

void
block_sums_add(struct block_sums *s, const double *v, uint32_t n)
{
    struct kernel_fold f = {s->sum, s->sum_squares, s->min, s->max};
    uint32_t i;

    if (codec_kernels->has_nan(v, n)) {
        for (i = 0; i < n; i++)
            add_one(s, v[i]);
        return;
    }
    if (n == 0)
        return;
    codec_kernels->fold(v, n, &f);
    s->sum = f.sum;
    s->sum_squares = f.sum_squares;
    s->min = f.min;
    s->max = f.max;
    if (s->count == 0)
        s->first = v[0];
    s->last = v[n - 1];
    s->count += n;
}

/* --- whole blocks ----------------------------------------------------------------------------- */

/* The power of two of which all values are known to be multiples; 0 = none. */
static double
unit_of(struct slice block, const struct block_info *info)
{
    struct block_info again;
    struct block_slices s;

    if (!block_columns_find(block, &again, &s) || s.value.n == 0)
        return 0;
    switch ((uint8_t)s.value.p[0]) {
    case VALUE_CONSTANT:
        return info->first == nearbyint(info->first) ? 1 : 0;
    case VALUE_DECIMAL:
        return decimal_unit((struct slice){s.value.p + 1, s.value.n - 1});
    default:
        return 0;
    }
}

/* Adding `count` multiples of `unit`, none greater than `size`, to `to` rounds nowhere: all sums on
 * the way are multiples of the unit that a double holds. */
static bool
adds_exactly(double to, double count, double size, double unit)
{
    double most = (fabs(to) + count * size) / unit;

    return most < 0x1p53 && to / unit == nearbyint(to / unit);
}

bool
block_sums_add_block(struct block_sums *s, struct slice block, const struct block_info *info)
{
    const double size = fmax(fabs(info->min), fabs(info->max)), count = info->count;
    double unit;

    if (info->nan_count || !(unit = unit_of(block, info)))
        return false;
    if (!adds_exactly(s->sum, count, size, unit) ||
        !adds_exactly(s->sum_squares, count, size * size, unit * unit))
        return false;
    if (s->count == 0)
        s->first = info->first;
    s->last = info->last;
    s->count += info->count;
    s->sum += info->sum;
    s->sum_squares += info->sum_squares;
    s->min = info->min < s->min ? info->min : s->min;
    s->max = info->max > s->max ? info->max : s->max;
    return true;
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* First index of a ts that is >= ts. */
static uint32_t
lower(const int64_t *p, uint32_t n, int64_t ts)
{
    uint32_t at = 0;

    while (n > 0) {
        uint32_t half = n / 2;
        if (p[at + half] < ts) {
            at += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return at;
}

static void
add_vector(struct block_sums *s, const struct block_vector *v, int64_t start, int64_t end)
{
    uint32_t from = lower(v->ts, v->n, start);
    uint32_t to = end == INT64_MAX ? v->n : lower(v->ts, v->n, end + 1);

    if (from < to)
        block_sums_add(s, v->value + from, to - from);
}

int
block_sums_add_range(struct block_sums *s, struct block_reader *r, struct slice block,
                     int64_t start, int64_t end, struct block_vector *v)
{
    struct block_info info;
    bool whole;
    int rc;

    if (!block_read_info(block, &info))
        return -EBADMSG;
    if (info.first_ts > end || info.last_ts < start)
        return 0;
    whole = info.first_ts >= start && info.last_ts <= end;
    if (whole && block_sums_add_block(s, block, &info))
        return 0;
    if (!block_reader_open(r, block, whole ? BLOCK_VALUES : BLOCK_TIMES | BLOCK_VALUES))
        return -EBADMSG;
    while ((rc = block_reader_next(r, v)) == 1) {
        if (whole)
            block_sums_add(s, v->value, v->n);
        else if (v->ts[0] > end)
            break;
        else
            add_vector(s, v, start, end);
    }
    return MIN(rc, 0);
}

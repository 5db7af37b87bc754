/* What of a series a query leaves out: FILTER_BY_TS and FILTER_BY_VALUE, point by point and by the headers of
 * stored blocks. */
#include "shards/commands/ts_range_priv.h"

/* The place of the first of the FILTER_BY_TS times that is >= ts. */
static uint32_t
times_lower(const struct ts_range *r, int64_t ts)
{
    uint32_t lo = 0, hi = r->times_n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (r->times[mid] < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool
ts_range_has_time(const struct ts_range *r, int64_t ts)
{
    uint32_t i = times_lower(r, ts);

    return i < r->times_n && r->times[i] == ts;
}

bool
ts_range_excludes_block(const struct ts_range *r, const struct block_info *info)
{
    uint32_t i;

    if (r->by_value && (info->nan_count == info->count || info->max < r->value_min ||
                        info->min > r->value_max))
        return true;
    if (r->times_n == 0)
        return false;
    i = times_lower(r, info->first_ts);
    return i == r->times_n || r->times[i] > info->last_ts;
}

bool
ts_range_includes_block(const struct ts_range *r, const struct block_info *info)
{
    if (r->times_n > 0)
        return false;
    return !r->by_value || (info->nan_count == 0 && info->min >= r->value_min &&
                            info->max <= r->value_max);
}

/* What the files of ranges share. */
#ifndef SHARDS_COMMANDS_TS_RANGE_PRIV_H
#define SHARDS_COMMANDS_TS_RANGE_PRIV_H

#include "shards/commands/ts_range.h"

/* Is the time among those of FILTER_BY_TS? */
bool ts_range_has_time(const struct ts_range *r, int64_t ts);
/* Can no point of the block pass? */
bool ts_range_excludes_block(const struct ts_range *r, const struct block_info *info);
/* Does every point of it pass? */
bool ts_range_includes_block(const struct ts_range *r, const struct block_info *info);

/* --- ts_range_around.c */
/* neighbour_fn of a reading: of the points that pass. A search that its time stops returns -EINPROGRESS, and goes
 * on where it was when it is asked for again; what was found is not searched for twice. */
int ts_range_neighbour(void *arg, bool after, int64_t ts, bool number, struct sample *ret_sample);
/* Does what was found, or passed over, stand, if points of these times have changed? */
bool ts_around_stands(const struct ts_around *a, int64_t from, int64_t to);

static inline bool
ts_range_is_filtered(const struct ts_range *r)
{
    return r->by_value || r->times_n > 0;
}

/* Does the point pass the filters? */
static inline bool
ts_range_passes(const struct ts_range *r, const struct sample *p)
{
    if (r->by_value && !(p->value >= r->value_min && p->value <= r->value_max))
        return false;
    return r->times_n == 0 || ts_range_has_time(r, p->ts);
}

#endif

/* Arguments and small questions that the TSDB_* and BATCH_* commands share. The readers of an
 * argument say false when it is refused; the error has been replied then. */
#ifndef SHARDS_COMMANDS_SERIES_ARGS_H
#define SHARDS_COMMANDS_SERIES_ARGS_H

#include "core/fieldmap.h"
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/series/aggregate.h"

/* The functions asked of one series: a column each. */
struct ts_columns {
    uint8_t fn[AGGREGATES_MAX]; /* enum aggregate */
    uint32_t n;
};

/* Nanoseconds of the instance's timestamp-unit. */
int64_t series_unit_ns(const struct ctx *c);
/* Now, in the instance's timestamp-unit. */
int64_t series_now(const struct ctx *c);

/* Replies "<what> '<argument i>' is not <allowed>"; always false. */
bool series_arg_refused(struct ctx *c, const char *what, uint32_t i, const char *allowed);
/* False, with "<option> is given twice" replied, where it was `given` already. */
bool series_arg_once(struct ctx *c, const char *option, bool given);
bool series_arg_timestamp(struct ctx *c, uint32_t i, int64_t *ret_ts); /* also *, the present time */
bool series_arg_value(struct ctx *c, uint32_t i, double *ret_v);       /* finite */
bool series_arg_type(struct ctx *c, uint32_t i, uint8_t *ret_type);    /* two hex digits */
bool series_arg_quality(struct ctx *c, uint32_t i, uint8_t *ret_q);
/* A time, or the character that stands for open_value. */
bool series_arg_bound(struct ctx *c, uint32_t i, const char *what, char open, int64_t open_value,
                      int64_t *ret_ts);
/* start|- and end|+, at i and behind it. */
bool series_arg_bounds(struct ctx *c, uint32_t i, int64_t *ret_start, int64_t *ret_end);
/* A length of time in the instance's unit, at least `least` (duration.h). */
bool series_arg_duration(struct ctx *c, uint32_t i, const char *what, int64_t least, int64_t *ret);
/* A field of series-fields; NULL = there is none, and that is replied. */
const struct field *series_arg_field(struct ctx *c, uint32_t i);
bool series_arg_functions(struct ctx *c, uint32_t i, struct ts_columns *ret); /* "avg,max" */

/* Where the stored blocks of the key are; NULL: its database was flushed, there are none. */
struct store *series_visible_store(const struct key *k);
/* Is there a point at ts, in memory or stored? False and ctx->need set when a helper must look. */
bool series_point_exists(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts,
                         bool *ret);
/* Replies what a reader of points or buckets returned; nothing for 0 and -EAGAIN. */
void series_query_failed(struct ctx *c, int rc);
/* A reply would hold more than `most` points. */
void series_query_too_many(struct ctx *c, uint32_t most);
/* What was said of a series by TS.CREATE and the like. NULL: nothing was, as of most; e may be NULL. */
static inline const struct series_meta *
series_own_settings(const struct entry *e)
{
    return likely(e != NULL) ? entry_series(e)->meta : NULL;
}
/* How a new point of the series meets another of its time: its own policy before duplicate-policy. */
static inline enum duplicate_policy
series_policy(const struct ctx *c, const struct entry *e)
{
    const struct series_meta *m = series_own_settings(e);

    if (unlikely(m != NULL) && m->policy != SERIES_POLICY_UNSET)
        return (enum duplicate_policy)m->policy;
    return (enum duplicate_policy)c->core->config.duplicate_policy;
}
/* What that policy is called in an error: the setting, or the series' own. */
static inline const char *
series_policy_name(const struct entry *e)
{
    const struct series_meta *m = series_own_settings(e);

    return m != NULL && m->policy != SERIES_POLICY_UNSET ? "its DUPLICATE_POLICY"
                                                         : "duplicate-policy";
}
/* Is a point of this time older than the retention of the series (e may be NULL) allows? */
static inline bool
series_is_too_old(const struct entry *e, uint8_t type, int64_t ts)
{
    const struct series_meta *m = series_own_settings(e);

    return unlikely(m != NULL) &&
           ts < series_kept_from(series_find(entry_series(e), type), m->retention);
}
/* Refuses such a point; always false. */
bool series_reply_too_old(struct ctx *c, int64_t ts);
/* MIN, MAX, SUM: is what this finite value meets a number, and for SUM their sum finite, too? False: refused
 * (where the command is not just probed), or ctx->need is set. */
bool series_meeting_fits(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type,
                         int64_t ts, double value, enum duplicate_policy policy);
/* SUM, for all points of a BATCH_WRITE, which may meet each other: are the sums finite? */
bool series_batch_sums_fit(struct ctx *c);
/* Refuses a point that meets one that is NaN. */
void series_reply_nan(struct ctx *c, int64_t ts);
/* Refuses a point whose sum would be infinite. */
void series_reply_overflow(struct ctx *c, int64_t ts);
/* Refuses a point of a time that has as many as there may be. */
void series_reply_crowded(struct ctx *c, int64_t ts);
/* Refuses a point under the policy BLOCK of the series (`e` may be NULL). */
void series_reply_blocked(struct ctx *c, const struct entry *e, int64_t ts);

#endif

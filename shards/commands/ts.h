/* What the files of the TS.* commands share: RedisTimeSeries' words for what can be wrong, how its
 * options are found, and the way of a point into a series.
 *
 * TS.* commands work on data type 00 of a key. Where RedisTimeSeries is odd (options are searched
 * over the whole command, the first of a repeated one wins, unknown words are ignored) they are odd
 * the same way; docs/TIMESERIES.md lists it. */
#ifndef SHARDS_COMMANDS_TS_H
#define SHARDS_COMMANDS_TS_H

#include "shards/commands/series_args.h"
#include "shards/series/series_store.h"

#define TS_TYPE 0 /* the data type of TS.* series */
#define TS_HITS_MAX 1000000 /* series of a core that one filter may find */

#define ERR_TS_EXISTS "ERR TSDB: key already exists"
#define ERR_TS_NO_KEY "ERR TSDB: the key does not exist"
#define ERR_TS_NOT_SERIES "ERR TSDB: the key is not a TSDB key"
#define ERR_TS_WRONGTYPE "ERR " ERR_WRONGTYPE
#define ERR_TS_VALUE "ERR TSDB: invalid value"
#define ERR_TS_TIMESTAMP "ERR TSDB: invalid timestamp"
#define ERR_TS_NEGATIVE "ERR TSDB: invalid timestamp, must be a nonnegative integer"
#define ERR_TS_RETENTION "ERR TSDB: Timestamp is older than retention"
#define ERR_TS_UPSERT                                                                              \
    "ERR TSDB: Error at upsert, update is not supported when DUPLICATE_POLICY is set to BLOCK "    \
    "mode, or either current or new value is NaN and DUPLICATE_POLICY is MAX/MIN/SUM"
#define ERR_TS_CROWDED "ERR TSDB: more than 1000000 points with this timestamp"
#define ERR_TS_STORED "ERR TSDB: stored points of the series cannot be read"

/* --- keys ------------------------------------------------------------------------------------- */

/* The live entry of a series; NULL: it is absent or of another type, and the error is replied. */
struct entry *ts_find(struct ctx *c, struct key *k);
/* The points TS.* commands see; NULL = none were ever added. */
static inline struct series *
ts_series(const struct entry *e)
{
    return series_find(entry_series(e), TS_TYPE);
}
/* Oldest time that retention leaves visible; INT64_MIN = all are. `s` may be NULL. */
int64_t ts_visible_from(const struct series_meta *m, const struct series *s);
/* series_read of the key's points from the cache only, retention not looked at. -EAGAIN: ctx->need
 * is set and the handler returns. */
int ts_read(struct ctx *c, const struct key *k, const struct series *s,
            const struct series_query *q, series_emit_fn emit, void *arg);

/* --- arguments -------------------------------------------------------------------------------- */

/* Place of the first argument from `from` on that is this word (lower case here); 0 = none is. */
uint32_t ts_option(const struct ctx *c, uint32_t from, const char *word);
/* NULL, or the error: a time to write at (`*` is now), and a value. */
const char *ts_parse_timestamp(const struct ctx *c, struct slice text, int64_t *ret_ts);
const char *ts_parse_value(struct slice text, double *ret_v);
/* A duplicate policy's name; KEEP only where ts-compat says extended. */
bool ts_parse_policy(const struct ctx *c, struct slice text, uint8_t *ret_policy);
/* What a new series has when no option says otherwise. */
void ts_default_meta(const struct ctx *c, struct series_meta *ret_m);
/* The options of TS.CREATE from argument `from` on over what `m` has; labels stand in the scratch
 * and point into the arguments. False: the error is replied. */
bool ts_parse_options(struct ctx *c, uint32_t from, struct series_meta *m);

/* --- writing ---------------------------------------------------------------------------------- */

/* A point on its way into a series. */
struct ts_point {
    struct key key;
    struct entry *e;
    int64_t ts;
    double value;
    struct slice text; /* ts as the client wrote it; empty: it wrote something else */
    int64_t answer;    /* the time to reply: ts, or the newest point's when IGNORE drops it */
    uint8_t policy;    /* in effect */
    bool ignored;
    const char *error; /* NULL: it may be added */
};

/* Before anything is changed: what becomes of the point (key, e, ts and value are set)?
 * `on_duplicate` SERIES_POLICY_UNSET = the series' own. False: ctx->need is set. */
bool ts_check_point(struct ctx *c, struct ts_point *p, uint8_t on_duplicate);
/* Do so many more points of this time find room under KEEP (e may be NULL)? To be asked right before
 * they are added; a command that adds several asks before the first as well, so that what has to be
 * looked at is at hand. 1, 0 = they do not, -EAGAIN: ctx->need is set, or another error of reading. */
int ts_keep_room(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type, int64_t ts,
                 uint32_t more);
/* Adds it, unless it is in error or ignored. */
void ts_add_point(struct ctx *c, struct ts_point *p);
/* :timestamp or the error. */
void ts_reply_point(struct ctx *c, const struct ts_point *p);

/* --- replies ---------------------------------------------------------------------------------- */

/* [timestamp, value] */
void ts_reply_sample(struct ctx *c, const struct sample *p);

/* How long a command over many series may take inside MULTI at a time: all of it is done twice there, to find
 * out what it needs and to answer, and both together have LIMIT_EXEC_NS. */
uint64_t ts_exec_ns(const struct ctx *c);
/* Inside MULTI a command over many series has its time, LIMIT_EXEC_NS: this is what it is answered when
 * that is over. */
void ts_reply_takes_long(struct ctx *c);

#endif

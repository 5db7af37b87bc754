/* What the files of the rules share. See ts_rule.h. */
#ifndef SHARDS_COMMANDS_TS_RULE_PRIV_H
#define SHARDS_COMMANDS_TS_RULE_PRIV_H

#include "shards/commands/ts_rule.h"
#include "shards/series/aggregate.h"

/* A bucket of the source, and which of its points count. */
struct rule_bucket {
    int64_t start;
    int64_t after;    /* only those behind this time; INT64_MIN: all */
    bool expired_too; /* also what retention hides: it came in time */
};

static inline int64_t
rule_start_of(const struct series_rule *r, int64_t ts)
{
    return bucket_start(ts, r->bucket, r->align);
}

static inline int64_t
rule_end_of(const struct series_rule *r, int64_t start)
{
    int64_t end = start > INT64_MAX - r->bucket ? INT64_MAX : start + r->bucket - 1, next;

    if (likely(start != INT64_MIN))
        return end;
    next = rule_start_of(r, end); /* of another bucket where the first one began before all times */
    return next == INT64_MIN ? end : next - 1;
}

/* The time of the bucket's point in the destination. */
static inline int64_t
rule_time_of(const struct series_rule *r, int64_t start)
{
    return bucket_time(start, r->bucket, BUCKET_START);
}

/* The newest point of data type 00; false: there is none. */
bool rule_newest(const struct entry *e, int64_t *ret_ts);
/* The bucket's value: 1, 0 = it has none, or an error of ts_range_read. */
int rule_bucket_value(struct ctx *c, const struct key *k, const struct entry *e,
                      const struct series_rule *r, const struct rule_bucket *b, double *ret_v);
/* Is what that takes at hand? False: ctx->need is set. */
bool rule_bucket_ready(struct ctx *c, const struct key *k, const struct entry *e,
                       const struct series_rule *r, const struct rule_bucket *b);
/* The destination; *ret_e NULL = the rule is void: the key went, or is another one now. False:
 * ctx->need is set. */
bool rule_finds(struct ctx *c, const struct key *from, const struct series_rule *r,
                struct key *ret_k, struct entry **ret_e);

/* Is what it takes to remove the destination's point of this time at hand? False: ctx->need is set. */
bool rule_clear_ready(struct ctx *c, struct key *k, struct entry *e, int64_t ts);

/* --- behind the point of no return: what was looked for before is there */
/* The destination; false: the rule is void, or (which is logged) the key cannot be read. */
bool rule_still_finds(struct ctx *c, const struct key *from, const struct series_rule *r,
                      struct key *ret_k, struct entry **ret_e);
/* Writes the bucket's point. */
void rule_upsert(struct ctx *c, const struct key *k, struct entry *e, const struct series_rule *r,
                 int64_t start, double value);
/* Removes the point of this time, if there is one, with what follows for rules of the destination. 0 or an
 * error. */
int rule_clear(struct ctx *c, struct key *k, struct entry *e, int64_t ts);
void rule_complain(const struct ctx *c, const struct key *k, int rc);

/* A flag for each of n rules, none set. */
bool *rules_none(struct ctx *c, uint32_t n);
/* The open bucket counts all its points from now on, in the rules of the set. */
void rules_count_all(struct ctx *c, struct key *k, struct entry *e, const bool *set);

#endif

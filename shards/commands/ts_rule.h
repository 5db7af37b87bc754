/* Compaction rules: aggregates of the buckets of one series become points of another.
 *
 * A rule keeps no running state. When a point of a later bucket arrives the bucket before it is
 * computed from the points of the source, by the code that answers TS.RANGE, and written to the
 * destination; a late point or a deletion computes the buckets anew that it falls into. The open
 * bucket is not in the destination; LATEST computes it.
 *
 * All of it is part of the write to the source: one group in the journals, whatever cores the two
 * keys are of. What it takes is looked for before anything is changed (..._ready), so that a
 * command can wait for it; the rules of a destination (chains) included. */
#ifndef SHARDS_COMMANDS_TS_RULE_H
#define SHARDS_COMMANDS_TS_RULE_H

#include "shards/commands/ts.h"

#define TS_BACKFILL_MAX 100000 /* buckets that BACKFILL writes */
#define TS_RULE_CHAIN_MAX 16 /* rules from the first source to the last destination */
#define TS_RULE_TREE_MAX 4096 /* series that the rules of one write to, and those of these, and so on */

static inline bool
ts_has_rules(const struct entry *e)
{
    const struct series_key *sk = e ? entry_series(e) : NULL;

    return unlikely(sk && sk->meta) && sk->meta->rules_n > 0;
}

/* Is everything at hand that the rules will take once a point of this time is added, or points
 * between two times are deleted? False: ctx->need is set, to what all of them lack as far as it is known:
 * each fetch reaches one level of rules further. */
bool ts_rules_add_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t ts);
bool ts_rules_delete_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t from,
                           int64_t to);
/* May points from this time on be deleted, as far as rules go? False: error replied, or ctx->need is set. */
bool ts_rules_allow_delete(struct ctx *c, const struct key *k, const struct entry *e, int64_t from);
/* For a command that adds several points: the destinations of all its rules, whatever it does to
 * them. False: ctx->need is set. */
bool ts_rules_all_ready(struct ctx *c, const struct key *k, const struct entry *e);
/* It was done; `last` is the newest time there was before, had: there was one. */
void ts_rules_added(struct ctx *c, struct key *k, struct entry *e, bool had, int64_t last,
                    int64_t ts);
void ts_rules_deleted(struct ctx *c, struct key *k, struct entry *e, int64_t last, int64_t from,
                      int64_t to);

/* RENAME: is what the rules of the series, and the one that it is the destination of, name at hand?
 * False: ctx->need is set. */
bool ts_rules_rename_ready(struct ctx *c, const struct key *from, const struct entry *e);
/* Is it within SERIES_META_BYTES_MAX, when all is at hand? False: error replied. */
bool ts_rules_rename_fits(struct ctx *c, const struct key *from, const struct entry *e, struct slice to);
/* `to` has got everything of `from` but these rules, and gets them now; `from` is still there. */
void ts_rules_renamed(struct ctx *c, const struct key *from, const struct entry *e, struct key *to);

/* key_add_point, and what follows from it for the rules of the series (a point of type 00 to one that
 * has rules; the slow half of ts_write_point). */
enum series_result ts_write_with_rules(struct ctx *c, struct key *k, struct entry *e, int64_t ts,
                                       double value, uint8_t quality,
                                       enum duplicate_policy policy);
static inline enum series_result
ts_write_point(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts, double value,
               uint8_t quality, enum duplicate_policy policy)
{
    if (unlikely(ts_has_rules(e)) && type == TS_TYPE)
        return ts_write_with_rules(c, k, e, ts, value, quality, policy);
    return key_add_point(c, k, e, type, ts, value, quality, policy);
}
/* Before it, as ts_rules_add_ready: for any series and data type, e may be NULL. */
static inline bool
ts_write_ready(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type, int64_t ts)
{
    return likely(!ts_has_rules(e)) || type != TS_TYPE || ts_rules_add_ready(c, k, e, ts);
}

/* The compactions that ts-compaction-policy gives a series which is created by being written to. */
struct ts_policy {
    /* of each destination, in the order of the source's rules; in the scratch */
    struct key *to;
    int64_t *retention;
};
/* Before anything is changed, for a key that is absent: adds the rules to `m`, whose labels they
 * take. Names that are taken are left out, which the log says. False: ctx->need is set, or the error
 * is replied. */
bool ts_policy_plan(struct ctx *c, const struct key *k, struct series_meta *m,
                    struct ts_policy *ret_p);
/* For a command of a transaction: whatever those ahead of it do to the key, all that this one may take
 * is there. False: ctx->need is set; asked of several keys in turn it names what they lack together,
 * unless it is a shard. */
bool ts_policy_ready(struct ctx *c, const struct key *k);
/* The source was made with `m`: makes its destinations. */
void ts_policy_make(struct ctx *c, const struct key *k, const struct series_meta *m,
                    const struct ts_policy *p);

/* A key of a rule by name, of whichever core; *ret_e NULL = it is absent or no series. False:
 * ctx->need is set. */
bool ts_rule_peer(struct ctx *c, struct slice name, struct key *ret_k, struct entry **ret_e);
/* The open bucket of a rule, as the point that the destination will have: 1, 0 = there is none,
 * -EAGAIN with ctx->need set, or another error of reading. Asked of the source (`to` names the
 * destination), and of the destination. */
int ts_rule_open(struct ctx *c, const struct key *from_key, const struct entry *from, struct slice to,
                 struct sample *ret_sample);
int ts_rule_latest(struct ctx *c, const struct key *k, const struct entry *e,
                   struct sample *ret_sample);

/* The newest point of a series; with `latest` the open bucket of its rule counts as the newest, unless
 * it was written meanwhile. `open` may say already which that is. 1, 0 = there is none, or an error
 * as of ts_rule_open. */
struct ts_open;
int ts_rule_newest(struct ctx *c, const struct key *k, const struct entry *e, bool latest,
                   const struct ts_open *open, struct sample *ret_sample);

#endif

/* What writes to a series do to the destinations of its rules. See ts_rule.h. */
#include "shards/commands/ts_rule_priv.h"

#include "core/log.h"
#include "shards/commands/ts_range.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/store/row.h"

#include <math.h>

/* --- keys ------------------------------------------------------------------------------------- */

bool
ts_rule_peer(struct ctx *c, struct slice name, struct key *ret_k, struct entry **ret_e)
{
    uint32_t owner = shard_slot_owner(key_slot(name), c->core->ncores);
    struct shard *sh = core_shard(c->core, owner);
    struct key k;

    if (!ctx_has_shard(c, owner)) {
        c->need = (struct need){.kind = NEED_SHARD, .sh = sh};
        return false;
    }
    k = key_open(c, name);
    if (!(c->reads_through ? load_key_through : load_key_now)(sh, k.db, name, k.hash)) {
        ctx_need_key(c, &(struct need){.kind = NEED_KEY, .sh = sh, .key = name, .db = k.db});
        return false;
    }
    k.known = true;
    *ret_k = k;
    *ret_e = key_peek(c, &k);
    if (*ret_e && (*ret_e)->type != ENTRY_SERIES)
        *ret_e = NULL;
    return true;
}

bool
rule_finds(struct ctx *c, const struct key *from, const struct series_rule *r, struct key *ret_k,
           struct entry **ret_e)
{
    const struct series_meta *m;

    if (!ts_rule_peer(c, r->to, ret_k, ret_e))
        return false;
    m = *ret_e ? series_key_settings(entry_series(*ret_e)) : &series_meta_default;
    if (!m->has_source || !slice_equal(m->source, from->name))
        *ret_e = NULL;
    return true;
}

bool
rule_still_finds(struct ctx *c, const struct key *from, const struct series_rule *r,
                 struct key *ret_k, struct entry **ret_e)
{
    bool was = c->reads_through, found;

    c->reads_through = true;
    found = rule_finds(c, from, r, ret_k, ret_e);
    c->reads_through = was;
    if (found)
        return *ret_e != NULL;
    ASSERT(c->need.kind != NEED_SHARD); /* its shard takes part */
    c->need.kind = NEED_NOTHING;      /* else the command would be run a second time */
    log_error("core %u: a rule of series '%.*s' could not read the key it writes to", c->core->id,
              (int)MIN(from->name.n, 64), from->name.p);
    return false;
}

/* A command of a transaction is asked before those ahead of it have run: what it will do to its
 * rules is not known then. */
bool
ts_rules_all_ready(struct ctx *c, const struct key *k, const struct entry *e)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    bool ready = true;

    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *to;
        struct key to_key;

        if (!rule_finds(c, k, &m->rules[i], &to_key, &to) ||
            (ts_has_rules(to) && !ts_rules_all_ready(c, &to_key, to)))
            ready = false;
    }
    return ready;
}

/* --- buckets ---------------------------------------------------------------------------------- */

/* The bucket of the newest point: those that were there when the rule was made may not count. */
static struct rule_bucket
open_bucket(const struct series_rule *r, int64_t start)
{
    bool cut = r->after != INT64_MIN && rule_start_of(r, r->after) == start;

    return (struct rule_bucket){.start = start, .after = cut ? r->after : INT64_MIN,
                                .expired_too = true};
}

int
rule_bucket_value(struct ctx *c, const struct key *k, const struct entry *e,
                  const struct series_rule *r, const struct rule_bucket *b, double *ret_v)
{
    struct ts_columns col = {.fn = {r->aggregator}, .n = 1};
    struct ts_range q = {.from = b->after == INT64_MIN ? b->start : MIN(b->after, INT64_MAX - 1) + 1,
                         .to = rule_end_of(r, b->start),
                         .type = TS_TYPE,
                         .count = UINT64_MAX,
                         .columns = &col,
                         .columns_n = 1,
                         .bucket = r->bucket,
                         .align = r->align,
                         .expired_too = b->expired_too,
                         .whole = true};
    struct series_table t = {.cols = 1};
    int rc = q.from > q.to || b->after == INT64_MAX ? 0 : ts_range_read(c, k, e, &q, 0, &t);

    if (rc == 0 && t.n > 0) {
        *ret_v = t.v[0];
        rc = 1;
    }
    series_table_fini(&t);
    return rc;
}

/* --- points added ------------------------------------------------------------------------------ */

/* What a point does to a rule. */
enum effect {
    EFFECT_NONE,    /* it is in the open bucket, and the newest */
    EFFECT_OPEN,    /* in the open bucket, not as the newest point: that is computed as a whole now */
    EFFECT_PUBLISH, /* a bucket is to be written */
};

static enum effect
effect_of(const struct series_rule *r, bool had, int64_t last, int64_t ts, struct rule_bucket *ret_b)
{
    int64_t start = rule_start_of(r, ts), open;

    if (!had)
        return EFFECT_NONE;
    open = rule_start_of(r, last);
    if (ts > last) {
        *ret_b = open_bucket(r, open);
        return start > open ? EFFECT_PUBLISH : EFFECT_NONE;
    }
    *ret_b = (struct rule_bucket){.start = start, .after = INT64_MIN};
    return start >= open ? EFFECT_OPEN : EFFECT_PUBLISH;
}

bool
rule_newest(const struct entry *e, int64_t *ret_ts)
{
    const struct series *s = ts_series(e);
    struct sample last;
    uint8_t quality;

    if (s == NULL || !series_last(s, &last, &quality))
        return false;
    *ret_ts = last.ts;
    return true;
}

bool
rule_bucket_ready(struct ctx *c, const struct key *k, const struct entry *e,
                  const struct series_rule *r, const struct rule_bucket *b)
{
    double v;

    return rule_bucket_value(c, k, e, r, b, &v) != -EAGAIN;
}

static int
any_point(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    return 1;
}

/* What stands at a time says whether a late point changes anything. */
static bool
rule_meeting_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t ts)
{
    struct series_query q = {.start = ts, .end = ts, .limit = 1, .reverse = true};

    return ts_read(c, k, ts_series(e), &q, any_point, NULL) != -EAGAIN;
}

/* May a late point leave nothing that counts? A number that takes the place of the only NaN does. */
static bool
may_empty(const struct series_rule *r)
{
    return r->aggregator == AGGREGATE_COUNT_NAN;
}

/* late: the bucket was over before; what was written of it may have to go. */
static bool
publish_ready(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
              const struct rule_bucket *b, bool late)
{
    struct entry *to;
    struct key to_key;

    if (!rule_finds(c, k, r, &to_key, &to))
        return false;
    if (to == NULL)
        return true;
    if (late && !rule_clear_ready(c, &to_key, to, rule_time_of(r, b->start)))
        return false;
    return rule_bucket_ready(c, k, e, r, b) &&
           (!ts_has_rules(to) || ts_rules_add_ready(c, &to_key, to, rule_time_of(r, b->start)));
}

bool
ts_rules_add_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t ts)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    int64_t last = 0;
    bool had = rule_newest(e, &last), ready = true;

    if (c->probe && !ts_rules_all_ready(c, k, e))
        return false;
    if (had && ts <= last && !rule_meeting_ready(c, k, e, ts))
        return false;
    for (uint32_t i = 0; i < m->rules_n; i++) {
        const struct series_rule *r = &m->rules[i];
        struct rule_bucket b;

        if (effect_of(r, had, last, ts, &b) == EFFECT_PUBLISH &&
            !publish_ready(c, k, e, r, &b, ts <= last))
            ready = false;
    }
    return ready;
}

void
rule_upsert(struct ctx *c, const struct key *k, struct entry *e, const struct series_rule *r,
            int64_t start, double value)
{
    struct ts_point p = {.key = *k, .e = e, .value = value, .ts = rule_time_of(r, start)};
    int rc = isnan(value) ? rule_clear(c, &p.key, e, p.ts) : 0; /* where the two meet a number stays */

    if (rc < 0)
        rule_complain(c, k, rc);
    if (ts_check_point(c, &p, DUPLICATE_LAST))
        ts_add_point(c, &p);
}

void
rule_complain(const struct ctx *c, const struct key *k, int rc)
{
    log_error("core %u: a rule of series '%.*s' could not read a bucket: %s", c->core->id,
              (int)MIN(k->name.n, 64), k->name.p, strerror(-rc));
}

/* Does the bucket begin before what retention shows? Then its point may be all that is left of it. */
static bool
is_hidden(const struct entry *e, const struct rule_bucket *b)
{
    return b->start < ts_visible_from(series_key_settings(entry_series(e)), ts_series(e));
}

/* Computes the bucket and writes it to the destination. late: it was over before, and when nothing in it
 * counts any more its point goes. */
static void
publish(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
        const struct rule_bucket *b, bool late)
{
    struct entry *to;
    struct key to_key;
    double value;
    int rc;

    if (!rule_still_finds(c, k, r, &to_key, &to))
        return;
    rc = rule_bucket_value(c, k, e, r, b, &value);
    if (rc == 1)
        rule_upsert(c, &to_key, to, r, b->start, value);
    else if (rc == 0 && late && may_empty(r) && !is_hidden(e, b))
        rc = rule_clear(c, &to_key, to, rule_time_of(r, b->start));
    if (rc < 0)
        rule_complain(c, k, rc);
}

void
rules_count_all(struct ctx *c, struct key *k, struct entry *e, const bool *set)
{
    struct series_rule *rules;
    struct series_meta m;
    bool changes = false;
    size_t bytes;

    key_series_meta(c, k, e, &m);
    bytes = m.rules_n * sizeof(*rules);
    rules = scratch_alloc(&c->core->scratch, bytes);
    memcpy(rules, m.rules, bytes);
    for (uint32_t i = 0; i < m.rules_n; i++) {
        changes = changes || (set[i] && rules[i].after != INT64_MIN);
        if (set[i])
            rules[i].after = INT64_MIN;
    }
    m.rules = rules;
    if (changes)
        key_set_series_meta(c, k, e, &m);
}

bool *
rules_none(struct ctx *c, uint32_t n)
{
    bool *set = scratch_alloc(&c->core->scratch, n * sizeof(*set));

    memset(set, 0, n * sizeof(*set));
    return set;
}

void
ts_rules_added(struct ctx *c, struct key *k, struct entry *e, bool had, int64_t last, int64_t ts)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    bool *open = rules_none(c, m->rules_n), was = c->reads_through;
    struct rule_bucket b;

    c->reads_through = true;
    for (uint32_t i = 0; i < m->rules_n; i++) {
        enum effect effect = effect_of(&m->rules[i], had, last, ts, &b);

        open[i] = effect == EFFECT_OPEN;
        if (effect == EFFECT_PUBLISH)
            publish(c, k, e, &m->rules[i], &b, had && ts <= last);
    }
    c->reads_through = was;
    rules_count_all(c, k, e, open);
}

/* --- the open bucket --------------------------------------------------------------------------- */

int
ts_rule_open(struct ctx *c, const struct key *from_key, const struct entry *from, struct slice to,
             struct sample *ret_sample)
{
    const struct series_meta *m = series_key_settings(entry_series(from));
    int at = series_meta_rule(m, to);
    struct rule_bucket b;
    struct sample open;
    int64_t last;
    int rc;

    if (at < 0 || !rule_newest(from, &last))
        return 0;
    b = open_bucket(&m->rules[at], rule_start_of(&m->rules[at], last));
    open.ts = rule_time_of(&m->rules[at], b.start);
    rc = rule_bucket_value(c, from_key, from, &m->rules[at], &b, &open.value);
    if (rc == 1)
        *ret_sample = open;
    return rc;
}

int
ts_rule_latest(struct ctx *c, const struct key *k, const struct entry *e,
               struct sample *ret_sample)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    struct entry *from;
    struct key from_key;

    if (!m->has_source)
        return 0;
    if (!ts_rule_peer(c, m->source, &from_key, &from))
        return -EAGAIN;
    return from ? ts_rule_open(c, &from_key, from, k->name, ret_sample) : 0;
}

int
ts_rule_newest(struct ctx *c, const struct key *k, const struct entry *e, bool latest,
               const struct ts_open *open, struct sample *ret_sample)
{
    const struct series *s = ts_series(e);
    struct sample written = {0}, bucket = {0};
    uint8_t quality;
    bool has = s && series_last(s, &written, &quality);
    int rc = 0;

    if (open) {
        bucket = open->sample;
        rc = open->has;
    } else if (latest) {
        rc = ts_rule_latest(c, k, e, &bucket);
    }
    if (rc < 0)
        return rc;
    if (rc == 1 && !(has && written.ts == bucket.ts))
        *ret_sample = bucket;
    else if (has)
        *ret_sample = written;
    return rc == 1 || has;
}

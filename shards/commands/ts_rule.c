/* What writes to a series do to the destinations of its rules. See ts_rule.h. */
#include "shards/commands/ts_rule.h"

#include "core/log.h"
#include "shards/commands/ts_range.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/store/row.h"

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
    if (!load_key_now(sh, k.db, name, k.hash)) {
        c->need = (struct need){.kind = NEED_KEY, .sh = sh, .key = name, .db = k.db};
        return false;
    }
    k.known = true;
    *ret_k = k;
    *ret_e = key_peek(c, &k);
    if (*ret_e && (*ret_e)->type != ENTRY_SERIES)
        *ret_e = NULL;
    return true;
}

/* The destination; *ret_e NULL = the rule is void: the key went, or is another one now. */
static bool
find_destination(struct ctx *c, const struct key *from, const struct series_rule *r,
                 struct key *ret_k, struct entry **ret_e)
{
    const struct series_meta *m;

    if (!ts_rule_peer(c, r->to, ret_k, ret_e))
        return false;
    m = *ret_e ? series_key_meta(entry_series(*ret_e)) : &series_meta_default;
    if (!m->has_source || !slice_equal(m->source, from->name))
        *ret_e = NULL;
    return true;
}

/* Behind the point of no return; what was looked for before is there. */
static bool
still_finds_destination(struct ctx *c, const struct key *from, const struct series_rule *r,
                        struct key *ret_k, struct entry **ret_e)
{
    bool found = find_destination(c, from, r, ret_k, ret_e);

    ASSERT(found); /* else the command would be run a second time */
    return *ret_e != NULL;
}

/* A command of a transaction is asked before those ahead of it have run: what it will do to its
 * rules is not known then. */
bool
ts_rules_all_ready(struct ctx *c, const struct key *k, const struct entry *e)
{
    const struct series_meta *m = series_key_meta(entry_series(e));

    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *to;
        struct key to_key;

        if (!find_destination(c, k, &m->rules[i], &to_key, &to))
            return false;
        if (to && ts_has_rules(to) && !ts_rules_all_ready(c, &to_key, to))
            return false;
    }
    return true;
}

/* --- buckets ---------------------------------------------------------------------------------- */

static int64_t
start_of(const struct series_rule *r, int64_t ts)
{
    return bucket_start(ts, r->bucket, r->align);
}

static int64_t
end_of(const struct series_rule *r, int64_t start)
{
    return start > INT64_MAX - r->bucket ? INT64_MAX : start + r->bucket - 1;
}

/* Points of the bucket up to this time do not count; INT64_MIN: all do. */
static int64_t
counts_after(const struct series_rule *r, int64_t start)
{
    return r->after != INT64_MIN && start_of(r, r->after) == start ? r->after : INT64_MIN;
}

/* The bucket's value: 1, 0 = it has none, or an error of ts_range_read. */
static int
bucket_value(struct ctx *c, const struct key *k, const struct entry *e,
             const struct series_rule *r, int64_t start, int64_t after, double *ret_v)
{
    struct ts_columns col = {.fn = {r->aggregator}, .n = 1};
    struct ts_range q = {.from = after == INT64_MIN ? start : after + 1,
                         .to = end_of(r, start),
                         .type = TS_TYPE,
                         .count = UINT64_MAX,
                         .columns = &col,
                         .columns_n = 1,
                         .bucket = r->bucket,
                         .align = r->align,
                         .expired_too = true};
    struct series_table t = {.cols = 1};
    int rc = q.from > q.to ? 0 : ts_range_read(c, k, e, &q, 0, &t);

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
effect_of(const struct series_rule *r, bool had, int64_t last, int64_t ts, int64_t *ret_start,
          int64_t *ret_after)
{
    int64_t start = start_of(r, ts), open;

    if (!had)
        return EFFECT_NONE;
    open = start_of(r, last);
    if (ts > last) {
        *ret_start = open;
        *ret_after = counts_after(r, open);
        return start > open ? EFFECT_PUBLISH : EFFECT_NONE;
    }
    *ret_start = start;
    *ret_after = INT64_MIN;
    return start >= open ? EFFECT_OPEN : EFFECT_PUBLISH;
}

static bool
newest(const struct entry *e, int64_t *ret_ts)
{
    const struct series *s = ts_series(e);
    struct sample last;
    uint8_t quality;

    if (s == NULL || !series_last(s, &last, &quality))
        return false;
    *ret_ts = last.ts;
    return true;
}

/* Can the bucket be computed and written? */
static bool
bucket_ready(struct ctx *c, const struct key *k, const struct entry *e,
             const struct series_rule *r, int64_t start, int64_t after, struct key *ret_k,
             struct entry **ret_e)
{
    double v;

    if (!find_destination(c, k, r, ret_k, ret_e))
        return false;
    return *ret_e == NULL || bucket_value(c, k, e, r, start, after, &v) != -EAGAIN;
}

bool
ts_rules_add_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t ts)
{
    const struct series_meta *m = series_key_meta(entry_series(e));
    int64_t last = 0, start, after;
    bool had = newest(e, &last);

    if (c->probe && !ts_rules_all_ready(c, k, e))
        return false;
    for (uint32_t i = 0; i < m->rules_n; i++) {
        const struct series_rule *r = &m->rules[i];
        struct entry *to;
        struct key to_key;

        if (effect_of(r, had, last, ts, &start, &after) != EFFECT_PUBLISH)
            continue;
        if (!bucket_ready(c, k, e, r, start, after, &to_key, &to))
            return false;
        if (to && ts_has_rules(to) &&
            !ts_rules_add_ready(c, &to_key, to, bucket_time(start, r->bucket, BUCKET_START)))
            return false;
    }
    return true;
}

static void
upsert(struct ctx *c, const struct key *k, struct entry *e, const struct series_rule *r,
       int64_t start, double value)
{
    struct ts_point p = {.key = *k, .e = e, .value = value,
                         .ts = bucket_time(start, r->bucket, BUCKET_START)};

    if (ts_check_point(c, &p, DUPLICATE_LAST))
        ts_add_point(c, &p);
}

static void
complain(const struct ctx *c, const struct key *k, int rc)
{
    log_error("core %u: a rule of series '%.*s' could not read a bucket: %s", c->core->id,
              (int)MIN(k->name.n, 64), k->name.p, strerror(-rc));
}

/* Computes the bucket and writes it to the destination. */
static void
publish(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
        int64_t start, int64_t after)
{
    struct entry *to;
    struct key to_key;
    double value;
    int rc;

    if (!still_finds_destination(c, k, r, &to_key, &to))
        return;
    rc = bucket_value(c, k, e, r, start, after, &value);
    if (rc == 1)
        upsert(c, &to_key, to, r, start, value);
    else if (rc < 0)
        complain(c, k, rc);
}

/* The open bucket counts all its points from now on, in the rules of the set. */
static void
count_all(struct ctx *c, struct key *k, struct entry *e, const bool *set)
{
    struct series_meta m = *series_key_meta(entry_series(e));
    size_t bytes = m.rules_n * sizeof(struct series_rule);
    struct series_rule *rules = scratch_alloc(&c->core->scratch, bytes);
    bool changes = false;

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

static bool *
no_rules(struct ctx *c, uint32_t n)
{
    bool *set = scratch_alloc(&c->core->scratch, n * sizeof(*set));

    memset(set, 0, n * sizeof(*set));
    return set;
}

void
ts_rules_added(struct ctx *c, struct key *k, struct entry *e, bool had, int64_t last, int64_t ts)
{
    const struct series_meta *m = series_key_meta(entry_series(e));
    bool *open = no_rules(c, m->rules_n), was = c->reads_through;
    int64_t start, after;

    c->reads_through = true;
    for (uint32_t i = 0; i < m->rules_n; i++) {
        enum effect effect = effect_of(&m->rules[i], had, last, ts, &start, &after);

        open[i] = effect == EFFECT_OPEN;
        if (effect == EFFECT_PUBLISH)
            publish(c, k, e, &m->rules[i], start, after);
    }
    c->reads_through = was;
    count_all(c, k, e, open);
}

/* --- points deleted ---------------------------------------------------------------------------- */

/* The closed buckets that a deletion touches; false: none. */
static bool
closed_buckets(const struct series_rule *r, int64_t last, int64_t from, int64_t to,
               int64_t *ret_first, int64_t *ret_last, bool *ret_open)
{
    int64_t open = start_of(r, last), end = start_of(r, MIN(to, last));

    *ret_first = start_of(r, from);
    *ret_open = end >= open;
    if (*ret_first >= open)
        return false;
    *ret_last = end >= open ? start_of(r, open - 1) : end;
    return true;
}

static int
delete_points(struct ctx *c, struct key *k, struct entry *e, int64_t from, int64_t to)
{
    int64_t last = 0;
    int rc;

    if (from > to || !newest(e, &last))
        return 0;
    rc = key_delete_points(c, k, e, TS_TYPE, from, to);
    if (rc == 0 && !c->probe && ts_has_rules(e))
        ts_rules_deleted(c, k, e, last, from, to);
    return rc;
}

static int64_t
time_of(const struct series_rule *r, int64_t start)
{
    return bucket_time(start, r->bucket, BUCKET_START);
}

/* Of destination and source, for one rule. */
static bool
deletion_ready(struct ctx *c, const struct key *k, const struct entry *e,
               const struct series_rule *r, int64_t first, int64_t last)
{
    bool was = c->probe;
    struct entry *to;
    struct key to_key;
    int rc;

    if (!bucket_ready(c, k, e, r, first, INT64_MIN, &to_key, &to) ||
        !bucket_ready(c, k, e, r, last, INT64_MIN, &to_key, &to))
        return false;
    if (to == NULL)
        return true;
    c->probe = true;
    rc = delete_points(c, &to_key, to, time_of(r, first), end_of(r, last));
    c->probe = was;
    if (rc == -EAGAIN)
        return false;
    return !ts_has_rules(to) ||
           (ts_rules_all_ready(c, &to_key, to) &&
            ts_rules_delete_ready(c, &to_key, to, time_of(r, first), end_of(r, last)));
}

bool
ts_rules_delete_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t from,
                      int64_t to)
{
    const struct series_meta *m = series_key_meta(entry_series(e));
    int64_t newest_ts, first, last;
    bool open;

    if (c->probe && !ts_rules_all_ready(c, k, e))
        return false;
    if (!newest(e, &newest_ts))
        return true;
    for (uint32_t i = 0; i < m->rules_n; i++)
        if (closed_buckets(&m->rules[i], newest_ts, from, to, &first, &last, &open) &&
            !deletion_ready(c, k, e, &m->rules[i], first, last))
            return false;
    return true;
}

/* The outer buckets may have points left; those between are gone. */
static void
delete_buckets(struct ctx *c, const struct key *k, const struct entry *e,
               const struct series_rule *r, int64_t first, int64_t last)
{
    double first_value = 0, last_value = 0;
    int64_t from = time_of(r, first), to = end_of(r, last);
    int has_first, has_last = 0;
    struct entry *dest;
    struct key dest_key;

    if (!still_finds_destination(c, k, r, &dest_key, &dest))
        return;
    has_first = bucket_value(c, k, e, r, first, INT64_MIN, &first_value);
    if (last > first)
        has_last = bucket_value(c, k, e, r, last, INT64_MIN, &last_value);
    if (has_first < 0 || has_last < 0) {
        complain(c, k, MIN(has_first, has_last));
        return;
    }
    if (last == first)
        to = from;
    else if (has_last)
        to = time_of(r, last) - 1;
    if (has_first && last > first)
        from = end_of(r, first) + 1;
    if (last > first || !has_first)
        delete_points(c, &dest_key, dest, from, to);
    if (has_first)
        upsert(c, &dest_key, dest, r, first, first_value);
    if (has_last)
        upsert(c, &dest_key, dest, r, last, last_value);
}

void
ts_rules_deleted(struct ctx *c, struct key *k, struct entry *e, int64_t last_before, int64_t from,
                 int64_t to)
{
    const struct series_meta *m = series_key_meta(entry_series(e));
    bool *opened = no_rules(c, m->rules_n), was = c->reads_through;
    int64_t first, last;

    c->reads_through = true;
    for (uint32_t i = 0; i < m->rules_n; i++)
        if (closed_buckets(&m->rules[i], last_before, from, to, &first, &last, &opened[i]))
            delete_buckets(c, k, e, &m->rules[i], first, last);
    c->reads_through = was;
    count_all(c, k, e, opened);
}

/* --- the open bucket --------------------------------------------------------------------------- */

int
ts_rule_latest(struct ctx *c, const struct key *k, const struct entry *e,
               struct sample *ret_sample)
{
    const struct series_meta *m = series_key_meta(entry_series(e));
    const struct series_rule *r;
    int64_t open, last, written;
    struct entry *from;
    struct key from_key;
    int at, rc;

    if (!m->has_source)
        return 0;
    if (!ts_rule_peer(c, m->source, &from_key, &from))
        return -EAGAIN;
    if (from == NULL || !newest(from, &last))
        return 0;
    at = series_meta_rule(series_key_meta(entry_series(from)), k->name);
    if (at < 0)
        return 0;
    r = &series_key_meta(entry_series(from))->rules[at];
    open = start_of(r, last);
    ret_sample->ts = time_of(r, open);
    if (newest(e, &written) && written == ret_sample->ts)
        return 0; /* a deletion opened it again */
    rc = bucket_value(c, &from_key, from, r, open, counts_after(r, open), &ret_sample->value);
    return rc;
}

/* TS.CREATERULE, TS.DELETERULE. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_range.h"
#include "shards/commands/ts_rule_priv.h"
#include "shards/engine/core.h"
#include "shards/series/aggregate.h"

static bool
refuse(struct ctx *c, const char *error)
{
    ctx_error(c, error);
    return false;
}

/* BACKFILL, as the last argument. */
static bool
takes_backfill(const struct ctx *c)
{
    return c->core->config.ts_compat != CONFIG_TS_STRICT && c->argc > 6 &&
           slice_is(c->argv[c->argc - 1], "backfill");
}

static bool
parse_rule(struct ctx *c, struct series_rule *r, uint32_t argc)
{
    bool strict = c->core->config.ts_compat == CONFIG_TS_STRICT;
    enum aggregate fn;

    *r = (struct series_rule){.to = c->argv[2], .after = INT64_MIN};
    if (!slice_is(c->argv[3], "aggregation"))
        return refuse(c, "ERR TSDB: Couldn't parse AGGREGATION");
    if (memchr(c->argv[4].p, ',', c->argv[4].n))
        return refuse(c, "ERR TSDB: CREATERULE requires exactly one aggregation type");
    if (!aggregate_parse(c->argv[4], &fn) || (strict && aggregate_is_extension(fn)))
        return refuse(c, "ERR TSDB: Unknown aggregation type");
    r->aggregator = (uint8_t)fn;
    if (!parse_int(c->argv[5], &r->bucket) || r->bucket < 0)
        return refuse(c, "ERR TSDB: Couldn't parse AGGREGATION");
    if (r->bucket == 0)
        return refuse(c, "ERR TSDB: bucketDuration must be greater than zero");
    if (argc == 7 && (!parse_int(c->argv[6], &r->align) || r->align < 0))
        return refuse(c, "ERR TSDB: Couldn't parse alignTimestamp");
    if (slice_equal(c->argv[1], c->argv[2]))
        return refuse(c, "ERR TSDB: the source key and destination key should be different");
    return true;
}

static const struct series_meta *
meta_of(const struct entry *e)
{
    return series_key_settings(entry_series(e));
}

/* A reference to a source is void when that has no such rule (any more). False: ctx->need is set. */
static bool
has_live_source(struct ctx *c, const struct key *k, const struct entry *e, bool *ret)
{
    struct entry *from;
    struct key from_key;

    *ret = false;
    if (!meta_of(e)->has_source)
        return true;
    if (!ts_rule_peer(c, meta_of(e)->source, &from_key, &from))
        return false;
    *ret = from && series_meta_rule(meta_of(from), k->name) >= 0;
    return true;
}

/* Is there a rule whose destination is? */
static bool
has_live_rule(struct ctx *c, const struct key *k, const struct entry *e, bool *ret)
{
    const struct series_meta *m = meta_of(e);

    *ret = false;
    for (uint32_t i = 0; i < m->rules_n && !*ret; i++) {
        struct entry *to;
        struct key to_key;

        if (!ts_rule_peer(c, m->rules[i].to, &to_key, &to))
            return false;
        *ret = to && meta_of(to)->has_source && slice_equal(meta_of(to)->source, k->name);
    }
    return true;
}

/* The first source of the chain that a series is in; *ret_n = rules between the two. Never more than there
 * may be: of a chain every rule was counted when it was made. False: ctx->need is set, or the way leads to
 * `to`. */
static bool
find_first(struct ctx *c, const struct key *k, const struct entry *e, const struct key *to,
           struct key *ret_k, const struct entry **ret_e, uint32_t *ret_n)
{
    struct key at = *k;
    bool live;

    *ret_e = e;
    for (*ret_n = 0;; (*ret_n)++) {
        struct entry *from;

        *ret_k = at;
        if (slice_equal(at.name, to->name))
            return refuse(c, "ERR TSDB: the rules would go round in a circle");
        if (!has_live_source(c, &at, *ret_e, &live))
            return false;
        if (!live || *ret_n == TS_RULE_CHAIN_MAX)
            return true;
        if (!ts_rule_peer(c, meta_of(*ret_e)->source, &at, &from))
            return false;
        *ret_e = from;
    }
}

/* What follows from a series. */
struct tree {
    uint32_t series;  /* destinations, and theirs; counted up to TS_RULE_TREE_MAX + 1 */
    uint32_t longest; /* rules one behind the other; counted up to TS_RULE_CHAIN_MAX + 1 */
};

/* ts_rules_all_ready was true. The level is that of e. */
static bool
count_tree(struct ctx *c, const struct key *k, const struct entry *e, uint32_t level, struct tree *t)
{
    const struct series_meta *m = meta_of(e);

    t->longest = MAX(t->longest, level);
    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *to;
        struct key to_key;

        if (!rule_finds(c, k, &m->rules[i], &to_key, &to))
            return false;
        if (to == NULL)
            continue;
        if (++t->series > TS_RULE_TREE_MAX || level == TS_RULE_CHAIN_MAX)
            return true;
        if (!count_tree(c, &to_key, to, level + 1, t))
            return false;
    }
    return true;
}

static bool
find_tree(struct ctx *c, const struct key *k, const struct entry *e, struct tree *ret_t)
{
    *ret_t = (struct tree){0};
    return ts_rules_all_ready(c, k, e) && count_tree(c, k, e, 0, ret_t);
}

/* Chains never go back to where they began, and have an end: what follows from a point is done by
 * functions that call themselves once for each rule. And it is done in one go, so it is not too much. */
static bool
chain_ok(struct ctx *c, const struct key *k, const struct entry *e, const struct key *to_key,
         const struct entry *to)
{
    const struct entry *first;
    struct tree all, below;
    struct key first_key;
    uint32_t above;

    if (!find_first(c, k, e, to_key, &first_key, &first, &above) ||
        !find_tree(c, &first_key, first, &all) || !find_tree(c, to_key, to, &below))
        return false;
    if (above + 1 + below.longest > TS_RULE_CHAIN_MAX)
        return refuse(c, "ERR TSDB: more than 16 rules one behind the other");
    if (all.series + 1 + below.series > TS_RULE_TREE_MAX) {
        resp_errorf(c->out, "ERR TSDB: rules would write to more than %d series when a point is added to '%.*s'",
                    TS_RULE_TREE_MAX, (int)MIN(first_key.name.n, 64), first_key.name.p);
        return false;
    }
    return true;
}

/* False: refused, or ctx->need is set. */
static bool
may_link(struct ctx *c, const struct key *k, const struct entry *e, const struct key *to_key,
         const struct entry *to)
{
    bool strict = c->core->config.ts_compat == CONFIG_TS_STRICT, live;

    if (!ts_rules_all_ready(c, k, e) || !ts_rules_all_ready(c, to_key, to) ||
        !has_live_source(c, k, e, &live))
        return false;
    if (live && strict)
        return refuse(c, "ERR TSDB: the source key already has a source rule");
    if (!has_live_rule(c, to_key, to, &live))
        return false;
    if (live && strict)
        return refuse(c, "ERR TSDB: the destination key already has a dst rule");
    if (!has_live_source(c, to_key, to, &live))
        return false;
    if (live)
        return refuse(c, "ERR TSDB: the destination key already has a src rule");
    return chain_ok(c, k, e, to_key, to);
}

/* Rules without those to keys that are gone or are others' now; -1: ctx->need is set. */
static int
live_rules(struct ctx *c, const struct key *k, const struct series_meta *m,
           struct series_rule *ret_rules)
{
    int n = 0;

    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *to;
        struct key to_key;

        if (!ts_rule_peer(c, m->rules[i].to, &to_key, &to))
            return -1;
        if (to && meta_of(to)->has_source && slice_equal(meta_of(to)->source, k->name))
            ret_rules[n++] = m->rules[i];
    }
    return n;
}

/* Every bucket of the source that is over, as the rule would have written it. 0; -EAGAIN: ctx->need is
 * set; or an error of ts_range_read. */
static int
read_backfill(struct ctx *c, const struct key *k, const struct entry *e,
              const struct series_rule *r, struct series_table *t)
{
    struct ts_columns col = {.fn = {r->aggregator}, .n = 1};
    struct ts_range q = {.from = INT64_MIN, .type = TS_TYPE, .count = TS_BACKFILL_MAX + 1,
                         .columns = &col, .columns_n = 1, .bucket = r->bucket, .align = r->align,
                         .whole = true};
    struct sample last;
    uint8_t quality;
    int64_t open;

    if (ts_series(e) == NULL || !series_last(ts_series(e), &last, &quality))
        return 0;
    open = bucket_start(last.ts, r->bucket, r->align);
    if (open == INT64_MIN)
        return 0;
    q.to = open - 1;
    return ts_range_read(c, k, e, &q, 0, t);
}

static void
write_backfill(struct ctx *c, const struct key *k, struct entry *e, const struct series_table *t)
{
    c->reads_through = true;
    for (uint32_t i = 0; i < t->n; i++) {
        struct ts_point p = {.key = *k, .e = e, .ts = t->ts[i], .value = t->v[i]};

        if (ts_check_point(c, &p, DUPLICATE_LAST))
            ts_add_point(c, &p);
    }
}

static bool
link_series(struct ctx *c, struct key *k, struct entry *e, struct key *to_key, struct entry *to,
            const struct series_rule *rules, uint32_t n)
{
    struct series_meta from, dest;

    key_series_meta(c, k, e, &from);
    key_series_meta(c, to_key, to, &dest);
    from.rules = rules;
    from.rules_n = n;
    dest.has_source = true;
    dest.source = k->name;
    if (series_meta_size(&from) > SERIES_META_BYTES_MAX ||
        series_meta_size(&dest) > SERIES_META_BYTES_MAX) {
        resp_errorf(c->out, "ERR TSDB: labels and rules of a series can take at most %d bytes",
                    (int)SERIES_META_BYTES_MAX);
        return false;
    }
    key_set_series_meta(c, k, e, &from);
    key_set_series_meta(c, to_key, to, &dest);
    resp_ok(c->out);
    return true;
}

/* False: refused, or ctx->need is set. */
static bool
backfill_ready(struct ctx *c, const struct key *k, const struct entry *e, const struct key *to_key,
               const struct entry *to, const struct series_rule *r, struct series_table *t)
{
    int rc = read_backfill(c, k, e, r, t);

    if (rc == -EAGAIN)
        return false;
    if (rc < 0)
        return refuse(c, ts_range_error(rc));
    if (t->n > TS_BACKFILL_MAX) {
        resp_errorf(c->out, "ERR TSDB: BACKFILL of more than %d buckets", TS_BACKFILL_MAX);
        return false;
    }
    return ts_rules_all_ready(c, to_key, to);
}

void
cmd_ts_createrule(struct ctx *c)
{
    struct key k, to_key;
    struct series_rule r, *rules;
    struct series_table t = {.cols = 1};
    bool backfill = takes_backfill(c);
    struct entry *e, *to;
    struct sample last;
    uint8_t quality;
    int n;

    if (c->argc - backfill > 7) {
        ctx_error(c, "ERR wrong number of arguments for 'ts.createrule' command");
        return;
    }
    if (!parse_rule(c, &r, c->argc - backfill))
        return;
    k = key_open(c, c->argv[1]);
    to_key = key_open(c, c->argv[2]);
    if ((e = ts_find(c, &k)) == NULL || (to = ts_find(c, &to_key)) == NULL)
        return;
    if (!may_link(c, &k, e, &to_key, to))
        return;
    rules = scratch_alloc(&c->core->scratch, (meta_of(e)->rules_n + 1) * sizeof(r));
    n = live_rules(c, &k, meta_of(e), rules);
    if (n < 0)
        return;
    if (backfill && !backfill_ready(c, &k, e, &to_key, to, &r, &t))
        goto end;
    if (c->probe) {
        /* What follows in the transaction may write to what the destination writes to. */
        ts_rules_all_ready(c, &to_key, to);
        goto end;
    }
    if (n == SERIES_RULES_MAX) {
        resp_errorf(c->out, "ERR TSDB: a series can have at most %d rules", SERIES_RULES_MAX);
        goto end;
    }
    if (!backfill && ts_series(e) && series_last(ts_series(e), &last, &quality))
        r.after = last.ts;
    rules[n] = r;
    if (link_series(c, &k, e, &to_key, to, rules, (uint32_t)n + 1) && backfill)
        write_backfill(c, &to_key, to, &t);
end:
    series_table_fini(&t);
}

static void
unlink_series(struct ctx *c, struct key *k, struct entry *e, struct key *to_key, struct entry *to,
              uint32_t at)
{
    struct series_meta from, dest;
    struct series_rule *rules;

    key_series_meta(c, k, e, &from);
    key_series_meta(c, to_key, to, &dest);
    rules = scratch_alloc(&c->core->scratch, from.rules_n * sizeof(*rules));
    for (uint32_t i = 0, n = 0; i < from.rules_n; i++)
        if (i != at)
            rules[n++] = from.rules[i];
    from.rules = rules;
    from.rules_n--;
    key_set_series_meta(c, k, e, &from);
    dest.has_source = false;
    key_set_series_meta(c, to_key, to, &dest);
    resp_ok(c->out);
}

/* Or is the rule void? */
static bool
is_destination(const struct entry *to, const struct key *from)
{
    return to && to->type == ENTRY_SERIES && meta_of(to)->has_source &&
           slice_equal(meta_of(to)->source, from->name);
}

void
cmd_ts_deleterule(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]), to_key = key_open(c, c->argv[2]);
    struct entry *e = ts_find(c, &k), *to;
    int at;

    if (e == NULL)
        return;
    to = key_find(c, &to_key);
    at = series_meta_rule(meta_of(e), c->argv[2]);
    if (at < 0 || !is_destination(to, &k))
        ctx_error(c, "ERR TSDB: compaction rule does not exist");
    else
        unlink_series(c, &k, e, &to_key, to, (uint32_t)at);
}

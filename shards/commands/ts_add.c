/* TS.ADD, TS.MADD, TS.INCRBY, TS.DECRBY: points into series, and TS.GET: the newest one out. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"
#include "shards/engine/prefetch.h"

#include <math.h>

/* --- one point -------------------------------------------------------------------------------- */

/* NULL, or the error. */
static const char *
parse_point(struct ctx *c, struct slice time, struct slice value, struct ts_point *p)
{
    const char *error = ts_parse_value(value, &p->value);

    p->text = slice_is(time, "*") ? (struct slice){0} : time;
    return error ? error : ts_parse_timestamp(c, time, &p->ts);
}

/* The key of a command that creates the series when it is absent, with the options from argument
 * `from` on and the rules of ts-compaction-policy. False: the error is replied, or ctx->need is set. */
static bool
find_or_plan(struct ctx *c, struct ts_point *p, uint32_t from, struct series_meta *m,
             struct ts_policy *policy, const char *wrong_type)
{
    p->key = key_open(c, c->argv[1]);
    p->e = key_find(c, &p->key);
    if (unlikely(c->probe && c->in_exec) && !ts_policy_ready(c, &p->key))
        return false;
    if (unlikely(p->e == NULL)) {
        ts_default_meta(c, m);
        return ts_parse_options(c, from, m) && ts_policy_plan(c, &p->key, m, policy);
    }
    if (unlikely(p->e->type != ENTRY_SERIES)) {
        ctx_error(c, wrong_type);
        return false;
    }
    return true;
}

static void
make_series(struct ctx *c, struct ts_point *p, const struct series_meta *m,
            const struct ts_policy *policy)
{
    p->e = key_create_series(c, &p->key, m);
    ts_policy_make(c, &p->key, m, policy);
}

static bool
parse_on_duplicate(struct ctx *c, uint8_t *ret_policy)
{
    uint32_t at = ts_option(c, 4, "on_duplicate");

    *ret_policy = SERIES_POLICY_UNSET;
    if (at == 0)
        return true;
    if (at + 1 >= c->argc) {
        ctx_error(c, "ERR TSDB: Couldn't parse DUPLICATE_POLICY");
        return false;
    }
    if (!ts_parse_policy(c, c->argv[at + 1], ret_policy)) {
        ctx_error(c, "ERR TSDB: Unknown DUPLICATE_POLICY");
        return false;
    }
    return true;
}

void
cmd_ts_add(struct ctx *c)
{
    uint8_t on_duplicate = SERIES_POLICY_UNSET;
    struct ts_policy policy;
    struct series_meta m;
    struct ts_point p;

    p.error = parse_point(c, c->argv[2], c->argv[3], &p);
    if (unlikely(p.error != NULL)) {
        ctx_error(c, p.error);
        return;
    }
    if (!find_or_plan(c, &p, 4, &m, &policy, ERR_TS_NOT_SERIES))
        return;
    if (unlikely(c->argc > 4) && !parse_on_duplicate(c, &on_duplicate))
        return;
    if (!ts_check_point(c, &p, on_duplicate) || unlikely(c->probe))
        return;
    if (unlikely(p.e == NULL))
        make_series(c, &p, &m, &policy);
    ts_add_point(c, &p);
    ts_reply_point(c, &p);
}

/* --- counters --------------------------------------------------------------------------------- */

/* Adds `sign` times the argument to the newest value. */
static void
increment(struct ctx *c, double sign)
{
    uint32_t at = ts_option(c, 3, "timestamp");
    struct sample last = {0};
    struct ts_policy policy;
    struct series_meta m;
    struct series *s;
    struct ts_point p;
    double by;
    uint8_t quality;

    if (!find_or_plan(c, &p, 3, &m, &policy, ERR_TS_WRONGTYPE))
        return;
    if (!parse_double(c->argv[2], &by) || !isfinite(by)) {
        ctx_error(c, "ERR TSDB: invalid increase/decrease value");
        return;
    }
    p.ts = series_now(c);
    p.text = (struct slice){0};
    if (at && (at + 1 >= c->argc || ts_parse_timestamp(c, c->argv[at + 1], &p.ts) != NULL)) {
        ctx_error(c, ERR_TS_TIMESTAMP);
        return;
    }
    s = p.e ? ts_series(p.e) : NULL;
    if (s && series_last(s, &last, &quality) && p.ts < last.ts) {
        ctx_error(c, "TSDB: timestamp must be equal to or higher than the maximum existing "
                     "timestamp");
        return;
    }
    if (isnan(last.value)) {
        ctx_error(c, "ERR TSDB: cannot increment/decrement NaN value");
        return;
    }
    p.value = last.value + sign * by;
    if (!ts_check_point(c, &p, DUPLICATE_LAST) || unlikely(c->probe))
        return;
    if (p.e == NULL)
        make_series(c, &p, &m, &policy);
    ts_add_point(c, &p);
    ts_reply_point(c, &p);
}

void
cmd_ts_incrby(struct ctx *c)
{
    increment(c, 1);
}

void
cmd_ts_decrby(struct ctx *c)
{
    increment(c, -1);
}

/* --- many points ------------------------------------------------------------------------------ */

/* As an extension the word CREATE may stand behind the last point. */
static bool
madd_creates(const struct ctx *c)
{
    return (c->argc - 1) % 3 == 1 && c->core->config.ts_compat == CONFIG_TS_EXTENDED &&
           slice_is(c->argv[c->argc - 1], "create");
}

/* The keys of k points from the i-th on, and what they hold. They wait for memory together. */
static void
madd_find(struct ctx *c, struct ts_point *points, uint32_t i, uint32_t k)
{
    for (uint32_t j = 0; j < k; j++) {
        key_open_at(c, c->argv[1 + 3 * (i + j)], &points[j].key);
        head_prefetch(points[j].key.head, points[j].key.hash);
    }
    for (uint32_t j = 0; j < k; j++)
        head_prefetch_entry(points[j].key.head, points[j].key.hash);
    for (uint32_t j = 0; j < k; j++) {
        points[j].e = key_find(c, &points[j].key);
        if (points[j].e && points[j].e->type == ENTRY_SERIES)
            series_prefetch_key(entry_series(points[j].e));
    }
    for (uint32_t j = 0; j < k; j++)
        if (points[j].e && points[j].e->type == ENTRY_SERIES)
            series_prefetch_points(entry_series(points[j].e));
}

/* Everything is looked up and asked for before the first point is added: then the command cannot
 * be stopped half way. What earlier points of the command do to later ones is found out when they
 * are added. */
static bool
madd_check(struct ctx *c, struct ts_point *points, uint32_t n, bool create)
{
    bool ready = true;

    for (uint32_t i = 0; i < n; i++) {
        const struct slice *arg = &c->argv[1 + 3 * i];
        struct ts_point *p = &points[i];

        if (i % PREFETCH_KEYS == 0)
            madd_find(c, p, i, MIN(n - i, (uint32_t)PREFETCH_KEYS));
        p->error = parse_point(c, arg[1], arg[2], p);
        if (p->error)
            continue;
        if (p->e == NULL ? !create : p->e->type != ENTRY_SERIES)
            p->error = ERR_TS_NOT_SERIES;
        else if (!ts_check_point(c, p, SERIES_POLICY_UNSET) ||
                 (ts_has_rules(p->e) && !ts_rules_all_ready(c, &p->key, p->e)))
            ready = false;
    }
    return ready;
}

/* CREATE: is all that making the series takes at hand, whatever those ahead in a transaction do? What
 * is missing is asked for together. False: ctx->need is set, or the error is replied. */
static bool
madd_plan(struct ctx *c, struct ts_point *points, uint32_t n)
{
    bool ready = true;

    if (likely(c->core->config.ts_compaction_policy.n == 0))
        return true;
    for (uint32_t i = 0; i < n; i++)
        if ((points[i].e == NULL || (c->probe && c->in_exec)) &&
            !ts_policy_ready(c, &points[i].key)) {
            if (c->need.kind == NEED_SHARD)
                return false;
            ready = false;
        }
    for (uint32_t i = 0; ready && i < n; i++) {
        struct ts_policy policy;
        struct series_meta m;

        ts_default_meta(c, &m);
        ready = points[i].e || points[i].error || ts_policy_plan(c, &points[i].key, &m, &policy);
    }
    return ready;
}

/* The command itself may have made the series meanwhile, for an earlier point or as a compaction. What
 * madd_plan saw may have left the block cache since: then it is read again, and that may fail. */
static void
madd_make(struct ctx *c, struct ts_point *p)
{
    struct ts_policy policy;
    struct series_meta m;

    p->key = key_open(c, p->key.name);
    p->e = key_peek(c, &p->key);
    if (p->e)
        return;
    ts_default_meta(c, &m);
    if (ts_policy_plan(c, &p->key, &m, &policy)) {
        make_series(c, p, &m, &policy);
        return;
    }
    ASSERT(c->need.kind != NEED_SHARD); /* its shard takes part, and it fits */
    c->need.kind = NEED_NOTHING;
    p->error = ERR_TS_STORED;
}

void
cmd_ts_madd(struct ctx *c)
{
    bool create = madd_creates(c);
    uint32_t n = (c->argc - 1) / 3;
    struct ts_point *points;

    if ((c->argc - 1) % 3 != 0 && !create) {
        ctx_error(c, "ERR wrong number of arguments for 'ts.madd' command");
        return;
    }
    points = scratch_alloc(&c->core->scratch, n * sizeof(*points));
    if (!madd_check(c, points, n, create) || (create && !madd_plan(c, points, n)) ||
        unlikely(c->probe))
        return;
    resp_array(c->out, n);
    c->reads_through = true;
    for (uint32_t i = 0; i < n; i++) {
        struct ts_point *p = &points[i];

        if (unlikely(create) && p->error == NULL)
            madd_make(c, p);
        if (likely(p->error == NULL) && ts_check_point(c, p, SERIES_POLICY_UNSET))
            ts_add_point(c, p);
        ts_reply_point(c, p);
    }
}

/* --- the newest ------------------------------------------------------------------------------- */

void
cmd_ts_get(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct sample last;
    struct entry *e;
    int rc;

    if (c->argc > 3) {
        ctx_error(c, "ERR wrong number of arguments for 'ts.get' command");
        return;
    }
    e = ts_find(c, &k);
    if (e == NULL)
        return;
    if (c->argc == 3 && !slice_is(c->argv[2], "latest")) {
        ctx_error(c, "ERR TSDB: wrong 3rd argument");
        return;
    }
    rc = ts_rule_newest(c, &k, e, c->argc == 3, NULL, &last);
    if (rc == -EAGAIN || c->probe)
        return;
    if (rc < 0)
        ctx_error(c, ERR_TS_STORED);
    else if (rc == 1)
        ts_reply_sample(c, &last);
    else
        resp_array(c->out, 0);
}

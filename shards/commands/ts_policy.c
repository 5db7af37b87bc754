/* ts-compaction-policy: a series that comes to be by being written to (TS.ADD, TS.INCRBY, TS.DECRBY)
 * gets compactions at once, each in a series of its own, KEY_FUNCTION_BUCKET[_ALIGNMENT]. Source and
 * destinations are made by one command: after a crash all of it is there or nothing. Keys of other
 * cores make it a transaction, as for any rule. */
#include "core/log.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"

#include <stdio.h>

static_assert(COMPACTIONS_MAX <= SERIES_RULES_MAX, "they become rules of one series");

#define NUMBER_BYTES 24
#define SUFFIX_BYTES (16 + 2 * NUMBER_BYTES)

static const struct compactions *
policy_of(const struct ctx *c)
{
    return &c->core->config.ts_compaction_policy;
}

/* Whole where it was accepted, and small enough. */
static int64_t
in_unit(const struct ctx *c, int64_t ms)
{
    switch (c->core->config.timestamp_unit) {
    case CONFIG_TIME_S:
        return ms / 1000;
    case CONFIG_TIME_US:
        return ms * 1000;
    case CONFIG_TIME_NS:
        return ms * 1000000;
    default:
        return ms;
    }
}

/* NULL: no key can be that long. */
static struct slice
destination_name(struct ctx *c, struct slice source, const struct compaction *one)
{
    char suffix[SUFFIX_BYTES];
    struct slice name;
    int n;

    n = snprintf(suffix, sizeof(suffix), "_%s_%lld", aggregate_name(one->function, true),
                 (long long)in_unit(c, one->bucket_ms));
    if (one->align_ms)
        n += snprintf(suffix + n, sizeof(suffix) - (size_t)n, "_%lld",
                      (long long)in_unit(c, one->align_ms));
    name.n = source.n + (size_t)n;
    if (name.n > ENTRY_KEY_BYTES_MAX)
        return (struct slice){NULL, 0};
    name.p = scratch_alloc(&c->core->scratch, name.n);
    memcpy((char *)name.p, source.p, source.n);
    memcpy((char *)name.p + source.n, suffix, (size_t)n);
    return name;
}

static void
say_left_out(const struct ctx *c, struct slice source, const struct compaction *one,
             const char *why)
{
    if (!c->probe)
        log_warn("core %u: series '%.*s' gets no compaction %s of %lld ms: %s", c->core->id,
                 (int)MIN(source.n, 64), source.p, aggregate_name(one->function, false),
                 (long long)one->bucket_ms, why);
}

/* Is the name free? False with *ret_ok false: ctx->need is set. */
static bool
name_is_free(struct ctx *c, struct slice name, struct key *ret_k, bool *ret_ok)
{
    struct entry *e;

    *ret_ok = ts_rule_peer(c, name, ret_k, &e);
    return *ret_ok && key_peek(c, ret_k) == NULL;
}

static bool
fits(struct ctx *c, const struct series_meta *m)
{
    if (series_meta_size(m) <= SERIES_META_BYTES_MAX && m->labels_n <= SERIES_LABELS_MAX)
        return true;
    resp_errorf(c->out, "ERR TSDB: with ts-compaction-policy the labels and rules of a series can be "
                        "%d labels and %d bytes", SERIES_LABELS_MAX, (int)SERIES_META_BYTES_MAX);
    return false;
}

/* What a destination is: the labels of its source and two more. */
static void
destination_meta(struct ctx *c, const struct key *k, const struct series_meta *source,
                 const struct series_rule *r, int64_t retention, struct series_meta *ret_m)
{
    struct series_label *labels = scratch_alloc(&c->core->scratch,
                                                (source->labels_n + 2) * sizeof(*labels));
    char *number = scratch_alloc(&c->core->scratch, NUMBER_BYTES);
    int n = snprintf(number, NUMBER_BYTES, "%lld", (long long)r->bucket);

    if (source->labels_n)
        memcpy(labels, source->labels, source->labels_n * sizeof(*labels));
    labels[source->labels_n] = (struct series_label){
        SLICE("aggregation"), slice_of(aggregate_name((enum aggregate)r->aggregator, true))};
    labels[source->labels_n + 1] =
        (struct series_label){SLICE("time_bucket"), {number, (size_t)n}};
    ts_default_meta(c, ret_m);
    ret_m->ignore_time = 0;
    ret_m->ignore_value = 0;
    ret_m->retention = retention;
    ret_m->labels = labels;
    ret_m->labels_n = source->labels_n + 2;
    ret_m->has_source = true;
    ret_m->source = k->name;
}

/* One more rule, unless its name is taken. False: ctx->need is set. */
static bool
plan_one(struct ctx *c, const struct key *k, const struct compaction *one, struct series_rule *rules,
         struct ts_policy *p, uint32_t *n)
{
    struct slice name = destination_name(c, k->name, one);
    bool ok;

    if (name.p == NULL) {
        say_left_out(c, k->name, one, "its name would be longer than a key can be");
        return true;
    }
    if (name_is_free(c, name, &p->to[*n], &ok)) {
        rules[(*n)++] = (struct series_rule){.to = name, .aggregator = (uint8_t)one->function,
                                             .bucket = in_unit(c, one->bucket_ms),
                                             .align = in_unit(c, one->align_ms),
                                             .after = INT64_MIN};
        p->retention[*n - 1] = in_unit(c, one->retention_ms);
    } else if (ok) {
        say_left_out(c, k->name, one, "a key of that name is there");
    }
    return ok;
}

bool
ts_policy_plan(struct ctx *c, const struct key *k, struct series_meta *m, struct ts_policy *ret_p)
{
    const struct compactions *policy = policy_of(c);
    struct scratch *scratch = &c->core->scratch;
    struct series_rule *rules;
    struct series_meta to;
    bool ready = true;
    uint32_t n = 0;

    if (likely(policy->n == 0))
        return true;
    rules = scratch_alloc(scratch, policy->n * sizeof(*rules));
    ret_p->to = scratch_alloc(scratch, policy->n * sizeof(*ret_p->to));
    ret_p->retention = scratch_alloc(scratch, policy->n * sizeof(*ret_p->retention));
    for (uint32_t i = 0; i < policy->n; i++)
        ready = plan_one(c, k, &policy->c[i], rules, ret_p, &n) && ready;
    if (!ready)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        destination_meta(c, k, m, &rules[i], 0, &to);
        if (!fits(c, &to))
            return false;
    }
    m->rules = rules;
    m->rules_n = n;
    return fits(c, m);
}

bool
ts_policy_ready(struct ctx *c, const struct key *k)
{
    const struct compactions *policy = policy_of(c);
    bool ready = true;

    for (uint32_t i = 0; i < policy->n; i++) {
        struct slice name = destination_name(c, k->name, &policy->c[i]);
        struct entry *e;
        struct key to;

        ready = (name.p == NULL || ts_rule_peer(c, name, &to, &e)) && ready;
    }
    return ready;
}

void
ts_policy_make(struct ctx *c, const struct key *k, const struct series_meta *m,
               const struct ts_policy *p)
{
    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct series_meta to;

        destination_meta(c, k, m, &m->rules[i], p->retention[i], &to);
        key_create_series(c, &p->to[i], &to);
    }
}

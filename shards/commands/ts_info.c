/* TS.INFO: what there is to say about a series. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts.h"
#include "shards/engine/core.h"
#include "shards/series/aggregate.h"

/* What is counted of the points that retention leaves visible. */
struct totals {
    uint64_t points;
    int64_t first;
};

static int
totals_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct totals *t = arg;

    if (t->points == 0)
        t->first = p[0].ts;
    t->points += n;
    return 0;
}

static void
put_field(struct ctx *c, const char *name)
{
    resp_simple(c->out, name);
}

static void
put_int(struct ctx *c, const char *name, int64_t v)
{
    put_field(c, name);
    resp_int(c->out, v);
}

static void
put_policy(struct ctx *c, uint8_t policy)
{
    static const char *const names[] = {
        [DUPLICATE_LAST] = "last",   [DUPLICATE_FIRST] = "first", [DUPLICATE_MIN] = "min",
        [DUPLICATE_MAX] = "max",     [DUPLICATE_SUM] = "sum",     [DUPLICATE_BLOCK] = "block",
        [DUPLICATE_KEEP] = "keep",
    };

    put_field(c, "duplicatePolicy");
    if (policy == SERIES_POLICY_UNSET)
        resp_null(c->out, c->proto);
    else
        resp_simple(c->out, names[policy]);
}

static void
put_labels(struct ctx *c, const struct series_meta *m)
{
    put_field(c, "labels");
    if (c->proto >= 3)
        resp_map(c->out, c->proto, m->labels_n);
    else
        resp_array(c->out, m->labels_n);
    for (uint32_t i = 0; i < m->labels_n; i++) {
        if (c->proto < 3)
            resp_array(c->out, 2);
        resp_bulk(c->out, m->labels[i].name);
        resp_bulk(c->out, m->labels[i].value);
    }
}

static void
put_source(struct ctx *c, const struct series_meta *m)
{
    put_field(c, "sourceKey");
    if (m->has_source)
        resp_bulk(c->out, m->source);
    else
        resp_null(c->out, c->proto);
}

static void
put_rules(struct ctx *c, const struct series_meta *m)
{
    put_field(c, "rules");
    if (c->proto >= 3)
        resp_map(c->out, c->proto, m->rules_n);
    else
        resp_array(c->out, m->rules_n);
    for (uint32_t i = 0; i < m->rules_n; i++) {
        const struct series_rule *r = &m->rules[i];

        if (c->proto < 3)
            resp_array(c->out, 4);
        resp_bulk(c->out, r->to);
        if (c->proto >= 3)
            resp_array(c->out, 3);
        resp_int(c->out, r->bucket);
        resp_simple(c->out, aggregate_name((enum aggregate)r->aggregator, true));
        resp_int(c->out, r->align);
    }
}

static void
reply_info(struct ctx *c, const struct key *k, struct entry *e, const struct totals *t)
{
    const struct series_key *sk = entry_series(e);
    const struct series_meta *m = series_key_meta(sk);
    const struct series *s = series_find(sk, TS_TYPE);
    struct sample last = {0};
    uint8_t quality;

    if (s)
        series_last(s, &last, &quality);
    resp_map(c->out, c->proto, 14);
    put_int(c, "totalSamples", (int64_t)t->points);
    put_int(c, "memoryUsage", (int64_t)(entry_bytes(e) + sizeof(*sk) + sizeof(*s) + sk->bytes));
    put_int(c, "firstTimestamp", t->first);
    put_int(c, "lastTimestamp", last.ts);
    put_int(c, "retentionTime", m->retention);
    put_int(c, "chunkCount", s ? series_chunks(s) : 1);
    put_int(c, "chunkSize", m->chunk_bytes);
    put_field(c, "chunkType");
    resp_simple(c->out, m->uncompressed ? "uncompressed" : "compressed");
    put_policy(c, m->policy);
    put_labels(c, m);
    put_source(c, m);
    put_rules(c, m);
    put_int(c, "ignoreMaxTimeDiff", m->ignore_time);
    put_field(c, "ignoreMaxValDiff");
    resp_double(c->out, c->proto, m->ignore_value);
}

void
cmd_ts_info(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct series_query q = {.end = INT64_MAX, .limit = UINT64_MAX};
    struct totals t = {0};
    const struct series *s;
    struct entry *e = ts_find(c, &k);

    if (e == NULL)
        return;
    s = ts_series(e);
    q.start = ts_visible_from(series_key_meta(entry_series(e)), s);
    if (s) {
        int rc = ts_read(c, &k, s, &q, totals_emit, &t);

        if (rc < 0 && rc != -EAGAIN)
            ctx_error(c, ERR_TS_STORED);
        if (rc < 0)
            return;
    }
    if (!c->probe)
        reply_info(c, &k, e, &t);
}

/* TS.INFO: what there is to say about a series. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"
#include "shards/series/aggregate.h"

#include <stdio.h>

#define TS_INFO_CHUNKS_MAX 65536 /* that DEBUG shows */

/* A stored block, or a run of points in memory. */
struct info_chunk {
    int64_t first, last;
    uint64_t points, bytes;
};

/* What is counted of the points that retention leaves visible. */
struct totals {
    uint64_t points, chunks_n;
    int64_t first;
    bool debug;
    struct buf chunks; /* DEBUG: struct info_chunk each */
};

static int
totals_add(struct totals *t, const struct info_chunk *chunk)
{
    if (t->points == 0)
        t->first = chunk->first;
    t->points += chunk->points;
    t->chunks_n++;
    if (t->debug && t->chunks_n > TS_INFO_CHUNKS_MAX)
        return -E2BIG;
    if (t->debug)
        buf_append(&t->chunks, chunk, sizeof(*chunk));
    return 0;
}

static int
totals_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct info_chunk chunk = {p[0].ts, p[n - 1].ts, n, n * (sizeof(*p) + (quality ? 1 : 0))};

    return totals_add(arg, &chunk);
}

/* Headers say enough. */
static int
totals_block(void *arg, const struct block_info *info)
{
    struct info_chunk chunk = {info->first_ts, info->last_ts, info->count, info->bytes};
    int rc = totals_add(arg, &chunk);

    return rc < 0 ? rc : SERIES_BLOCK_TAKEN;
}

/* Source and rules that are not void. */
struct links {
    bool has_source;
    struct series_rule *rules;
    uint32_t rules_n;
};

/* False: ctx->need is set. */
static bool
find_links(struct ctx *c, const struct key *k, const struct entry *e, struct links *l)
{
    const struct series_meta *m = series_key_settings(entry_series(e)), *other;
    struct entry *peer = NULL;
    struct key peer_key;
    bool ready = !m->has_source || ts_rule_peer(c, m->source, &peer_key, &peer);

    *l = (struct links){0};
    l->has_source = peer && series_meta_rule(series_key_settings(entry_series(peer)), k->name) >= 0;
    l->rules = scratch_alloc(&c->core->scratch, (m->rules_n + 1) * sizeof(*l->rules));
    for (uint32_t i = 0; i < m->rules_n; i++) {
        if (!ts_rule_peer(c, m->rules[i].to, &peer_key, &peer)) {
            ready = false;
            continue;
        }
        other = peer ? series_key_settings(entry_series(peer)) : &series_meta_default;
        if (other->has_source && slice_equal(other->source, k->name))
            l->rules[l->rules_n++] = m->rules[i];
    }
    return ready;
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
put_labels(struct ctx *c, const struct key *k, const struct entry *e)
{
    struct series_meta all, *m = &all;

    key_series_meta(c, k, e, m);
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
put_source(struct ctx *c, const struct series_meta *m, const struct links *l)
{
    put_field(c, "sourceKey");
    if (l->has_source)
        resp_bulk(c->out, m->source);
    else
        resp_null(c->out, c->proto);
}

static void
put_rules(struct ctx *c, const struct links *l)
{
    put_field(c, "rules");
    if (c->proto >= 3)
        resp_map(c->out, c->proto, l->rules_n);
    else
        resp_array(c->out, l->rules_n);
    for (uint32_t i = 0; i < l->rules_n; i++) {
        const struct series_rule *r = &l->rules[i];

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
put_chunks(struct ctx *c, const struct totals *t)
{
    const struct info_chunk *chunks = (const void *)t->chunks.p;
    char text[64];

    put_field(c, "Chunks");
    resp_array(c->out, t->chunks_n);
    for (uint64_t i = 0; i < t->chunks_n; i++) {
        resp_map(c->out, c->proto, 5);
        put_int(c, "startTimestamp", chunks[i].first);
        put_int(c, "endTimestamp", chunks[i].last);
        put_int(c, "samples", (int64_t)chunks[i].points);
        put_int(c, "size", (int64_t)chunks[i].bytes);
        put_field(c, "bytesPerSample");
        snprintf(text, sizeof(text), "%.6g", (double)chunks[i].bytes / (double)chunks[i].points);
        resp_simple(c->out, text);
    }
}

static void
reply_info(struct ctx *c, const struct key *k, struct entry *e, const struct totals *t,
           const struct links *l)
{
    const struct series_key *sk = entry_series(e);
    const struct series_meta *m = series_key_settings(sk);
    const struct series *s = series_find(sk, TS_TYPE);
    struct sample last = {0};
    uint8_t quality;

    if (s)
        series_last(s, &last, &quality);
    resp_map(c->out, c->proto, t->debug ? 16 : 14);
    put_int(c, "totalSamples", (int64_t)t->points);
    put_int(c, "memoryUsage", (int64_t)(entry_bytes(e) + sizeof(*sk) + sizeof(*s) + sk->bytes));
    put_int(c, "firstTimestamp", t->first);
    put_int(c, "lastTimestamp", last.ts);
    put_int(c, "retentionTime", m->retention);
    put_int(c, "chunkCount", (int64_t)MAX(t->chunks_n, 1UL));
    put_int(c, "chunkSize", m->chunk_bytes);
    put_field(c, "chunkType");
    resp_simple(c->out, m->uncompressed ? "uncompressed" : "compressed");
    put_policy(c, m->policy);
    put_labels(c, k, e);
    put_source(c, m, l);
    put_rules(c, l);
    put_int(c, "ignoreMaxTimeDiff", m->ignore_time);
    put_field(c, "ignoreMaxValDiff");
    resp_double(c->out, c->proto, m->ignore_value);
    if (!t->debug)
        return;
    put_field(c, "keySelfName");
    resp_bulk(c->out, k->name);
    put_chunks(c, t);
}

void
cmd_ts_info(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct series_query q = {.end = INT64_MAX, .limit = UINT64_MAX, .block = totals_block};
    struct totals t = {.debug = c->argc > 2 && slice_is(c->argv[2], "debug")};
    struct entry *e = ts_find(c, &k);
    const struct series *s;
    struct links l;
    int rc = 0;

    if (e == NULL || !find_links(c, &k, e, &l))
        return;
    s = ts_series(e);
    q.start = ts_visible_from(series_key_settings(entry_series(e)), s);
    if (s)
        rc = ts_read(c, &k, s, &q, totals_emit, &t);
    if (rc == 0 && !c->probe)
        reply_info(c, &k, e, &t, &l);
    else if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB: the series has more than %d chunks", TS_INFO_CHUNKS_MAX);
    else if (rc < 0 && rc != -EAGAIN)
        ctx_error(c, ERR_TS_STORED);
    buf_fini(&t.chunks);
}

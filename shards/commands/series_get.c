/* TSDB_GET: points between two times, or aggregates of buckets of them. */
#include "shards/commands/handlers.h"
#include "shards/commands/point_reply.h"
#include "shards/commands/ts_range.h"

#include "shards/engine/core.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#define QUERY_POINTS_MAX 1000000 /* points of one reply */

struct get_options {
    struct series_query q;
    bool has_type;
    uint8_t type;
    struct ts_columns columns; /* of AGG; none: points */
    int64_t bucket;
};

static bool
arg_limit(struct ctx *c, uint32_t i, struct get_options *o)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 1)
        return series_arg_refused(c, "option", i, "a limit of at least 1, TYPE type, REV or AGG functions bucket");
    o->q.limit = (uint64_t)v;
    return true;
}

static bool
get_options(struct ctx *c, struct get_options *o)
{
    *o = (struct get_options){.q.limit = UINT64_MAX};
    if (!series_arg_bounds(c, 2, &o->q.start, &o->q.end))
        return false;
    for (uint32_t i = 4; i < c->argc; i++) {
        if (slice_is(c->argv[i], "rev")) {
            o->q.reverse = true;
        } else if (slice_is(c->argv[i], "type") && i + 1 < c->argc) {
            if (!series_arg_type(c, ++i, &o->type))
                return false;
            o->has_type = true;
        } else if (slice_is(c->argv[i], "agg") && i + 2 < c->argc) {
            if (!series_arg_functions(c, i + 1, &o->columns) ||
                !series_arg_duration(c, i + 2, "bucket", 1, &o->bucket))
                return false;
            i += 2;
        } else if (!arg_limit(c, i, o)) {
            return false;
        }
    }
    return true;
}

static int
gather_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct point_run *g = arg;

    if (g->n + n > QUERY_POINTS_MAX)
        return -E2BIG;
    point_run_add(g, p, quality, n);
    return 0;
}

static void
reply_too_many(struct ctx *c)
{
    resp_errorf(c->out, "ERR TSDB_GET: the range holds more than %d points: give a limit",
                QUERY_POINTS_MAX);
}

static void
reply_gathered(struct ctx *c, struct point_run *g, uint32_t types, const struct get_options *o)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < types; i++)
        total += g[i].n;
    if (total > QUERY_POINTS_MAX && o->q.limit > QUERY_POINTS_MAX) {
        reply_too_many(c);
        return;
    }
    total = MIN(total, o->q.limit);
    c->core->points_read += total;
    reply_points(c->out, c->proto, g, types, total, o->q.reverse);
}

static int
gather(struct ctx *c, struct key *k, const struct series_key *sk, const struct get_options *o,
       struct point_run *g)
{
    bool missing = false;

    for (uint32_t i = 0; i < sk->n; i++) {
        const struct series *s = sk->types[i];
        int rc;

        g[i].type = s->type;
        if (o->has_type && s->type != o->type)
            continue;
        rc = ts_read(c, k, s, &o->q, gather_emit, &g[i]);
        missing = missing || rc == -EAGAIN;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
    }
    return missing ? -EAGAIN : 0;
}

static void
get_points(struct ctx *c, struct key *k, const struct series_key *sk, const struct get_options *o)
{
    size_t bytes = MAX(sk->n, 1u) * sizeof(struct point_run);
    struct point_run *g = scratch_alloc(&c->core->scratch, bytes);
    int rc;

    memset(g, 0, bytes);
    rc = gather(c, k, sk, o, g);
    if (rc == 0 && !c->probe)
        reply_gathered(c, g, sk->n, o);
    else if (rc == -E2BIG)
        reply_too_many(c);
    else
        series_query_failed(c, rc);
    for (uint32_t i = 0; i < sk->n; i++)
        point_run_fini(&g[i]);
}

static void
get_buckets(struct ctx *c, struct key *k, struct entry *e, const struct get_options *o)
{
    struct ts_range r = {.from = o->q.start, .to = o->q.end, .reverse = o->q.reverse,
                         .type = o->type, .count = o->q.limit, .columns = &o->columns,
                         .columns_n = 1, .bucket = o->bucket};
    struct series_table t = {.cols = o->columns.n};
    int rc = ts_range_read(c, k, e, &r, 0, &t);

    if (rc == 0 && !c->probe) {
        c->core->points_read += t.n;
        ts_reply_table(c->out, c->proto, &t, TS_ROW_TSDB);
    } else {
        series_query_failed(c, rc);
    }
    series_table_fini(&t);
}

void
cmd_tsdb_get(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct get_options o;
    struct entry *e;
    bool ok;

    if (!get_options(c, &o))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (e == NULL)
        resp_array(c->out, 0);
    else if (o.columns.n)
        get_buckets(c, &k, e, &o);
    else
        get_points(c, &k, entry_series(e), &o);
}

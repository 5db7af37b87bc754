/* TSDB_GET: points between two times, or aggregates of buckets of them. TSDB_BATCH_GET: the same of
 * many keys, of any cores, in the order of the request. */
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
        return series_arg_refused(c, "option", i,
                                  "a limit of at least 1, TYPE type, REV or AGG functions bucket");
    o->q.limit = (uint64_t)v;
    return true;
}

/* From the start on, which is argument `at`. */
static bool
get_options(struct ctx *c, uint32_t at, struct get_options *o)
{
    *o = (struct get_options){.q.limit = UINT64_MAX};
    if (!series_arg_bounds(c, at, &o->q.start, &o->q.end))
        return false;
    for (uint32_t i = at + 2; i < c->argc; i++) {
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

/* --- reading one key -------------------------------------------------------------------------- */

/* What a key has to say: points, rows of buckets, or why it has neither. */
struct got {
    struct point_run *runs; /* a data type each, in the scratch */
    uint32_t runs_n;
    struct series_table buckets;
    int rc;
    bool wrong_type;
};

static void
got_fini(struct got *g)
{
    for (uint32_t i = 0; i < g->runs_n; i++)
        point_run_fini(&g->runs[i]);
    series_table_fini(&g->buckets);
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

static int
gather(struct ctx *c, struct key *k, const struct series_key *sk, const struct get_options *o,
       struct got *g)
{
    bool missing = false;

    g->runs = scratch_alloc(&c->core->scratch, MAX(sk->n, 1u) * sizeof(*g->runs));
    for (uint32_t i = 0; i < sk->n; i++) {
        const struct series *s = series_at(sk, i);
        struct series_query q = o->q;
        int rc;

        q.start = MAX(q.start, ts_visible_from(series_key_settings(sk), s));
        g->runs[g->runs_n] = (struct point_run){.type = s->type};
        if ((o->has_type && s->type != o->type) || q.start > q.end)
            continue;
        rc = ts_read(c, k, s, &q, gather_emit, &g->runs[g->runs_n++]);
        missing = missing || rc == -EAGAIN;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
    }
    return missing ? -EAGAIN : 0;
}

static int
read_buckets(struct ctx *c, struct key *k, struct entry *e, const struct get_options *o,
             struct got *g)
{
    struct ts_range r = {.from = o->q.start, .to = o->q.end, .reverse = o->q.reverse,
                         .type = o->type, .count = o->q.limit, .columns = &o->columns,
                         .columns_n = 1, .bucket = o->bucket};

    g->buckets.cols = o->columns.n;
    return ts_range_read(c, k, e, &r, 0, &g->buckets);
}

/* Points or rows that will be replied. */
static uint64_t
got_points(const struct got *g, const struct get_options *o)
{
    uint64_t n = g->buckets.n;

    for (uint32_t i = 0; i < g->runs_n; i++)
        n += g->runs[i].n;
    return MIN(n, o->q.limit);
}

static void
read_key(struct ctx *c, struct slice name, const struct get_options *o, struct got *g)
{
    struct key k = key_open(c, name);
    struct entry *e = key_find(c, &k);

    *g = (struct got){.buckets.cols = 1};
    if (e == NULL)
        return;
    g->wrong_type = e->type != ENTRY_SERIES;
    if (g->wrong_type)
        return;
    g->rc = o->columns.n ? read_buckets(c, &k, e, o, g) : gather(c, &k, entry_series(e), o, g);
    if (g->rc == 0 && got_points(g, o) > QUERY_POINTS_MAX)
        g->rc = -E2BIG;
}

/* --- replies ---------------------------------------------------------------------------------- */

static void
reply_too_many(struct ctx *c, const struct get_options *o)
{
    if (o->columns.n)
        series_query_failed(c, -E2BIG);
    else
        series_query_too_many(c, QUERY_POINTS_MAX);
}

/* The reply of one key. */
static void
reply_got(struct ctx *c, struct got *g, const struct get_options *o)
{
    uint64_t total = got_points(g, o);

    if (g->wrong_type) {
        ctx_error(c, ERR_WRONGTYPE);
    } else if (g->rc == -E2BIG) {
        reply_too_many(c, o);
    } else if (g->rc < 0) {
        series_query_failed(c, g->rc);
    } else {
        c->core->points_read += total;
        if (o->columns.n && g->buckets.n)
            ts_reply_table(c->out, c->proto, &g->buckets, TS_ROW_TSDB);
        else
            reply_points(c->out, c->proto, g->runs, g->runs_n, total, o->q.reverse);
    }
}

void
cmd_tsdb_get(struct ctx *c)
{
    struct get_options o;
    struct got g;

    if (!get_options(c, 2, &o))
        return;
    read_key(c, c->argv[1], &o, &g);
    if (g.rc != -EAGAIN && !c->probe)
        reply_got(c, &g, &o);
    got_fini(&g);
}

/* --- many keys -------------------------------------------------------------------------------- */

/* Of all keys; what is missing of any is noted. 0, -EAGAIN, or -E2BIG: too many together. */
static int
read_keys(struct ctx *c, uint32_t n, const struct get_options *o, struct got *g)
{
    bool missing = false;
    uint64_t total = 0;

    for (uint32_t i = 0; i < n; i++) {
        read_key(c, c->argv[2 + i], o, &g[i]);
        missing = missing || g[i].rc == -EAGAIN;
        total += got_points(&g[i], o);
        if (g[i].rc == -E2BIG || total > QUERY_POINTS_MAX)
            return -E2BIG;
    }
    return missing ? -EAGAIN : 0;
}

void
cmd_tsdb_batch_get(struct ctx *c)
{
    uint32_t n = command_numkeys(c->cmd, c->argv, c->argc);
    struct get_options o;
    struct got *g;
    int rc;

    if (n == 0 || c->argc - 2 - n < 2) {
        ctx_error(c, "ERR TSDB_BATCH_GET: numkeys must be the number of keys between it and start");
        return;
    }
    if (!get_options(c, 2 + n, &o))
        return;
    g = scratch_alloc(&c->core->scratch, n * sizeof(*g));
    memset(g, 0, n * sizeof(*g));
    rc = read_keys(c, n, &o, g);
    if (rc == -E2BIG)
        reply_too_many(c, &o);
    else if (rc == 0 && !c->probe)
        resp_array(c->out, n);
    for (uint32_t i = 0; i < n; i++) {
        if (rc == 0 && !c->probe)
            reply_got(c, &g[i], &o);
        got_fini(&g[i]);
    }
}

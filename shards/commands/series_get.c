/* TSDB_GET: points between two times, or aggregates of buckets of them. TSDB_BATCH_GET: the same of
 * many keys, of any cores, in the order of the request; when that takes longer than other clients should
 * wait it goes in slices (engine/slices.h). */
#include "shards/commands/handlers.h"
#include "shards/commands/point_reply.h"
#include "shards/commands/series_ahead.h"
#include "shards/commands/ts_range.h"

#include "shards/engine/core.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

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
    if (!series_arg_once(c, "limit", o->q.limit != UINT64_MAX))
        return false;
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
            if (!series_arg_once(c, "REV", o->q.reverse))
                return false;
            o->q.reverse = true;
        } else if (slice_is(c->argv[i], "type") && i + 1 < c->argc) {
            if (!series_arg_once(c, "TYPE", o->has_type) || !series_arg_type(c, ++i, &o->type))
                return false;
            o->has_type = true;
        } else if (slice_is(c->argv[i], "agg") && i + 2 < c->argc) {
            if (!series_arg_once(c, "AGG", o->columns.n > 0) ||
                !series_arg_functions(c, i + 1, &o->columns) ||
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
    struct point_run *runs, one; /* a data type each; the usual key has one */
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
    if (g->runs != &g->one)
        free(g->runs);
    series_table_fini(&g->buckets);
    *g = (struct got){.buckets.cols = 1};
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

    g->runs = sk->n <= 1 ? &g->one : malloc(sk->n * sizeof(*g->runs));
    ASSERT(g->runs);
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

/* Of all keys; what is missing of any is noted. 0, -EAGAIN, -E2BIG: too many together, or -ETIME: it takes
 * long, and may go on in slices; -ETIMEDOUT: it may not. */
static int
read_keys(struct ctx *c, uint32_t n, const struct get_options *o, struct got *g)
{
    uint64_t total = 0, began_ns = clock_now_ns();
    bool missing = false;

    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && ahead_may_begin(c, n, began_ns))
            return -ETIME;
        if (i > 0 && ahead_is_late(c, began_ns))
            return -ETIMEDOUT;
        read_key(c, c->argv[2 + i], o, &g[i]);
        missing = missing || g[i].rc == -EAGAIN;
        total += got_points(&g[i], o);
        if (g[i].rc == -E2BIG || total > QUERY_POINTS_MAX)
            return -E2BIG;
    }
    return missing ? -EAGAIN : 0;
}

struct batch_slices {
    struct ahead ahead;
    struct got *got;
    uint64_t limit;   /* of each key, as asked */
    uint32_t replied; /* keys */
};

static struct batch_slices *
batch_of(struct slices *s)
{
    return container_of(container_of(s, struct ahead, slices), struct batch_slices, ahead);
}

static int
slices_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i)
{
    struct got *g = &container_of(a, struct batch_slices, ahead)->got[i];

    read_key(c, a->name[i], asked, g);
    if (g->rc != -EAGAIN)
        return 0;
    got_fini(g);
    return -EAGAIN;
}

static void
slices_drop(struct ahead *a, uint32_t i)
{
    got_fini(&container_of(a, struct batch_slices, ahead)->got[i]);
}

static uint64_t
slices_values(const struct ahead *a, uint32_t i)
{
    const struct batch_slices *x = container_of(a, struct batch_slices, ahead);
    struct get_options o = {.q.limit = x->limit};

    return got_points(&x->got[i], &o);
}

static const struct ahead_keys batch_keys = {slices_read, slices_drop, slices_values};

static enum slices_result
slices_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    struct ahead *a = &batch_of(s)->ahead;
    struct get_options o;

    if (!get_options(c, 2 + a->n, &o))
        return SLICES_DONE;
    return ahead_step(a, c, sh, &o, until_ns);
}

static void
slices_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(&batch_of(s)->ahead, sh);
}

static bool
slices_reply(struct slices *s, struct ctx *c, uint64_t until_ns)
{
    struct batch_slices *x = batch_of(s);
    struct get_options o;

    if (!get_options(c, 2 + x->ahead.n, &o))
        return true;
    if (x->replied == 0)
        resp_array(c->out, x->ahead.n);
    while (x->replied < x->ahead.n) {
        reply_got(c, &x->got[x->replied++], &o);
        if (x->replied < x->ahead.n && clock_now_ns() > until_ns)
            return false;
    }
    return true;
}

static void
slices_destroy(struct slices *s)
{
    struct batch_slices *x = batch_of(s);

    ahead_fini(&x->ahead);
    free(x->got);
    free(x);
}

static struct slices *
slices_create(struct ctx *c, uint32_t n, const struct get_options *o)
{
    struct batch_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->ahead = (struct ahead){.slices = {slices_step, slices_leave, slices_reply, slices_destroy},
                              .keys = &batch_keys, .values_max = QUERY_POINTS_MAX};
    x->limit = o->q.limit;
    x->got = calloc(n, sizeof(*x->got));
    ASSERT(x->got);
    ahead_init(&x->ahead, c, c->argv + 2, n);
    return &x->ahead.slices;
}

/* Everything is leased, and much of it was read ahead. */
static void
batch_ahead(struct ctx *c, uint32_t n, const struct get_options *o, struct slices *s)
{
    struct batch_slices *x = batch_of(s);
    int rc = ahead_all(&x->ahead, c, o);

    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = x->got[i].rc == -E2BIG ? -E2BIG : 0;
    if (rc == -E2BIG)
        reply_too_many(c, o);
    s->replies = rc == 0 && !c->probe;
}

static void
batch_at_once(struct ctx *c, uint32_t n, const struct get_options *o)
{
    struct got *g = scratch_alloc(&c->core->scratch, n * sizeof(*g));
    int rc;

    memset(g, 0, n * sizeof(*g));
    rc = read_keys(c, n, o, g);
    if (rc == -ETIME) {
        c->need = (struct need){.kind = NEED_SLICES};
        if (c->slices)
            *c->slices = slices_create(c, n, o);
    } else if (rc == -E2BIG) {
        reply_too_many(c, o);
    } else if (rc == -ETIMEDOUT) {
        ts_reply_takes_long(c);
    } else if (rc == 0 && !c->probe) {
        resp_array(c->out, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (rc == 0 && !c->probe)
            reply_got(c, &g[i], o);
        got_fini(&g[i]);
    }
}

void
cmd_tsdb_batch_get(struct ctx *c)
{
    uint32_t n = command_numkeys(c->cmd, c->argv, c->argc);
    struct get_options o;

    if (n == 0 || c->argc - 2 - n < 2) {
        ctx_error(c, "ERR TSDB_BATCH_GET: numkeys must be the number of keys between it and start");
        return;
    }
    if (!get_options(c, 2 + n, &o))
        return;
    if (c->slices && *c->slices)
        batch_ahead(c, n, &o, *c->slices);
    else
        batch_at_once(c, n, &o);
}

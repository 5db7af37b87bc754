/* TSDB_GET: points between two times, or aggregates of buckets of them. TSDB_BATCH_GET: the same of
 * many keys, of any cores, in the order of the request. What takes longer than other clients should wait
 * goes in slices (engine/slices.h). */
#include "shards/commands/handlers.h"
#include "shards/commands/point_gather.h"
#include "shards/commands/series_ahead.h"
#include "shards/commands/ts_range.h"

#include "shards/engine/core.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

struct get_options {
    struct series_query q;
    bool has_type;
    uint8_t type;
    struct ts_columns columns; /* of AGG; none: points */
    int64_t bucket;
    bool many; /* keys: the reply is an array of what they say */
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

/* What a key has to say: points, rows of buckets, or why it has neither. Starts zeroed. */
struct got {
    struct point_gather points;
    struct series_table buckets;
    int rc;
    bool wrong_type;
};

/* How far the reading of a key has come. Starts zeroed. */
struct getting {
    struct ts_reading buckets;
    /* of the points of the last run */
    struct ts_position position;
    int64_t from; /* retention considered */
    uint32_t types; /* data types that were read before it */
};

static void
got_fini(struct got *g)
{
    point_gather_fini(&g->points);
    series_table_fini(&g->buckets);
    *g = (struct got){0};
}

struct gather {
    struct point_gather *points;
    struct ts_position *position;
};

static int
gather_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct gather *g = arg;
    uint32_t known = ts_position_known(g->position, &p->ts, sizeof(*p) / sizeof(p->ts), n), taken;
    bool stops;

    p += known;
    n -= known;
    if (n == 0)
        return 0;
    if (point_gather_is_full(g->points, n))
        return -E2BIG;
    taken = point_gather_add(g->points, p, quality ? quality + known : NULL, n);
    stops = taken > 0 && ts_position_pass(g->position, &p->ts, sizeof(*p) / sizeof(p->ts), taken);
    return stops || taken < n;
}

static int
gather_block(void *arg, const struct block_info *info)
{
    struct gather *g = arg;

    return ts_position_stops_at(g->position, info) ? SERIES_BLOCK_ENOUGH : SERIES_BLOCK_READ;
}

/* Data type of the last run; -1: there is none. */
static int
last_type(const struct point_gather *p)
{
    return p->runs_n > 0 ? p->runs[p->runs_n - 1].type : -1;
}

/* The last run becomes one of this data type, if it is not. */
static void
run_of(struct point_gather *p, struct getting *w, const struct series_key *sk,
       const struct series *s, const struct get_options *o)
{
    if (last_type(p) == s->type)
        return;
    w->position = (struct ts_position){.reverse = o->q.reverse};
    w->from = MAX(o->q.start, ts_visible_from(series_key_settings(sk), s));
    if (o->has_type || sk->n == 1)
        ts_position_ends(&w->position, s, w->from, o->q.end);
    w->types = p->runs_n;
    point_gather_begin_run(p, s->type);
}

static int
gather_type(struct ctx *c, struct key *k, const struct series *s, const struct get_options *o,
            struct point_gather *points, struct getting *w, uint64_t until_ns)
{
    struct gather g = {points, &w->position};
    struct series_query q = o->q;
    int rc;

    q.start = w->from;
    point_gather_narrow(points, &q);
    if (q.start > q.end || q.limit == 0)
        return 0;
    q.block = until_ns == UINT64_MAX ? NULL : gather_block;
    ts_position_go(&w->position, c, until_ns);
    ts_position_narrow(&w->position, &q);
    rc = q.start <= q.end ? ts_read(c, k, s, &q, gather_emit, &g) : 0;
    return rc == 0 && w->position.stopped ? -EINPROGRESS : rc;
}

static bool
is_asked_for(const struct get_options *o, const struct series *s)
{
    return !o->has_type || s->type == o->type;
}

/* Have data types come before the one that is being read? */
static bool
types_changed(const struct series_key *sk, const struct get_options *o,
              const struct point_gather *p, const struct getting *w)
{
    int last = last_type(p);
    uint32_t n = 0;

    for (uint32_t i = 0; i < sk->n; i++)
        n += is_asked_for(o, series_at(sk, i)) && series_at(sk, i)->type < last;
    return last >= 0 && n != w->types;
}

/* Points, one data type after the other; each go begins at least one. In one go what must be fetched is noted
 * for all of them. */
static int
gather(struct ctx *c, struct key *k, const struct series_key *sk, const struct get_options *o,
       struct point_gather *p, struct getting *w, uint64_t until_ns)
{
    int first = last_type(p);
    bool missing = false, begun = false;

    p->reverse = o->q.reverse;
    p->limit = o->q.limit;
    p->points_max = c->core->limits.query_points;
    for (uint32_t i = 0; i < sk->n; i++) {
        const struct series *s = series_at(sk, i);
        int rc;

        if (!is_asked_for(o, s) || s->type < first)
            continue;
        if (begun && slices_time_is_over(c, until_ns, 0))
            return -EINPROGRESS;
        begun = begun || last_type(p) != s->type;
        run_of(p, w, sk, s, o);
        rc = gather_type(c, k, s, o, p, w, until_ns);
        missing = missing || rc == -EAGAIN;
        if (rc < 0 && (rc != -EAGAIN || until_ns != UINT64_MAX))
            return rc;
    }
    if (!missing && o->many)
        point_gather_cut(p);
    return missing ? -EAGAIN : 0;
}

static int
read_buckets(struct ctx *c, struct key *k, struct entry *e, const struct get_options *o,
             struct got *g, struct getting *w, uint64_t until_ns)
{
    struct ts_range r = {.from = o->q.start, .to = o->q.end, .reverse = o->q.reverse,
                         .type = o->type, .count = o->q.limit, .columns = &o->columns,
                         .columns_n = 1, .bucket = o->bucket};

    g->buckets.cols = o->columns.n;
    return ts_reading_go(&w->buckets, c, k, e, &r, 0, &g->buckets, until_ns);
}

/* Points or rows that will be replied. */
static uint64_t
got_points(const struct got *g, uint64_t limit)
{
    return MIN(g->buckets.n + g->points.n, limit);
}

static void
forget(struct got *g, struct getting *w)
{
    ts_reading_fini(&w->buckets);
    *w = (struct getting){0};
    got_fini(g);
}

/* Reads the key, or reads on; g->rc says how that went: 0 or an error, -EAGAIN: c->need is set,
 * -EINPROGRESS: the clock says until_ns. */
static void
get_go(struct ctx *c, struct slice name, const struct get_options *o, struct got *g,
       struct getting *w, uint64_t until_ns)
{
    struct key k = key_open(c, name);
    struct entry *e = key_find(c, &k);

    if (e == NULL || e->type != ENTRY_SERIES) {
        forget(g, w);
        g->wrong_type = e != NULL;
        return;
    }
    if (!o->columns.n && types_changed(entry_series(e), o, &g->points, w))
        forget(g, w);
    g->rc = o->columns.n ? read_buckets(c, &k, e, o, g, w, until_ns)
                         : gather(c, &k, entry_series(e), o, &g->points, w, until_ns);
    if (g->rc == 0 && got_points(g, o->q.limit) > c->core->limits.query_points)
        g->rc = -E2BIG;
}

/* Nothing more is read. */
static void
get_end(struct got *g, struct getting *w)
{
    if (g->rc == 0)
        g->rc = ts_reading_end(&w->buckets);
}

static bool
get_stands(const struct getting *w, const struct got *g, const struct get_options *o, int64_t from,
           int64_t to)
{
    if (g->rc != 0 && g->rc != -EINPROGRESS && g->rc != -EAGAIN)
        return false;
    if (o->columns.n)
        return ts_reading_stands(&w->buckets, from, to);
    return to < o->q.start || from > o->q.end ||
           (w->types == 0 && !ts_position_has_read(&w->position, from, to));
}

static int64_t
get_wants_from(const struct getting *w, const struct got *g, const struct get_options *o)
{
    if (g->rc != 0 && g->rc != -EINPROGRESS && g->rc != -EAGAIN)
        return INT64_MIN;
    if (o->columns.n)
        return ts_reading_wants_from(&w->buckets);
    if (g->points.runs_n == 0)
        return INT64_MAX;
    return w->types == 0 ? ts_position_wants_from(&w->position, w->from) : o->q.start;
}

/* The whole key. */
static void
get_key(struct ctx *c, struct slice name, const struct get_options *o, struct got *g,
        uint64_t until_ns)
{
    struct getting w = {0};

    get_go(c, name, o, g, &w, until_ns);
    get_end(g, &w);
    ts_reading_fini(&w.buckets);
}

/* --- replies ---------------------------------------------------------------------------------- */

static void
reply_too_many(struct ctx *c, const struct get_options *o)
{
    if (o->columns.n)
        series_query_failed(c, -E2BIG);
    else
        series_query_too_many(c, (uint32_t)c->core->limits.query_points);
}

/* The reply of one key. */
static void
reply_got(struct ctx *c, struct got *g, const struct get_options *o)
{
    uint64_t total = got_points(g, o->q.limit);

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
            reply_points(c->out, c->proto, g->points.runs, g->points.runs_n, total, o->q.reverse);
    }
}

/* --- in one go -------------------------------------------------------------------------------- */

/* Of all keys; what is missing of any is noted. 0, -EAGAIN, -E2BIG: too many together, -EINPROGRESS: it takes
 * long, and may go on in slices; -ETIMEDOUT: it may not. */
static int
get_keys(struct ctx *c, const struct slice *name, uint32_t n, const struct get_options *o,
         struct got *g)
{
    uint64_t total = 0, began_ns = clock_now_ns(), until_ns = ahead_until(c, n);
    bool missing = false;

    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && slices_time_is_over(c, until_ns, 0))
            return -EINPROGRESS;
        if (i > 0 && ahead_is_late(c, began_ns))
            return -ETIMEDOUT;
        get_key(c, name[i], o, &g[i], until_ns);
        if (g[i].rc == -EINPROGRESS)
            return -EINPROGRESS;
        missing = missing || g[i].rc == -EAGAIN;
        total += got_points(&g[i], o->q.limit);
        if (o->many && (g[i].rc == -E2BIG || total > c->core->limits.query_points))
            return -E2BIG;
    }
    return missing ? -EAGAIN : 0;
}

/* --- in slices: see slices.h ------------------------------------------------------------------- */

struct get_slices {
    struct ahead ahead;
    struct get_options o;
    struct got *got;
    struct getting *getting;
    /* keys that are complete, with so many points or rows, and that are replied: */
    uint32_t complete;
    uint64_t points;
    uint32_t replied;
};

static struct get_slices *
get_of(struct ahead *a)
{
    return container_of(a, struct get_slices, ahead);
}

static int
slices_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns)
{
    struct get_slices *x = get_of(a);
    int rc;

    get_go(c, a->name[i], asked, &x->got[i], &x->getting[i], until_ns);
    rc = x->got[i].rc;
    if (rc == -EAGAIN && until_ns == UINT64_MAX)
        forget(&x->got[i], &x->getting[i]);
    return rc == -EAGAIN || rc == -EINPROGRESS ? rc : 0;
}

static bool
slices_stand(const struct ahead *a, uint32_t i, int64_t from, int64_t to)
{
    const struct get_slices *x = container_of(a, struct get_slices, ahead);

    return get_stands(&x->getting[i], &x->got[i], &x->o, from, to);
}

static int64_t
slices_want_from(const struct ahead *a, uint32_t i)
{
    const struct get_slices *x = container_of(a, struct get_slices, ahead);

    return get_wants_from(&x->getting[i], &x->got[i], &x->o);
}

static void
slices_drop(struct ahead *a, uint32_t i)
{
    forget(&get_of(a)->got[i], &get_of(a)->getting[i]);
}

/* Too much of one key is too much of all. */
static uint64_t
slices_values(const struct ahead *a, uint32_t i)
{
    const struct get_slices *x = container_of(a, struct get_slices, ahead);

    return x->got[i].rc == -E2BIG ? x->ahead.values_max + 1 : got_points(&x->got[i], x->o.q.limit);
}

static const struct ahead_keys get_keys_ahead = {slices_read, slices_stand, slices_want_from,
                                                 slices_drop, slices_values};

static struct ahead *
ahead_of(struct slices *s)
{
    return container_of(s, struct ahead, slices);
}

static enum slices_result
slices_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    return ahead_step(ahead_of(s), c, sh, &get_of(ahead_of(s))->o, until_ns);
}

static void
slices_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(ahead_of(s), sh);
}

/* Nothing is leased: what looks around itself is complete already. -E2BIG: the keys together have too much. */
static int
complete_keys(struct get_slices *x, uint64_t until_ns)
{
    while (x->complete < x->ahead.n) {
        struct got *g = &x->got[x->complete];

        get_end(g, &x->getting[x->complete++]);
        x->points += got_points(g, x->o.q.limit);
        if (x->o.many && (g->rc == -E2BIG || x->points > x->ahead.values_max))
            return -E2BIG;
        if (x->complete < x->ahead.n && clock_now_ns() > until_ns)
            return -EINPROGRESS;
    }
    return 0;
}

static bool
slices_reply(struct slices *s, struct ctx *c, uint64_t until_ns)
{
    struct get_slices *x = get_of(ahead_of(s));
    int rc = complete_keys(x, until_ns);

    if (rc == -EINPROGRESS)
        return false;
    if (rc == -E2BIG) {
        reply_too_many(c, &x->o);
        return true;
    }
    if (x->o.many && x->replied == 0)
        resp_array(c->out, x->ahead.n);
    while (x->replied < x->ahead.n) {
        reply_got(c, &x->got[x->replied++], &x->o);
        if (x->replied < x->ahead.n && clock_now_ns() > until_ns)
            return false;
    }
    return true;
}

static void
slices_destroy(struct slices *s)
{
    struct get_slices *x = get_of(ahead_of(s));

    ahead_fini(&x->ahead);
    free(x->got);
    free(x->getting);
    free(x);
}

static struct slices *
slices_create(struct ctx *c, const struct slice *name, uint32_t n, const struct get_options *o)
{
    struct get_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->ahead = (struct ahead){.slices = {slices_step, slices_leave, slices_reply, slices_destroy},
                              .keys = &get_keys_ahead, .values_max = c->core->limits.query_points};
    x->o = *o;
    x->got = calloc(n, sizeof(*x->got));
    x->getting = calloc(n, sizeof(*x->getting));
    ASSERT(x->got && x->getting);
    ahead_init(&x->ahead, c, name, n);
    return &x->ahead.slices;
}

/* Everything is leased, and much of it was read ahead. */
static void
get_ahead(struct ctx *c, struct get_slices *x)
{
    int rc = ahead_all(&x->ahead, c, &x->o);

    if (rc == -E2BIG)
        reply_too_many(c, &x->o);
    x->ahead.slices.replies = rc == 0 && !c->probe;
}

/* --- the commands ------------------------------------------------------------------------------ */

static void
get_at_once(struct ctx *c, const struct slice *name, uint32_t n, const struct get_options *o)
{
    struct got *g = scratch_alloc(&c->core->scratch, n * sizeof(*g));
    int rc;

    memset(g, 0, n * sizeof(*g));
    rc = !o->many && c->slices ? -EINPROGRESS : get_keys(c, name, n, o, g); /* one key comes here twice */
    if (rc == -EINPROGRESS) {
        c->need = (struct need){.kind = NEED_SLICES};
        if (c->slices)
            *c->slices = slices_create(c, name, n, o);
    } else if (rc == -E2BIG) {
        reply_too_many(c, o);
    } else if (rc == -ETIMEDOUT) {
        ts_reply_takes_long(c);
    } else if (rc == 0 && !c->probe && o->many) {
        resp_array(c->out, n);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (rc == 0 && !c->probe)
            reply_got(c, &g[i], o);
        got_fini(&g[i]);
    }
}

static void
get(struct ctx *c, const struct slice *name, uint32_t n, const struct get_options *o)
{
    if (c->slices && *c->slices)
        get_ahead(c, get_of(ahead_of(*c->slices)));
    else
        get_at_once(c, name, n, o);
}

void
cmd_tsdb_get(struct ctx *c)
{
    struct get_options o;

    if (get_options(c, 2, &o))
        get(c, c->argv + 1, 1, &o);
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
    o.many = true;
    get(c, c->argv + 2, n, &o);
}

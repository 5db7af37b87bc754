/* TSDB_GET: points between two times. */
#include "shards/commands/handlers.h"
#include "shards/commands/point_reply.h"
#include "shards/commands/series_args.h"

#include "shards/engine/core.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#define QUERY_POINTS_MAX 1000000 /* points of one reply */

struct get_options {
    struct series_query q;
    bool has_type;
    uint8_t type;
};

static bool
arg_bound(struct ctx *c, uint32_t i, const char *what, char open, int64_t open_value,
          int64_t *ret_ts)
{
    char allowed[64];

    if (c->argv[i].n == 1 && c->argv[i].p[0] == open) {
        *ret_ts = open_value;
        return true;
    }
    if (parse_int(c->argv[i], ret_ts))
        return true;
    snprintf(allowed, sizeof(allowed), "a signed 64-bit integer or %c", open);
    return series_arg_refused(c, what, i, allowed);
}

static bool
arg_limit(struct ctx *c, uint32_t i, struct get_options *o)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 1)
        return series_arg_refused(c, "option", i, "a limit of at least 1, TYPE or REV");
    o->q.limit = (uint64_t)v;
    return true;
}

static bool
get_options(struct ctx *c, struct get_options *o)
{
    *o = (struct get_options){.q.limit = UINT64_MAX};
    if (!arg_bound(c, 2, "start", '-', INT64_MIN, &o->q.start) ||
        !arg_bound(c, 3, "end", '+', INT64_MAX, &o->q.end))
        return false;
    for (uint32_t i = 4; i < c->argc; i++) {
        if (slice_is(c->argv[i], "rev")) {
            o->q.reverse = true;
        } else if (slice_is(c->argv[i], "type") && i + 1 < c->argc) {
            if (!series_arg_type(c, ++i, &o->type))
                return false;
            o->has_type = true;
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
    for (uint32_t i = 0; i < sk->n; i++) {
        const struct series *s = sk->types[i];
        int rc;

        g[i].type = s->type;
        if (o->has_type && s->type != o->type)
            continue;
        rc = series_read(series_visible_store(k), true, k->db, key_slot(k->name), k->name, s, &o->q,
                         gather_emit, &g[i]);
        if (rc == -EAGAIN)
            c->need = (struct need){.kind = NEED_RANGE,
                                    .sh = k->sh,
                                    .key = k->name,
                                    .db = k->db,
                                    .type = s->type,
                                    .reverse = o->q.reverse,
                                    .start = o->q.start,
                                    .end = o->q.end,
                                    .limit = o->q.limit};
        if (rc < 0)
            return rc;
    }
    return 0;
}

void
cmd_tsdb_get(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    const struct series_key *sk;
    struct get_options o;
    struct point_run *g;
    struct entry *e;
    bool ok;
    int rc;

    if (!get_options(c, &o))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (e == NULL) {
        resp_array(c->out, 0);
        return;
    }
    sk = entry_series(e);
    g = scratch_alloc(&c->core->scratch, MAX(sk->n, 1u) * sizeof(*g));
    memset(g, 0, MAX(sk->n, 1u) * sizeof(*g));
    rc = gather(c, &k, sk, &o, g);
    if (rc == 0 && !c->probe)
        reply_gathered(c, g, sk->n, &o);
    else if (rc == -E2BIG)
        reply_too_many(c);
    else if (rc < 0 && rc != -EAGAIN)
        resp_errorf(c->out, "ERR TSDB_GET: a stored block of the series cannot be read: %s",
                    rc == -EBADMSG ? "it is damaged" : strerror(-rc));
    for (uint32_t i = 0; i < sk->n; i++)
        point_run_fini(&g[i]);
}

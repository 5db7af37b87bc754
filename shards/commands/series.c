/* TSDB_SET, TSDB_GET and the connection's batch. Errors name the command and the argument, since
 * BATCH_SET takes value before timestamp and TSDB_SET the other way round. */
#include "shards/commands/handlers.h"

#include "shards/engine/keyspace.h"
#include "shards/engine/session.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <math.h>
#include <stdlib.h>

#define QUERY_POINTS_MAX 1000000 /* points of one reply */

/* --- arguments ----------------------------------------------------------------------------------- */

static int64_t
now_in_unit(const struct ctx *c)
{
    int64_t us = ctx_now_us(c);

    switch (c->core->config.timestamp_unit) {
    case CONFIG_TIME_S:
        return us / 1000000;
    case CONFIG_TIME_MS:
        return us / 1000;
    case CONFIG_TIME_US:
        return us;
    default:
        return us * 1000;
    }
}

static const char *
upper_name(const struct ctx *c)
{
    switch (c->cmd->name[0]) {
    case 'b':
        return "BATCH_SET";
    default:
        return c->cmd->name[5] == 's' ? "TSDB_SET" : "TSDB_GET";
    }
}

static bool
arg_refused(struct ctx *c, const char *what, uint32_t i, const char *allowed)
{
    resp_errorf(c->out, "ERR %s: %s '%.*s' is not %s", upper_name(c), what,
                (int)MIN(c->argv[i].n, 64), c->argv[i].p, allowed);
    return false;
}

static bool
arg_timestamp(struct ctx *c, uint32_t i, int64_t *ret_ts)
{
    if (c->argv[i].n == 1 && c->argv[i].p[0] == '*') {
        *ret_ts = now_in_unit(c);
        return true;
    }
    return parse_int(c->argv[i], ret_ts) ||
           arg_refused(c, "timestamp", i, "a signed 64-bit integer or *");
}

static bool
arg_value(struct ctx *c, uint32_t i, double *ret_v)
{
    double v;

    if (!parse_double(c->argv[i], &v) || !isfinite(v))
        return arg_refused(c, "value", i, "a finite double");
    *ret_v = v;
    return true;
}

static int
hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch = ascii_lower(ch);
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool
arg_type(struct ctx *c, uint32_t i, uint8_t *ret_type)
{
    struct slice s = c->argv[i];
    int hi = s.n == 2 ? hex_digit(s.p[0]) : -1, lo = s.n == 2 ? hex_digit(s.p[1]) : -1;

    if (hi < 0 || lo < 0)
        return arg_refused(c, "data_type", i, "two hex digits (00 to ff)");
    *ret_type = (uint8_t)(hi << 4 | lo);
    return true;
}

static bool
arg_quality(struct ctx *c, uint32_t i, uint8_t *ret_q)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 0 || v > 255)
        return arg_refused(c, "quality", i, "an integer from 0 to 255");
    *ret_q = (uint8_t)v;
    return true;
}

/* --- writing --------------------------------------------------------------------------------------- */

static struct store *
visible_store(const struct key *k)
{
    return k->sh->db[k->db].hidden ? NULL : k->sh->store;
}

static int
found_point(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(bool *)arg = true;
    return 0;
}

/* Is there a point at ts, in memory or stored? False and ctx->need set when a helper must look. */
static bool
point_exists(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts, bool *ret)
{
    struct series_query q = {.start = ts, .end = ts, .limit = 1};
    struct series *s = e ? series_find(entry_series(e), type) : NULL;

    *ret = false;
    if (s == NULL)
        return true;
    if (series_read(visible_store(k), true, k->db, key_slot(k->name), k->name, s, &q, found_point,
                    ret) != -EAGAIN)
        return true;
    c->need = (struct need){.kind = NEED_RANGE, .sh = k->sh, .key = k->name, .db = k->db,
                            .type = type, .start = ts, .end = ts, .limit = 1};
    return false;
}

static void
reply_blocked(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: a point with timestamp %lld exists and duplicate-policy is BLOCK",
                upper_name(c), (long long)ts);
}

static bool
reply_result(struct ctx *c, enum series_result r, int64_t ts)
{
    switch (r) {
    case SERIES_BLOCKED:
    case SERIES_NEED_STORED:
        reply_blocked(c, ts);
        return false;
    case SERIES_CROWDED:
        resp_errorf(c->out, "ERR %s: more than %d points with timestamp %lld", upper_name(c),
                    SERIES_SAME_TS_MAX, (long long)ts);
        return false;
    default:
        resp_ok(c->out);
        return true;
    }
}

void
cmd_tsdb_set(struct ctx *c)
{
    enum duplicate_policy policy = (enum duplicate_policy)c->core->config.duplicate_policy;
    struct key k = key_open(c, c->argv[1]);
    uint8_t type = 0, quality = 0;
    struct entry *e;
    int64_t ts;
    double value;
    bool ok;

    if (!arg_timestamp(c, 2, &ts) || !arg_value(c, 3, &value))
        return;
    if (c->argc > 4 && !arg_type(c, 4, &type))
        return;
    if (c->argc > 5 && !arg_quality(c, 5, &quality))
        return;
    if (c->argc > 6) {
        ctx_error(c, "ERR wrong number of arguments for 'tsdb_set' command");
        return;
    }
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (unlikely(policy == DUPLICATE_BLOCK)) {
        if (!point_exists(c, &k, e, type, ts, &ok) || c->probe)
            return;
        if (ok) {
            reply_blocked(c, ts);
            return;
        }
        policy = DUPLICATE_LAST; /* nothing is there: it adds */
    }
    if (unlikely(c->probe))
        return;
    reply_result(c, key_add_point(c, &k, e, type, ts, value, quality, policy), ts);
}

/* --- reading --------------------------------------------------------------------------------------- */

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
    return arg_refused(c, what, i, allowed);
}

static bool
arg_limit(struct ctx *c, uint32_t i, struct get_options *o)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 1)
        return arg_refused(c, "option", i, "a limit of at least 1, TYPE or REV");
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
            if (!arg_type(c, ++i, &o->type))
                return false;
            o->has_type = true;
        } else if (!arg_limit(c, i, o)) {
            return false;
        }
    }
    return true;
}

/* Points of one data type as they are gathered. */
struct gathered {
    struct sample *p;
    uint8_t *quality;
    uint32_t n, cap, at;
    uint8_t type;
};

static int
gather_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct gathered *g = arg;

    if (g->n + n > QUERY_POINTS_MAX)
        return -E2BIG;
    if (g->n + n > g->cap) {
        g->cap = MAX(g->n + n, g->cap ? g->cap * 2 : 128);
        g->p = realloc(g->p, g->cap * sizeof(*g->p));
        g->quality = realloc(g->quality, g->cap);
        ASSERT(g->p && g->quality);
    }
    memcpy(g->p + g->n, p, n * sizeof(*p));
    if (quality)
        memcpy(g->quality + g->n, quality, n);
    else
        memset(g->quality + g->n, 0, n);
    g->n += n;
    return 0;
}

static void
write_point(struct ctx *c, const struct gathered *g, uint32_t i)
{
    static const char hex[] = "0123456789abcdef";
    char type[2] = {hex[g->type >> 4], hex[g->type & 15]};

    resp_array(c->out, 4);
    resp_int(c->out, g->p[i].ts);
    resp_double(c->out, c->proto, g->p[i].value);
    resp_bulk(c->out, (struct slice){type, 2});
    resp_int(c->out, g->quality[i]);
}

/* The next point over all types: earliest (latest when reversed), lower type first among equals. */
static struct gathered *
next_of(struct gathered *g, uint32_t types, bool reverse)
{
    struct gathered *best = NULL;

    for (uint32_t i = 0; i < types; i++) {
        int64_t ts;

        if (g[i].at == g[i].n)
            continue;
        ts = g[i].p[g[i].at].ts;
        if (best == NULL || (reverse ? ts > best->p[best->at].ts : ts < best->p[best->at].ts))
            best = &g[i];
    }
    return best;
}

static void
write_points(struct ctx *c, struct gathered *g, uint32_t types, const struct get_options *o)
{
    uint64_t total = 0;
    struct gathered *from;

    for (uint32_t i = 0; i < types; i++)
        total += g[i].n;
    if (total > QUERY_POINTS_MAX && o->q.limit > QUERY_POINTS_MAX) {
        resp_errorf(c->out, "ERR TSDB_GET: the range holds more than %d points: give a limit",
                    QUERY_POINTS_MAX);
        return;
    }
    total = MIN(total, o->q.limit);
    resp_array(c->out, total);
    c->core->points_read += total;
    while (total-- > 0 && (from = next_of(g, types, o->q.reverse)))
        write_point(c, from, from->at++);
}

static int
gather(struct ctx *c, struct key *k, const struct series_key *sk, const struct get_options *o,
       struct gathered *g)
{
    for (uint32_t i = 0; i < sk->n; i++) {
        const struct series *s = sk->types[i];
        int rc;

        g[i].type = s->type;
        if (o->has_type && s->type != o->type)
            continue;
        rc = series_read(visible_store(k), true, k->db, key_slot(k->name), k->name, s, &o->q,
                         gather_emit, &g[i]);
        if (rc == -EAGAIN)
            c->need = (struct need){.kind = NEED_RANGE, .sh = k->sh, .key = k->name, .db = k->db,
                                    .type = s->type, .reverse = o->q.reverse,
                                    .start = o->q.start, .end = o->q.end, .limit = o->q.limit};
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
    struct gathered *g;
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
        write_points(c, g, sk->n, &o);
    else if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB_GET: the range holds more than %d points: give a limit",
                    QUERY_POINTS_MAX);
    else if (rc < 0 && rc != -EAGAIN)
        resp_errorf(c->out, "ERR TSDB_GET: a stored block of the series cannot be read: %s",
                    rc == -EBADMSG ? "it is damaged" : strerror(-rc));
    for (uint32_t i = 0; i < sk->n; i++) {
        free(g[i].p);
        free(g[i].quality);
    }
}

/* --- batch ------------------------------------------------------------------------------------------- */

void
session_drop_batch(struct session *s)
{
    for (uint32_t i = 0; i < s->batch_n; i++)
        free(s->batch[i].key);
    free(s->batch);
    s->batch = NULL;
    s->batch_n = s->batch_cap = 0;
}

static void
batch_add(struct session *s, struct slice key, double value, int64_t ts)
{
    struct batch_point *p;

    if (s->batch_n == s->batch_cap) {
        s->batch_cap = s->batch_cap ? s->batch_cap * 2 : 64;
        s->batch = realloc(s->batch, s->batch_cap * sizeof(*s->batch));
        ASSERT(s->batch);
    }
    p = &s->batch[s->batch_n++];
    p->key = malloc(key.n + 1);
    ASSERT(p->key);
    memcpy(p->key, key.p, key.n);
    p->key_n = (uint32_t)key.n;
    p->value = value;
    p->ts = ts;
}

/* Hands the batch to the write command, as its arguments; `answer` says how it replies. */
static void
batch_write_out(struct ctx *c, struct slice answer)
{
    struct session *s = c->session;
    uint32_t argc = 1 + 3 * s->batch_n;
    struct slice *argv = scratch_alloc(&c->core->scratch, argc * sizeof(*argv));

    argv[0] = answer;
    for (uint32_t i = 0; i < s->batch_n; i++) {
        struct batch_point *p = &s->batch[i];

        argv[1 + 3 * i] = (struct slice){p->key, p->key_n};
        argv[2 + 3 * i] = (struct slice){(char *)&p->value, sizeof(p->value)};
        argv[3 + 3 * i] = (struct slice){(char *)&p->ts, sizeof(p->ts)};
    }
    session_dispatch(s, command_find(SLICE("batch_write")), argv, argc);
    session_drop_batch(s);
}

void
cmd_batch_set(struct ctx *c)
{
    struct session *s = c->session;
    int64_t ts;
    double value;

    if (c->argv[1].n > ENTRY_KEY_BYTES_MAX) {
        ctx_error(c, ERR_KEY_TOO_LONG);
        return;
    }
    if (!arg_value(c, 2, &value) || !arg_timestamp(c, 3, &ts))
        return;
    batch_add(s, c->argv[1], value, ts);
    if (s->batch_n < c->core->config.batch_size)
        buf_append_lit(c->out, "+QUEUED\r\n");
    else
        batch_write_out(c, SLICE("queued"));
}

void
cmd_batch_flush(struct ctx *c)
{
    if (c->session->batch_n == 0)
        resp_int(c->out, 0);
    else
        batch_write_out(c, SLICE("count"));
}

static int
compare_points(const void *a, const void *b, void *arg)
{
    const struct slice *argv = arg, *x = argv + *(const uint32_t *)a, *y = argv + *(const uint32_t *)b;
    int order = memcmp(x[2].p, y[2].p, sizeof(int64_t));

    if (order == 0)
        order = x[0].n < y[0].n ? -1 : x[0].n > y[0].n;
    return order ? order : memcmp(x[0].p, y[0].p, x[0].n);
}

/* Under BLOCK two points of the batch itself may not meet either. */
static bool
batch_meets_itself(struct ctx *c)
{
    uint32_t n = (c->argc - 1) / 3;
    uint32_t *at = scratch_alloc(&c->core->scratch, n * sizeof(*at));
    int64_t ts;

    for (uint32_t i = 0; i < n; i++)
        at[i] = 1 + 3 * i;
    qsort_r(at, n, sizeof(*at), compare_points, c->argv);
    for (uint32_t i = 1; i < n; i++) {
        if (compare_points(&at[i - 1], &at[i], c->argv) != 0)
            continue;
        memcpy(&ts, c->argv[at[i] + 2].p, sizeof(ts));
        resp_errorf(c->out, "ERR BATCH_SET: two points of the batch have timestamp %lld and "
                            "duplicate-policy is BLOCK", (long long)ts);
        return true;
    }
    return false;
}

/* Every key a series or absent, and under BLOCK no point there yet? Else the error is written. */
static bool
batch_check(struct ctx *c)
{
    bool block = c->core->config.duplicate_policy == DUPLICATE_BLOCK;

    for (uint32_t i = 1; i + 2 < c->argc; i += 3) {
        struct key k = key_open(c, c->argv[i]);
        struct entry *e;
        int64_t ts;
        bool ok, exists;

        e = key_find_type(c, &k, ENTRY_SERIES, &ok);
        if (!ok)
            return false;
        memcpy(&ts, c->argv[i + 2].p, sizeof(ts));
        if (!block)
            continue;
        if (!point_exists(c, &k, e, 0, ts, &exists))
            return false;
        if (exists && !c->probe) {
            reply_blocked(c, ts);
            return false;
        }
    }
    return !block || c->probe || !batch_meets_itself(c);
}

void
cmd_batch_write(struct ctx *c)
{
    enum duplicate_policy policy = (enum duplicate_policy)c->core->config.duplicate_policy;
    int64_t written = 0;

    if (!batch_check(c) || c->probe)
        return;
    if (policy == DUPLICATE_BLOCK)
        policy = DUPLICATE_LAST; /* nothing is there: each adds */
    for (uint32_t i = 1; i + 2 < c->argc; i += 3) {
        struct key k = key_open(c, c->argv[i]);
        struct entry *e = key_peek(c, &k);
        enum series_result r;
        int64_t ts;
        double value;

        memcpy(&value, c->argv[i + 1].p, sizeof(value));
        memcpy(&ts, c->argv[i + 2].p, sizeof(ts));
        r = key_add_point(c, &k, e, 0, ts, value, 0, policy);
        written += r != SERIES_BLOCKED && r != SERIES_CROWDED && r != SERIES_NEED_STORED;
    }
    if (slice_is(c->argv[0], "queued"))
        buf_append_lit(c->out, "+QUEUED\r\n");
    else
        resp_int(c->out, written);
}

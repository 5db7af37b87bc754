/* BATCH_SET and BATCH_FLUSH: points gathered on the connection and written together, by the
 * internal command BATCH_WRITE. */
#include "shards/commands/handlers.h"
#include "shards/commands/series_args.h"
#include "shards/commands/ts_rule.h"

#include "shards/engine/session.h"

#include <stdlib.h>

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

    s->batch_db = s->db;
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

/* A batch is written into one database, the one it was begun in: false = SELECT came in between. */
static bool
batch_is_of_this_db(struct ctx *c)
{
    const struct session *s = c->session;

    if (s->batch_n == 0 || s->batch_db == s->db)
        return true;
    resp_errorf(c->out,
                "ERR %s: the batch has %u points of database %u, SELECT %u and BATCH_FLUSH come "
                "first",
                c->cmd->name[6] == 's' ? "BATCH_SET" : "BATCH_FLUSH", s->batch_n, s->batch_db,
                s->batch_db);
    return false;
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
    if (!series_arg_value(c, 2, &value) || !series_arg_timestamp(c, 3, &ts) ||
        !batch_is_of_this_db(c))
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
    if (!batch_is_of_this_db(c))
        return;
    if (c->session->batch_n == 0)
        resp_int(c->out, 0);
    else
        batch_write_out(c, SLICE("count"));
}

static int
compare_points(const void *a, const void *b, void *arg)
{
    const struct slice *argv = arg, *x = argv + *(const uint32_t *)a,
                       *y = argv + *(const uint32_t *)b;
    int order = memcmp(x[2].p, y[2].p, sizeof(int64_t));

    if (order == 0)
        order = x[0].n < y[0].n ? -1 : x[0].n > y[0].n;
    return order ? order : memcmp(x[0].p, y[0].p, x[0].n);
}

static double
batch_value(const struct ctx *c, uint32_t i)
{
    double value;

    memcpy(&value, c->argv[i + 1].p, sizeof(value));
    return value;
}

/* Points of the batch: the places of their keys among the arguments. */
struct batch_places {
    uint32_t *at;
    uint32_t n;
};

static void
places_add(struct ctx *c, struct batch_places *p, uint32_t i)
{
    if (p->at == NULL)
        p->at = scratch_alloc(&c->core->scratch, (c->argc - 1) / 3 * sizeof(*p->at));
    p->at[p->n++] = i;
}

/* Two points of the batch itself may not meet either, of those that are under BLOCK. */
static bool
batch_meets_itself(struct ctx *c, const struct batch_places *blocking)
{
    uint32_t *at = blocking->at, n = blocking->n;
    int64_t ts;

    if (likely(n < 2))
        return false;
    qsort_r(at, n, sizeof(*at), compare_points, c->argv);
    for (uint32_t i = 1; i < n; i++) {
        struct key k;

        if (compare_points(&at[i - 1], &at[i], c->argv) != 0)
            continue;
        k = key_open(c, c->argv[at[i]]);
        memcpy(&ts, c->argv[at[i] + 2].p, sizeof(ts));
        resp_errorf(c->out,
                    "ERR BATCH_SET: two points of the batch for '%.*s' have timestamp %lld and "
                    "%s is BLOCK",
                    (int)MIN(k.name.n, 64), k.name.p, (long long)ts,
                    series_policy_name(key_peek(c, &k)));
        return true;
    }
    return false;
}

/* The points of the batch with this key and time. */
static uint32_t
batch_meets(struct ctx *c, uint32_t i)
{
    uint32_t n = 0;

    for (uint32_t k = 1; k + 2 < c->argc; k += 3)
        n += slice_equal(c->argv[k], c->argv[i]) &&
             memcmp(c->argv[k + 2].p, c->argv[i + 2].p, sizeof(int64_t)) == 0;
    return n;
}

/* KEEP: do all of this key and time find room? */
static bool
batch_finds_room(struct ctx *c, uint32_t i, const struct key *k, const struct entry *e, int64_t ts)
{
    int rc = ts_keep_room(c, k, e, 0, ts, (c->argc - 1) / 3);

    if (unlikely(rc == 0))
        rc = ts_keep_room(c, k, e, 0, ts, batch_meets(c, i));
    if (unlikely(rc == 0 && !c->probe))
        series_reply_crowded(c, ts);
    else if (unlikely(rc < 0))
        series_query_failed(c, rc);
    return rc == 1;
}

/* BLOCK: is no point there yet? */
static bool
batch_is_free(struct ctx *c, struct key *k, struct entry *e, int64_t ts)
{
    bool exists;

    if (!series_point_exists(c, k, e, 0, ts, &exists))
        return false;
    if (exists && !c->probe)
        series_reply_blocked(c, e, ts);
    return !exists || c->probe;
}

/* What the points of a batch have shown together. */
struct batch_seen {
    struct batch_places blocking, retained;
    bool sums;
};

/* By key, and in the order in which they are written. */
static int
compare_written(const void *a, const void *b, void *arg)
{
    const struct slice *argv = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    int order = argv[i].n < argv[k].n ? -1 : argv[i].n > argv[k].n;

    if (order == 0)
        order = memcmp(argv[i].p, argv[k].p, argv[i].n);
    return order ? order : (i > k) - (i < k);
}

/* Is a point too old for the retention of its series because of one before it in the batch? */
static bool
batch_outlives_itself(struct ctx *c, const struct batch_places *retained)
{
    uint32_t *at = retained->at, n = retained->n;
    int64_t newest = 0, ts;

    if (likely(n < 2))
        return false;
    qsort_r(at, n, sizeof(*at), compare_written, c->argv);
    for (uint32_t i = 0; i < n; i++) {
        bool first = i == 0 || !slice_equal(c->argv[at[i - 1]], c->argv[at[i]]);
        struct key k = key_open(c, c->argv[at[i]]);
        const struct series_meta *m = series_own_settings(key_peek(c, &k));

        memcpy(&ts, c->argv[at[i] + 2].p, sizeof(ts));
        if (!first && ts < newest && (uint64_t)newest - (uint64_t)ts > (uint64_t)m->retention)
            return !series_reply_too_old(c, ts);
        newest = first ? ts : MAX(newest, ts);
    }
    return false;
}

/* Is the key of argument i a series or absent, under BLOCK no point there yet, under KEEP room for them all?
 * False: the error is written, or ctx->need is set. */
static bool
batch_check_point(struct ctx *c, uint32_t i, struct batch_seen *seen)
{
    struct key k = key_open(c, c->argv[i]);
    enum duplicate_policy policy;
    struct entry *e;
    int64_t ts;
    bool ok;

    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return false;
    memcpy(&ts, c->argv[i + 2].p, sizeof(ts));
    if (unlikely(series_is_too_old(e, 0, ts)))
        return series_reply_too_old(c, ts);
    if (!ts_write_ready(c, &k, e, 0, ts) ||
        (ts_has_rules(e) && !ts_rules_all_ready(c, &k, e)))
        return false;
    if (unlikely(e && series_own_settings(e) && series_own_settings(e)->retention))
        places_add(c, &seen->retained, i);
    policy = series_policy(c, e);
    if (policy == DUPLICATE_KEEP)
        return batch_finds_room(c, i, &k, e, ts);
    seen->sums = seen->sums || policy == DUPLICATE_SUM;
    if (policy != DUPLICATE_BLOCK)
        return series_meeting_fits(c, &k, e, 0, ts, batch_value(c, i), policy);
    places_add(c, &seen->blocking, i);
    return batch_is_free(c, &k, e, ts);
}

/* All of them; what is missing of any is asked for together. */
static bool
batch_check(struct ctx *c)
{
    struct batch_seen seen = {0};

    for (uint32_t i = 1; i + 2 < c->argc; i += 3)
        if (!batch_check_point(c, i, &seen) && c->need.kind == NEED_NOTHING)
            return false;
    return c->need.kind == NEED_NOTHING && (!seen.sums || series_batch_sums_fit(c)) &&
           (c->probe || (!batch_meets_itself(c, &seen.blocking) && !batch_outlives_itself(c, &seen.retained)));
}

void
cmd_batch_write(struct ctx *c)
{
    int64_t written = 0;

    if (!batch_check(c) || c->probe)
        return;
    c->reads_through = true;
    for (uint32_t i = 1; i + 2 < c->argc; i += 3) {
        struct key k = key_open(c, c->argv[i]);
        struct entry *e = key_peek(c, &k);
        enum duplicate_policy policy = series_policy(c, e);
        enum series_result r;
        int64_t ts;

        memcpy(&ts, c->argv[i + 2].p, sizeof(ts));
        if (policy == DUPLICATE_BLOCK)
            policy = DUPLICATE_LAST; /* nothing is there: it adds */
        if (policy == DUPLICATE_KEEP)
            ts_keep_room(c, &k, e, 0, ts, 1); /* there is; series_add is to know it */
        r = ts_write_point(c, &k, e, 0, ts, batch_value(c, i), 0, policy);
        written += r != SERIES_BLOCKED && r != SERIES_CROWDED && r != SERIES_NEED_STORED;
    }
    if (slice_is(c->argv[0], "queued"))
        buf_append_lit(c->out, "+QUEUED\r\n");
    else
        resp_int(c->out, written);
}

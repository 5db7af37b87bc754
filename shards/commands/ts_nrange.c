/* TS.NRANGE, TS.NREVRANGE: several series side by side, a row for each time. Its keys may belong to
 * different cores: then it is a transaction. Each series is read into a table of its own; what COUNT
 * leaves of the rows of all of them is among the first COUNT rows of each.
 *
 * What takes longer than other clients should wait goes in slices (engine/slices.h): the tables are
 * filled ahead, and put side by side while the client takes the rows. LATEST does not, where one of the series
 * is a rule's: an open bucket depends on another series, which nobody watches. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_pivot.h"
#include "shards/commands/ts_sliced.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define ERR_TS_NUMKEYS "ERR TSDB: numkeys must be a positive integer"

struct nrange {
    struct ctx *c;
    uint32_t n;
    struct key *keys;
    struct entry **e;
    struct series_table *tables;
    struct ts_range r;
};

/* The number of keys and at least two times behind them; 0 = not so, and that is replied. */
static uint32_t
count_keys(struct ctx *c)
{
    uint32_t n = command_numkeys(c->cmd, c->argv, c->argc);
    int64_t v;

    if (!parse_int(c->argv[1], &v) || v < 1) {
        ctx_error(c, ERR_TS_NUMKEYS);
        return 0;
    }
    if (n == 0 || c->argc - 2 - n < 2) {
        resp_errorf(c->out, "ERR wrong number of arguments for '%s' command", c->cmd->name);
        return 0;
    }
    if (n > SERIES_TABLE_COLS_MAX) {
        resp_errorf(c->out, "ERR TSDB: at most %d keys at once", SERIES_TABLE_COLS_MAX);
        return 0;
    }
    return n;
}

static bool
find_keys(struct nrange *x)
{
    struct scratch *scratch = &x->c->core->scratch;

    x->keys = scratch_alloc(scratch, x->n * sizeof(*x->keys));
    x->e = scratch_alloc(scratch, x->n * sizeof(*x->e));
    for (uint32_t i = 0; i < x->n; i++) {
        x->keys[i] = key_open(x->c, x->c->argv[2 + i]);
        x->e[i] = ts_find(x->c, &x->keys[i]);
        if (x->e[i] == NULL)
            return false;
    }
    return true;
}

/* Every series into its table. What must be fetched first is noted for all of them. -EINPROGRESS: that takes
 * long, and may go on in slices; -ETIMEDOUT: it may not. */
static int
read_all(struct nrange *x)
{
    uint64_t values = 0, began_ns = clock_now_ns();
    uint64_t until_ns = x->r.latest ? UINT64_MAX : ahead_until(x->c, x->n);
    bool missing = false;

    if (x->r.columns_n == 0) /* what takes long has more points than are put side by side in one go */
        x->c->spare_ns = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        struct series_table *t = &x->tables[i];
        int rc;

        if (i > 0 && slices_time_is_over(x->c, until_ns, 0))
            return -EINPROGRESS;
        if (i > 0 && ahead_is_late(x->c, began_ns))
            return -ETIMEDOUT;
        t->cols = ts_range_cols(&x->r, i);
        rc = ts_range_read_until(x->c, &x->keys[i], x->e[i], &x->r, i, t, until_ns);
        missing = missing || rc == -EAGAIN;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        values += (uint64_t)t->n * t->cols;
        if (values > SERIES_PIVOT_VALUES_MAX)
            return -E2BIG;
    }
    if (!missing && values > TS_PIVOT_AT_ONCE && !x->r.latest && !x->c->in_exec)
        return -EINPROGRESS;
    return missing ? -EAGAIN : 0;
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB: a series has more than %d rows, or all of them more than %d values: "
                            "give a COUNT or a longer bucket", TS_RANGE_ROWS_MAX, SERIES_PIVOT_VALUES_MAX);
    else if (rc == -ETIMEDOUT)
        ts_reply_takes_long(c);
    else if (rc != -EAGAIN)
        ctx_error(c, ts_range_error(rc));
}

/* False: the row is too wide, and that is replied. */
static bool
nrange_fits(struct ctx *c, uint32_t cols)
{
    if (cols > SERIES_TABLE_COLS_MAX)
        resp_errorf(c->out, "ERR TSDB: at most %d values in a row", SERIES_TABLE_COLS_MAX);
    return cols <= SERIES_TABLE_COLS_MAX;
}

static void
reply_rows(struct nrange *x)
{
    struct series_table out = {.cols = 0};
    int rc;

    for (uint32_t i = 0; i < x->n; i++)
        out.cols += x->tables[i].cols;
    if (!nrange_fits(x->c, out.cols))
        return;
    rc = series_pivot(x->tables, x->n, x->r.reverse, x->r.count, &out);
    if (rc < 0) {
        reply_failure(x->c, rc);
    } else {
        x->c->core->points_read += (uint64_t)out.n * out.cols;
        ts_reply_table(x->c->out, x->c->proto, &out, TS_ROW_NESTED);
    }
    series_table_fini(&out);
}

/* --- in slices: see ts_sliced.h ----------------------------------------------------------------- */

struct nrange_slices {
    struct ts_sliced sliced;
    bool reverse;
    uint64_t count;  /* of rows, as asked */
    struct ts_pivot pivot;
};

static struct nrange_slices *
nrange_of(struct ts_sliced *x)
{
    return container_of(x, struct nrange_slices, sliced);
}

static bool
slices_parse(struct ts_sliced *x, struct ctx *c, void *ret_asked)
{
    struct ts_range *r = ret_asked;

    if (!ts_range_parse(c, 2 + x->n, x->n, nrange_of(x)->reverse, r))
        return false;
    r->latest = false;
    return true;
}

static void
slices_range(const void *asked, uint32_t i, struct ts_range *ret_r, uint32_t *ret_at)
{
    *ret_r = *(const struct ts_range *)asked;
    *ret_at = i;
}

static void
slices_fini(struct ts_sliced *x)
{
    ts_pivot_fini(&nrange_of(x)->pivot);
}

static bool
slices_reply(struct ts_sliced *sliced, struct ctx *c, uint64_t until_ns)
{
    struct nrange_slices *x = nrange_of(sliced);
    uint32_t cols = 0;
    int rc;

    for (uint32_t i = 0; i < sliced->n; i++)
        cols += sliced->rows[i].cols;
    if (!nrange_fits(c, cols))
        return true;
    rc = ts_pivot_count(&x->pivot, sliced->rows, sliced->n, x->reverse, x->count, until_ns);
    if (rc == -EINPROGRESS)
        return false;
    if (rc < 0) {
        reply_failure(c, rc);
        return true;
    }
    c->core->points_read += x->pivot.rows * x->pivot.pivot.cols;
    ts_pivot_reply(&x->pivot, c->out, c->proto, sliced->rows, TS_ROW_NESTED, NULL);
    return true;
}

static const struct ts_sliced_kind nrange_kind = {
    .parse = slices_parse,
    .asked_bytes = sizeof(struct ts_range),
    .range = slices_range,
    .reply = slices_reply,
    .refuse = reply_failure,
    .fini = slices_fini,
};

static struct slices *
slices_create(struct nrange *x)
{
    struct nrange_slices *s = calloc(1, sizeof(*s));

    ASSERT(s);
    s->sliced.kind = &nrange_kind;
    s->reverse = x->r.reverse;
    s->count = x->r.count;
    return ts_sliced_init(&s->sliced, x->c, x->c->argv + 2, x->n, 1, SERIES_PIVOT_VALUES_MAX);
}

/* An open bucket may be only where a rule is. */
static void
put_latest_off(struct nrange *x)
{
    bool any = false;

    for (uint32_t i = 0; i < x->n && x->r.latest && !any; i++)
        any = series_key_settings(entry_series(x->e[i]))->has_source;
    x->r.latest = any;
}

/* Everything is leased, and much of it was read ahead. */
static void
nrange_ahead(struct nrange *x, struct ts_sliced *s)
{
    int rc = ts_sliced_all(s, x->c, &x->r);

    if (rc < 0)
        reply_failure(x->c, rc);
}

/* --- the command ------------------------------------------------------------------------------- */

static void
nrange_at_once(struct nrange *x)
{
    int rc;

    x->tables = scratch_alloc(&x->c->core->scratch, x->n * sizeof(*x->tables));
    memset(x->tables, 0, x->n * sizeof(*x->tables));
    rc = read_all(x);
    if (rc == -EINPROGRESS) {
        x->c->need = (struct need){.kind = NEED_SLICES};
        if (x->c->slices)
            *x->c->slices = slices_create(x);
    } else if (rc < 0) {
        reply_failure(x->c, rc);
    } else if (!x->c->probe) {
        reply_rows(x);
    }
    for (uint32_t i = 0; i < x->n; i++)
        series_table_fini(&x->tables[i]);
}

static void
nrange_command(struct ctx *c, bool reverse)
{
    struct nrange x = {.c = c, .n = count_keys(c)};

    if (x.n == 0 || !find_keys(&x) || !ts_range_parse(c, 2 + x.n, x.n, reverse, &x.r))
        return;
    put_latest_off(&x);
    if (c->slices && *c->slices && !x.r.latest) /* a rule may have come meanwhile */
        nrange_ahead(&x, ts_sliced_of(*c->slices));
    else
        nrange_at_once(&x);
}

void
cmd_ts_nrange(struct ctx *c)
{
    nrange_command(c, false);
}

void
cmd_ts_nrevrange(struct ctx *c)
{
    nrange_command(c, true);
}

/* TS.NRANGE, TS.NREVRANGE: several series side by side, a row for each time. Its keys may belong to
 * different cores: then it is a transaction. Each series is read into a table of its own; what COUNT
 * leaves of the rows of all of them is among the first COUNT rows of each. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_range.h"
#include "shards/engine/core.h"
#include "shards/series/series_pivot.h"

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

/* Every series into its table. What must be fetched first is noted for all of them. */
static int
read_all(struct nrange *x)
{
    uint64_t values = 0;
    bool missing = false;

    for (uint32_t i = 0; i < x->n; i++) {
        struct series_table *t = &x->tables[i];
        int rc;

        t->cols = ts_range_cols(&x->r, i);
        rc = ts_range_read(x->c, &x->keys[i], x->e[i], &x->r, i, t);
        missing = missing || rc == -EAGAIN;
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        values += (uint64_t)t->n * t->cols;
        if (values > SERIES_PIVOT_VALUES_MAX)
            return -E2BIG;
    }
    return missing ? -EAGAIN : 0;
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB: the rows have more than %d values: give a COUNT or a longer "
                            "bucket", SERIES_PIVOT_VALUES_MAX);
    else if (rc != -EAGAIN)
        ctx_error(c, ts_range_error(rc));
}

static void
reply_rows(struct nrange *x)
{
    struct series_table out = {.cols = 0};
    int rc;

    for (uint32_t i = 0; i < x->n; i++)
        out.cols += x->tables[i].cols;
    if (out.cols > SERIES_TABLE_COLS_MAX) {
        resp_errorf(x->c->out, "ERR TSDB: at most %d values in a row", SERIES_TABLE_COLS_MAX);
        return;
    }
    rc = series_pivot(x->tables, x->n, x->r.reverse, x->r.count, &out);
    if (rc < 0) {
        reply_failure(x->c, rc);
    } else {
        x->c->core->points_read += (uint64_t)out.n * out.cols;
        ts_reply_table(x->c->out, x->c->proto, &out, TS_ROW_NESTED);
    }
    series_table_fini(&out);
}

static void
nrange_command(struct ctx *c, bool reverse)
{
    struct nrange x = {.c = c, .n = count_keys(c)};
    int rc;

    if (x.n == 0 || !find_keys(&x) || !ts_range_parse(c, 2 + x.n, x.n, reverse, &x.r))
        return;
    x.tables = scratch_alloc(&c->core->scratch, x.n * sizeof(*x.tables));
    memset(x.tables, 0, x.n * sizeof(*x.tables));
    rc = read_all(&x);
    if (rc < 0)
        reply_failure(c, rc);
    else if (!c->probe)
        reply_rows(&x);
    for (uint32_t i = 0; i < x.n; i++)
        series_table_fini(&x.tables[i]);
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

/* TS.NRANGE, TS.NREVRANGE: several series side by side, a row for each time. Its keys may belong to
 * different cores: then it is a transaction. Each series is read into a table of its own; what COUNT
 * leaves of the rows of all of them is among the first COUNT rows of each.
 *
 * What takes longer than other clients should wait goes in slices (engine/slices.h): the tables are
 * filled ahead, and put side by side while the client takes the rows. LATEST does not: an open bucket
 * depends on another series, which nobody watches. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_sliced.h"
#include "shards/engine/core.h"
#include "shards/series/series_pivot.h"

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

/* More is put side by side in slices. */
#define VALUES_AT_ONCE 131072

/* Every series into its table. What must be fetched first is noted for all of them. -EINPROGRESS: that takes
 * long, and may go on in slices; -ETIMEDOUT: it may not. */
static int
read_all(struct nrange *x)
{
    uint64_t values = 0, began_ns = clock_now_ns();
    uint64_t until_ns = x->r.latest ? UINT64_MAX : ahead_until(x->c, x->n);
    bool missing = false;

    for (uint32_t i = 0; i < x->n; i++) {
        struct series_table *t = &x->tables[i];
        int rc;

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
    if (!missing && values > VALUES_AT_ONCE && !x->r.latest && !x->c->in_exec)
        return -EINPROGRESS;
    return missing ? -EAGAIN : 0;
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB: the rows have more than %d values: give a COUNT or a longer "
                            "bucket", SERIES_PIVOT_VALUES_MAX);
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
    /* the reply */
    struct series_pivot pivot;
    uint64_t rows;
};

static struct nrange_slices *
nrange_of(struct ts_sliced *x)
{
    return container_of(x, struct nrange_slices, sliced);
}

static bool
slices_parse(struct ts_sliced *x, struct ctx *c, void *ret_asked)
{
    return ts_range_parse(c, 2 + x->n, x->n, nrange_of(x)->reverse, ret_asked);
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
    series_pivot_end(&nrange_of(x)->pivot);
}

/* The tables as a source of text. */
struct nrange_source {
    struct buf_source source;
    struct series_table *tables;
    uint32_t n;
    struct series_pivot pivot;
    uint64_t left;
    int proto;
    double row[SERIES_TABLE_COLS_MAX];
};

static bool
source_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct nrange_source *s = container_of(source, struct nrange_source, source);
    size_t stop = out->n + want;
    int64_t ts;
    struct series_table row = {.ts = &ts, .v = s->row, .n = 1, .cols = s->pivot.cols};

    for (; out->n < stop && s->left > 0; s->left--) {
        bool there = series_pivot_next(&s->pivot, &ts, s->row);

        ASSERT(there);
        ts_write_row(out, s->proto, &row, TS_ROW_NESTED);
    }
    return s->left > 0;
}

static void
source_destroy(struct buf_source *source)
{
    struct nrange_source *s = container_of(source, struct nrange_source, source);

    series_pivot_end(&s->pivot);
    for (uint32_t i = 0; i < s->n; i++)
        series_table_fini(&s->tables[i]);
    free(s->tables);
    free(s);
}

static void
put_source(struct nrange_slices *x, struct ctx *c)
{
    struct nrange_source *s = calloc(1, sizeof(*s));

    ASSERT(s);
    s->source = (struct buf_source){.fill = source_fill, .destroy = source_destroy,
                                    .bytes = sizeof(*s)};
    s->n = x->sliced.n;
    s->proto = c->proto;
    s->left = x->rows;
    s->tables = malloc(s->n * sizeof(*s->tables));
    ASSERT(s->tables);
    for (uint32_t i = 0; i < s->n; i++) {
        s->source.bytes += series_table_bytes(&x->sliced.rows[i]);
        s->tables[i] = x->sliced.rows[i];
        x->sliced.rows[i] = (struct series_table){0};
    }
    series_pivot_begin(&s->pivot, s->tables, s->n, x->reverse);
    resp_array(c->out, x->rows);
    buf_put_source(c->out, &s->source);
}

/* The header says how many rows there are: they are counted first. */
static bool
slices_reply(struct ts_sliced *sliced, struct ctx *c, uint64_t until_ns)
{
    struct nrange_slices *x = nrange_of(sliced);
    int64_t ts;

    if (x->pivot.at == NULL)
        series_pivot_begin(&x->pivot, sliced->rows, sliced->n, x->reverse);
    while (x->rows < x->count && series_pivot_next(&x->pivot, &ts, NULL)) {
        if (++x->rows * x->pivot.cols > SERIES_PIVOT_VALUES_MAX) {
            reply_failure(c, -E2BIG);
            return true;
        }
        if (x->rows < x->count && clock_now_ns() > until_ns)
            return false;
    }
    c->core->points_read += x->rows * x->pivot.cols;
    put_source(x, c);
    return true;
}

static const struct ts_sliced_kind nrange_kind = {
    .parse = slices_parse,
    .asked_bytes = sizeof(struct ts_range),
    .range = slices_range,
    .reply = slices_reply,
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

/* Everything is leased, and much of it was read ahead. */
static void
nrange_ahead(struct nrange *x, struct ts_sliced *s)
{
    int rc = ts_sliced_all(s, x->c, &x->r);
    uint32_t cols = 0;

    for (uint32_t i = 0; i < x->n; i++)
        cols += s->rows[i].cols;
    if (rc < 0)
        reply_failure(x->c, rc);
    else if (!x->c->probe)
        s->ahead.slices.replies = nrange_fits(x->c, cols);
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
    if (c->slices && *c->slices)
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

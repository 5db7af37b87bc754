/* TS.NRANGE, TS.NREVRANGE: several series side by side, a row for each time. Its keys may belong to
 * different cores: then it is a transaction. Each series is read into a table of its own; what COUNT
 * leaves of the rows of all of them is among the first COUNT rows of each.
 *
 * What takes longer than other clients should wait goes in slices (engine/slices.h): the tables are
 * filled ahead, and put side by side while the client takes the rows. LATEST does not: an open bucket
 * depends on another series, which nobody watches. */
#include "shards/commands/handlers.h"
#include "shards/commands/series_ahead.h"
#include "shards/commands/ts_range.h"
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

/* --- in slices: see slices.h ------------------------------------------------------------------- */

struct nrange_slices {
    struct ahead ahead;
    bool reverse;
    struct series_table *tables;
    struct ts_reading *readings;
    int *rc;         /* what was wrong with each */
    uint64_t count;  /* of rows, as asked */
    /* the reply */
    struct series_pivot pivot;
    uint64_t rows;
};

static struct nrange_slices *
nrange_of(struct ahead *a)
{
    return container_of(a, struct nrange_slices, ahead);
}

static struct ahead *
ahead_of(struct slices *s)
{
    return container_of(s, struct ahead, slices);
}

static int
slices_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns)
{
    struct nrange_slices *x = nrange_of(a);
    const struct ts_range *r = asked;
    struct key k = key_open(c, a->name[i]);
    struct entry *e = key_find(c, &k);
    int rc;

    if (e == NULL || e->type != ENTRY_SERIES) /* the command will see to it */
        return 0;
    x->tables[i].cols = ts_range_cols(r, i);
    rc = ts_reading_go(&x->readings[i], c, &k, e, r, i, &x->tables[i], until_ns);
    if (rc == -EAGAIN || rc == -EINPROGRESS)
        return rc;
    x->rc[i] = rc;
    return 0;
}

static bool
slices_stand(const struct ahead *a, uint32_t i, int64_t from, int64_t to)
{
    const struct nrange_slices *x = container_of(a, struct nrange_slices, ahead);

    return x->rc[i] == 0 && ts_reading_stands(&x->readings[i], from, to);
}

static void
slices_drop(struct ahead *a, uint32_t i)
{
    ts_reading_fini(&nrange_of(a)->readings[i]);
    series_table_fini(&nrange_of(a)->tables[i]);
    nrange_of(a)->rc[i] = 0;
}

static uint64_t
slices_values(const struct ahead *a, uint32_t i)
{
    const struct series_table *t = &container_of(a, struct nrange_slices, ahead)->tables[i];

    return (uint64_t)t->n * t->cols;
}

static const struct ahead_keys nrange_keys = {slices_read, slices_stand, slices_drop, slices_values};

static enum slices_result
slices_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    struct ahead *a = ahead_of(s);
    struct ts_range r;

    if (!ts_range_parse(c, 2 + a->n, a->n, nrange_of(a)->reverse, &r))
        return SLICES_DONE; /* ts-compat changed meanwhile: the command will say so */
    return ahead_step(a, c, sh, &r, until_ns);
}

static void
slices_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(ahead_of(s), sh);
}

static void
slices_destroy(struct slices *s)
{
    struct nrange_slices *x = nrange_of(ahead_of(s));

    series_pivot_end(&x->pivot);
    ahead_fini(&x->ahead);
    free(x->tables);
    free(x->readings);
    free(x->rc);
    free(x);
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
    s->n = x->ahead.n;
    s->proto = c->proto;
    s->left = x->rows;
    s->tables = malloc(s->n * sizeof(*s->tables));
    ASSERT(s->tables);
    for (uint32_t i = 0; i < s->n; i++) {
        s->source.bytes += series_table_bytes(&x->tables[i]);
        s->tables[i] = x->tables[i];
        x->tables[i] = (struct series_table){0};
    }
    series_pivot_begin(&s->pivot, s->tables, s->n, x->reverse);
    resp_array(c->out, x->rows);
    buf_put_source(c->out, &s->source);
}

/* The header says how many rows there are: they are counted first. */
static bool
slices_reply(struct slices *slices, struct ctx *c, uint64_t until_ns)
{
    struct nrange_slices *x = nrange_of(ahead_of(slices));
    int64_t ts;

    if (x->pivot.at == NULL)
        series_pivot_begin(&x->pivot, x->tables, x->ahead.n, x->reverse);
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

static struct slices *
slices_create(struct nrange *x)
{
    struct nrange_slices *s = calloc(1, sizeof(*s));

    ASSERT(s);
    s->ahead = (struct ahead){.slices = {slices_step, slices_leave, slices_reply, slices_destroy},
                              .keys = &nrange_keys, .values_max = SERIES_PIVOT_VALUES_MAX};
    s->reverse = x->r.reverse;
    s->count = x->r.count;
    s->tables = calloc(x->n, sizeof(*s->tables));
    s->readings = calloc(x->n, sizeof(*s->readings));
    s->rc = calloc(x->n, sizeof(*s->rc));
    ASSERT(s->tables && s->readings && s->rc);
    ahead_init(&s->ahead, x->c, x->c->argv + 2, x->n);
    return &s->ahead.slices;
}

/* Everything is leased, and much of it was read ahead. */
static void
nrange_ahead(struct nrange *x, struct slices *slices)
{
    struct nrange_slices *s = nrange_of(ahead_of(slices));
    int rc = ahead_all(&s->ahead, x->c, &x->r);
    uint32_t cols = 0;

    for (uint32_t i = 0; i < x->n && rc == 0; i++) {
        rc = s->rc[i];
        cols += s->tables[i].cols;
    }
    for (uint32_t i = 0; i < x->n && rc == 0 && !x->c->probe; i++)
        rc = ts_reading_end(&s->readings[i]);
    if (rc < 0)
        reply_failure(x->c, rc);
    else if (!x->c->probe && nrange_fits(x->c, cols))
        slices->replies = true;
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
        nrange_ahead(&x, *c->slices);
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

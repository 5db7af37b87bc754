/* TSDB_ROWS: the data types of a key that have names, side by side. What takes longer than other clients
 * should wait goes in slices (ts_sliced.h). */
#include "shards/commands/handlers.h"
#include "shards/commands/row_args.h"
#include "shards/commands/ts_pivot.h"
#include "shards/commands/ts_sliced.h"
#include "shards/engine/core.h"

#include <stdlib.h>

struct rows_options {
    struct ts_range r;
    const struct field *fields[FIELDMAP_FIELDS_MAX];
    uint32_t fields_n;
};

/* --- arguments -------------------------------------------------------------------------------- */

/* Everything behind FIELDS. */
static bool
arg_fields(struct ctx *c, uint32_t from, struct rows_options *o)
{
    o->fields_n = 0;
    for (uint32_t i = from; i < c->argc; i++) {
        if (o->fields_n == FIELDMAP_FIELDS_MAX)
            return series_arg_refused(c, "field", i, "one of at most 32");
        if (!row_arg_field(c, i, &o->fields[o->fields_n++]))
            return false;
    }
    return true;
}

/* All of the table, each data type by its first name. */
static void
default_fields(const struct fieldmap *m, struct rows_options *o)
{
    for (uint32_t i = 0; i < m->n; i++) {
        bool again = false;

        for (uint32_t k = 0; k < o->fields_n; k++)
            again = again || o->fields[k]->type == m->f[i].type;
        if (!again)
            o->fields[o->fields_n++] = &m->f[i];
    }
}

static bool
rows_options(struct ctx *c, struct rows_options *o)
{
    uint32_t i;

    *o = (struct rows_options){.r.count = UINT64_MAX};
    if (!series_arg_bounds(c, 2, &o->r.from, &o->r.to))
        return false;
    default_fields(&c->core->config.series_fields, o);
    for (i = 4; i < c->argc; i++) {
        if (slice_is(c->argv[i], "fields") && i + 1 < c->argc)
            return arg_fields(c, i + 1, o);
        if (!(slice_is(c->argv[i], "rev")
                  ? row_arg_rev(c, &o->r)
                  : row_arg_limit(c, i, "a limit of at least 1, REV or FIELDS field ...", &o->r)))
            return false;
    }
    return true;
}

/* --- in one go -------------------------------------------------------------------------------- */

static struct ts_range
range_of(const struct rows_options *o, uint32_t i)
{
    struct ts_range r = o->r;

    r.type = o->fields[i]->type;
    return r;
}

/* The points of each field into a table of its own. -EINPROGRESS: that takes long, and may go on in
 * slices. */
static int
read_fields(struct ctx *c, struct key *k, struct entry *e, const struct rows_options *o,
            struct series_table *tables)
{
    uint64_t values = 0, until_ns = ahead_until(c, 1);
    bool missing = false;

    c->spare_ns = 0; /* what takes long has more points than are put side by side in one go */
    for (uint32_t i = 0; i < o->fields_n; i++) {
        struct ts_range r = range_of(o, i);
        int rc;

        if (i > 0 && clock_now_ns() > until_ns)
            return -EINPROGRESS;
        rc = ts_range_read_until(c, k, e, &r, 0, &tables[i], until_ns);
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        missing = missing || rc == -EAGAIN;
        values += tables[i].n;
        if (values > SERIES_PIVOT_VALUES_MAX)
            return -E2BIG;
    }
    if (!missing && values > TS_PIVOT_AT_ONCE && until_ns != UINT64_MAX)
        return -EINPROGRESS;
    return missing ? -EAGAIN : 0;
}

static void
reply_too_many(struct ctx *c)
{
    resp_errorf(c->out, "ERR TSDB_ROWS: more than %d rows or %d values: give a limit or FIELDS",
                TS_RANGE_ROWS_MAX, SERIES_PIVOT_VALUES_MAX);
}

static void
reply_rows(struct ctx *c, const struct rows_options *o, const struct series_table *tables)
{
    struct series_table out = {.cols = o->fields_n};
    int rc = series_pivot(tables, o->fields_n, o->r.reverse, o->r.count, &out);

    if (rc < 0) {
        reply_too_many(c);
    } else {
        c->core->points_read += out.n;
        ts_reply_fields(c->out, c->proto, &out, o->fields);
    }
    series_table_fini(&out);
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc == -E2BIG)
        reply_too_many(c);
    else
        series_query_failed(c, rc);
}

static void
rows_at_once(struct ctx *c, struct key *k, struct entry *e, const struct rows_options *o)
{
    struct series_table tables[FIELDMAP_FIELDS_MAX];
    int rc;

    for (uint32_t i = 0; i < o->fields_n; i++)
        tables[i] = (struct series_table){.cols = 1};
    rc = read_fields(c, k, e, o, tables);
    if (rc == -EINPROGRESS)
        c->need = (struct need){.kind = NEED_SLICES};
    else if (rc < 0)
        reply_failure(c, rc);
    else if (!c->probe)
        reply_rows(c, o, tables);
    for (uint32_t i = 0; i < o->fields_n; i++)
        series_table_fini(&tables[i]);
}

/* --- in slices -------------------------------------------------------------------------------- */

struct rows_slices {
    struct ts_sliced sliced;
    struct rows_options o; /* fields of which the key has no points included */
    struct field fields[FIELDMAP_FIELDS_MAX]; /* what o points to: series-fields may change */
    bool has[FIELDMAP_FIELDS_MAX]; /* points */
    struct ts_pivot pivot;
};

static struct rows_slices *
rows_of(struct ts_sliced *x)
{
    return container_of(x, struct rows_slices, sliced);
}

static bool
slices_parse(struct ts_sliced *x, struct ctx *c, void *ret_asked)
{
    *(const struct rows_options **)ret_asked = &rows_of(x)->o;
    return true;
}

static void
slices_range(const void *asked, uint32_t i, struct ts_range *ret_r, uint32_t *ret_at)
{
    *ret_r = range_of(*(const struct rows_options *const *)asked, i);
    *ret_at = 0;
}

/* To the front what the reply has columns of. Which these are is known when everything has been read. */
static void
keep_present(struct rows_slices *x)
{
    struct series_table *rows = x->sliced.rows;
    uint32_t n = 0;

    for (uint32_t i = 0; i < x->o.fields_n; i++)
        if (x->has[i]) {
            struct series_table t = rows[n];

            rows[n] = rows[i];
            rows[i] = t;
            x->o.fields[n++] = x->o.fields[i];
        }
    x->o.fields_n = n;
}

static bool
slices_reply(struct ts_sliced *sliced, struct ctx *c, uint64_t until_ns)
{
    struct rows_slices *x = rows_of(sliced);
    int rc = 0;

    if (x->pivot.pivot.at == NULL)
        keep_present(x);
    if (x->o.fields_n > 0)
        rc = ts_pivot_count(&x->pivot, sliced->rows, x->o.fields_n, x->o.r.reverse, x->o.r.count,
                            until_ns);
    if (rc == -EINPROGRESS)
        return false;
    c->core->points_read += rc == 0 ? x->pivot.rows : 0;
    if (rc < 0)
        reply_too_many(c);
    else if (x->pivot.rows == 0)
        resp_array(c->out, 0);
    else
        ts_pivot_reply(&x->pivot, c->out, c->proto, sliced->rows, TS_ROW_FIELDS, x->o.fields);
    return true;
}

static void
slices_fini(struct ts_sliced *x)
{
    ts_pivot_fini(&rows_of(x)->pivot);
}

static const struct ts_sliced_kind rows_kind = {
    .parse = slices_parse,
    .asked_bytes = sizeof(const struct rows_options *),
    .range = slices_range,
    .reply = slices_reply,
    .refuse = reply_failure,
    .fini = slices_fini,
};

static struct slices *
slices_create(struct ctx *c, const struct rows_options *o)
{
    struct rows_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->sliced.kind = &rows_kind;
    x->o = *o;
    for (uint32_t i = 0; i < o->fields_n; i++) {
        x->fields[i] = *o->fields[i];
        x->o.fields[i] = &x->fields[i];
    }
    return ts_sliced_init(&x->sliced, c, c->argv + 1, 1, o->fields_n, SERIES_PIVOT_VALUES_MAX);
}

/* Everything is leased, and much of it was read ahead. */
static void
rows_ahead(struct ctx *c, const struct entry *e, struct rows_slices *x)
{
    const struct rows_options *o = &x->o;
    int rc = ts_sliced_all(&x->sliced, c, &o);

    for (uint32_t i = 0; i < o->fields_n; i++)
        x->has[i] = series_find(entry_series(e), o->fields[i]->type) != NULL;
    if (rc < 0)
        reply_failure(c, rc);
}

/* It runs as a transaction, for it has said that it takes long. */
static void
rows_in_slices(struct ctx *c, const struct entry *e, const struct rows_options *o)
{
    if (*c->slices) {
        rows_ahead(c, e, rows_of(ts_sliced_of(*c->slices)));
        return;
    }
    c->need = (struct need){.kind = NEED_SLICES};
    *c->slices = slices_create(c, o);
}

/* --- the command ------------------------------------------------------------------------------- */

/* A field of which the key has no points would only be an empty column. */
static void
drop_absent(const struct series_key *sk, struct rows_options *o)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < o->fields_n; i++)
        if (series_find(sk, o->fields[i]->type))
            o->fields[n++] = o->fields[i];
    o->fields_n = n;
}

void
cmd_tsdb_rows(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct rows_options o;
    struct entry *e;
    bool ok;

    if (!rows_options(c, &o))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (e && c->slices) {
        rows_in_slices(c, e, &o);
        return;
    }
    if (e)
        drop_absent(entry_series(e), &o);
    if (e == NULL || o.fields_n == 0)
        resp_array(c->out, 0);
    else
        rows_at_once(c, &k, e, &o);
}

/* TSDB_ROWS: the data types of a key that have names, side by side, and TSDB_CANDLE: open, high, low,
 * close, volume and count of buckets of ticks. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_range.h"
#include "shards/engine/core.h"
#include "shards/series/series_pivot.h"

/* What both are asked. */
struct rows_options {
    struct ts_range r;
    const struct field *price, *volume; /* of candles */
    const struct field *fields[FIELDMAP_FIELDS_MAX];
    uint32_t fields_n;
};

static bool
arg_limit(struct ctx *c, uint32_t i, const char *allowed, struct rows_options *o)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 1)
        return series_arg_refused(c, "option", i, allowed);
    if (!series_arg_once(c, "limit", o->r.count != UINT64_MAX))
        return false;
    o->r.count = (uint64_t)v;
    return true;
}

static bool
arg_rev(struct ctx *c, struct rows_options *o)
{
    bool once = series_arg_once(c, "REV", o->r.reverse);

    o->r.reverse = true;
    return once;
}

static bool
arg_field(struct ctx *c, uint32_t i, const struct field **ret)
{
    const struct field *f = series_arg_field(c, i);

    if (f)
        *ret = f;
    return f != NULL;
}

/* --- TSDB_ROWS -------------------------------------------------------------------------------- */

/* Everything behind FIELDS. */
static bool
arg_fields(struct ctx *c, uint32_t from, struct rows_options *o)
{
    o->fields_n = 0;
    for (uint32_t i = from; i < c->argc; i++) {
        if (o->fields_n == FIELDMAP_FIELDS_MAX)
            return series_arg_refused(c, "field", i, "one of at most 32");
        if (!arg_field(c, i, &o->fields[o->fields_n++]))
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
                  ? arg_rev(c, o)
                  : arg_limit(c, i, "a limit of at least 1, REV or FIELDS field ...", o)))
            return false;
    }
    return true;
}

/* The points of each field into a table of its own. */
static int
read_fields(struct ctx *c, struct key *k, struct entry *e, struct rows_options *o,
            struct series_table *tables)
{
    uint64_t values = 0;
    bool missing = false;

    for (uint32_t i = 0; i < o->fields_n; i++) {
        int rc;

        o->r.type = o->fields[i]->type;
        rc = ts_range_read(c, k, e, &o->r, 0, &tables[i]);
        if (rc < 0 && rc != -EAGAIN)
            return rc;
        missing = missing || rc == -EAGAIN;
        values += tables[i].n;
        if (values > SERIES_PIVOT_VALUES_MAX)
            return -E2BIG;
    }
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
get_rows(struct ctx *c, struct key *k, struct entry *e, struct rows_options *o)
{
    struct series_table tables[FIELDMAP_FIELDS_MAX];
    int rc;

    for (uint32_t i = 0; i < o->fields_n; i++)
        tables[i] = (struct series_table){.cols = 1};
    rc = read_fields(c, k, e, o, tables);
    if (rc == -E2BIG)
        reply_too_many(c);
    else if (rc < 0)
        series_query_failed(c, rc);
    else if (!c->probe)
        reply_rows(c, o, tables);
    for (uint32_t i = 0; i < o->fields_n; i++)
        series_table_fini(&tables[i]);
}

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
    if (e)
        drop_absent(entry_series(e), &o);
    if (e == NULL || o.fields_n == 0)
        resp_array(c->out, 0);
    else
        get_rows(c, &k, e, &o);
}

/* --- TSDB_CANDLE ------------------------------------------------------------------------------ */

enum { CANDLE_OPEN, CANDLE_HIGH, CANDLE_LOW, CANDLE_CLOSE, CANDLE_VOLUME, CANDLE_COUNT, CANDLE_COLS };

/* The volume's place is taken by a function that costs nothing more, until it is known. */
static const struct ts_columns price_columns = {
    {AGGREGATE_FIRST, AGGREGATE_MAX, AGGREGATE_MIN, AGGREGATE_LAST, AGGREGATE_COUNT,
     AGGREGATE_COUNT},
    CANDLE_COLS,
};
static const struct ts_columns volume_columns = {{AGGREGATE_SUM}, 1};

static bool
candle_fields(struct ctx *c, struct rows_options *o)
{
    const struct fieldmap *m = &c->core->config.series_fields;

    if (o->price == NULL)
        o->price = fieldmap_find(m, SLICE("price"));
    if (o->volume == NULL)
        o->volume = fieldmap_find(m, SLICE("size"));
    if (o->price == NULL)
        ctx_error(c, "ERR TSDB_CANDLE: series-fields has no field 'price': name one with PRICE");
    return o->price != NULL;
}

static bool
candle_options(struct ctx *c, struct rows_options *o)
{
    *o = (struct rows_options){.r = {.count = UINT64_MAX, .columns_n = 1}};
    if (!series_arg_bounds(c, 2, &o->r.from, &o->r.to) ||
        !series_arg_duration(c, 4, "bucket", 1, &o->r.bucket))
        return false;
    for (uint32_t i = 5; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (slice_is(c->argv[i], "rev")) {
            if (!arg_rev(c, o))
                return false;
        } else if (more && slice_is(c->argv[i], "price")) {
            if (!series_arg_once(c, "PRICE", o->price != NULL) || !arg_field(c, ++i, &o->price))
                return false;
        } else if (more && slice_is(c->argv[i], "volume")) {
            if (!series_arg_once(c, "VOLUME", o->volume != NULL) || !arg_field(c, ++i, &o->volume))
                return false;
        } else if (!arg_limit(c, i, "a limit of at least 1, REV, PRICE field or VOLUME field", o)) {
            return false;
        }
    }
    return candle_fields(c, o);
}

/* The volumes of the candles' time, not of that where nothing has a price. */
static int
read_volumes(struct ctx *c, struct key *k, struct entry *e, const struct rows_options *o,
             const struct series_table *candles, struct series_table *out)
{
    struct ts_range r = o->r;
    int64_t a, b;

    if (o->volume == NULL || candles->n == 0)
        return 0;
    a = candles->ts[0];
    b = candles->ts[candles->n - 1];
    r.type = o->volume->type;
    r.columns = &volume_columns;
    r.count = UINT64_MAX;
    r.from = MAX(r.from, MIN(a, b));
    if (!__builtin_add_overflow(MAX(a, b), r.bucket - 1, &a))
        r.to = MIN(r.to, a);
    return ts_range_read(c, k, e, &r, 0, out);
}

static void
put_volumes(struct series_table *candles, const struct series_table *volumes, bool reverse)
{
    for (uint32_t i = 0, v = 0; i < candles->n; i++) {
        int64_t ts = candles->ts[i];

        while (v < volumes->n && (reverse ? volumes->ts[v] > ts : volumes->ts[v] < ts))
            v++;
        series_table_row(candles, i)[CANDLE_VOLUME] =
            v < volumes->n && volumes->ts[v] == ts ? *series_table_row(volumes, v) : 0;
    }
}

static void
get_candles(struct ctx *c, struct key *k, struct entry *e, struct rows_options *o)
{
    struct series_table candles = {.cols = CANDLE_COLS}, volumes = {.cols = 1};
    int rc;

    o->r.type = o->price->type;
    o->r.columns = &price_columns;
    rc = ts_range_read(c, k, e, &o->r, 0, &candles);
    if (rc == 0)
        rc = read_volumes(c, k, e, o, &candles, &volumes);
    if (rc < 0) {
        series_query_failed(c, rc);
    } else if (!c->probe) {
        put_volumes(&candles, &volumes, o->r.reverse);
        c->core->points_read += candles.n;
        ts_reply_table(c->out, c->proto, &candles, TS_ROW_TSDB);
    }
    series_table_fini(&candles);
    series_table_fini(&volumes);
}

void
cmd_tsdb_candle(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct rows_options o;
    struct entry *e;
    bool ok;

    if (!candle_options(c, &o))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (e == NULL)
        resp_array(c->out, 0);
    else
        get_candles(c, &k, e, &o);
}

/* TSDB_CANDLE: open, high, low, close, volume and count of buckets of ticks. What takes longer than other
 * clients should wait goes in slices (ts_sliced.h). */
#include "shards/commands/handlers.h"
#include "shards/commands/row_args.h"
#include "shards/commands/ts_sliced.h"
#include "shards/engine/core.h"

#include <stdlib.h>

struct candle_options {
    struct ts_range r;
    const struct field *price, *volume; /* volume NULL: there is none */
};

enum { CANDLE_OPEN, CANDLE_HIGH, CANDLE_LOW, CANDLE_CLOSE, CANDLE_VOLUME, CANDLE_COUNT, CANDLE_COLS };

/* The volume's place is taken by a function that costs nothing more, until it is known. */
static const struct ts_columns price_columns = {
    {AGGREGATE_FIRST, AGGREGATE_MAX, AGGREGATE_MIN, AGGREGATE_LAST, AGGREGATE_COUNT,
     AGGREGATE_COUNT},
    CANDLE_COLS,
};
static const struct ts_columns volume_columns = {{AGGREGATE_SUM}, 1};

static bool
candle_fields(struct ctx *c, struct candle_options *o)
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
candle_options(struct ctx *c, struct candle_options *o)
{
    *o = (struct candle_options){.r = {.count = UINT64_MAX, .columns_n = 1}};
    if (!series_arg_bounds(c, 2, &o->r.from, &o->r.to) ||
        !series_arg_duration(c, 4, "bucket", 1, &o->r.bucket))
        return false;
    for (uint32_t i = 5; i < c->argc; i++) {
        bool more = i + 1 < c->argc;

        if (slice_is(c->argv[i], "rev")) {
            if (!row_arg_rev(c, &o->r))
                return false;
        } else if (more && slice_is(c->argv[i], "price")) {
            if (!series_arg_once(c, "PRICE", o->price != NULL) || !row_arg_field(c, ++i, &o->price))
                return false;
        } else if (more && slice_is(c->argv[i], "volume")) {
            if (!series_arg_once(c, "VOLUME", o->volume != NULL) || !row_arg_field(c, ++i, &o->volume))
                return false;
        } else if (!row_arg_limit(c, i, "a limit of at least 1, REV, PRICE field or VOLUME field", &o->r)) {
            return false;
        }
    }
    return candle_fields(c, o);
}

/* --- in one go -------------------------------------------------------------------------------- */

static struct ts_range
price_range(const struct candle_options *o)
{
    struct ts_range r = o->r;

    r.type = o->price->type;
    r.columns = &price_columns;
    return r;
}

static struct ts_range
volume_range(const struct candle_options *o)
{
    struct ts_range r = o->r;

    r.type = o->volume->type;
    r.columns = &volume_columns;
    r.count = UINT64_MAX;
    return r;
}

/* The volumes of the candles' time, not of that where nothing has a price. */
static int
read_volumes(struct ctx *c, struct key *k, struct entry *e, const struct candle_options *o,
             const struct series_table *candles, struct series_table *out, uint64_t until_ns)
{
    struct ts_range r;
    int64_t a, b;

    if (o->volume == NULL || candles->n == 0)
        return 0;
    r = volume_range(o);
    a = candles->ts[0];
    b = candles->ts[candles->n - 1];
    r.from = MAX(r.from, MIN(a, b));
    if (!__builtin_add_overflow(MAX(a, b), r.bucket - 1, &a))
        r.to = MIN(r.to, a);
    return ts_range_read_until(c, k, e, &r, 0, out, until_ns);
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
reply_candles(struct ctx *c, struct series_table *candles, const struct series_table *volumes,
              bool reverse)
{
    put_volumes(candles, volumes, reverse);
    c->core->points_read += candles->n;
    ts_reply_table(c->out, c->proto, candles, TS_ROW_TSDB);
}

/* Where there is a limit the volumes depend on which candles that leaves, and both are few. */
static bool
may_be_sliced(const struct candle_options *o)
{
    return o->r.count == UINT64_MAX;
}

static void
candles_at_once(struct ctx *c, struct key *k, struct entry *e, const struct candle_options *o)
{
    struct series_table candles = {.cols = CANDLE_COLS}, volumes = {.cols = 1};
    uint64_t until_ns = may_be_sliced(o) ? ahead_until(c, o->volume ? 2 : 1) : UINT64_MAX;
    struct ts_range r = price_range(o);
    int rc = ts_range_read_until(c, k, e, &r, 0, &candles, until_ns);

    if (rc == 0)
        rc = read_volumes(c, k, e, o, &candles, &volumes, until_ns);
    if (rc == -EINPROGRESS)
        c->need = (struct need){.kind = NEED_SLICES};
    else if (rc < 0)
        series_query_failed(c, rc);
    else if (!c->probe)
        reply_candles(c, &candles, &volumes, o->r.reverse);
    series_table_fini(&candles);
    series_table_fini(&volumes);
}

/* --- in slices -------------------------------------------------------------------------------- */

enum { RANGE_OF_PRICE, RANGE_OF_VOLUME, CANDLE_RANGES };

struct candle_slices {
    struct ts_sliced sliced;
    struct candle_options o;
    struct field price, volume; /* what o points to: series-fields may change */
};

static struct candle_slices *
candles_of(struct ts_sliced *x)
{
    return container_of(x, struct candle_slices, sliced);
}

static bool
slices_parse(struct ts_sliced *x, struct ctx *c, void *ret_asked)
{
    *(const struct candle_options **)ret_asked = &candles_of(x)->o;
    return true;
}

static void
slices_range(const void *asked, uint32_t i, struct ts_range *ret_r, uint32_t *ret_at)
{
    const struct candle_options *o = *(const struct candle_options *const *)asked;

    *ret_r = i == RANGE_OF_PRICE ? price_range(o) : volume_range(o);
    *ret_at = 0;
}

static bool
slices_reply(struct ts_sliced *x, struct ctx *c, uint64_t until_ns)
{
    static const struct series_table nothing = {.cols = 1};
    const struct series_table *volumes = x->n == CANDLE_RANGES ? &x->rows[RANGE_OF_VOLUME] : &nothing;

    reply_candles(c, &x->rows[RANGE_OF_PRICE], volumes, candles_of(x)->o.r.reverse);
    return true;
}

static const struct ts_sliced_kind candle_kind = {
    .parse = slices_parse,
    .asked_bytes = sizeof(const struct candle_options *),
    .range = slices_range,
    .reply = slices_reply,
    .refuse = series_query_failed,
};

static struct slices *
slices_create(struct ctx *c, const struct candle_options *o)
{
    struct candle_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->sliced.kind = &candle_kind;
    x->o = *o;
    x->price = *o->price;
    x->o.price = &x->price;
    if (o->volume) {
        x->volume = *o->volume;
        x->o.volume = &x->volume;
    }
    return ts_sliced_init(&x->sliced, c, c->argv + 1, 1, o->volume ? CANDLE_RANGES : 1, UINT64_MAX);
}

/* It runs as a transaction, for it has said that it takes long. */
static void
candles_in_slices(struct ctx *c, const struct candle_options *o)
{
    struct ts_sliced *x = *c->slices ? ts_sliced_of(*c->slices) : NULL;
    const struct candle_options *asked = x ? &candles_of(x)->o : NULL;
    int rc;

    if (x == NULL) {
        c->need = (struct need){.kind = NEED_SLICES};
        *c->slices = slices_create(c, o);
        return;
    }
    rc = ts_sliced_all(x, c, &asked);
    if (rc < 0)
        series_query_failed(c, rc);
}

/* --- the command ------------------------------------------------------------------------------- */

void
cmd_tsdb_candle(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct candle_options o;
    struct entry *e;
    bool ok;

    if (!candle_options(c, &o))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (e == NULL)
        resp_array(c->out, 0);
    else if (c->slices && may_be_sliced(&o))
        candles_in_slices(c, &o);
    else
        candles_at_once(c, &k, e, &o);
}

/* Reading one series into rows. See ts_range.h. */
#include "shards/commands/ts_range_priv.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define FILTER_BATCH 512 /* points filtered at a time */

/* --- points ----------------------------------------------------------------------------------- */

/* How many of the points have a time that COUNT still takes. */
static uint32_t
take_times(struct ts_reading *x, const struct sample *p, uint32_t n)
{
    const struct series_table *t = x->out;
    uint32_t i;

    for (i = 0; i < n; i++) {
        bool same = i > 0 ? p[i].ts == p[i - 1].ts : t->n > 0 && p[0].ts == t->ts[t->n - 1];

        if (!same && x->times == x->r->count)
            break;
        x->times += !same;
    }
    return i;
}

/* Appends points as they are, up to COUNT. */
static int
take_points(struct ts_reading *x, const struct sample *p, uint32_t n)
{
    struct series_table *t = x->out;
    bool by_time = x->r->count_times;
    uint32_t k = by_time ? take_times(x, p, n) : (uint32_t)MIN((uint64_t)n, x->r->count - t->n);

    if (t->n + k > TS_RANGE_ROWS_MAX)
        return -E2BIG;
    series_table_reserve(t, k);
    for (uint32_t i = 0; i < k; i++) {
        t->ts[t->n + i] = p[i].ts;
        t->v[t->n + i] = p[i].value;
    }
    t->n += k;
    return by_time ? k < n : t->n == x->r->count;
}

static int
take(struct ts_reading *x, const struct sample *p, uint32_t n)
{
    return x->b ? bucketer_add(x->b, p, n) : take_points(x, p, n);
}

static int
take_filtered(struct ts_reading *x, const struct sample *p, uint32_t n)
{
    struct sample some[FILTER_BATCH];
    int rc = 0;

    for (uint32_t i = 0; i < n && rc == 0;) {
        uint32_t kept = 0;

        for (; i < n && kept < FILTER_BATCH; i++)
            if (ts_range_passes(x->r, &p[i]))
                some[kept++] = p[i];
        if (kept > 0)
            rc = take(x, some, kept);
    }
    return rc;
}

static int
take_what_passes(struct ts_reading *x, const struct sample *p, uint32_t n)
{
    return ts_range_is_filtered(x->r) ? take_filtered(x, p, n) : take(x, p, n);
}

/* What take_ said of it, and whether the time is over. */
static int
taken(struct ts_reading *x, int rc, const int64_t *ts, uint32_t stride, uint32_t n)
{
    bool stops = ts_position_pass(&x->position, ts, stride, n);

    x->complete = rc > 0;
    x->failed = rc < 0;
    return rc != 0 ? rc : stops;
}

static int
emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct ts_reading *x = arg;
    uint32_t known = ts_position_known(&x->position, &p->ts, sizeof(*p) / sizeof(p->ts), n);
    int rc;

    p += known;
    n -= known;
    if (n == 0)
        return 0;
    rc = take_what_passes(x, p, n);
    return taken(x, rc, &p->ts, sizeof(*p) / sizeof(p->ts), n);
}

static int
take_filtered_columns(struct ts_reading *x, const int64_t *ts, const double *v, uint32_t n)
{
    struct sample some[FILTER_BATCH];
    int rc = 0;

    for (uint32_t i = 0; i < n && rc == 0;) {
        uint32_t k = 0;

        for (; i < n && k < FILTER_BATCH; i++)
            some[k++] = (struct sample){ts[i], v[i]};
        rc = take_filtered(x, some, k);
    }
    return rc;
}

/* Columns are only asked for where points go to buckets. */
static int
emit_vector(void *arg, const struct block_vector *v)
{
    struct ts_reading *x = arg;
    uint32_t at = ts_position_known(&x->position, v->ts, 1, v->n), n = v->n - at;
    int rc;

    if (n == 0)
        return 0;
    rc = ts_range_is_filtered(x->r) ? take_filtered_columns(x, v->ts + at, v->value + at, n)
                                    : bucketer_add_columns(x->b, v->ts + at, v->value + at, n);
    return taken(x, rc, v->ts + at, 1, n);
}

static int
emit_block(void *arg, const struct block_info *info)
{
    struct ts_reading *x = arg;
    int rc = 0;

    if (ts_position_stops_at(&x->position, info))
        return SERIES_BLOCK_ENOUGH;
    if (x->position.again > 0)
        return SERIES_BLOCK_READ;
    if (!ts_range_excludes_block(x->r, info) &&
        (x->b == NULL || !ts_range_includes_block(x->r, info) ||
         !bucketer_add_block(x->b, info, &rc)))
        return SERIES_BLOCK_READ;
    ts_position_pass_block(&x->position, info);
    x->complete = rc > 0;
    x->failed = rc < 0;
    return rc < 0 ? rc : rc > 0 ? SERIES_BLOCK_ENOUGH : SERIES_BLOCK_TAKEN;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int
has_point(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(bool *)arg = true;
    return 1;
}

/* A point that was written at its time stands for it. It is not one of the series: wherever it is, the reading
 * of those stands where it stood. */
static int
read_latest(struct ts_reading *x, bool probe)
{
    struct series_query q = {.start = x->latest.ts, .end = x->latest.ts, .limit = 1};
    bool written = false;
    int rc;

    if (!x->has_latest || x->latest.ts < x->from || x->latest.ts > x->to)
        return 0;
    rc = x->s ? ts_read(x->c, x->k, x->s, &q, has_point, &written) : 0;
    return rc < 0 ? rc : written || probe ? 0 : take_what_passes(x, &x->latest, 1);
}

/* Points to ask for. Whether a time has more of them is only known behind it: where it has many, as many
 * again each time. */
static uint64_t
rows_left(const struct ts_reading *x)
{
    uint64_t left = x->r->count - (x->r->count_times ? x->times : x->out->n);

    return x->r->count_times && left < UINT64_MAX ? MAX(left + 1, (uint64_t)x->out->n) : left;
}

static int
read_written(struct ts_reading *x)
{
    struct series_query q = {.start = x->from, .end = x->to, .limit = UINT64_MAX,
                             .reverse = x->r->reverse, .block = emit_block,
                             .vector = x->b ? emit_vector : NULL};

    if (x->b == NULL && !ts_range_is_filtered(x->r)) {
        q.limit = MIN(rows_left(x), (uint64_t)TS_RANGE_ROWS_MAX + 1);
        q.block = x->position.until_ns == UINT64_MAX ? NULL : emit_block;
    }
    if (q.start > q.end || q.limit == 0)
        return 0;
    ts_position_narrow(&x->position, &q);
    return ts_read(x->c, x->k, x->s, &q, emit, x);
}

/* As many points as there are times to come are not enough where one has several. */
static int
read_times(struct ts_reading *x)
{
    uint32_t before;
    int rc;

    do {
        before = x->out->n;
        rc = read_written(x);
        ts_position_again(&x->position);
    } while (rc == 0 && !x->complete && !x->position.stopped && x->out->n > before);
    return rc;
}

/* May a point that comes behind all others count? The last row of buckets is still open. */
static bool
wants_more(const struct ts_reading *x)
{
    return !x->complete && (x->b || x->r->count_times || x->out->n < x->r->count);
}

static int
read_points(struct ts_reading *x)
{
    int rc = x->r->reverse ? read_latest(x, false) : 0;

    if (rc == 0 && x->s && !x->complete)
        rc = x->r->count_times ? read_times(x) : read_written(x);
    if (rc == 0 && x->position.stopped)
        return -EINPROGRESS;
    if (rc == 0 && !x->r->reverse && wants_more(x))
        rc = read_latest(x, false);
    return MIN(rc, 0);
}

/* The open bucket of a rule counts only where the range goes on behind what was written. */
static bool
ends_behind(const struct ts_range *r, const struct series *s)
{
    struct sample last;
    uint8_t quality;

    return s == NULL || !series_last(s, &last, &quality) || r->to > last.ts;
}

/* 1: x->latest is set, 0: there is none, or an error. */
static int
find_latest(struct ts_reading *x, const struct entry *e)
{
    const struct ts_open *open = x->r->open;

    if (!x->r->latest || x->r->type != TS_TYPE || !ends_behind(x->r, x->s))
        return 0;
    if (open == NULL)
        return ts_rule_latest(x->c, x->k, e, &x->latest);
    x->latest = open->sample;
    return open->has;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void
reading_bounds(struct ts_reading *x, const struct series_key *sk)
{
    const struct ts_range *r = x->r;

    x->visible = r->expired_too ? INT64_MIN : ts_visible_from(series_key_settings(sk), x->s);
    x->from = MAX(r->from, x->visible);
    x->to = r->to;
    if (r->times_n > 0) {
        x->from = MAX(x->from, r->times[0]);
        x->to = MIN(x->to, r->times[r->times_n - 1]);
    }
}

static void
begin_buckets(struct ts_reading *x, uint32_t i)
{
    const struct ts_range *r = x->r;

    x->aggregation = (struct aggregation){
        .fn_n = r->columns[i].n, .bucket = r->bucket, .align = r->align, .stamp = r->stamp,
        .empty = r->empty, .reverse = r->reverse, .whole = r->whole,
        .from = MAX(r->from, x->visible), .to = r->to, .limit = r->count};
    memcpy(x->aggregation.fn, r->columns[i].fn, r->columns[i].n);
    if (x->aggregation.from <= x->aggregation.to)
        x->b = bucketer_create(&x->aggregation, ts_range_neighbour, x, x->out);
}

static int
reading_begin(struct ts_reading *x, const struct entry *e, uint32_t i)
{
    int rc = x->r->latest_last ? 0 : find_latest(x, e);

    if (rc < 0)
        return rc;
    x->has_latest = rc == 1;
    x->position.reverse = x->r->reverse;
    reading_bounds(x, entry_series(e));
    if (x->s)
        ts_position_ends(&x->position, x->s, x->from, x->to);
    if (x->r->columns_n)
        begin_buckets(x, i);
    x->begun = true;
    return 0;
}

/* Before its points are read. */
static int
look_around(struct ts_reading *x)
{
    int rc;

    if (x->b == NULL || x->looked)
        return 0;
    rc = bucketer_begin(x->b);
    x->looked = rc == 0;
    return rc;
}

/* As it was before it began; the rows are gone. */
static void
reading_reset(struct ts_reading *x)
{
    struct series_table *out = x->out;

    ts_reading_fini(x);
    x->out = out;
    if (out)
        out->n = 0;
}

static int
reading_go(struct ts_reading *x, const struct entry *e, uint32_t i)
{
    int rc = x->begun ? 0 : reading_begin(x, e, i);

    if (rc < 0 || (x->r->columns_n && x->b == NULL))
        return rc;
    rc = look_around(x);
    if (rc == 0)
        rc = read_points(x);
    x->failed = x->failed || (rc < 0 && rc != -EINPROGRESS && rc != -EAGAIN);
    return rc;
}

int
ts_reading_go(struct ts_reading *x, struct ctx *c, const struct key *k, const struct entry *e,
              const struct ts_range *r, uint32_t i, struct series_table *out, uint64_t until_ns)
{
    int rc;

    ASSERT(out->cols == ts_range_cols(r, i) && (x->begun || out->n == 0) && !x->ended);
    x->c = c;
    x->k = k;
    x->s = series_find(entry_series(e), r->type);
    x->r = r;
    x->out = out;
    ts_position_go(&x->position, c, until_ns);
    rc = reading_go(x, e, i);
    if (rc < 0 && rc != -EINPROGRESS && (x->failed || !x->begun))
        reading_reset(x);
    return rc;
}

int
ts_reading_latest(struct ts_reading *x, struct ctx *c, const struct key *k, const struct entry *e,
                  const struct ts_range *r, bool probe)
{
    int rc;

    ASSERT(r->latest_last && x->begun && !x->ended);
    x->c = c;
    x->k = k;
    x->s = series_find(entry_series(e), r->type);
    x->r = r;
    if (!wants_more(x) || (r->columns_n && x->b == NULL))
        return 0;
    rc = find_latest(x, e);
    x->has_latest = rc == 1;
    return rc < 0 ? rc : MIN(read_latest(x, probe), 0);
}

int
ts_reading_end(struct ts_reading *x)
{
    if (x->ended)
        return 0;
    x->ended = true;
    return x->b ? bucketer_finish(x->b) : 0;
}

bool
ts_reading_stands(const struct ts_reading *x, int64_t from, int64_t to)
{
    if (x->around && !ts_around_stands(x->around, from, to))
        return false;
    return to < x->from || from > x->to || !ts_position_has_read(&x->position, from, to);
}

int64_t
ts_reading_wants_from(const struct ts_reading *x)
{
    if (!x->begun || x->complete)
        return INT64_MAX;
    if (x->b && !x->looked)
        return x->visible;
    return ts_position_wants_from(&x->position, x->from);
}

void
ts_reading_fini(struct ts_reading *x)
{
    bucketer_destroy(&x->b);
    free(x->around);
    *x = (struct ts_reading){0};
}

int
ts_range_read_until(struct ctx *c, const struct key *k, const struct entry *e,
                    const struct ts_range *r, uint32_t i, struct series_table *out,
                    uint64_t until_ns)
{
    struct ts_reading x = {0};
    int rc = ts_reading_go(&x, c, k, e, r, i, out, until_ns);

    if (rc == 0)
        rc = ts_reading_end(&x);
    ts_reading_fini(&x);
    return rc;
}

int
ts_range_read(struct ctx *c, const struct key *k, const struct entry *e, const struct ts_range *r,
              uint32_t i, struct series_table *out)
{
    return ts_range_read_until(c, k, e, r, i, out, UINT64_MAX);
}

const char *
ts_range_error(int rc)
{
    switch (rc) {
    case -E2BIG:
        return "ERR TSDB: the range has more than 1000000 rows: give a COUNT or a longer bucket";
    case -EOVERFLOW:
        return "ERR TSDB: a bucket has more than 4194304 samples, too many for percentiles";
    default:
        return ERR_TS_STORED;
    }
}

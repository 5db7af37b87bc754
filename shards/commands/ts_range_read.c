/* Reading one series into rows. See ts_range.h. */
#include "shards/commands/ts_range.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"

#include <math.h>

#define FILTER_BATCH 512 /* points filtered at a time */

/* One series on its way. */
struct range_reader {
    struct ctx *c;
    const struct key *k;
    const struct series *s;
    const struct ts_range *r;
    int64_t from, to; /* what of the range retention and FILTER_BY_TS leave */
    int64_t visible;
    struct series_table *out;
    struct bucketer *b; /* NULL: points as they are */
    bool has_latest;    /* `latest` stands behind all points of the series */
    struct sample latest;
};

/* --- filters ---------------------------------------------------------------------------------- */

/* The place of the first of the FILTER_BY_TS times that is >= ts. */
static uint32_t
times_lower(const struct ts_range *r, int64_t ts)
{
    uint32_t lo = 0, hi = r->times_n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (r->times[mid] < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool
passes(const struct ts_range *r, const struct sample *p)
{
    uint32_t i;

    if (r->by_value && !(p->value >= r->value_min && p->value <= r->value_max))
        return false;
    if (r->times_n == 0)
        return true;
    i = times_lower(r, p->ts);
    return i < r->times_n && r->times[i] == p->ts;
}

static bool
is_filtered(const struct ts_range *r)
{
    return r->by_value || r->times_n > 0;
}

/* Can no point of the block pass? */
static bool
excludes_block(const struct ts_range *r, const struct block_info *info)
{
    uint32_t i;

    if (r->by_value && (info->nan_count == info->count || info->max < r->value_min ||
                        info->min > r->value_max))
        return true;
    if (r->times_n == 0)
        return false;
    i = times_lower(r, info->first_ts);
    return i == r->times_n || r->times[i] > info->last_ts;
}

/* Does every point of it pass? */
static bool
includes_block(const struct ts_range *r, const struct block_info *info)
{
    if (r->times_n > 0)
        return false;
    return !r->by_value || (info->nan_count == 0 && info->min >= r->value_min &&
                            info->max <= r->value_max);
}

/* --- points ----------------------------------------------------------------------------------- */

/* Appends points as they are, up to COUNT. */
static int
take_points(struct range_reader *x, const struct sample *p, uint32_t n)
{
    struct series_table *t = x->out;
    uint32_t k = (uint32_t)MIN((uint64_t)n, x->r->count - t->n);

    if (t->n + k > TS_RANGE_ROWS_MAX)
        return -E2BIG;
    series_table_reserve(t, k);
    for (uint32_t i = 0; i < k; i++) {
        t->ts[t->n + i] = p[i].ts;
        t->v[t->n + i] = p[i].value;
    }
    t->n += k;
    return t->n == x->r->count;
}

static int
take(struct range_reader *x, const struct sample *p, uint32_t n)
{
    return x->b ? bucketer_add(x->b, p, n) : take_points(x, p, n);
}

static int
take_filtered(struct range_reader *x, const struct sample *p, uint32_t n)
{
    struct sample some[FILTER_BATCH];
    int rc = 0;

    for (uint32_t i = 0; i < n && rc == 0;) {
        uint32_t kept = 0;

        for (; i < n && kept < FILTER_BATCH; i++)
            if (passes(x->r, &p[i]))
                some[kept++] = p[i];
        if (kept > 0)
            rc = take(x, some, kept);
    }
    return rc;
}

static int
emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct range_reader *x = arg;

    return is_filtered(x->r) ? take_filtered(x, p, n) : take(x, p, n);
}

/* Columns are only asked for where points go to buckets. */
static int
emit_vector(void *arg, const struct block_vector *v)
{
    struct range_reader *x = arg;
    struct sample some[FILTER_BATCH];
    int rc = 0;

    if (!is_filtered(x->r))
        return bucketer_add_columns(x->b, v->ts, v->value, v->n);
    for (uint32_t i = 0; i < v->n && rc == 0;) {
        uint32_t k = 0;

        for (; i < v->n && k < FILTER_BATCH; i++)
            some[k++] = (struct sample){v->ts[i], v->value[i]};
        rc = take_filtered(x, some, k);
    }
    return rc;
}

static int
emit_block(void *arg, const struct block_info *info)
{
    struct range_reader *x = arg;
    int rc;

    if (excludes_block(x->r, info))
        return SERIES_BLOCK_TAKEN;
    if (x->b == NULL || !includes_block(x->r, info) || !bucketer_add_block(x->b, info, &rc))
        return SERIES_BLOCK_READ;
    return rc < 0 ? rc : rc > 0 ? SERIES_BLOCK_ENOUGH : SERIES_BLOCK_TAKEN;
}

/* --- neighbours ------------------------------------------------------------------------------- */

#define NEIGHBOUR_STEP 64 /* each try looks at so many times more points */

struct neighbour {
    const struct range_reader *x;
    bool number, found;
    struct sample sample;
    uint64_t looked_at;
};

static int
neighbour_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct neighbour *nb = arg;

    nb->looked_at += n;
    for (uint32_t i = 0; i < n; i++)
        if (passes(nb->x->r, &p[i]) && !(nb->number && isnan(p[i].value))) {
            nb->found = true;
            nb->sample = p[i];
            return 1;
        }
    return 0;
}

static int
neighbour_block(void *arg, const struct block_info *info)
{
    struct neighbour *nb = arg;

    return excludes_block(nb->x->r, info) ? SERIES_BLOCK_TAKEN : SERIES_BLOCK_READ;
}

/* Mostly the very next point is the one, so few are asked for at first. */
static int
find_neighbour(void *arg, bool after, int64_t ts, bool number, struct sample *ret_sample)
{
    struct range_reader *x = arg;
    struct neighbour nb = {.x = x, .number = number};
    struct series_query q = {.start = x->visible, .end = INT64_MAX, .reverse = !after,
                             .block = neighbour_block};
    int rc = 0;

    if (x->s == NULL || (after ? ts == INT64_MAX : ts == INT64_MIN))
        return 0; /* a destination of a rule may have nothing but its open bucket */
    if (after)
        q.start = MAX(q.start, ts + 1);
    else
        q.end = ts - 1;
    if (x->r->times_n > 0) {
        q.start = MAX(q.start, x->r->times[0]);
        q.end = MIN(q.end, x->r->times[x->r->times_n - 1]);
    }
    if (q.start > q.end)
        return 0;
    for (q.limit = 1; rc == 0 && !nb.found; q.limit *= NEIGHBOUR_STEP) {
        nb.looked_at = 0;
        rc = ts_read(x->c, x->k, x->s, &q, neighbour_emit, &nb);
        if (nb.looked_at < q.limit || q.limit > UINT64_MAX / NEIGHBOUR_STEP)
            break;
    }
    *ret_sample = nb.sample;
    return rc < 0 ? rc : nb.found;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int
has_point(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(bool *)arg = true;
    return 1;
}

/* A point that was written at its time stands for it. */
static int
read_latest(struct range_reader *x)
{
    struct series_query q = {.start = x->latest.ts, .end = x->latest.ts, .limit = 1};
    bool written = false;
    int rc;

    if (!x->has_latest || x->latest.ts < x->from || x->latest.ts > x->to)
        return 0;
    rc = x->s ? ts_read(x->c, x->k, x->s, &q, has_point, &written) : 0;
    return rc < 0 ? rc : written ? 0 : emit(x, &x->latest, NULL, 1);
}

static int
read_written(struct range_reader *x)
{
    struct series_query q = {.start = x->from, .end = x->to, .limit = UINT64_MAX,
                             .reverse = x->r->reverse, .block = emit_block,
                             .vector = x->b ? emit_vector : NULL};

    if (x->b == NULL && !is_filtered(x->r)) {
        q.limit = MIN(x->r->count - x->out->n, (uint64_t)TS_RANGE_ROWS_MAX + 1);
        q.block = NULL;
    }
    if (q.start > q.end || q.limit == 0)
        return 0;
    return ts_read(x->c, x->k, x->s, &q, emit, x);
}

static int
read_points(struct range_reader *x)
{
    int rc = x->r->reverse ? read_latest(x) : 0;

    if (rc == 0 && x->s)
        rc = read_written(x);
    if (rc == 0 && !x->r->reverse && x->out->n < x->r->count)
        rc = read_latest(x);
    return MIN(rc, 0);
}

static struct aggregation
aggregation_of(const struct range_reader *x, uint32_t i)
{
    const struct ts_range *r = x->r;
    struct aggregation a = {.fn_n = r->columns[i].n, .bucket = r->bucket, .align = r->align,
                            .stamp = r->stamp, .empty = r->empty, .reverse = r->reverse,
                            .whole = r->whole, .from = MAX(r->from, x->visible), .to = r->to,
                            .limit = r->count};

    memcpy(a.fn, r->columns[i].fn, a.fn_n);
    return a;
}

static int
read_buckets(struct range_reader *x, uint32_t i)
{
    struct aggregation a = aggregation_of(x, i);
    int rc;

    if (a.from > a.to)
        return 0;
    x->b = bucketer_create(&a, find_neighbour, x, x->out);
    rc = bucketer_begin(x->b);
    if (rc == 0)
        rc = read_points(x);
    if (rc == 0)
        rc = bucketer_finish(x->b);
    bucketer_destroy(&x->b);
    return rc;
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
find_latest(struct range_reader *x, const struct entry *e)
{
    const struct ts_open *open = x->r->open;

    if (!x->r->latest || x->r->type != TS_TYPE || !ends_behind(x->r, x->s))
        return 0;
    if (open == NULL)
        return ts_rule_latest(x->c, x->k, e, &x->latest);
    x->latest = open->sample;
    return open->has;
}

int
ts_range_read(struct ctx *c, const struct key *k, const struct entry *e, const struct ts_range *r,
              uint32_t i, struct series_table *out)
{
    const struct series_key *sk = entry_series(e);
    struct range_reader x = {.c = c, .k = k, .s = series_find(sk, r->type), .r = r, .out = out};
    int rc;

    ASSERT(out->cols == ts_range_cols(r, i) && out->n == 0);
    rc = find_latest(&x, e);
    if (rc < 0)
        return rc;
    x.has_latest = rc == 1;
    if (x.s == NULL && !x.has_latest)
        return 0;
    x.visible = r->expired_too ? INT64_MIN : ts_visible_from(series_key_settings(sk), x.s);
    x.from = MAX(r->from, x.visible);
    x.to = r->to;
    if (r->times_n > 0) {
        x.from = MAX(x.from, r->times[0]);
        x.to = MIN(x.to, r->times[r->times_n - 1]);
    }
    return r->columns_n ? read_buckets(&x, i) : read_points(&x);
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

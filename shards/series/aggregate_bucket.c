/* A stream of points cut into buckets. See aggregate.h; gaps and neighbours are aggregate_fill.c's.
 *
 * Forward or backward the same: a bucket is open until a point beyond it comes. A row is made when
 * a bucket gets its first point that counts (with `empty` its first point of any kind), its values
 * are written when it closes. Two things cannot be known then: twa needs the next number of the
 * stream, to know how its line leaves the bucket; and what last and twa say of a gap may be on the
 * gap's far side. Both wait for the next number (bucketer_resolve), so rows are complete only after
 * bucketer_finish.
 *
 * When `limit` rows are there the stream is read on only until nothing waits any more. */
#include "shards/series/aggregate_priv.h"
#include "shards/series/codec_kernels.h"

#include <math.h>
#include <stdlib.h>

#define COLUMNS_BATCH 256 /* points turned into samples at a time */

/* --- where buckets begin ---------------------------------------------------------------------- */

static wide_time
floor_to(int64_t ts, int64_t bucket, int64_t align)
{
    wide_time d = (wide_time)ts - align, into = d % bucket;

    return (wide_time)ts - (into < 0 ? into + bucket : into);
}

static int64_t
narrow(wide_time t)
{
    return t < INT64_MIN ? INT64_MIN : t > INT64_MAX ? INT64_MAX : (int64_t)t;
}

int64_t
bucket_start(int64_t ts, int64_t bucket, int64_t align)
{
    return narrow(floor_to(ts, bucket, align));
}

static int64_t
time_of(wide_time start, int64_t bucket, enum bucket_stamp stamp)
{
    wide_time t = start < 0 && start + bucket > 0 ? 0 : start;

    if (stamp == BUCKET_MID)
        t += bucket / 2;
    else if (stamp == BUCKET_END)
        t += bucket;
    return narrow(t);
}

int64_t
bucket_time(int64_t start, int64_t bucket, enum bucket_stamp stamp)
{
    return time_of(start, bucket, stamp);
}

wide_time
bucketer_start_of(const struct bucketer *b, int64_t ts)
{
    return floor_to(ts, b->a->bucket, b->a->align);
}

/* --- life ------------------------------------------------------------------------------------- */

struct bucketer *
bucketer_create(const struct aggregation *a, neighbour_fn neighbour, void *arg,
                struct series_table *out)
{
    struct bucketer *b = calloc(1, sizeof(*b));

    ASSERT(b && a->fn_n > 0 && a->fn_n <= AGGREGATES_MAX && out->cols == a->fn_n);
    ASSERT(a->bucket > 0 && a->limit > 0 && out->n == 0);
    b->a = a;
    b->neighbour = neighbour;
    b->arg = arg;
    b->out = out;
    for (uint32_t i = 0; i < a->fn_n; i++) {
        b->want |= aggregate_wants(a->fn[i]);
        b->takes_nan |= a->fn[i] == AGGREGATE_COUNT_NAN || a->fn[i] == AGGREGATE_COUNT_ALL;
        b->takes_numbers |= a->fn[i] != AGGREGATE_COUNT_NAN;
    }
    return b;
}

void
bucketer_destroy(struct bucketer **bp)
{
    if (*bp == NULL)
        return;
    ranked_fini(&(*bp)->ranked);
    free(*bp);
    *bp = NULL;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool
at_limit(const struct bucketer *b)
{
    return b->out->n >= b->a->limit;
}

static int
push_row(struct bucketer *b, wide_time start)
{
    const struct aggregation *a = b->a;
    double *row;

    if (b->out->n == AGGREGATE_ROWS_MAX)
        return -E2BIG;
    row = series_table_push(b->out, time_of(start, a->bucket, a->stamp));
    for (uint32_t i = 0; i < a->fn_n; i++)
        row[i] = aggregate_empty(a->fn[i]);
    if (!b->has_first) {
        b->has_first = true;
        b->first_start = start;
    }
    return 0;
}

int
bucketer_push_gap(struct bucketer *b, wide_time after, wide_time before)
{
    wide_time step = b->a->reverse ? -(wide_time)b->a->bucket : b->a->bucket;
    int rc = 0;

    for (wide_time t = after + step; b->a->reverse ? t > before : t < before; t += step) {
        if (at_limit(b))
            return 1;
        rc = push_row(b, t);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- the open bucket -------------------------------------------------------------------------- */

static void
open_bucket(struct bucketer *b, wide_time start)
{
    b->open = true;
    b->has_row = false;
    b->start = start;
    b->lowest = narrow(start);
    b->highest = narrow(start + b->a->bucket - 1);
    b->sums = sums_none;
    b->ranked.n = 0;
    b->twa.any = false;
}

/* Nearest rank. */
static double
ranked_value(struct ranked *r, enum aggregate fn)
{
    uint64_t percent = fn == AGGREGATE_P50 ? 50 : fn == AGGREGATE_P95 ? 95 : 99;

    return r->n == 0 ? NAN : ranked_select(r, (uint32_t)((r->n * percent + 99) / 100 - 1));
}

static double
column_value(struct bucketer *b, enum aggregate fn)
{
    if (aggregate_wants(fn) & WANT_RANKED)
        return ranked_value(&b->ranked, fn);
    if (b->a->reverse && fn == AGGREGATE_FIRST)
        fn = AGGREGATE_LAST;
    else if (b->a->reverse && fn == AGGREGATE_LAST)
        fn = AGGREGATE_FIRST;
    return sums_value(&b->sums, fn);
}

static void
close_bucket(struct bucketer *b)
{
    double *row;

    if (!b->open)
        return;
    b->open = false;
    if (!b->has_row)
        return;
    row = series_table_row(b->out, b->out->n - 1);
    for (uint32_t i = 0; i < b->a->fn_n; i++)
        if (b->a->fn[i] != AGGREGATE_TWA)
            row[i] = column_value(b, b->a->fn[i]);
    if (b->twa.any) {
        b->twa_waits = true;
        b->twa_row = b->out->n - 1;
        b->twa_start = b->start;
        b->waiting = b->twa;
    }
    if (b->sums.n > 0)
        b->filled = b->out->n;
}

/* --- moving on -------------------------------------------------------------------------------- */

static bool
is_beyond(const struct bucketer *b, int64_t ts)
{
    return b->a->reverse ? ts < b->lowest : ts > b->highest;
}

static bool
has_waiting(const struct bucketer *b)
{
    return b->twa_waits ||
           (b->a->empty && (b->want & (WANT_LAST | WANT_AREA)) && b->filled < b->out->n);
}

/* No more rows may be made. */
static int
drain(struct bucketer *b)
{
    close_bucket(b);
    b->draining = true;
    return has_waiting(b) ? 0 : 1;
}

/* The bucket of ts becomes the open one. */
static int
move_to(struct bucketer *b, int64_t ts)
{
    wide_time start = bucketer_start_of(b, ts), step = b->a->reverse ? b->a->bucket : -b->a->bucket;
    wide_time left = b->start;
    bool had = b->any;
    int rc = 0;

    close_bucket(b);
    b->any = true;
    if (b->a->empty && had)
        rc = bucketer_push_gap(b, left, start);
    else if (b->a->empty && b->leading_gap)
        rc = bucketer_push_gap(
            b, bucketer_start_of(b, b->a->reverse ? b->a->to : b->a->from) + step, start);
    if (rc < 0)
        return rc;
    if (rc > 0 || at_limit(b))
        return drain(b);
    open_bucket(b, start);
    if (b->a->empty) {
        b->has_row = true;
        return push_row(b, start);
    }
    return 0;
}

/* How many of the n points are in the open bucket; the first is. Backward they fall. */
static uint32_t
run_length(const struct bucketer *b, const struct sample *p, uint32_t n)
{
    uint32_t lo = 1, hi = n;

    if (!is_beyond(b, p[n - 1].ts))
        return n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (is_beyond(b, p[mid].ts))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* --- adding ----------------------------------------------------------------------------------- */

/* Numbers of the open bucket. */
static int
add_numbers(struct bucketer *b, const struct sample *p, uint32_t n)
{
    int rc = 0;

    if (b->sums.n == 0 && has_waiting(b))
        bucketer_resolve(b, p);
    if (b->want & WANT_AREA) {
        if (!b->twa.any)
            twa_begin(b, &b->twa, b->start, p);
        twa_add(&b->twa, p, n);
    }
    if (b->want & WANT_RANKED)
        rc = ranked_add(&b->ranked, p, n);
    sums_add_numbers(&b->sums, p, n, b->want);
    b->has_seen = true;
    b->seen = p[n - 1];
    return rc;
}

static uint32_t
count_nans(const struct sample *p, uint32_t n)
{
    uint32_t nans = 0;

    for (uint32_t i = 0; i < n; i++)
        nans += isnan(p[i].value) != 0;
    return nans;
}

/* Points of the open bucket, some of them NaN: the numbers between are runs of their own. */
static int
add_mixed(struct bucketer *b, const struct sample *p, uint32_t n)
{
    int rc = 0;

    for (uint32_t i = 0, k; i < n && rc == 0; i += k) {
        for (k = 0; i + k < n && !isnan(p[i + k].value); k++)
            ;
        if (k > 0) {
            rc = add_numbers(b, p + i, k);
        } else {
            b->sums.nans++;
            k = 1;
        }
    }
    return rc;
}

static int
make_row(struct bucketer *b)
{
    if (at_limit(b))
        return drain(b);
    b->has_row = true;
    return push_row(b, b->start);
}

static int
add_run(struct bucketer *b, const struct sample *p, uint32_t n)
{
    uint32_t nans = count_nans(p, n);
    int rc = 0;

    if (!b->has_row && ((b->takes_nan && nans > 0) || (b->takes_numbers && nans < n)))
        rc = make_row(b);
    if (rc != 0 || b->draining)
        return rc;
    return nans == 0 ? add_numbers(b, p, n) : add_mixed(b, p, n);
}

/* Only the next number is of interest. */
static int
add_draining(struct bucketer *b, const struct sample *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isnan(p[i].value)) {
            bucketer_resolve(b, &p[i]);
            return 1;
        }
    return 0;
}

int
bucketer_add(struct bucketer *b, const struct sample *p, uint32_t n)
{
    int rc = 0;

    while (n > 0 && rc == 0) {
        uint32_t k = 0;

        if (!b->draining && (!b->open || is_beyond(b, p->ts)))
            rc = move_to(b, p->ts);
        if (rc != 0)
            break;
        if (!b->draining) {
            k = run_length(b, p, n);
            rc = add_run(b, p, k);
        }
        if (b->draining)
            return rc != 0 ? rc : add_draining(b, p, n);
        p += k;
        n -= k;
    }
    return rc;
}

/* How many of the n times are in the open bucket; the first is. */
static uint32_t
times_in_bucket(const struct bucketer *b, const int64_t *ts, uint32_t n)
{
    uint32_t lo = 1, hi = n;

    if (!is_beyond(b, ts[n - 1]))
        return n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (is_beyond(b, ts[mid]))
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static int
add_as_samples(struct bucketer *b, const int64_t *ts, const double *v, uint32_t n)
{
    struct sample some[COLUMNS_BATCH];
    int rc = 0;

    while (n > 0 && rc == 0) {
        uint32_t k = MIN(n, (uint32_t)COLUMNS_BATCH);

        for (uint32_t i = 0; i < k; i++)
            some[i] = (struct sample){ts[i], v[i]};
        rc = bucketer_add(b, some, k);
        ts += k;
        v += k;
        n -= k;
    }
    return rc;
}

/* Numbers of one bucket, which has its row and waits for nothing. False: they must come one by one. */
static bool
add_column(struct bucketer *b, const int64_t *ts, const double *v, uint32_t n)
{
    if (b->sums.overflow || !sums_add_column(&b->sums, v, n))
        return false;
    b->has_seen = true;
    b->seen = (struct sample){ts[n - 1], v[n - 1]};
    return true;
}

/* Whatever is the first in its bucket goes the way of all points; that what follows in the same bucket
 * only adds to sums is what makes columns cheap. */
int
bucketer_add_columns(struct bucketer *b, const int64_t *ts, const double *v, uint32_t n)
{
    bool plain = !(b->want & (WANT_AREA | WANT_RANKED)) && !codec_kernels->has_nan(v, n);
    int rc = 0;

    while (n > 0 && rc == 0) {
        uint32_t k = 1;

        if (b->draining || !plain)
            return add_as_samples(b, ts, v, n);
        if (!b->open || is_beyond(b, *ts) || b->sums.n == 0) {
            rc = add_as_samples(b, ts, v, 1);
        } else {
            k = times_in_bucket(b, ts, n);
            if (!add_column(b, ts, v, k))
                rc = add_as_samples(b, ts, v, k);
        }
        ts += k;
        v += k;
        n -= k;
    }
    return rc;
}

bool
bucketer_add_block(struct bucketer *b, const struct block_info *info, int *ret_rc)
{
    const struct sample first = {info->first_ts, info->first}, last = {info->last_ts, info->last};
    const struct sample *near = b->a->reverse ? &last : &first, *far = near == &first ? &last : &first;
    int rc = 0;

    *ret_rc = 0;
    if (b->draining || info->nan_count > 0 || (b->want & (WANT_AREA | WANT_RANKED)) ||
        bucketer_start_of(b, info->first_ts) != bucketer_start_of(b, info->last_ts) ||
        ((b->want & WANT_SUM) && !isfinite(b->sums.sum + info->sum)))
        return false;
    if (!b->open || is_beyond(b, near->ts))
        rc = move_to(b, near->ts);
    if (rc == 0 && !b->draining && !b->has_row && b->takes_numbers)
        rc = make_row(b);
    if (rc == 0 && !b->draining && b->sums.n == 0 && has_waiting(b))
        bucketer_resolve(b, near);
    *ret_rc = rc;
    if (rc != 0)
        return true;
    if (b->draining || !sums_add_block(&b->sums, info, b->a->reverse, b->want))
        return false;
    b->has_seen = true;
    b->seen = *far;
    return true;
}

/* --- both ends -------------------------------------------------------------------------------- */

/* Does it want neighbours? */
static bool
looks_around(const struct aggregation *a)
{
    bool area = false;

    for (uint32_t i = 0; i < a->fn_n; i++)
        area = area || (aggregate_wants(a->fn[i]) & WANT_AREA);
    return a->empty || area;
}

static int
look_before(struct bucketer *b)
{
    const struct aggregation *a = b->a;
    int64_t edge = a->reverse ? a->to : a->from;
    struct sample p;
    int rc = b->neighbour(b->arg, a->reverse, edge, false, &p);

    if (rc <= 0)
        return rc;
    b->leading_gap = true;
    if (isnan(p.value) && (b->want & (WANT_AREA | WANT_LAST)))
        rc = b->neighbour(b->arg, a->reverse, edge, true, &p);
    b->has_seen = rc > 0 && !isnan(p.value);
    b->seen = p;
    return MIN(rc, 0);
}

static int
look_behind(struct bucketer *b)
{
    const struct aggregation *a = b->a;
    int64_t edge = a->reverse ? a->from : a->to;
    int rc = b->neighbour(b->arg, !a->reverse, edge, false, &b->behind);

    b->trailing_gap = rc > 0;
    if (rc > 0 && isnan(b->behind.value))
        rc = b->neighbour(b->arg, !a->reverse, edge, true, &b->behind);
    b->has_behind = rc > 0;
    return MIN(rc, 0);
}

/* What `last` says of the oldest bucket, where that begins before the query does. */
static int
look_older(struct bucketer *b)
{
    wide_time start = bucketer_start_of(b, b->a->from);
    const struct sample *near = b->a->reverse ? b->has_behind ? &b->behind : NULL : b->has_seen ? &b->seen : NULL;
    int rc;

    if (!b->a->empty || !(b->want & WANT_LAST) || near == NULL || near->ts < start || start <= INT64_MIN)
        return 0;
    rc = b->neighbour(b->arg, false, (int64_t)start, true, &b->older);
    b->has_older = rc > 0;
    return MIN(rc, 0);
}

/* Both ways at once: what is not at hand is missed before anything was read. */
int
bucketer_begin(struct bucketer *b)
{
    int rc;

    if (!looks_around(b->a))
        return 0;
    rc = look_before(b);
    if (rc == 0)
        rc = look_behind(b);
    return rc < 0 ? rc : look_older(b);
}

/* With `empty`: the gap behind the last point, when the series goes on beyond it. */
static int
push_trailing(struct bucketer *b)
{
    wide_time step = b->a->reverse ? -(wide_time)b->a->bucket : b->a->bucket;
    wide_time end = bucketer_start_of(b, b->a->reverse ? b->a->from : b->a->to) + step;
    wide_time begin = bucketer_start_of(b, b->a->reverse ? b->a->to : b->a->from) - step;

    if (!b->any && !b->leading_gap)
        return 0;
    return bucketer_push_gap(b, b->any ? b->start : begin, end);
}

int
bucketer_finish(struct bucketer *b)
{
    int rc = 0;

    close_bucket(b);
    if (b->trailing_gap && b->a->empty && !b->draining)
        rc = push_trailing(b);
    if (rc >= 0 && has_waiting(b))
        bucketer_resolve(b, b->has_behind ? &b->behind : NULL);
    return MIN(rc, 0);
}

/* What a bucket takes from beyond its own points: the ends of twa's area, and what twa and last say
 * of gaps. See aggregate_bucket.c.
 *
 * The lines of twa run from number to number, whether buckets lie between or not. A bucket's area
 * reaches from its start (that of the query, if later) to its end (that of the query, if earlier),
 * with `whole` from its start to its end, but not before the series' first number, not beyond its last,
 * and not towards a number of the bucket itself that the query leaves out. In a gap it is the middle
 * of the line. last says the last number before the bucket. */
#include "shards/series/aggregate_priv.h"

#include <math.h>

static double
time_diff(wide_time from, wide_time to)
{
    return (double)(to - from);
}

/* The line through two numbers, older first, at a time between. */
static double
line_at(const struct sample *a, const struct sample *b, wide_time t)
{
    return a->value +
           (b->value - a->value) * time_diff(a->ts, t) / time_diff(a->ts, b->ts);
}

static double
trapezoid(double v1, double v2, wide_time t1, wide_time t2)
{
    return (v1 + v2) / 2 * time_diff(t1, t2);
}

/* The part of a bucket that the query covers. */
static wide_time
covered_from(const struct bucketer *b, wide_time start)
{
    return b->a->whole ? start : MAX(start, (wide_time)b->a->from);
}

static wide_time
covered_to(const struct bucketer *b, wide_time start)
{
    wide_time end = start + b->a->bucket;

    return b->a->whole ? end : MIN(end, (wide_time)b->a->to);
}

/* The side of a covered bucket that reading meets first / last. */
static wide_time
near_side(const struct bucketer *b, wide_time start)
{
    return b->a->reverse ? covered_to(b, start) : covered_from(b, start);
}

static wide_time
far_side(const struct bucketer *b, wide_time start)
{
    return b->a->reverse ? covered_from(b, start) : covered_to(b, start);
}

/* The line of two numbers that follow each other in the stream, at a time between. */
static double
line_between(const struct bucketer *b, const struct sample *p, const struct sample *next,
             wide_time t)
{
    return b->a->reverse ? line_at(next, p, t) : line_at(p, next, t);
}

/* --- areas ------------------------------------------------------------------------------------ */

/* Is t, on the way of the stream, strictly between the two? */
static bool
lies_between(const struct bucketer *b, wide_time first, wide_time second)
{
    return b->a->reverse ? first > second : first < second;
}

void
twa_begin(const struct bucketer *b, struct twa *t, wide_time start, const struct sample *p)
{
    wide_time side = near_side(b, start);

    *t = (struct twa){.any = true, .near_ts = p->ts, .far = *p};
    if (!b->has_seen || !lies_between(b, side, p->ts) || lies_between(b, side, b->seen.ts))
        return;
    t->near_ts = (int64_t)side;
    t->area = trapezoid(line_between(b, &b->seen, p, side), p->value, MIN(side, p->ts),
                        MAX(side, p->ts));
}

void
twa_add(struct twa *t, const struct sample *p, uint32_t n)
{
    double area = t->area;
    struct sample far = t->far;

    for (uint32_t i = 0; i < n; i++) {
        int64_t ts = p[i].ts;

        area += (far.value + p[i].value) / 2 *
                (double)(ts > far.ts ? (uint64_t)ts - (uint64_t)far.ts
                                     : (uint64_t)far.ts - (uint64_t)ts);
        far = p[i];
    }
    t->area = area;
    t->far = far;
}

static double
twa_value(const struct bucketer *b, struct twa *t, wide_time start, const struct sample *next)
{
    wide_time side = far_side(b, start), end = t->far.ts;

    if (next && lies_between(b, t->far.ts, side) && !lies_between(b, next->ts, side)) {
        t->area += trapezoid(t->far.value, line_between(b, &t->far, next, side),
                             MIN(side, t->far.ts), MAX(side, t->far.ts));
        end = side;
    }
    if (end == t->near_ts)
        return t->far.value;
    return t->area / time_diff(MIN(end, t->near_ts), MAX(end, t->near_ts));
}

/* --- gaps ------------------------------------------------------------------------------------- */

/* The last number before the bucket; `p` is one before its end. It lies in the bucket only where that is the
 * oldest one and the query leaves the number out. */
static double
carried(const struct bucketer *b, wide_time start, const struct sample *p)
{
    if (p && p->ts < start)
        return p->value;
    return p && b->has_older ? b->older.value : NAN;
}

static double
gap_twa(const struct bucketer *b, wide_time start, const struct sample *next)
{
    if (!b->has_seen || !next)
        return NAN;
    return (line_between(b, &b->seen, next, covered_from(b, start)) +
            line_between(b, &b->seen, next, covered_to(b, start))) /
           2;
}

static void
fill_row(struct bucketer *b, uint32_t i, const struct sample *next)
{
    wide_time start = b->first_start + (b->a->reverse ? -(wide_time)i : i) * b->a->bucket;
    const struct sample *older = b->a->reverse ? next : b->has_seen ? &b->seen : NULL;
    double *row = series_table_row(b->out, i);
    double last = b->want & WANT_LAST ? carried(b, start, older) : NAN;

    for (uint32_t col = 0; col < b->a->fn_n; col++) {
        if (b->a->fn[col] == AGGREGATE_LAST)
            row[col] = last;
        else if (b->a->fn[col] == AGGREGATE_TWA)
            row[col] = gap_twa(b, start, next);
    }
}

void
bucketer_resolve(struct bucketer *b, const struct sample *next)
{
    /* The open bucket has its row already: it gets its own values. */
    uint32_t end = b->open && b->has_row ? b->out->n - 1 : b->out->n;

    if (b->twa_waits) {
        double v = twa_value(b, &b->waiting, b->twa_start, next);

        for (uint32_t col = 0; col < b->a->fn_n; col++)
            if (b->a->fn[col] == AGGREGATE_TWA)
                series_table_row(b->out, b->twa_row)[col] = v;
        b->twa_waits = false;
    }
    if (b->a->empty && (b->want & (WANT_LAST | WANT_AREA)))
        for (uint32_t i = b->filled; i < end; i++)
            fill_row(b, i, next);
    b->filled = end;
}

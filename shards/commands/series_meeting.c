/* The policies MIN, MAX and SUM: what a point meets, before anything is written. A number and what is none do not
 * meet, and a sum that no double can hold is refused. A point behind all others meets nothing. */
#include "shards/commands/series_args.h"
#include "shards/commands/ts.h"

#include "shards/engine/core.h"

#include <math.h>
#include <stdlib.h>

/* Only values of so much can make a sum of doubles infinite that was not: a smaller one is less than half the last
 * place of the largest double, so rounding takes it away. */
#define SUM_LARGE 0x1p970

static bool
is_large(double value)
{
    return fabs(value) >= SUM_LARGE;
}

struct met {
    bool any;
    double value; /* the newest of its time */
};

static int
met_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(struct met *)arg = (struct met){true, p[n - 1].value};
    return 0;
}

/* False: an error is replied, or ctx->need is set. */
static bool
read_met(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type, int64_t ts,
         struct met *ret)
{
    struct series_query q = {.start = ts, .end = ts, .limit = UINT64_MAX};
    const struct series *s = e ? series_find(entry_series(e), type) : NULL;
    struct sample last;
    uint8_t quality;
    int rc;

    *ret = (struct met){0};
    if (s == NULL || !series_last(s, &last, &quality) || ts > last.ts)
        return true;
    rc = ts_read(c, k, s, &q, met_emit, ret);
    if (rc < 0)
        series_query_failed(c, rc);
    return rc >= 0;
}

static bool
refuse_overflow(struct ctx *c, int64_t ts)
{
    if (!c->probe)
        series_reply_overflow(c, ts);
    return false;
}

static bool
refuse_nan(struct ctx *c, int64_t ts)
{
    if (!c->probe)
        series_reply_nan(c, ts);
    return false;
}

bool
series_meeting_fits(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type,
                    int64_t ts, double value, enum duplicate_policy policy)
{
    struct met met;

    if (likely(policy != DUPLICATE_MIN && policy != DUPLICATE_MAX && policy != DUPLICATE_SUM))
        return true;
    if (!read_met(c, k, e, type, ts, &met))
        return false;
    if (met.any && isnan(met.value))
        return refuse_nan(c, ts);
    return policy != DUPLICATE_SUM || !isinf(met.value + value) || refuse_overflow(c, ts);
}

/* --- sums of a batch: BATCH_WRITE's key, value and timestamp from the i-th argument on ------------- */

static double
point_value(const struct slice *p)
{
    double value;

    memcpy(&value, p[1].p, sizeof(value));
    return value;
}

/* Points that meet stand together. */
static int
compare_places(const struct slice *x, const struct slice *y)
{
    int order = memcmp(x[2].p, y[2].p, sizeof(int64_t));

    if (order == 0)
        order = x[0].n < y[0].n ? -1 : x[0].n > y[0].n;
    return order ? order : memcmp(x[0].p, y[0].p, x[0].n);
}

/* ... in the order in which they are written. */
static int
compare_points(const void *a, const void *b, void *arg)
{
    const struct slice *argv = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    int order = compare_places(argv + i, argv + k);

    return order ? order : (i > k) - (i < k);
}

/* The n points at these places meet each other and what is there, if their series is under SUM. */
static bool
group_fits(struct ctx *c, const uint32_t *at, uint32_t n)
{
    struct key k = key_open(c, c->argv[at[0]]);
    const struct entry *e = key_peek(c, &k);
    bool large = false;
    struct met met;
    int64_t ts;
    double sum;

    if (series_policy(c, e) != DUPLICATE_SUM)
        return true;
    for (uint32_t i = 0; i < n && !large; i++)
        large = is_large(point_value(c->argv + at[i]));
    if (!large)
        return true;
    memcpy(&ts, c->argv[at[0] + 2].p, sizeof(ts));
    if (!read_met(c, &k, e, 0, ts, &met))
        return false;
    sum = met.value;
    for (uint32_t i = 0; i < n; i++)
        sum += point_value(c->argv + at[i]);
    return !isinf(sum) || refuse_overflow(c, ts);
}

static bool
batch_has_large(const struct ctx *c)
{
    for (uint32_t i = 1; i + 2 < c->argc; i += 3)
        if (unlikely(is_large(point_value(c->argv + i))))
            return true;
    return false;
}

bool
series_batch_sums_fit(struct ctx *c)
{
    uint32_t n = (c->argc - 1) / 3, *at, end;

    if (likely(!batch_has_large(c)))
        return true;
    at = scratch_alloc(&c->core->scratch, n * sizeof(*at));
    for (uint32_t i = 0; i < n; i++)
        at[i] = 1 + 3 * i;
    qsort_r(at, n, sizeof(*at), compare_points, c->argv);
    for (uint32_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n; end++)
            if (compare_places(c->argv + at[i], c->argv + at[end]) != 0)
                break;
        if (!group_fits(c, at + i, end - i))
            return false;
    }
    return true;
}

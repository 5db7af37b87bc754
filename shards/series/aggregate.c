/* What the functions look at, and the arithmetic of one bucket. See aggregate.h. */
#include "shards/series/aggregate_priv.h"
#include "shards/series/codec_kernels.h"

#include <float.h>
#include <math.h>

/* --- table ------------------------------------------------------------------------------------ */

struct aggregate_row {
    unsigned want;
    double empty;
};

static const struct aggregate_row table[AGGREGATE_N] = {
    [AGGREGATE_AVG] = {WANT_SUM, NAN},
    [AGGREGATE_SUM] = {WANT_SUM, 0},
    [AGGREGATE_MIN] = {WANT_BOUNDS, NAN},
    [AGGREGATE_MAX] = {WANT_BOUNDS, NAN},
    [AGGREGATE_RANGE] = {WANT_BOUNDS, NAN},
    [AGGREGATE_COUNT] = {0, 0},
    [AGGREGATE_STD_P] = {WANT_SUM | WANT_SQUARES, NAN},
    [AGGREGATE_STD_S] = {WANT_SUM | WANT_SQUARES, NAN},
    [AGGREGATE_VAR_P] = {WANT_SUM | WANT_SQUARES, NAN},
    [AGGREGATE_VAR_S] = {WANT_SUM | WANT_SQUARES, NAN},
    [AGGREGATE_FIRST] = {0, NAN},
    [AGGREGATE_LAST] = {WANT_LAST, NAN},
    [AGGREGATE_TWA] = {WANT_AREA, NAN},
    [AGGREGATE_COUNT_NAN] = {0, 0},
    [AGGREGATE_COUNT_ALL] = {0, 0},
    [AGGREGATE_P50] = {WANT_RANKED, NAN},
    [AGGREGATE_P95] = {WANT_RANKED, NAN},
    [AGGREGATE_P99] = {WANT_RANKED, NAN},
};

double
aggregate_empty(enum aggregate fn)
{
    ASSERT(fn < AGGREGATE_N);
    return table[fn].empty;
}

unsigned
aggregate_wants(enum aggregate fn)
{
    ASSERT(fn < AGGREGATE_N);
    return table[fn].want;
}

/* --- adding ----------------------------------------------------------------------------------- */

const struct sums sums_none = {.min = INFINITY, .max = -INFINITY};

/* The sum of the n numbers before was finite and is not with v any more; from here on there is a
 * mean, weighted anew with each number. */
static void
mean_add(struct sums *s, uint64_t n, double v)
{
    if (!s->overflow) {
        s->overflow = true;
        s->mean = n ? (long double)s->sum / n : 0;
    }
    s->mean = s->mean * n / (n + 1) + (long double)v / (n + 1);
}

void
sums_add(struct sums *s, double v)
{
    if (isnan(v)) {
        s->nans++;
        return;
    }
    if (unlikely(s->overflow || (isinf(s->sum + v) && isfinite(s->sum) && isfinite(v))))
        mean_add(s, s->n, v);
    if (s->n++ == 0)
        s->first = v;
    s->last = v;
    s->sum += v;
    s->sum_squares += v * v;
    s->min = v < s->min ? v : s->min;
    s->max = v > s->max ? v : s->max;
}

/* One loop for each set of wants, all in registers. */
static inline __attribute__((always_inline)) void
add_loop(struct sums *s, const struct sample *p, uint32_t n, unsigned want)
{
    double sum = s->sum, squares = s->sum_squares, min = s->min, max = s->max;

    for (uint32_t i = 0; i < n; i++) {
        double v = p[i].value;

        if (want & WANT_SUM)
            sum += v;
        if (want & WANT_SQUARES)
            squares += v * v;
        if (want & WANT_BOUNDS) {
            min = v < min ? v : min;
            max = v > max ? v : max;
        }
    }
    s->sum = sum;
    s->sum_squares = squares;
    s->min = min;
    s->max = max;
}

static void
add_by_want(struct sums *s, const struct sample *p, uint32_t n, unsigned want)
{
    switch (want & (WANT_SUM | WANT_SQUARES | WANT_BOUNDS)) {
    case 0:
        break;
    case WANT_SUM:
        add_loop(s, p, n, WANT_SUM);
        break;
    case WANT_BOUNDS:
        add_loop(s, p, n, WANT_BOUNDS);
        break;
    case WANT_SUM | WANT_SQUARES:
        add_loop(s, p, n, WANT_SUM | WANT_SQUARES);
        break;
    default:
        add_loop(s, p, n, WANT_SUM | WANT_SQUARES | WANT_BOUNDS);
    }
}

void
sums_add_numbers(struct sums *s, const struct sample *p, uint32_t n, unsigned want)
{
    struct sums before = *s;

    if (n == 0)
        return;
    add_by_want(s, p, n, want);
    if (unlikely((want & WANT_SUM) && !isfinite(s->sum))) {
        *s = before;
        for (uint32_t i = 0; i < n; i++)
            sums_add(s, p[i].value);
        return;
    }
    if (s->n == 0)
        s->first = p[0].value;
    s->last = p[n - 1].value;
    s->n += n;
}

bool
sums_add_column(struct sums *s, const double *v, uint32_t n)
{
    struct kernel_fold f = {s->sum, s->sum_squares, s->min, s->max};

    codec_kernels->fold(v, n, &f);
    if (unlikely(!isfinite(f.sum)))
        return false;
    if (s->n == 0)
        s->first = v[0];
    s->last = v[n - 1];
    s->n += n;
    s->sum = f.sum;
    s->sum_squares = f.sum_squares;
    s->min = f.min;
    s->max = f.max;
    return true;
}

bool
sums_add_block(struct sums *s, const struct block_info *info, bool reverse, unsigned want)
{
    double sum = s->sum + info->sum, squares = s->sum_squares + info->sum_squares;

    if ((want & WANT_SUM) && !isfinite(sum))
        return false;
    if (s->n == 0)
        s->first = reverse ? info->last : info->first;
    s->last = reverse ? info->first : info->last;
    s->n += info->count;
    s->sum = sum;
    s->sum_squares = squares;
    s->min = info->min < s->min ? info->min : s->min;
    s->max = info->max > s->max ? info->max : s->max;
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Of the whole population, as RedisTimeSeries takes it: the order of operations matters to the last
 * digit. */
static double
variance_p(const struct sums *s)
{
    double n = (double)s->n, mean = s->sum / n;

    return (s->sum_squares - 2 * s->sum * s->sum / n + mean * mean * n) / n;
}

static double
variance_s(const struct sums *s)
{
    double n = (double)s->n;

    return s->n == 1 ? 0 : variance_p(s) * n / (n - 1);
}

static double
average(const struct sums *s)
{
    return s->overflow ? (double)s->mean : s->sum / (double)s->n;
}

static double
value_of_numbers(const struct sums *s, enum aggregate fn)
{
    switch (fn) {
    case AGGREGATE_AVG:
        return average(s);
    case AGGREGATE_SUM:
        return s->sum;
    case AGGREGATE_MIN:
        return s->min;
    case AGGREGATE_MAX:
        return s->max;
    case AGGREGATE_RANGE:
        return s->max - s->min;
    case AGGREGATE_STD_P:
        return sqrt(variance_p(s));
    case AGGREGATE_STD_S:
        return sqrt(variance_s(s));
    case AGGREGATE_VAR_P:
        return variance_p(s);
    case AGGREGATE_VAR_S:
        return variance_s(s);
    case AGGREGATE_FIRST:
        return s->first;
    case AGGREGATE_LAST:
        return s->last;
    default:
        ASSERT(!"a function of sums");
        return NAN;
    }
}

double
sums_value(const struct sums *s, enum aggregate fn)
{
    switch (fn) {
    case AGGREGATE_COUNT:
        return (double)s->n;
    case AGGREGATE_COUNT_NAN:
        return (double)s->nans;
    case AGGREGATE_COUNT_ALL:
        return (double)(s->n + s->nans);
    default:
        return s->n == 0 ? aggregate_empty(fn) : value_of_numbers(s, fn);
    }
}

/* The aggregation against a model that looks at the whole series for each bucket. */
#include "shards/series/aggregate.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define POINTS_MAX 40
#define ROUNDS 300000

static uint64_t state;

static uint32_t
random_below(uint32_t n)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((state >> 33) % n);
}

/* --- the model -------------------------------------------------------------------------------- */

struct series_of_points {
    struct sample p[POINTS_MAX];
    uint32_t n;
};

static int64_t
floor_bucket(const struct aggregation *a, int64_t ts)
{
    int64_t into = (ts - a->align) % a->bucket;

    return ts - (into < 0 ? into + a->bucket : into);
}

/* Index of the next number after (before) ts, -1 = none. */
static int
find_number(const struct series_of_points *s, bool after, int64_t ts, bool number)
{
    int found = -1;

    for (uint32_t i = 0; i < s->n; i++) {
        if (number && isnan(s->p[i].value))
            continue;
        if (after && s->p[i].ts > ts)
            return (int)i;
        if (!after && s->p[i].ts < ts)
            found = (int)i;
    }
    return found;
}

static double
model_line(const struct sample *a, const struct sample *b, int64_t t)
{
    return a->value + (b->value - a->value) * (double)(t - a->ts) / (double)(b->ts - a->ts);
}

static double
model_area(int64_t t1, double v1, int64_t t2, double v2)
{
    return (v1 + v2) / 2 * (double)(t2 - t1);
}

/* The numbers of a bucket that are in the query, oldest first. */
static uint32_t
numbers_of(const struct series_of_points *s, const struct aggregation *a, int64_t start,
           struct sample *ret)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n; i++)
        if (!isnan(s->p[i].value) && s->p[i].ts >= start && s->p[i].ts < start + a->bucket &&
            s->p[i].ts >= a->from && s->p[i].ts <= a->to)
            ret[n++] = s->p[i];
    return n;
}

static uint32_t
nans_of(const struct series_of_points *s, const struct aggregation *a, int64_t start)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n; i++)
        n += isnan(s->p[i].value) && s->p[i].ts >= start && s->p[i].ts < start + a->bucket &&
             s->p[i].ts >= a->from && s->p[i].ts <= a->to;
    return n;
}

static double
model_twa(const struct series_of_points *s, const struct aggregation *a, int64_t start,
          const struct sample *p, uint32_t n)
{
    int64_t from = MAX(start, a->from), to = MIN(start + a->bucket, a->to), begin, end;
    double part[POINTS_MAX + 2], area = 0;
    uint32_t parts = 0;
    int before, after;

    if (n == 0) {
        before = find_number(s, false, from + 1, true);
        after = find_number(s, true, to - 1, true);
        /* numbers of the bucket itself that the query leaves out stand on both sides */
        if (!a->empty || before < 0 || after < 0)
            return NAN;
        return (model_line(&s->p[before], &s->p[after], from) +
                model_line(&s->p[before], &s->p[after], to)) /
               2;
    }
    before = find_number(s, false, p[0].ts, true);
    after = find_number(s, true, p[n - 1].ts, true);
    if (a->whole) {
        from = start;
        to = start + a->bucket;
        before = before >= 0 && s->p[before].ts > from ? -1 : before;
        after = after >= 0 && s->p[after].ts < to ? -1 : after;
    }
    begin = p[0].ts;
    end = p[n - 1].ts;
    if (before >= 0 && from < begin) {
        part[parts++] = model_area(from, model_line(&s->p[before], &p[0], from), begin, p[0].value);
        begin = from;
    }
    for (uint32_t i = 1; i < n; i++)
        part[parts++] = model_area(p[i - 1].ts, p[i - 1].value, p[i].ts, p[i].value);
    if (after >= 0 && to > end) {
        part[parts++] =
            model_area(end, p[n - 1].value, to, model_line(&p[n - 1], &s->p[after], to));
        end = to;
    }
    if (begin == end)
        return a->reverse ? p[0].value : p[n - 1].value;
    for (uint32_t i = 0; i < parts; i++)
        area += part[a->reverse ? parts - 1 - i : i];
    return area / (double)(end - begin);
}

static int
compare_values(const void *a, const void *b)
{
    double x = ((const struct sample *)a)->value, y = ((const struct sample *)b)->value;

    return (x > y) - (x < y);
}

static double
model_rank(const struct sample *p, uint32_t n, double percent)
{
    struct sample sorted[POINTS_MAX];

    if (n == 0)
        return NAN;
    memcpy(sorted, p, n * sizeof(*p));
    qsort(sorted, n, sizeof(*sorted), compare_values);
    return sorted[(uint32_t)ceil(n * percent / 100) - 1].value;
}

static double
model_spread(enum aggregate fn, double sum, double squares, double n)
{
    double mean = sum / n, v = (squares - 2 * sum * sum / n + mean * mean * n) / n;

    if (fn == AGGREGATE_VAR_S || fn == AGGREGATE_STD_S)
        v = n == 1 ? 0 : v * n / (n - 1);
    return fn == AGGREGATE_STD_P || fn == AGGREGATE_STD_S ? sqrt(v) : v;
}

static double
model_value(const struct series_of_points *s, const struct aggregation *a, enum aggregate fn,
            int64_t start)
{
    struct sample p[POINTS_MAX];
    uint32_t n = numbers_of(s, a, start, p), nans = nans_of(s, a, start);
    double sum = 0, squares = 0, min = INFINITY, max = -INFINITY;
    int i;

    for (uint32_t k = 0; k < n; k++) {
        double v = p[a->reverse ? n - 1 - k : k].value;
        sum += v;
        squares += v * v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    switch (fn) {
    case AGGREGATE_COUNT:
        return n;
    case AGGREGATE_COUNT_NAN:
        return nans;
    case AGGREGATE_COUNT_ALL:
        return n + nans;
    case AGGREGATE_SUM:
        return sum;
    case AGGREGATE_TWA:
        return model_twa(s, a, start, p, n);
    case AGGREGATE_LAST:
        i = find_number(s, false, start, true);
        return n ? p[n - 1].value : a->empty && i >= 0 ? s->p[i].value : NAN;
    default:
        break;
    }
    if (n == 0)
        return NAN;
    switch (fn) {
    case AGGREGATE_AVG:
        return sum / n;
    case AGGREGATE_MIN:
        return min;
    case AGGREGATE_MAX:
        return max;
    case AGGREGATE_RANGE:
        return max - min;
    case AGGREGATE_FIRST:
        return p[0].value;
    case AGGREGATE_P50:
        return model_rank(p, n, 50);
    case AGGREGATE_P95:
        return model_rank(p, n, 95);
    case AGGREGATE_P99:
        return model_rank(p, n, 99);
    default:
        return model_spread(fn, sum, squares, n);
    }
}

static bool
model_has_row(const struct series_of_points *s, const struct aggregation *a, int64_t start)
{
    struct sample p[POINTS_MAX];
    uint32_t n = numbers_of(s, a, start, p), nans = nans_of(s, a, start);

    if (a->empty)
        return true;
    for (uint32_t i = 0; i < a->fn_n; i++) {
        if (a->fn[i] == AGGREGATE_COUNT_ALL && n + nans > 0)
            return true;
        if (a->fn[i] == AGGREGATE_COUNT_NAN && nans > 0)
            return true;
        if (a->fn[i] != AGGREGATE_COUNT_NAN && n > 0)
            return true;
    }
    return false;
}

/* First and last bucket; false: no rows. */
static bool
model_span(const struct series_of_points *s, const struct aggregation *a, int64_t *ret_lo,
           int64_t *ret_hi)
{
    bool before = find_number(s, false, a->from, false) >= 0;
    bool after = find_number(s, true, a->to, false) >= 0;
    int first = -1, last = -1;

    for (uint32_t i = 0; i < s->n; i++)
        if (s->p[i].ts >= a->from && s->p[i].ts <= a->to) {
            first = first < 0 ? (int)i : first;
            last = (int)i;
        }
    if (first < 0 && !(a->empty && before && after))
        return false;
    *ret_lo = floor_bucket(a, a->empty && before ? a->from : s->p[MAX(first, 0)].ts);
    *ret_hi = floor_bucket(a, a->empty && after ? a->to : s->p[MAX(last, 0)].ts);
    return true;
}

static void
model_run(const struct series_of_points *s, const struct aggregation *a, struct series_table *out)
{
    int64_t lo, hi;

    if (!model_span(s, a, &lo, &hi))
        return;
    for (int64_t t = a->reverse ? hi : lo; t >= lo && t <= hi && out->n < a->limit;
         t += a->reverse ? -a->bucket : a->bucket) {
        double *row;
        int64_t stamp = t < 0 && t + a->bucket > 0 ? 0 : t;

        if (!model_has_row(s, a, t))
            continue;
        stamp += a->stamp == BUCKET_MID ? a->bucket / 2 : a->stamp == BUCKET_END ? a->bucket : 0;
        row = series_table_push(out, stamp);
        for (uint32_t i = 0; i < a->fn_n; i++)
            row[i] = model_value(s, a, a->fn[i], t);
    }
}

/* --- the module ------------------------------------------------------------------------------- */

static int
neighbour(void *arg, bool after, int64_t ts, bool number, struct sample *ret_sample)
{
    const struct series_of_points *s = arg;
    int i = find_number(s, after, ts, number);

    if (i < 0)
        return 0;
    *ret_sample = s->p[i];
    return 1;
}

static void
block_of(const struct sample *p, uint32_t n, struct block_info *ret)
{
    struct samples in = {(struct sample *)p, NULL, n};
    struct buf bytes = {0};

    block_encode(&in, BLOCK_SMALL, &bytes);
    cr_assert(block_read_info((struct slice){bytes.p, bytes.n}, ret));
    buf_fini(&bytes);
}

static int
add_as_columns(struct bucketer *b, const struct sample *p, uint32_t n)
{
    int64_t ts[POINTS_MAX];
    double v[POINTS_MAX];

    for (uint32_t i = 0; i < n; i++) {
        ts[i] = p[i].ts;
        v[i] = p[i].value;
    }
    return bucketer_add_columns(b, ts, v, n);
}

/* Feeds the points of the query in pieces; some as blocks when `blocks`. */
static int
feed(struct bucketer *b, const struct series_of_points *s, const struct aggregation *a, bool blocks)
{
    struct sample p[POINTS_MAX], turned[POINTS_MAX];
    uint32_t n = 0, k;
    int rc = 0;

    for (uint32_t i = 0; i < s->n; i++)
        if (s->p[i].ts >= a->from && s->p[i].ts <= a->to)
            p[n++] = s->p[i];
    for (uint32_t i = 0; i < n; i++)
        turned[i] = p[n - 1 - i];
    for (uint32_t i = 0; i < n && rc == 0; i += k) {
        struct block_info info;

        k = 1 + random_below(n - i);
        if (blocks && random_below(2)) {
            block_of(a->reverse ? p + n - i - k : p + i, k, &info);
            if (bucketer_add_block(b, &info, &rc))
                continue;
        }
        rc = random_below(2) ? bucketer_add(b, (a->reverse ? turned : p) + i, k)
                             : add_as_columns(b, (a->reverse ? turned : p) + i, k);
    }
    return rc;
}

static void
module_run(const struct series_of_points *s, const struct aggregation *a, bool blocks,
           struct series_table *out)
{
    struct bucketer *b = bucketer_create(a, neighbour, (void *)s, out);

    cr_assert_eq(bucketer_begin(b), 0);
    cr_assert_geq(feed(b, s, a, blocks), 0);
    cr_assert_eq(bucketer_finish(b), 0);
    bucketer_destroy(&b);
    cr_assert_null(b);
}

static bool
same(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static void
show(const struct series_of_points *s, const struct aggregation *a, const struct series_table *t,
     const char *who)
{
    if (s) {
        fprintf(stderr, "from %ld to %ld bucket %ld align %ld stamp %d empty %d rev %d limit %lu\n",
                (long)a->from, (long)a->to, (long)a->bucket, (long)a->align, a->stamp, a->empty,
                a->reverse, (unsigned long)a->limit);
        for (uint32_t i = 0; i < s->n; i++)
            fprintf(stderr, " (%ld %.17g)", (long)s->p[i].ts, s->p[i].value);
        for (uint32_t i = 0; i < a->fn_n; i++)
            fprintf(stderr, " %s", aggregate_name(a->fn[i], false));
    }
    fprintf(stderr, "\n%s:", who);
    for (uint32_t i = 0; i < t->n; i++) {
        fprintf(stderr, " [%ld", (long)t->ts[i]);
        for (uint32_t k = 0; k < t->cols; k++)
            fprintf(stderr, " %.17g", series_table_row(t, i)[k]);
        fprintf(stderr, "]");
    }
    fprintf(stderr, "\n");
}

static void
compare(const struct series_of_points *s, const struct aggregation *a, bool blocks)
{
    struct series_table want = {.cols = a->fn_n}, got = {.cols = a->fn_n};
    bool equal;

    model_run(s, a, &want);
    module_run(s, a, blocks, &got);
    equal = want.n == got.n;
    for (uint32_t i = 0; equal && i < want.n; i++) {
        equal = want.ts[i] == got.ts[i];
        for (uint32_t k = 0; equal && k < want.cols; k++)
            equal = same(series_table_row(&want, i)[k], series_table_row(&got, i)[k]);
    }
    if (!equal) {
        show(s, a, &want, "want");
        show(NULL, a, &got, "got");
    }
    cr_assert(equal);
    series_table_fini(&want);
    series_table_fini(&got);
}

/* --- random queries --------------------------------------------------------------------------- */

static int
compare_times(const void *a, const void *b)
{
    int64_t x = ((const struct sample *)a)->ts, y = ((const struct sample *)b)->ts;

    return (x > y) - (x < y);
}

static void
random_series(struct series_of_points *s, bool whole, bool repeats)
{
    uint32_t span = 1 + random_below(200);
    int64_t base = (int64_t)random_below(300) - 150;

    s->n = random_below(POINTS_MAX + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        s->p[i].ts = base + random_below(span);
        s->p[i].value = (double)random_below(2000) - 1000;
        if (!whole)
            s->p[i].value /= 7;
        if (random_below(6) == 0)
            s->p[i].value = NAN;
    }
    qsort(s->p, s->n, sizeof(*s->p), compare_times);
    if (repeats || s->n == 0)
        return;
    for (uint32_t i = 1, n = s->n; i < n; i++)
        if (s->p[i].ts <= s->p[i - 1].ts)
            s->p[i].ts = s->p[i - 1].ts + 1;
}

static void
random_query(struct aggregation *a)
{
    *a = (struct aggregation){.fn_n = 1 + random_below(4),
                              .bucket = 1 + random_below(60),
                              .align = (int64_t)random_below(100) - 50,
                              .stamp = (enum bucket_stamp)random_below(3),
                              .empty = random_below(2),
                              .reverse = random_below(2),
                              .from = (int64_t)random_below(400) - 200,
                              .limit = random_below(2) ? UINT64_MAX : 1 + random_below(8)};
    a->to = a->from + random_below(200);
    a->whole = !a->empty && random_below(4) == 0;
    for (uint32_t i = 0; i < a->fn_n; i++)
        a->fn[i] = (uint8_t)random_below(AGGREGATE_N);
}

Test(aggregate, equals_the_model_for_every_option)
{
    struct series_of_points s;
    struct aggregation a;

    state = 1;
    for (int i = 0; i < ROUNDS; i++) {
        random_series(&s, false, false);
        random_query(&a);
        compare(&s, &a, false);
    }
}

Test(aggregate, headers_of_blocks_say_the_same_as_their_points)
{
    struct series_of_points s;
    struct aggregation a;

    state = 2;
    for (int i = 0; i < ROUNDS / 3; i++) {
        random_series(&s, true, true);
        random_query(&a);
        for (uint32_t k = 0; k < a.fn_n; k++)
            if (a.fn[k] == AGGREGATE_TWA)
                a.fn[k] = AGGREGATE_RANGE;
        compare(&s, &a, true);
    }
}

/* --- single things ---------------------------------------------------------------------------- */

Test(aggregate, names_are_found_in_any_case)
{
    enum aggregate fn;

    for (int i = 0; i < AGGREGATE_N; i++) {
        cr_assert(aggregate_parse(slice_of(aggregate_name((enum aggregate)i, true)), &fn));
        cr_assert_eq((int)fn, i);
        cr_assert(aggregate_parse(slice_of(aggregate_name((enum aggregate)i, false)), &fn));
        cr_assert_eq((int)fn, i);
    }
    cr_assert_not(aggregate_parse(SLICE("median"), &fn));
    cr_assert_not(aggregate_parse(SLICE(""), &fn));
}

Test(aggregate, buckets_at_both_ends_of_time_are_cut_there)
{
    cr_assert_eq(bucket_start(INT64_MIN, 10, 0), INT64_MIN);
    cr_assert_eq(bucket_start(INT64_MAX, 10, 0), INT64_MAX - 7);
    cr_assert_eq(bucket_start(INT64_MIN, INT64_MAX, INT64_MAX), INT64_MIN);
    cr_assert_eq(bucket_start(-1, 10, 0), -10);
    cr_assert_eq(bucket_start(5, 10, 7), -3);
    cr_assert_eq(bucket_time(-3, 10, BUCKET_START), 0);
    cr_assert_eq(bucket_time(-10, 10, BUCKET_START), -10);
    cr_assert_eq(bucket_time(INT64_MAX - 7, 10, BUCKET_END), INT64_MAX);
}

static struct aggregation
one_function(enum aggregate fn)
{
    return (struct aggregation){.fn = {(uint8_t)fn}, .fn_n = 1, .bucket = 10,
                                .from = INT64_MIN, .to = INT64_MAX, .limit = UINT64_MAX};
}

Test(aggregate, points_at_both_ends_of_time)
{
    struct series_of_points s = {.p = {{INT64_MIN, 1}, {INT64_MAX, 3}}, .n = 2};
    struct aggregation a = one_function(AGGREGATE_TWA);
    struct series_table out = {.cols = 1};

    module_run(&s, &a, false, &out);
    cr_assert_eq(out.n, 2);
    cr_assert_eq(out.ts[0], INT64_MIN);
    cr_assert_eq(out.ts[1], INT64_MAX - 7);
    cr_assert_float_eq(out.v[0], 1, 1e-9);
    cr_assert_float_eq(out.v[1], 3, 1e-9);
    series_table_fini(&out);
}

Test(aggregate, too_many_buckets_is_an_error_and_no_more_memory_than_that)
{
    struct series_of_points s = {.p = {{0, 1}, {INT64_MAX / 2, 3}}, .n = 2};
    struct aggregation a = one_function(AGGREGATE_MIN);
    struct series_table out = {.cols = 1};
    struct bucketer *b = bucketer_create(&a, neighbour, &s, &out);

    a.empty = true;
    cr_assert_eq(bucketer_begin(b), 0);
    cr_assert_eq(bucketer_add(b, s.p, 2), -E2BIG);
    cr_assert_eq(out.n, AGGREGATE_ROWS_MAX);
    bucketer_destroy(&b);
    series_table_fini(&out);
}

Test(aggregate, a_limit_cuts_a_gap_of_any_length)
{
    struct series_of_points s = {.p = {{0, 1}, {INT64_MAX / 2, 3}}, .n = 2};
    struct aggregation a = one_function(AGGREGATE_LAST);
    struct series_table out = {.cols = 1};

    a.empty = true;
    a.limit = 5;
    module_run(&s, &a, false, &out);
    cr_assert_eq(out.n, 5);
    cr_assert_eq(out.v[4], 1);
    out.n = 0;
    a.reverse = true;
    module_run(&s, &a, false, &out);
    cr_assert_eq(out.n, 5);
    cr_assert_eq(out.v[0], 3);
    cr_assert_eq(out.v[4], 1);
    series_table_fini(&out);
}

Test(aggregate, an_average_does_not_overflow_with_its_sum)
{
    struct series_of_points s = {.n = 4};
    struct aggregation a = one_function(AGGREGATE_AVG);
    struct series_table out = {.cols = 2};

    a.fn[a.fn_n++] = AGGREGATE_SUM;
    for (uint32_t i = 0; i < s.n; i++)
        s.p[i] = (struct sample){(int64_t)i, DBL_MAX / (i + 1)};
    module_run(&s, &a, false, &out);
    cr_assert_eq(out.n, 1);
    cr_assert_float_eq(out.v[0] / (DBL_MAX / 4 * (25.0 / 12)), 1, 1e-15);
    cr_assert(isinf(out.v[1]));
    series_table_fini(&out);
}

Test(aggregate, percentiles_rank_any_number_and_refuse_too_many)
{
    struct aggregation a = one_function(AGGREGATE_P95);
    struct series_table out = {.cols = 1};
    struct bucketer *b = bucketer_create(&a, neighbour, &(struct series_of_points){0}, &out);
    uint32_t n = AGGREGATE_RANKED_MAX;
    struct sample *p = malloc((n + 1) * sizeof(*p));

    cr_assert(p);
    for (uint32_t i = 0; i <= n; i++)
        p[i] = (struct sample){1, (double)(int64_t)((i * 2654435761u) % n) - n / 2};
    cr_assert_eq(bucketer_begin(b), 0);
    cr_assert_eq(bucketer_add(b, p, 100), 0);
    cr_assert_eq(bucketer_add(b, p + 100, n - 100), 0);
    cr_assert_eq(bucketer_finish(b), 0);
    cr_assert_eq(out.v[0], ceil(n * 0.95) - 1 - n / 2);
    bucketer_destroy(&b);
    out.n = 0;
    b = bucketer_create(&a, neighbour, &(struct series_of_points){0}, &out);
    cr_assert_eq(bucketer_add(b, p, n), 0);
    cr_assert_eq(bucketer_add(b, p + n, 1), -EOVERFLOW);
    bucketer_destroy(&b);
    series_table_fini(&out);
    free(p);
}

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Numbers of every kind of spread: all over the range, near zero, few different ones, the same one. */
static double
some_number(int kind, uint32_t i)
{
    static const double few[] = {-INFINITY, -1.5, 0, 1.5, INFINITY};
    uint64_t r = (i + 1) * 0x9e3779b97f4a7c15ull;
    double unit = (double)(r >> 11) / (double)(1ull << 53);

    switch (kind) {
    case 0:
        return (unit - 0.5) * DBL_MAX;
    case 1:
        return (unit - 0.5) * DBL_MIN;
    case 2:
        return 20 + floor(unit * 100) / 10;
    case 3:
        return few[r >> 32 & 3];
    case 4:
        return few[(r >> 32) % 5];
    default:
        return 7;
    }
}

Test(aggregate, percentiles_are_those_of_sorted_numbers)
{
    static const enum aggregate fn[] = {AGGREGATE_P50, AGGREGATE_P95, AGGREGATE_P99};
    static const uint32_t sizes[] = {1, 2, 3, 100, 3600, 20000};
    double sorted[20000];
    struct sample *p = malloc(sizeof(*p) * ARRAY_SIZE(sorted));

    cr_assert(p);
    for (int kind = 0; kind < 6; kind++)
        for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
            struct aggregation a = one_function(AGGREGATE_P50);
            struct series_table out = {.cols = 3};
            const uint32_t n = sizes[s];
            struct bucketer *b;

            a.fn[a.fn_n++] = AGGREGATE_P95;
            a.fn[a.fn_n++] = AGGREGATE_P99;
            for (uint32_t i = 0; i < n; i++) {
                sorted[i] = some_number(kind, i);
                p[i] = (struct sample){1, sorted[i]};
            }
            qsort(sorted, n, sizeof(*sorted), compare_doubles);
            b = bucketer_create(&a, neighbour, &(struct series_of_points){0}, &out);
            cr_assert_eq(bucketer_begin(b), 0);
            cr_assert_eq(bucketer_add(b, p, n), 0);
            cr_assert_eq(bucketer_finish(b), 0);
            for (size_t i = 0; i < ARRAY_SIZE(fn); i++) {
                double percent = fn[i] == AGGREGATE_P50 ? 50 : fn[i] == AGGREGATE_P95 ? 95 : 99;

                cr_assert_eq(out.v[i], sorted[(uint32_t)ceil(n * percent / 100) - 1], "kind %d, n %u, p%g", kind,
                             n, percent);
            }
            bucketer_destroy(&b);
            series_table_fini(&out);
        }
    free(p);
}

Test(aggregate, sums_of_single_values_agree_with_the_functions)
{
    struct sums s = sums_none;

    cr_assert(isnan(sums_value(&s, AGGREGATE_AVG)));
    cr_assert_eq(sums_value(&s, AGGREGATE_SUM), 0);
    sums_add(&s, 3);
    sums_add(&s, NAN);
    sums_add(&s, 5);
    cr_assert_eq(sums_value(&s, AGGREGATE_AVG), 4);
    cr_assert_eq(sums_value(&s, AGGREGATE_RANGE), 2);
    cr_assert_eq(sums_value(&s, AGGREGATE_VAR_P), 1);
    cr_assert_eq(sums_value(&s, AGGREGATE_VAR_S), 2);
    cr_assert_eq(sums_value(&s, AGGREGATE_FIRST), 3);
    cr_assert_eq(sums_value(&s, AGGREGATE_LAST), 5);
    cr_assert_eq(sums_value(&s, AGGREGATE_COUNT), 2);
    cr_assert_eq(sums_value(&s, AGGREGATE_COUNT_NAN), 1);
    cr_assert_eq(sums_value(&s, AGGREGATE_COUNT_ALL), 3);
}

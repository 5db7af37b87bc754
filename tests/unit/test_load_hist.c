/* The load generator's histogram against exact quantiles of the same observations. */
#include "bench/load_hist.h"
#include "bench/load_random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#define VALUES 20000
#define ERROR_MAX 0.01

static const double quantiles[] = {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

static struct load_hist *
new_hist(void)
{
    struct load_hist *h = malloc(sizeof(*h));

    cr_assert_not_null(h);
    load_hist_init(h);
    return h;
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The smallest value that at least the share q does not exceed. */
static uint64_t
exact_quantile(const uint64_t *sorted, size_t n, double q)
{
    size_t want = (size_t)ceil(q * (double)n);

    return sorted[want ? want - 1 : 0];
}

static void
expect_quantiles(uint64_t *values, size_t n)
{
    struct load_hist *h = new_hist();
    size_t i;

    for (i = 0; i < n; i++)
        load_hist_add(h, values[i], 1);
    qsort(values, n, sizeof(*values), by_value);
    cr_assert_eq(h->min_ns, values[0]);
    cr_assert_eq(h->max_ns, values[n - 1]);
    for (i = 0; i < ARRAY_SIZE(quantiles); i++) {
        double exact = (double)exact_quantile(values, n, quantiles[i]);
        double got = (double)load_hist_quantile(h, quantiles[i]);

        cr_assert_leq(fabs(got - exact), exact * ERROR_MAX, "q=%g: %g instead of %g", quantiles[i],
                      got, exact);
    }
    free(h);
}

Test(load_hist, every_magnitude_is_within_one_percent)
{
    uint64_t values[VALUES];
    struct load_rng rng = {7};
    size_t i, bits;

    for (bits = 1; bits < LOAD_HIST_VALUE_BITS; bits++) {
        for (i = 0; i < VALUES / 10; i++)
            values[i] = load_rng_below(&rng, 1ULL << bits);
        expect_quantiles(values, VALUES / 10);
    }
}

Test(load_hist, long_tail_is_within_one_percent)
{
    uint64_t values[VALUES];
    struct load_rng rng = {8};
    size_t i;

    for (i = 0; i < VALUES; i++)
        values[i] = (uint64_t)(20000.0 / pow(1.0 - load_rng_unit(&rng), 1.5));
    expect_quantiles(values, VALUES);
}

Test(load_hist, one_value_is_every_quantile_exactly)
{
    static const uint64_t values[] = {0,   1,   127,     128,        255,
                                      256, 257, 1000003, 1ULL << 41, 12345678901ULL};
    size_t i, j;

    for (i = 0; i < ARRAY_SIZE(values); i++) {
        struct load_hist *h = new_hist();

        load_hist_add(h, values[i], 3);
        for (j = 0; j < ARRAY_SIZE(quantiles); j++)
            cr_assert_eq(load_hist_quantile(h, quantiles[j]), values[i]);
        cr_assert_float_eq(load_hist_mean(h), (double)values[i], 1e-6);
        free(h);
    }
}

Test(load_hist, empty_one_answers_zero)
{
    struct load_hist *h = new_hist();

    load_hist_add(h, 5, 0);
    cr_assert_eq(h->count, 0);
    cr_assert_eq(load_hist_quantile(h, 0.99), 0);
    cr_assert_eq(load_hist_mean(h), 0.0);
    free(h);
}

Test(load_hist, value_beyond_the_range_keeps_count_and_maximum)
{
    struct load_hist *h = new_hist();

    load_hist_add(h, 10, 1);
    load_hist_add(h, UINT64_MAX / 4, 1);
    cr_assert_eq(h->count, 2);
    cr_assert_eq(load_hist_quantile(h, 0.5), 10);
    cr_assert_eq(load_hist_quantile(h, 1.0), UINT64_MAX / 4);
    free(h);
}

Test(load_hist, merge_equals_recording_into_one)
{
    struct load_hist *a = new_hist(), *b = new_hist(), *both = new_hist();
    struct load_rng rng = {9};
    int i;

    for (i = 0; i < VALUES; i++) {
        uint64_t v = load_rng_next(&rng) >> (24 + load_rng_below(&rng, 40));
        uint64_t times = 1 + load_rng_below(&rng, 5);

        load_hist_add(i % 3 ? a : b, v, times);
        load_hist_add(both, v, times);
    }
    load_hist_merge(a, b);
    cr_assert_arr_eq(a, both, sizeof(*a));
    free(a);
    free(b);
    free(both);
}

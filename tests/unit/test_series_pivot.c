#include "shards/series/series_pivot.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static void
add(struct series_table *t, int64_t ts, double v)
{
    double *row = series_table_push(t, ts);

    for (uint32_t i = 0; i < t->cols; i++)
        row[i] = v + i;
}

static void
expect(const struct series_table *t, uint32_t i, int64_t ts, double a, double b, double c)
{
    const double want[] = {a, b, c}, *row = series_table_row(t, i);

    cr_assert_lt(i, t->n);
    cr_assert_eq(t->ts[i], ts, "row %u: %lld", i, (long long)t->ts[i]);
    for (uint32_t k = 0; k < 3; k++)
        cr_assert(row[k] == want[k] || (isnan(row[k]) && isnan(want[k])), "row %u, %u: %g", i, k,
                  row[k]);
}

Test(series_pivot, times_are_merged_and_missing_values_are_nan)
{
    struct series_table in[2] = {{.cols = 1}, {.cols = 2}}, out = {.cols = 3};

    add(&in[0], -5, 1);
    add(&in[0], 10, 2);
    add(&in[0], 10, 3);
    add(&in[1], 10, 20);
    add(&in[1], 30, 30);
    cr_assert_eq(series_pivot(in, 2, false, UINT64_MAX, &out), 0);
    cr_assert_eq(out.n, 4);
    expect(&out, 0, -5, 1, NAN, NAN);
    expect(&out, 1, 10, 2, 20, 21);
    expect(&out, 2, 10, 3, NAN, NAN);
    expect(&out, 3, 30, NAN, 30, 31);
    series_table_fini(&out);
    cr_assert_eq(series_pivot(in, 2, false, 2, &out), 0);
    cr_assert_eq(out.n, 2);
    expect(&out, 1, 10, 2, 20, 21);
    for (int i = 0; i < 2; i++)
        series_table_fini(&in[i]);
    series_table_fini(&out);
}

Test(series_pivot, backward_the_latest_time_comes_first)
{
    struct series_table in[3] = {{.cols = 1}, {.cols = 1}, {.cols = 1}}, out = {.cols = 3};

    add(&in[0], INT64_MAX, 1);
    add(&in[2], 7, 2);
    add(&in[2], INT64_MIN, 3);
    cr_assert_eq(series_pivot(in, 3, true, UINT64_MAX, &out), 0);
    cr_assert_eq(out.n, 3);
    expect(&out, 0, INT64_MAX, 1, NAN, NAN);
    expect(&out, 1, 7, NAN, NAN, 2);
    expect(&out, 2, INT64_MIN, NAN, NAN, 3);
    for (int i = 0; i < 3; i++)
        series_table_fini(&in[i]);
    series_table_fini(&out);
}

Test(series_pivot, more_values_than_the_limit_are_refused)
{
    struct series_table in[2] = {{.cols = 512}, {.cols = 512}}, out = {.cols = 1024};

    for (int i = 0; i < SERIES_PIVOT_VALUES_MAX / 1024; i++)
        add(&in[i % 2], i, i);
    cr_assert_eq(series_pivot(in, 2, false, UINT64_MAX, &out), 0);
    cr_assert_eq(out.n, SERIES_PIVOT_VALUES_MAX / 1024);
    series_table_fini(&out);
    add(&in[0], INT64_MAX, 0);
    cr_assert_eq(series_pivot(in, 2, false, UINT64_MAX, &out), -E2BIG);
    series_table_fini(&out);
    cr_assert_eq(series_pivot(in, 2, false, 4096, &out), 0);
    for (int i = 0; i < 2; i++)
        series_table_fini(&in[i]);
    series_table_fini(&out);
}

Test(series_pivot, rows_come_one_by_one_as_they_do_together)
{
    enum { TABLES = 9, COLS = 12 };
    struct series_table in[TABLES], out;
    uint64_t random = 88172645463325252ULL;

    for (int reverse = 0; reverse < 2; reverse++) {
        struct series_pivot each, counted;
        double row[COLS];
        uint32_t n = 0;
        int64_t ts;

        out = (struct series_table){.cols = COLS};
        for (int i = 0; i < TABLES; i++) {
            in[i] = (struct series_table){.cols = i % 4 ? 1 : 2};
            for (int k = 0, at = 0; k < 50 * i; k++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                at += (int)(random % 4);
                add(&in[i], reverse ? -at : at, (double)(random % 1000));
            }
        }
        cr_assert_eq(series_pivot(in, TABLES, reverse, UINT64_MAX, &out), 0);
        series_pivot_begin(&each, in, TABLES, reverse);
        series_pivot_begin(&counted, in, TABLES, reverse);
        cr_assert_eq(each.cols, COLS);
        for (; series_pivot_next(&each, &ts, row); n++) {
            cr_assert_eq(ts, out.ts[n]);
            cr_assert_eq(memcmp(row, series_table_row(&out, n), sizeof(row)), 0, "row %u", n);
            cr_assert(series_pivot_next(&counted, &ts, NULL) && ts == out.ts[n]);
        }
        cr_assert_eq(n, out.n);
        cr_assert_gt(n, 400);
        cr_assert_not(series_pivot_next(&counted, &ts, NULL));
        series_pivot_end(&each);
        series_pivot_end(&counted);
        series_table_fini(&out);
        for (int i = 0; i < TABLES; i++)
            series_table_fini(&in[i]);
    }
}

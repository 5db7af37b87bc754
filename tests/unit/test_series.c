/* Series in memory. */
#include "shards/series/series_priv.h"
#include "tests/unit/series_model.h"

Test(series, every_policy_meets_points_as_it_says)
{
    static const struct {
        enum duplicate_policy policy;
        double old, new, then;
        enum series_result r;
    } cases[] = {
        {DUPLICATE_LAST, 1, 2, 2, SERIES_REPLACED},
        {DUPLICATE_LAST, 1, NAN, 1, SERIES_UNCHANGED},
        {DUPLICATE_FIRST, 1, 2, 1, SERIES_UNCHANGED},
        {DUPLICATE_FIRST, NAN, 2, 2, SERIES_REPLACED},
        {DUPLICATE_MIN, 2, 1, 1, SERIES_REPLACED},
        {DUPLICATE_MIN, 1, 2, 1, SERIES_UNCHANGED},
        {DUPLICATE_MIN, NAN, 2, NAN, SERIES_BLOCKED},
        {DUPLICATE_MAX, 1, 2, 2, SERIES_REPLACED},
        {DUPLICATE_MAX, 1, NAN, 1, SERIES_BLOCKED},
        {DUPLICATE_SUM, 1, 2, 3, SERIES_REPLACED},
        {DUPLICATE_SUM, NAN, NAN, NAN, SERIES_UNCHANGED},
        {DUPLICATE_BLOCK, 1, 2, 1, SERIES_BLOCKED},
    };
    uint32_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench b;
        struct sample last;
        uint8_t quality;
        bench_init(&b, NULL);
        series_add(b.a, b.k, b.s, &b.lim, 5, cases[i].old, 1, DUPLICATE_LAST);
        cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 5, cases[i].new, 2, cases[i].policy),
                     cases[i].r, "case %u", i);
        cr_assert(series_last(b.s, &last, &quality));
        cr_assert(last.value == cases[i].then || (isnan(last.value) && isnan(cases[i].then)));
        cr_assert_eq(quality, cases[i].r == SERIES_REPLACED ? 2 : 1, "case %u", i);
        cr_assert_eq(series_memory_points(b.s), 1);
        bench_fini(&b);
    }
}

Test(series, keep_holds_points_of_one_time_in_order_of_arrival)
{
    struct bench b;
    uint32_t i;

    bench_init(&b, NULL);
    for (i = 0; i < 1000; i++)
        bench_add(&b, 10 + i / 100 * 10 % 50, i, (uint8_t)i, DUPLICATE_KEEP);
    assert_same(&b, "keep");
    bench_fini(&b);
}

/* Runs of sorted points of any length, now behind what is there, now into it, now of the same times:
 * the same as one by one under KEEP. */
Test(series, runs_of_points_are_appended_as_if_they_came_one_by_one)
{
    for (uint32_t round = 0; round < 60; round++) {
        struct sample p[300];
        uint8_t quality[300];
        struct bench b;
        int64_t ts = 0;

        bench_init(&b, NULL);
        for (uint32_t run = 0; run < 1 + round % 7; run++) {
            struct samples in = {p, rnd(3) ? quality : NULL, (uint32_t)(1 + rnd(300))};

            ts -= rnd(3) ? -1 : (int64_t)rnd(400);
            for (uint32_t i = 0; i < in.n; i++) {
                ts += (int64_t)(round % 3 ? rnd(5) : rnd(200) == 0);
                p[i] = (struct sample){ts, (double)rnd(1000)};
                quality[i] = rnd(4) ? 0 : (uint8_t)rnd(256);
                model_add(&b.m, ts, p[i].value, in.quality ? quality[i] : 0, DUPLICATE_KEEP);
            }
            cr_assert(series_append(b.a, b.k, b.s, &b.lim, &in));
            assert_same(&b, "appended");
            assert_accounting(&b);
        }
        cr_assert(b.m.n < 500 || round % 3 == 0 || b.s->sealed_n > 0, "chunks are sealed on the way");
        bench_fini(&b);
    }
}

Test(series, small_series_take_little_memory)
{
    struct bench b;

    bench_init(&b, NULL);
    bench_add(&b, 1, 1, 0, DUPLICATE_LAST);
    cr_assert_leq(b.k->bytes + arena_usable(sizeof(*b.k) + sizeof(*b.s)), 150);
    bench_fini(&b);
}

Test(series, sealing_needs_points_and_span_and_never_divides_a_timestamp)
{
    struct bench b;
    uint32_t i, k;

    bench_init(&b, NULL);
    for (i = 0; i < 32; i++)
        bench_add(&b, i * 4, i, 0, DUPLICATE_KEEP);
    cr_assert_eq(b.s->sealed_n, 1, "16 points span 60");
    cr_assert_eq(b.s->sealed[0].n, 16);
    bench_fini(&b);

    bench_init(&b, NULL);
    for (i = 0; i < 79; i++)
        bench_add(&b, i / 2, i, 0, DUPLICATE_KEEP);
    cr_assert_eq(b.s->sealed_n, 0, "span too short, not yet too many");
    bench_add(&b, 39, 0, 0, DUPLICATE_KEEP);
    cr_assert_eq(b.s->sealed_n, 1, "too many");
    cr_assert_eq(b.s->sealed[0].n, 64);
    for (i = 0; i < 5000; i++)
        bench_add(&b, 100 + i / 37, i, 0, DUPLICATE_KEEP);
    for (k = 0; k < b.s->sealed_n; k++) {
        const struct series_chunk *c = &b.s->sealed[k], *next = series_chunk_at(b.s, k + 1);
        cr_assert_lt(c->p[c->n - 1].ts, next->p[0].ts);
    }
    assert_same(&b, "sealed");
    bench_fini(&b);
}

/* A long chunk is looked at now and then only: how much later it may be sealed for that, and that it
 * is sealed at once where its span was long enough all the time. */
Test(series, a_chunk_that_spans_enough_is_sealed_soon)
{
    struct bench b;
    uint32_t i, late = 1024 / 32;

    bench_init(&b, NULL);
    b.lim = (struct series_limits){.block_points = 1024, .block_points_max = 8192, .block_span = 3000};
    for (i = 0; i < 4024 && b.s->sealed_n == 0; i++)
        bench_add(&b, i, i, 0, DUPLICATE_LAST);
    cr_assert_eq(b.s->sealed_n, 0, "its first 3000 points span 2999");
    for (; i < 4025 + late && b.s->sealed_n == 0; i++)
        bench_add(&b, i, i, 0, DUPLICATE_LAST);
    cr_assert_eq(b.s->sealed_n, 1, "%u points", i);
    cr_assert_eq(b.s->open.n, 1024);
    bench_fini(&b);

    bench_init(&b, NULL);
    b.lim = (struct series_limits){.block_points = 1024, .block_points_max = 8192, .block_span = 1000};
    for (i = 0; i < 4096; i++)
        bench_add(&b, i, i, 0, DUPLICATE_LAST);
    cr_assert_eq(b.s->sealed_n, 3);
    for (i = 0; i < 3; i++)
        cr_assert_eq(b.s->sealed[i].n, 1024);
    bench_fini(&b);
}

Test(series, one_timestamp_can_be_crowded)
{
    struct bench b;
    uint32_t i;

    bench_init(&b, NULL);
    for (i = 0; i < SERIES_SAME_TS_MAX; i++)
        cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 1, i, 0, DUPLICATE_KEEP), SERIES_ADDED);
    cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 1, 0, 0, DUPLICATE_KEEP), SERIES_CROWDED);
    cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 2, 0, 0, DUPLICATE_KEEP), SERIES_ADDED);
    cr_assert_eq(b.s->sealed_n, 1);
    cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 1, 0, 0, DUPLICATE_KEEP), SERIES_CROWDED);
    cr_assert_eq(series_memory_points(b.s), SERIES_SAME_TS_MAX + 1);
    bench_fini(&b);
}

Test(series, data_types_are_apart_and_sorted)
{
    struct bench b;
    uint32_t i;

    bench_init(&b, NULL);
    for (i = 0; i < SERIES_TYPES_MAX; i++) {
        uint8_t type = (uint8_t)(i * 37);
        struct series *s = series_get(b.a, b.k, type);
        cr_assert_eq(series_add(b.a, b.k, s, &b.lim, i, type, 0, DUPLICATE_LAST), SERIES_ADDED);
    }
    cr_assert_eq(b.k->n, SERIES_TYPES_MAX);
    for (i = 0; i < SERIES_TYPES_MAX; i++) {
        cr_assert_eq(series_at(b.k, i)->type, i);
        cr_assert_eq(series_find(b.k, (uint8_t)i)->open.p[0].value, i);
    }
    bench_fini(&b);
}

Test(series, memory_alone_equals_the_model_for_every_policy)
{
    int policy;
    uint32_t i;

    for (policy = -1; policy <= DUPLICATE_KEEP; policy++) {
        struct bench b;
        int64_t now = 1000;
        bench_init(&b, NULL);
        for (i = 0; i < 60; i++) {
            add_some(&b, &now, 50, policy);
            assert_same(&b, "memory");
            if (b.flushing ? rnd(3) == 0 : rnd(4) == 0) { /* checkpoints that all fail */
                b.flushing ? flush_done(&b) : flush_begin(&b);
                assert_same(&b, "memory, flushing");
            }
        }
        if (b.flushing)
            flush_done(&b);
        bench_fini(&b);
    }
}

Test(series, points_in_falling_order_are_sorted_in)
{
    struct bench b;
    int64_t i;

    bench_init(&b, NULL);
    for (i = 3000; i > 0; i--)
        bench_add(&b, i, (double)i, 0, DUPLICATE_LAST);
    cr_assert_gt(b.s->sealed_n, 10);
    assert_same(&b, "falling");
    bench_fini(&b);
}

static void
expect_lower(const struct sample *p, uint32_t n, int64_t ts)
{
    uint32_t want = 0;

    while (want < n && p[want].ts < ts)
        want++;
    cr_assert_eq(samples_lower(p, n, ts), want, "%u of %u points, time %lld", want, n,
                 (long long)ts);
}

/* Gaps of a shape: regular, none, of any size, mostly none with jumps, from end to end of time. */
static int64_t
gap_of(int shape, uint32_t n)
{
    switch (shape) {
    case 0:
        return 1000;
    case 1:
        return 0;
    case 2:
        return rnd(5000);
    case 3:
        return rnd(20) ? rnd(2) : 1000000000;
    default:
        return INT64_MAX / (n + 1) * 2;
    }
}

Test(series, the_place_of_a_time_is_found_whatever_the_times_are)
{
    static const uint32_t sizes[] = {0, 1, 2, 63, 64, 65, 100, 1500};
    struct sample *p = malloc(1500 * sizeof(*p));

    for (size_t i = 0; i < ARRAY_SIZE(sizes) * 5; i++) {
        uint32_t n = sizes[i / 5];
        int64_t ts = i % 5 == 4 ? INT64_MIN : -1000;

        for (uint32_t k = 0; k < n; k++) {
            p[k] = (struct sample){ts, 0};
            ts += gap_of((int)(i % 5), n);
        }
        expect_lower(p, n, INT64_MIN);
        expect_lower(p, n, INT64_MAX);
        for (uint32_t k = 0; k < n; k++) {
            expect_lower(p, n, p[k].ts);
            expect_lower(p, n, p[k].ts + 1);
            if (p[k].ts > INT64_MIN)
                expect_lower(p, n, p[k].ts - 1);
        }
    }
    free(p);
}

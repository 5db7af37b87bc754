/* Many points of one time: one limit, in memory and in the store. */
#include "shards/series/series_rows.h"
#include "tests/unit/series_model.h"

static void
live_crowded(struct bench *b, int64_t *now, int policy)
{
    for (uint64_t n = rnd(100); n > 0; n--) {
        int64_t ts = rnd(3) ? *now - (int64_t)rnd(40) * 7 : *now;
        int how = policy < 0 && rnd(4) == 0 ? (int)rnd(DUPLICATE_KEEP) : DUPLICATE_KEEP;

        *now += rnd(20) == 0 ? 7 : 0;
        bench_add(b, ts, (double)rnd(100), 0, (enum duplicate_policy)how);
    }
    if (rnd(12) == 0)
        delete_some(b, *now);
    if (!b->flushing && rnd(3) == 0)
        flush_begin(b);
    else if (b->flushing && !b->written && rnd(4))
        flush_write(b);
    else if (b->flushing && rnd(2))
        flush_done(b);
}

Test(series_crowded, no_time_has_more_points_than_it_may_wherever_they_are, .timeout = 300)
{
    struct store_fixture f;

    for (int policy = -1; policy <= 0; policy++) {
        struct bench b;
        int64_t now = 0;

        fixture_init(&f);
        bench_init(&b, &f);
        b.lim.same_ts_max = 20;
        for (uint32_t i = 0; i < 600; i++) {
            live_crowded(&b, &now, policy);
            assert_same(&b, "crowded");
            if (i % 30 != 29)
                continue;
            if (b.flushing)
                flush_done(&b);
            flush_whole(&b);
            reload(&b);
            assert_same(&b, "crowded, reloaded");
        }
        if (b.flushing)
            flush_done(&b);
        cr_assert_gt(b.refused, 1000);
        cr_assert_gt(b.looked, 100);
        bench_fini(&b);
        fixture_fini(&f);
    }
}

/* `n` more fit, one after that does not. */
static void
assert_room(struct bench *b, int64_t ts, uint32_t n)
{
    uint32_t refused = b->refused;

    for (uint32_t i = 0; i < n; i++)
        bench_add(b, ts, i, 0, DUPLICATE_KEEP);
    cr_assert_eq(b->refused, refused);
    bench_add(b, ts, 0, 0, DUPLICATE_KEEP);
    cr_assert_eq(b->refused, refused + 1);
}

Test(series_crowded, a_crowded_time_is_as_full_in_the_store_as_in_memory)
{
    struct store_fixture f;
    struct bench b;
    uint32_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    b.lim.same_ts_max = 20000;
    for (i = 0; i < 19990; i++)
        bench_add(&b, 500, i, 0, DUPLICATE_KEEP);
    for (i = 0; i < 3000; i++)
        bench_add(&b, 1000 + i, i, 0, DUPLICATE_KEEP);
    flush_begin(&b);
    assert_room(&b, 500, 10);
    flush_done(&b); /* it failed */
    flush_whole(&b);
    assert_room(&b, 500, 0);
    bench_delete(&b, 500, 500);
    assert_room(&b, 500, 20000);
    flush_whole(&b);
    reload(&b);
    assert_room(&b, 500, 0);
    flush_begin(&b);
    flush_write(&b);
    assert_room(&b, 500, 0);
    flush_done(&b);
    assert_same(&b, "full");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_crowded, far_from_the_limit_no_late_point_needs_a_look_into_the_store)
{
    struct store_fixture f;
    struct bench b;
    uint32_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    b.lim.same_ts_max = 20000;
    for (i = 0; i < 5000; i++)
        bench_add(&b, 100 + i / 10, i, 0, DUPLICATE_KEEP);
    for (i = 0; i < 200; i++) {
        for (uint32_t k = 0; k < 30; k++)
            bench_add(&b, 100 + (int64_t)rnd(100), k, 0, DUPLICATE_KEEP);
        flush_whole(&b);
    }
    cr_assert_eq(b.looked, 0);
    cr_assert_lt(b.s->run_max, 10000, "%u", b.s->run_max);
    assert_same(&b, "late");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_crowded, more_points_of_one_time_than_a_block_holds_fail_the_checkpoint)
{
    struct store_fixture f;
    struct store_batch *batch;
    struct bench b;
    uint32_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (i = 0; i < 200; i++)
        bench_add(&b, (int64_t)i * 10, 1, 0, DUPLICATE_LAST);
    flush_whole(&b);
    b.lim.accepted = true; /* as nothing but replay does, which cannot have so many */
    for (i = 0; i < BLOCK_POINTS_MAX; i++)
        cr_assert_eq(series_add(b.a, b.k, b.s, &b.lim, 10, i, 0, DUPLICATE_KEEP), SERIES_LATE);
    flush_begin(&b);
    batch = store_batch_create(f.s);
    cr_assert_eq(series_flush_write(f.s, batch, 0, key_slot(KEY), KEY, &b.flush, &f.err), -EFBIG);
    cr_assert(strstr(f.err.text, "2097153 points of 'sensor' type 07 have the time 10"), "%s",
              f.err.text);
    store_batch_destroy(&batch);
    flush_done(&b);
    cr_assert_eq(points_at(&b, 10), BLOCK_POINTS_MAX + 1);
    bench_fini(&b);
    fixture_fini(&f);
}

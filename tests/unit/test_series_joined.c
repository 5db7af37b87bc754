/* Small blocks of many checkpoints are joined to large ones. */
#include "shards/series/series_rows.h"
#include "tests/unit/series_model.h"

struct block_rows {
    uint32_t rows, small; /* small: not yet joined */
    uint64_t points;
};

static struct block_rows
count_rows(struct bench *b, struct store_fixture *f)
{
    struct store_iter *it =
        store_iter_open(f->s, (struct slice){NULL, 0}, (struct slice){NULL, 0}, false, true);
    struct block_rows r = {0};
    int64_t last = INT64_MIN;

    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it)) {
        struct row_parts parts;
        struct block_info info;
        cr_assert(row_parse(store_iter_key(it), &parts));
        if (parts.kind != ROW_BLOCK)
            continue;
        cr_assert(block_read_info(store_iter_value(it), &info));
        cr_assert_geq(info.first_ts, last, "blocks are disjoint");
        last = info.last_ts;
        r.rows++;
        r.small += info.count < b->lim.block_points_max / 2;
        r.points += info.count;
    }
    cr_assert_eq(store_iter_status(it, &f->err), 0);
    store_iter_close(&it);
    return r;
}

/* Sixteen points at a time are sealed, 32 make a cold block. */
Test(series_joined, blocks_that_were_sealed_one_by_one_are_joined_by_later_checkpoints)
{
    struct store_fixture f;
    struct bench b;
    struct block_rows r;
    int64_t now = 0;
    unsigned round, i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (round = 0; round < 60; round++) {
        for (i = 0; i < 16; i++)
            bench_add(&b, now += 10, (double)(rnd(100)) / 10, (uint8_t)(round % 7 == 3), 0);
        flush_whole(&b);
        r = count_rows(&b, &f);
        cr_assert_eq(r.points, b.m.n);
        cr_assert_leq(r.small, 4, "round %u: %u of %u rows are small", round, r.small, r.rows);
        assert_same(&b, "joined");
    }
    cr_assert_leq(r.rows, 60u * 16 / 32 + 4);
    reload(&b);
    assert_same(&b, "reloaded");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_joined, chunks_of_one_checkpoint_are_joined_at_once)
{
    struct store_fixture f;
    struct bench b;
    struct block_rows r;
    int64_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (i = 0; i < 3000; i++)
        bench_add(&b, i * 10, (double)i, 0, DUPLICATE_LAST);
    flush_whole(&b);
    r = count_rows(&b, &f);
    cr_assert_eq(r.points, 3000);
    cr_assert_leq(r.rows, 3000 / 48 + 4, "%u rows", r.rows);
    assert_same(&b, "joined");
    bench_fini(&b);
    fixture_fini(&f);
}

/* However many chunks there are, none is left over as a small block. */
Test(series_joined, chunks_of_one_checkpoint_are_shared_out_evenly)
{
    for (int64_t n = 64; n < 1500; n += 1 + n / 50) {
        struct store_fixture f;
        struct bench b;
        struct block_rows r;

        fixture_init(&f);
        bench_init(&b, &f);
        for (int64_t i = 0; i < n; i++)
            bench_add(&b, i * 10, (double)i, 0, DUPLICATE_LAST);
        flush_whole(&b);
        r = count_rows(&b, &f);
        cr_assert_eq(r.points, (uint64_t)n);
        cr_assert_leq(r.small, 1, "%ld points: %u of %u", (long)n, r.small, r.rows);
        assert_same(&b, "shared out");
        bench_fini(&b);
        fixture_fini(&f);
    }
}

/* Late points among small blocks, before them and between: each point is in one row. */
Test(series_joined, joining_and_late_points_do_not_meet)
{
    struct store_fixture f;
    struct bench b;
    int64_t now = 100000, early = 100000;
    unsigned round, i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (round = 0; round < 120; round++) {
        for (i = 0; i < 16; i++)
            bench_add(&b, now += 10, (double)(rnd(100)) / 10, 0, DUPLICATE_KEEP);
        if (rnd(3) == 0)
            bench_add(&b, early -= 1 + (int64_t)rnd(50), 1, 0, DUPLICATE_KEEP);
        if (rnd(3) == 0)
            bench_add(&b, now - (int64_t)rnd(rnd(2) ? 900 : 20000), 2, 0, DUPLICATE_KEEP);
        flush_whole(&b);
        cr_assert_eq(count_rows(&b, &f).points, b.m.n, "round %u", round);
        assert_same(&b, "late");
    }
    reload(&b);
    assert_same(&b, "reloaded");
    bench_fini(&b);
    fixture_fini(&f);
}

/* Cuts the last bytes off the newest small block before the open chunk; returns its time. */
static int64_t
damage_tail(struct bench *b, struct store_fixture *f)
{
    struct store_iter *it =
        store_iter_open(f->s, (struct slice){NULL, 0}, (struct slice){NULL, 0}, false, true);
    struct store_batch *batch = store_batch_create(f->s);
    int64_t found = INT64_MIN;
    struct row_parts parts;

    for (store_iter_last(it); store_iter_valid(it); store_iter_prev(it)) {
        cr_assert(row_parse(store_iter_key(it), &parts));
        if (parts.kind != ROW_BLOCK || parts.ts >= series_mem_first(b->s))
            continue;
        struct slice value = store_iter_value(it);
        store_batch_put(batch, store_iter_key(it), (struct slice){value.p, value.n - 3});
        found = parts.ts;
        break;
    }
    store_iter_close(&it);
    cr_assert_eq(store_batch_commit(batch, &f->err), 0);
    store_batch_destroy(&batch);
    return found;
}

/* Joining is not worth a checkpoint: what cannot be joined stays for readers to complain about. */
Test(series_joined, a_damaged_block_is_not_joined_and_stops_no_checkpoint)
{
    struct store_fixture f;
    struct bench b;
    struct block_rows before, after;
    int64_t now = 0;
    unsigned round, i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (round = 0; round < 8; round++) {
        for (i = 0; i < 16; i++)
            bench_add(&b, now += 10, (double)(rnd(100)) / 10, 0, DUPLICATE_LAST);
        flush_whole(&b);
    }
    before = count_rows(&b, &f);
    cr_assert_gt(damage_tail(&b, &f), INT64_MIN);
    for (round = 0; round < 4; round++) {
        for (i = 0; i < 16; i++)
            bench_add(&b, now += 10, (double)(rnd(100)) / 10, 0, DUPLICATE_LAST);
        flush_whole(&b);
    }
    after = count_rows(&b, &f);
    cr_assert_eq(after.points, b.m.n, "the damaged row is still there");
    cr_assert_gt(after.rows, before.rows);
    bench_fini(&b);
    fixture_fini(&f);
}

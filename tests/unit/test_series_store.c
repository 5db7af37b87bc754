/* Series in memory and in the store: checkpoints, readers, loading. */
#include "shards/series/series_rows.h"
#include "tests/unit/series_model.h"

/* One random step of a life with checkpoints. */
static void
live(struct bench *b, int64_t *now, int policy)
{
    add_some(b, now, (uint32_t)rnd(60), policy);
    if (rnd(2))
        assert_same(b, b->flushing ? b->written ? "written" : "flushing" : "settled");
    if (!b->flushing && rnd(3) == 0)
        flush_begin(b);
    else if (b->flushing && !b->written && rnd(4))
        flush_write(b);
    else if (b->flushing && rnd(2))
        flush_done(b);
}

Test(series_store, store_and_memory_equal_the_model_for_every_policy, .timeout = 300)
{
    struct store_fixture f;
    int policy;
    uint32_t i;

    for (policy = -1; policy <= DUPLICATE_KEEP; policy++) {
        struct bench b;
        int64_t now = -1000;
        fixture_init(&f);
        bench_init(&b, &f);
        for (i = 0; i < 150; i++) {
            live(&b, &now, policy);
            if (i % 40 == 39) {
                if (b.flushing)
                    flush_done(&b);
                flush_whole(&b);
                reload(&b);
                assert_same(&b, "reloaded");
            }
        }
        if (b.flushing)
            flush_done(&b);
        assert_same(&b, "end");
        bench_fini(&b);
        fixture_fini(&f);
    }
}

/* Rows are disjoint in time and hold just the points of the model. */
static void
assert_rows(struct bench *b)
{
    struct store_iter *it;
    int64_t last = INT64_MIN;
    uint64_t points = 0;

    it = store_iter_open(b->f->s, (struct slice){NULL, 0}, (struct slice){NULL, 0}, false, true);
    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it)) {
        struct row_parts parts;
        struct block_info info;

        cr_assert(row_parse(store_iter_key(it), &parts));
        if (parts.kind != ROW_BLOCK)
            continue;
        cr_assert(block_read_info(store_iter_value(it), &info));
        cr_assert_eq(info.first_ts, parts.ts);
        cr_assert(points == 0 || info.first_ts > last, "blocks are disjoint");
        last = info.last_ts;
        points += info.count;
    }
    cr_assert_eq(store_iter_status(it, &b->f->err), 0);
    store_iter_close(&it);
    cr_assert_eq(points, b->m.n, "%lu points in rows, %u in the model", points, b->m.n);
}

/* Deletions at every stage of a checkpoint, of failed ones also, followed by points that come again
 * at the same times. */
static void
live_and_delete(struct bench *b, int64_t *now, int policy)
{
    if (rnd(5) == 0)
        *now = (int64_t)rnd(3000);
    add_some(b, now, (uint32_t)rnd(60), policy);
    for (uint64_t n = rnd(4); n > 0; n--) {
        delete_some(b, *now);
        if (rnd(2))
            add_some(b, now, (uint32_t)rnd(4), policy);
        assert_same(b, b->flushing ? b->written ? "deleted, written" : "deleted, flushing"
                                   : "deleted, settled");
    }
    if (!b->flushing && rnd(3) == 0)
        flush_begin(b);
    else if (b->flushing && !b->written && rnd(4))
        flush_write(b);
    else if (b->flushing && rnd(2))
        flush_done(b);
}

Test(series_store, deletions_equal_the_model_for_every_policy, .timeout = 300)
{
    struct store_fixture f;
    int policy;
    uint32_t i;

    for (policy = -1; policy <= DUPLICATE_KEEP; policy++) {
        struct bench b;
        int64_t now = 0;

        fixture_init(&f);
        bench_init(&b, &f);
        for (i = 0; i < 300; i++) {
            live_and_delete(&b, &now, policy);
            if (i % 30 == 29) {
                if (b.flushing)
                    flush_done(&b);
                flush_whole(&b);
                cr_assert_null(b.s->aside);
                assert_rows(&b);
                reload(&b);
                assert_same(&b, "deleted, reloaded");
            }
        }
        if (b.flushing)
            flush_done(&b);
        assert_same(&b, "end");
        bench_fini(&b);
        fixture_fini(&f);
    }
}

/* What retention leaves visible is the model's; no stored block is over as a whole. */
static void
assert_kept(struct bench *b, bool settled)
{
    int64_t kept_from = series_kept_from(b->s, b->retention);
    struct series_query q = {.start = kept_from, .end = INT64_MAX, .limit = UINT64_MAX};
    struct series_id id = {0, key_slot(KEY), KEY, TYPE};
    struct series_rows rows;
    int rc;

    assert_query(b, &q, "kept");
    q.reverse = true;
    assert_query(b, &q, "kept, backward");
    if (!settled)
        return;
    series_rows_open(&rows, b->f->s, &id, false, false);
    for (rc = series_rows_first(&rows); rc == 1; rc = series_rows_next(&rows))
        cr_assert_geq(rows.info.last_ts, kept_from);
    cr_assert_eq(rc, 0);
    series_rows_close(&rows);
}

static void
live_with_retention(struct bench *b, int64_t *now)
{
    int64_t at;

    for (uint64_t n = rnd(150); n > 0; n--) {
        at = rnd(4) ? (*now += (int64_t)rnd(12)) : *now - (int64_t)rnd(900);
        if (at >= series_kept_from(b->s, b->retention))
            bench_add(b, at, (double)rnd(100), 0, DUPLICATE_LAST);
    }
    if (rnd(3) == 0) {
        at = *now - 30 - (int64_t)rnd(900);
        bench_delete(b, at, at + (int64_t)rnd(25));
    }
    assert_kept(b, false);
    if (!b->flushing && rnd(3) == 0)
        flush_begin(b);
    else if (b->flushing && !b->written && rnd(4))
        flush_write(b);
    else if (b->flushing && rnd(2))
        flush_done(b);
}

Test(series_store, checkpoints_drop_whole_blocks_that_are_over, .timeout = 300)
{
    struct store_fixture f;
    struct bench b;
    int64_t now = 0;

    fixture_init(&f);
    bench_init(&b, &f);
    b.retention = 1000;
    for (uint32_t i = 0; i < 600; i++) {
        live_with_retention(&b, &now);
        if (i % 30 != 29)
            continue;
        if (b.flushing)
            flush_done(&b);
        flush_whole(&b);
        assert_kept(&b, true);
        reload(&b);
        assert_kept(&b, true);
    }
    if (b.flushing)
        flush_done(&b);
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, late_points_before_everything_extend_the_first_block)
{
    struct store_fixture f;
    struct bench b;
    int64_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (i = 0; i < 200; i++)
        bench_add(&b, 10000 + i * 10, 1, 0, DUPLICATE_LAST);
    flush_whole(&b);
    for (i = 0; i < 3000; i++) /* more than are sorted in one by one */
        bench_add(&b, (int64_t)rnd(300) * 30, (double)i, 3,
                  i % 3 ? DUPLICATE_KEEP : DUPLICATE_LAST);
    assert_same(&b, "late");
    flush_whole(&b);
    cr_assert_eq(series_late_points(b.s), 0);
    assert_same(&b, "merged");
    reload(&b);
    assert_same(&b, "reloaded");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, no_block_row_is_left_over_or_too_long)
{
    struct store_fixture f;
    struct bench b;
    struct store_iter *it;
    int64_t now = 0, last = INT64_MIN;
    uint64_t points = 0;
    uint32_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (i = 0; i < 40; i++) {
        add_some(&b, &now, 100, DUPLICATE_KEEP);
        flush_whole(&b);
    }
    it = store_iter_open(f.s, (struct slice){NULL, 0}, (struct slice){NULL, 0}, false, true);
    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it)) {
        struct row_parts parts;
        struct block_info info;
        cr_assert(row_parse(store_iter_key(it), &parts));
        if (parts.kind != ROW_BLOCK)
            continue;
        cr_assert(block_read_info(store_iter_value(it), &info));
        cr_assert_eq(info.first_ts, parts.ts);
        cr_assert_gt(info.first_ts, last, "blocks are disjoint");
        cr_assert_leq(info.count, b.lim.block_points_max + b.lim.block_points);
        last = info.last_ts;
        points += info.count;
    }
    cr_assert_eq(store_iter_status(it, &f.err), 0);
    store_iter_close(&it);
    cr_assert_eq(points, b.m.n, "every point is in exactly one row");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, several_types_of_a_key_are_stored_and_loaded_together)
{
    struct store_fixture f;
    struct bench b;
    struct series_flush flush[3];
    struct store_batch *batch;
    struct store_error err;
    struct buf row = {0};
    uint32_t t, i;

    fixture_init(&f);
    bench_init(&b, &f);
    series_get(b.a, b.k, 3);
    series_get(b.a, b.k, 200);
    for (t = 0; t < 3; t++)
        for (i = 0; i < 100 + t; i++)
            series_add(b.a, b.k, series_at(b.k, t), &b.lim, i * 10, t, 0, DUPLICATE_LAST);
    for (t = 0; t < 3; t++)
        series_flush_begin(series_at(b.k, t), &b.lim, 5, INT64_MIN, &flush[t]);
    row_head_write(&row, 1, 77);
    series_row_write(&row, b.k, 5);
    batch = store_batch_create(f.s);
    for (t = 0; t < 3; t++) {
        cr_assert_eq(series_flush_write(f.s, batch, 0, key_slot(KEY), KEY, &flush[t], &err), 0);
    }
    cr_assert_eq(store_batch_commit(batch, &err), 0);
    store_batch_destroy(&batch);
    for (t = 0; t < 3; t++) {
        series_flush_done(b.a, b.k, series_at(b.k, t), &flush[t], true);
        series_flush_fini(&flush[t]);
    }
    series_key_destroy(b.a, &b.k);
    cr_assert_eq(
        series_load(f.s, false, 0, key_slot(KEY), KEY, (struct slice){row.p, row.n}, b.a, &b.k), 0);
    cr_assert_eq(b.k->n, 3);
    for (t = 0; t < 3; t++) {
        struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
        uint32_t n = 0;
        cr_assert_eq(series_at(b.k, t)->as_of_lsn, 5);
        cr_assert_eq(
            series_read(f.s, false, 0, key_slot(KEY), KEY, series_at(b.k, t), &all, count_emit, &n),
            0);
        cr_assert_eq(n, 100 + t);
    }
    buf_fini(&row);
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, a_read_of_what_is_not_cached_says_so_and_warming_helps)
{
    struct series_query q = {.start = 0, .end = 40000, .limit = UINT64_MAX};
    struct store_hold *held = NULL;
    uint64_t room = SERIES_HELD_BYTES_MAX;
    struct store_fixture f;
    struct bench b;
    uint32_t n = 0, round;
    struct slice row;

    for (round = 0; round < 4; round++) {
        fixture_init(&f);
        bench_init(&b, &f);
        for (int64_t i = 0; i < 20000; i++)
            bench_add(&b, i * 10, (double)rnd(1000000) / 1000, 0, DUPLICATE_LAST);
        flush_whole(&b);
        store_close(&f.s);
        store_env_destroy(&f.env); /* and its cache */
        f.env = fixture_env(32 * MIB);
        fixture_open(&f);
        series_key_destroy(b.a, &b.k);
        row = (struct slice){b.row, b.row_n};
        cr_assert_eq(series_load(f.s, true, 0, key_slot(KEY), KEY, row, b.a, &b.k), -EAGAIN);
        cr_assert_eq(series_warm_open(f.s, 0, key_slot(KEY), KEY, row, &held), 0);
        cr_assert_eq(series_load(f.s, true, 0, key_slot(KEY), KEY, row, b.a, &b.k), 0);
        store_hold_release(&held);
        b.s = series_find(b.k, TYPE);
        q.reverse = round & 1;
        q.limit = round & 2 ? 300 : UINT64_MAX;
        n = 0;
        cr_assert_eq(series_read(f.s, true, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &n),
                     -EAGAIN);
        cr_assert_eq(series_warm_range(f.s, 0, key_slot(KEY), KEY, TYPE, &q, &room, &held), 0);
        n = 0;
        cr_assert_eq(series_read(f.s, true, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &n), 0);
        cr_assert_eq(n, round & 2 ? 300 : 4001);
        store_hold_release(&held);
        bench_fini(&b);
        fixture_fini(&f);
    }
}

struct vectors {
    uint64_t emitted, columns;
    uint64_t stop_at; /* columns after which it is enough */
    int64_t last;
    double sum;
};

static int
vectors_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct vectors *x = arg;

    for (uint32_t i = 0; i < n; i++) {
        cr_assert_gt(p[i].ts, x->last);
        x->last = p[i].ts;
        x->sum += p[i].value;
    }
    x->emitted += n;
    return 0;
}

static int
vectors_take(void *arg, const struct block_vector *v)
{
    struct vectors *x = arg;

    for (uint32_t i = 0; i < v->n; i++) {
        cr_assert_gt(v->ts[i], x->last);
        x->last = v->ts[i];
        x->sum += v->value[i];
    }
    x->columns += v->n;
    return x->stop_at && x->columns >= x->stop_at;
}

static int
want_block(void *arg, const struct block_info *info)
{
    return SERIES_BLOCK_READ;
}

Test(series_store, whole_blocks_come_as_columns_and_the_rest_as_points)
{
    struct series_query q = {.start = 15,
                             .end = 400015,
                             .limit = UINT64_MAX,
                             .block = want_block,
                             .vector = vectors_take};
    struct store_fixture f;
    struct bench b;
    double want = 0;

    fixture_init(&f);
    bench_init(&b, &f);
    for (int64_t i = 0; i < 50000; i++)
        bench_add(&b, i * 10, (double)(i % 1000), 0, DUPLICATE_LAST);
    flush_whole(&b);
    for (unsigned late = 0; late < 2; late++) {
        struct vectors x = {.last = -1}, stopped = {.last = -1, .stop_at = 1};

        want = 0;
        for (int64_t i = 2; i <= 40001; i++)
            want += (double)(i % 1000);
        if (late) {
            bench_add(&b, 123456, 7, 0, DUPLICATE_LAST);
            want += 7;
        }
        cr_assert_eq(series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &q, vectors_emit, &x), 0);
        cr_assert_eq(x.emitted + x.columns, 40000 + late);
        cr_assert_gt(x.columns, 20000);
        cr_assert_eq(x.sum, want);
        cr_assert_eq(
            series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &q, vectors_emit, &stopped), 0);
        cr_assert_leq(stopped.columns, BLOCK_VECTOR);
        q.reverse = true;
        x = (struct vectors){.last = INT64_MIN};
        cr_assert_eq(
            series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &(uint32_t){0}), 0);
        cr_assert_eq(x.columns, 0);
        q.reverse = false;
    }
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, newest_points_are_read_without_the_store)
{
    struct series_query q = {.start = INT64_MIN, .end = INT64_MAX, .limit = 16, .reverse = true};
    struct store_fixture f;
    struct bench b;
    uint32_t n = 0;

    fixture_init(&f);
    bench_init(&b, &f);
    for (int64_t i = 0; i < 1000; i++)
        bench_add(&b, i * 10, 1, 0, DUPLICATE_LAST);
    flush_whole(&b);
    store_close(&f.s);
    store_env_destroy(&f.env);
    f.env = fixture_env(32 * MIB);
    fixture_open(&f);
    cr_assert_eq(series_read(f.s, true, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &n), 0);
    cr_assert_eq(n, 16);
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series_store, damaged_rows_are_errors)
{
    struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
    struct store_fixture f;
    struct bench b;
    struct series_key *k = NULL;
    char name[64];
    uint32_t n = 0;
    size_t i;

    fixture_init(&f);
    bench_init(&b, &f);
    for (i = 0; i < 200; i++)
        bench_add(&b, (int64_t)i * 10, 1, 0, DUPLICATE_LAST);
    flush_whole(&b);
    struct slice first = {name, row_block(name, 0, key_slot(KEY), KEY, TYPE, 0)};
    struct store_batch *batch = store_batch_create(f.s);
    store_batch_put(batch, first, SLICE("\001not a block"));
    cr_assert_eq(store_batch_commit(batch, &f.err), 0);
    store_batch_destroy(&batch);
    cr_assert_eq(series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &all, count_emit, &n),
                 -EBADMSG);
    for (i = 0; i < b.row_n; i++)
        cr_assert_eq(
            series_load(f.s, false, 0, key_slot(KEY), KEY, (struct slice){b.row, i}, b.a, &k),
            -EBADMSG, "main row cut at %zu", i);
    bench_add(&b, 5, 1, 0, DUPLICATE_LAST);
    flush_begin(&b);
    batch = store_batch_create(f.s);
    cr_assert_eq(series_flush_write(f.s, batch, 0, key_slot(KEY), KEY, &b.flush, &f.err), -EBADMSG);
    cr_assert(strstr(f.err.text, "'sensor' type") && strstr(f.err.text, "for the time 5 is damaged"),
              "%s", f.err.text);
    store_batch_destroy(&batch);
    flush_done(&b);
    bench_fini(&b);
    fixture_fini(&f);
}

/* Damages the columns of the block that begins at ts, not its header; returns its last time. */
static int64_t
damage_columns(struct bench *b, int64_t ts)
{
    char name[64], bytes[4096];
    struct slice key = {name, row_block(name, 0, key_slot(KEY), KEY, TYPE, ts)};
    struct store_batch *batch = store_batch_create(b->f->s);
    struct block_info info;
    struct samples ignored;
    struct store_value v;
    struct slice damaged;

    cr_assert_eq(store_get(b->f->s, key, &v, &b->f->err), 1);
    cr_assert_lt(v.v.n, sizeof(bytes));
    memcpy(bytes, v.v.p, v.v.n);
    damaged = (struct slice){bytes, v.v.n};
    bytes[v.v.n - 1] ^= 1;
    store_value_put(&v);
    cr_assert(block_read_info(damaged, &info));
    cr_assert_eq(block_decode_samples(damaged, &ignored), -EBADMSG);
    store_batch_put(batch, key, damaged);
    cr_assert_eq(store_batch_commit(batch, &b->f->err), 0);
    store_batch_destroy(&batch);
    return info.last_ts;
}

/* By a deletion, or by retention; with a late point in its place or without. */
Test(series_store, what_goes_as_a_whole_is_not_decoded)
{
    for (int how = 0; how < 4; how++) {
        bool expires = how & 1, late = how & 2;
        struct store_fixture f;
        struct bench b;
        int64_t last;

        fixture_init(&f);
        bench_init(&b, &f);
        for (int64_t i = 0; i < 100; i++)
            bench_add(&b, i * 10, (double)rnd(1000), 0, DUPLICATE_LAST);
        flush_whole(&b);
        last = damage_columns(&b, 0);
        for (int64_t i = 0; i < 100; i++)
            bench_add(&b, 2000 + i * 10, 1, 0, DUPLICATE_LAST);
        if (expires)
            b.retention = 1000;
        else
            bench_delete(&b, 0, last);
        if (late)
            bench_add(&b, expires ? 1995 : 500, 2, 0, DUPLICATE_LAST);
        flush_whole(&b);
        reload(&b);
        assert_kept(&b, true);
        bench_fini(&b);
        fixture_fini(&f);
    }
}

/* --- many ------------------------------------------------------------------------------------- */

static int
sum_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    double *sum = arg;
    uint32_t i;

    for (i = 0; i < n; i++)
        *sum += p[i].value;
    return 0;
}

Test(series_store, a_million_points_come_back)
{
    struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
    struct store_fixture f;
    struct bench b;
    uint32_t n = 0, i;
    double sum = 0, want = 0;

    fixture_init(&f);
    bench_init(&b, &f);
    b.lim = (struct series_limits){1024, 8192, 30000, SERIES_SAME_TS_MAX, false};
    for (i = 0; i < 1000000; i++) {
        int64_t ts = (int64_t)(i / 3) * 7 - (rnd(50) ? 0 : (int64_t)rnd(MIN(i + 1, 100000)));
        double value = (double)rnd(10000) / 100;
        enum series_result r =
            series_add(b.a, b.k, b.s, &b.lim, ts, value, i % 1000 == 0, DUPLICATE_KEEP);
        cr_assert(r == SERIES_ADDED || r == SERIES_LATE);
        want += value;
        if (i % 200000 == 199999)
            flush_whole(&b);
    }
    cr_assert_eq(series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &all, count_emit, &n), 0);
    cr_assert_eq(n, 1000000);
    flush_whole(&b);
    reload(&b);
    cr_assert_lt(series_memory_points(b.s), 20000);
    cr_assert_eq(series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &all, sum_emit, &sum), 0);
    cr_assert_float_eq(sum, want, 1e-3 * want);
    n = 0;
    all.reverse = true;
    cr_assert_eq(series_read(f.s, false, 0, key_slot(KEY), KEY, b.s, &all, count_emit, &n), 0);
    cr_assert_eq(n, 1000000);
    bench_fini(&b);
    fixture_fini(&f);
}

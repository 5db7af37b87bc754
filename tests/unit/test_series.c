/* Series in memory and in the store, against a sorted array that does the same the slow way. */
#include "shards/series/series.h"
#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"
#include "tests/unit/store_fixture.h"

#include <math.h>

#define KEY SLICE("sensor")
#define TYPE 7

static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static uint64_t
rnd(uint64_t n)
{
    return fixture_random(&seed) % n;
}

/* --- the model ---------------------------------------------------------------------------------
 */

struct model {
    struct sample *p;
    uint8_t *quality;
    uint32_t n, cap;
};

static void
model_fini(struct model *m)
{
    free(m->p);
    free(m->quality);
}

static uint32_t
model_upper(const struct model *m, int64_t ts)
{
    uint32_t at = m->n;

    while (at > 0 && m->p[at - 1].ts > ts)
        at--;
    return at;
}

static void
model_insert(struct model *m, uint32_t at, int64_t ts, double value, uint8_t quality)
{
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->p = realloc(m->p, m->cap * sizeof(*m->p));
        m->quality = realloc(m->quality, m->cap);
    }
    memmove(m->p + at + 1, m->p + at, (m->n - at) * sizeof(*m->p));
    memmove(m->quality + at + 1, m->quality + at, m->n - at);
    m->p[at] = (struct sample){ts, value};
    m->quality[at] = quality;
    m->n++;
}

static enum series_result
model_set(struct model *m, uint32_t at, double value, uint8_t quality)
{
    m->p[at].value = value;
    m->quality[at] = quality;
    return SERIES_REPLACED;
}

static enum series_result
model_meet(struct model *m, uint32_t at, double value, uint8_t quality,
           enum duplicate_policy policy)
{
    double old = m->p[at].value;
    bool ordered = policy == DUPLICATE_MIN || policy == DUPLICATE_MAX || policy == DUPLICATE_SUM;

    if (policy == DUPLICATE_BLOCK || (ordered && isnan(old) != isnan(value)))
        return SERIES_BLOCKED;
    if (isnan(old) && isnan(value))
        return policy == DUPLICATE_LAST ? model_set(m, at, value, quality) : SERIES_UNCHANGED;
    if (isnan(value))
        return SERIES_UNCHANGED;
    if (isnan(old) || policy == DUPLICATE_LAST)
        return model_set(m, at, value, quality);
    if (policy == DUPLICATE_SUM)
        return model_set(m, at, old + value, quality);
    if ((policy == DUPLICATE_MIN && value < old) || (policy == DUPLICATE_MAX && value > old))
        return model_set(m, at, value, quality);
    return SERIES_UNCHANGED;
}

static enum series_result
model_add(struct model *m, int64_t ts, double value, uint8_t quality, enum duplicate_policy policy)
{
    uint32_t at = model_upper(m, ts);

    if (policy != DUPLICATE_KEEP && at > 0 && m->p[at - 1].ts == ts)
        return model_meet(m, at - 1, value, quality, policy);
    model_insert(m, at, ts, value, quality);
    return SERIES_ADDED;
}

/* --- one series under test ----------------------------------------------------------------------
 */

struct bench {
    struct arena *a;
    size_t arena_start;
    struct series_key *k;
    struct series *s;
    struct series_limits lim;
    struct model m;
    struct store_fixture *f; /* NULL: memory only */
    struct series_flush flush;
    struct store_batch *batch;
    bool flushing, written;
    char row[256]; /* main row last committed */
    size_t row_n;
    char new_row[256];
    size_t new_row_n;
    uint64_t lsn;
};

static void
bench_init(struct bench *b, struct store_fixture *f)
{
    memset(b, 0, sizeof(*b));
    cr_assert_eq(arena_create(&b->a), 0);
    b->arena_start = arena_bytes(b->a);
    b->f = f;
    b->k = series_key_create(b->a);
    b->s = series_get(b->a, b->k, TYPE);
    b->lim = (struct series_limits){.block_points = 16, .block_points_max = 64, .block_span = 50};
}

static void
assert_accounting(struct bench *b)
{
    size_t own = arena_usable(sizeof(*b->k) + sizeof(*b->s));

    cr_assert_eq(arena_bytes(b->a) - b->arena_start, b->k->bytes + own, "%zu but %zu counted",
                 arena_bytes(b->a) - b->arena_start, (size_t)b->k->bytes + own);
}

static void
bench_fini(struct bench *b)
{
    assert_accounting(b);
    series_key_destroy(b->a, &b->k);
    cr_assert_eq(arena_bytes(b->a), b->arena_start);
    arena_destroy(&b->a);
    model_fini(&b->m);
}

static struct store *
store_of(const struct bench *b)
{
    return b->f ? b->f->s : NULL;
}

static int
count_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(uint32_t *)arg += n;
    return 0;
}

static bool
stored_has(struct bench *b, int64_t ts)
{
    struct series_query q = {.start = ts, .end = ts, .limit = 1};
    uint32_t n = 0;

    cr_assert_eq(series_read(store_of(b), false, 0, key_slot(KEY), KEY, b->s, &q, count_emit, &n),
                 0);
    return n > 0;
}

static void
bench_add(struct bench *b, int64_t ts, double value, uint8_t quality, enum duplicate_policy policy)
{
    enum series_result want, r;

    r = series_add(b->a, b->k, b->s, &b->lim, ts, value, quality, policy);
    if (r == SERIES_NEED_STORED)
        r = stored_has(b, ts)
                ? SERIES_BLOCKED
                : series_add(b->a, b->k, b->s, &b->lim, ts, value, quality, DUPLICATE_FIRST);
    want = model_add(&b->m, ts, value, quality, policy);
    if (r == SERIES_LATE)
        cr_assert(policy != DUPLICATE_BLOCK || want == SERIES_ADDED, "ts %ld", (long)ts);
    else
        cr_assert_eq(r, want, "ts %ld policy %d: %d, model %d", (long)ts, policy, r, want);
}

/* --- comparing ---------------------------------------------------------------------------------
 */

struct expect {
    const struct model *m;
    int64_t at; /* index of the next point */
    int step;
    uint64_t n, limit;
    const char *what;
};

static int
expect_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct expect *x = arg;
    uint32_t i;

    cr_assert_gt(n, 0);
    for (i = 0; i < n; i++, x->at += x->step, x->n++) {
        cr_assert(x->at >= 0 && x->at < x->m->n, "%s: more points than there are", x->what);
        cr_assert_eq(p[i].ts, x->m->p[x->at].ts, "%s: time %ld instead of %ld at %ld", x->what,
                     (long)p[i].ts, (long)x->m->p[x->at].ts, (long)x->at);
        cr_assert_eq(memcmp(&p[i].value, &x->m->p[x->at].value, 8), 0,
                     "%s: value %g instead of %g at %ld (ts %ld)", x->what, p[i].value,
                     x->m->p[x->at].value, (long)x->at, (long)p[i].ts);
        cr_assert_eq(quality ? quality[i] : 0, x->m->quality[x->at], "%s: quality at %ld", x->what,
                     (long)x->at);
    }
    return 0;
}

static void
assert_query(struct bench *b, const struct series_query *q, const char *what)
{
    struct expect x = {.m = &b->m, .step = q->reverse ? -1 : 1, .what = what};
    uint32_t lo = 0, hi = b->m.n;
    int rc;

    while (lo < b->m.n && b->m.p[lo].ts < q->start)
        lo++;
    while (hi > lo && b->m.p[hi - 1].ts > q->end)
        hi--;
    x.at = q->reverse ? (int64_t)hi - 1 : lo;
    rc = series_read(store_of(b), false, 0, key_slot(KEY), KEY, b->s, q, expect_emit, &x);
    cr_assert_eq(rc, 0, "%s: %d", what, rc);
    cr_assert_eq(x.n, MIN((uint64_t)(hi - lo), q->limit), "%s: %lu points instead of %lu", what,
                 x.n, MIN((uint64_t)(hi - lo), q->limit));
}

static void
assert_same(struct bench *b, const char *what)
{
    struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
    struct series_query part = all;
    struct sample last;
    uint8_t quality;

    assert_query(b, &all, what);
    all.reverse = true;
    assert_query(b, &all, what);
    if (b->m.n == 0)
        return;
    part.start = b->m.p[rnd(b->m.n)].ts - (int64_t)rnd(2);
    part.end = part.start + (int64_t)rnd(2000);
    part.limit = rnd(2) ? UINT64_MAX : rnd(100);
    assert_query(b, &part, what);
    part.reverse = true;
    assert_query(b, &part, what);
    cr_assert(series_last(b->s, &last, &quality));
    cr_assert_eq(last.ts, b->m.p[b->m.n - 1].ts);
    cr_assert_eq(quality, b->m.quality[b->m.n - 1]);
    assert_accounting(b);
}

/* --- checkpoints --------------------------------------------------------------------------------
 */

static void
flush_begin(struct bench *b)
{
    struct buf row = {0};

    series_flush_begin(b->s, &b->lim, ++b->lsn, &b->flush);
    row_head_write(&row, 1, 0);
    series_row_write(&row, b->k, b->lsn);
    cr_assert_leq(row.n, sizeof(b->new_row));
    memcpy(b->new_row, row.p, row.n);
    b->new_row_n = row.n;
    buf_fini(&row);
    b->flushing = true;
    b->written = false;
}

static void
flush_write(struct bench *b)
{
    char name[64];
    struct slice k = {name, row_main(name, 0, key_slot(KEY), KEY)};
    struct store_error err;

    b->batch = store_batch_create(b->f->s);
    cr_assert_eq(series_flush_write(b->f->s, b->batch, 0, key_slot(KEY), KEY, &b->flush, &err), 0);
    cr_assert_eq(b->flush.dropped, 0);
    store_batch_put(b->batch, k, (struct slice){b->new_row, b->new_row_n});
    cr_assert_eq(store_batch_commit(b->batch, &err), 0, "%s", err.text);
    store_batch_destroy(&b->batch);
    memcpy(b->row, b->new_row, b->new_row_n);
    b->row_n = b->new_row_n;
    b->written = true;
}

static void
flush_done(struct bench *b)
{
    series_flush_done(b->a, b->k, b->s, &b->flush, b->written);
    series_flush_fini(&b->flush);
    b->flushing = false;
}

static void
flush_whole(struct bench *b)
{
    flush_begin(b);
    flush_write(b);
    flush_done(b);
}

/* Forgets memory and begins again from the store. */
static void
reload(struct bench *b)
{
    uint64_t lsn = b->s->as_of_lsn;

    assert_accounting(b);
    series_key_destroy(b->a, &b->k);
    cr_assert_eq(series_load(b->f->s, false, 0, key_slot(KEY), KEY,
                             (struct slice){b->row, b->row_n}, b->a, &b->k),
                 0);
    b->s = series_find(b->k, TYPE);
    cr_assert(b->s);
    cr_assert_eq(b->s->as_of_lsn, lsn);
}

/* --- memory ------------------------------------------------------------------------------------
 */

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
        cr_assert_eq(b.k->types[i]->type, i);
        cr_assert_eq(series_find(b.k, (uint8_t)i)->open.p[0].value, i);
    }
    bench_fini(&b);
}

/* A time that is new, the newest again, a little late or very late. */
static int64_t
some_time(const struct bench *b, int64_t *now)
{
    switch (rnd(10)) {
    case 0:
    case 1:
        return *now;
    case 2:
        return *now - (int64_t)rnd(60);
    case 3:
        return b->m.n ? *now - (int64_t)rnd((uint64_t)(*now - b->m.p[0].ts) + 30) : *now;
    default:
        return *now += (int64_t)rnd(12);
    }
}

static void
add_some(struct bench *b, int64_t *now, uint32_t n, int policy)
{
    while (n-- > 0) {
        int64_t ts = some_time(b, now);
        double value = rnd(40) ? (double)rnd(1000) / 10 : NAN;
        uint8_t quality = rnd(30) ? 0 : (uint8_t)rnd(256);
        bench_add(b, ts, value, quality,
                  policy < 0 ? (enum duplicate_policy)rnd(DUPLICATE_KEEP + 1)
                             : (enum duplicate_policy)policy);
    }
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

/* --- memory and store ----------------------------------------------------------------------------
 */

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

Test(series, store_and_memory_equal_the_model_for_every_policy, .timeout = 110)
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

Test(series, late_points_before_everything_extend_the_first_block)
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
    cr_assert_eq(b.s->late.n, 0);
    assert_same(&b, "merged");
    reload(&b);
    assert_same(&b, "reloaded");
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series, no_block_row_is_left_over_or_too_long)
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

Test(series, several_types_of_a_key_are_stored_and_loaded_together)
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
            series_add(b.a, b.k, b.k->types[t], &b.lim, i * 10, t, 0, DUPLICATE_LAST);
    for (t = 0; t < 3; t++)
        series_flush_begin(b.k->types[t], &b.lim, 5, &flush[t]);
    row_head_write(&row, 1, 77);
    series_row_write(&row, b.k, 5);
    batch = store_batch_create(f.s);
    for (t = 0; t < 3; t++) {
        cr_assert_eq(series_flush_write(f.s, batch, 0, key_slot(KEY), KEY, &flush[t], &err), 0);
    }
    cr_assert_eq(store_batch_commit(batch, &err), 0);
    store_batch_destroy(&batch);
    for (t = 0; t < 3; t++) {
        series_flush_done(b.a, b.k, b.k->types[t], &flush[t], true);
        series_flush_fini(&flush[t]);
    }
    series_key_destroy(b.a, &b.k);
    cr_assert_eq(
        series_load(f.s, false, 0, key_slot(KEY), KEY, (struct slice){row.p, row.n}, b.a, &b.k), 0);
    cr_assert_eq(b.k->n, 3);
    for (t = 0; t < 3; t++) {
        struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
        uint32_t n = 0;
        cr_assert_eq(b.k->types[t]->as_of_lsn, 5);
        cr_assert_eq(
            series_read(f.s, false, 0, key_slot(KEY), KEY, b.k->types[t], &all, count_emit, &n), 0);
        cr_assert_eq(n, 100 + t);
    }
    buf_fini(&row);
    bench_fini(&b);
    fixture_fini(&f);
}

Test(series, a_read_of_what_is_not_cached_says_so_and_warming_helps)
{
    struct series_query q = {.start = 0, .end = 40000, .limit = UINT64_MAX};
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
        cr_assert_eq(series_warm_open(f.s, 0, key_slot(KEY), KEY, row), 0);
        cr_assert_eq(series_load(f.s, true, 0, key_slot(KEY), KEY, row, b.a, &b.k), 0);
        b.s = series_find(b.k, TYPE);
        q.reverse = round & 1;
        q.limit = round & 2 ? 300 : UINT64_MAX;
        n = 0;
        cr_assert_eq(series_read(f.s, true, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &n),
                     -EAGAIN);
        cr_assert_eq(series_warm_range(f.s, 0, key_slot(KEY), KEY, TYPE, &q), 0);
        n = 0;
        cr_assert_eq(series_read(f.s, true, 0, key_slot(KEY), KEY, b.s, &q, count_emit, &n), 0);
        cr_assert_eq(n, round & 2 ? 300 : 4001);
        bench_fini(&b);
        fixture_fini(&f);
    }
}

Test(series, newest_points_are_read_without_the_store)
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

Test(series, damaged_rows_are_errors)
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
    cr_assert(strstr(f.err.text, "sensor"));
    store_batch_destroy(&batch);
    flush_done(&b);
    bench_fini(&b);
    fixture_fini(&f);
}

/* --- many ---------------------------------------------------------------------------------------
 */

static int
sum_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    double *sum = arg;
    uint32_t i;

    for (i = 0; i < n; i++)
        *sum += p[i].value;
    return 0;
}

Test(series, a_million_points_come_back)
{
    struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
    struct store_fixture f;
    struct bench b;
    uint32_t n = 0, i;
    double sum = 0, want = 0;

    fixture_init(&f);
    bench_init(&b, &f);
    b.lim = (struct series_limits){1024, 8192, 30000};
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

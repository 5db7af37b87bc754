/* A series beside a sorted array that does the same the slow way, and the steps of a checkpoint. */
#ifndef TESTS_UNIT_SERIES_MODEL_H
#define TESTS_UNIT_SERIES_MODEL_H

#include "shards/series/series.h"
#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"
#include "tests/unit/store_fixture.h"

#include <math.h>

#define KEY SLICE("sensor")
#define TYPE 7

static uint64_t model_seed = 0x9e3779b97f4a7c15ULL;

static inline uint64_t
rnd(uint64_t n)
{
    return fixture_random(&model_seed) % n;
}

/* --- the model -------------------------------------------------------------------------------- */

struct model {
    struct sample *p;
    uint8_t *quality;
    uint32_t n, cap;
};

static inline void
model_fini(struct model *m)
{
    free(m->p);
    free(m->quality);
}

static inline uint32_t
model_upper(const struct model *m, int64_t ts)
{
    uint32_t at = m->n;

    while (at > 0 && m->p[at - 1].ts > ts)
        at--;
    return at;
}

static inline void
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

static inline enum series_result
model_set(struct model *m, uint32_t at, double value, uint8_t quality)
{
    m->p[at].value = value;
    m->quality[at] = quality;
    return SERIES_REPLACED;
}

static inline enum series_result
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

static inline enum series_result
model_add(struct model *m, int64_t ts, double value, uint8_t quality, enum duplicate_policy policy)
{
    uint32_t at = model_upper(m, ts);

    if (policy != DUPLICATE_KEEP && at > 0 && m->p[at - 1].ts == ts)
        return model_meet(m, at - 1, value, quality, policy);
    model_insert(m, at, ts, value, quality);
    return SERIES_ADDED;
}

static inline uint32_t
model_at(const struct model *m, int64_t ts)
{
    uint32_t at = model_upper(m, ts), n = 0;

    while (n < at && m->p[at - 1 - n].ts == ts)
        n++;
    return n;
}

static inline void
model_delete(struct model *m, int64_t from, int64_t to)
{
    uint32_t n = 0, i;

    for (i = 0; i < m->n; i++) {
        if (m->p[i].ts >= from && m->p[i].ts <= to)
            continue;
        m->p[n] = m->p[i];
        m->quality[n++] = m->quality[i];
    }
    m->n = n;
}

/* --- one series under test -------------------------------------------------------------------- */

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
    int64_t retention;
    uint32_t looked, refused; /* adds that had to look into the store; points of a crowded time */
};

static inline void
bench_init(struct bench *b, struct store_fixture *f)
{
    memset(b, 0, sizeof(*b));
    cr_assert_eq(arena_create(&b->a), 0);
    b->arena_start = arena_bytes(b->a);
    b->f = f;
    b->k = series_key_create(b->a);
    b->s = series_get(b->a, b->k, TYPE);
    b->lim = (struct series_limits){.block_points = 16, .block_points_max = 64, .block_span = 50,
                                    .same_ts_max = SERIES_SAME_TS_MAX};
}

static inline void
assert_accounting(struct bench *b)
{
    size_t own = arena_usable(sizeof(*b->k) + sizeof(*b->s));

    cr_assert_eq(arena_bytes(b->a) - b->arena_start, b->k->bytes + own, "%zu but %zu counted",
                 arena_bytes(b->a) - b->arena_start, (size_t)b->k->bytes + own);
}

static inline void
bench_fini(struct bench *b)
{
    assert_accounting(b);
    series_key_destroy(b->a, &b->k);
    cr_assert_eq(arena_bytes(b->a), b->arena_start);
    arena_destroy(&b->a);
    model_fini(&b->m);
}

static inline struct store *
store_of(const struct bench *b)
{
    return b->f ? b->f->s : NULL;
}

static inline int
count_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(uint32_t *)arg += n;
    return 0;
}

static inline uint32_t
points_at(struct bench *b, int64_t ts)
{
    struct series_query q = {.start = ts, .end = ts, .limit = UINT64_MAX};
    uint32_t n = 0;

    cr_assert_eq(series_read(store_of(b), false, 0, key_slot(KEY), KEY, b->s, &q, count_emit, &n),
                 0);
    return n;
}

/* What the add could not tell without the store. */
static inline enum series_result
add_having_looked(struct bench *b, int64_t ts, double value, uint8_t quality,
                  enum duplicate_policy policy)
{
    uint32_t n = points_at(b, ts);

    if (policy == DUPLICATE_BLOCK && n > 0)
        return SERIES_BLOCKED;
    if (policy == DUPLICATE_BLOCK)
        policy = DUPLICATE_FIRST;
    else
        series_counted(b->a, b->k, b->s, ts, n);
    return series_add(b->a, b->k, b->s, &b->lim, ts, value, quality, policy);
}

static inline void
bench_add(struct bench *b, int64_t ts, double value, uint8_t quality, enum duplicate_policy policy)
{
    bool crowded = policy == DUPLICATE_KEEP && model_at(&b->m, ts) >= b->lim.same_ts_max;
    enum series_result want, r;

    r = series_add(b->a, b->k, b->s, &b->lim, ts, value, quality, policy);
    b->looked += r == SERIES_NEED_STORED;
    if (r == SERIES_NEED_STORED)
        r = add_having_looked(b, ts, value, quality, policy);
    b->refused += crowded;
    cr_assert_eq(r == SERIES_CROWDED, crowded, "ts %ld: %u points, %d", (long)ts,
                 model_at(&b->m, ts), r);
    if (crowded)
        return;
    want = model_add(&b->m, ts, value, quality, policy);
    if (r == SERIES_LATE)
        cr_assert(policy != DUPLICATE_BLOCK || want == SERIES_ADDED, "ts %ld", (long)ts);
    else
        cr_assert_eq(r, want, "ts %ld policy %d: %d, model %d", (long)ts, policy, r, want);
}

static inline void
bench_delete(struct bench *b, int64_t from, int64_t to)
{
    struct series_place at = {.store = store_of(b), .key = KEY, .slot = key_slot(KEY)};
    struct series_deletion d;

    cr_assert_eq(series_delete_plan(&at, b->s, from, to, &d), 0);
    series_delete(b->a, b->k, b->s, &d);
    series_deletion_fini(&d);
    model_delete(&b->m, from, to);
}

/* A few points, a stretch, the newest ones or all. */
static inline void
delete_some(struct bench *b, int64_t now)
{
    int64_t at = b->m.n ? b->m.p[rnd(b->m.n)].ts : now;

    switch (rnd(12)) {
    case 0:
        bench_delete(b, INT64_MIN, INT64_MAX);
        break;
    case 1:
    case 2:
        bench_delete(b, at, INT64_MAX);
        break;
    case 3:
        bench_delete(b, INT64_MIN, b->m.n ? b->m.p[b->m.n / 4].ts : 0);
        break;
    case 4:
    case 5:
        bench_delete(b, at, at + (int64_t)rnd(1000));
        break;
    case 6:
        if (b->m.n)
            bench_delete(b, b->m.p[b->m.n - 1].ts, b->m.p[b->m.n - 1].ts);
        break;
    default:
        bench_delete(b, at - (int64_t)rnd(3), at + (int64_t)rnd(30));
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

struct expect {
    const struct model *m;
    int64_t at; /* index of the next point */
    int step;
    uint64_t n, limit;
    const char *what;
};

static inline int
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

static inline void
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

static inline void
assert_same(struct bench *b, const char *what)
{
    struct series_query all = {.start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};
    struct series_query part = all;
    struct sample last;
    uint8_t quality;

    assert_query(b, &all, what);
    all.reverse = true;
    assert_query(b, &all, what);
    cr_assert_eq(series_last(b->s, &last, &quality), b->m.n > 0);
    if (b->m.n == 0)
        return;
    part.start = b->m.p[rnd(b->m.n)].ts - (int64_t)rnd(2);
    part.end = part.start + (int64_t)rnd(2000);
    part.limit = rnd(2) ? UINT64_MAX : rnd(100);
    assert_query(b, &part, what);
    part.reverse = true;
    assert_query(b, &part, what);
    cr_assert_eq(last.ts, b->m.p[b->m.n - 1].ts);
    cr_assert_eq(quality, b->m.quality[b->m.n - 1]);
    assert_accounting(b);
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static inline void
flush_begin(struct bench *b)
{
    int64_t kept_from = series_kept_from(b->s, b->retention);
    struct buf row = {0};

    series_expire(b->a, b->k, b->s, kept_from);
    series_flush_begin(b->s, &b->lim, ++b->lsn, kept_from, &b->flush);
    row_head_write(&row, 1, 0);
    series_row_write(&row, b->k, b->lsn);
    cr_assert_leq(row.n, sizeof(b->new_row));
    memcpy(b->new_row, row.p, row.n);
    b->new_row_n = row.n;
    buf_fini(&row);
    b->flushing = true;
    b->written = false;
}

static inline void
flush_write(struct bench *b)
{
    char name[64];
    struct slice k = {name, row_main(name, 0, key_slot(KEY), KEY)};
    struct store_error err;

    b->batch = store_batch_create(b->f->s);
    cr_assert_eq(series_flush_write(b->f->s, b->batch, 0, key_slot(KEY), KEY, &b->flush, &err), 0);
    store_batch_put(b->batch, k, (struct slice){b->new_row, b->new_row_n});
    cr_assert_eq(store_batch_commit(b->batch, &err), 0, "%s", err.text);
    store_batch_destroy(&b->batch);
    memcpy(b->row, b->new_row, b->new_row_n);
    b->row_n = b->new_row_n;
    b->written = true;
}

static inline void
flush_done(struct bench *b)
{
    series_flush_done(b->a, b->k, b->s, &b->flush, b->written);
    series_flush_fini(&b->flush);
    b->flushing = false;
}

static inline void
flush_whole(struct bench *b)
{
    flush_begin(b);
    flush_write(b);
    flush_done(b);
}

/* Forgets memory and begins again from the store. */
static inline void
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

/* A time that is new, the newest again, a little late or very late. */
static inline int64_t
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

static inline void
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

#endif

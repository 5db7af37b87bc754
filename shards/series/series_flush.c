/* What a checkpoint takes of a series, and how the series gets it back. See series.h. */
#include "shards/series/aggregate.h"
#include "shards/series/series_priv.h"

#include <stdlib.h>

static struct series_chunk
chunk_copy(const struct series_chunk *c)
{
    struct series_chunk copy = {.n = c->n, .cap = c->n};

    if (c->n == 0)
        return copy;
    copy.p = malloc(c->n * sizeof(*copy.p));
    ASSERT(copy.p);
    memcpy(copy.p, c->p, c->n * sizeof(*copy.p));
    if (c->quality) {
        copy.quality = malloc(c->n);
        ASSERT(copy.quality);
        memcpy(copy.quality, c->quality, c->n);
    }
    return copy;
}

/* The structs of the sealed chunks: the series' own array moves when it grows. */
static struct series_chunk *
copy_structs(const struct series *s)
{
    size_t n = s->sealed_n * sizeof(*s->sealed);
    struct series_chunk *copy = n ? malloc(n) : NULL;

    ASSERT(copy || !n);
    if (n)
        memcpy(copy, s->sealed, n);
    return copy;
}

/* Each late point may be one more of the most crowded time; the helper finds out better, but the main
 * row is made before. */
static uint32_t
frozen_run_max(const struct series *s, const struct series_frozen *z)
{
    uint32_t i, run = s->run_max;

    for (i = 0; i < z->sealed_n; i++)
        run = MAX(run, samples_run_max(s->sealed[i].p, s->sealed[i].n));
    return run + late_run(&z->late);
}

static struct series_frozen *
freeze(struct series *s, const struct series_limits *lim)
{
    struct series_frozen *z = malloc(sizeof(*z));

    ASSERT(z && !s->frozen);
    *z = (struct series_frozen){.sealed_n = s->sealed_n,
                                .limits = *lim,
                                .open_ts = s->open.n ? s->open.p[0].ts : INT64_MAX};
    if (s->aside) {
        late_settle(&s->aside->late);
        z->late = s->aside->late;
        z->dead = s->aside->dead;
        *s->aside = (struct series_aside){0};
        if (z->late.n || z->dead.n)
            s->late_gen++;
    }
    z->late_gen = s->late_gen;
    z->run_max = frozen_run_max(s, z);
    return z;
}

int64_t
series_kept_from(const struct series *s, int64_t retention)
{
    struct sample last;
    uint8_t quality;

    if (retention == 0 || s == NULL || !series_last(s, &last, &quality) ||
        last.ts < INT64_MIN + retention)
        return INT64_MIN;
    return last.ts - retention;
}

int64_t
series_stored_from(const struct series *s, const struct series_meta *m)
{
    int64_t from = series_kept_from(s, m->retention);
    struct sample last;
    uint8_t quality;

    if (from == INT64_MIN || m->rules_n == 0 || !series_last(s, &last, &quality))
        return from;
    for (uint32_t i = 0; i < m->rules_n; i++)
        from = MIN(from, bucket_start(last.ts, m->rules[i].bucket, m->rules[i].align));
    return from;
}

bool
series_expire(struct arena *a, struct series_key *k, struct series *s, int64_t kept_from)
{
    struct time_range gone = {INT64_MIN, kept_from};
    uint32_t n = 0, late = series_late_points(s);

    ASSERT(!s->frozen);
    if (kept_from == INT64_MIN)
        return false;
    gone.to--;
    while (n < s->sealed_n && s->sealed[n].p[s->sealed[n].n - 1].ts < kept_from)
        n++;
    sealed_cut(a, k, s, 0, n, gone);
    if (s->aside) {
        late_cut(&s->aside->late, gone);
        s->aside->crowd.known = false;
    }
    return n > 0 || series_late_points(s) < late;
}

void
series_flush_begin(struct series *s, const struct series_limits *lim, uint64_t as_of_lsn,
                   int64_t kept_from, struct series_flush *ret_f)
{
    s->frozen = freeze(s, lim);
    *ret_f = (struct series_flush){
        .sealed = copy_structs(s),
        .sealed_n = s->sealed_n,
        .late = s->frozen->late.p,
        .late_n = s->frozen->late.n,
        .dead = s->frozen->dead,
        .open = chunk_copy(&s->open),
        .stale_open_ts = s->stored_open_ts,
        .as_of_lsn = as_of_lsn,
        .kept_from = s->stored_until < kept_from ? kept_from : INT64_MIN,
        .stored_until = s->stored_until,
        .run_max = s->run_max,
        .block_points_max = lim->block_points_max,
        .type = s->type,
        .has_stale_open = s->has_stored_open,
        .has_stored_blocks = s->has_stored_blocks,
        .has_stored_tail = s->has_stored_tail,
    };
}

void
series_flush_fini(struct series_flush *f)
{
    free(f->sealed);
    free(f->open.p);
    free(f->open.quality);
    *f = (struct series_flush){0};
}

static void
forget_sealed(struct arena *a, struct series_key *k, struct series *s, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        chunk_free(a, k, &s->sealed[i]);
    s->sealed_n -= n;
    memmove(s->sealed, s->sealed + n, s->sealed_n * sizeof(*s->sealed));
    if (s->sealed_n == 0) {
        series_free(a, k, s->sealed, s->sealed_cap * sizeof(*s->sealed));
        s->sealed = NULL;
        s->sealed_cap = 0;
    }
}

static void
drop_empty_aside(struct arena *a, struct series_key *k, struct series *s)
{
    if (s->aside && s->aside->late.n == 0 && s->aside->dead.n == 0)
        series_aside_free(a, k, s);
}

/* It is in the store now. */
static void
take_over(struct arena *a, struct series_key *k, struct series *s, struct series_frozen *z,
          const struct series_flush *f)
{
    /* Where no point was left no row is; late points that came since wait for rows nonetheless. */
    s->has_stored_blocks = series_late_points(s) ||
                           (f->open.n && (s->has_stored_blocks || z->sealed_n || z->late.n));
    if (z->sealed_n)
        forget_sealed(a, k, s, z->sealed_n);
    late_free(a, k, &z->late);
    ranges_free(a, k, &z->dead);
    drop_empty_aside(a, k, s);
    s->has_stored_tail = f->has_stored_tail;
    s->has_stored_open = f->open.n > 0;
    s->stored_open_ts = f->open.n ? f->open.p[0].ts : 0;
    s->stored_until = f->stored_until;
    s->run_max = s->has_stored_blocks ? MIN(f->run_max, (uint32_t)BLOCK_POINTS_MAX) : 0;
    s->as_of_lsn = f->as_of_lsn;
}

/* Deletions that came meanwhile reach what was frozen; those that were frozen wait with them. */
static void
take_back_dead(struct arena *a, struct series_key *k, struct series *s, struct series_frozen *z)
{
    struct range_list *dead = &series_aside_get(a, k, s)->dead;
    uint32_t i, end = z->sealed_n;

    for (i = 0; i < dead->n; i++) {
        end = sealed_cut(a, k, s, 0, end, dead->p[i]);
        late_cut(&z->late, dead->p[i]);
    }
    for (i = 0; i < z->dead.n; i++)
        ranges_add(a, k, dead, z->dead.p[i]);
    ranges_free(a, k, &z->dead);
}

/* The checkpoint failed. Late points whose chunks were frozen go where they belong: were they left
 * beside, they would be applied again after points that come later. What is still late stays so. */
static void
take_back(struct arena *a, struct series_key *k, struct series *s, struct series_frozen *z)
{
    struct late_list all;
    uint32_t i;

    z->limits.accepted = true;
    take_back_dead(a, k, s, z);
    late_prepend(a, k, &s->aside->late, &z->late);
    all = s->aside->late;
    s->aside->late = (struct late_list){0};
    for (i = 0; i < all.n; i++) {
        const struct late_point *l = &all.p[i];
        series_add(a, k, s, &z->limits, l->ts, l->value, l->quality, l->policy);
    }
    late_free(a, k, &all);
    drop_empty_aside(a, k, s);
}

void
series_flush_done(struct arena *a, struct series_key *k, struct series *s,
                  const struct series_flush *f, bool ok)
{
    struct series_frozen *z = s->frozen;

    ASSERT(z && z->sealed_n == f->sealed_n && z->late.n == f->late_n);
    s->frozen = NULL;
    if (s->aside)
        s->aside->crowd.known = false;
    if (ok)
        take_over(a, k, s, z, f);
    else
        take_back(a, k, s, z);
    free(z);
}

/* What a checkpoint takes of a series, and how the series gets it back. See series.h. */
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

static struct series_frozen *
freeze(struct series *s, const struct series_limits *lim)
{
    struct series_frozen *z = malloc(sizeof(*z));

    ASSERT(z && !s->frozen);
    late_settle(&s->late);
    if (s->late.n)
        s->late_gen++;
    *z = (struct series_frozen){
        .late = s->late, .sealed_n = s->sealed_n, .late_gen = s->late_gen, .limits = *lim};
    s->late = (struct late_list){0};
    return z;
}

void
series_flush_begin(struct series *s, const struct series_limits *lim, uint64_t as_of_lsn,
                   struct series_flush *ret_f)
{
    s->frozen = freeze(s, lim);
    *ret_f = (struct series_flush){
        .sealed = copy_structs(s),
        .sealed_n = s->sealed_n,
        .late = s->frozen->late.p,
        .late_n = s->frozen->late.n,
        .open = chunk_copy(&s->open),
        .stale_open_ts = s->stored_open_ts,
        .as_of_lsn = as_of_lsn,
        .block_points_max = lim->block_points_max,
        .type = s->type,
        .has_stale_open = s->has_stored_open,
        .has_stored_blocks = s->has_stored_blocks,
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

/* It is in the store now. */
static void
take_over(struct arena *a, struct series_key *k, struct series *s, struct series_frozen *z,
          const struct series_flush *f)
{
    if (z->sealed_n || z->late.n)
        s->has_stored_blocks = true;
    if (z->sealed_n)
        forget_sealed(a, k, s, z->sealed_n);
    late_free(a, k, &z->late);
    s->has_stored_open = f->open.n > 0;
    s->stored_open_ts = f->open.n ? f->open.p[0].ts : 0;
    s->as_of_lsn = f->as_of_lsn;
}

/* The checkpoint failed. Late points whose chunks were frozen go where they belong: were they left
 * beside, they would be applied again after points that come later. What is still late stays so. */
static void
take_back(struct arena *a, struct series_key *k, struct series *s, struct series_frozen *z)
{
    struct late_list all;
    uint32_t i;

    late_prepend(a, k, &s->late, &z->late);
    all = s->late;
    s->late = (struct late_list){0};
    for (i = 0; i < all.n; i++) {
        const struct late_point *l = &all.p[i];
        if (series_add(a, k, s, &z->limits, l->ts, l->value, l->quality, l->policy) ==
            SERIES_CROWDED)
            late_add(a, k, &s->late, l);
    }
    late_free(a, k, &all);
}

void
series_flush_done(struct arena *a, struct series_key *k, struct series *s,
                  const struct series_flush *f, bool ok)
{
    struct series_frozen *z = s->frozen;

    ASSERT(z && z->sealed_n == f->sealed_n && z->late.n == f->late_n);
    s->frozen = NULL;
    if (ok)
        take_over(a, k, s, z, f);
    else
        take_back(a, k, s, z);
    free(z);
}

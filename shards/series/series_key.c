/* The series of a key by data type, and its metadata. */
#include "shards/series/series_priv.h"

#include <stdlib.h>

struct series_key *
series_key_create(struct arena *a)
{
    struct series_key *k = arena_alloc(a, sizeof(*k) + sizeof(struct series));

    *k = (struct series_key){0};
    k->first[0] = (struct series){0};
    return k;
}

struct series_aside *
series_aside_get(struct arena *a, struct series_key *k, struct series *s)
{
    if (!s->aside) {
        s->aside = series_alloc(a, k, sizeof(*s->aside));
        *s->aside = (struct series_aside){0};
    }
    return s->aside;
}

void
series_aside_free(struct arena *a, struct series_key *k, struct series *s)
{
    if (!s->aside)
        return;
    late_free(a, k, &s->aside->late);
    ranges_free(a, k, &s->aside->dead);
    series_free(a, k, s->aside, sizeof(*s->aside));
    s->aside = NULL;
}

static void
series_destroy(struct arena *a, struct series_key *k, struct series *s)
{
    uint32_t i;

    for (i = 0; i < s->sealed_n; i++)
        chunk_free(a, k, &s->sealed[i]);
    series_free(a, k, s->sealed, s->sealed_cap * sizeof(*s->sealed));
    chunk_free(a, k, &s->open);
    series_aside_free(a, k, s);
    if (s->frozen) {
        late_free(a, k, &s->frozen->late);
        ranges_free(a, k, &s->frozen->dead);
    }
    free(s->frozen);
    if (s != k->first)
        series_free(a, k, s, sizeof(*s));
}

static void
drop_meta(struct arena *a, struct series_key *k)
{
    if (k->meta)
        k->bytes -= arena_usable(k->meta->bytes);
    series_meta_destroy(a, &k->meta);
}

void
series_set_meta(struct arena *a, struct series_key *k, const struct series_meta *m)
{
    struct series_meta own = *m, *copy;

    own.labels_n = 0;
    own.labels = NULL;
    copy = series_meta_is_default(&own) ? NULL : series_meta_copy(a, &own);

    drop_meta(a, k); /* not before: m may point into it */
    if (copy)
        k->bytes += arena_usable(copy->bytes);
    k->meta = copy;
}

/* Room of the array of types: powers of two. */
static uint32_t
types_cap(uint32_t n)
{
    return n <= 1 ? n : 1u << (32 - __builtin_clz(n - 1));
}

void
series_key_destroy(struct arena *a, struct series_key **k)
{
    uint32_t i;

    if (!*k)
        return;
    for (i = 0; i < (*k)->n; i++)
        series_destroy(a, *k, series_at(*k, i));
    drop_meta(a, *k);
    if ((*k)->list)
        series_free(a, *k, (*k)->list, types_cap((*k)->n) * sizeof(*(*k)->list));
    arena_free(a, *k, sizeof(**k) + sizeof(struct series));
    *k = NULL;
}

/* First place whose type is >= type. */
static uint32_t
type_place(const struct series_key *k, uint8_t type)
{
    uint32_t lo = 0, hi = k->n;

    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (series_at(k, mid)->type < type)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct series *
series_search(const struct series_key *k, uint8_t type)
{
    uint32_t at = type_place(k, type);

    return at < k->n && series_at(k, at)->type == type ? series_at(k, at) : NULL;
}

/* Room for one more in the array of types. */
static void
types_reserve(struct arena *a, struct series_key *k)
{
    uint32_t cap = types_cap(k->n);

    if (k->n == 0 || k->n < cap)
        return;
    if (k->list) {
        k->list = series_realloc(a, k, k->list, cap * sizeof(*k->list),
                                 types_cap(k->n + 1) * sizeof(*k->list));
        return;
    }
    k->list = series_alloc(a, k, types_cap(k->n + 1) * sizeof(*k->list));
    k->list[0] = k->first;
}

static struct series *
series_new(struct arena *a, struct series_key *k, uint32_t at, uint8_t type)
{
    struct series *s = k->n == 0 ? k->first : series_alloc(a, k, sizeof(*s));

    *s = (struct series){.type = type, .stored_until = INT64_MIN};
    types_reserve(a, k);
    if (k->list) {
        memmove(k->list + at + 1, k->list + at, (k->n - at) * sizeof(*k->list));
        k->list[at] = s;
    }
    k->n++;
    return s;
}

struct series *
series_get(struct arena *a, struct series_key *k, uint8_t type)
{
    uint32_t at;

    if (likely(k->n == 1 && k->first[0].type == type))
        return k->first;
    at = type_place(k, type);
    if (at < k->n && series_at(k, at)->type == type)
        return series_at(k, at);
    return series_new(a, k, at, type);
}

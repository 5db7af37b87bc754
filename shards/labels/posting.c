#include "shards/labels/posting_priv.h"

#define POSTING_BIG (1u << 31)
#define POSTING_COUNT_UNIT 16  /* bytes */
#define POSTING_COUNT_EVERY 64 /* changes of a bitmap between two looks at its size */

static inline bool
is_big(const struct posting *p)
{
    return (p->cap & POSTING_BIG) != 0;
}

static uint32_t *
places(struct posting *p)
{
    return p->cap ? p->ids : p->few;
}

static const uint32_t *
ids_of(const struct posting *p)
{
    return p->cap ? p->ids : p->few;
}

/* Where id stands, or would stand. */
static uint32_t
find(const struct posting *p, uint32_t id)
{
    const uint32_t *ids = ids_of(p);
    uint32_t low = 0, high = p->n;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- bitmaps ---------------------------------------------------------------------------------- */

static void
big_uncount(struct posting_memory *m, const struct posting *p)
{
    m->big_bytes -= (uint64_t)(p->cap & ~POSTING_BIG) * POSTING_COUNT_UNIT;
}

/* Asking for the size walks over the containers, so it is done now and then. */
static void
big_count(struct posting_memory *m, struct posting *p)
{
    uint64_t units = roaring_bitmap_size_in_bytes(p->big) / POSTING_COUNT_UNIT;

    big_uncount(m, p);
    p->cap = POSTING_BIG | (uint32_t)MIN(units, (uint64_t)POSTING_BIG - 1);
    m->big_bytes += (uint64_t)(p->cap & ~POSTING_BIG) * POSTING_COUNT_UNIT;
}

static void
to_big(struct posting_memory *m, struct posting *p)
{
    roaring_bitmap_t *big = roaring_bitmap_of_ptr(p->n, p->ids);

    ASSERT(big);
    arena_free(m->arena, p->ids, p->cap * sizeof(*p->ids));
    p->big = big;
    p->cap = POSTING_BIG;
    big_count(m, p);
}

static void
to_array(struct posting_memory *m, struct posting *p)
{
    uint32_t *ids = arena_alloc(m->arena, POSTING_ARRAY_MAX * sizeof(*ids));

    roaring_bitmap_to_uint32_array(p->big, ids);
    big_uncount(m, p);
    roaring_bitmap_free(p->big);
    p->ids = ids;
    p->cap = POSTING_ARRAY_MAX;
}

static void
big_add(struct posting_memory *m, struct posting *p, uint32_t id)
{
    p->n += roaring_bitmap_add_checked(p->big, id);
    if (p->n % POSTING_COUNT_EVERY == 0)
        big_count(m, p);
}

static void
big_remove(struct posting_memory *m, struct posting *p, uint32_t id)
{
    p->n -= roaring_bitmap_remove_checked(p->big, id);
    if (p->n < POSTING_ARRAY_MAX / 2)
        to_array(m, p);
}

/* --- adding and removing ---------------------------------------------------------------------- */

static void
grow(struct posting_memory *m, struct posting *p)
{
    uint32_t few[POSTING_INLINE_MAX], cap = p->cap ? p->cap * 2 : 2 * POSTING_INLINE_MAX;

    if (p->cap) {
        p->ids = arena_realloc(m->arena, p->ids, p->cap * sizeof(*p->ids), cap * sizeof(*p->ids));
    } else {
        memcpy(few, p->few, sizeof(few));
        p->ids = arena_alloc(m->arena, cap * sizeof(*p->ids));
        memcpy(p->ids, few, sizeof(few));
    }
    p->cap = cap;
}

static void
shrink(struct posting_memory *m, struct posting *p)
{
    uint32_t *ids = p->ids, cap = p->cap / 2;

    if (p->n <= POSTING_INLINE_MAX) {
        memcpy(p->few, ids, p->n * sizeof(*ids));
        arena_free(m->arena, ids, p->cap * sizeof(*ids));
        p->cap = 0;
    } else if (p->n < cap / 2) {
        p->ids = arena_realloc(m->arena, ids, p->cap * sizeof(*ids), cap * sizeof(*ids));
        p->cap = cap;
    }
}

void
posting_add(struct posting_memory *m, struct posting *p, uint32_t id)
{
    uint32_t at;

    if (!is_big(p) && p->n == POSTING_ARRAY_MAX)
        to_big(m, p);
    if (is_big(p)) {
        big_add(m, p, id);
        return;
    }
    at = find(p, id);
    if (at < p->n && ids_of(p)[at] == id)
        return;
    if (p->n == (p->cap ? p->cap : POSTING_INLINE_MAX))
        grow(m, p);
    memmove(places(p) + at + 1, places(p) + at, (p->n - at) * sizeof(id));
    places(p)[at] = id;
    p->n++;
}

void
posting_remove(struct posting_memory *m, struct posting *p, uint32_t id)
{
    uint32_t at;

    if (is_big(p)) {
        big_remove(m, p, id);
        return;
    }
    at = find(p, id);
    if (at == p->n || ids_of(p)[at] != id)
        return;
    p->n--;
    memmove(places(p) + at, places(p) + at + 1, (p->n - at) * sizeof(id));
    if (p->cap)
        shrink(m, p);
}

void
posting_fini(struct posting_memory *m, struct posting *p)
{
    if (is_big(p)) {
        big_uncount(m, p);
        roaring_bitmap_free(p->big);
    } else if (p->cap) {
        arena_free(m->arena, p->ids, p->cap * sizeof(*p->ids));
    }
    *p = (struct posting){0};
}

bool
posting_has(const struct posting *p, uint32_t id)
{
    uint32_t at;

    if (is_big(p))
        return roaring_bitmap_contains(p->big, id);
    at = find(p, id);
    return at < p->n && ids_of(p)[at] == id;
}

/* --- sets ------------------------------------------------------------------------------------- */

roaring_bitmap_t *
posting_copy(const struct posting *p)
{
    roaring_bitmap_t *set = is_big(p) ? roaring_bitmap_copy(p->big)
                                                  : roaring_bitmap_of_ptr(p->n, ids_of(p));

    ASSERT(set);
    return set;
}

/* As a bitmap for a moment: the posting's own, or a small one made of its ids. */
static roaring_bitmap_t *
borrow(const struct posting *p)
{
    return is_big(p) ? p->big : posting_copy(p);
}

static void
give_back(const struct posting *p, roaring_bitmap_t *set)
{
    if (!is_big(p))
        roaring_bitmap_free(set);
}

void
posting_and(roaring_bitmap_t *set, const struct posting *p)
{
    roaring_bitmap_t *other = borrow(p);

    roaring_bitmap_and_inplace(set, other);
    give_back(p, other);
}

void
posting_andnot(roaring_bitmap_t *set, const struct posting *p)
{
    roaring_bitmap_t *other = borrow(p);

    roaring_bitmap_andnot_inplace(set, other);
    give_back(p, other);
}

void
posting_or(roaring_bitmap_t *set, const struct posting *p)
{
    uint32_t i;

    if (is_big(p)) {
        roaring_bitmap_or_inplace(set, p->big);
        return;
    }
    for (i = 0; i < p->n; i++)
        roaring_bitmap_add(set, ids_of(p)[i]);
}

#include "shards/labels/label_list.h"

#include "shards/labels/labels_priv.h"

#include <stdlib.h>

#define PIECE_BYTES (256 * KIB)
#define PLACES_FIRST 64
#define ORDERED_AT_ONCE 4096
#define UNITED_AT_ONCE 2048
#define LENGTH_BYTES sizeof(uint32_t)

void
label_list_fini(struct label_list *l)
{
    for (uint32_t i = 0; i < l->pieces; i++)
        free(l->piece[i]);
    free(l->piece);
    if (l->sorting)
        sort_steps_fini(&l->sort);
    else
        free(l->place);
    *l = (struct label_list){0};
}

/* --- adding ----------------------------------------------------------------------------------- */

void
label_list_reserve(struct label_list *l, uint32_t n)
{
    if (n <= l->cap)
        return;
    l->place = realloc(l->place, n * sizeof(*l->place));
    ASSERT(l->place);
    l->cap = n;
}

static void
piece_add(struct label_list *l, size_t least)
{
    if (l->pieces == l->pieces_cap) {
        l->pieces_cap = l->pieces_cap ? 2 * l->pieces_cap : 16;
        l->piece = realloc(l->piece, l->pieces_cap * sizeof(*l->piece));
        ASSERT(l->piece);
    }
    l->piece_bytes = MAX(l->pieces ? PIECE_BYTES : PIECE_BYTES / 16, least);
    l->piece[l->pieces] = malloc(l->piece_bytes);
    ASSERT(l->piece[l->pieces]);
    l->pieces++;
    l->piece_used = 0;
}

static size_t
common_bytes(struct slice a, struct slice b, size_t most)
{
    size_t n = 0;

    most = MIN(most, MIN(a.n, b.n));
    while (n < most && a.p[n] == b.p[n])
        n++;
    return n;
}

void
label_list_add(struct label_list *l, struct slice s)
{
    size_t bytes = LENGTH_BYTES + s.n;
    char *p;

    if (l->piece_bytes - l->piece_used < bytes)
        piece_add(l, bytes);
    if (l->n == l->cap)
        label_list_reserve(l, l->cap ? 2 * l->cap : PLACES_FIRST);
    p = l->piece[l->pieces - 1] + l->piece_used;
    put_le32(p, (uint32_t)s.n);
    if (s.n)
        memcpy(p + LENGTH_BYTES, s.p, s.n);
    l->piece_used += bytes;
    l->bytes += bytes + sizeof(*l->place);
    l->place[l->n++] = (struct label_place){.text = p};
    l->common = l->n == 1 ? s.n : common_bytes(label_list_at(l, 0), s, l->common);
}

/* --- sorting ---------------------------------------------------------------------------------- */

static int
compare_places(const void *pa, const void *pb, void *arg)
{
    const struct label_place *a = pa, *b = pb;
    uint32_t n, m;
    int c;

    if (likely(a->order != b->order))
        return a->order < b->order ? -1 : 1;
    n = get_le32(a->text);
    m = get_le32(b->text);
    c = memcmp(a->text + LENGTH_BYTES, b->text + LENGTH_BYTES, MIN(n, m));
    return c ? c : (n > m) - (n < m);
}

static bool
order(struct label_list *l)
{
    uint32_t stop = MIN(l->ordered + ORDERED_AT_ONCE, l->n);

    for (; l->ordered < stop; l->ordered++)
        l->place[l->ordered].order = label_order(label_list_at(l, l->ordered), l->common);
    return l->ordered == l->n;
}

bool
label_list_sort_step(struct label_list *l)
{
    if (!l->sorting) {
        if (order(l)) {
            sort_steps_begin(&l->sort, l->place, l->n, sizeof(*l->place), compare_places, NULL);
            l->sorting = true;
        }
        return false;
    }
    if (!sort_steps_step(&l->sort))
        return false;
    l->place = (struct label_place *)l->sort.items;
    return true;
}

bool
label_list_unite_step(struct label_list *l)
{
    uint32_t stop = MIN(l->looked_at + UNITED_AT_ONCE, l->n);

    for (; l->looked_at < stop; l->looked_at++)
        if (l->distinct == 0 ||
            !slice_equal(label_list_at(l, l->distinct - 1), label_list_at(l, l->looked_at)))
            l->place[l->distinct++] = l->place[l->looked_at];
    if (l->looked_at < l->n)
        return false;
    l->n = l->looked_at = l->distinct;
    return true;
}

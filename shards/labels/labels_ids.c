/* Items by number: labels_priv.h. */
#include "shards/labels/labels_priv.h"

void *
id_at(const struct id_table *t, uint32_t id)
{
    return t->chunks[id / ID_CHUNK] + (size_t)(id % ID_CHUNK) * t->item_bytes;
}

static void
id_chunk_add(struct arena *a, struct id_table *t)
{
    if (t->chunks_n == t->chunks_cap) {
        uint32_t cap = t->chunks_cap ? t->chunks_cap * 2 : 16;
        char **chunks = arena_alloc(a, cap * sizeof(*chunks));

        if (t->chunks_n) {
            memcpy(chunks, t->chunks, t->chunks_n * sizeof(*chunks));
            arena_free(a, t->chunks, t->chunks_cap * sizeof(*chunks));
        }
        t->chunks = chunks;
        t->chunks_cap = cap;
    }
    t->chunks[t->chunks_n++] = arena_alloc(a, ID_CHUNK * t->item_bytes);
}

/* A free item: its first eight bytes, which of a live one are an address, are 2 * next free + 1. */
uint32_t
id_take(struct arena *a, struct id_table *t)
{
    uint32_t id = t->free;
    uint64_t word;

    t->live++;
    if (id == LABEL_NONE) {
        ASSERT(t->used < LABEL_NONE);
        if (t->used == t->chunks_n * (uint64_t)ID_CHUNK)
            id_chunk_add(a, t);
        return t->used++;
    }
    memcpy(&word, id_at(t, id), sizeof(word));
    ASSERT(word & 1);
    t->free = (uint32_t)(word >> 1);
    return id;
}

void
id_give(struct arena *a, struct id_table *t, uint32_t id)
{
    uint64_t word = (uint64_t)t->free << 1 | 1;

    ASSERT(id_is_live(t, id));
    memcpy(id_at(t, id), &word, sizeof(word));
    t->free = id;
    if (--t->live > 0)
        return;
    while (id_chunk_drop(a, t)) /* memory comes back when nobody is left */
        ;
    t->used = t->chunks_cap = 0;
    t->free = LABEL_NONE;
}

bool
id_is_live(const struct id_table *t, uint32_t id)
{
    uint64_t word;

    if (id >= t->used)
        return false;
    memcpy(&word, id_at(t, id), sizeof(word));
    return !(word & 1);
}

bool
id_chunk_drop(struct arena *a, struct id_table *t)
{
    if (t->chunks_n == 0) {
        if (t->chunks)
            arena_free(a, t->chunks, t->chunks_cap * sizeof(*t->chunks));
        t->chunks = NULL;
        return false;
    }
    arena_free(a, t->chunks[--t->chunks_n], ID_CHUNK * t->item_bytes);
    return true;
}

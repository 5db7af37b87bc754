#include "tools/load/seen.h"

#include <stdlib.h>

#define CAP_FIRST 1024

static uint64_t *
find(const struct seen *s, uint64_t hash)
{
    size_t at = hash & (s->cap - 1);

    while (s->slots[at] != 0 && s->slots[at] != hash)
        at = (at + 1) & (s->cap - 1);
    return &s->slots[at];
}

static void
grow(struct seen *s)
{
    struct seen bigger = {.n = s->n, .cap = s->cap ? s->cap * 2 : CAP_FIRST};

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    ASSERT(bigger.slots);
    for (size_t i = 0; i < s->cap; i++)
        if (s->slots[i])
            *find(&bigger, s->slots[i]) = s->slots[i];
    free(s->slots);
    *s = bigger;
}

bool
seen_add(struct seen *s, uint64_t hash)
{
    uint64_t *slot;

    if (s->n * 2 >= s->cap)
        grow(s);
    hash = hash ? hash : 1;
    slot = find(s, hash);
    if (*slot == hash)
        return false;
    *slot = hash;
    s->n++;
    return true;
}

void
seen_fini(struct seen *s)
{
    free(s->slots);
    *s = (struct seen){0};
}

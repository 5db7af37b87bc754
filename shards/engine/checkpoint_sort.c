/* What was captured in the order of its changes is written in the order of its rows: then rows go to the
 * table file as they are made, and are not held in memory until the last one is there. */
#include "shards/engine/checkpoint_priv.h"

#include "shards/store/row.h"
#include "shards/store/store_sort.h"

#include <stdlib.h>

static struct item *
item_at(const struct store_entry *e)
{
    return (struct item *)(uintptr_t)e->at;
}

/* The first eight bytes of its rows (row.h). */
static uint64_t
prefix_of(const struct item *it)
{
    uint64_t prefix = (uint64_t)it->db << 56 | (uint64_t)it->slot << 40 | (uint64_t)it->key_n << 24;

    for (unsigned i = 0; i < 3 && i < it->key_n; i++)
        prefix |= (uint64_t)(uint8_t)it->key[i] << (16 - 8 * i);
    return prefix;
}

/* By the prefix as well, which has database, slot and length: few entries are sorted by this alone. */
static int
compare_items(const void *a, const void *b, void *arg)
{
    const struct store_entry *e = a, *f = b;
    const struct item *x = item_at(e), *y = item_at(f);

    if (e->prefix != f->prefix)
        return e->prefix < f->prefix ? -1 : 1;
    return memcmp(x->key, y->key, MIN(x->key_n, y->key_n));
}

static void
relink(struct checkpoint *c, const struct store_entry *e, size_t n)
{
    c->tail = &c->items;
    for (size_t i = 0; i < n; i++) {
        struct item *it = item_at(&e[i]);

        *c->tail = it;
        c->tail = &it->next;
    }
    *c->tail = NULL;
}

void
checkpoint_sort(struct checkpoint *c)
{
    struct store_entry *e = malloc(MAX(c->rows, 1UL) * sizeof(*e));
    size_t n = 0;

    ASSERT(e);
    for (struct item *it = c->items; it; it = it->next) {
        it->slot = key_slot((struct slice){it->key, it->key_n});
        e[n++] = (struct store_entry){prefix_of(it), (uintptr_t)it};
    }
    ASSERT(n == c->rows);
    store_sort(e, n, compare_items, NULL);
    relink(c, e, n);
    free(e);
}

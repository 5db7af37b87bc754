/* Blocks that stay in the cache. RocksDB keeps a block as long as somebody refers to it, and drops
 * one that is larger than its share of the cache with the last reference. */
#include "shards/store/store_priv.h"

#include <stdlib.h>

struct store_hold {
    struct store_hold *next;
    struct store_iter *it; /* or */
    struct store_value v;
};

static void
push(struct store_hold **h, struct store_hold held)
{
    struct store_hold *one = malloc(sizeof(*one));

    ASSERT(one);
    *one = held;
    one->next = *h;
    *h = one;
}

void
store_hold_iter(struct store_hold **h, struct store_iter *it)
{
    push(h, (struct store_hold){.it = it});
}

void
store_hold_value(struct store_hold **h, struct store_value v)
{
    push(h, (struct store_hold){.v = v});
}

void
store_hold_join(struct store_hold **h, struct store_hold **from)
{
    while (*h)
        h = &(*h)->next;
    *h = *from;
    *from = NULL;
}

void
store_hold_release(struct store_hold **h)
{
    while (*h) {
        struct store_hold *one = *h;

        *h = one->next;
        if (one->it)
            store_iter_close(&one->it);
        else
            store_value_put(&one->v);
        free(one);
    }
}

/* Sorting many things whose keys mostly differ in their first eight bytes: rows of a batch, keys of a
 * checkpoint. Pure; any thread. */
#ifndef SHARDS_STORE_STORE_SORT_H
#define SHARDS_STORE_STORE_SORT_H

#include "core/base.h"

/* The first eight bytes of a key as a number that orders like the bytes (short keys end in zeros), and
 * where the rest is. */
struct store_entry {
    uint64_t prefix;
    uint64_t at;
};

/* Sorts by prefix, entries of the same prefix by `compare`, which looks at all there is. */
typedef int (*store_compare_fn)(const void *a, const void *b, void *arg);
void store_sort(struct store_entry *e, size_t n, store_compare_fn compare, void *arg);

#endif

/* Memory of one shard: a jemalloc arena of its own, with an explicit thread cache, so that its
 * bytes can be counted per core and no two cores meet in the allocator. Frees are sized. Without
 * jemalloc (sanitizer builds) the same interface runs on malloc and still counts.
 *
 * Owner: whoever owns the shard at the moment (its core, or the core it is leased to). */
#ifndef ALLOC_ARENA_H
#define ALLOC_ARENA_H

#include "core/base.h"

struct arena;

/* Starts the allocator's own threads, which from then on give freed pages back; without them that
 * is done now and then inside an allocation or a free, and takes milliseconds after a big release.
 * They run where the caller may run, so call it once, before the loops start, from a thread with
 * the CPU mask of background work. 0 or a negative errno. */
int arena_background_start(void);

/* 0 or a negative errno. */
int arena_create(struct arena **ret_a);
/* Everything allocated must have been freed, or is released with the arena. */
void arena_destroy(struct arena **a);

/* Never NULL: running out of address space aborts. n > 0. */
void *arena_alloc(struct arena *a, size_t n);
void arena_free(struct arena *a, void *p, size_t n);
void *arena_realloc(struct arena *a, void *p, size_t old_n, size_t new_n);
/* The bytes an allocation of n really has (its size class): room to grow in place. */
size_t arena_usable(size_t n);

/* Counts bytes that are not the arena's own but held by what is in it, or counts them no more. */
void arena_charge(struct arena *a, size_t n);
void arena_discharge(struct arena *a, size_t n);

/* Bytes handed out (by size class) and charged, exact and free of cost: what maxmemory looks at. */
size_t arena_bytes(const struct arena *a);
/* Bytes resident according to the allocator (slow, for INFO); 0 when unknown. */
size_t arena_resident_bytes(const struct arena *a);

#endif

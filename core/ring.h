/* Single-producer single-consumer ring of pointers.
 *
 * The producer owns `tail`, the consumer owns `head`; each keeps a cached copy of the other's index
 * on its own cache line and reads the shared one only when the cached copy says full (empty).
 * Pushing is split in two so a batch costs one release store: ring_stage puts pointers,
 * ring_publish makes them visible. A pointer that was pushed belongs to the consumer. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/base.h"

#include <stdalign.h>
#include <stdatomic.h>

struct ring {
    /* read-only after init */
    void **slots;
    uint32_t mask;
    /* producer's own: apart from tail, or staging would fight with a consumer that polls it */
    alignas(CACHE_LINE) uint32_t tail_staged;
    uint32_t head_cached;
    /* written by the producer, polled by the consumer */
    alignas(CACHE_LINE) _Atomic uint32_t tail;
    /* consumer's line */
    alignas(CACHE_LINE) _Atomic uint32_t head;
    uint32_t tail_cached;
};
static_assert(offsetof(struct ring, tail) == 2 * CACHE_LINE, "nothing else is on tail's line");
static_assert(offsetof(struct ring, head) == 3 * CACHE_LINE, "consumer has a line of its own");

/* Capacity must be a power of two. 0 or -ENOMEM. */
int ring_init(struct ring *r, uint32_t capacity);
void ring_fini(struct ring *r);

/* Producer: free slots as far as the cached index knows, refreshed when it says none. */
static inline uint32_t
ring_room(struct ring *r)
{
    uint32_t room = r->mask + 1 - (r->tail_staged - r->head_cached);

    if (likely(room))
        return room;
    /* Acquire pairs with the release in ring_pop_batch: the consumer has read the slots it gave
     * back before we write to them again. */
    r->head_cached = atomic_load_explicit(&r->head, memory_order_acquire);
    return r->mask + 1 - (r->tail_staged - r->head_cached);
}

/* Producer: false means full: not now. Visible to the consumer after ring_publish. */
static inline bool
ring_stage(struct ring *r, void *p)
{
    if (unlikely(!ring_room(r)))
        return false;
    r->slots[r->tail_staged++ & r->mask] = p;
    return true;
}

/* Producer: makes everything staged visible. */
static inline void
ring_publish(struct ring *r)
{
    /* Release pairs with the acquire in ring_ready: whoever sees the new tail sees the slots, and
     * what the pointers in them point at. */
    atomic_store_explicit(&r->tail, r->tail_staged, memory_order_release);
}

/* Producer: true if something is staged and not published. */
static inline bool
ring_unpublished(const struct ring *r)
{
    return atomic_load_explicit(&r->tail, memory_order_relaxed) != r->tail_staged;
}

/* Producer: stage + publish. */
static inline bool
ring_push(struct ring *r, void *p)
{
    if (!ring_stage(r, p))
        return false;
    ring_publish(r);
    return true;
}

/* Consumer: published items as far as the cached index knows, refreshed when it says none. */
static inline uint32_t
ring_ready(struct ring *r)
{
    /* Only the consumer writes head, so it reads its own index without ordering. */
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

    if (r->tail_cached == head)
        r->tail_cached = atomic_load_explicit(&r->tail, memory_order_acquire);
    return r->tail_cached - head;
}

/* Consumer: takes up to `most` pointers, returns how many. */
static inline uint32_t
ring_pop_batch(struct ring *r, void **ret_items, uint32_t most)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t i, n = ring_ready(r);

    n = MIN(n, most);
    if (!n)
        return 0;
    for (i = 0; i < n; i++)
        ret_items[i] = r->slots[(head + i) & r->mask];
    atomic_store_explicit(&r->head, head + n, memory_order_release);
    return n;
}

/* Consumer: NULL when empty. */
static inline void *
ring_pop(struct ring *r)
{
    void *p;

    return ring_pop_batch(r, &p, 1) ? p : NULL;
}

/* Any thread, approximate: number of published items. */
static inline uint32_t
ring_depth(const struct ring *r)
{
    /* Head first: the difference can then be too large by what was pushed meanwhile, never
     * negative. */
    uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    uint32_t n = atomic_load_explicit(&r->tail, memory_order_relaxed) - head;

    return MIN(n, r->mask + 1);
}

#endif

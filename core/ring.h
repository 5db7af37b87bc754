/* Single-producer single-consumer ring of pointers.
 *
 * The producer owns `tail`, the consumer owns `head`; each keeps a cached copy of the other's index
 * on its own cache line and reads the shared one only when the cached copy says full (empty).
 * Pushing is split in two so a batch costs one release store: ring_stage puts pointers, ring_publish
 * makes them visible. A pointer that was pushed belongs to the consumer. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/base.h"

#include <stdatomic.h>

struct ring {
    /* read-only after init */
    void **slots;
    uint32_t mask;
    /* producer's line */
    alignas(CACHE_LINE) _Atomic uint32_t tail;
    uint32_t tail_staged;
    uint32_t head_cached;
    /* consumer's line */
    alignas(CACHE_LINE) _Atomic uint32_t head;
    uint32_t tail_cached;
};

/* Capacity must be a power of two. 0 or -ENOMEM. */
int ring_init(struct ring *r, uint32_t capacity);
void ring_fini(struct ring *r);

/* Producer: false means full: not now. Visible to the consumer after ring_publish. */
bool ring_stage(struct ring *r, void *p);
void ring_publish(struct ring *r);
/* Producer: stage + publish. */
bool ring_push(struct ring *r, void *p);
/* Producer: free slots as far as the cached index knows, refreshed when it says none. */
uint32_t ring_room(struct ring *r);

/* Consumer: takes up to `most` pointers, returns how many. */
uint32_t ring_pop_batch(struct ring *r, void **ret_items, uint32_t most);
/* Consumer: NULL when empty. */
void *ring_pop(struct ring *r);
/* Any thread, approximate: number of published items. */
uint32_t ring_depth(const struct ring *r);

#endif

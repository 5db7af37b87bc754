#include "core/timer.h"

#include <stdlib.h>

#define TIMER_HEAP_FIRST 64

void
timer_heap_init(struct timer_heap *h)
{
    *h = (struct timer_heap){0};
}

void
timer_heap_fini(struct timer_heap *h)
{
    free(h->items);
    *h = (struct timer_heap){0};
}

static void
heap_place(struct timer_heap *h, uint32_t slot, struct timer *t)
{
    h->items[slot] = t;
    t->slot = slot;
}

/* Both walks move a hole instead of swapping, so each level costs one store. */
static void
heap_up(struct timer_heap *h, uint32_t slot, struct timer *t)
{
    while (slot > 1 && h->items[slot / 2]->deadline_ns > t->deadline_ns) {
        heap_place(h, slot, h->items[slot / 2]);
        slot /= 2;
    }
    heap_place(h, slot, t);
}

static void
heap_down(struct timer_heap *h, uint32_t slot, struct timer *t)
{
    uint32_t child;

    while ((child = 2 * slot) <= h->n) {
        if (child < h->n && h->items[child + 1]->deadline_ns < h->items[child]->deadline_ns)
            child++;
        if (h->items[child]->deadline_ns >= t->deadline_ns)
            break;
        heap_place(h, slot, h->items[child]);
        slot = child;
    }
    heap_place(h, slot, t);
}

/* Puts t where it belongs, starting from a slot that is free for it. */
static void
heap_settle(struct timer_heap *h, uint32_t slot, struct timer *t)
{
    if (slot > 1 && h->items[slot / 2]->deadline_ns > t->deadline_ns)
        heap_up(h, slot, t);
    else
        heap_down(h, slot, t);
}

static void
heap_grow(struct timer_heap *h)
{
    uint32_t cap = h->cap ? 2 * h->cap : TIMER_HEAP_FIRST;

    h->items = realloc(h->items, (cap + 1) * sizeof(h->items[0]));
    ASSERT(h->items);
    h->cap = cap;
}

void
timer_arm(struct timer_heap *h, struct timer *t, uint64_t deadline_ns)
{
    uint32_t slot = t->slot;

    t->deadline_ns = deadline_ns;
    if (!slot) {
        if (h->n == h->cap)
            heap_grow(h);
        slot = ++h->n;
    }
    ASSERT(slot <= h->n && (slot == h->n || h->items[slot] == t));
    heap_settle(h, slot, t);
}

void
timer_cancel(struct timer_heap *h, struct timer *t)
{
    uint32_t slot = t->slot;
    struct timer *last;

    if (!slot)
        return;
    ASSERT(slot <= h->n && h->items[slot] == t);
    t->slot = 0;
    last = h->items[h->n--];
    if (last != t)
        heap_settle(h, slot, last);
}

unsigned
timer_run(struct timer_heap *h, uint64_t now_ns, unsigned budget)
{
    unsigned fired = 0;
    struct timer *t;

    while (fired < budget && h->n && h->items[1]->deadline_ns <= now_ns) {
        t = h->items[1];
        timer_cancel(h, t);
        t->fn(t);
        fired++;
    }
    return fired;
}

uint64_t
timer_next(const struct timer_heap *h)
{
    return h->n ? h->items[1]->deadline_ns : UINT64_MAX;
}

uint64_t
timer_next_but(const struct timer_heap *h, const struct timer *but)
{
    uint64_t next = UINT64_MAX;

    if (but->slot != 1)
        return timer_next(h);
    for (uint32_t child = 2; child <= MIN(h->n, 3u); child++)
        next = MIN(next, h->items[child]->deadline_ns);
    return next;
}

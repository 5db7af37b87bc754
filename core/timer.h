/* Timers of one reactor: an intrusive binary heap ordered by deadline. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/base.h"

struct timer {
    void (*fn)(struct timer *t); /* fires once; may arm itself again */
    uint64_t deadline_ns;        /* monotonic */
    uint32_t slot;               /* 1-based place in the heap, 0 = not armed */
};

struct timer_heap {
    struct timer **items; /* items[1..n] */
    uint32_t n, cap;
};

void timer_heap_init(struct timer_heap *h);
void timer_heap_fini(struct timer_heap *h);
/* Arms or re-arms. */
void timer_arm(struct timer_heap *h, struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer_heap *h, struct timer *t);
static inline bool
timer_armed(const struct timer *t)
{
    return t->slot != 0;
}
/* Fires what is due, at most `budget`; returns how many. */
unsigned timer_run(struct timer_heap *h, uint64_t now_ns, unsigned budget);
/* Deadline of the earliest timer, UINT64_MAX when there is none. */
uint64_t timer_next(const struct timer_heap *h);
/* The same of all timers but this one, armed or not. */
uint64_t timer_next_but(const struct timer_heap *h, const struct timer *but);

#endif

/* Time. A reactor reads the clock once per loop turn and hands the cached value to everyone on it;
 * tests put a fake clock in its place. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/base.h"

struct clock {
    uint64_t mono_ns; /* monotonic, for durations */
    int64_t wall_us;  /* Unix time, for expiry and the timestamp "*" */
    bool fake;        /* clock_update leaves the values alone; a test sets them */
};

/* Reads the system's clocks into c, unless it is a fake. */
void clock_update(struct clock *c);

/* Reads the monotonic clock now, for measuring, on any thread. */
uint64_t clock_now_ns(void);
/* Reads the wall clock now, in microseconds since the epoch, on any thread. */
int64_t clock_wall_us(void);

static inline int64_t
clock_wall_ms(const struct clock *c)
{
    return c->wall_us / 1000;
}

#endif

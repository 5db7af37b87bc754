#include "core/clock.h"

#include <time.h>

static uint64_t
clock_read_ns(clockid_t id)
{
    struct timespec ts;

    ASSERT(clock_gettime(id, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
    return (int64_t)(clock_read_ns(CLOCK_REALTIME) / 1000);
}

void
clock_update(struct clock *c)
{
    if (c->fake)
        return;
    c->mono_ns = clock_now_ns();
    c->wall_us = clock_wall_us();
}

/* When the next line may go: as fast as it can, so many points a second, or as fast as the times in
 * the file say, times a factor. */
#ifndef TOOLS_LOAD_PACE_H
#define TOOLS_LOAD_PACE_H

#include "core/base.h"

struct pace {
    double rate;             /* points per second, 0: no limit */
    double replay;           /* times the speed of the data, 0: times do not matter */
    double units_per_second; /* of timestamps */
    uint64_t start_ns;       /* of the clock, set by the first question */
    uint64_t points_before;  /* points that were given by then */
    int64_t first_ts;
    bool started, has_first_ts;
};

/* How long to wait, in nanoseconds, before a line whose first point is number `points` and has the
 * time `ts`. Late lines, and lines older than those before, go at once. */
uint64_t pace_wait_ns(struct pace *p, uint64_t now_ns, uint64_t points, int64_t ts);

#endif

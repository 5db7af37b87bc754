#include "tools/load/pace.h"

#define NS 1e9

uint64_t
pace_wait_ns(struct pace *p, uint64_t now_ns, uint64_t points, int64_t ts)
{
    double due = 0, passed;

    if (!p->started) {
        p->started = true;
        p->start_ns = now_ns;
        p->points_before = points;
    }
    if (!p->has_first_ts) {
        p->has_first_ts = true;
        p->first_ts = ts;
    }
    passed = (double)(now_ns - p->start_ns) / NS;
    if (p->rate > 0)
        due = (double)(points - p->points_before) / p->rate;
    if (p->replay > 0)
        due = MAX(due, ((double)ts - (double)p->first_ts) / p->units_per_second / p->replay);
    return due > passed ? (uint64_t)((due - passed) * NS) : 0;
}

#include "shards/commands/ts_position.h"

#include "shards/engine/core.h"

#define WORK_OF_A_BLOCK 64 /* the work of looking at a header, in points */

void
ts_position_go(struct ts_position *p, const struct ctx *c, uint64_t until_ns)
{
    p->c = c;
    p->until_ns = until_ns;
    p->again = p->begun ? p->passed : 0;
    p->work = 0;
    p->of_block = 0;
    p->moved = p->stopped = false;
}

void
ts_position_again(struct ts_position *p)
{
    p->again = p->begun ? p->passed : 0;
    p->of_block = 0;
}

static void
come(struct ts_position *p, uint32_t n)
{
    p->of_block -= MIN(p->of_block, n);
}

void
ts_position_narrow(const struct ts_position *p, struct series_query *q)
{
    if (!p->begun)
        return;
    if (p->reverse)
        q->end = MIN(q->end, p->at);
    else
        q->start = MAX(q->start, p->at);
    q->limit += MIN(UINT64_MAX - q->limit, (uint64_t)p->again);
}

uint32_t
ts_position_known(struct ts_position *p, const int64_t *ts, uint32_t stride, uint32_t n)
{
    uint32_t known = 0;

    while (known < n && p->again > 0 && ts[(size_t)known * stride] == p->at) {
        known++;
        p->again--;
    }
    if (known < n)
        p->again = 0;
    come(p, known);
    return known;
}

void
ts_position_ends(struct ts_position *p, const struct series *s, int64_t from, int64_t to)
{
    struct sample last;
    uint8_t quality;

    p->ends = true;
    p->end = p->reverse ? from : series_last(s, &last, &quality) ? MIN(to, last.ts) : to;
}

static void
begin_at(struct ts_position *p, int64_t ts)
{
    if (!p->begun)
        p->start = ts;
    p->begun = p->moved = true;
}

/* Points are taken to lie as close everywhere. */
static double
share_done(const struct ts_position *p)
{
    double all = (double)p->end - (double)p->start, done = (double)p->at - (double)p->start;

    return p->ends && p->begun && all != 0 ? MIN(MAX(done / all, 0), 1) : 0;
}

bool
ts_position_works(struct ts_position *p, uint32_t work)
{
    if (p->until_ns == UINT64_MAX)
        return false;
    p->work += work;
    if (p->work < p->c->core->limits.slice_points)
        return false;
    p->work = 0;
    p->stopped = slices_time_is_over(p->c, p->until_ns, share_done(p));
    return p->stopped;
}

static bool
time_is_over(struct ts_position *p, uint32_t work)
{
    if (p->of_block == 0)
        return ts_position_works(p, work);
    p->work += work;
    return false;
}

bool
ts_position_pass(struct ts_position *p, const int64_t *ts, uint32_t stride, uint32_t n)
{
    int64_t last = ts[(size_t)(n - 1) * stride];
    uint32_t same = 1;

    while (same < n && ts[(size_t)(n - 1 - same) * stride] == last)
        same++;
    if (same < n || !p->begun || p->at != last)
        p->passed = 0;
    p->passed += same;
    p->at = last;
    begin_at(p, ts[0]);
    come(p, n);
    return time_is_over(p, n);
}

bool
ts_position_stops_at(struct ts_position *p, const struct block_info *info)
{
    int64_t at;

    p->of_block = 0;
    if (!p->moved || !time_is_over(p, WORK_OF_A_BLOCK)) {
        p->of_block = info->count;
        return false;
    }
    at = p->reverse ? info->last_ts : info->first_ts;
    if (!p->begun || p->at != at) /* else it stands within the block */
        p->passed = 0;
    p->at = at;
    p->begun = true;
    return true;
}

/* Where the series cannot go on, all points of the last time are known. */
void
ts_position_pass_block(struct ts_position *p, const struct block_info *info)
{
    p->at = p->reverse ? info->first_ts : info->last_ts;
    begin_at(p, p->reverse ? info->last_ts : info->first_ts);
    p->passed = 0;
    p->of_block = 0;
    if (p->at == (p->reverse ? INT64_MIN : INT64_MAX))
        p->passed = info->count;
    else
        p->at += p->reverse ? -1 : 1;
}

bool
ts_position_has_read(const struct ts_position *p, int64_t from, int64_t to)
{
    return p->begun && (p->reverse ? to >= p->at : from <= p->at);
}

int64_t
ts_position_wants_from(const struct ts_position *p, int64_t from)
{
    return p->begun && !p->reverse ? p->at : from;
}

/* Under KEEP a time has room for same_ts_max points, wherever they are: refused is what would be one
 * too many, before anything is changed, for what was accepted has to fit into one block.
 *
 * In chunks that may change the points are counted. What is stored or being stored has an upper bound
 * for its most crowded time (series.run_max), kept by the checkpoints: far from the limit, that is
 * nearly always, nobody looks into the store. Near it somebody reads how many points there are at
 * this time; from then on late ones are counted (series_aside.crowd), until a checkpoint takes them. */
#include "shards/series/series_priv.h"

#define RUN_STRIDE 1024

uint32_t
samples_run_max(const struct sample *p, uint32_t n)
{
    uint32_t i, strides = 0, longest = 0;

    for (i = 0; i + RUN_STRIDE < n; i += RUN_STRIDE) {
        strides = p[i].ts == p[i + RUN_STRIDE].ts ? strides + 1 : 0;
        longest = MAX(longest, strides);
    }
    return MIN(n, (longest + 2) * RUN_STRIDE);
}

/* Among late points of this time only KEEP adds one for sure: then the count is not known any more. */
void
crowd_added(struct series_aside *aside, int64_t ts, enum duplicate_policy policy)
{
    if (policy != DUPLICATE_KEEP && aside->crowd.ts == ts)
        aside->crowd.known = false;
}

static uint32_t
late_at(const struct series *s, int64_t ts)
{
    return s->aside ? late_count(&s->aside->late, ts) : 0;
}

static enum series_room
room_of(uint64_t there, uint64_t more, const struct series_limits *lim)
{
    return there + more <= lim->same_ts_max ? SERIES_ROOM_YES : SERIES_ROOM_NO;
}

static enum series_room
room_late(const struct series *s, const struct series_limits *lim, int64_t ts, uint64_t more)
{
    uint64_t run = s->frozen ? s->frozen->run_max : s->run_max;

    if (room_of(run + series_late_points(s), more, lim) == SERIES_ROOM_YES)
        return SERIES_ROOM_YES;
    if (s->aside && s->aside->crowd.known && s->aside->crowd.ts == ts)
        return room_of((uint64_t)(s->aside->crowd.others + late_at(s, ts)), more, lim);
    if (room_of(run + late_at(s, ts), more, lim) == SERIES_ROOM_YES)
        return SERIES_ROOM_YES;
    return SERIES_ROOM_LOOK;
}

enum series_room
series_room(const struct series *s, const struct series_limits *lim, int64_t ts, uint64_t more)
{
    const struct series_chunk *c = &s->open;
    uint32_t i;

    if (likely(c->n == 0 || ts > c->p[c->n - 1].ts))
        return room_of(0, more, lim);
    if (series_is_late(s, ts, &i))
        return room_late(s, lim, ts, more);
    c = series_chunk_at(s, i);
    return room_of(samples_upper(c->p, c->n, ts) - samples_lower(c->p, c->n, ts), more, lim);
}

void
series_counted(struct arena *a, struct series_key *k, struct series *s, int64_t ts, uint64_t n)
{
    struct series_aside *aside = series_aside_get(a, k, s);

    aside->crowd.ts = ts;
    aside->crowd.others = (int64_t)n - late_count(&aside->late, ts);
    aside->crowd.known = true;
}

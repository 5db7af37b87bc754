/* Where a new point goes.
 *
 *   after the newest point            appended to the open chunk; full chunks are sealed
 *   into a chunk that is not frozen   put in its place, or meets the point that is there
 *   before the first chunk            into that chunk, when nothing older is stored or frozen
 *   anywhere else                     to the late points: what is there is in the store, or being
 *                                     written and must not change
 */
#include "shards/series/series_priv.h"

#include <stdlib.h>

#define SEAL_LOOKS 32 /* at a chunk that is long enough, while it grows by a block */
#define SPARE_MAX 8 /* room in the open chunk, as a multiple of its need, before it is cut */

/* --- reading ---------------------------------------------------------------------------------- */

int64_t
series_mem_first(const struct series *s)
{
    const struct series_frozen *z = s->frozen;
    int64_t first = s->open.n ? s->open.p[0].ts : INT64_MAX;

    if (s->has_stored_open)
        first = MIN(first, s->stored_open_ts);
    if (s->sealed_n)
        first = MIN(first, s->sealed[0].p[0].ts);
    if (z)
        first = MIN(first, z->open_ts);
    /* Frozen chunks that are deleted may be later than what came since. */
    if (z && z->sealed_n < s->sealed_n)
        first = MIN(first, s->sealed[z->sealed_n].p[0].ts);
    return first;
}

size_t
series_memory_points(const struct series *s)
{
    size_t n = series_late_points(s) + (s->frozen ? s->frozen->late.n : 0);
    uint32_t i;

    for (i = 0; i < series_chunks(s); i++)
        n += series_chunk_at(s, i)->n;
    return n;
}

uint32_t
series_late_points(const struct series *s)
{
    return s->aside ? s->aside->late.n : 0;
}

/* --- sealing ---------------------------------------------------------------------------------- */

/* Makes room for a chunk at place i of the sealed ones. */
static void
sealed_insert(struct arena *a, struct series_key *k, struct series *s, uint32_t i,
              struct series_chunk c)
{
    if (s->sealed_n == s->sealed_cap) {
        uint32_t cap = s->sealed_cap ? 2 * s->sealed_cap : 1;
        s->sealed = series_realloc(a, k, s->sealed, s->sealed_cap * sizeof(c), cap * sizeof(c));
        s->sealed_cap = cap;
    }
    memmove(s->sealed + i + 1, s->sealed + i, (s->sealed_n - i) * sizeof(c));
    s->sealed[i] = c;
    s->sealed_n++;
}

/* Where to cut the open chunk, 0 = not yet. */
static uint32_t
seal_point(const struct series_chunk *c, const struct series_limits *lim)
{
    uint32_t cut = c->n - lim->block_points;
    uint64_t span = (uint64_t)c->p[cut - 1].ts - (uint64_t)c->p[0].ts;

    if (c->n >= lim->block_points_max + lim->block_points)
        return chunk_boundary(c, lim->block_points_max);
    if (span < (uint64_t)lim->block_span)
        return 0;
    return chunk_boundary(c, cut);
}

/* Is a chunk of n points to be looked at? A chunk that is long enough but does not span enough time
 * yet would be asked for its times, two cache misses, at every point; it is asked now and then. */
static inline bool
seal_is_due(uint32_t n, const struct series_limits *lim)
{
    return unlikely(n >= 2 * lim->block_points) &&
           (n - 2 * lim->block_points) % MAX(1u, lim->block_points / SEAL_LOOKS) == 0;
}

static void
seal(struct arena *a, struct series_key *k, struct series *s, const struct series_limits *lim)
{
    uint32_t cut = seal_point(&s->open, lim);
    struct series_chunk front;

    if (cut == 0)
        return;
    front = chunk_take_front(a, k, &s->open, cut);
    sealed_insert(a, k, s, s->sealed_n, front);
    if (s->open.cap / SPARE_MAX > MAX(s->open.n, 2 * lim->block_points))
        chunk_reserve(a, k, &s->open, 2 * MAX(s->open.n, lim->block_points));
}

/* A sealed chunk grows by points that come late; at twice the size it becomes two. */
static void
split_sealed(struct arena *a, struct series_key *k, struct series *s, uint32_t i,
             const struct series_limits *lim)
{
    struct series_chunk front;
    uint32_t cut;

    if (s->sealed[i].n < 2 * lim->block_points_max)
        return;
    cut = chunk_boundary(&s->sealed[i], s->sealed[i].n / 2);
    if (cut == 0)
        return;
    front = chunk_take_front(a, k, &s->sealed[i], cut);
    sealed_insert(a, k, s, i, front);
}

/* --- adding ----------------------------------------------------------------------------------- */

/* A point into a chunk, wherever its time says. */
static enum series_result
add_to_chunk(struct arena *a, struct series_key *k, struct series_chunk *c,
             const struct series_limits *lim, struct sample p, uint8_t quality,
             enum duplicate_policy policy)
{
    uint32_t at = samples_upper(c->p, c->n, p.ts);
    enum series_result r;
    uint8_t old_quality;

    if (at > 0 && c->p[at - 1].ts == p.ts) {
        if (policy != DUPLICATE_KEEP) {
            old_quality = c->quality ? c->quality[at - 1] : 0;
            r = series_meet(&c->p[at - 1].value, &old_quality, p.value, quality, policy);
            if (unlikely(old_quality && !c->quality)) {
                c->quality = series_alloc(a, k, c->cap);
                memset(c->quality, 0, c->n);
            }
            if (c->quality)
                c->quality[at - 1] = old_quality;
            return r;
        }
        if (at >= lim->same_ts_max && c->p[at - lim->same_ts_max].ts == p.ts && !lim->accepted)
            return SERIES_CROWDED;
    }
    chunk_insert(a, k, c, at, p, quality);
    return SERIES_ADDED;
}

/* The last of the sealed chunks [lo, hi) whose first ts is <= ts; lo when all are later. */
static uint32_t
sealed_of(const struct series *s, uint32_t lo, uint32_t hi, int64_t ts)
{
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (s->sealed[mid].p[0].ts <= ts)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int64_t
chunk_last(const struct series_chunk *c)
{
    return c->p[c->n - 1].ts;
}

/* The chunk in which a point of this time has its place. The first `frozen` ones are looked at last:
 * deleted points of theirs may be later than chunks that came since. A gap between two chunks
 * belongs to the one before it; behind frozen chunks, to the next. */
static uint32_t
chunk_of(const struct series *s, uint32_t frozen, int64_t ts)
{
    if (s->open.p[0].ts <= ts)
        return s->sealed_n;
    if (frozen < s->sealed_n && (frozen == 0 || s->sealed[frozen].p[0].ts <= ts))
        return sealed_of(s, frozen, s->sealed_n, ts);
    if (frozen == 0 || ts > chunk_last(&s->sealed[frozen - 1]))
        return frozen;
    return sealed_of(s, 0, frozen, ts);
}

static uint32_t
frozen_chunks(const struct series *s)
{
    return s->frozen ? s->frozen->sealed_n : 0;
}

static bool
is_dead(const struct series *s, int64_t ts)
{
    return s->aside && ranges_meet(&s->aside->dead, ts, ts);
}

/* BLOCK among the late points: what is stored is not known here unless memory covers the time. */
static enum series_result
block_late(const struct series *s, uint32_t chunk, int64_t ts)
{
    const struct series_chunk *c = series_chunk_at(s, chunk);
    uint32_t at = samples_lower(c->p, c->n, ts);

    if (s->aside && late_has(&s->aside->late, ts))
        return SERIES_BLOCKED;
    if (is_dead(s, ts))
        return SERIES_LATE;
    if ((at < c->n && c->p[at].ts == ts) || (s->frozen && late_has(&s->frozen->late, ts)))
        return SERIES_BLOCKED;
    return ts < series_mem_first(s) && s->has_stored_blocks ? SERIES_NEED_STORED : SERIES_LATE;
}

/* KEEP among the late points. */
static enum series_result
keep_late(const struct series *s, const struct series_limits *lim, int64_t ts)
{
    static const enum series_result results[] = {
        [SERIES_ROOM_YES] = SERIES_LATE,
        [SERIES_ROOM_NO] = SERIES_CROWDED,
        [SERIES_ROOM_LOOK] = SERIES_NEED_STORED,
    };

    return lim->accepted ? SERIES_LATE : results[series_room(s, lim, ts, 1)];
}

static enum series_result
add_late(struct arena *a, struct series_key *k, struct series *s, const struct series_limits *lim,
         uint32_t chunk, struct sample p, uint8_t quality, enum duplicate_policy policy)
{
    struct late_point late = {p.ts, p.value, quality, (uint8_t)policy, 0};
    struct series_aside *aside;

    if (policy == DUPLICATE_KEEP) {
        enum series_result r = keep_late(s, lim, p.ts);
        if (r != SERIES_LATE)
            return r;
    } else if (policy == DUPLICATE_BLOCK) {
        enum series_result r = block_late(s, chunk, p.ts);
        if (r != SERIES_LATE)
            return r;
        late.policy = DUPLICATE_FIRST;
    }
    aside = series_aside_get(a, k, s);
    crowd_added(aside, p.ts, policy);
    late_add(a, k, &aside->late, &late);
    return SERIES_LATE;
}

bool
series_is_late(const struct series *s, int64_t ts, uint32_t *ret_chunk)
{
    uint32_t frozen = frozen_chunks(s);

    *ret_chunk = chunk_of(s, frozen, ts);
    return *ret_chunk < frozen ||
           (ts < series_mem_first(s) && (frozen > 0 || s->has_stored_blocks));
}

/* Anything but an append in order. */
static enum series_result
add_out_of_order(struct arena *a, struct series_key *k, struct series *s,
                 const struct series_limits *lim, struct sample p, uint8_t quality,
                 enum duplicate_policy policy)
{
    enum series_result r;
    uint32_t i;

    if (series_is_late(s, p.ts, &i))
        return add_late(a, k, s, lim, i, p, quality, policy);
    if (i < s->sealed_n) {
        r = add_to_chunk(a, k, &s->sealed[i], lim, p, quality, policy);
        split_sealed(a, k, s, i, lim);
        return r;
    }
    r = add_to_chunk(a, k, &s->open, lim, p, quality, policy);
    if (seal_is_due(s->open.n, lim))
        seal(a, k, s, lim);
    return r;
}

enum series_result
series_add(struct arena *a, struct series_key *k, struct series *s, const struct series_limits *lim,
           int64_t ts, double value, uint8_t quality, enum duplicate_policy policy)
{
    struct series_chunk *c = &s->open;
    uint32_t n = c->n;

    if (unlikely(n > 0 && ts <= c->p[n - 1].ts) &&
        !(ts == c->p[n - 1].ts && policy == DUPLICATE_KEEP && n < lim->same_ts_max))
        return add_out_of_order(a, k, s, lim, (struct sample){ts, value}, quality, policy);
    if (likely(n < c->cap && !quality && !c->quality)) {
        c->p[n] = (struct sample){ts, value};
        c->n = n + 1;
    } else {
        chunk_insert(a, k, c, n, (struct sample){ts, value}, quality);
    }
    if (seal_is_due(n + 1, lim))
        seal(a, k, s, lim);
    return SERIES_ADDED;
}

void
series_restore_open(struct arena *a, struct series_key *k, struct series *s,
                    const struct samples *in)
{
    ASSERT(s->open.n == 0 && s->sealed_n == 0 && in->n > 0);
    chunk_append(a, k, &s->open, in);
}

/* Do these points, sorted, all come after the newest one? And as a chunk grows by them it stays far
 * from what a block can hold, whatever times they share. */
static bool
goes_behind(const struct series_chunk *c, const struct samples *in)
{
    return (c->n == 0 || in->p[0].ts > c->p[c->n - 1].ts) && c->n + in->n <= SERIES_SAME_TS_MAX;
}

static bool
append_one_by_one(struct arena *a, struct series_key *k, struct series *s,
                  const struct series_limits *lim, const struct samples *in)
{
    bool all = true;

    for (uint32_t i = 0; i < in->n; i++) {
        enum series_result r = series_add(a, k, s, lim, in->p[i].ts, in->p[i].value,
                                          in->quality ? in->quality[i] : 0, DUPLICATE_KEEP);

        all = all && (r == SERIES_ADDED || r == SERIES_LATE);
    }
    return all;
}

bool
series_append(struct arena *a, struct series_key *k, struct series *s,
              const struct series_limits *lim, const struct samples *in)
{
    bool all = true;

    for (uint32_t i = 0, n; i < in->n; i += n) {
        struct samples part = {in->p + i, in->quality ? in->quality + i : NULL, 0};

        part.n = n = MIN(in->n - i, lim->block_points);
        if (!goes_behind(&s->open, &part)) {
            all = append_one_by_one(a, k, s, lim, &part) && all;
            continue;
        }
        chunk_append(a, k, &s->open, &part);
        if (s->open.n >= 2 * lim->block_points)
            seal(a, k, s, lim);
    }
    return all;
}

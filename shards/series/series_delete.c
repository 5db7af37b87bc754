/* Points between two times go.
 *
 * What is in memory and not frozen goes at once. What is stored, or being stored, must not change
 * here: the range is noted beside the series (series_aside.dead). Readers leave out what it covers,
 * and the next checkpoint takes it out of the stored blocks.
 *
 * The open chunk of a series that has points is never empty. When all of it goes it begins again
 * with the points of the newest time that is left, wherever those were, and everything from that
 * time on is gone from there. */
#include "shards/series/series_priv.h"
#include "shards/series/series_store.h"

#include <stdlib.h>

/* --- what is known before ---------------------------------------------------------------------- */

static int
newest_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(int64_t *)arg = p[0].ts;
    return 1;
}

static int
refill_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct samples *s = arg;

    s->p = realloc(s->p, (s->n + n) * sizeof(*s->p));
    s->quality = realloc(s->quality, s->n + n);
    ASSERT(s->p && s->quality);
    memcpy(s->p + s->n, p, n * sizeof(*p));
    if (quality)
        memcpy(s->quality + s->n, quality, n);
    else
        memset(s->quality + s->n, 0, n);
    s->n += n;
    return 0;
}

/* The points of the newest time before `to`. */
static int
read_newest(const struct series_place *at, const struct series *s, int64_t to, struct samples *ret)
{
    struct series_query q = {.start = INT64_MIN, .limit = 1, .reverse = true};
    int64_t newest = INT64_MAX;
    int rc;

    if (to == INT64_MIN)
        return 0;
    q.end = to - 1;
    rc = series_read(at->store, at->cached_only, at->db, at->slot, at->key, s, &q, newest_emit,
                     &newest);
    if (rc < 0 || newest == INT64_MAX)
        return rc;
    q = (struct series_query){.start = newest, .end = newest, .limit = UINT64_MAX};
    return series_read(at->store, at->cached_only, at->db, at->slot, at->key, s, &q, refill_emit,
                       ret);
}

bool
series_delete_empties(const struct series *s, int64_t from, int64_t to)
{
    uint32_t n = s->open.n;

    return n > 0 && s->open.p[0].ts >= from && s->open.p[n - 1].ts <= to;
}

int
series_delete_plan(const struct series_place *at, const struct series *s, int64_t from, int64_t to,
                   struct series_deletion *ret_d)
{
    struct series_deletion d = {.range = {from, to}};
    int rc = 0;

    if (series_delete_empties(s, from, to)) {
        rc = read_newest(at, s, from, &d.refill);
        d.range.from = d.refill.n ? d.refill.p[0].ts : INT64_MIN;
        d.range.to = INT64_MAX;
    }
    if (rc < 0)
        series_deletion_fini(&d);
    else
        *ret_d = d;
    return rc;
}

void
series_deletion_fini(struct series_deletion *d)
{
    free(d->refill.p);
    free(d->refill.quality);
    d->refill = (struct samples){0};
}

/* --- doing it ---------------------------------------------------------------------------------- */

void
chunk_cut(struct series_chunk *c, struct time_range r)
{
    struct samples all = {c->p, c->quality, c->n};

    samples_cut(&all, r.from, r.to);
    c->n = all.n;
}

uint32_t
sealed_cut(struct arena *a, struct series_key *k, struct series *s, uint32_t first, uint32_t end,
           struct time_range r)
{
    uint32_t kept = first, i;

    for (i = first; i < end; i++) {
        chunk_cut(&s->sealed[i], r);
        if (s->sealed[i].n)
            s->sealed[kept++] = s->sealed[i];
        else
            chunk_free(a, k, &s->sealed[i]);
    }
    if (kept < end) {
        memmove(s->sealed + kept, s->sealed + end, (s->sealed_n - end) * sizeof(*s->sealed));
        s->sealed_n -= end - kept;
    }
    return kept;
}

/* May something of the range be in the store, or be on its way there? */
static bool
is_stored(const struct series *s)
{
    return s->has_stored_blocks || (s->frozen && s->frozen->sealed_n > 0);
}

void
series_delete(struct arena *a, struct series_key *k, struct series *s,
              const struct series_deletion *d)
{
    uint32_t frozen = s->frozen ? s->frozen->sealed_n : 0;

    sealed_cut(a, k, s, frozen, s->sealed_n, d->range);
    chunk_cut(&s->open, d->range);
    if (s->aside) {
        late_cut(&s->aside->late, d->range);
        s->aside->crowd.known = false;
    }
    if (is_stored(s))
        ranges_add(a, k, &series_aside_get(a, k, s)->dead, d->range);
    if (d->refill.n)
        chunk_append(a, k, &s->open, &d->refill);
}

uint32_t
series_dead_ranges(const struct series *s)
{
    return s->aside ? s->aside->dead.n : 0;
}

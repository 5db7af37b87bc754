/* The reader. See series_store.h.
 *
 * Points come from runs: stored blocks and chunks in memory, each sorted, disjoint in time. Late
 * points are dealt out to the runs as they pass: what lies before a run is a run of its own, what
 * lies in it is merged. Backward the same from the other end; a run is turned round when emitted.
 *
 * A checkpoint may have committed late points while the series still holds them as frozen. The main
 * row of the same snapshot tells (late_gen); then stored blocks must not get them a second time.
 * Chunks in memory are raw and always get theirs. The same holds for deletions that were frozen
 * with them; those that came since cut whatever is stored or frozen. */
#include "shards/series/series_priv.h"
#include "shards/series/series_row.h"
#include "shards/series/series_rows.h"
#include "shards/series/series_store.h"

#include <stdlib.h>

#define EMIT_BATCH 1024 /* points turned round at a time */

struct reader {
    const struct series *mem;
    const struct series_query *q;
    int64_t mem_first;
    series_emit_fn emit;
    void *arg;
    uint64_t left; /* of the limit */
    bool enough;   /* limit reached, or emit said so */
    /* late points of the part being read, not yet dealt out: [late_lo, late_hi) */
    struct late_point *late;
    uint32_t late_lo, late_hi;
    /* what of the runs being read is deleted */
    const struct range_list *dead[2];
    struct samples alive; /* room for what is left of a run */
    /* for blocks read as columns */
    struct block_reader *columns;
    struct block_vector *vector;
};

enum offer { OFFER_DONE, OFFER_READ, OFFER_MERGE };

static const struct range_list no_ranges;

/* --- emitting --------------------------------------------------------------------------------- */

static int
emit_run(struct reader *r, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    int rc = r->emit(r->arg, p, quality, n);

    r->left -= n;
    if (rc > 0 || r->left == 0)
        r->enough = true;
    return MIN(rc, 0);
}

static int
emit_reversed(struct reader *r, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct sample turned[EMIT_BATCH];
    uint8_t turned_quality[EMIT_BATCH];
    uint32_t i, k;
    int rc = 0;

    while (n > 0 && rc == 0 && !r->enough) {
        k = MIN(n, (uint32_t)EMIT_BATCH);
        for (i = 0; i < k; i++) {
            turned[i] = p[n - 1 - i];
            turned_quality[i] = quality ? quality[n - 1 - i] : 0;
        }
        rc = emit_run(r, turned, quality ? turned_quality : NULL, k);
        n -= k;
    }
    return rc;
}

/* Emits what of a run the query asks for. */
static int
emit_samples(struct reader *r, const struct samples *in)
{
    uint32_t from = samples_lower(in->p, in->n, r->q->start);
    uint32_t to = samples_upper(in->p, in->n, r->q->end), n;

    if (r->enough || to <= from)
        return 0;
    n = (uint32_t)MIN((uint64_t)(to - from), r->left);
    if (!r->q->reverse)
        return emit_run(r, in->p + from, in->quality ? in->quality + from : NULL, n);
    return emit_reversed(r, in->p + to - n, in->quality ? in->quality + to - n : NULL, n);
}

static int
emit_merged(struct reader *r, const struct samples *base, const struct late_point *late, uint32_t n)
{
    struct samples merged;
    int rc;

    if (n == 0)
        return base->n ? emit_samples(r, base) : 0;
    rc = series_merge_late(base, late, n, &merged);
    if (rc < 0)
        return rc;
    rc = emit_samples(r, &merged);
    free(merged.p);
    free(merged.quality);
    return rc;
}

/* --- dealing out late points ------------------------------------------------------------------ */

/* Late points before (forward) or after (backward) a run that spans [first, last]. */
static int
visit_before(struct reader *r, int64_t first, int64_t last)
{
    static const struct samples nothing;
    uint32_t lo = r->late_lo, hi = r->late_hi;

    if (r->q->reverse) {
        while (r->late_hi > lo && r->late[r->late_hi - 1].ts > last)
            r->late_hi--;
        return emit_merged(r, &nothing, r->late + r->late_hi, hi - r->late_hi);
    }
    while (r->late_lo < hi && r->late[r->late_lo].ts < first)
        r->late_lo++;
    return emit_merged(r, &nothing, r->late + lo, r->late_lo - lo);
}

/* The run with its own late points; those before it are gone. */
static int
visit_forward(struct reader *r, const struct samples *base, int64_t last)
{
    uint32_t a = r->late_lo, b;

    for (b = a; b < r->late_hi && r->late[b].ts <= last; b++)
        ;
    r->late_lo = b;
    return emit_merged(r, base, r->late + a, b - a);
}

static int
visit_backward(struct reader *r, const struct samples *base, int64_t first)
{
    uint32_t b = r->late_hi, a;

    for (a = b; a > r->late_lo && r->late[a - 1].ts >= first; a--)
        ;
    r->late_hi = a;
    return emit_merged(r, base, r->late + a, b - a);
}

static int
visit(struct reader *r, const struct samples *base, int64_t first, int64_t last)
{
    int rc = visit_before(r, first, last);

    if (rc < 0)
        return rc;
    return r->q->reverse ? visit_backward(r, base, first) : visit_forward(r, base, last);
}

/* --- deletions -------------------------------------------------------------------------------- */

static const struct range_list *
dead_of(const struct series *s)
{
    return s->aside ? &s->aside->dead : &no_ranges;
}

static bool
is_hit(const struct reader *r, int64_t first, int64_t last)
{
    return ranges_meet(r->dead[0], first, last) || ranges_meet(r->dead[1], first, last);
}

static bool
is_gone(const struct reader *r, int64_t first, int64_t last)
{
    return ranges_cover(r->dead[0], first, last) || ranges_cover(r->dead[1], first, last);
}

static void
copy_samples(struct samples *to, const struct samples *from)
{
    to->p = realloc(to->p, from->n * sizeof(*to->p));
    to->quality = realloc(to->quality, from->n);
    ASSERT(to->p && to->quality);
    to->n = from->n;
    memcpy(to->p, from->p, from->n * sizeof(*to->p));
    if (from->quality)
        memcpy(to->quality, from->quality, from->n);
    else
        memset(to->quality, 0, from->n);
}

/* A run that deletions may have cut. */
static int
visit_alive(struct reader *r, const struct samples *base)
{
    struct samples *alive = &r->alive;

    if (!is_hit(r, base->p[0].ts, base->p[base->n - 1].ts))
        return visit(r, base, base->p[0].ts, base->p[base->n - 1].ts);
    copy_samples(alive, base);
    samples_cut_ranges(alive, r->dead[0]);
    samples_cut_ranges(alive, r->dead[1]);
    return alive->n ? visit(r, alive, alive->p[0].ts, alive->p[alive->n - 1].ts) : 0;
}

/* Moves the ends of [*from, *to] out of deleted ranges; false: all of it is deleted. */
static bool
clip_dead(const struct range_list *l, int64_t *from, int64_t *to)
{
    const struct time_range *r;

    if (*from <= *to && (r = ranges_meet(l, *from, *from))) {
        if (r->to == INT64_MAX)
            return false;
        *from = r->to + 1;
    }
    if (*from <= *to && (r = ranges_meet(l, *to, *to))) {
        if (r->from == INT64_MIN)
            return false;
        *to = r->from - 1;
    }
    return *from <= *to;
}

void
series_query_fetch(const struct series *s, struct series_query *q)
{
    const struct range_list *frozen = s->frozen ? &s->frozen->dead : &no_ranges;

    clip_dead(dead_of(s), &q->start, &q->end);
    /* How many of the stored points are left is not known. */
    if (ranges_meet(dead_of(s), q->start, q->end) || ranges_meet(frozen, q->start, q->end))
        q->limit = UINT64_MAX;
}

/* --- parts ------------------------------------------------------------------------------------ */

/* Those that no run claimed. */
static int
visit_rest(struct reader *r)
{
    static const struct samples nothing;

    return emit_merged(r, &nothing, r->late + r->late_lo, r->late_hi - r->late_lo);
}

static int
compare_late(const void *a, const void *b)
{
    const struct late_point *x = a, *y = b;

    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void
collect(struct reader *r, const struct late_list *l, const struct range_list *dead, int64_t from,
        int64_t to)
{
    uint32_t i;

    for (i = 0; i < l->n; i++) {
        if (l->p[i].ts < from || l->p[i].ts > to || ranges_meet(dead, l->p[i].ts, l->p[i].ts))
            continue;
        r->late[r->late_hi] = l->p[i];
        r->late[r->late_hi].order = r->late_hi;
        r->late_hi++;
    }
}

/* Late points with times in [from, to], in order; the frozen ones came first. */
static void
gather_late(struct reader *r, bool with_frozen, int64_t from, int64_t to)
{
    const struct late_list *frozen = r->mem->frozen ? &r->mem->frozen->late : NULL;
    uint32_t n = series_late_points(r->mem) + (frozen ? frozen->n : 0);

    r->late_lo = r->late_hi = 0;
    if (n == 0)
        return;
    r->late = realloc(r->late, n * sizeof(*r->late));
    ASSERT(r->late);
    if (frozen && with_frozen)
        collect(r, frozen, dead_of(r->mem), from, to);
    if (r->mem->aside)
        collect(r, &r->mem->aside->late, &no_ranges, from, to);
    qsort(r->late, r->late_hi, sizeof(*r->late), compare_late);
}

/* --- memory ----------------------------------------------------------------------------------- */

static int
read_memory(struct reader *r)
{
    uint32_t i, chunks = series_chunks(r->mem);
    uint32_t frozen = r->mem->frozen ? r->mem->frozen->sealed_n : 0;
    int rc = 0;

    gather_late(r, true, MAX(r->q->start, r->mem_first), r->q->end);
    for (i = 0; i < chunks && rc == 0 && !r->enough; i++) {
        uint32_t at = r->q->reverse ? chunks - 1 - i : i;
        const struct series_chunk *c = series_chunk_at(r->mem, at);
        struct samples base = {c->p, c->quality, c->n};
        if (c->n == 0 || c->p[0].ts > r->q->end || c->p[c->n - 1].ts < r->q->start)
            continue;
        r->dead[0] = at < frozen ? dead_of(r->mem) : &no_ranges;
        r->dead[1] = &no_ranges;
        rc = visit_alive(r, &base);
    }
    return rc < 0 || r->enough ? rc : visit_rest(r);
}

/* --- store ------------------------------------------------------------------------------------ */

/* The row to begin with: 1, 0 = none, or a negative errno. */
static int
stored_begin(struct series_rows *rows, bool reverse, int64_t from, int64_t to)
{
    int rc;

    if (reverse)
        return series_rows_at(rows, to);
    rc = series_rows_at(rows, from);
    return rc == 0 ? series_rows_first(rows) : rc;
}

static int
stored_move(struct series_rows *rows, bool reverse)
{
    return reverse ? series_rows_prev(rows) : series_rows_next(rows);
}

/* Offers a block without decoding it. OFFER_DONE: with *ret_rc; OFFER_READ: its points, and nothing
 * but them, come next; OFFER_MERGE: late points meet it. */
static enum offer
offer_block(struct reader *r, const struct block_info *info, int *ret_rc)
{
    int taken;

    *ret_rc = visit_before(r, info->first_ts, info->last_ts);
    if (*ret_rc < 0 || r->enough)
        return OFFER_DONE;
    if (r->late_lo < r->late_hi &&
        (r->q->reverse ? r->late[r->late_hi - 1].ts >= info->first_ts
                       : r->late[r->late_lo].ts <= info->last_ts))
        return OFFER_MERGE;
    taken = r->q->block(r->arg, info);
    *ret_rc = MIN(taken, 0);
    r->enough = taken == SERIES_BLOCK_ENOUGH;
    return taken == SERIES_BLOCK_READ ? OFFER_READ : OFFER_DONE;
}

static int
read_columns(struct reader *r, const struct series_rows *rows)
{
    int rc = 0, taken = 0;

    if (r->columns == NULL) {
        r->columns = block_reader_create();
        r->vector = malloc(sizeof(*r->vector));
        ASSERT(r->vector);
    }
    if (!block_reader_open(r->columns, rows->block, BLOCK_TIMES | BLOCK_VALUES))
        return -EBADMSG;
    while (taken == 0 && (rc = block_reader_next(r->columns, r->vector)) == 1)
        taken = r->q->vector(r->arg, r->vector);
    r->enough = taken > 0;
    return taken < 0 ? taken : MIN(rc, 0);
}

/* `whole`: the query asks for all of its points, and none is deleted. */
static int
read_block(struct reader *r, const struct series_rows *rows, struct samples *block, bool whole)
{
    enum offer offer = OFFER_MERGE;
    int rc = 0;

    if (whole && r->q->block)
        offer = offer_block(r, &rows->info, &rc);
    if (offer == OFFER_DONE)
        return rc;
    if (offer == OFFER_READ && r->q->vector && !r->q->reverse)
        return read_columns(r, rows);
    rc = series_rows_decode(rows, block);
    return rc < 0 ? rc : visit_alive(r, block);
}

/* Blocks with points in [from, to]; `to` is before mem_first. */
static int
read_rows(struct reader *r, struct series_rows *rows, int64_t from, int64_t to)
{
    struct samples block = {0};
    int rc = stored_begin(rows, r->q->reverse, from, to), on;

    for (on = rc; on == 1 && rc >= 0 && !r->enough; on = stored_move(rows, r->q->reverse)) {
        bool overlaps = rows->ts <= to && rows->info.last_ts >= from;
        if (!overlaps && (r->q->reverse ? rows->info.last_ts < from : rows->ts > to))
            break;
        if (!overlaps || is_gone(r, rows->info.first_ts, rows->info.last_ts))
            continue;
        rc = read_block(r, rows, &block,
                        rows->info.first_ts >= from && rows->info.last_ts <= to &&
                            !is_hit(r, rows->info.first_ts, rows->info.last_ts));
        if (rc < 0 || r->enough)
            break;
    }
    free(block.p);
    free(block.quality);
    if (rc < 0 || on < 0)
        return rc < 0 ? rc : on;
    return r->enough ? 0 : visit_rest(r);
}

/* Are the frozen late points and deletions in the rows of this snapshot? */
static int
frozen_is_stored(const struct reader *r, struct series_rows *rows, bool *ret)
{
    const struct series_frozen *z = r->mem->frozen;
    uint32_t gen = 0;
    int rc = 0;

    *ret = false;
    if (!z || (z->late.n == 0 && z->dead.n == 0))
        return 0;
    rc = series_rows_late_gen(rows, &gen);
    *ret = rc == 0 && gen >= r->mem->frozen->late_gen;
    return rc;
}

/* The clip of one list may move an end into a range of the other: there is_gone takes over. */
static int
read_rows_alive(struct reader *r, struct series_rows *rows, bool stored, int64_t to)
{
    int64_t from = r->q->start;

    r->dead[0] = dead_of(r->mem);
    r->dead[1] = stored || !r->mem->frozen ? &no_ranges : &r->mem->frozen->dead;
    if (!clip_dead(r->dead[0], &from, &to) || !clip_dead(r->dead[1], &from, &to))
        return visit_rest(r);
    return read_rows(r, rows, from, to);
}

/* What is before mem_first. */
static int
read_old(struct reader *r, struct store *s, const struct series_id *id, bool cached_only)
{
    int64_t to = MIN(r->q->end, r->mem_first == INT64_MIN ? INT64_MIN : r->mem_first - 1);
    struct series_rows rows;
    bool stored;
    int rc;

    if (r->mem_first == INT64_MIN || r->q->start > to)
        return 0;
    if (!s || !r->mem->has_stored_blocks) {
        gather_late(r, true, r->q->start, to);
        return visit_rest(r);
    }
    series_rows_open(&rows, s, id, cached_only, true);
    rc = frozen_is_stored(r, &rows, &stored);
    if (rc == 0) {
        gather_late(r, !stored, r->q->start, to);
        rc = read_rows_alive(r, &rows, stored, to);
    }
    series_rows_close(&rows);
    return rc;
}

int
series_read(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
            const struct series *mem, const struct series_query *q, series_emit_fn emit, void *arg)
{
    struct series_id id = {db, slot, key, mem->type};
    struct reader r = {.mem = mem,
                       .q = q,
                       .mem_first = series_mem_first(mem),
                       .emit = emit,
                       .arg = arg,
                       .left = q->limit,
                       .enough = q->limit == 0};
    int rc = 0;

    if (!q->reverse)
        rc = r.enough ? 0 : read_old(&r, s, &id, cached_only);
    if (rc == 0 && !r.enough)
        rc = read_memory(&r);
    if (rc == 0 && q->reverse && !r.enough)
        rc = read_old(&r, s, &id, cached_only);
    free(r.late);
    free(r.alive.p);
    free(r.alive.quality);
    free(r.vector);
    block_reader_destroy(&r.columns);
    return rc;
}

/* --- warming ---------------------------------------------------------------------------------- */

/* Where a walk over block rows stands, and what it has passed. */
struct warming {
    struct series_rows rows;
    const struct series_query *q;
    uint64_t points, bytes;
};

/* Walks on, as read_rows does with the same query, over so many bytes; `rc` says whether there is a
 * row. Points are counted by whole blocks, and not those of the first, of which the query may want
 * only one end: rather a block too many than one too few. True: there is more to walk over. */
static bool
warm_on(struct warming *w, uint64_t bytes_max, int *rc)
{
    const struct series_query *q = w->q;

    for (; *rc == 1; *rc = stored_move(&w->rows, q->reverse)) {
        if (q->reverse ? w->rows.info.last_ts < q->start : w->rows.ts > q->end)
            return false;
        if (w->points > q->limit)
            return false;
        if (w->bytes > bytes_max)
            return true;
        w->points += w->points ? w->rows.info.count : 1;
        w->bytes += w->rows.block.n;
    }
    return false;
}

int
series_warm_range(struct store *s, uint8_t db, uint16_t slot, struct slice key, uint8_t type,
                  const struct series_query *q, uint64_t *room, struct store_hold **held)
{
    struct series_id id = {db, slot, key, type};
    struct warming w = {.q = q};
    uint32_t gen;
    bool more;
    int rc;

    series_rows_open_holding(&w.rows, s, &id);
    series_rows_late_gen(&w.rows, &gen);
    rc = stored_begin(&w.rows, q->reverse, q->start, q->end);
    more = warm_on(&w, *room, &rc);
    series_rows_detach(&w.rows, held);
    *room -= MIN(w.bytes, *room);
    if (more) {
        series_rows_open(&w.rows, s, &id, false, true);
        rc = stored_begin(&w.rows, q->reverse, q->start, q->end);
        w.points = 0;
        warm_on(&w, UINT64_MAX, &rc);
        series_rows_close(&w.rows);
    }
    return rc == -EIO ? rc : 0;
}

/* The checkpoint's helper side. See series_store.h. */
#include "shards/series/series_priv.h"
#include "shards/series/series_rows.h"
#include "shards/series/series_store.h"
#include "shards/series/series_tail.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP_BLOCKS 4 /* that chunks are shared out to at a time */

struct writer {
    struct store *s;
    struct store_batch *batch;
    struct series_id id;
    struct series_flush *f;
    struct store_error *err;
    struct buf row;
    char *name; /* room for one row key */
    /* what is still to be brought to stored blocks; all of it before `late_end` and `dead_end` */
    const struct late_point *late, *late_end;
    const struct time_range *dead, *dead_end;
    int64_t dead_from; /* of the first range, what is left of it */
    struct range_list gone; /* deleted and expired; malloc'd */
};

static struct slice
block_name(struct writer *w, int64_t ts)
{
    const struct series_id *id = &w->id;

    return (struct slice){w->name, row_block(w->name, id->db, id->slot, id->key, id->type, ts)};
}

/* The block for this time is damaged, or, as `why` says, cannot be read. */
static int
fail(struct writer *w, int rc, int64_t ts, const struct store_error *why)
{
    if (rc == -EBADMSG || rc == -EIO)
        snprintf(w->err->text, sizeof(w->err->text),
                 "the stored block of '%.*s' type %02x for the time %ld %s%.300s",
                 (int)MIN(w->id.key.n, 64), w->id.key.p, w->id.type, (long)ts,
                 rc == -EIO ? "cannot be read: " : "is damaged", rc == -EIO ? why->text : "");
    return rc;
}

/* --- putting ---------------------------------------------------------------------------------- */

static void
put_block(struct writer *w, const struct samples *in, enum block_effort effort)
{
    w->f->run_max = MAX(w->f->run_max, samples_run_max(in->p, in->n));
    w->row.n = 0;
    block_encode(in, effort, &w->row);
    store_batch_put(w->batch, block_name(w, in->p[0].ts), (struct slice){w->row.p, w->row.n});
}

/* How many points the next block takes: an equal share, or (`fill`) as many as one may have unless too few
 * would be left over for a block that is to stay; but no timestamp is divided. */
static uint32_t
next_share(const struct samples *in, uint32_t points_max, bool fill)
{
    uint32_t blocks = (in->n + points_max - 1) / points_max, share;
    struct series_chunk all = {.p = in->p, .n = in->n};

    if (blocks < 2)
        return in->n;
    fill = fill && in->n - points_max >= series_cold_points(points_max);
    share = fill ? points_max : in->n / blocks;
    share = chunk_boundary(&all, share);
    return share ? share : in->n;
}

/* Writes refuse what would be too many of one time: this is for what no write of ours has made. */
static int
fail_crowded(struct writer *w, int64_t ts, uint32_t n)
{
    snprintf(w->err->text, sizeof(w->err->text),
             "%u points of '%.*s' type %02x have the time %ld, a block holds %d", n,
             (int)MIN(w->id.key.n, 64), w->id.key.p, w->id.type, (long)ts, BLOCK_POINTS_MAX);
    return -EFBIG;
}

static int
put_blocks(struct writer *w, struct samples in, bool fill)
{
    while (in.n > 0) {
        struct samples part = {in.p, in.quality, next_share(&in, w->f->block_points_max, fill)};

        if (part.n > BLOCK_POINTS_MAX)
            return fail_crowded(w, part.p[0].ts, part.n);
        put_block(w, &part, BLOCK_SMALL);
        in.p += part.n;
        in.quality = in.quality ? in.quality + part.n : NULL;
        in.n -= part.n;
    }
    return 0;
}

static int
put_merged(struct writer *w, const struct samples *base, const struct late_point *late, uint32_t n)
{
    struct samples merged;
    int rc = series_merge_late(base, late, n, &merged);

    if (rc < 0)
        return rc;
    rc = put_blocks(w, merged, false);
    free(merged.p);
    free(merged.quality);
    return rc;
}

/* --- late points and deletions into stored blocks --------------------------------------------- */

static uint32_t
late_before(const struct late_point *late, uint32_t n, int64_t ts)
{
    uint32_t i = 0;

    while (i < n && late[i].ts < ts)
        i++;
    return i;
}

static uint32_t
late_left(const struct writer *w)
{
    return (uint32_t)(w->late_end - w->late);
}

/* The next time at which something is to be done. */
static int64_t
next_time(const struct writer *w)
{
    int64_t ts = late_left(w) ? w->late->ts : INT64_MAX;

    return w->dead < w->dead_end ? MIN(ts, w->dead_from) : ts;
}

/* Everything before `next` is done; `last`: there are no more blocks. */
static void
pass(struct writer *w, uint32_t late_n, bool last, int64_t next)
{
    w->late += late_n;
    while (w->dead < w->dead_end && (last || w->dead->to < next)) {
        w->dead++;
        w->dead_from = w->dead < w->dead_end ? w->dead->from : INT64_MAX;
    }
    if (w->dead < w->dead_end)
        w->dead_from = MAX(w->dead_from, next);
}

/* Writes the block anew: without what is deleted, with n late points. */
static int
rewrite(struct writer *w, int64_t row_ts, struct samples *base, uint32_t n)
{
    samples_cut_ranges(base, &w->gone);
    /* Where its first time changes a part of it may get this one back. */
    if (base->n == 0 || base->p[0].ts != row_ts || (n && w->late->ts < row_ts))
        store_batch_delete(w->batch, block_name(w, row_ts));
    if (base->n == 0 && n == 0)
        return 0;
    return put_merged(w, base, w->late, n);
}

/* Is there anything to do that may lie behind the block that ends then? */
static bool
goes_on_behind(const struct writer *w, int64_t row_last)
{
    return (late_left(w) && w->late_end[-1].ts > row_last) ||
           (w->dead < w->dead_end && w->dead_end[-1].to > row_last);
}

/* The stored block at the next time, if there is one before `end`: it takes the late points up to
 * the block behind it. 1, 0 = that was the last, or a negative errno. */
static int
do_row(struct writer *w, struct series_rows *rows, int64_t end)
{
    struct samples base = {0};
    int64_t row_ts, row_last, next;
    bool touched, more = false;
    uint32_t n;
    int rc = series_rows_at(rows, next_time(w));

    if (rc == 0)
        rc = series_rows_first(rows); /* before all blocks: the first one grows */
    if (rc < 0)
        return fail(w, rc, next_time(w), &rows->why);
    if (rc == 0 || rows->ts >= end)
        return late_left(w) ? put_merged(w, &base, w->late, late_left(w)) : 0;
    row_ts = rows->ts;
    row_last = rows->info.last_ts;
    touched = ranges_meet(&w->gone, row_ts, row_last);
    /* Of a block that goes as a whole nothing is decoded. Whether a late point is its own is only known
     * behind it. */
    if (!ranges_cover(&w->gone, row_ts, row_last) && (touched || late_left(w)))
        rc = series_rows_decode(rows, &base);
    if (rc >= 0 && goes_on_behind(w, row_last)) {
        rc = series_rows_next(rows);
        more = rc == 1 && rows->ts < end;
    }
    next = more ? rows->ts : INT64_MAX;
    n = more ? late_before(w->late, late_left(w), next) : late_left(w);
    if (rc >= 0 && (touched || n))
        rc = rewrite(w, row_ts, &base, n);
    pass(w, n, !more, next);
    free(base.p);
    free(base.quality);
    return rc < 0 ? fail(w, rc, row_ts, &rows->why) : more;
}

/* Whole blocks that have expired: the last time of the last one, INT64_MIN = none has; and where the
 * first one ends that has not. A block that cannot be read stays, with those behind it: what has expired
 * is hidden anyway. */
static int64_t
find_expired(struct writer *w, struct series_rows *rows, int64_t end)
{
    const int64_t kept_from = w->f->kept_from;
    int64_t last = INT64_MIN;
    int rc = kept_from == INT64_MIN ? 0 : series_rows_first(rows);

    for (; rc == 1 && rows->ts < end && rows->info.last_ts < kept_from;
         rc = series_rows_next(rows))
        last = rows->info.last_ts;
    if (rc != 0)
        w->f->stored_until = rc == 1 && rows->ts < end ? rows->info.last_ts : INT64_MIN;
    return last;
}

/* Deletions, and everything up to `expired`. */
static void
gather_gone(struct writer *w, int64_t expired)
{
    const struct range_list *dead = &w->f->dead;
    struct range_list gone = {malloc((dead->n + 1) * sizeof(*dead->p)), 0, 0};
    uint32_t i;

    ASSERT(gone.p);
    if (expired != INT64_MIN)
        gone.p[gone.n++] = (struct time_range){INT64_MIN, expired};
    for (i = 0; i < dead->n; i++)
        if (expired == INT64_MIN || dead->p[i].from > expired)
            gone.p[gone.n++] = dead->p[i];
        else
            gone.p[0].to = MAX(gone.p[0].to, dead->p[i].to);
    w->gone = gone;
}

static int
write_to_rows(struct writer *w, struct series_rows *rows)
{
    const struct series_flush *f = w->f;
    int64_t end = f->has_stale_open ? f->stale_open_ts : INT64_MAX;
    int rc = 1;

    gather_gone(w, find_expired(w, rows, end));
    w->dead = w->gone.p;
    w->dead_end = w->gone.p + w->gone.n;
    w->dead_from = w->gone.n ? w->gone.p->from : INT64_MAX;
    while (rc == 1 && (late_left(w) || w->dead < w->dead_end))
        rc = do_row(w, rows, end);
    return MIN(rc, 0);
}

/* n late points, deletions and retention. Blocks from the stale open one on are no stored ones but
 * copies of the open chunk. */
static int
write_stored(struct writer *w, uint32_t n)
{
    const struct series_flush *f = w->f;
    struct samples nothing = {0};
    struct series_rows rows;
    int rc;

    w->f->has_stored_tail |= n > 0 || f->dead.n > 0;
    w->late = f->late;
    w->late_end = f->late + n;
    if (!f->has_stored_blocks)
        return n ? put_merged(w, &nothing, f->late, n) : 0;
    if (n == 0 && f->dead.n == 0 && f->kept_from == INT64_MIN)
        return 0;
    series_rows_open(&rows, w->s, &w->id, false, false);
    rc = write_to_rows(w, &rows);
    series_rows_close(&rows);
    return rc;
}

/* --- chunks ----------------------------------------------------------------------------------- */

static uint64_t
points_from(const struct series_flush *f, uint32_t i)
{
    uint64_t points = 0;

    for (; i < f->sealed_n; i++)
        points += f->sealed[i].n;
    return points;
}

/* How many chunks from the i-th on are shared out to blocks together; at least one. Of
 * the `left` points in all, too few for a block that is to stay are not left over. */
static uint32_t
group_of(const struct series_flush *f, uint32_t i, uint64_t left, uint32_t *ret_points)
{
    const uint64_t most = (uint64_t)GROUP_BLOCKS * f->block_points_max;
    uint64_t points = 0;
    uint32_t k = i;

    do
        points += f->sealed[k++].n;
    while (k < f->sealed_n && (points + f->sealed[k].n <= most ||
                               left - points < series_cold_points(f->block_points_max)));
    *ret_points = (uint32_t)points;
    return k - i;
}

/* Chunks as one run of points; malloc'd. */
static struct samples
join_chunks(const struct series_chunk *c, uint32_t chunks, uint32_t points)
{
    struct samples all = {malloc(points * sizeof(*all.p)), calloc(points, 1), 0};
    uint32_t i;

    ASSERT(all.p && all.quality);
    for (i = 0; i < chunks; i++) {
        memcpy(all.p + all.n, c[i].p, c[i].n * sizeof(*all.p));
        if (c[i].quality)
            memcpy(all.quality + all.n, c[i].quality, c[i].n);
        all.n += c[i].n;
    }
    return all;
}

/* Where retention is about to take the first points, smaller blocks go sooner as a whole. */
static int
write_group(struct writer *w, const struct series_chunk *c, uint32_t chunks, uint32_t points)
{
    struct samples all = join_chunks(c, chunks, points);
    int rc = put_blocks(w, all, w->f->kept_from == INT64_MIN);

    free(all.p);
    free(all.quality);
    return rc;
}

/* Each by itself; joined when more have come (series_tail.h). */
static void
write_young(struct writer *w)
{
    const struct series_flush *f = w->f;

    for (uint32_t i = 0; i < f->sealed_n; i++) {
        struct samples in = {f->sealed[i].p, f->sealed[i].quality, f->sealed[i].n};

        put_block(w, &in, BLOCK_QUICK);
    }
    w->f->has_stored_tail |= f->sealed_n > 0;
}

/* Enough chunks make blocks that are to stay. */
static int
write_chunks(struct writer *w)
{
    const struct series_flush *f = w->f;
    uint64_t left = points_from(f, 0);
    uint32_t i, chunks, points;
    int rc = 0;

    if (left < series_cold_points(f->block_points_max)) {
        write_young(w);
        return 0;
    }
    for (i = 0; i < f->sealed_n && rc == 0; i += chunks) {
        chunks = group_of(f, i, left, &points);
        left -= points;
        rc = write_group(w, &f->sealed[i], chunks, points);
    }
    w->f->has_stored_tail = false;
    return rc;
}

/* Sealed chunks, with late points that belong to them: those of a checkpoint that failed. */
static int
write_merged_chunks(struct writer *w, const struct late_point *late, uint32_t n)
{
    const struct series_flush *f = w->f;
    uint32_t i, mine;
    int rc = 0;

    w->f->has_stored_tail = true;
    for (i = 0; i < f->sealed_n && rc == 0; i++) {
        const struct series_chunk *c = &f->sealed[i];
        struct samples base = {c->p, c->quality, c->n};
        mine = i + 1 < f->sealed_n ? late_before(late, n, f->sealed[i + 1].p[0].ts) : n;
        if (mine)
            rc = put_merged(w, &base, late, mine);
        else
            rc = put_blocks(w, base, false);
        late += mine;
        n -= mine;
    }
    ASSERT(rc < 0 || n == 0);
    return rc;
}

static int
write_sealed(struct writer *w, const struct late_point *late, uint32_t n)
{
    return n ? write_merged_chunks(w, late, n) : write_chunks(w);
}

/* The next checkpoint writes it again. */
static void
write_open(struct writer *w)
{
    const struct series_chunk *c = &w->f->open;
    struct samples in = {c->p, c->quality, c->n};

    if (c->n)
        put_block(w, &in, BLOCK_QUICK);
}

static int64_t
first_of(const struct series_flush *f)
{
    if (f->sealed_n)
        return f->sealed[0].p[0].ts;
    return f->open.n ? f->open.p[0].ts : INT64_MAX;
}

/* Blocks that earlier checkpoints wrote quickly become cold ones. Late points up to `late_ts` go
 * into the blocks around theirs at the same time: those are left alone. Deletions and retention may
 * have changed any block: then a later checkpoint joins. */
static int
join_stored(struct writer *w, int64_t late_ts)
{
    const struct series_flush *f = w->f;
    struct series_tail_query q = {.before = first_of(f),
                                  .after = late_ts,
                                  .skip = f->has_stale_open ? &f->stale_open_ts : NULL,
                                  .cold_points = series_cold_points(f->block_points_max)};
    struct series_tail tail;
    uint32_t i;
    int rc;

    if (!f->has_stored_blocks || !f->has_stored_tail || f->sealed_n == 0 || w->gone.n > 0)
        return 0;
    series_tail_read(w->s, &w->id, &q, &tail);
    if (tail.rows == 0)
        return 0;
    for (i = 0; i < tail.rows; i++)
        store_batch_delete(w->batch, block_name(w, tail.row_ts[i]));
    rc = put_blocks(w, tail.points, false);
    series_tail_fini(&tail);
    return rc;
}

int
series_flush_write(struct store *s, struct store_batch *b, uint8_t db, uint16_t slot,
                   struct slice key, struct series_flush *f, struct store_error *err)
{
    struct writer *w = malloc(sizeof(*w));
    uint32_t stored_late = late_before(f->late, f->late_n, first_of(f));
    int rc;

    ASSERT(w);
    *w = (struct writer){.s = s, .batch = b, .id = {db, slot, key, f->type}, .f = f, .err = err};
    w->name = malloc(row_key_room(key));
    ASSERT(w->name);
    if (f->has_stale_open && !(f->open.n && f->open.p[0].ts == f->stale_open_ts))
        store_batch_delete(b, block_name(w, f->stale_open_ts));
    rc = write_stored(w, stored_late);
    if (rc == 0)
        rc = join_stored(w, stored_late ? f->late[stored_late - 1].ts : INT64_MIN);
    if (rc == 0)
        rc = write_sealed(w, f->late + stored_late, f->late_n - stored_late);
    if (rc == 0)
        write_open(w);
    buf_fini(&w->row);
    free(w->gone.p);
    free(w->name);
    free(w);
    return rc;
}

/* Sweeping the store for keys whose time is over: see expire.h.
 *
 * What a job found is true of the store as it was then. Whatever happened since shows: a key that was
 * written or read meanwhile is in memory and is left to what memory knows; what was found is void when
 * a checkpoint or a flush has changed the store since. So nothing that was written anew can be
 * removed, and what escaped is found by the next pass. The values are not brought to memory: a
 * tombstone is all it takes. */
#include "shards/engine/expire.h"

#include "shards/engine/aside.h"
#include "shards/engine/core.h"
#include "shards/engine/evict.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/rows.h"

#include <stdlib.h>

#define ROWS_PER_LOOK_AT_THE_CLOCK 64

struct expire_sweep {
    struct offload_job job;
    struct shard_waiter lease;
    struct core *core;
    bool busy;          /* a job is under way */
    int64_t spent_ns;   /* of the loop, since the last tick */
    /* the pass */
    bool passing;
    uint8_t db;
    uint64_t pause_until_ns;
    int64_t next_ms;    /* earliest expiry seen of what stays */
    struct buf from;    /* row key where the next job begins; empty: the database's first */
    /* the job: its limits, and what it found */
    int64_t left_ns;    /* of the tick */
    int64_t now_ms;
    uint32_t flush_epoch, store_epoch;
    uint64_t rows;
    bool db_over;
    uint32_t n;
    struct buf bytes;   /* the keys, one behind the other */
    struct sweep_key {
        struct slice name; /* p is set when all are there */
        bool is_series;
    } keys[SWEEP_KEYS_MAX];
};

/* --- on the helper: which rows are over ----------------------------------------------------------- */

static void
note_row(struct expire_sweep *s, const struct rows *r)
{
    if (r->head.expire_ms == 0)
        return;
    if (r->head.expire_ms > s->now_ms) {
        s->next_ms = MIN(s->next_ms, r->head.expire_ms);
        return;
    }
    buf_append(&s->bytes, r->key.p, r->key.n);
    s->keys[s->n++] = (struct sweep_key){{NULL, r->key.n}, r->head.type == ENTRY_SERIES};
}

static bool
job_is_full(const struct expire_sweep *s, uint64_t until_ns)
{
    return s->n == SWEEP_KEYS_MAX || s->bytes.n >= SWEEP_KEY_BYTES_MAX ||
           (s->rows % ROWS_PER_LOOK_AT_THE_CLOCK == 0 && clock_now_ns() > until_ns);
}

/* The next job goes on behind this row's key. */
static void
remember_place(struct expire_sweep *s, const struct rows *r)
{
    char row[ROW_KEY_BYTES_MAX];

    s->from.n = 0;
    buf_append(&s->from, row, row_key_upper(row, s->db, r->slot, r->key));
}

static void
point_at_keys(struct expire_sweep *s)
{
    const char *at = s->bytes.p;

    for (uint32_t i = 0; i < s->n; i++) {
        s->keys[i].name.p = at;
        at += s->keys[i].name.n;
    }
}

/* What cannot be read is found out by those who need it: the sweep goes on behind the slot where it came to
 * that, at `last` or where it began, and comes back to it later. */
static void
pass_slot(struct expire_sweep *s, uint16_t last)
{
    uint16_t first = s->from.n ? get_be16(s->from.p + 1) : 0, slot = MAX(first, last);
    char row[ROW_PREFIX_BYTES];

    s->next_ms = MIN(s->next_ms, s->now_ms + SWEEP_UNREADABLE_MS);
    s->db_over = slot + 1 == ROW_SLOTS;
    s->from.n = 0;
    buf_append(&s->from, row, row_slot_lower(row, s->db, (uint16_t)(slot + 1)));
}

/* From where it is on. False: it came to something that cannot be read, and is behind it now. */
static bool
look_at_rows(struct expire_sweep *s, uint64_t until_ns)
{
    struct rows r;

    s->db_over = true;
    rows_open_passing(&r, s->core->shard.store, s->db, (struct slice){s->from.p, s->from.n});
    while (s->db_over && rows_next(&r)) {
        s->rows++;
        note_row(s, &r);
        if (job_is_full(s, until_ns)) {
            remember_place(s, &r);
            s->db_over = false;
        }
    }
    if (likely(rows_close(&r) == 0))
        return true;
    pass_slot(s, r.slot);
    return false;
}

static void
sweep_work(struct offload_job *job)
{
    struct expire_sweep *s = container_of(job, struct expire_sweep, job);
    uint64_t began = clock_now_ns(), until = began + (uint64_t)s->left_ns;

    s->n = 0;
    s->rows = 0;
    s->bytes.n = 0;
    while (!look_at_rows(s, until) && !s->db_over && clock_now_ns() < until)
        ;
    point_at_keys(s);
    s->left_ns -= (int64_t)(clock_now_ns() - began);
}

/* --- on the loop ---------------------------------------------------------------------------------- */

static void
pass_over(struct expire_sweep *s)
{
    struct shard *sh = &s->core->shard;

    s->passing = false;
    sh->sweep_due_ms = MIN(sh->sweep_due_ms, s->next_ms);
    s->pause_until_ns = s->core->reactor.clock.mono_ns + SWEEP_PAUSE_NS;
}

static void job_begin(struct expire_sweep *s);

/* Where most of what a job looked at was over there is more of it: then the next one follows at once, for
 * a share of the loop's time. */
static bool
goes_on(struct expire_sweep *s)
{
    struct core *c = s->core;

    if (core_is_stopping(c) || !journal_has_room(&c->shard.journal) ||
        evict_make_room(c, &c->shard) != EVICT_ROOM)
        return false;
    if (2 * s->n > s->rows && s->spent_ns < (int64_t)(1000000000 / c->config.hz / SWEEP_BUSY_SHARE))
        s->left_ns = MAX(s->left_ns, (int64_t)SWEEP_TICK_NS);
    return s->left_ns > 0;
}

static void
job_over(struct expire_sweep *s)
{
    s->busy = false;
    if (s->db_over) {
        s->from.n = 0;
        if (++s->db == SHARD_DBS)
            pass_over(s);
    } else if (goes_on(s)) {
        job_begin(s);
    }
}

/* Keys in memory are not the sweep's: a changed one is written by the next checkpoint, an unchanged
 * one goes in its own time. Nor is one set aside: the journal may have prolonged its time. */
static void
remove_key(struct expire_sweep *s, const struct sweep_key *k)
{
    struct shard *sh = &s->core->shard;
    uint64_t hash = head_hash(k->name);
    const struct entry *e = head_find(&sh->db[s->db].head, hash, k->name);

    if (aside_has(&sh->db[s->db], k->name, hash))
        return;
    if (e == NULL && journal_has_room(&sh->journal))
        expire_stored(sh, s->db, k->name, k->is_series);
    else if (e == NULL || (e->dirty_pos == 0 && !(e->flags & ENTRY_FLUSHING)))
        s->next_ms = s->now_ms; /* it escaped, the next pass comes soon */
}

static void
sweep_found(struct shard_waiter *w, struct shard *sh)
{
    struct expire_sweep *s = container_of(w, struct expire_sweep, lease);
    uint64_t began = clock_now_ns();
    int64_t took;

    if (s->flush_epoch != sh->flush_epoch || s->store_epoch != sh->store_epoch)
        s->next_ms = s->now_ms;
    else if (!sh->db[s->db].hidden && !core_is_stopping(s->core))
        for (uint32_t i = 0; i < s->n; i++)
            remove_key(s, &s->keys[i]);
    took = (int64_t)(clock_now_ns() - began);
    s->left_ns -= took;
    s->spent_ns += took;
    job_over(s);
}

static void
sweep_done(struct offload_job *job)
{
    struct expire_sweep *s = container_of(job, struct expire_sweep, job);

    metrics_add(&s->core->metrics, sweep_rows, s->rows);
    s->lease.run = sweep_found;
    shard_wait(&s->core->shard, &s->lease);
}

static void
pass_begin(struct expire_sweep *s)
{
    s->passing = true;
    s->db = 0;
    s->from.n = 0;
    s->next_ms = INT64_MAX;
    s->core->shard.sweep_due_ms = INT64_MAX;
}

/* On to a database with keys that only the store has. False: there is none any more. What is passed
 * over because all is in memory may leave it, and is looked at again. */
static bool
find_database(struct expire_sweep *s)
{
    while (!shard_db_has_cold(&s->core->shard.db[s->db])) {
        if (s->core->shard.db[s->db].head.expires > 0)
            s->next_ms = s->now_ms;
        s->from.n = 0;
        if (++s->db == SHARD_DBS) {
            pass_over(s);
            return false;
        }
    }
    return true;
}

static struct expire_sweep *
sweep_of(struct core *c)
{
    if (c->sweep == NULL) {
        c->sweep = calloc(1, sizeof(*c->sweep));
        ASSERT(c->sweep);
        c->sweep->core = c;
    }
    return c->sweep;
}

static void
job_begin(struct expire_sweep *s)
{
    s->busy = true;
    s->flush_epoch = s->core->shard.flush_epoch;
    s->store_epoch = s->core->shard.store_epoch;
    s->job.work = sweep_work;
    s->job.done = sweep_done;
    offload_submit(s->core->reactor.offload, OFFLOAD_CHECKPOINT, &s->job);
}

void
expire_sweep_tick(struct core *c)
{
    struct expire_sweep *s = sweep_of(c);
    int64_t now_ms = clock_wall_ms(&c->reactor.clock);

    s->spent_ns = 0;
    if (s->busy || !journal_has_room(&c->shard.journal))
        return;
    s->now_ms = now_ms;
    if (!s->passing) {
        if (c->shard.sweep_due_ms > now_ms || s->pause_until_ns > c->reactor.clock.mono_ns)
            return;
        pass_begin(s);
    }
    if (!find_database(s))
        return;
    s->left_ns = (int64_t)(SWEEP_TICK_NS * c->config.active_expire_effort);
    job_begin(s);
}

void
expire_sweep_destroy(struct expire_sweep **s)
{
    if (*s == NULL)
        return;
    buf_fini(&(*s)->from);
    buf_fini(&(*s)->bytes);
    free(*s);
    *s = NULL;
}

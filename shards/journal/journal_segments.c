#include "shards/journal/journal_segments.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- queues ---- */

static void
olds_push(struct journal_olds *q, struct journal_old o)
{
    if (q->n == q->cap && q->first) {
        memmove(q->items, q->items + q->first, (q->n - q->first) * sizeof(o));
        q->n -= q->first;
        q->first = 0;
    }
    if (q->n == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 16;
        q->items = realloc(q->items, q->cap * sizeof(o));
        ASSERT(q->items);
    }
    q->items[q->n++] = o;
}

static struct journal_old *
olds_front(struct journal_olds *q)
{
    return q->first < q->n ? &q->items[q->first] : NULL;
}

/* ---- the helper's side ---- */

static void
remove_old(struct journal_segments_job *j)
{
    int err = journal_file_remove(j->place, j->from.number);

    j->removed = err == 0;
    j->err = j->err ? j->err : err;
}

static void
job_work(struct offload_job *oj)
{
    struct journal_segments_job *j = container_of(oj, struct journal_segments_job, job);

    if (j->make) {
        j->err = journal_file_prepare(j->place, j->number, j->capacity, j->from.number, &j->file);
        j->made = j->err == 0;
        j->removed = j->made;
    }
    if (j->from.number && !j->made)
        remove_old(j); /* also what is left of one that could not be recycled */
}

/* ---- choosing what to do next ---- */

static void
submit(struct journal_segments *s, bool make, uint64_t capacity, struct journal_old from)
{
    struct journal_segments_job *j = &s->job;

    j->busy = true;
    j->make = make;
    j->from = from;
    j->capacity = capacity;
    j->number = make ? s->next_number++ : 0;
    j->made = j->removed = false;
    j->err = 0;
    offload_submit(s->reactor->offload, OFFLOAD_FILES, &j->job);
}

static bool
has_room_for_spare(const struct journal_segments *s)
{
    return s->nready < s->spares_keep && s->nready < JOURNAL_SPARES_MAX;
}

/* Somebody waits for a segment larger than the spares. */
static bool
wants_large(const struct journal_segments *s)
{
    return s->wanted > s->segment_bytes;
}

/* The oldest released segment: a spare is made of it if one has room, else it is removed. */
static void
submit_front(struct journal_segments *s, struct journal_old front)
{
    if (front.capacity == s->segment_bytes && has_room_for_spare(s))
        submit(s, true, front.capacity, front);
    else
        submit(s, false, 0, front);
}

/* Released segments come before new ones, because they make room; but when the oldest cannot be
 * removed, what is needed is made all the same. */
void
journal_segments_kick(struct journal_segments *s)
{
    struct journal_old none = {0}, *front = olds_front(&s->released);

    if (s->job.busy || s->closing || timer_armed(&s->retry))
        return;
    if (wants_large(s) && !s->err)
        submit(s, true, s->wanted, none);
    else if (front && !s->front_failed)
        submit_front(s, *front);
    else if (wants_large(s))
        submit(s, true, s->wanted, none);
    else if (s->nready < s->spares_min)
        submit(s, true, s->segment_bytes, none);
    else if (front)
        submit_front(s, *front);
}

static void
retry_fired(struct timer *t)
{
    journal_segments_kick(container_of(t, struct journal_segments, retry));
}

static void
job_made(struct journal_segments *s, struct journal_segments_job *j)
{
    ASSERT(s->nready < ARRAY_SIZE(s->ready));
    s->ready[s->nready++] = j->file;
    s->err = 0;
    s->failures = 0;
    if (j->from.number)
        s->recycled++;
    else
        s->created++;
}

static void
job_not_made(struct journal_segments *s, struct journal_segments_job *j)
{
    s->err = j->err;
    s->failures++;
}

static void
job_done(struct offload_job *oj)
{
    struct journal_segments_job *j = container_of(oj, struct journal_segments_job, job);
    struct journal_segments *s = container_of(j, struct journal_segments, job);

    j->busy = false;
    s->front_failed = j->from.number && !j->removed;
    if (j->removed && j->from.number)
        s->released.first++;
    if (j->made)
        job_made(s, j);
    else if (j->make)
        job_not_made(s, j);
    s->errors += j->err != 0;
    if (s->closing)
        return;
    /* A removal makes room: what failed for want of it is tried again at once, else later. */
    if (j->err && !j->removed)
        timer_arm(&s->reactor->timers, &s->retry, s->reactor->clock.mono_ns + JOURNAL_RETRY_NS);
    s->changed(s);
    journal_segments_kick(s);
}

/* ---- the loop's side ---- */

/* Spares that were overtaken by a segment with a higher number must not be used any more. */
static void
retire_ready(struct journal_segments *s, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        olds_push(&s->released, (struct journal_old){.number = s->ready[i].number,
                                                     .capacity = s->ready[i].capacity});
        journal_file_close(&s->ready[i]);
    }
}

bool
journal_segments_take(struct journal_segments *s, uint64_t capacity, struct journal_file *ret_f)
{
    unsigned i = 0;

    while (i < s->nready && s->ready[i].capacity < capacity)
        i++;
    if (i == s->nready) {
        s->wanted = capacity;
        journal_segments_kick(s);
        return false;
    }
    *ret_f = s->ready[i];
    retire_ready(s, i);
    s->nready -= i + 1;
    memmove(s->ready, s->ready + i + 1, s->nready * sizeof(*s->ready));
    s->wanted = 0;
    journal_segments_kick(s);
    return true;
}

void
journal_segments_put(struct journal_segments *s, struct journal_file *f, uint64_t first_lsn,
                     uint64_t last_lsn, uint64_t bytes)
{
    if (f->direct_fd >= 0) {
        io_close(s->reactor->io, f->direct_fd);
        io_close(s->reactor->io, f->flush_fd);
    }
    io_close(s->reactor->io, f->plain_fd);
    f->direct_fd = f->flush_fd = f->plain_fd = -1;
    olds_push(&s->live, (struct journal_old){f->number, f->capacity, first_lsn, last_lsn, bytes});
    s->live_bytes += bytes;
}

void
journal_segments_release(struct journal_segments *s, uint64_t lsn)
{
    struct journal_old *o;
    unsigned n = 0;

    while ((o = olds_front(&s->live)) && o->last_lsn <= lsn) {
        olds_push(&s->released, *o);
        s->live_bytes -= o->bytes;
        s->live.first++;
        n++;
    }
    if (!n)
        return;
    s->spares_keep = MIN(s->spares_min + n, (unsigned)JOURNAL_SPARES_MAX);
    timer_cancel(&s->reactor->timers, &s->retry); /* there may be room now */
    journal_segments_kick(s);
}

uint64_t
journal_share_after(uint64_t bytes, uint64_t first_lsn, uint64_t last_lsn, uint64_t lsn)
{
    uint64_t records = last_lsn - first_lsn + 1;

    if (lsn < first_lsn || records == 0)
        return bytes;
    if (lsn >= last_lsn)
        return 0;
    return (uint64_t)((double)bytes * (double)(last_lsn - lsn) / (double)records);
}

uint64_t
journal_segments_bytes_after(const struct journal_segments *s, uint64_t lsn)
{
    const struct journal_old *o = s->live.first < s->live.n ? &s->live.items[s->live.first] : NULL;

    if (!o)
        return 0;
    return s->live_bytes - o->bytes + journal_share_after(o->bytes, o->first_lsn, o->last_lsn, lsn);
}

/* ---- opening and closing ---- */

/* Where the records of segment i end, given that the journal goes on at next_lsn. */
static uint64_t
last_lsn_of(const struct journal_dir *d, size_t i, uint64_t next_lsn)
{
    uint64_t end = next_lsn;

    for (i++; i < d->n; i++)
        if (journal_dir_active(&d->items[i]))
            end = MIN(end, d->items[i].h.first_lsn);
    return end - 1;
}

static struct journal_old
old_of(const struct journal_dir_entry *e, uint64_t last_lsn)
{
    bool whole = !e->rule && e->h.capacity == e->size && e->h.number == e->number;

    return (struct journal_old){.number = e->number,
                                .capacity = whole ? e->size : 0,
                                .first_lsn = e->rule ? 0 : e->h.first_lsn,
                                .last_lsn = last_lsn,
                                .bytes = e->size};
}

/* Segments in use become live, or are removed here and now, oldest first; the rest can be recycled.
 */
static int
adopt(struct journal_segments *s, const struct journal_dir *d, uint64_t next_lsn, bool drop_old)
{
    struct journal_old o;
    int err = 0;
    size_t i;

    for (i = 0; i < d->n && !err; i++) {
        o = old_of(&d->items[i], last_lsn_of(d, i, next_lsn));
        s->next_number = o.number + 1;
        if (!journal_dir_active(&d->items[i])) {
            olds_push(&s->released, o);
        } else if (drop_old) {
            err = journal_file_remove(&s->place, o.number);
        } else {
            olds_push(&s->live, o);
            s->live_bytes += o.bytes;
        }
    }
    return err;
}

/* Out of a left-over spare when there is one, so that opening again and again costs no zeroing. */
static int
make_first(struct journal_segments *s, struct journal_file *ret_f)
{
    struct journal_old *front = olds_front(&s->released);
    bool recycle = front && front->capacity == s->segment_bytes;
    int err = -ENOENT;

    if (recycle)
        err = journal_file_prepare(&s->place, s->next_number++, s->segment_bytes, front->number,
                                   ret_f);
    if (!err) {
        s->released.first++;
        s->recycled++;
    } else {
        err = journal_file_prepare(&s->place, s->next_number++, s->segment_bytes, 0, ret_f);
        s->created += err == 0;
    }
    return err;
}

int
journal_segments_open(struct journal_segments *s, struct reactor *r, const struct journal_dir *d,
                      int dir_fd, const struct journal_options *opt, uint64_t next_lsn,
                      bool drop_old, struct journal_file *ret_first, struct journal_error *err)
{
    int code;

    *s = (struct journal_segments){.reactor = r, .next_number = 1};
    s->place.dir_fd = dir_fd;
    s->place.ops = opt->file_ops ? opt->file_ops : &journal_file_syscalls;
    s->segment_bytes = opt->segment_bytes;
    s->spares_min = MAX(1u, MIN(opt->spare_segments, (unsigned)JOURNAL_SPARES_MAX));
    s->spares_keep = s->spares_min;
    s->retry.fn = retry_fired;
    s->job.place = &s->place;
    s->job.job.work = job_work;
    s->job.job.done = job_done;
    code = journal_file_clean(&s->place);
    code = code ? code : adopt(s, d, next_lsn, drop_old);
    code = code ? code : make_first(s, ret_first);
    if (code) {
        journal_fail_dir(err, code, opt->dir, "cannot make a journal segment");
        journal_segments_close(s);
    }
    return code;
}

/* The helper's job ends by itself; its completion is run here like in any loop turn. */
static void
wait_for_helper(struct journal_segments *s)
{
    while (s->job.busy) {
        offload_poll(s->reactor->offload, 1);
        if (s->job.busy)
            poll(NULL, 0, 1);
    }
}

void
journal_segments_close(struct journal_segments *s)
{
    unsigned i;

    s->closing = true;
    wait_for_helper(s);
    timer_cancel(&s->reactor->timers, &s->retry);
    for (i = 0; i < s->nready; i++)
        journal_file_close(&s->ready[i]);
    free(s->live.items);
    free(s->released.items);
    close(s->place.dir_fd);
    *s = (struct journal_segments){.place.dir_fd = -1};
}

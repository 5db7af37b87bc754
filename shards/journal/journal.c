/* Opening and closing, and what the owner asks once a turn or less. The format and the rules of
 * recovery: journal_format.h and journal_scan.c; the way of a batch: journal_writer.c. */
#include "shards/journal/journal.h"

#include "shards/journal/journal_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define FIRST_BUFFER_BYTES (64 * KIB)

/* ---- buffers ---- */

char *
journal_alloc_aligned(size_t bytes)
{
    void *p = NULL;
    int err = posix_memalign(&p, JOURNAL_BLOCK_BYTES, bytes);

    ASSERT(bytes % JOURNAL_BLOCK_BYTES == 0 && !err);
    return p;
}

void
journal_buf_grow(struct buf *b, size_t bytes)
{
    size_t cap = MAX(b->cap * 2, FIRST_BUFFER_BYTES);
    char *p;

    if (bytes <= b->cap)
        return;
    cap = MAX(cap, ALIGN_UP(bytes, (size_t)JOURNAL_BLOCK_BYTES));
    p = journal_alloc_aligned(cap);
    if (b->n)
        memcpy(p, b->p, b->n);
    free(b->p);
    b->p = p;
    b->cap = cap;
}

void
journal_grow(struct journal *j, size_t n)
{
    journal_buf_grow(&j->open, j->open.n + n);
}

/* ---- opening ---- */

static void
lazy_fired(struct timer *t)
{
    container_of(t, struct journal_writer, lazy)->lazy_due = true;
}

static struct journal_writer *
writer_create(struct journal *j, struct reactor *r, const struct journal_options *opt)
{
    struct journal_writer *w = calloc(1, sizeof(*w));

    ASSERT(w);
    w->j = j;
    w->reactor = r;
    w->batch_bytes = opt->batch_bytes;
    w->header_block = journal_alloc_aligned(JOURNAL_BLOCK_BYTES);
    w->transfer.op.fn = journal_writer_transferred;
    w->sync_op.fn = journal_writer_synced;
    w->lazy.fn = lazy_fired;
    return w;
}

static void
writer_destroy(struct journal_writer *w)
{
    buf_fini(&w->flight);
    journal_shared_fini(&w->flight_shared);
    free(w->header_block);
    free(w->piece);
    free(w);
}

/* The lock lives as long as the descriptor. */
#define LOCK_TRIES 50
#define LOCK_RETRY_US 20000

static int
open_locked(const char *dir, struct journal_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code;

    if (fd < 0)
        return journal_fail_dir(err, -errno, dir, "cannot open the directory");
    /* A process that was killed holds its files until the kernel is through with their last I/O. */
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (errno != EWOULDBLOCK)
            break;
        usleep(LOCK_RETRY_US);
    }
    code = errno == EWOULDBLOCK ? -EBUSY : -errno;
    close(fd);
    return journal_fail_dir(err, code, dir, "cannot lock the journal's directory");
}

/* 32 bits: one opening a second for 136 years. */
static uint32_t
next_incarnation(const struct journal_dir *d, const struct journal_tail *tail)
{
    uint32_t highest = (uint32_t)tail->incarnation;
    size_t i;

    for (i = 0; i < d->n; i++)
        if (journal_dir_active(&d->items[i]))
            highest = MAX(highest, d->items[i].h.incarnation);
    return highest + 1;
}

static int
open_segments(struct journal_writer *w, const struct journal_options *opt,
              const struct journal_tail *tail, uint64_t next_lsn, struct journal_error *err)
{
    struct journal_dir dir;
    int code, fd = open_locked(opt->dir, err);

    if (fd < 0)
        return fd;
    code = journal_dir_open(&dir, opt->dir, err);
    if (code) {
        close(fd);
        return code;
    }
    w->incarnation = next_incarnation(&dir, tail);
    code = journal_segments_open(&w->segments, w->reactor, &dir, fd, opt, next_lsn,
                                 next_lsn > tail->last_lsn + 1, &w->file, err);
    journal_dir_close(&dir);
    return code;
}

static int
begin(struct journal_writer *w, const struct journal_options *opt, const struct journal_tail *tail,
      uint64_t next_lsn, struct journal_error *err)
{
    int code = open_segments(w, opt, tail, next_lsn, err);

    if (code)
        return code;
    code = journal_file_activate(&w->segments.place, &w->file, w->incarnation, next_lsn);
    if (!code)
        return 0;
    journal_file_close(&w->file);
    journal_segments_close(&w->segments);
    return journal_fail_dir(err, code, opt->dir, "cannot begin a journal segment");
}

int
journal_open(struct journal *j, struct reactor *r, const struct journal_options *opt,
             const struct journal_tail *tail, uint64_t next_lsn, struct journal_error *err)
{
    struct journal_writer *w = writer_create(j, r, opt);
    int code;

    ASSERT(next_lsn > 0 && opt->segment_bytes % JOURNAL_BLOCK_BYTES == 0);
    ASSERT(opt->segment_bytes >= 2 * JOURNAL_BLOCK_BYTES);
    code = begin(w, opt, tail, next_lsn, err);
    if (code) {
        writer_destroy(w);
        return code;
    }
    w->segments.changed = journal_writer_segments_changed;
    w->offset = JOURNAL_BLOCK_BYTES;
    w->direct = w->file.direct_fd >= 0;
    w->way.probe_ns = clock_now_ns() + JOURNAL_PROBE_NS;
    w->file_first_lsn = next_lsn;
    *j = (struct journal){.open_first_lsn = next_lsn,
                          .next_lsn = next_lsn,
                          .open_seq = 1,
                          .open_limit = (uint32_t)MIN(opt->batch_bytes, (uint64_t)UINT32_MAX),
                          .durable_lsn = next_lsn - 1,
                          .synced_lsn = next_lsn - 1,
                          .mode = opt->mode,
                          .w = w};
    j->stats.segments_created = w->segments.created;
    j->stats.segments_recycled = w->segments.recycled;
    journal_grow(j, JOURNAL_BATCH_HEADER_BYTES);
    j->open.n = JOURNAL_BATCH_HEADER_BYTES;
    return 0;
}

void
journal_close(struct journal *j)
{
    struct journal_writer *w = j->w;

    ASSERT(journal_idle(j) || j->state != JOURNAL_OK);
    ASSERT(!w->transfer.op.busy && !w->sync_op.busy);
    if (j->state != JOURNAL_FAILED && !journal_writer_settled(w) && !fdatasync(w->file.plain_fd))
        j->synced_lsn = j->durable_lsn;
    timer_cancel(&w->reactor->timers, &w->lazy);
    journal_segments_close(&w->segments);
    journal_file_close(&w->file);
    writer_destroy(w);
    buf_fini(&j->open);
    journal_shared_fini(&j->open_shared);
    j->w = NULL;
}

const char *
journal_describe(const struct journal *j)
{
    static const char *const lazy[] = {
        [JOURNAL_ALWAYS] = "every turn", [JOURNAL_EVERYSEC] = "within a second", [JOURNAL_NO] = ""};
    struct journal_writer *w = j->w;
    uint64_t bytes = w->segments.segment_bytes;
    const char *how;

    if (j->mode == JOURNAL_NO)
        how = "buffered, the OS decides";
    else if (w->direct)
        how = w->way.current == JOURNAL_WAY_DSYNC ? "O_DIRECT|O_DSYNC " : "O_DIRECT + fdatasync ";
    else
        how = "write + fdatasync (the file system refuses O_DIRECT) ";
    snprintf(w->describe, sizeof(w->describe), "%s%s, %lu %s segments", how, lazy[j->mode],
             bytes % MIB ? bytes / KIB : bytes / MIB, bytes % MIB ? "KiB" : "MiB");
    return w->describe;
}

/* ---- once a turn ---- */

/* The open batch, which has records, is to be written as soon as it can be: in the lazy modes when it is
 * time. */
static bool
batch_is_due(const struct journal_writer *w)
{
    const struct journal *j = w->j;

    return j->mode == JOURNAL_ALWAYS || w->lazy_due || journal_open_bytes(j) >= JOURNAL_LAZY_BYTES ||
           w->want_lsn >= j->open_first_lsn;
}

static void
flush_batch(struct journal_writer *w)
{
    if (w->j->open.n == JOURNAL_BATCH_HEADER_BYTES)
        return;
    if (!batch_is_due(w)) {
        /* The loop wakes up when it is. */
        if (!timer_armed(&w->lazy))
            timer_arm(&w->reactor->timers, &w->lazy, w->reactor->clock.mono_ns + JOURNAL_LAZY_NS);
        return;
    }
    if (w->step != JOURNAL_STEP_IDLE)
        return;
    timer_cancel(&w->reactor->timers, &w->lazy);
    w->lazy_due = false;
    journal_writer_seal(w);
}

static bool
sync_is_due(const struct journal_writer *w)
{
    const struct journal *j = w->j;

    if (likely(journal_writer_settled(w)) || w->sync_op.busy || w->step == JOURNAL_STEP_DEAD)
        return false;
    return j->mode != JOURNAL_NO || w->want_lsn > j->synced_lsn ||
           w->unsynced_bytes >= JOURNAL_SYNC_BYTES;
}

void
journal_flush(struct journal *j)
{
    struct journal_writer *w = j->w;

    if (unlikely(!w->kicked)) {
        w->kicked = true;
        journal_segments_kick(&w->segments);
    }
    flush_batch(w);
    if (sync_is_due(w))
        journal_writer_sync(w);
}

bool
journal_wants_flush(const struct journal *j)
{
    const struct journal_writer *w = j->w;

    return (j->open.n != JOURNAL_BATCH_HEADER_BYTES && w->step == JOURNAL_STEP_IDLE && batch_is_due(w)) ||
           sync_is_due(w);
}

/* ---- now and then ---- */

void
journal_want_durable(struct journal *j, uint64_t lsn)
{
    j->w->want_lsn = MAX(j->w->want_lsn, MIN(lsn, journal_last_lsn(j)));
}

bool
journal_idle(const struct journal *j)
{
    const struct journal_writer *w = j->w;

    if (w->transfer.op.busy || w->sync_op.busy)
        return false;
    if (j->state == JOURNAL_FAILED)
        return true;
    return w->step == JOURNAL_STEP_IDLE && j->open.n == JOURNAL_BATCH_HEADER_BYTES &&
           w->want_lsn <= j->synced_lsn;
}

void
journal_set_mode(struct journal *j, enum journal_mode mode)
{
    j->mode = mode;
}

void
journal_release(struct journal *j, uint64_t lsn)
{
    struct journal_writer *w = j->w;

    w->released_lsn = MAX(w->released_lsn, MIN(lsn, j->synced_lsn));
    journal_segments_release(&w->segments, w->released_lsn);
}

uint64_t
journal_live_bytes(const struct journal *j)
{
    const struct journal_writer *w = j->w;
    uint64_t lsn = w->released_lsn;

    return journal_segments_bytes_after(&w->segments, lsn) +
           journal_share_after(w->offset - JOURNAL_BLOCK_BYTES, w->file_first_lsn, j->durable_lsn,
                               lsn);
}

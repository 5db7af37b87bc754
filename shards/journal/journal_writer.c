/* From the open batch to the disk.
 *
 * A sealed batch goes through steps, each of which may find nothing to do:
 *
 *   settle   mode no left something unsynced, and this batch is to be durable or begins a segment:
 *            sync first. So a durable batch, and a segment, prove that all before them is on disk.
 *   segment  no room in this one: take a spare, or wait until the helper has made one (state FULL
 *            if it cannot for want of room)
 *   header   a new segment's header is durable before its first batch is written
 *   batch    one transfer, in pieces of JOURNAL_WRITE_BYTES_MAX
 *
 * A batch of several pieces gets its checksum piece by piece as they are written, and the piece with its
 * header is the last.
 *
 * advance() walks on from wherever it stands, and completions call it again. Only seal touches the
 * open batch; everything else works on the sealed one, so the open batch may be another core's. */
#include "shards/journal/journal_writer.h"

#include <stdlib.h>

static void advance(struct journal_writer *w);
static void batch_done(struct journal_writer *w);

/* ---- telling the owner ---- */

static void
tell(struct journal_writer *w)
{
    if (w->j->on_progress)
        w->j->on_progress(w->j->arg);
}

static void
set_state(struct journal_writer *w, enum journal_state state, int error)
{
    if (w->j->state == state)
        return;
    w->j->state = state;
    w->j->error = error;
    tell(w);
}

static void
fail(struct journal_writer *w, int error)
{
    w->step = JOURNAL_STEP_DEAD;
    set_state(w, JOURNAL_FAILED, error);
}

void
journal_give_up(struct journal *j, int error)
{
    if (j->state != JOURNAL_FAILED)
        fail(j->w, error);
}

/* ---- transfers ---- */

/* Bytes [at, at + n) of what is written, where the kernel can take them from. */
static const char *
transfer_bytes(struct journal_writer *w, uint64_t at, size_t n)
{
    struct journal_transfer *t = &w->transfer;

    if (likely(w->step != JOURNAL_STEP_BATCH || w->flight_shared.n == 0))
        return t->p + at;
    if (w->piece == NULL)
        w->piece = journal_alloc_aligned(JOURNAL_WRITE_BYTES_MAX);
    journal_shared_read(&w->flight_shared, &w->flight, at, w->piece, n);
    return w->piece;
}

/* What comes next of a transfer: from which byte on, and how many. */
static uint64_t
transfer_at(const struct journal_transfer *t, size_t *ret_n)
{
    uint64_t first = t->n - t->last;
    bool is_last = t->done >= first;

    *ret_n = MIN((is_last ? t->n : first) - t->done, JOURNAL_WRITE_BYTES_MAX);
    return is_last ? t->done - first : t->last + t->done;
}

/* The checksum of a batch in several pieces grows with them, each once. */
static void
flight_checksum(struct journal_writer *w, const char *p, uint64_t at, size_t n)
{
    uint64_t end = JOURNAL_BATCH_HEADER_BYTES + w->flight_header.payload_bytes;
    uint64_t skip = w->flight_seen - at, to = MIN(at + n, end);

    if (w->flight_seen < at || w->flight_seen >= to)
        return;
    w->flight_crc = journal_crc32c(w->flight_crc, p + skip, to - w->flight_seen);
    w->flight_seen = to;
}

static void
transfer_go(struct journal_writer *w)
{
    struct journal_transfer *t = &w->transfer;
    struct io *io = w->reactor->io;
    const char *p;
    uint64_t at;
    size_t n;

    t->syncing = t->done == t->n;
    if (t->syncing) {
        io_fdatasync(io, &t->op, t->fd);
        return;
    }
    at = transfer_at(t, &n);
    if (unlikely(t->last > 0 && at == 0))
        journal_batch_encode(w->flight.p, w->file.salt, &w->flight_header, w->flight_crc);
    p = transfer_bytes(w, at, n);
    if (unlikely(t->last > 0 && at > 0))
        flight_checksum(w, p, at, n);
    io_write(io, &t->op, t->fd, p, (unsigned)n, t->offset + at);
}

/* With O_DIRECT: by the better way. What takes several pieces is flushed once, at the end. */
static void
choose_direct(struct journal_writer *w, struct journal_transfer *t)
{
    t->timed = t->n <= JOURNAL_WRITE_BYTES_MAX;
    t->way = t->timed ? journal_way_choose(&w->way, t->start_ns) : JOURNAL_WAY_FLUSH;
    t->then_sync = t->way == JOURNAL_WAY_FLUSH;
    t->fd = t->then_sync ? w->file.flush_fd : w->file.direct_fd;
}

/* Durable unless lazy. */
static void
transfer_start(struct journal_writer *w, const char *p, uint64_t n, uint64_t last, uint64_t offset,
               bool lazy)
{
    struct journal_transfer *t = &w->transfer;

    t->p = p;
    t->n = n;
    t->last = last;
    t->done = 0;
    t->offset = offset;
    t->tries = 0;
    t->start_ns = clock_now_ns();
    t->timed = false;
    t->fd = w->file.plain_fd;
    t->then_sync = !lazy;
    if (!lazy && w->file.direct_fd >= 0)
        choose_direct(w, t);
    transfer_go(w);
}

static void
transfer_done(struct journal_writer *w)
{
    struct journal_transfer *t = &w->transfer;

    if (t->timed && t->tries == 0)
        journal_way_note(&w->way, t->way, clock_now_ns() - t->start_ns);
    if (w->step == JOURNAL_STEP_HEADER)
        advance(w);
    else
        batch_done(w);
}

/* The first failure is answered by trying again: a write from the piece that failed; a sync from
 * the beginning, since after a failed fdatasync the kernel takes the pages for clean. */
static void
transfer_failed(struct journal_writer *w, int error)
{
    struct journal_transfer *t = &w->transfer;

    w->j->stats.errors++;
    if (t->tries++) {
        fail(w, error);
        return;
    }
    w->j->stats.retries++;
    if (t->syncing)
        t->done = 0;
    transfer_go(w);
}

/* ---- the sealed batch ---- */

/* A buffer that one huge batch blew up is not kept. */
static void
trim_flight(struct journal_writer *w)
{
    journal_shared_clear(&w->flight_shared);
    if (w->flight.cap > 2 * w->batch_bytes)
        buf_fini(&w->flight);
}

static void
count_batch(struct journal_writer *w)
{
    struct journal_stats *st = &w->j->stats;
    uint64_t ns = clock_now_ns() - w->flight_start_ns;

    st->batches++;
    st->bytes += w->flight_extent;
    st->records += w->flight_records;
    st->write_ns += ns;
    st->write_ns_max = MAX(st->write_ns_max, ns);
}

static void
batch_done(struct journal_writer *w)
{
    struct journal *j = w->j;

    count_batch(w);
    w->offset += w->flight_extent;
    w->step = JOURNAL_STEP_IDLE;
    j->durable_lsn = w->flight_first_lsn + w->flight_records - 1;
    j->durable_seq = w->flight_seq;
    if (w->flight_lazy)
        w->unsynced_bytes += w->flight_extent;
    else
        j->synced_lsn = j->durable_lsn;
    trim_flight(w);
    tell(w);
}

/* A long batch: its header, which has the checksum, goes with the piece that is written last. So the
 * loop is never kept for longer than one piece takes. */
static void
batch_start_long(struct journal_writer *w)
{
    w->flight_crc = w->file.salt;
    w->flight_seen = JOURNAL_BATCH_HEADER_BYTES;
    w->transfer.p = w->flight.p;
    flight_checksum(w, transfer_bytes(w, 0, JOURNAL_WRITE_BYTES_MAX), 0, JOURNAL_WRITE_BYTES_MAX);
    transfer_start(w, w->flight.p, w->flight_extent, JOURNAL_WRITE_BYTES_MAX, w->offset,
                   w->flight_lazy);
}

static void
batch_start(struct journal_writer *w)
{
    struct journal_batch *b = &w->flight_header;

    w->step = JOURNAL_STEP_BATCH;
    *b = (struct journal_batch){.segment = w->file.number,
                                .first_lsn = w->flight_first_lsn,
                                .incarnation = w->incarnation,
                                .records = w->flight_records,
                                .flags = journal_writer_settled(w) ? JOURNAL_BATCH_AFTER_SYNC : 0};
    b->payload_bytes = w->flight.n - JOURNAL_BATCH_HEADER_BYTES + w->flight_shared.bytes;
    if (w->flight_shared.n == 0)
        memset(w->flight.p + w->flight.n, 0, w->flight_extent - w->flight.n);
    if (unlikely(w->flight_extent > JOURNAL_WRITE_BYTES_MAX)) {
        batch_start_long(w);
        return;
    }
    journal_batch_encode(w->flight.p, w->file.salt, b,
                         journal_shared_crc32c(&w->flight_shared, w->file.salt, &w->flight,
                                               JOURNAL_BATCH_HEADER_BYTES));
    transfer_start(w, w->flight.p, w->flight_extent, 0, w->offset, w->flight_lazy);
}

static void
header_start(struct journal_writer *w)
{
    struct journal_segment_header h = {.number = w->file.number,
                                       .first_lsn = w->flight_first_lsn,
                                       .capacity = w->file.capacity,
                                       .incarnation = w->incarnation,
                                       .salt = w->file.salt,
                                       .state = JOURNAL_SEGMENT_ACTIVE};

    w->step = JOURNAL_STEP_HEADER;
    w->file_first_lsn = w->flight_first_lsn;
    w->offset = JOURNAL_BLOCK_BYTES;
    journal_segment_encode(w->header_block, &h);
    transfer_start(w, w->header_block, JOURNAL_BLOCK_BYTES, 0, 0, false);
}

static bool
is_no_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

/* No spare is there. The helper may be at it, or may have failed and try again in a second. */
static void
wait_for_segment(struct journal_writer *w)
{
    int err = w->segments.err;

    w->step = JOURNAL_STEP_SEGMENT;
    if (is_no_room(err))
        set_state(w, JOURNAL_FULL, -err);
    else if (w->segments.failures > 1)
        fail(w, -err);
}

/* The segment in use is full. It is put with the others even before there is another, so that on a
 * full disk its file can be the one that is recycled. */
static void
leave_segment(struct journal_writer *w)
{
    if (w->file.plain_fd < 0)
        return;
    journal_segments_put(&w->segments, &w->file, w->file_first_lsn, w->flight_first_lsn - 1,
                         w->offset);
    w->file.capacity = w->offset = JOURNAL_BLOCK_BYTES;
}

static void
next_segment(struct journal_writer *w)
{
    leave_segment(w);
    if (!journal_segments_take(&w->segments, JOURNAL_BLOCK_BYTES + w->flight_extent, &w->file)) {
        wait_for_segment(w);
        return;
    }
    w->direct = w->file.direct_fd >= 0;
    header_start(w);
    set_state(w, JOURNAL_OK, 0);
}

static void
advance(struct journal_writer *w)
{
    bool new_segment = w->flight_extent > w->file.capacity - w->offset;

    w->flight_lazy = w->j->mode == JOURNAL_NO;
    if ((new_segment || !w->flight_lazy) && !journal_writer_settled(w)) {
        w->step = JOURNAL_STEP_SETTLE;
        if (!w->sync_op.busy)
            journal_writer_sync(w);
    } else if (new_segment) {
        next_segment(w);
    } else {
        batch_start(w);
    }
}

void
journal_writer_seal(struct journal_writer *w)
{
    struct journal *j = w->j;
    struct buf sealed = j->open;
    struct journal_shared shared = j->open_shared;

    ASSERT(w->step == JOURNAL_STEP_IDLE && sealed.n > JOURNAL_BATCH_HEADER_BYTES);
    j->open = w->flight;
    j->open_shared = w->flight_shared;
    w->flight = sealed;
    w->flight_shared = shared;
    journal_buf_grow(&j->open, JOURNAL_BATCH_HEADER_BYTES);
    j->open.n = JOURNAL_BATCH_HEADER_BYTES;
    w->flight_first_lsn = j->open_first_lsn;
    w->flight_records = (uint32_t)(j->next_lsn - j->open_first_lsn);
    w->flight_extent = journal_batch_extent(sealed.n - JOURNAL_BATCH_HEADER_BYTES + shared.bytes);
    w->flight_seq = j->open_seq++;
    w->flight_start_ns = clock_now_ns();
    j->open_first_lsn = j->next_lsn;
    advance(w);
}

/* ---- completions ---- */

void
journal_writer_transferred(struct io_op *op, int res, int buf, bool more)
{
    struct journal_writer *w = container_of(op, struct journal_writer, transfer.op);
    struct journal_transfer *t = &w->transfer;
    size_t asked = 0;

    if (!t->syncing)
        transfer_at(t, &asked);
    if (w->step == JOURNAL_STEP_DEAD)
        return;
    if (res < 0 || (size_t)res != asked) {
        transfer_failed(w, res < 0 ? -res : EIO);
        return;
    }
    t->done += asked;
    if (t->done < t->n || (t->then_sync && !t->syncing))
        transfer_go(w);
    else
        transfer_done(w);
}

void
journal_writer_sync(struct journal_writer *w)
{
    w->sync_lsn = w->j->durable_lsn;
    w->unsynced_bytes = 0;
    io_fdatasync(w->reactor->io, &w->sync_op, w->file.plain_fd);
}

/* A failure is final: what was acknowledged in mode no may be lost, and the kernel will not say
 * which pages. */
void
journal_writer_synced(struct io_op *op, int res, int buf, bool more)
{
    struct journal_writer *w = container_of(op, struct journal_writer, sync_op);

    if (w->step == JOURNAL_STEP_DEAD)
        return;
    if (res < 0) {
        w->j->stats.errors++;
        fail(w, -res);
        return;
    }
    w->j->synced_lsn = w->sync_lsn;
    if (w->step == JOURNAL_STEP_SETTLE)
        advance(w);
    tell(w);
}

void
journal_writer_segments_changed(struct journal_segments *s)
{
    struct journal_writer *w = container_of(s, struct journal_writer, segments);

    w->j->stats.segments_created = s->created;
    w->j->stats.segments_recycled = s->recycled;
    if (w->step == JOURNAL_STEP_SEGMENT)
        advance(w);
}

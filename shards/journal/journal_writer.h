/* The writing half of a journal; journal.c and journal_writer.c share it, nobody else. */
#ifndef SHARDS_JOURNAL_JOURNAL_WRITER_H
#define SHARDS_JOURNAL_JOURNAL_WRITER_H

#include "shards/journal/journal_segments.h"
#include "shards/journal/journal_way.h"

/* What the sealed batch is waiting for. */
enum journal_step {
    JOURNAL_STEP_IDLE,    /* there is none */
    JOURNAL_STEP_SETTLE,  /* until everything before it is synced */
    JOURNAL_STEP_SEGMENT, /* for a segment */
    JOURNAL_STEP_HEADER,  /* for its segment's header to be durable */
    JOURNAL_STEP_BATCH,   /* for its own write */
    JOURNAL_STEP_DEAD,    /* for ever: the journal failed */
};

/* One durable or plain write of any length, in pieces, repeated once if it fails. The first `last` bytes
 * are written when all others are. */
struct journal_transfer {
    struct io_op op;
    const char *p;
    uint64_t n, last, done, offset;
    int fd;
    unsigned tries;
    bool then_sync; /* fdatasync afterwards makes it durable */
    bool timed;     /* its latency tells how good `way` is */
    enum journal_way_kind way;
    uint64_t start_ns;
    bool syncing;
};

struct journal_writer {
    struct journal *j;
    struct reactor *reactor;
    struct journal_segments segments;
    uint64_t batch_bytes;
    uint32_t incarnation;

    /* the segment in use; none (descriptors -1, no room) while waiting for the next */
    struct journal_file file;
    bool direct; /* the last one was written with O_DIRECT */
    uint64_t file_first_lsn;
    uint64_t offset; /* where the next batch goes */

    /* the sealed batch */
    enum journal_step step;
    struct buf flight;
    struct journal_shared flight_shared;
    char *piece; /* JOURNAL_WRITE_BYTES_MAX, aligned: what is written of a batch with shared bytes */
    uint32_t flight_crc;  /* of a batch in several pieces: of its payload ... */
    uint64_t flight_seen; /* ... up to this byte of the batch */
    struct journal_batch flight_header;
    uint32_t flight_seq, flight_records;
    uint64_t flight_first_lsn;
    uint64_t flight_extent;
    uint64_t flight_start_ns;
    bool flight_lazy; /* written in mode no: the OS has it, the disk perhaps not */
    struct journal_transfer transfer;
    struct journal_way way;
    char *header_block; /* JOURNAL_BLOCK_BYTES, aligned */

    /* mode no: syncing what was written */
    struct io_op sync_op;
    uint64_t sync_lsn;       /* what the one under way covers */
    uint64_t unsynced_bytes; /* written since it began */

    /* when to write in the lazy modes */
    struct timer lazy;
    bool lazy_due;
    uint64_t want_lsn;

    uint64_t released_lsn;
    bool kicked; /* the helper was given its first work */
    char describe[128];
};

/* The open batch becomes the sealed one; there must be none. Begins to write it. */
void journal_writer_seal(struct journal_writer *w);
/* Begins to sync what mode no has written. */
void journal_writer_sync(struct journal_writer *w);
/* Everything that completed is on disk. */
static inline bool
journal_writer_settled(const struct journal_writer *w)
{
    return w->j->synced_lsn == w->j->durable_lsn;
}
/* Callbacks, set by journal_open. */
void journal_writer_transferred(struct io_op *op, int res, int buf, bool more);
void journal_writer_synced(struct io_op *op, int res, int buf, bool more);
void journal_writer_segments_changed(struct journal_segments *s);
/* Memory that O_DIRECT takes, a multiple of the block size long so that the padding always fits. */
char *journal_alloc_aligned(size_t bytes);
/* Gives a buffer at least `bytes` of aligned memory; keeps what is in it. */
void journal_buf_grow(struct buf *b, size_t bytes);

#endif

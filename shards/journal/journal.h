/* The journal of one shard: an append-only log, written by the shard's own loop.
 *
 * Format (byte by byte in docs/FORMATS.md). Segments `<20-digit number>.journal` are created by a
 * helper, preallocated, written once with zeros and recycled, so that a write in place changes no
 * file-system metadata. Segment = 4 KiB header block {magic, version, state, segment number, first
 * LSN, capacity, incarnation, salt, CRC32C} + batches. Batch = 48-byte header {magic, version,
 * flags, CRC32C of the header, CRC32C of the payload, record count, incarnation, payload bytes,
 * segment number, first LSN} + records, padded with zeros to 4 KiB. Record = varint length +
 * payload; the payload is the engine's. A record never spans batches; a batch larger than what is
 * left of a segment starts a new one, a batch larger than a whole segment gets a segment made for
 * its size.
 *
 * LSN: number of a record, from 1, without gaps over the life of the journal.
 *
 * Writing: records gather in the open batch; journal_flush (once a loop turn) submits it when no
 * write is in flight. One write in flight, the next starts when it completes, no timer in mode
 * always. A batch larger than JOURNAL_WRITE_BYTES_MAX is written in several writes, the one with its
 * header last; it is durable when all are. Mode always: O_DIRECT|O_DSYNC or O_DIRECT and fdatasync,
 * whichever is faster at the time (journal_way.h); buffered write and fdatasync where the file system
 * refuses O_DIRECT. Mode everysec: the same file and path, flushed when JOURNAL_LAZY_BYTES are waiting or JOURNAL_LAZY_NS
 * passed. Mode no: buffered writes at the same thresholds; the OS decides when they reach the disk,
 * but is told to begin every JOURNAL_SYNC_BYTES; a segment is synced before the next one begins.
 *
 * Failure: a short write or an error is retried once; a second one turns the journal FAILED
 * (sticky: nothing is acknowledged any more). No room for a new segment: FULL; retried every
 * second; it goes back to OK by itself. The batch that waits keeps waiting, nothing is lost.
 *
 * Recovery (journal_scan): every segment header and batch is checked. What follows the last good
 * batch of the last segment is a torn tail: reported and cut, unless a later batch proves that it
 * was once on disk. That, and damage anywhere before, is an error that names file and offset. A
 * recovered journal always continues in a new segment with a higher incarnation, whose first LSN
 * says where the old ones end; batches of an older segment at or beyond the next segment's first
 * LSN are ignored (they were cut). */
#ifndef SHARDS_JOURNAL_JOURNAL_H
#define SHARDS_JOURNAL_JOURNAL_H

#include "core/base.h"
#include "core/buf.h"
#include "core/reactor.h"
#include "shards/journal/journal_shared.h"

#define JOURNAL_FORMAT_VERSION 1
#define JOURNAL_BLOCK_BYTES 4096
#define JOURNAL_BATCH_HEADER_BYTES 48
#define JOURNAL_RECORD_HEADER_BYTES_MAX 5
#define JOURNAL_WRITE_BYTES_MAX (1 * MIB)
#define JOURNAL_LAZY_BYTES (256 * KIB)
#define JOURNAL_LAZY_NS (200 * 1000 * 1000ULL)
#define JOURNAL_SYNC_BYTES (8 * MIB) /* mode no: start writing back when so much is not synced */

enum journal_mode { JOURNAL_ALWAYS, JOURNAL_EVERYSEC, JOURNAL_NO };
enum journal_state { JOURNAL_OK, JOURNAL_FULL, JOURNAL_FAILED };

struct journal_file_ops; /* journal_file.h: how files are made, for tests that inject faults */

struct journal_options {
    const char *dir;         /* exists */
    uint64_t segment_bytes;  /* capacity of a normal segment, multiple of 4 KiB */
    uint64_t batch_bytes;    /* the open batch is "full" beyond this */
    unsigned spare_segments; /* prepared ahead */
    enum journal_mode mode;
    const struct journal_file_ops *file_ops; /* NULL = system calls */
};

struct journal_stats { /* owner writes, read on the owner's thread */
    uint64_t batches, bytes, records, write_ns, write_ns_max, retries, errors, segments_created,
        segments_recycled;
};

struct journal_writer; /* files, buffers, I/O state: journal_writer.c */

struct journal {
    /* the open batch: belongs to the shard's owner (may be leased to another core) */
    struct buf open; /* header room + records; 4 KiB aligned, grown by journal_grow only */
    struct journal_shared open_shared; /* what of it stands elsewhere */
    uint64_t open_first_lsn;
    uint64_t next_lsn;   /* LSN the next record gets */
    uint32_t open_seq;   /* number of the open batch, wraps */
    uint32_t open_limit; /* bytes at which the open batch is full */
    /* progress: written by the core that owns the loop, read by the owner of the shard */
    uint32_t durable_seq; /* last batch that is durable */
    uint64_t durable_lsn; /* every record up to here is durable; in mode no: the OS has it */
    uint64_t synced_lsn;  /* every record up to here is on disk, in every mode */
    enum journal_mode mode;
    enum journal_state state;
    int error; /* errno behind state */
    /* called on the loop after durable_lsn, synced_lsn or state changed; set after journal_open */
    void (*on_progress)(void *arg);
    void *arg;
    struct journal_stats stats;
    struct journal_writer *w;
};

/* --- reading ------------------------------------------------------------------------------- */

struct journal_error {
    char text[256];    /* which rule failed, names file and offset */
    uint64_t segment;  /* number of the file, 0 if it is not about one */
    uint64_t offset;   /* bytes from the file's start */
    uint64_t last_lsn; /* of a scan: the last record that can be read before it, 0 if none */
};

/* What a scan found. */
struct journal_tail {
    uint64_t first_lsn;   /* first LSN present (segments before are recycled); if no record is,
                             the next one; after_lsn + 1 if there is no segment either */
    uint64_t last_lsn;    /* last good record, first_lsn - 1 if none */
    uint64_t incarnation; /* highest seen, 0 if none */
    uint64_t segment;     /* highest number of a segment in use, 0 if none */
    uint64_t torn_bytes;  /* bytes of a cut torn tail, 0 if clean */
    uint64_t torn_segment, torn_offset; /* where it begins */
    uint64_t records, batches, bytes, segments;
};

/* Reads every record with LSN > after_lsn in order and calls fn (return 0 to go on, other stops and
 * is returned). Opens files after fsyncing directory and files. Blocking. Returns 0, a negative
 * errno (I/O), or -EBADMSG for damage before the tail; err (may be NULL) says where. Records
 * missing between after_lsn and the first segment are damage too. A NULL fn only checks what is
 * there. */
int journal_scan(const char *dir, uint64_t after_lsn,
                 int (*fn)(void *arg, uint64_t lsn, struct slice record), void *arg,
                 struct journal_tail *ret_tail, struct journal_error *err);

/* Makes a damaged journal readable again by giving up what stands at `offset` of segment number
 * `segment` and everything after it, as journal_error or journal_tail named them. What is cut is
 * kept beside it in files ending in ".cut". The journal must not be open. Blocking. -EBUSY: it is
 * open; 0 or another negative errno. */
int journal_cut(const char *dir, uint64_t segment, uint64_t offset, struct journal_error *err);

/* Was something cut off this journal? Its records may then end before what the store has. */
bool journal_was_cut(const char *dir);

/* --- writing ------------------------------------------------------------------------------- */

/* Opens for writing after a scan: starts a new segment with incarnation tail->incarnation + 1 whose
 * first LSN is next_lsn. Blocking (creates and zeroes the first segment): call it before the loop
 * runs. `durable` starts at next_lsn - 1. Locks the directory: -EBUSY if a journal is open there.
 * next_lsn below tail->last_lsn + 1 cuts the records from there on; above it, says that whatever
 * the old segments hold is no longer needed, and drops them. 0 or a negative errno, err says what.
 */
int journal_open(struct journal *j, struct reactor *r, const struct journal_options *opt,
                 const struct journal_tail *tail, uint64_t next_lsn, struct journal_error *err);
/* Every write must have completed (journal_idle), or the state be FULL or FAILED: then what waits
 * is dropped, unacknowledged. Unsynced segments (mode no) are synced. Blocking. */
void journal_close(struct journal *j);
/* One line for the log and INFO: "O_DIRECT|O_DSYNC every turn, 64 MiB segments". */
const char *journal_describe(const struct journal *j);

/* Makes room for n more bytes; the slow half of journal_append. Keeps the memory aligned. */
void journal_grow(struct journal *j, size_t n);

/* Where n bytes of the next record go, whose length is `length`. */
static inline char *
journal_put_record(struct journal *j, uint32_t n, uint32_t length)
{
    uint32_t v = length;
    char *p;

    if (unlikely(j->open.cap - j->open.n < (size_t)n + JOURNAL_RECORD_HEADER_BYTES_MAX))
        journal_grow(j, (size_t)n + JOURNAL_RECORD_HEADER_BYTES_MAX);
    p = j->open.p + j->open.n;
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    j->open.n = (size_t)(p - j->open.p) + n;
    j->next_lsn++;
    return p;
}

/* Room for one record of n payload bytes in the open batch; fill all of it before anything else is
 * appended. Takes the next LSN. Never fails: callers look at journal_has_room before they run a
 * command. Hot path. */
static inline char *
journal_append(struct journal *j, uint32_t n)
{
    return journal_put_record(j, n, n);
}

/* The same for a record that ends with bytes of a blob, which the journal holds until they are written:
 * room for the n before them. */
static inline char *
journal_append_shared(struct journal *j, uint32_t n, struct blob *b, struct slice bytes)
{
    char *p = journal_put_record(j, n, n + (uint32_t)bytes.n);

    journal_shared_add(&j->open_shared, j->open.n, b, bytes);
    return p;
}

/* Bytes of the open batch. */
static inline uint64_t
journal_open_bytes(const struct journal *j)
{
    return j->open.n + j->open_shared.bytes;
}

static inline bool
journal_has_room(const struct journal *j)
{
    return likely(journal_open_bytes(j) < j->open_limit && j->state == JOURNAL_OK);
}

/* Last LSN given out. */
static inline uint64_t
journal_last_lsn(const struct journal *j)
{
    return j->next_lsn - 1;
}

/* End of a loop turn: starts a write if there is something to write and none is in flight. */
void journal_flush(struct journal *j);
/* Ask for durability soon in the lazy modes (WAITAOF, checkpoint, shutdown): the next flushes do
 * not wait for time or size, and mode no is synced, until synced_lsn reaches lsn. Takes effect with
 * the next journal_flush. */
void journal_want_durable(struct journal *j, uint64_t lsn);
/* Would journal_flush begin to write now? */
bool journal_wants_flush(const struct journal *j);
/* Nothing in flight and nothing waiting. When the state is FAILED: nothing in flight. */
bool journal_idle(const struct journal *j);
/* Turns it FAILED, as a failed write would: what is not durable by now never will be. */
void journal_give_up(struct journal *j, int error);
void journal_set_mode(struct journal *j, enum journal_mode mode);
/* Segments whose records are all <= lsn may be recycled or deleted (by the helper). What is not yet
 * synced stays. */
void journal_release(struct journal *j, uint64_t lsn);
/* Bytes of journal that hold records after the last released LSN, estimated within a segment: what
 * a recovery would replay now. */
uint64_t journal_live_bytes(const struct journal *j);

/* --- checksum -------------------------------------------------------------------------------- */

/* CRC32C of p[0, n) continuing `crc` (0 to begin). */
uint32_t journal_crc32c(uint32_t crc, const void *p, size_t n);

#endif

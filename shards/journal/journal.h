/* The journal of one shard: an append-only log, written by the shard's own loop.
 *
 * Format (byte by byte in docs/FORMATS.md). Segments `<20-digit number>.journal` are created by a
 * helper, preallocated, written once with zeros and recycled, so that a write in place changes no
 * file-system metadata. Segment = 4 KiB header block {magic, version, segment number, incarnation,
 * first LSN, capacity, CRC32C} + batches. Batch = 48-byte header {magic, version, payload bytes,
 * CRC32C of header and payload, segment number, incarnation, first LSN, record count} + records,
 * padded with zeros to 4 KiB. Record = varint length + payload; the payload is the engine's.
 * A record never spans batches; a batch larger than what is left of a segment starts a new one, a
 * batch larger than a whole segment gets a segment made for its size.
 *
 * LSN: number of a record, from 1, without gaps over the life of the journal.
 *
 * Writing: records gather in the open batch; journal_flush (once a loop turn) submits it when no
 * write is in flight. One write in flight, the next starts when it completes, no timer in mode
 * always. A batch larger than JOURNAL_WRITE_BYTES_MAX is written in several writes; it is durable
 * when all are. Mode always: O_DIRECT|O_DSYNC, or write + fdatasync where the file system refuses
 * O_DIRECT. Mode everysec: the same file and path, flushed when JOURNAL_LAZY_BYTES are waiting or
 * JOURNAL_LAZY_NS passed. Mode no: buffered writes, the OS decides.
 *
 * Failure: a short write or an error is retried once; a second one turns the journal FAILED (sticky:
 * nothing is acknowledged any more). No room for a new segment: FULL; retried every second; it
 * goes back to OK by itself. The batch that waits keeps waiting, nothing is lost.
 *
 * Recovery (journal_scan): every segment header and batch is checked. What follows the last good
 * batch of the last segment is a torn tail: reported and cut. Damage anywhere before that is an
 * error that names file and offset. A recovered journal always continues in a new segment with a
 * higher incarnation, whose first LSN says where the old ones end; batches of an older segment at or
 * beyond the next segment's first LSN are ignored (they were cut). */
#ifndef SHARDS_JOURNAL_JOURNAL_H
#define SHARDS_JOURNAL_JOURNAL_H

#include "core/base.h"
#include "core/buf.h"
#include "core/reactor.h"

#define JOURNAL_FORMAT_VERSION 1
#define JOURNAL_BLOCK_BYTES 4096
#define JOURNAL_WRITE_BYTES_MAX (1 * MIB)
#define JOURNAL_LAZY_BYTES (256 * KIB)
#define JOURNAL_LAZY_NS (200 * 1000 * 1000ULL)

enum journal_mode { JOURNAL_ALWAYS, JOURNAL_EVERYSEC, JOURNAL_NO };
enum journal_state { JOURNAL_OK, JOURNAL_FULL, JOURNAL_FAILED };

struct journal_options {
    const char *dir;         /* exists */
    uint64_t segment_bytes;  /* capacity of a normal segment, multiple of 4 KiB */
    uint64_t batch_bytes;    /* the open batch is "full" beyond this */
    unsigned spare_segments; /* prepared ahead */
    enum journal_mode mode;
};

struct journal_stats { /* owner writes, read on the owner's thread */
    uint64_t batches, bytes, records, write_ns, write_ns_max, retries, errors, segments_created,
        segments_recycled;
};

struct journal_writer; /* files, buffers, I/O state: journal_writer.c */

struct journal {
    /* the open batch: belongs to the shard's owner (may be leased to another core) */
    struct buf open;          /* header room + records */
    uint64_t open_first_lsn;
    uint64_t next_lsn;        /* LSN the next record gets */
    uint32_t open_seq;        /* number of the open batch, wraps */
    uint32_t open_limit;      /* bytes at which the open batch is full */
    /* progress: written by the core that owns the loop, read by the owner of the shard */
    uint32_t durable_seq;     /* last batch that is durable */
    uint64_t durable_lsn;     /* every record up to here is durable */
    enum journal_mode mode;
    enum journal_state state;
    int error;                /* errno behind state */
    /* called on the loop after durable_lsn or state changed */
    void (*on_progress)(void *arg);
    void *arg;
    struct journal_stats stats;
    struct journal_writer *w;
};

/* --- reading ------------------------------------------------------------------------------- */

struct journal_error {
    char text[256]; /* which rule failed, names file and offset */
};

/* What a scan found. */
struct journal_tail {
    uint64_t first_lsn;       /* first LSN present (segments before are recycled), next if none */
    uint64_t last_lsn;        /* last good record, first_lsn - 1 if none */
    uint64_t incarnation;     /* highest seen, 0 if none */
    uint64_t segment;         /* highest segment number seen, 0 if none */
    uint64_t torn_bytes;      /* bytes of a cut torn tail, 0 if clean */
    uint64_t records, batches, bytes;
};

/* Reads every record with LSN > after_lsn in order and calls fn (return 0 to go on, other stops and
 * is returned). Opens files after fsyncing directory and files. Blocking. Returns 0, a negative errno
 * (I/O), or -EBADMSG for damage before the tail; err says where. A NULL fn only checks. */
int journal_scan(const char *dir, uint64_t after_lsn,
                 int (*fn)(void *arg, uint64_t lsn, struct slice record), void *arg,
                 struct journal_tail *ret_tail, struct journal_error *err);

/* --- writing ------------------------------------------------------------------------------- */

/* Opens for writing after a scan: starts a new segment with incarnation tail->incarnation + 1 whose
 * first LSN is next_lsn. Blocking (creates and zeroes the first segment): call it before the loop
 * runs. `durable` starts at next_lsn - 1. 0 or a negative errno, err says what. */
int journal_open(struct journal *j, struct reactor *r, const struct journal_options *opt,
                 const struct journal_tail *tail, uint64_t next_lsn, struct journal_error *err);
/* Every write must have completed (journal_idle). Blocking. */
void journal_close(struct journal *j);
/* One line for the log and INFO: "O_DIRECT|O_DSYNC, 64 MiB segments". */
const char *journal_describe(const struct journal *j);

/* Room for one record of n payload bytes in the open batch; fill all of it before anything else is
 * appended. Takes the next LSN. Never fails: callers look at journal_has_room before they run a
 * command. Hot path. */
static inline char *
journal_append(struct journal *j, uint32_t n)
{
    char *p = buf_reserve(&j->open, (size_t)n + 5);
    uint32_t v = n;

    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    j->open.n = (size_t)(p - j->open.p) + n;
    j->next_lsn++;
    return p;
}

static inline bool
journal_has_room(const struct journal *j)
{
    return likely(j->open.n < j->open_limit && j->state == JOURNAL_OK);
}

/* Last LSN given out. */
static inline uint64_t
journal_last_lsn(const struct journal *j)
{
    return j->next_lsn - 1;
}

/* End of a loop turn: starts a write if there is something to write and none is in flight. */
void journal_flush(struct journal *j);
/* Ask for durability soon in the lazy modes (WAITAOF, checkpoint, shutdown): the next flushes do not
 * wait for time or size, and mode no is synced, until durable_lsn reaches lsn. */
void journal_want_durable(struct journal *j, uint64_t lsn);
/* Nothing in flight and nothing waiting. */
bool journal_idle(const struct journal *j);
void journal_set_mode(struct journal *j, enum journal_mode mode);
/* Segments whose records are all <= lsn may be recycled or deleted (by the helper). */
void journal_release(struct journal *j, uint64_t lsn);
/* Bytes of journal a recovery would read now. */
uint64_t journal_live_bytes(const struct journal *j);

/* --- the format, for tests, fuzzers and pinstripe-check -------------------------------------- */

uint32_t journal_crc32c(uint32_t crc, const void *p, size_t n);

#endif

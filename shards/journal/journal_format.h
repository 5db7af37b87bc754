/* The bytes of a journal segment: encoding, decoding and the rules a reader applies. No I/O.
 *
 * A segment is one header block followed by batches; docs/FORMATS.md lists every field.
 *
 * What makes a batch belong to its place: its header carries the segment's number and incarnation
 * and the LSN that is due, and both checksums start from the segment's salt, 32 random bits drawn
 * when the segment is prepared. So neither the former contents of a recycled file nor bytes that a
 * client stored in a value can be taken for a batch of this segment.
 *
 * What makes damage differ from a torn tail: one write is in flight at a time, so a batch that is
 * marked JOURNAL_BATCH_AFTER_SYNC proves that everything before it was once on disk. If something
 * before such a batch is unreadable, it is damage. The header alone, with its own checksum, is
 * proof enough; it also makes the extent of a batch with a bad payload known. */
#ifndef SHARDS_JOURNAL_JOURNAL_FORMAT_H
#define SHARDS_JOURNAL_JOURNAL_FORMAT_H

#include "core/base.h"
#include "shards/journal/journal.h"

#define JOURNAL_SEGMENT_MAGIC 0x0a4745534c4e524aULL /* "JRNLSEG\n" */
#define JOURNAL_BATCH_MAGIC 0x4842524aU             /* "JRBH" */
#define JOURNAL_NAME_BYTES sizeof("00000000000000000001.journal")

enum journal_segment_state {
    JOURNAL_SEGMENT_SPARE = 1,  /* prepared, holds nothing: whatever follows is left over */
    JOURNAL_SEGMENT_ACTIVE = 2, /* in use since the header was written */
};

struct journal_segment_header {
    uint64_t number;
    uint64_t first_lsn;   /* 0 in a spare */
    uint64_t capacity;    /* bytes of the file, this block included */
    uint32_t incarnation; /* 0 in a spare */
    uint32_t salt;
    enum journal_segment_state state;
};

/* Every batch before this one was durable when this one was written. */
#define JOURNAL_BATCH_AFTER_SYNC 1

struct journal_batch {
    uint64_t segment;
    uint64_t first_lsn;
    uint64_t payload_bytes;
    uint32_t incarnation;
    uint32_t records;
    uint32_t payload_crc;
    uint16_t flags;
};

/* Bytes of a batch on disk: header, payload, padding. */
static inline uint64_t
journal_batch_extent(uint64_t payload_bytes)
{
    return ALIGN_UP(payload_bytes + JOURNAL_BATCH_HEADER_BYTES, (uint64_t)JOURNAL_BLOCK_BYTES);
}

/* --- segment header --- */

/* Fills one block of JOURNAL_BLOCK_BYTES. */
void journal_segment_encode(char *block, const struct journal_segment_header *h);
/* Does a block begin as every header of a segment does, torn or not? */
bool journal_segment_begins(const char *block);
/* NULL, or the rule that is broken. Never trusts the block. */
const char *journal_segment_decode(const char *block, struct journal_segment_header *ret_h);

/* --- batch --- */

/* The header alone, with payload_bytes as b says. */
void journal_batch_encode(char *p, uint32_t salt, const struct journal_batch *b,
                          uint32_t payload_crc);
/* `p` holds n bytes: room for the header and the payload behind it. Fills the header (payload
 * bytes and checksums are computed) and zeroes the padding; the memory must reach to the next
 * multiple of the block size. Returns the extent. */
uint64_t journal_batch_seal(char *p, size_t n, uint32_t salt, const struct journal_batch *b);

/* Looks at the first JOURNAL_BATCH_HEADER_BYTES of a block. NULL: the header is whole and of this
 * segment; its LSN, extent and payload are still to be checked. Otherwise the broken rule. */
const char *journal_batch_decode(const char *p, const struct journal_segment_header *seg,
                                 struct journal_batch *ret_b);
/* `p` holds the whole extent of a batch whose header was decoded: checksum, padding and the record
 * boundaries. NULL or the broken rule. */
const char *journal_batch_check(const char *p, const struct journal_segment_header *seg,
                                const struct journal_batch *b);
/* True if a header that does not decode has enough of this segment's next batch about it that
 * something was torn here, rather than nothing ever written. */
bool journal_batch_traces(const char *p, const struct journal_segment_header *seg,
                          uint64_t due_lsn);
/* True if the block begins like a batch of segment `number`; for segments whose header, and with it
 * the salt, is lost. */
bool journal_batch_resembles(const char *p, uint64_t number);

/* Takes the next record off [*p, end). False at a length that is no varint or leads beyond. */
static inline bool
journal_record_next(const char **p, const char *end, struct slice *ret_record)
{
    const char *q = *p;
    uint64_t n = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        if (unlikely(q == end || shift > 28))
            return false;
        byte = (uint8_t)*q++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (unlikely(n > (uint64_t)(end - q)))
        return false;
    *ret_record = (struct slice){q, n};
    *p = q + n;
    return true;
}

/* --- checksum --- */

/* The implementation for CPUs without the instructions, for tests; same results. */
uint32_t journal_crc32c_portable(uint32_t crc, const void *p, size_t n);

/* --- names --- */

void journal_name(uint64_t number, char ret_name[JOURNAL_NAME_BYTES]);
/* The number in a file name; 0 if it is not the name of a segment. */
uint64_t journal_name_number(const char *name);

/* Fills err (may be NULL) with "<file> at offset <offset>: <rule> (in <dir>)"; returns `code`. */
__attribute__((format(printf, 6, 7))) int journal_fail(struct journal_error *err, int code,
                                                       const char *dir, uint64_t segment,
                                                       uint64_t offset, const char *fmt, ...);
/* The same for what is not about one file: "<what>: <strerror of code> (in <dir>)". */
int journal_fail_dir(struct journal_error *err, int code, const char *dir, const char *what);

#endif

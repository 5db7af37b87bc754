#include "shards/journal/journal_format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Offsets in a segment's header block. The rest of the block is zero. */
enum {
    SEGMENT_MAGIC = 0,        /* 8 */
    SEGMENT_VERSION = 8,      /* 2 */
    SEGMENT_STATE = 10,       /* 2 */
    SEGMENT_CRC = 12,         /* 4, of all other bytes of the block */
    SEGMENT_NUMBER = 16,      /* 8 */
    SEGMENT_FIRST_LSN = 24,   /* 8 */
    SEGMENT_CAPACITY = 32,    /* 8 */
    SEGMENT_INCARNATION = 40, /* 4 */
    SEGMENT_SALT = 44,        /* 4 */
};

/* Offsets in a batch's header. */
enum {
    BATCH_MAGIC = 0,          /* 4 */
    BATCH_VERSION = 4,        /* 2 */
    BATCH_FLAGS = 6,          /* 2 */
    BATCH_HEADER_CRC = 8,     /* 4, of all other bytes of the header */
    BATCH_PAYLOAD_CRC = 12,   /* 4 */
    BATCH_RECORDS = 16,       /* 4 */
    BATCH_INCARNATION = 20,   /* 4 */
    BATCH_PAYLOAD_BYTES = 24, /* 8 */
    BATCH_SEGMENT = 32,       /* 8 */
    BATCH_FIRST_LSN = 40,     /* 8 */
};
static_assert(BATCH_FIRST_LSN + 8 == JOURNAL_BATCH_HEADER_BYTES, "fields fill the batch header");

/* The CRC of [0, n) without the four bytes at `field`. */
static uint32_t
crc_around(uint32_t crc, const char *p, size_t n, size_t field)
{
    crc = journal_crc32c(crc, p, field);
    return journal_crc32c(crc, p + field + 4, n - field - 4);
}

/* --- segment header --- */

void
journal_segment_encode(char *block, const struct journal_segment_header *h)
{
    memset(block, 0, JOURNAL_BLOCK_BYTES);
    put_le64(block + SEGMENT_MAGIC, JOURNAL_SEGMENT_MAGIC);
    put_le16(block + SEGMENT_VERSION, JOURNAL_FORMAT_VERSION);
    put_le16(block + SEGMENT_STATE, (uint16_t)h->state);
    put_le64(block + SEGMENT_NUMBER, h->number);
    put_le64(block + SEGMENT_FIRST_LSN, h->first_lsn);
    put_le64(block + SEGMENT_CAPACITY, h->capacity);
    put_le32(block + SEGMENT_INCARNATION, h->incarnation);
    put_le32(block + SEGMENT_SALT, h->salt);
    put_le32(block + SEGMENT_CRC, crc_around(0, block, JOURNAL_BLOCK_BYTES, SEGMENT_CRC));
}

static const char *
segment_rule(const struct journal_segment_header *h)
{
    bool active = h->state == JOURNAL_SEGMENT_ACTIVE;

    if (!active && h->state != JOURNAL_SEGMENT_SPARE)
        return "the segment's state is unknown";
    if (h->number == 0)
        return "the segment's number is zero";
    if (h->capacity < 2 * JOURNAL_BLOCK_BYTES || h->capacity % JOURNAL_BLOCK_BYTES ||
        h->capacity > INT64_MAX)
        return "the segment's capacity is impossible";
    if (active && (h->first_lsn == 0 || h->incarnation == 0))
        return "an active segment has no first LSN or no incarnation";
    return NULL;
}

bool
journal_segment_begins(const char *block)
{
    return get_le64(block + SEGMENT_MAGIC) == JOURNAL_SEGMENT_MAGIC;
}

const char *
journal_segment_decode(const char *block, struct journal_segment_header *ret_h)
{
    struct journal_segment_header h;
    const char *rule;

    if (!journal_segment_begins(block))
        return "this is no segment header";
    if (get_le16(block + SEGMENT_VERSION) != JOURNAL_FORMAT_VERSION)
        return "the segment's format version is unknown";
    if (get_le32(block + SEGMENT_CRC) != crc_around(0, block, JOURNAL_BLOCK_BYTES, SEGMENT_CRC))
        return "the segment header does not match its checksum";
    h.state = get_le16(block + SEGMENT_STATE);
    h.number = get_le64(block + SEGMENT_NUMBER);
    h.first_lsn = get_le64(block + SEGMENT_FIRST_LSN);
    h.capacity = get_le64(block + SEGMENT_CAPACITY);
    h.incarnation = get_le32(block + SEGMENT_INCARNATION);
    h.salt = get_le32(block + SEGMENT_SALT);
    rule = segment_rule(&h);
    if (!rule)
        *ret_h = h;
    return rule;
}

/* --- batch --- */

static uint32_t
header_crc(const char *p, uint32_t salt)
{
    return crc_around(salt, p, JOURNAL_BATCH_HEADER_BYTES, BATCH_HEADER_CRC);
}

void
journal_batch_encode(char *p, uint32_t salt, const struct journal_batch *b, uint32_t payload_crc)
{
    ASSERT(b->payload_bytes > 0 && b->records > 0);
    put_le32(p + BATCH_MAGIC, JOURNAL_BATCH_MAGIC);
    put_le16(p + BATCH_VERSION, JOURNAL_FORMAT_VERSION);
    put_le16(p + BATCH_FLAGS, b->flags);
    put_le32(p + BATCH_PAYLOAD_CRC, payload_crc);
    put_le32(p + BATCH_RECORDS, b->records);
    put_le32(p + BATCH_INCARNATION, b->incarnation);
    put_le64(p + BATCH_PAYLOAD_BYTES, b->payload_bytes);
    put_le64(p + BATCH_SEGMENT, b->segment);
    put_le64(p + BATCH_FIRST_LSN, b->first_lsn);
    put_le32(p + BATCH_HEADER_CRC, header_crc(p, salt));
}

uint64_t
journal_batch_seal(char *p, size_t n, uint32_t salt, const struct journal_batch *b)
{
    struct journal_batch sealed = *b;
    const char *payload = p + JOURNAL_BATCH_HEADER_BYTES;
    uint64_t extent;

    ASSERT(n > JOURNAL_BATCH_HEADER_BYTES);
    sealed.payload_bytes = n - JOURNAL_BATCH_HEADER_BYTES;
    extent = journal_batch_extent(sealed.payload_bytes);
    journal_batch_encode(p, salt, &sealed, journal_crc32c(salt, payload, sealed.payload_bytes));
    memset(p + n, 0, extent - n);
    return extent;
}

static const char *
batch_rule(const struct journal_batch *b, const struct journal_segment_header *seg)
{
    if (b->flags & ~JOURNAL_BATCH_AFTER_SYNC)
        return "the batch has unknown flags";
    if (b->payload_bytes > seg->capacity)
        return "the batch is longer than its segment";
    if (b->records == 0 || b->records > b->payload_bytes)
        return "the batch's number of records is impossible";
    if (b->first_lsn < seg->first_lsn || b->first_lsn > UINT64_MAX - b->records)
        return "the batch's LSN is impossible";
    return NULL;
}

const char *
journal_batch_decode(const char *p, const struct journal_segment_header *seg,
                     struct journal_batch *ret_b)
{
    struct journal_batch b;
    const char *rule;

    if (get_le32(p + BATCH_MAGIC) != JOURNAL_BATCH_MAGIC)
        return "this is no batch header";
    b.segment = get_le64(p + BATCH_SEGMENT);
    b.incarnation = get_le32(p + BATCH_INCARNATION);
    if (b.segment != seg->number || b.incarnation != seg->incarnation)
        return "the batch belongs to another segment";
    if (get_le16(p + BATCH_VERSION) != JOURNAL_FORMAT_VERSION)
        return "the batch's format version is unknown";
    if (get_le32(p + BATCH_HEADER_CRC) != header_crc(p, seg->salt))
        return "the batch header does not match its checksum";
    b.flags = get_le16(p + BATCH_FLAGS);
    b.payload_crc = get_le32(p + BATCH_PAYLOAD_CRC);
    b.records = get_le32(p + BATCH_RECORDS);
    b.payload_bytes = get_le64(p + BATCH_PAYLOAD_BYTES);
    b.first_lsn = get_le64(p + BATCH_FIRST_LSN);
    rule = batch_rule(&b, seg);
    if (!rule)
        *ret_b = b;
    return rule;
}

static bool
all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static bool
records_fit(const char *p, const char *end, uint32_t records)
{
    struct slice record;
    uint32_t i;

    for (i = 0; i < records; i++)
        if (!journal_record_next(&p, end, &record))
            return false;
    return p == end;
}

const char *
journal_batch_check(const char *p, const struct journal_segment_header *seg,
                    const struct journal_batch *b)
{
    const char *payload = p + JOURNAL_BATCH_HEADER_BYTES, *end = payload + b->payload_bytes;
    const char *extent_end = p + journal_batch_extent(b->payload_bytes);

    if (journal_crc32c(seg->salt, payload, b->payload_bytes) != b->payload_crc)
        return "the batch's payload does not match its checksum";
    if (!all_zero(end, (size_t)(extent_end - end)))
        return "the batch's padding is not zero";
    if (!records_fit(payload, end, b->records))
        return "the batch's records do not fill its payload";
    return NULL;
}

bool
journal_batch_traces(const char *p, const struct journal_segment_header *seg, uint64_t due_lsn)
{
    unsigned magic = get_le32(p + BATCH_MAGIC) == JOURNAL_BATCH_MAGIC;
    unsigned segment = get_le64(p + BATCH_SEGMENT) == seg->number;
    unsigned lsn = get_le64(p + BATCH_FIRST_LSN) == due_lsn;

    return magic + segment + lsn >= 2;
}

bool
journal_batch_resembles(const char *p, uint64_t number)
{
    return get_le32(p + BATCH_MAGIC) == JOURNAL_BATCH_MAGIC &&
           get_le64(p + BATCH_SEGMENT) == number;
}

/* --- names --- */

#define NAME_DIGITS 20
#define NAME_SUFFIX ".journal"

void
journal_name(uint64_t number, char ret_name[JOURNAL_NAME_BYTES])
{
    snprintf(ret_name, JOURNAL_NAME_BYTES, "%020" PRIu64 NAME_SUFFIX, number);
}

uint64_t
journal_name_number(const char *name)
{
    unsigned long long n;
    int i;

    for (i = 0; i < NAME_DIGITS; i++)
        if (name[i] < '0' || name[i] > '9')
            return 0;
    if (strcmp(name + NAME_DIGITS, NAME_SUFFIX) != 0)
        return 0;
    errno = 0;
    n = strtoull(name, NULL, 10);
    return errno ? 0 : n;
}

int
journal_fail(struct journal_error *err, int code, const char *dir, uint64_t segment,
             uint64_t offset, const char *fmt, ...)
{
    char name[JOURNAL_NAME_BYTES], rule[160];
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    vsnprintf(rule, sizeof(rule), fmt, ap);
    va_end(ap);
    err->segment = segment;
    err->offset = offset;
    journal_name(segment, name);
    snprintf(err->text, sizeof(err->text), "%s at offset %" PRIu64 ": %s (in %s)", name, offset,
             rule, dir);
    return code;
}

int
journal_fail_dir(struct journal_error *err, int code, const char *dir, const char *what)
{
    if (err) {
        err->segment = err->offset = 0;
        snprintf(err->text, sizeof(err->text), "%s: %s (in %s)", what, strerror(-code), dir);
    }
    return code;
}

/* Reading a journal from end to end.
 *
 * The segments in use, by ascending number, hold one chain of LSNs. Where a segment ends is said by
 * the first LSN of the next one (its limit): it must be reached, and what follows in the file is
 * left over. Spares are skipped wherever they stand. The last segment has no such limit; it ends at
 * the first block that does not hold the batch that is due, and the question is then what that
 * means:
 *
 *   a later batch of the same segment, marked "after sync"  -> damage: this place was once on disk
 *   otherwise                                               -> a torn tail, or nothing at all
 *
 * A segment whose header is unreadable either never got its first batch, because the header is
 * written and durable before that (torn: nothing is lost), or it has batches of its number and is
 * damaged. One that does not even begin as headers do, or a file shorter than any segment, was never
 * left by a write that was cut short: damaged. */
#include "shards/journal/journal_dir.h"
#include "shards/journal/journal_reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

struct scan {
    const char *path;
    struct journal_dir dir;
    struct journal_reader reader;
    uint64_t after_lsn;
    int (*fn)(void *arg, uint64_t lsn, struct slice record);
    void *arg;
    uint64_t due; /* LSN of the next record, 0 before the first segment */
    struct journal_tail tail;
    struct journal_error *err;
};

static int
damage(struct scan *s, const struct journal_dir_entry *e, uint64_t offset, const char *rule)
{
    return journal_fail(s->err, -EBADMSG, s->path, e->number, offset, "%s", rule);
}

static int
read_failed(struct scan *s, const struct journal_dir_entry *e, uint64_t offset)
{
    int code = s->reader.error;

    return journal_fail(s->err, -code, s->path, e->number, offset, "cannot read: %s",
                        strerror(code));
}

/* ---- batches ---- */

/* Reads the batch that is due at offset. 0 or a negative errno; *ret_rule is NULL or says why there
 * is no such batch. */
static int
read_batch(struct scan *s, const struct journal_dir_entry *e, uint64_t offset,
           struct journal_batch *ret_b, const char **ret_payload, const char **ret_rule)
{
    const char *p = journal_reader_want(&s->reader, offset, JOURNAL_BLOCK_BYTES);
    uint64_t extent;

    if (!p)
        return read_failed(s, e, offset);
    *ret_rule = journal_batch_decode(p, &e->h, ret_b);
    if (*ret_rule)
        return 0;
    extent = journal_batch_extent(ret_b->payload_bytes);
    if (ret_b->first_lsn != s->due)
        *ret_rule = "the batch does not begin at the LSN that is due";
    else if (extent > e->h.capacity - offset)
        *ret_rule = "the batch leads beyond the end of its segment";
    if (*ret_rule)
        return 0;
    p = journal_reader_want(&s->reader, offset, extent);
    if (!p)
        return read_failed(s, e, offset);
    *ret_rule = journal_batch_check(p, &e->h, ret_b);
    *ret_payload = p + JOURNAL_BATCH_HEADER_BYTES;
    return 0;
}

/* Hands out the records of a good batch that lie below limit. */
static int
deliver(struct scan *s, const struct journal_batch *b, const char *payload, uint64_t limit)
{
    const char *p = payload, *end = payload + b->payload_bytes;
    uint64_t lsn, stop = MIN(b->first_lsn + b->records, limit);
    struct slice record;
    int ret;

    s->tail.batches++;
    s->tail.records += stop - b->first_lsn;
    s->tail.bytes += journal_batch_extent(b->payload_bytes);
    s->due = stop;
    if (!s->fn || stop - 1 <= s->after_lsn)
        return 0;
    for (lsn = b->first_lsn; lsn < stop; lsn++) {
        ASSERT(journal_record_next(&p, end, &record)); /* journal_batch_check went through them */
        if (lsn > s->after_lsn && (ret = s->fn(s->arg, lsn, record)) != 0)
            return ret;
    }
    return 0;
}

/* ---- the end of the last segment ---- */

struct aftermath {
    uint64_t
        proof;    /* offset of a batch that was written after the bad place was on disk, 0 = none */
    uint64_t end; /* end of the last batch that still decodes */
};

/* Looks through the blocks from `offset` on for headers of batches later than the one due. */
static int
look_ahead(struct scan *s, const struct journal_dir_entry *e, uint64_t offset,
           struct aftermath *ret_a)
{
    struct aftermath a = {.end = offset};
    struct journal_batch b;
    const char *p;

    for (; offset < e->h.capacity && !a.proof; offset += JOURNAL_BLOCK_BYTES) {
        p = journal_reader_want(&s->reader, offset, JOURNAL_BLOCK_BYTES);
        if (!p)
            return read_failed(s, e, offset);
        if (journal_batch_decode(p, &e->h, &b) || b.first_lsn <= s->due)
            continue;
        if (b.flags & JOURNAL_BATCH_AFTER_SYNC)
            a.proof = offset;
        a.end = MIN(offset + journal_batch_extent(b.payload_bytes), e->h.capacity);
    }
    *ret_a = a;
    return 0;
}

/* How many bytes from offset on certainly belong to the batch that is due but bad: 0 if there is no
 * trace of it. */
static uint64_t
torn_extent(const struct scan *s, const struct journal_dir_entry *e, const char *p, uint64_t offset)
{
    struct journal_batch b;

    if (!journal_batch_decode(p, &e->h, &b))
        return b.first_lsn == s->due
                   ? MIN(journal_batch_extent(b.payload_bytes), e->h.capacity - offset)
                   : 0;
    return journal_batch_traces(p, &e->h, s->due) ? JOURNAL_BLOCK_BYTES : 0;
}

static void
note_torn(struct scan *s, uint64_t segment, uint64_t offset, uint64_t bytes)
{
    if (!s->tail.torn_bytes) {
        s->tail.torn_segment = segment;
        s->tail.torn_offset = offset;
    }
    s->tail.torn_bytes += bytes;
}

/* The batch due at offset of the last segment is not there. */
static int
end_of_last(struct scan *s, const struct journal_dir_entry *e, uint64_t offset, const char *rule)
{
    const char *p = journal_reader_want(&s->reader, offset, JOURNAL_BLOCK_BYTES);
    struct aftermath a = {0};
    uint64_t torn;
    int err;

    if (!p)
        return read_failed(s, e, offset);
    torn = torn_extent(s, e, p, offset);
    err = look_ahead(s, e, offset + torn, &a);
    if (err)
        return err;
    if (a.proof)
        return journal_fail(s->err, -EBADMSG, s->path, e->number, offset,
                            "%s; the batch at offset %" PRIu64 " was written after it", rule,
                            a.proof);
    if (a.end > offset)
        note_torn(s, e->number, offset, a.end - offset);
    return 0;
}

/* ---- segments ---- */

/* First LSN of the nearest later segment in use that cuts this one; UINT64_MAX for the last. */
static uint64_t
limit_of(const struct scan *s, size_t i)
{
    uint64_t limit = UINT64_MAX;

    for (i++; i < s->dir.n; i++)
        if (journal_dir_active(&s->dir.items[i]))
            limit = MIN(limit, s->dir.items[i].h.first_lsn);
    return limit;
}

static int
short_of_limit(struct scan *s, const struct journal_dir_entry *e, uint64_t offset, const char *rule,
               uint64_t limit)
{
    return journal_fail(s->err, -EBADMSG, s->path, e->number, offset,
                        "%s; LSN %" PRIu64 " is due, the next segment begins at LSN %" PRIu64, rule,
                        s->due, limit);
}

static int
scan_batches(struct scan *s, const struct journal_dir_entry *e, uint64_t limit)
{
    uint64_t offset = JOURNAL_BLOCK_BYTES;
    const char *payload = NULL, *rule;
    struct journal_batch b;
    int err;

    while (s->due < limit && offset < e->h.capacity) {
        err = read_batch(s, e, offset, &b, &payload, &rule);
        if (err)
            return err;
        if (rule)
            return limit == UINT64_MAX ? end_of_last(s, e, offset, rule)
                                       : short_of_limit(s, e, offset, rule, limit);
        err = deliver(s, &b, payload, limit);
        if (err)
            return err;
        offset += journal_batch_extent(b.payload_bytes);
    }
    if (limit != UINT64_MAX && s->due < limit)
        return short_of_limit(s, e, offset, "the segment is full", limit);
    return 0;
}

/* The segment continues the chain, or begins it. */
static int
link_segment(struct scan *s, const struct journal_dir_entry *e)
{
    uint64_t due = s->due;

    if (due == 0 && s->fn)
        due = MIN(s->after_lsn + 1, e->h.first_lsn);
    if (due == 0)
        due = e->h.first_lsn;
    if (e->h.first_lsn != due)
        return journal_fail(s->err, -EBADMSG, s->path, e->number, 0,
                            "records are missing: the segment begins at LSN %" PRIu64
                            ", LSN %" PRIu64 " is due",
                            e->h.first_lsn, due);
    if (s->due == 0)
        s->tail.first_lsn = e->h.first_lsn;
    s->due = e->h.first_lsn;
    return 0;
}

/* Opens the file for the reader, runs fn, and lets the kernel forget its pages: the file may soon
 * be written with O_DIRECT, which is slower when cached pages are in the way. */
static int
with_file(struct scan *s, const struct journal_dir_entry *e, uint64_t limit,
          int (*fn)(struct scan *s, const struct journal_dir_entry *e, uint64_t limit))
{
    char name[JOURNAL_NAME_BYTES];
    int fd, ret;

    journal_name(e->number, name);
    fd = openat(s->dir.fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return journal_fail(s->err, -errno, s->path, e->number, 0, "cannot open: %s",
                            strerror(errno));
    journal_reader_set(&s->reader, fd, e->size);
    ret = fn(s, e, limit);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return ret;
}

static int
scan_active(struct scan *s, const struct journal_dir_entry *e, uint64_t limit)
{
    int err;

    if (e->h.number != e->number)
        return damage(s, e, 0, "the header is that of another segment");
    if (e->size < e->h.capacity)
        return damage(s, e, e->size, "the file is shorter than its segment");
    if (e->h.incarnation < s->tail.incarnation)
        return damage(s, e, 0, "the incarnation is lower than that of the segment before");
    s->tail.incarnation = e->h.incarnation;
    s->tail.segment = e->number;
    s->tail.segments++;
    if (e->h.first_lsn >= limit)
        return 0; /* cut off as a whole */
    err = link_segment(s, e);
    return err ? err : with_file(s, e, limit, scan_batches);
}

/* The header is lost. Batches of this segment say that it was in use. */
static int
look_for_batches(struct scan *s, const struct journal_dir_entry *e, uint64_t limit)
{
    uint64_t offset = JOURNAL_BLOCK_BYTES, blocks_end = e->size - e->size % JOURNAL_BLOCK_BYTES;
    const char *p;

    for (; offset < blocks_end; offset += JOURNAL_BLOCK_BYTES) {
        p = journal_reader_want(&s->reader, offset, JOURNAL_BLOCK_BYTES);
        if (!p)
            return read_failed(s, e, offset);
        if (journal_batch_resembles(p, e->number))
            return damage(s, e, 0, e->rule);
    }
    if (limit == UINT64_MAX)
        note_torn(s, e->number, 0, MIN(e->size, (uint64_t)JOURNAL_BLOCK_BYTES));
    return 0;
}

/* Unreadable headers first: what is missing because of them would be blamed on their neighbours. */
static int
scan_segments(struct scan *s)
{
    const struct journal_dir_entry *e;
    int err = 0;
    size_t i;

    for (i = 0; i < s->dir.n && !err; i++) {
        e = &s->dir.items[i];
        if (e->foreign)
            err = damage(s, e, 0, e->rule);
        else if (e->rule)
            err = with_file(s, e, limit_of(s, i), look_for_batches);
    }
    for (i = 0; i < s->dir.n && !err; i++) {
        e = &s->dir.items[i];
        if (journal_dir_active(e))
            err = scan_active(s, e, limit_of(s, i));
    }
    return err;
}

int
journal_scan(const char *dir, uint64_t after_lsn,
             int (*fn)(void *arg, uint64_t lsn, struct slice record), void *arg,
             struct journal_tail *ret_tail, struct journal_error *err)
{
    struct scan s = {.path = dir, .after_lsn = after_lsn, .fn = fn, .arg = arg, .err = err};
    int ret = journal_dir_open(&s.dir, dir, err);

    if (ret)
        return ret;
    journal_reader_init(&s.reader);
    ret = scan_segments(&s);
    journal_reader_fini(&s.reader);
    journal_dir_close(&s.dir);
    if (ret && err)
        err->last_lsn = s.due ? s.due - 1 : 0;
    if (ret)
        return ret;
    if (s.due == 0)
        s.tail.first_lsn = s.due = after_lsn + 1;
    s.tail.last_lsn = s.due - 1;
    *ret_tail = s.tail;
    return 0;
}

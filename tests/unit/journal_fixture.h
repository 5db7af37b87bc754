/* What the journal's tests share: a directory under /tmp, a reactor without a thread of its own, a
 * journal on it, and records whose length and bytes follow from their LSN, so that whoever reads
 * them back can tell whether they are right. */
#ifndef TESTS_UNIT_JOURNAL_FIXTURE_H
#define TESTS_UNIT_JOURNAL_FIXTURE_H

#include "shards/journal/journal.h"
#include "shards/journal/journal_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIX_SEGMENT_BYTES (256 * KIB)
#define FIX_BATCH_BYTES (64 * KIB)
#define FIX_PATIENCE_NS (60ULL * 1000 * 1000 * 1000)

struct fix {
    char dir[64];
    struct reactor r;
    struct journal j;
    struct journal_options opt;
    struct journal_tail tail; /* of the last scan */
    struct journal_error err;
    uint32_t record_bytes; /* typical length */
    unsigned told;         /* calls of on_progress */
    uint64_t read;         /* records the last scan delivered */
    uint64_t last_read;    /* LSN of the last one */
};

static inline void
fix_flush(void *arg)
{
    struct fix *f = arg;

    if (f->j.w)
        journal_flush(&f->j);
}

static inline void
fix_told(void *arg)
{
    struct fix *f = arg;

    f->told++;
}

static inline void
fix_start(struct fix *f, enum journal_mode mode)
{
    struct reactor_options opt = {.cpu = -1, .io = {.recv_buffers = 8}};
    const char *why = "";

    *f = (struct fix){.dir = "/tmp/test_journal.XXXXXX", .record_bytes = 45};
    cr_assert(mkdtemp(f->dir));
    f->opt = (struct journal_options){.dir = f->dir,
                                      .segment_bytes = FIX_SEGMENT_BYTES,
                                      .batch_bytes = FIX_BATCH_BYTES,
                                      .spare_segments = 1,
                                      .mode = mode};
    cr_assert_eq(reactor_init(&f->r, &opt), 0);
    cr_assert_eq(reactor_attach(&f->r, &why), 0, "%s", why);
    reactor_add_flush(&f->r, fix_flush, f);
}

static inline int
fix_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void
fix_end(struct fix *f)
{
    reactor_fini(&f->r);
    nftw(f->dir, fix_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- records ---- */

static inline uint32_t
fix_length(const struct fix *f, uint64_t lsn)
{
    return 8 + (uint32_t)(lsn * 2654435761U % f->record_bytes);
}

static inline void
fix_fill(char *p, uint32_t n, uint64_t lsn)
{
    put_le64(p, lsn);
    memset(p + 8, (int)(lsn & 0xff), n - 8);
}

static inline uint64_t
fix_append_long(struct fix *f, uint32_t n)
{
    uint64_t lsn = f->j.next_lsn;

    fix_fill(journal_append(&f->j, n), n, lsn);
    return lsn;
}

static inline uint64_t
fix_append(struct fix *f)
{
    return fix_append_long(f, fix_length(f, f->j.next_lsn));
}

static inline int
fix_record(void *arg, uint64_t lsn, struct slice record)
{
    struct fix *f = arg;
    size_t i;

    cr_assert_eq(lsn, f->last_read + 1);
    cr_assert_geq(record.n, 8);
    cr_assert_eq(get_le64(record.p), lsn);
    for (i = 8; i < record.n; i++)
        cr_assert_eq((uint8_t)record.p[i], lsn & 0xff);
    f->last_read = lsn;
    f->read++;
    return 0;
}

/* Reads everything after `after` and checks it. */
static inline int
fix_scan(struct fix *f, uint64_t after)
{
    f->read = 0;
    f->last_read = after;
    f->err.text[0] = '\0';
    return journal_scan(f->dir, after, fix_record, f, &f->tail, &f->err);
}

/* ---- the journal ---- */

static inline void
fix_open_at(struct fix *f, uint64_t next_lsn)
{
    cr_assert_eq(journal_open(&f->j, &f->r, &f->opt, &f->tail, next_lsn, &f->err), 0, "%s",
                 f->err.text);
    f->j.on_progress = fix_told;
    f->j.arg = f;
}

static inline void
fix_open(struct fix *f)
{
    cr_assert_eq(journal_scan(f->dir, 0, NULL, NULL, &f->tail, &f->err), 0, "%s", f->err.text);
    fix_open_at(f, f->tail.last_lsn + 1);
}

/* Turns the loop until cond(f), which must come true. */
static inline void
fix_until(struct fix *f, bool (*cond)(struct fix *f))
{
    uint64_t deadline = clock_now_ns() + FIX_PATIENCE_NS;

    while (!cond(f)) {
        reactor_turn(&f->r, false);
        cr_assert_lt(clock_now_ns(), deadline);
    }
}

static inline bool
fix_is_idle(struct fix *f)
{
    return journal_idle(&f->j);
}

static inline void
fix_settle(struct fix *f)
{
    journal_want_durable(&f->j, journal_last_lsn(&f->j));
    fix_until(f, fix_is_idle);
}

/* Also the helper: for tests that look at the directory. */
static inline bool
fix_helper_is_idle(struct fix *f)
{
    return journal_idle(&f->j) && offload_pending(f->r.offload) == 0;
}

static inline void
fix_close(struct fix *f)
{
    journal_close(&f->j);
}

/* n batches of `records` each, every one durable before the next. */
static inline void
fix_write(struct fix *f, unsigned n, unsigned records)
{
    unsigned i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < records; k++)
            fix_append(f);
        fix_settle(f);
    }
}

/* ---- files ---- */

static inline void
fix_path(const struct fix *f, uint64_t segment, char ret_path[128])
{
    char name[JOURNAL_NAME_BYTES];

    journal_name(segment, name);
    snprintf(ret_path, 128, "%s/%s", f->dir, name);
}

static inline void
fix_write_file(const struct fix *f, uint64_t segment, const char *p, size_t n, uint64_t offset)
{
    char path[128];
    int fd;

    fix_path(f, segment, path);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(pwrite(fd, p, n, (off_t)offset), (ssize_t)n);
    close(fd);
}

#endif

/* Journals that are torn, damaged or forged. They are built in memory and written to a directory on
 * tmpfs, so that thousands of them can be scanned. */
#ifndef TESTS_UNIT_JOURNAL_IMAGE_H
#define TESTS_UNIT_JOURNAL_IMAGE_H

#include "shards/journal/journal_file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPACITY (64 * KIB)
#define SYNCED JOURNAL_BATCH_AFTER_SYNC

/* One segment in memory. */
struct image {
    char *p;
    struct journal_segment_header h;
    uint64_t end; /* where the next batch goes */
    uint64_t due; /* its first LSN */
};

struct result {
    int ret;
    struct journal_tail tail;
    struct journal_error err;
    uint64_t read, last;
};

static char dir[64];

/* The images of one test (each test is a process). */
static char pool[16][CAPACITY];
static unsigned pool_used;

static inline int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void
make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/test_journal_scan.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert(mkdtemp(dir));
}

static inline void
drop_dir(void)
{
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- building ---- */

static inline struct image
image_begin(uint64_t number, uint32_t incarnation, uint64_t first_lsn)
{
    struct image im = {.p = pool[pool_used++]};

    cr_assert_leq(pool_used, ARRAY_SIZE(pool));
    im.h = (struct journal_segment_header){.number = number,
                                           .first_lsn = first_lsn,
                                           .capacity = CAPACITY,
                                           .incarnation = incarnation,
                                           .salt = 0x1234567U * (uint32_t)number,
                                           .state = JOURNAL_SEGMENT_ACTIVE};
    journal_segment_encode(im.p, &im.h);
    im.end = JOURNAL_BLOCK_BYTES;
    im.due = first_lsn;
    return im;
}

/* Records of 100 bytes; returns the offset. */
static inline uint64_t
image_batch(struct image *im, uint32_t records, unsigned flags)
{
    struct journal_batch b = {.segment = im->h.number,
                              .first_lsn = im->due,
                              .incarnation = im->h.incarnation,
                              .records = records,
                              .flags = (uint16_t)flags};
    char *start = im->p + im->end, *q = start + JOURNAL_BATCH_HEADER_BYTES;
    uint64_t offset = im->end;
    uint32_t i;

    for (i = 0; i < records; i++) {
        *q++ = 100;
        put_le64(q, im->due++);
        memset(q + 8, (int)i, 92);
        q += 100;
    }
    im->end += journal_batch_seal(start, (size_t)(q - start), im->h.salt, &b);
    return offset;
}

static inline void
write_at(uint64_t number, const char *p, size_t n, uint64_t offset)
{
    char name[JOURNAL_NAME_BYTES], path[128];
    int fd;

    journal_name(number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, p, n, (off_t)offset), (ssize_t)n);
    close(fd);
}

static inline void
image_write(const struct image *im)
{
    write_at(im->h.number, im->p, CAPACITY, 0);
}

static inline void
drop_segment(uint64_t number)
{
    char name[JOURNAL_NAME_BYTES], path[128];

    journal_name(number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    cr_assert_eq(unlink(path), 0);
}

static inline int
count_record(void *arg, uint64_t lsn, struct slice record)
{
    struct result *r = arg;

    cr_assert_eq(record.n, 100);
    cr_assert_eq(get_le64(record.p), lsn);
    cr_assert(r->read == 0 || lsn == r->last + 1);
    r->last = lsn;
    r->read++;
    return 0;
}

static inline struct result
scan_after(uint64_t after)
{
    struct result r = {0};

    r.ret = journal_scan(dir, after, count_record, &r, &r.tail, &r.err);
    return r;
}

/* Three segments with LSNs 1-60, 61-120, 121-; the last has four batches of 50, 10, 20, 5 records.
 */
struct trio {
    struct image s[3];
    uint64_t offset[4]; /* of the batches in the last segment */
};

static inline struct trio
trio_write(void)
{
    struct trio t;
    int i;

    for (i = 0; i < 2; i++) {
        t.s[i] = image_begin((uint64_t)i + 1, 1, 1 + 60 * (uint64_t)i);
        image_batch(&t.s[i], 20, SYNCED);
        image_batch(&t.s[i], 30, SYNCED);
        image_batch(&t.s[i], 10, SYNCED);
        image_write(&t.s[i]);
    }
    t.s[2] = image_begin(3, 2, 121);
    t.offset[0] = image_batch(&t.s[2], 50, SYNCED);
    t.offset[1] = image_batch(&t.s[2], 10, SYNCED);
    t.offset[2] = image_batch(&t.s[2], 20, SYNCED);
    t.offset[3] = image_batch(&t.s[2], 5, SYNCED);
    image_write(&t.s[2]);
    return t;
}

static inline void
expect_good(const struct result *r, uint64_t last)
{
    cr_assert_eq(r->ret, 0, "%s", r->err.text);
    cr_assert_eq(r->tail.last_lsn, last, "last LSN %lu, expected %lu", r->tail.last_lsn, last);
    cr_assert_eq(r->last, last);
}

static inline void
expect_damage(const struct result *r, uint64_t segment, uint64_t offset)
{
    char name[JOURNAL_NAME_BYTES], where[64];

    cr_assert_eq(r->ret, -EBADMSG, "%d", r->ret);
    cr_assert_eq(r->err.segment, segment, "%s", r->err.text);
    cr_assert_eq(r->err.offset, offset, "%s", r->err.text);
    journal_name(segment, name);
    snprintf(where, sizeof(where), "%s at offset %lu: ", name, offset);
    cr_assert_eq(strncmp(r->err.text, where, strlen(where)), 0, "%s", r->err.text);
}

static inline void
flip(uint64_t number, const struct image *im, uint64_t offset, unsigned bit)
{
    char byte = (char)(im->p[offset] ^ 1 << bit);

    write_at(number, &byte, 1, offset);
}

#endif

#include "shards/journal/journal_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define NEW_NAME "new.tmp"
#define RECYCLED_NAME "recycled.tmp"

/* Zeros written at a time; small, because the loop's own writes queue behind them on the device. */
#define FILL_BYTES (256 * KIB)

/* ---- system calls ---- */

static int
sys_open(int dir_fd, const char *name, int flags)
{
    int fd = openat(dir_fd, name, flags | O_CLOEXEC, 0640);

    return fd < 0 ? -errno : fd;
}

/* Where a file system knows no fallocate, writing the zeros allocates as well. */
static int
sys_allocate(int fd, uint64_t bytes)
{
    return fallocate(fd, 0, 0, (off_t)bytes) && errno != EOPNOTSUPP ? -errno : 0;
}

static ssize_t
sys_write(int fd, const void *p, size_t n, uint64_t offset)
{
    ssize_t done = pwrite(fd, p, n, (off_t)offset);

    return done < 0 ? -errno : done;
}

static int
sys_sync(int fd)
{
    return fsync(fd) ? -errno : 0;
}

static int
sys_rename(int dir_fd, const char *from, const char *to)
{
    return renameat(dir_fd, from, dir_fd, to) ? -errno : 0;
}

static int
sys_remove(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, 0) ? -errno : 0;
}

const struct journal_file_ops journal_file_syscalls = {
    .open = sys_open,
    .allocate = sys_allocate,
    .write = sys_write,
    .sync = sys_sync,
    .rename = sys_rename,
    .remove = sys_remove,
};

/* ---- writing ---- */

static int
write_all(const struct journal_place *pl, int fd, const char *p, size_t n, uint64_t offset)
{
    ssize_t done;

    while (n) {
        done = pl->ops->write(fd, p, n, offset);
        if (done == -EINTR)
            continue;
        if (done <= 0)
            return done ? (int)done : -ENOSPC;
        p += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    return 0;
}

/* The same bytes again and again, until the file is `capacity` long. */
static int
fill_with(const struct journal_place *pl, int fd, const char *zeros, uint64_t capacity)
{
    uint64_t offset;
    int err = 0;

    for (offset = 0; offset < capacity && !err; offset += FILL_BYTES)
        err = write_all(pl, fd, zeros, MIN(FILL_BYTES, capacity - offset), offset);
    return err;
}

/* Zeros past the page cache where possible, so that nothing is in the way of the writes to come. */
static int
fill_file(const struct journal_place *pl, const char *name, uint64_t capacity)
{
    int fd = pl->ops->open(pl->dir_fd, name, O_RDWR | O_DIRECT), err = -EINVAL;
    char *zeros = NULL;

    if (posix_memalign((void **)&zeros, JOURNAL_BLOCK_BYTES, FILL_BYTES)) {
        err = -ENOMEM;
    } else {
        memset(zeros, 0, FILL_BYTES);
        if (fd >= 0)
            err = fill_with(pl, fd, zeros, capacity);
        if (err == -EINVAL) {
            if (fd >= 0)
                close(fd);
            fd = pl->ops->open(pl->dir_fd, name, O_RDWR);
            err = fd < 0 ? fd : fill_with(pl, fd, zeros, capacity);
        }
        if (!err)
            err = pl->ops->sync(fd);
        if (!err)
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    free(zeros);
    if (fd >= 0)
        close(fd);
    return err;
}

/* Writes the header block, durably. */
static int
write_header(const struct journal_place *pl, const struct journal_file *f,
             const struct journal_segment_header *h)
{
    _Alignas(JOURNAL_BLOCK_BYTES) char block[JOURNAL_BLOCK_BYTES];
    int err;

    journal_segment_encode(block, h);
    if (f->direct_fd >= 0)
        return write_all(pl, f->direct_fd, block, sizeof(block), 0);
    err = write_all(pl, f->plain_fd, block, sizeof(block), 0);
    return err ? err : pl->ops->sync(f->plain_fd);
}

static void
close_direct(struct journal_file *f)
{
    if (f->direct_fd >= 0)
        close(f->direct_fd);
    if (f->flush_fd >= 0)
        close(f->flush_fd);
    f->direct_fd = f->flush_fd = -1;
}

/* Some file systems take O_DIRECT at open and refuse it at the first write: that costs the file its
 * direct descriptors. */
static int
write_first_header(const struct journal_place *pl, struct journal_file *f,
                   const struct journal_segment_header *h)
{
    int err = write_header(pl, f, h);

    if (err != -EINVAL || f->direct_fd < 0)
        return err;
    close_direct(f);
    return write_header(pl, f, h);
}

static int
open_all(const struct journal_place *pl, const char *name, struct journal_file *f)
{
    f->plain_fd = pl->ops->open(pl->dir_fd, name, O_RDWR);
    if (f->plain_fd < 0)
        return f->plain_fd;
    f->direct_fd = pl->ops->open(pl->dir_fd, name, O_RDWR | O_DIRECT | O_DSYNC);
    if (f->direct_fd < 0)
        return f->direct_fd == -EINVAL ? 0 : f->direct_fd;
    f->flush_fd = pl->ops->open(pl->dir_fd, name, O_RDWR | O_DIRECT);
    return f->flush_fd < 0 ? f->flush_fd : 0;
}

/* ---- making ---- */

static int
create_new(const struct journal_place *pl, uint64_t capacity)
{
    int fd = pl->ops->open(pl->dir_fd, NEW_NAME, O_RDWR | O_CREAT | O_TRUNC), err;

    if (fd < 0)
        return fd;
    err = pl->ops->allocate(fd, capacity);
    close(fd);
    return err ? err : fill_file(pl, NEW_NAME, capacity);
}

static int
draw_salt(uint32_t *ret_salt)
{
    return getrandom(ret_salt, sizeof(*ret_salt), 0) == sizeof(*ret_salt) ? 0 : -EIO;
}

/* From a file with zeros, or with old batches, to a spare that has its name. */
static int
finish_spare(const struct journal_place *pl, const char *from, struct journal_file *f)
{
    struct journal_segment_header h = {.state = JOURNAL_SEGMENT_SPARE};
    char name[JOURNAL_NAME_BYTES];
    int err = draw_salt(&f->salt);

    h.number = f->number;
    h.capacity = f->capacity;
    h.salt = f->salt;
    journal_name(f->number, name);
    err = err ? err : open_all(pl, from, f);
    err = err ? err : write_first_header(pl, f, &h);
    err = err ? err : pl->ops->rename(pl->dir_fd, from, name);
    return err ? err : pl->ops->sync(pl->dir_fd);
}

int
journal_file_prepare(const struct journal_place *pl, uint64_t number, uint64_t capacity,
                     uint64_t recycle, struct journal_file *ret_f)
{
    struct journal_file f = {
        .number = number, .capacity = capacity, .direct_fd = -1, .flush_fd = -1, .plain_fd = -1};
    const char *made = recycle ? RECYCLED_NAME : NEW_NAME;
    char name[JOURNAL_NAME_BYTES];
    int err;

    if (recycle) {
        journal_name(recycle, name);
        err = pl->ops->rename(pl->dir_fd, name, made);
    } else {
        err = create_new(pl, capacity);
    }
    err = err ? err : finish_spare(pl, made, &f);
    if (err) {
        journal_file_close(&f);
        pl->ops->remove(pl->dir_fd, made);
        journal_name(number, name);
        pl->ops->remove(pl->dir_fd, name);
        return err;
    }
    *ret_f = f;
    return 0;
}

int
journal_file_activate(const struct journal_place *pl, const struct journal_file *f,
                      uint32_t incarnation, uint64_t first_lsn)
{
    struct journal_segment_header h = {.number = f->number,
                                       .first_lsn = first_lsn,
                                       .capacity = f->capacity,
                                       .incarnation = incarnation,
                                       .salt = f->salt,
                                       .state = JOURNAL_SEGMENT_ACTIVE};

    return write_header(pl, f, &h);
}

int
journal_file_remove(const struct journal_place *pl, uint64_t number)
{
    char name[JOURNAL_NAME_BYTES];
    int err;

    journal_name(number, name);
    err = pl->ops->remove(pl->dir_fd, name);
    return err && err != -ENOENT ? err : pl->ops->sync(pl->dir_fd);
}

int
journal_file_clean(const struct journal_place *pl)
{
    static const char *const names[] = {NEW_NAME, RECYCLED_NAME};
    size_t i;
    int err;

    for (i = 0; i < ARRAY_SIZE(names); i++) {
        err = pl->ops->remove(pl->dir_fd, names[i]);
        if (err && err != -ENOENT)
            return err;
    }
    return 0;
}

void
journal_file_close(struct journal_file *f)
{
    close_direct(f);
    if (f->plain_fd >= 0)
        close(f->plain_fd);
    f->plain_fd = -1;
}

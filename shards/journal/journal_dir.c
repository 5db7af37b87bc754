#include "shards/journal/journal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
add_entry(struct journal_dir *d, size_t *cap, uint64_t number)
{
    struct journal_dir_entry *items;

    if (d->n == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        items = realloc(d->items, *cap * sizeof(*items));
        if (!items)
            return -ENOMEM;
        d->items = items;
    }
    d->items[d->n++] = (struct journal_dir_entry){.number = number};
    return 0;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct journal_dir_entry *)a)->number;
    uint64_t y = ((const struct journal_dir_entry *)b)->number;

    return (x > y) - (x < y);
}

static int
list_numbers(struct journal_dir *d)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    uint64_t number;
    size_t cap = 0;

    if (!dir) {
        err = -errno;
        if (fd >= 0)
            close(fd);
        return err;
    }
    while (!err && (errno = 0, de = readdir(dir))) {
        number = journal_name_number(de->d_name);
        if (number)
            err = add_entry(d, &cap, number);
    }
    if (!err && errno)
        err = -errno;
    closedir(dir);
    if (d->n)
        qsort(d->items, d->n, sizeof(*d->items), by_number);
    return err;
}

/* A file too short for a header reads as zeros. */
static int
read_block(int fd, char *block)
{
    ssize_t got;
    size_t n = 0;

    memset(block, 0, JOURNAL_BLOCK_BYTES);
    while (n < JOURNAL_BLOCK_BYTES) {
        got = pread(fd, block + n, JOURNAL_BLOCK_BYTES - n, (off_t)n);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        n += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int
read_header(struct journal_dir_entry *e, int fd)
{
    char block[JOURNAL_BLOCK_BYTES];
    struct stat st;
    int err;

    if (fsync(fd) || fstat(fd, &st))
        return -errno;
    err = read_block(fd, block);
    if (err)
        return err;
    e->size = (uint64_t)st.st_size;
    e->rule = journal_segment_decode(block, &e->h);
    if (e->rule && e->size < 2 * JOURNAL_BLOCK_BYTES)
        e->rule = "the file is shorter than any segment";
    /* A file has its size and a header before it has its name, and every header begins alike. */
    e->foreign = e->rule && (e->size < 2 * JOURNAL_BLOCK_BYTES || !journal_segment_begins(block));
    return 0;
}

static int
read_headers(struct journal_dir *d, const char *path, struct journal_error *err)
{
    char name[JOURNAL_NAME_BYTES];
    int fd, code;
    size_t i;

    for (i = 0; i < d->n; i++) {
        journal_name(d->items[i].number, name);
        fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC);
        code = fd < 0 ? -errno : read_header(&d->items[i], fd);
        if (fd >= 0)
            close(fd);
        if (code)
            return journal_fail(err, code, path, d->items[i].number, 0, "cannot read: %s",
                                strerror(-code));
    }
    return 0;
}

int
journal_dir_open(struct journal_dir *d, const char *path, struct journal_error *err)
{
    int code;

    *d = (struct journal_dir){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (d->fd < 0)
        return journal_fail_dir(err, -errno, path, "cannot open the directory");
    code = fsync(d->fd) ? -errno : list_numbers(d);
    if (code)
        code = journal_fail_dir(err, code, path, "cannot read the directory");
    else
        code = read_headers(d, path, err);
    if (code)
        journal_dir_close(d);
    return code;
}

void
journal_dir_close(struct journal_dir *d)
{
    if (d->fd >= 0)
        close(d->fd);
    free(d->items);
    *d = (struct journal_dir){.fd = -1};
}

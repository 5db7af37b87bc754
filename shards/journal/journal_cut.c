/* Cutting a journal by hand, when an operator decides that what is left is worth more than what is
 * damaged. Later segments go first, from the highest down, then the rest of the damaged one:
 * wherever this is interrupted, a scan still finds the same damage or a clean end, and it can be
 * run again. */
#include "shards/journal/journal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define COPY_BYTES (1 * MIB)
#define CUT_SUFFIX ".cut"

/* `<name>.cut`, with the whole file in it. */
static int
set_aside(int dir_fd, uint64_t number)
{
    char name[JOURNAL_NAME_BYTES], aside[sizeof(name) + sizeof(CUT_SUFFIX)];

    journal_name(number, name);
    snprintf(aside, sizeof(aside), "%s" CUT_SUFFIX, name);
    if (renameat(dir_fd, name, dir_fd, aside) || fsync(dir_fd))
        return -errno;
    return 0;
}

static int
copy_block(int from, int to, char *p, off_t offset)
{
    ssize_t n = pread(from, p, COPY_BYTES, offset);

    if (n <= 0)
        return n < 0 ? -errno : 0;
    return write(to, p, (size_t)n) == n ? (int)n : -EIO;
}

/* `<name>.<offset>.cut`, with what stood from there on. */
static int
copy_rest(int dir_fd, const char *name, int from, uint64_t offset)
{
    char aside[JOURNAL_NAME_BYTES + 32], *p = malloc(COPY_BYTES);
    int to, n = -ENOMEM;

    snprintf(aside, sizeof(aside), "%s.%" PRIu64 CUT_SUFFIX, name, offset);
    to = openat(dir_fd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (to < 0)
        n = -errno;
    else if (p)
        while ((n = copy_block(from, to, p, (off_t)offset)) > 0)
            offset += (uint64_t)n;
    if (n == 0 && (fsync(to) || fsync(dir_fd)))
        n = -errno;
    if (to >= 0)
        close(to);
    free(p);
    return n;
}

static int
zero_rest(int fd, uint64_t offset, uint64_t end)
{
    char zeros[JOURNAL_BLOCK_BYTES] = {0};
    size_t n;

    for (; offset < end; offset += n) {
        n = MIN(sizeof(zeros), end - offset);
        if (pwrite(fd, zeros, n, (off_t)offset) != (ssize_t)n)
            return errno ? -errno : -EIO;
    }
    return fsync(fd) ? -errno : 0;
}

static int
cut_file(int dir_fd, const struct journal_dir_entry *e, uint64_t offset)
{
    char name[JOURNAL_NAME_BYTES];
    int fd, err;

    if (e->rule || offset < JOURNAL_BLOCK_BYTES)
        return set_aside(dir_fd, e->number);
    journal_name(e->number, name);
    fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = copy_rest(dir_fd, name, fd, offset);
    if (!err)
        err = zero_rest(fd, offset, e->h.capacity);
    close(fd);
    return err;
}

int
journal_cut(const char *path, uint64_t segment, uint64_t offset, struct journal_error *err)
{
    struct journal_dir dir;
    int code = journal_dir_open(&dir, path, err);
    size_t i;

    if (code)
        return code;
    if (flock(dir.fd, LOCK_EX | LOCK_NB))
        code = errno == EWOULDBLOCK ? -EBUSY : -errno;
    for (i = dir.n; i > 0 && !code && dir.items[i - 1].number >= segment; i--) {
        if (dir.items[i - 1].number == segment)
            code = cut_file(dir.fd, &dir.items[i - 1], offset);
        else if (journal_dir_active(&dir.items[i - 1]) || dir.items[i - 1].rule)
            code = set_aside(dir.fd, dir.items[i - 1].number);
    }
    journal_dir_close(&dir);
    return code ? journal_fail_dir(err, code, path, "cannot cut the journal") : 0;
}

bool
journal_was_cut(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *de;
    bool found = false;

    while (d && !found && (de = readdir(d))) {
        size_t n = strlen(de->d_name), end = strlen(CUT_SUFFIX);

        found = n > end && strcmp(de->d_name + n - end, CUT_SUFFIX) == 0;
    }
    if (d)
        closedir(d);
    return found;
}

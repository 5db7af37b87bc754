#include "core/whole_file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHOLE_FILE_MODE 0644

int
whole_file_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int
sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return whole_file_sync(dir);
}

static int
write_all(int fd, struct slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            text = (struct slice){text.p + n, text.n - (size_t)n};
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Fills the new file at `temp`, unless making it has failed with `rc` already, closes it, and gives it its
 * name. */
static int
put_in_place(int fd, int rc, const char *temp, const char *path, struct slice text)
{
    if (rc == 0)
        rc = write_all(fd, text);
    close(fd);
    if (rc == 0 && rename(temp, path) < 0)
        rc = -errno;
    if (rc < 0) {
        unlink(temp);
        return rc;
    }
    return sync_directory_of(path);
}

int
whole_file_replace(const char *path, struct slice text)
{
    char temp[PATH_MAX];
    int fd;

    if (snprintf(temp, sizeof(temp), "%s.tmp", path) >= (int)sizeof(temp))
        return -ENAMETOOLONG;
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, WHOLE_FILE_MODE);
    return fd < 0 ? -errno : put_in_place(fd, 0, temp, path, text);
}

int
whole_file_rewrite(const char *path, struct slice text)
{
    char temp[PATH_MAX];
    struct stat st;
    int fd;

    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
        return -ENAMETOOLONG;
    if (stat(path, &st) < 0)
        return -errno;
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return put_in_place(fd, fchmod(fd, st.st_mode & 07777) < 0 ? -errno : 0, temp, path, text);
}

int
whole_file_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = 0; /* a pipe would keep us */
    ssize_t n = 0;

    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0 || (n = read(fd, out, size - 1)) < 0)
        rc = -errno;
    else
        out[n] = '\0';
    close(fd);
    return rc;
}

#include "shards/node/whole_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WHOLE_FILE_PATH_MAX 1400

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
write_file(const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), rc = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = write(fd, text.p, text.n);
    if (n < 0 || ((size_t)n == text.n && fsync(fd) < 0))
        rc = -errno;
    else if ((size_t)n < text.n)
        rc = -ENOSPC; /* what a short write to a small file means */
    close(fd);
    return rc;
}

static int
sync_directory_of(const char *path)
{
    char dir[WHOLE_FILE_PATH_MAX];
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return whole_file_sync(dir);
}

int
whole_file_replace(const char *path, struct slice text)
{
    char temp[WHOLE_FILE_PATH_MAX];
    int rc;

    snprintf(temp, sizeof(temp), "%s.tmp", path);
    rc = write_file(temp, text);
    if (rc == 0 && rename(temp, path) < 0)
        rc = -errno;
    return rc < 0 ? rc : sync_directory_of(path);
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

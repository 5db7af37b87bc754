#include "shards/node/datadir.h"

#include "core/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DATADIR_PATH_MAX 1200
#define LOCK_RETRIES 50
#define LOCK_RETRY_US 100000 /* a killed process holds its lock until its last I/O is done */

static int
fsync_path(const char *path)
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
make_dir(const char *path, struct buf *err)
{
    int rc = mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -errno;

    if (rc < 0)
        buf_printf(err, "cannot create the directory '%s': %s", path, strerror(-rc));
    return rc;
}

/* --- lock ------------------------------------------------------------------------------------------ */

static void
read_holder(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static int
take_lock(struct datadir *d, struct buf *err)
{
    char path[DATADIR_PATH_MAX], holder[64];
    int n;

    snprintf(path, sizeof(path), "%s/LOCK", d->path);
    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (d->lock_fd < 0) {
        n = -errno;
        buf_printf(err, "cannot open '%s': %s", path, strerror(-n));
        return n;
    }
    for (int i = 0; flock(d->lock_fd, LOCK_EX | LOCK_NB) < 0; i++) {
        read_holder(d->lock_fd, holder, sizeof(holder));
        if (i < LOCK_RETRIES && kill(atoi(holder), 0) < 0 && errno == ESRCH) {
            usleep(LOCK_RETRY_US);
            continue;
        }
        buf_printf(err, "the data directory '%s' is in use by process %s; only one server may use "
                        "it at a time", d->path, holder);
        datadir_close(d);
        return -EBUSY;
    }
    n = snprintf(holder, sizeof(holder), "%d\n", getpid());
    if (ftruncate(d->lock_fd, 0) < 0 || pwrite(d->lock_fd, holder, (size_t)n, 0) != n)
        log_warn("cannot write the process id into '%s': %s", path, strerror(errno));
    return 0;
}

/* --- manifest -------------------------------------------------------------------------------------- */

static uint64_t
checksum(const char *text, size_t n)
{
    return XXH3_64bits(text, n);
}

static int
parse_manifest(struct datadir *d, const char *path, const char *text, struct buf *err)
{
    unsigned version, cores, generation;
    unsigned long long sum;
    const char *tail = strstr(text, "checksum ");

    if (tail == NULL || sscanf(text, "pinstripe %u\ncores %u\ngeneration %u\n", &version, &cores,
                               &generation) != 3 ||
        sscanf(tail, "checksum %llx", &sum) != 1) {
        buf_printf(err, "'%s' is not a manifest of this server", path);
        return -EBADMSG;
    }
    if (checksum(text, (size_t)(tail - text)) != sum) {
        buf_printf(err, "'%s' is damaged: its checksum does not match", path);
        return -EBADMSG;
    }
    if (version != DATADIR_FORMAT_VERSION || cores == 0 || cores > DATADIR_CORES_MAX) {
        buf_printf(err, "'%s' has format %u with %u cores; this server reads format %u with 1 to %u",
                   path, version, cores, DATADIR_FORMAT_VERSION, DATADIR_CORES_MAX);
        return -EBADMSG;
    }
    d->cores = cores;
    d->generation = generation;
    return 0;
}

static int
read_manifest(struct datadir *d, struct buf *err)
{
    char path[DATADIR_PATH_MAX], text[512];
    ssize_t n = -1;
    int fd, rc = 0;

    snprintf(path, sizeof(path), "%s/MANIFEST", d->path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fsync(fd) < 0 || (n = read(fd, text, sizeof(text) - 1)) < 0) {
        rc = -errno;
        buf_printf(err, "cannot read '%s': %s", path, strerror(-rc));
    }
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        return rc;
    text[n] = '\0';
    return parse_manifest(d, path, text, err);
}

/* The whole file, on disk. */
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

int
datadir_commit(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err)
{
    char path[DATADIR_PATH_MAX], temp[DATADIR_PATH_MAX];
    struct buf text = {0};
    int rc;

    snprintf(path, sizeof(path), "%s/MANIFEST", d->path);
    snprintf(temp, sizeof(temp), "%s/MANIFEST.tmp", d->path);
    buf_printf(&text, "pinstripe %u\ncores %u\ngeneration %u\n", DATADIR_FORMAT_VERSION, cores,
               generation);
    buf_printf(&text, "checksum %016" PRIx64 "\n", checksum(text.p, text.n));
    rc = write_file(temp, (struct slice){text.p, text.n});
    if (rc == 0 && rename(temp, path) < 0)
        rc = -errno;
    if (rc == 0)
        rc = fsync_path(d->path);
    buf_fini(&text);
    if (rc < 0) {
        buf_printf(err, "cannot write '%s': %s", path, strerror(-rc));
        return rc;
    }
    d->cores = cores;
    d->generation = generation;
    return 0;
}

/* --- open, paths, leftovers -------------------------------------------------------------------------- */

int
datadir_open(struct datadir *d, const char *path, struct buf *err)
{
    int rc;

    *d = (struct datadir){.lock_fd = -1};
    if (strlen(path) >= sizeof(d->path)) {
        buf_printf(err, "the path of the data directory is longer than %zu bytes",
                   sizeof(d->path) - 1);
        return -ENAMETOOLONG;
    }
    strcpy(d->path, path);
    rc = make_dir(path, err);
    if (rc == 0)
        rc = take_lock(d, err);
    if (rc < 0)
        return rc;
    rc = read_manifest(d, err);
    if (rc < 0)
        datadir_close(d);
    return rc;
}

void
datadir_close(struct datadir *d)
{
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    d->lock_fd = -1;
}

/* Makes the directory and its name in the directory above durable. */
static int
make_durable_dir(const char *parent, const char *path, struct buf *err)
{
    int rc = make_dir(path, err);

    if (rc < 0)
        return rc;
    rc = fsync_path(parent);
    if (rc < 0)
        buf_printf(err, "cannot sync the directory '%s': %s", parent, strerror(-rc));
    return rc;
}

int
datadir_core_path(const struct datadir *d, uint32_t generation, uint32_t core, const char *what,
                  char *out, struct buf *err)
{
    char above[DATADIR_PATH_MAX];
    int rc;

    snprintf(above, sizeof(above), "%s/gen-%06u", d->path, generation);
    rc = make_durable_dir(d->path, above, err);
    snprintf(out, DATADIR_PATH_MAX, "%s/gen-%06u/core-%03u", d->path, generation, core);
    if (rc == 0)
        rc = make_durable_dir(above, out, err);
    snprintf(above, sizeof(above), "%s", out);
    snprintf(out, DATADIR_PATH_MAX, "%s/gen-%06u/core-%03u/%s", d->path, generation, core, what);
    return rc < 0 ? rc : make_durable_dir(above, out, err);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void
datadir_remove_leftovers(const struct datadir *d)
{
    DIR *dir = opendir(d->path);
    struct dirent *de;

    if (dir == NULL)
        return;
    while ((de = readdir(dir))) {
        char path[DATADIR_PATH_MAX + 256];
        unsigned generation;

        if (sscanf(de->d_name, "gen-%u", &generation) != 1 || generation == d->generation)
            continue;
        snprintf(path, sizeof(path), "gen-%06u", generation);
        if (strcmp(path, de->d_name) != 0) /* only looks like one of ours */
            continue;
        snprintf(path, sizeof(path), "%s/%s", d->path, de->d_name);
        log_info("removing '%s': not the present generation", path);
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    closedir(dir);
}

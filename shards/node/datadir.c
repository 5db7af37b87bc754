#include "shards/node/datadir.h"

#include "core/log.h"
#include "core/whole_file.h"
#include "shards/node/manifest.h"
#include "shards/node/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_RETRIES 50
#define LOCK_RETRY_US 100000 /* a killed process holds its lock until its last I/O is done */

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

/* --- which generation counts ---------------------------------------------------------------------- */

/* "gen-000012" -> 12, 0 for what only looks like one of ours. */
static uint32_t
generation_of_name(const char *name)
{
    char same[32];
    unsigned generation;

    if (sscanf(name, "gen-%u", &generation) != 1)
        return 0;
    snprintf(same, sizeof(same), "gen-%06u", generation);
    return strcmp(same, name) == 0 ? generation : 0;
}

static int
is_data(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return type != FTW_D && type != FTW_DP && strncmp(path + ftw->base, "OWNER", 5) != 0;
}

/* Without MANIFEST there may be directories that a first start, cut short, has made, and nothing in
 * them. Data without it means that it was lost: a start would begin anew and remove what is there. */
static int
refuse_orphans(const struct datadir *d, struct buf *err)
{
    DIR *dir = opendir(d->path);
    struct dirent *de;
    int rc = 0;

    if (dir == NULL) {
        rc = -errno;
        buf_printf(err, "cannot read the directory '%s': %s", d->path, strerror(-rc));
        return rc;
    }
    while (rc == 0 && (de = readdir(dir))) {
        char path[DATADIR_PATH_MAX + 256];

        if (!generation_of_name(de->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s", d->path, de->d_name);
        if (nftw(path, is_data, 16, FTW_PHYS) == 0)
            continue;
        buf_printf(err, "'%s/MANIFEST' is missing, but '%s' holds data: bring it back, or use "
                        "another directory", d->path, path);
        rc = -EBADMSG;
    }
    closedir(dir);
    return rc;
}

static int
read_manifest(struct datadir *d, struct buf *err)
{
    int rc = manifest_read(d, err);

    return rc == -ENOENT ? refuse_orphans(d, err) : rc;
}

int
datadir_commit(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err)
{
    return manifest_write(d, cores, generation, false, err);
}

int
datadir_commit_used(struct datadir *d, struct buf *err)
{
    return d->used ? 0 : manifest_write(d, d->cores, d->generation, true, err);
}

/* --- open ---------------------------------------------------------------------------------------------- */

static int
set_path(struct datadir *d, const char *path, struct buf *err)
{
    *d = (struct datadir){.lock_fd = -1};
    if (strlen(path) >= sizeof(d->path)) {
        buf_printf(err, "the path of the data directory is longer than %zu bytes",
                   sizeof(d->path) - 1);
        return -ENAMETOOLONG;
    }
    strcpy(d->path, path);
    return 0;
}

int
datadir_open(struct datadir *d, const char *path, struct buf *err)
{
    int rc = set_path(d, path, err);

    if (rc == 0)
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

/* --- parts --------------------------------------------------------------------------------------------- */

/* Makes the directory and its name in the directory above durable. */
static int
make_durable_dir(const char *parent, const char *path, struct buf *err)
{
    int rc = make_dir(path, err);

    if (rc < 0)
        return rc;
    rc = whole_file_sync(parent);
    if (rc < 0)
        buf_printf(err, "cannot sync the directory '%s': %s", parent, strerror(-rc));
    return rc;
}

void
datadir_core_path(const struct datadir *d, uint32_t generation, uint32_t core, const char *part,
                  char *out)
{
    snprintf(out, DATADIR_PATH_MAX, "%s/gen-%06u/core-%03u/%s", d->path, generation, core, part);
}

static int
make_part(const struct datadir *d, const struct owner *o, struct buf *err)
{
    char path[DATADIR_PATH_MAX], above[DATADIR_PATH_MAX];
    int rc;

    snprintf(above, sizeof(above), "%s/gen-%06u", d->path, o->generation);
    rc = make_durable_dir(d->path, above, err);
    snprintf(path, sizeof(path), "%s/gen-%06u/core-%03u", d->path, o->generation, o->core);
    rc = rc < 0 ? rc : make_durable_dir(above, path, err);
    strcpy(above, path);
    datadir_core_path(d, o->generation, o->core, o->part, path);
    rc = rc < 0 ? rc : make_durable_dir(above, path, err);
    if (rc < 0)
        return rc;
    rc = owner_write(path, o);
    if (rc < 0)
        buf_printf(err, "cannot write '%s/OWNER': %s", path, strerror(-rc));
    return rc;
}

static int
check_part(const struct datadir *d, const struct owner *o, struct buf *err)
{
    char path[DATADIR_PATH_MAX];

    datadir_core_path(d, o->generation, o->core, o->part, path);
    return owner_check(path, o, err);
}

static int
each_part(const struct datadir *d, uint32_t cores, uint32_t generation,
          int (*fn)(const struct datadir *d, const struct owner *o, struct buf *err),
          struct buf *err)
{
    static const char *const parts[] = {"store", "journal"};
    struct owner o = {.instance = d->instance, .generation = generation, .cores = cores};
    int rc = 0;

    for (o.core = 0; o.core < cores && rc == 0; o.core++) {
        for (size_t i = 0; i < ARRAY_SIZE(parts) && rc == 0; i++) {
            o.part = parts[i];
            rc = fn(d, &o, err);
        }
    }
    return rc;
}

int
datadir_make_parts(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err)
{
    while (d->instance == 0)
        ASSERT(getrandom(&d->instance, sizeof(d->instance), 0) == sizeof(d->instance));
    return each_part(d, cores, generation, make_part, err);
}

/* A link to a directory elsewhere is one. */
static bool
has_journal_file(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *de;
    bool found = false;

    while (dir && !found && (de = readdir(dir))) {
        const char *dot = strrchr(de->d_name, '.');

        found = dot && (strcmp(dot, ".journal") == 0 || strcmp(dot, ".cut") == 0);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* Once a server has run on it a journal is never without a file. */
static int
check_journals(const struct datadir *d, struct buf *err)
{
    char path[DATADIR_PATH_MAX];

    for (uint32_t i = 0; i < d->cores; i++) {
        datadir_core_path(d, d->generation, i, "journal", path);
        if (has_journal_file(path))
            continue;
        buf_printf(err, "there is no journal file in '%s': they were lost", path);
        return -EBADMSG;
    }
    return 0;
}

int
datadir_check_parts(const struct datadir *d, struct buf *err)
{
    int rc = each_part(d, d->cores, d->generation, check_part, err);

    return rc < 0 || !d->used ? rc : check_journals(d, err);
}

int
datadir_inspect(const char *path, struct buf *err)
{
    struct datadir d;
    int rc = set_path(&d, path, err);

    if (rc == 0)
        rc = read_manifest(&d, err);
    return rc < 0 || d.instance == 0 ? rc : datadir_check_parts(&d, err);
}

/* --- leftovers ----------------------------------------------------------------------------------------- */

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
        uint32_t generation = generation_of_name(de->d_name);

        if (generation == 0 || generation == d->generation)
            continue;
        snprintf(path, sizeof(path), "%s/%s", d->path, de->d_name);
        log_info("removing '%s': not the present generation", path);
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    closedir(dir);
}

/* The data directory: one server at a time, a manifest that is believed only when it is whole, and
 * what earlier generations left. */
#include "shards/node/datadir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64], dir[80];
static struct buf err;

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void
setup(void)
{
    snprintf(base, sizeof(base), "/tmp/test-datadir-XXXXXX");
    cr_assert(mkdtemp(base));
    snprintf(dir, sizeof(dir), "%s/data", base);
}

static void
teardown(void)
{
    buf_fini(&err);
    nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(datadir, .init = setup, .fini = teardown);

/* What was said since the last call. */
static const char *
said(void)
{
    static char text[2048];

    snprintf(text, sizeof(text), "%.*s", (int)err.n, err.p ? err.p : "");
    err.n = 0;
    return text;
}

static void
says(const char *part)
{
    const char *text = said();

    cr_assert(strstr(text, part), "'%s' is not in: %s", part, text);
}

static void
open_ok(struct datadir *d)
{
    cr_assert_eq(datadir_open(d, dir, &err), 0, "%s", said());
}

static void
write_manifest(const char *text, size_t n)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    cr_assert(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    close(fd);
}

static size_t
read_manifest(char *text, size_t room)
{
    char path[128];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    fd = open(path, O_RDONLY);
    cr_assert_geq(fd, 0);
    n = read(fd, text, room);
    cr_assert_gt(n, 0);
    close(fd);
    return (size_t)n;
}

static bool
exists(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void
make(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    cr_assert_eq(mkdir(path, 0755), 0);
}

Test(datadir, a_new_one_is_made_and_has_no_cores)
{
    struct datadir d;

    open_ok(&d);
    cr_assert_eq(d.cores, 0);
    cr_assert_eq(d.generation, 0);
    datadir_close(&d);
}

Test(datadir, manifest_round_trip)
{
    static const uint32_t cores[] = {1, 2, 64, DATADIR_CORES_MAX};
    struct datadir d;

    for (uint32_t i = 0; i < ARRAY_SIZE(cores); i++) {
        open_ok(&d);
        cr_assert_eq(datadir_commit(&d, cores[i], i * 1000 + 1, &err), 0);
        cr_assert(d.cores == cores[i] && d.generation == i * 1000 + 1);
        datadir_close(&d);
        open_ok(&d);
        cr_assert(d.cores == cores[i] && d.generation == i * 1000 + 1);
        datadir_close(&d);
    }
    cr_assert(!exists("MANIFEST.tmp"));
}

Test(datadir, a_second_server_is_told_who_holds_it)
{
    struct datadir first, second;
    char pid[32];

    open_ok(&first);
    cr_assert_eq(datadir_open(&second, dir, &err), -EBUSY);
    cr_assert_lt(second.lock_fd, 0);
    snprintf(pid, sizeof(pid), "process %d;", getpid());
    says(pid);
    datadir_close(&first);
    open_ok(&second);
    datadir_close(&second);
}

Test(datadir, the_lock_ends_with_the_process_that_held_it)
{
    struct datadir d;
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(datadir_open(&d, dir, &err) == 0 ? 0 : 1);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    open_ok(&d);
    datadir_close(&d);
}

Test(datadir, a_manifest_with_any_byte_changed_or_missing_is_refused_by_name)
{
    char good[512], bad[512];
    struct datadir d;
    size_t n;

    open_ok(&d);
    cr_assert_eq(datadir_commit(&d, 4, 7, &err), 0);
    datadir_close(&d);
    n = read_manifest(good, sizeof(good));
    for (size_t at = 0; at < n - 1; at++) { /* the last one is the end of the line */
        memcpy(bad, good, n);
        bad[at] ^= 1;
        write_manifest(bad, n);
        cr_assert_eq(datadir_open(&d, dir, &err), -EBADMSG, "byte %zu", at);
        says("/MANIFEST'");
    }
    for (size_t length = 0; length < n - 1; length++) {
        write_manifest(good, length);
        cr_assert_eq(datadir_open(&d, dir, &err), -EBADMSG, "%zu bytes", length);
        says("/MANIFEST'");
    }
    write_manifest(good, n);
    open_ok(&d);
    cr_assert(d.cores == 4 && d.generation == 7);
    datadir_close(&d);
}

Test(datadir, a_damaged_manifest_does_not_keep_the_lock)
{
    struct datadir d;

    open_ok(&d);
    cr_assert_eq(datadir_commit(&d, 4, 7, &err), 0);
    datadir_close(&d);
    write_manifest("rubbish", 7);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(datadir_open(&d, dir, &err), -EBADMSG);
        says("is not a manifest");
    }
}

Test(datadir, each_core_gets_its_directories)
{
    char path[1200], want[128];
    struct stat st;
    struct datadir d;

    open_ok(&d);
    for (int i = 0; i < 2; i++) { /* made, and found */
        cr_assert_eq(datadir_core_path(&d, 3, 12, "journal", path, &err), 0, "%s", said());
        snprintf(want, sizeof(want), "%s/gen-000003/core-012/journal", dir);
        cr_assert_str_eq(path, want);
        cr_assert(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
    }
    datadir_close(&d);
}

Test(datadir, what_cannot_be_made_is_named)
{
    char path[1200], file[128];
    struct datadir d;
    int fd;

    open_ok(&d);
    snprintf(file, sizeof(file), "%s/gen-000001", dir);
    fd = open(file, O_WRONLY | O_CREAT, 0644);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(datadir_core_path(&d, 1, 0, "store", path, &err), -ENOTDIR);
    says("gen-000001");
    datadir_close(&d);
}

Test(datadir, generations_that_are_not_present_are_removed)
{
    char path[1200];
    struct datadir d;

    open_ok(&d);
    cr_assert_eq(datadir_commit(&d, 2, 2, &err), 0);
    for (uint32_t generation = 1; generation <= 3; generation++)
        for (uint32_t core = 0; core < 2; core++)
            cr_assert_eq(datadir_core_path(&d, generation, core, "store", path, &err), 0);
    make("gen-000001.saved");
    make("gen-1");
    make("generations");
    datadir_remove_leftovers(&d);
    cr_assert(!exists("gen-000001") && exists("gen-000002/core-001/store") &&
              !exists("gen-000003"));
    cr_assert(exists("gen-000001.saved") && exists("gen-1") && exists("generations"));
    cr_assert(exists("LOCK") && exists("MANIFEST"));
    datadir_close(&d);
}

Test(datadir, a_path_too_long_is_refused_whole)
{
    char path[2048];
    struct datadir d;

    snprintf(path, sizeof(path), "%s/", base);
    while (strlen(path) < 1100)
        strcat(path, "./");
    cr_assert_eq(datadir_open(&d, path, &err), -ENAMETOOLONG);
    says("longer than 1023 bytes");
}

Test(datadir, a_full_disk_leaves_the_manifest_as_it_was)
{
    struct datadir d;
    char tmp[128];

    open_ok(&d);
    cr_assert_eq(datadir_commit(&d, 2, 1, &err), 0);
    /* /dev/full takes no byte: what the temporary file would be on a full disk. */
    snprintf(tmp, sizeof(tmp), "%s/MANIFEST.tmp", dir);
    cr_assert_eq(symlink("/dev/full", tmp), 0);
    cr_assert_eq(datadir_commit(&d, 4, 2, &err), -ENOSPC);
    says("MANIFEST'");
    cr_assert(d.cores == 2 && d.generation == 1);
    datadir_close(&d);
    open_ok(&d);
    cr_assert(d.cores == 2 && d.generation == 1);
    datadir_close(&d);
}

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

/* A manifest is written only by who has made parts, and thereby drawn an instance. */
static void
open_numbered(struct datadir *d)
{
    open_ok(d);
    d->instance = 0x61884280c7c7d309;
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
        open_numbered(&d);
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

    open_numbered(&d);
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

    open_numbered(&d);
    cr_assert_eq(datadir_commit(&d, 4, 7, &err), 0);
    datadir_close(&d);
    write_manifest("rubbish", 7);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(datadir_open(&d, dir, &err), -EBADMSG);
        says("is not a manifest");
    }
}

/* A generation as a start leaves it: parts, a journal file in each, MANIFEST. */
static void
make_used(struct datadir *d, uint32_t cores)
{
    char path[1200], file[1300];
    int fd;

    cr_assert_eq(datadir_make_parts(d, cores, 1, &err), 0, "%s", said());
    cr_assert_eq(datadir_commit(d, cores, 1, &err), 0);
    for (uint32_t i = 0; i < cores; i++) {
        datadir_core_path(d, 1, i, "journal", path);
        snprintf(file, sizeof(file), "%s/00000000000000000001.journal", path);
        fd = open(file, O_WRONLY | O_CREAT, 0644);
        cr_assert_geq(fd, 0);
        close(fd);
    }
    cr_assert_eq(datadir_commit_used(d, &err), 0);
}

static void
move(const char *from, const char *to)
{
    char a[256], b[256];

    snprintf(a, sizeof(a), "%s/%s", dir, from);
    snprintf(b, sizeof(b), "%s/%s", dir, to);
    cr_assert_eq(rename(a, b), 0, "%s", a);
}

static void
is_refused(const struct datadir *d, const char *why)
{
    cr_assert_lt(datadir_check_parts(d, &err), 0);
    says(why);
}

Test(datadir, each_core_gets_its_directories)
{
    char path[1200], want[128];
    struct stat st;
    struct datadir d;

    open_ok(&d);
    for (int i = 0; i < 2; i++) { /* made, and found */
        cr_assert_eq(datadir_make_parts(&d, 13, 3, &err), 0, "%s", said());
        datadir_core_path(&d, 3, 12, "journal", path);
        snprintf(want, sizeof(want), "%s/gen-000003/core-012/journal", dir);
        cr_assert_str_eq(path, want);
        cr_assert(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
    }
    datadir_close(&d);
}

Test(datadir, what_cannot_be_made_is_named)
{
    struct datadir d;
    char file[128];
    int fd;

    open_ok(&d);
    snprintf(file, sizeof(file), "%s/gen-000001", dir);
    fd = open(file, O_WRONLY | O_CREAT, 0644);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(datadir_make_parts(&d, 1, 1, &err), -ENOTDIR);
    says("gen-000001");
    datadir_close(&d);
}

Test(datadir, parts_that_were_exchanged_are_refused)
{
    static const char *const pairs[][3] = {
        {"core-000", "core-001", "is the store of core 1 of 2"},
        {"core-000/store", "core-001/store", "is the store of core 1 of 2"},
        {"core-000/journal", "core-001/journal", "is the journal of core 1 of 2"},
        {"core-000/journal", "core-000/store", "is the journal of core 0 of 2"}};
    char a[128], b[128];
    struct datadir d;

    open_ok(&d);
    make_used(&d, 2);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        snprintf(a, sizeof(a), "gen-000001/%s", pairs[i][0]);
        snprintf(b, sizeof(b), "gen-000001/%s", pairs[i][1]);
        for (int back = 0; back < 2; back++) {
            move(a, "x");
            move(b, a);
            move("x", b);
            if (!back)
                is_refused(&d, pairs[i][2]);
        }
        cr_assert_eq(datadir_check_parts(&d, &err), 0, "%s", said());
    }
    datadir_close(&d);
}

Test(datadir, parts_of_another_directory_or_generation_are_refused)
{
    struct datadir d;

    open_ok(&d);
    make_used(&d, 1);
    d.instance ^= 1;
    is_refused(&d, "come from another place");
    d.instance ^= 1;
    move("gen-000001", "gen-000002");
    d.generation = 2;
    is_refused(&d, "generation 1, of data directory");
    datadir_close(&d);
}

Test(datadir, parts_that_are_missing_are_refused)
{
    static const char *const parts[] = {"", "/core-001", "/core-001/store", "/core-001/journal",
                                        "/core-001/store/OWNER"};
    struct datadir d;
    char path[128];

    open_ok(&d);
    make_used(&d, 2);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        snprintf(path, sizeof(path), "gen-000001%s", parts[i]);
        move(path, "x");
        is_refused(&d, "the files of a core are missing");
        move("x", path);
    }
    move("gen-000001/core-001/journal/00000000000000000001.journal", "x");
    is_refused(&d, "there is no journal file in");
    datadir_close(&d);
}

Test(datadir, a_new_generation_has_no_journal_files_yet)
{
    struct datadir d;

    open_ok(&d);
    cr_assert_eq(datadir_make_parts(&d, 2, 1, &err), 0);
    cr_assert_eq(datadir_commit(&d, 2, 1, &err), 0);
    datadir_close(&d);
    open_ok(&d);
    cr_assert(!d.used && d.instance);
    cr_assert_eq(datadir_check_parts(&d, &err), 0, "%s", said());
    datadir_close(&d);
}

Test(datadir, data_without_a_manifest_is_neither_taken_nor_removed)
{
    struct datadir d;
    char path[128];

    open_ok(&d);
    cr_assert_eq(datadir_make_parts(&d, 2, 1, &err), 0);
    datadir_close(&d);
    open_ok(&d); /* a first start that was cut short: nothing is lost */
    cr_assert_eq(d.cores, 0);
    make_used(&d, 2);
    datadir_close(&d);
    move("MANIFEST", "saved");
    move("gen-000001", "gen-000007");
    cr_assert_eq(datadir_open(&d, dir, &err), -EBADMSG);
    says("MANIFEST' is missing, but");
    cr_assert(exists("gen-000007/core-001/journal/00000000000000000001.journal"));
    snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    cr_assert_eq(mkfifo(path, 0644), 0);
    cr_assert_lt(datadir_open(&d, dir, &err), 0); /* and does not wait for it */
    says("MANIFEST'");
}

Test(datadir, an_owner_with_any_byte_changed_is_refused)
{
    char path[256], good[256], bad[256];
    struct datadir d;
    ssize_t n;
    int fd;

    open_ok(&d);
    make_used(&d, 1);
    snprintf(path, sizeof(path), "%s/gen-000001/core-000/store/OWNER", dir);
    fd = open(path, O_RDWR);
    n = read(fd, good, sizeof(good));
    cr_assert_gt(n, 60);
    for (ssize_t at = 0; at < n; at++) {
        memcpy(bad, good, sizeof(bad));
        bad[at] ^= 1;
        cr_assert_eq(pwrite(fd, bad, (size_t)n, 0), n);
        is_refused(&d, "store/OWNER'");
    }
    close(fd);
    datadir_close(&d);
}

Test(datadir, a_manifest_of_format_1_is_read)
{
    static const char text[] = "pinstripe 1\ncores 2\ngeneration 1\nchecksum 61884280c7c7d309\n";
    struct datadir d;

    open_ok(&d);
    datadir_close(&d);
    write_manifest(text, sizeof(text) - 1);
    open_ok(&d);
    cr_assert(d.cores == 2 && d.generation == 1 && d.instance == 0 && !d.used);
    datadir_close(&d);
}

Test(datadir, generations_that_are_not_present_are_removed)
{
    struct datadir d;

    open_ok(&d);
    for (uint32_t generation = 1; generation <= 3; generation++)
        cr_assert_eq(datadir_make_parts(&d, 2, generation, &err), 0);
    cr_assert_eq(datadir_commit(&d, 2, 2, &err), 0);
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

    open_numbered(&d);
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

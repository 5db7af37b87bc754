/* What goes wrong: full disks, crashes. Damage is in test_store_damage. */
#include "store_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

static unsigned
count_files(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    unsigned n = 0;

    cr_assert(d);
    while ((entry = readdir(d)))
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

static void
write_file(const char *dir, const char *name, const char *text)
{
    char path[160];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

Test(store_faults, leftovers_of_a_crash_are_removed_at_open)
{
    struct store_fixture f;

    fixture_init(&f);
    fixture_put(&f, "k", "v");
    cr_assert_eq(count_files(f.dir, "ingest-"), 0);
    store_close(&f.s);
    write_file(f.dir, "ingest-0000000000000000.sst", "half a table");
    write_file(f.dir, "ingest-00000000000000ff.sst", "");
    fixture_open(&f);
    cr_assert_eq(count_files(f.dir, "ingest-"), 0);
    fixture_expect(&f, "k", "v");
    fixture_put(&f, "k", "w");
    fixture_expect(&f, "k", "w");
    fixture_fini(&f);
}

Test(store_faults, tables_without_their_database_are_refused_and_kept)
{
    struct store_fixture f;
    char path[160], table[512];

    fixture_init(&f);
    fixture_put(&f, "k", "v");
    store_close(&f.s);
    snprintf(path, sizeof(path), "%s/CURRENT", f.dir);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(store_open(&f.s, f.env, &f.options, &f.err), -EIO);
    cr_assert(strstr(f.err.text, "CURRENT"), "%s", f.err.text);
    fixture_find_file(f.dir, ".sst", table);
    fixture_fini(&f);
}

Test(store_faults, second_open_of_a_directory_is_refused)
{
    struct store_fixture f;
    struct store *other = NULL;

    fixture_init(&f);
    cr_assert_eq(store_open(&other, f.env, &f.options, &f.err), -EBUSY, "%s", f.err.text);
    cr_assert_null(other);
    cr_assert(strstr(f.err.text, "LOCK"), "%s", f.err.text);
    fixture_put(&f, "k", "v");
    fixture_expect(&f, "k", "v");
    fixture_fini(&f);
}

Test(store_faults, open_says_which_directory_it_cannot_make)
{
    struct store_fixture f;
    struct store *other = NULL;

    fixture_init(&f);
    f.options.dir = "/nonexistent-parent/db";
    cr_assert_eq(store_open(&other, f.env, &f.options, &f.err), -ENOENT);
    cr_assert(strstr(f.err.text, "/nonexistent-parent/db"), "%s", f.err.text);
    cr_assert_null(other);
    fixture_fini(&f);
}

/* A file system of `size` that only this process sees. */
static void
mount_small(const char *dir, const char *size)
{
    char options[32];

    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        cr_skip_test("may not make a mount namespace");
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    snprintf(options, sizeof(options), "size=%s", size);
    if (mount("tmpfs", dir, "tmpfs", 0, options) < 0)
        cr_skip_test("may not mount a tmpfs");
}

static void
small_fixture(struct store_fixture *f, const char *size)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->base, sizeof(f->base), "/tmp/test-store-XXXXXX");
    cr_assert(mkdtemp(f->base));
    mount_small(f->base, size);
    snprintf(f->dir, sizeof(f->dir), "%s/db", f->base);
    f->env = fixture_env(8 * MIB);
    f->options = (struct store_options){.dir = f->dir, .compression = STORE_COMPRESSION_LZ4};
}

static void
small_fini(struct store_fixture *f)
{
    store_close(&f->s);
    store_env_destroy(&f->env);
    umount2(f->base, MNT_DETACH);
    rmdir(f->base);
}

/* Takes all room but so many bytes. */
static void
fill_disk(struct store_fixture *f, uint64_t leave)
{
    struct statvfs fs;
    char path[96];
    uint64_t room;
    int fd;

    cr_assert_eq(statvfs(f->base, &fs), 0);
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    snprintf(path, sizeof(path), "%s/ballast", f->base);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    if (room > leave)
        cr_assert_eq(posix_fallocate(fd, 0, (off_t)(room - leave)), 0);
    close(fd);
}

static void
free_disk(struct store_fixture *f)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/ballast", f->base);
    cr_assert_eq(unlink(path), 0);
}

Test(store_faults, a_full_disk_refuses_commits_and_serves_reads)
{
    struct store_fixture f;
    struct store_batch *b;

    small_fixture(&f, "64m");
    fixture_open(&f);
    fixture_put(&f, "old", "1");
    fill_disk(&f, 12 * MIB);
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("new"), SLICE("2"));
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(store_batch_commit(b, &f.err), -ENOSPC);
        cr_assert(strstr(f.err.text, f.dir), "%s", f.err.text);
        cr_assert_eq(store_batch_rows(b), 1, "the batch is as it was");
        cr_assert_eq(store_delete_range(f.s, SLICE("a"), SLICE("z"), &f.err), -ENOSPC);
        fixture_expect(&f, "old", "1");
        fixture_expect(&f, "new", NULL);
    }
    cr_assert_eq(count_files(f.dir, "ingest-"), 0);
    free_disk(&f);
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    fixture_expect(&f, "new", "2");
    store_batch_destroy(&b);
    small_fini(&f);
}

Test(store_faults, a_disk_that_fills_up_between_two_spills_refuses_the_second)
{
    struct store_fixture f;
    struct store_batch *b;

    small_fixture(&f, "64m");
    fixture_open(&f);
    fixture_put(&f, "a", "old");
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("a"), SLICE("new"));
    cr_assert_eq(store_batch_spill(b, &f.err), 0, "%s", f.err.text);
    fill_disk(&f, 12 * MIB);
    store_batch_put(b, SLICE("b"), SLICE("new"));
    cr_assert_eq(store_batch_spill(b, &f.err), -ENOSPC);
    store_batch_destroy(&b);
    cr_assert_eq(count_files(f.dir, "ingest-"), 0);
    fixture_expect(&f, "a", "old");
    free_disk(&f);
    fixture_put(&f, "b", "2");
    fixture_expect(&f, "a", "old");
    small_fini(&f);
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Tries again until it works, as the engine does. */
static int
commit_patiently(struct store_fixture *f, struct store_batch *b)
{
    int64_t until = now_ms() + 60000;
    int r;

    while ((r = store_batch_commit(b, &f->err)) == -ENOSPC && now_ms() < until)
        usleep(20000);
    return r;
}

/* The guard is off: every step of a commit gets to meet the full disk itself. Keys of 60,000 bytes
 * make the MANIFEST grow fast, for it notes the first and the last of each file. */
enum { TIGHT_KEY = 60000, TIGHT_ROUNDS = 150 };

struct tight {
    unsigned refused, refused_by_manifest;
    bool healed_with_readers;
    char key[TIGHT_KEY];
    char want[TIGHT_ROUNDS][16];
};

static struct slice
tight_key(struct tight *t, unsigned i)
{
    uint64_t seed = i + 1;

    for (unsigned j = 0; j + 8 <= TIGHT_KEY; j += 8)
        memcpy(t->key + j, &(uint64_t){fixture_random(&seed)}, 8);
    return (struct slice){t->key, TIGHT_KEY};
}

/* A reopen waits for iterators, and values outlive it. */
static void
heal_with_readers(struct store_fixture *f, struct tight *t, struct store_batch *b)
{
    struct slice key = tight_key(t, 0);
    struct store_iter *it = store_iter_open(f->s, key, (struct slice){0}, false, true);
    struct store_value v;
    int r;

    store_iter_first(it);
    cr_assert_eq(store_get(f->s, key, &v, &f->err), 1);
    r = commit_patiently(f, b);
    cr_assert_eq(r, -EBUSY, "%d %s", r, f->err.text);
    cr_assert(store_iter_valid(it) && slice_equal(store_iter_key(it), key));
    cr_assert(slice_equal(store_iter_value(it), slice_of(t->want[0])));
    store_iter_close(&it);
    r = commit_patiently(f, b);
    cr_assert_eq(r, 0, "%d %s", r, f->err.text);
    cr_assert(slice_equal(v.v, slice_of(t->want[0])));
    store_value_put(&v);
}

/* Reads like a loop does, all the time. */
struct cached_reader {
    struct store *s;
    atomic_bool stop;
    unsigned found, again, other;
};

static void *
read_cached(void *arg)
{
    struct cached_reader *c = arg;

    while (!atomic_load(&c->stop)) {
        struct store_iter *it = store_iter_open(c->s, SLICE("c"), SLICE("d"), true, true);
        struct store_value v;
        int r = store_get_cached(c->s, SLICE("cached"), &v);

        store_iter_first(it);
        if (store_iter_valid(it) != (store_iter_status(it, NULL) == 0))
            c->other++;
        store_iter_close(&it);
        if (r == 1)
            store_value_put(&v);
        *(r == 1 ? &c->found : r == -EAGAIN ? &c->again : &c->other) += 1;
    }
    return NULL;
}

static void
tight_round(struct store_fixture *f, struct tight *t, unsigned i)
{
    struct store_batch *b = store_batch_create(f->s);
    unsigned before = i ? i - 1 : 0;
    int r;

    snprintf(t->want[i], sizeof(t->want[i]), "value %u", i);
    store_batch_put(b, tight_key(t, i), slice_of(t->want[i]));
    fill_disk(f, (i * 37 % 100) * 4096);
    r = store_batch_commit(b, &f->err);
    cr_assert(r == 0 || r == -ENOSPC, "round %u: %d %s", i, r, f->err.text);
    if (r == -ENOSPC) {
        t->refused++;
        t->refused_by_manifest += strstr(f->err.text, "MANIFEST") != NULL;
        fixture_expect_slice(f, tight_key(t, i), NULL);
        if (i)
            fixture_expect_slice(f, tight_key(t, before), t->want[before]);
    }
    free_disk(f);
    if (r == -ENOSPC && !t->healed_with_readers && t->refused_by_manifest) {
        t->healed_with_readers = true;
        heal_with_readers(f, t, b);
    } else if (r == -ENOSPC) {
        cr_assert_eq(commit_patiently(f, b), 0, "round %u: %s", i, f->err.text);
    }
    fixture_expect_slice(f, tight_key(t, i), t->want[i]);
    store_batch_destroy(&b);
}

Test(store_faults, commits_work_again_wherever_the_disk_was_full, .timeout = 300)
{
    struct tight *t = calloc(1, sizeof(*t));
    struct cached_reader reader = {0};
    struct store_fixture f;
    unsigned n = 0;
    pthread_t thread;

    small_fixture(&f, "128m");
    f.options.room_bytes = 1;
    fixture_open(&f);
    fixture_put(&f, "cached", "always");
    fixture_expect(&f, "cached", "always");
    reader.s = f.s;
    cr_assert_eq(pthread_create(&thread, NULL, read_cached, &reader), 0);
    /* RocksDB takes five seconds each time to see that there is room again. */
    while (n < TIGHT_ROUNDS && t->refused_by_manifest < 3)
        tight_round(&f, t, n++);
    cr_assert_eq(t->refused_by_manifest, 3, "the worst place was among them");
    cr_assert_gt(t->refused, 3, "and others");
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    cr_assert(reader.found > 0 && reader.other == 0, "%u found, %u again, %u other", reader.found,
              reader.again, reader.other);
    fixture_reopen(&f);
    for (unsigned i = 0; i < n; i++)
        fixture_expect_slice(&f, tight_key(t, i), t->want[i]);
    small_fini(&f);
    free(t);
}

/* Commits on a disk that is full at ever other places, until RocksDB could not write its MANIFEST. */
static void
wound(struct store_fixture *f, struct tight *t)
{
    int r = 0;

    for (unsigned i = 0; r == 0 || !strstr(f->err.text, "MANIFEST"); i++) {
        struct store_batch *b = store_batch_create(f->s);

        cr_assert_lt(i, TIGHT_ROUNDS);
        store_batch_put(b, tight_key(t, i), SLICE("v"));
        fill_disk(f, (i * 37 % 100) * 4096);
        r = store_batch_commit(b, &f->err);
        free_disk(f);
        store_batch_destroy(&b);
        cr_assert(r == 0 || r == -ENOSPC, "%d %s", r, f->err.text);
    }
}

/* What was spilled before the error is committed before, while and after RocksDB recovers from it. */
Test(store_faults, spilled_batches_are_not_ingested_after_an_error_inside, .timeout = 120)
{
    enum { BATCHES = 200 };
    struct tight *t = calloc(1, sizeof(*t));
    struct store_batch *b[BATCHES];
    struct store_fixture f;
    unsigned refused = 0;
    int r = -1;

    small_fixture(&f, "128m");
    f.options.room_bytes = 1;
    fixture_open(&f);
    for (unsigned i = 0; i < BATCHES; i++) {
        b[i] = store_batch_create(f.s);
        store_batch_put(b[i], SLICE("a"), SLICE("spilled"));
        cr_assert_eq(store_batch_spill(b[i], &f.err), 0, "%s", f.err.text);
        store_batch_put(b[i], SLICE("b"), SLICE("last"));
    }
    wound(&f, t);
    for (unsigned i = 0; i < BATCHES; i++) {
        if (r < 0 && i > 0)
            usleep(100000);
        if (r < 0 && (r = store_batch_commit(b[i], &f.err)) < 0)
            refused++;
        store_batch_destroy(&b[i]);
    }
    cr_assert_eq(r, 0, "%s", f.err.text);
    cr_assert_gt(refused, 0);
    fixture_expect(&f, "a", "spilled");
    fixture_expect(&f, "b", "last");
    small_fini(&f);
    free(t);
}

Test(store_faults, opening_on_a_full_disk_is_an_error_and_works_later)
{
    struct store_fixture f;

    small_fixture(&f, "64m");
    fixture_open(&f);
    fixture_put(&f, "k", "v");
    store_close(&f.s);
    for (unsigned kib = 0; kib < 12 * 1024; kib += 1024) {
        fill_disk(&f, kib * KIB);
        cr_assert_eq(store_open(&f.s, f.env, &f.options, &f.err), -ENOSPC);
        cr_assert(strstr(f.err.text, f.dir), "%s", f.err.text);
        free_disk(&f);
        fixture_open(&f);
        fixture_expect(&f, "k", "v");
        store_close(&f.s);
    }
    small_fini(&f);
}

/* Batches of a child that is killed: batch n puts rows n:0 .. n:ROWS-1 with value n and overwrites
 * "last" with n, deletes batch n - 2. After each commit it writes a byte to the pipe. */
enum { KILL_ROWS = 200, KILL_ROUNDS = 12 };

static void
kill_batch(struct store_batch *b, unsigned n)
{
    char key[32], value[16];

    snprintf(value, sizeof(value), "%u", n);
    store_batch_put(b, SLICE("last"), slice_of(value));
    for (unsigned i = 0; i < KILL_ROWS; i++) {
        snprintf(key, sizeof(key), "%06u:%u", n, i);
        store_batch_put(b, slice_of(key), slice_of(value));
        snprintf(key, sizeof(key), "%06u:%u", n - 2, i);
        if (n >= 2)
            store_batch_delete(b, slice_of(key));
    }
}

static void
kill_child(const char *dir, unsigned first, int pipe_fd)
{
    struct store_options opt = {.dir = dir, .compression = STORE_COMPRESSION_LZ4};
    struct store_env_options env_opt = {.block_cache_bytes = MIB, .background_threads = 1};
    struct store_env *env = store_env_create(&env_opt);
    struct store_error err;
    struct store *s;

    if (store_open(&s, env, &opt, &err) < 0)
        _exit(1);
    for (unsigned n = first;; n++) {
        struct store_batch *b = store_batch_create(s);

        kill_batch(b, n);
        if (store_batch_commit(b, &err) < 0 || write(pipe_fd, "c", 1) != 1)
            _exit(1);
        store_batch_destroy(&b);
    }
}

/* Lets a child commit from `first` on and kills it some time after the 5th commit. Returns how many
 * it reported. */
static unsigned
run_and_kill(const char *dir, unsigned first, unsigned delay_us)
{
    int fds[2], status;
    unsigned reported = 0;
    char c;
    pid_t pid;

    cr_assert_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        kill_child(dir, first, fds[1]);
    }
    close(fds[1]);
    while (reported < 5 && read(fds[0], &c, 1) == 1)
        reported++;
    cr_assert_eq(reported, 5, "the child works");
    usleep(delay_us);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status));
    while (read(fds[0], &c, 1) == 1)
        reported++;
    close(fds[0]);
    return reported;
}

/* What the checking child found: the last batch, or why it is not content. */
enum { CHECK_FAILED = 0 };

/* All rows of batches last - 1 and last are there, none of any other. */
static bool
batches_are_whole(struct store *s, unsigned last)
{
    struct store_iter *it = store_iter_open(s, SLICE("0"), SLICE("a"), false, true);
    unsigned rows = 0;
    bool good = true;

    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it)) {
        unsigned n = (unsigned)strtoul(store_iter_key(it).p, NULL, 10);

        good &= n == last || n + 1 == last;
        rows++;
    }
    good &= store_iter_status(it, NULL) == 0;
    good &= rows == (last >= 2 ? 2 * KILL_ROWS : KILL_ROWS);
    store_iter_close(&it);
    return good;
}

static unsigned
check_store(const char *dir)
{
    struct store_options opt = {.dir = dir, .compression = STORE_COMPRESSION_LZ4};
    struct store_env_options env_opt = {.block_cache_bytes = MIB, .background_threads = 1};
    struct store_env *env = store_env_create(&env_opt);
    struct store_error err;
    struct store_value v;
    struct store *s;
    char text[16] = {0};
    unsigned last;

    if (store_open(&s, env, &opt, &err) < 0 || store_get(s, SLICE("last"), &v, &err) != 1)
        return CHECK_FAILED;
    memcpy(text, v.v.p, MIN(v.v.n, sizeof(text) - 1));
    last = (unsigned)strtoul(text, NULL, 10);
    store_value_put(&v);
    return batches_are_whole(s, last) ? last : CHECK_FAILED;
}

/* In a child of its own: this process must stay free of RocksDB's threads to fork safely. */
static unsigned
check_in_child(const char *dir)
{
    unsigned found = CHECK_FAILED;
    int fds[2];
    pid_t pid;

    cr_assert_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        found = check_store(dir);
        _exit(write(fds[1], &found, sizeof(found)) != sizeof(found));
    }
    close(fds[1]);
    cr_assert_eq(read(fds[0], &found, sizeof(found)), sizeof(found));
    close(fds[0]);
    waitpid(pid, NULL, 0);
    return found;
}

Test(store_faults, every_commit_that_returned_survives_kill_and_batches_are_whole, .timeout = 300)
{
    char base[] = "/tmp/test-store-XXXXXX", dir[64];
    unsigned last = 0;
    uint64_t seed = 99;

    cr_assert(mkdtemp(base));
    snprintf(dir, sizeof(dir), "%s/db", base);
    for (int round = 0; round < KILL_ROUNDS; round++) {
        unsigned reported = run_and_kill(dir, last + 1, (unsigned)(fixture_random(&seed) % 30000));
        unsigned found = check_in_child(dir);

        cr_assert_neq(found, CHECK_FAILED, "after %u + %u reported", last, reported);
        cr_assert(found == last + reported || found == last + reported + 1,
                  "%u after %u + %u reported", found, last, reported);
        last = found;
    }
    nftw(base, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

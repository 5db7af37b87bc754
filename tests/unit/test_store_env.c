/* Where RocksDB's threads run. */
#include "store_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define THREADS_MAX 64

/* Thread ids of this process. */
static unsigned
list_threads(pid_t ids[THREADS_MAX])
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned n = 0;

    cr_assert(d);
    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.' && n < THREADS_MAX)
            ids[n++] = atoi(entry->d_name);
    closedir(d);
    return n;
}

static bool
has(const pid_t *ids, unsigned n, pid_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Every thread that is not in `old` may run on that CPU only. Returns how many there are. */
static unsigned
expect_new_threads_on(int cpu, const pid_t *old, unsigned old_n)
{
    pid_t now[THREADS_MAX];
    unsigned n = list_threads(now), fresh = 0;
    cpu_set_t set;

    for (unsigned i = 0; i < n; i++) {
        if (has(old, old_n, now[i]) || sched_getaffinity(now[i], sizeof(set), &set) < 0)
            continue;
        cr_assert(CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set), "thread %d", now[i]);
        fresh++;
    }
    return fresh;
}

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
}

struct creator {
    int cpu;
    struct store_env *env;
};

static void *
create_env(void *arg)
{
    struct creator *c = arg;
    struct store_env_options opt = {.block_cache_bytes = MIB, .background_threads = 3};

    pin(c->cpu);
    c->env = store_env_create(&opt);
    return NULL;
}

static int
first_two_cpus(int cpus[2])
{
    cpu_set_t set;
    int n = 0;

    sched_getaffinity(0, sizeof(set), &set);
    for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
        if (CPU_ISSET(cpu, &set))
            cpus[n++] = cpu;
    return n;
}

static void
commit_some(struct store_fixture *f, unsigned batches)
{
    char key[32];

    for (unsigned i = 0; i < batches; i++) {
        snprintf(key, sizeof(key), "%u", i);
        fixture_put(f, key, "a");
        fixture_put(f, "shared", "b");
    }
}

Test(store_env, threads_run_where_the_environment_was_created)
{
    struct store_fixture f = {0};
    pid_t old[THREADS_MAX];
    unsigned old_n;
    struct creator c;
    pthread_t t;
    cpu_set_t mine;
    int cpus[2];

    if (first_two_cpus(cpus) < 2)
        cr_skip_test("one CPU only");
    pin(cpus[0]); /* a loop's thread, as it were */
    old_n = list_threads(old);
    c.cpu = cpus[1];
    cr_assert_eq(pthread_create(&t, NULL, create_env, &c), 0);
    pthread_join(t, NULL);
    cr_assert(c.env);
    cr_assert_eq(expect_new_threads_on(cpus[1], old, old_n), 3 + 1 + 1,
                 "both pools and the monitor start at once");

    snprintf(f.base, sizeof(f.base), "/tmp/test-store-XXXXXX");
    cr_assert(mkdtemp(f.base));
    snprintf(f.dir, sizeof(f.dir), "%s/db", f.base);
    f.env = c.env;
    f.options = (struct store_options){.dir = f.dir};
    fixture_open(&f);
    expect_new_threads_on(cpus[1], old, old_n);
    commit_some(&f, 20);
    store_compact_all(f.s);
    fixture_reopen(&f);
    commit_some(&f, 20);
    store_compact_all(f.s);
    cr_assert_geq(expect_new_threads_on(cpus[1], old, old_n), 3 + 1 + 1);
    cr_assert_eq(sched_getaffinity(0, sizeof(mine), &mine), 0);
    cr_assert(CPU_COUNT(&mine) == 1 && CPU_ISSET(cpus[0], &mine), "the caller is back at home");
    fixture_fini(&f);
}

/* A store whose compaction may write so many bytes a second. */
static void
init_with_rate(struct store_fixture *f, uint64_t rate)
{
    struct store_env_options opt = {
        .block_cache_bytes = MIB, .background_threads = 1, .compaction_rate_bytes = rate};

    fixture_init(f);
    store_close(&f->s);
    store_env_destroy(&f->env);
    f->env = store_env_create(&opt);
    fixture_open(f);
}

static void
commit_random(struct store_fixture *f, unsigned rows, uint64_t seed)
{
    struct store_batch *b = store_batch_create(f->s);
    char key[16], value[1000];

    for (unsigned i = 0; i < rows; i++) {
        for (size_t j = 0; j < sizeof(value); j++)
            value[j] = (char)fixture_random(&seed);
        snprintf(key, sizeof(key), "%08u", i);
        store_batch_put(b, slice_of(key), (struct slice){value, sizeof(value)});
    }
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

Test(store_env, a_compaction_rate_holds_compactions_back)
{
    struct timespec from, to;
    struct store_fixture f;

    init_with_rate(&f, 4 * MIB);
    commit_random(&f, 4000, 3);
    clock_gettime(CLOCK_MONOTONIC, &from);
    store_compact_all(f.s);
    clock_gettime(CLOCK_MONOTONIC, &to);
    cr_assert_gt((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000, 700,
                 "4 MB at 4 MiB/s");
    fixture_fini(&f);
}

Test(store_env, a_store_whose_compaction_is_behind_says_so)
{
    struct store_fixture f;
    struct store_stats stats;
    uint64_t l0_files_max = 0;
    int commits = 0;

    init_with_rate(&f, MIB / 2);
    while (commits < 200 && !store_is_stalled(f.s)) {
        commit_random(&f, 500, (uint64_t)++commits);
        store_get_stats(f.s, &stats);
        l0_files_max = MAX(l0_files_max, stats.l0_files);
    }
    cr_assert(commits > 32 && commits < 200, "%d commits", commits);
    cr_assert_geq(l0_files_max, 32);
    commit_random(&f, 1, 1); /* that is advice to the caller, commits still work */
    fixture_fini(&f);
}

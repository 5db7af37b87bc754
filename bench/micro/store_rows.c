/* Cost of the store. One JSON object a line:
 *
 *   key_slot               a 20-byte key, ns
 *   store_commit_ordered   100,000 rows (27-byte keys, 100-byte values) put and committed, ms
 *   store_commit_shuffled  the same rows in random order
 *   store_get_found        store_get_cached of a row that is cached, ns
 *   store_get_absent       store_get_cached of a key that is not there, ns
 *   store_get_commits      latency of store_get_cached while another thread commits, ns: what a
 * loop may have to wait for RocksDB's locks
 *
 * Arguments: a directory to work in, which must not exist. Times are wall time, medians. */
#include "shards/store/row.h"
#include "shards/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ROWS 100000
#define KEYS 1000000
#define KEY_BYTES 27
#define VALUE_BYTES 100
#define COMMITS 11
#define GETS 200000
#define LATENCIES 2000000
#define SLOW_NS 20000

struct bench {
    struct store *s;
    char (*keys)[KEY_BYTES + 1];
    char (*values)[VALUE_BYTES];
    atomic_bool stop;
};

static uint64_t seed = 88172645463325252;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int
compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, KEY_BYTES);
}

/* Half of a value is random. */
static void
make_rows(struct bench *b, bool ordered)
{
    char user[16];

    for (int i = 0; i < ROWS; i++) {
        snprintf(user, sizeof(user), "key:%08u", (unsigned)(next_random() % KEYS));
        memset(b->keys[i], 'k', KEY_BYTES);
        row_main(b->keys[i], 0, key_slot(slice_of(user)), slice_of(user));
        memset(b->values[i], 'v', VALUE_BYTES);
        for (int j = 0; j < VALUE_BYTES / 2; j += 8)
            memcpy(b->values[i] + j, &(uint64_t){next_random()}, 8);
    }
    if (ordered)
        qsort(b->keys, ROWS, sizeof(*b->keys), compare_keys);
}

static void
check(int r, const struct store_error *err)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench_store_rows: %s\n", err->text);
    exit(1);
}

static double
commit_rows(struct bench *b)
{
    struct store_batch *batch = store_batch_create(b->s);
    struct store_error err;
    double from = now_ns();

    for (int i = 0; i < ROWS; i++)
        store_batch_put(batch, (struct slice){b->keys[i], KEY_BYTES},
                        (struct slice){b->values[i], VALUE_BYTES});
    check(store_batch_commit(batch, &err), &err);
    from = now_ns() - from;
    store_batch_destroy(&batch);
    return from;
}

static void
bench_commits(struct bench *b, bool ordered)
{
    double ns[COMMITS];

    for (int i = 0; i < COMMITS; i++) {
        make_rows(b, ordered);
        ns[i] = commit_rows(b);
    }
    qsort(ns, COMMITS, sizeof(*ns), compare_doubles);
    printf("{\"bench\":\"store_commit_%s\",\"rows\":%d,\"ms\":%.1f,\"ms_min\":%.1f,\"ms_max\":%.1f,"
           "\"rows_per_s\":%.0f}\n",
           ordered ? "ordered" : "shuffled", ROWS, ns[COMMITS / 2] / 1e6, ns[0] / 1e6,
           ns[COMMITS - 1] / 1e6, ROWS / ns[COMMITS / 2] * 1e9);
}

static void
bench_slot(void)
{
    char key[] = "key:0000000000000000";
    unsigned sum = 0;
    double from = now_ns();

    for (int i = 0; i < 100 * GETS; i++) {
        key[19] = (char)('0' + i % 10);
        sum += key_slot((struct slice){key, 20});
    }
    printf("{\"bench\":\"key_slot\",\"ns\":%.1f,\"sum\":%u}\n", (now_ns() - from) / 100 / GETS,
           sum);
}

static void
bench_get(struct bench *b, bool absent)
{
    struct store_error err;
    struct store_value v;
    char key[KEY_BYTES];
    double from;
    int expected = 0;

    for (int i = 0; i < ROWS; i++) /* everything into the cache */
        if (store_get(b->s, (struct slice){b->keys[i], KEY_BYTES}, &v, &err) == 1)
            store_value_put(&v);
    from = now_ns();
    for (int i = 0; i < GETS; i++) {
        memcpy(key, b->keys[next_random() % ROWS], KEY_BYTES);
        key[KEY_BYTES - 1] ^= absent;
        if (store_get_cached(b->s, (struct slice){key, KEY_BYTES}, &v) == 1) {
            store_value_put(&v);
            expected += !absent;
        } else {
            expected += absent;
        }
    }
    printf("{\"bench\":\"store_get_%s\",\"ns\":%.0f,\"as_expected\":%d,\"of\":%d}\n",
           absent ? "absent" : "found", (now_ns() - from) / GETS, expected, GETS);
}

static void *
commit_until_stopped(void *arg)
{
    struct bench *b = arg;

    while (!atomic_load(&b->stop)) {
        make_rows(b, true);
        commit_rows(b);
    }
    return NULL;
}

/* Times this thread gave up the CPU of its own accord. */
static long
waits(void)
{
    struct rusage u;

    getrusage(RUSAGE_THREAD, &u);
    return u.ru_nvcsw;
}

static void
bench_get_commits(struct bench *b)
{
    double *ns = malloc(LATENCIES * sizeof(*ns)), from, waited_ns_max = 0;
    long waits_before, waited = 0, waits_now;
    struct store_value v;
    char key[KEY_BYTES];
    pthread_t t;

    memcpy(key, b->keys[0], KEY_BYTES);
    if (!ns || pthread_create(&t, NULL, commit_until_stopped, b) != 0)
        exit(1);
    waits_before = waits();
    for (int i = 0; i < LATENCIES; i++) {
        from = now_ns();
        if (store_get_cached(b->s, (struct slice){key, KEY_BYTES}, &v) == 1)
            store_value_put(&v);
        ns[i] = now_ns() - from;
        if (ns[i] < SLOW_NS || (waits_now = waits()) == waits_before)
            continue;
        waits_before = waits_now;
        waited++;
        waited_ns_max = MAX(waited_ns_max, ns[i]);
    }
    atomic_store(&b->stop, true);
    pthread_join(t, NULL);
    qsort(ns, LATENCIES, sizeof(*ns), compare_doubles);
    printf("{\"bench\":\"store_get_commits\",\"p50\":%.0f,\"p99\":%.0f,\"p9999\":%.0f,\"max\":%.0f,"
           "\"waited\":%ld,\"waited_max\":%.0f}\n",
           ns[LATENCIES / 2], ns[LATENCIES / 100 * 99], ns[LATENCIES / 10000 * 9999],
           ns[LATENCIES - 1], waited, waited_ns_max);
    free(ns);
}

int
main(int argc, char **argv)
{
    struct store_env_options env_opt = {.block_cache_bytes = 256 * MIB, .background_threads = 1};
    struct store_options opt = {.dir = argv[1], .compression = STORE_COMPRESSION_LZ4};
    struct store_env *env = store_env_create(&env_opt);
    struct store_error err;
    struct bench b = {.keys = malloc(ROWS * sizeof(*b.keys)),
                      .values = malloc(ROWS * sizeof(*b.values))};

    if (argc != 2 || !env || !b.keys || !b.values) {
        fprintf(stderr, "usage: bench_store_rows DIRECTORY\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_slot();
    check(store_open(&b.s, env, &opt, &err), &err);
    bench_commits(&b, true);
    bench_commits(&b, false);
    bench_get(&b, false);
    bench_get(&b, true);
    bench_get_commits(&b);
    store_close(&b.s);
    store_env_destroy(&env);
    free(b.keys);
    free(b.values);
    return 0;
}

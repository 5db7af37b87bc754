/* What the databases of a process share.
 *
 * Compaction yields to whoever answers clients, as checkpoints do: where a loop has the same CPU it gets
 * a quarter of it. A thread starts with the priority of its creator, too, and nobody may raise his
 * own again without privileges, so the pool is started by a thread made for that.
 *
 * Where RocksDB's threads run is decided by who creates them: a thread starts with the CPU mask of
 * its creator. If a pinned core's thread were that creator, compaction would run on this core for
 * good. Our monitor (store_monitor.c) starts in store_env_create; RocksDB creates threads in three
 * places:
 *
 * - The pools for compaction (low) and for flushes and deferred deletion of files (high) belong to
 *   the process. Setting the size of a pool starts its threads at once, in the calling thread: so
 *   store_env_create sets both sizes, and nothing that is submitted later starts another one, since
 *   the databases ask for no more jobs than there are threads.
 * - Opening a database starts a timer thread and, for the time of the open, threads that read the
 *   tables' metadata. store_env_enter lends the caller our CPUs meanwhile.
 * - After a full disk RocksDB polls for room in a thread that the failing one starts: a pool thread
 *   or the helper that commits, both already in the right place. */
#include "shards/store/store_priv.h"

#include "core/cpu.h"

#include <pthread.h>
#include <stdlib.h>

#define FLUSH_THREADS 1
#define RATE_REFILL_US (100 * 1000)
#define RATE_FAIRNESS 10 /* one in ten turns the low priority goes first */

static void *
start_compaction(void *arg)
{
    struct store_env *e = arg;

    cpu_yield_to_loops();
    rocksdb_env_set_low_priority_background_threads(e->env, (int)e->background_threads);
    return NULL;
}

static void
start_pools(struct store_env *e)
{
    pthread_t yielding;
    int err = pthread_create(&yielding, NULL, start_compaction, e);

    ASSERT(err == 0);
    pthread_join(yielding, NULL);
    rocksdb_env_set_high_priority_background_threads(e->env, FLUSH_THREADS);
}

struct store_env *
store_env_create(const struct store_env_options *opt)
{
    struct store_env *e = calloc(1, sizeof(*e));

    ASSERT(opt->background_threads >= 1);
    if (!e)
        return NULL;
    if (sched_getaffinity(0, sizeof(e->cpus), &e->cpus) < 0 ||
        store_monitor_start(&e->monitor) < 0) {
        free(e);
        return NULL;
    }
    e->background_threads = opt->background_threads;
    e->env = rocksdb_create_default_env();
    start_pools(e);
    e->cache = rocksdb_cache_create_lru(opt->block_cache_bytes);
    if (opt->compaction_rate_bytes)
        e->limiter = rocksdb_ratelimiter_create((int64_t)opt->compaction_rate_bytes, RATE_REFILL_US,
                                                RATE_FAIRNESS);
    return e;
}

void
store_env_destroy(struct store_env **e)
{
    struct store_env *env = *e;

    if (!env)
        return;
    store_monitor_stop(&env->monitor);
    if (env->limiter)
        rocksdb_ratelimiter_destroy(env->limiter);
    rocksdb_cache_destroy(env->cache);
    /* The default environment outlives us; its idle threads need not. */
    rocksdb_env_set_low_priority_background_threads(env->env, 0);
    rocksdb_env_set_high_priority_background_threads(env->env, 0);
    rocksdb_env_destroy(env->env);
    free(env);
    *e = NULL;
}

int
store_env_enter(const struct store_env *e, cpu_set_t *ret_before)
{
    cpu_set_t before;

    if (sched_getaffinity(0, sizeof(before), &before) < 0)
        return -errno;
    if (sched_setaffinity(0, sizeof(e->cpus), &e->cpus) < 0)
        return -errno;
    *ret_before = before;
    return 0;
}

void
store_env_leave(const cpu_set_t *before)
{
    /* Fails only if these CPUs were taken from the process meanwhile; then the kernel has already
     * chosen others for the thread. */
    (void)sched_setaffinity(0, sizeof(*before), before);
}

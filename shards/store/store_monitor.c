/* What RocksDB says of itself, where a loop can read it.
 *
 * RocksDB answers such questions under its mutex, for which a loop must not wait. So a thread of
 * the environment asks, every MONITOR_MS and for all databases of the process, and leaves the
 * answers in the store; commits and full compactions bring them up to date themselves. A reader
 * only loads numbers: each is right for some moment of the last quarter of a second, they need not
 * agree with one another, hence relaxed order. */
#include "shards/store/store_priv.h"

#include <stdlib.h>
#include <time.h>

#define MONITOR_MS 250

static uint64_t
number(struct store *s, const char *property)
{
    uint64_t v = 0;

    return rocksdb_property_int(s->db, property, &v) == 0 ? v : 0;
}

/* Not every property has a number; this one is text only. */
static uint64_t
l0_files(struct store *s)
{
    char *text = rocksdb_property_value(s->db, "rocksdb.num-files-at-level0");
    uint64_t v;

    if (!text)
        return 0;
    v = strtoull(text, NULL, 10);
    rocksdb_free(text);
    return v;
}

static void
set(struct store *s, enum store_number which, uint64_t v)
{
    atomic_store_explicit(&s->numbers[which], v, memory_order_relaxed);
}

static void
refresh(struct store *s)
{
    set(s, STORE_SST_BYTES, number(s, "rocksdb.live-sst-files-size"));
    set(s, STORE_LIVE_KEYS, number(s, "rocksdb.estimate-num-keys"));
    set(s, STORE_PENDING_BYTES, number(s, "rocksdb.estimate-pending-compaction-bytes"));
    set(s, STORE_COMPACTIONS, number(s, "rocksdb.num-running-compactions"));
    set(s, STORE_L0_FILES, l0_files(s));
    set(s, STORE_ERRORS, number(s, "rocksdb.background-errors"));
    set(s, STORE_READERS_BYTES, number(s, "rocksdb.estimate-table-readers-mem"));
    set(s, STORE_WRITE_STOPPED, number(s, "rocksdb.is-write-stopped"));
}

void
store_monitor_refresh(struct store *s)
{
    /* One at a time, or older answers could overwrite newer ones. */
    pthread_mutex_lock(&s->env->monitor.lock);
    if (store_enter(s, false)) {
        if (s->db)
            refresh(s);
        store_leave(s);
    }
    pthread_mutex_unlock(&s->env->monitor.lock);
}

static struct timespec
next_round(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += MONITOR_MS * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

/* Sleeps until the next round or the end; the lock is held before and after. */
static void
sleep_a_round(struct store_monitor *m)
{
    struct timespec until = next_round();

    while (!m->stop && pthread_cond_timedwait(&m->wake, &m->lock, &until) != ETIMEDOUT)
        ;
}

static void *
monitor_main(void *arg)
{
    struct store_monitor *m = arg;

    pthread_setname_np(pthread_self(), "store-monitor");
    pthread_mutex_lock(&m->lock);
    for (; !m->stop; sleep_a_round(m))
        for (struct list *node = m->stores.next; node != &m->stores; node = node->next) {
            struct store *s = container_of(node, struct store, monitor_node);

            if (!store_enter(s, false))
                continue;
            if (s->db)
                refresh(s);
            store_leave(s);
        }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

int
store_monitor_start(struct store_monitor *m)
{
    pthread_condattr_t attr;

    list_init(&m->stores);
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &attr);
    pthread_condattr_destroy(&attr);
    return -pthread_create(&m->thread, NULL, monitor_main, m);
}

void
store_monitor_stop(struct store_monitor *m)
{
    pthread_mutex_lock(&m->lock);
    ASSERT(list_empty(&m->stores));
    m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
}

void
store_monitor_add(struct store *s)
{
    pthread_mutex_lock(&s->env->monitor.lock);
    list_push_back(&s->env->monitor.stores, &s->monitor_node);
    pthread_mutex_unlock(&s->env->monitor.lock);
    store_monitor_refresh(s);
}

void
store_monitor_remove(struct store *s)
{
    pthread_mutex_lock(&s->env->monitor.lock);
    list_remove(&s->monitor_node);
    pthread_mutex_unlock(&s->env->monitor.lock);
}

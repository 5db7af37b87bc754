/* What waits is a stack, whose links stand in the memory that is to go. Pushing is one compare and swap,
 * and one wake-up when the stack was empty; the thread takes the whole stack at once, so nothing is ever
 * popped by two and no link is read after its memory went. */
#include "core/reaper.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

struct piece {
    struct piece *next;
};

static _Atomic(struct piece *) waiting;
static atomic_bool running; /* release on start and stop; readers only need to see it some time */
static sem_t work;
static pthread_t thread;

static void
free_all(void)
{
    /* acquire: with the push, so that the last use of the memory comes before its end */
    struct piece *p = atomic_exchange_explicit(&waiting, NULL, memory_order_acquire);

    while (p) {
        struct piece *next = p->next;

        free(p);
        p = next;
    }
}

static void *
reaper_run(void *arg)
{
    while (atomic_load_explicit(&running, memory_order_acquire)) {
        free_all();
        while (sem_wait(&work) < 0)
            ASSERT(errno == EINTR);
    }
    free_all();
    return NULL;
}

int
reaper_start(void)
{
    int rc;

    ASSERT(!atomic_load(&running));
    if (sem_init(&work, 0, 0) < 0)
        return -errno;
    atomic_store_explicit(&running, true, memory_order_release);
    rc = pthread_create(&thread, NULL, reaper_run, NULL);
    if (rc) {
        atomic_store_explicit(&running, false, memory_order_release);
        sem_destroy(&work);
        return -rc;
    }
    pthread_setname_np(thread, "reaper");
    return 0;
}

void
reaper_stop(void)
{
    if (!atomic_load(&running))
        return;
    atomic_store_explicit(&running, false, memory_order_release);
    sem_post(&work);
    pthread_join(thread, NULL);
    sem_destroy(&work);
}

void
reaper_free(void *p, size_t n)
{
    struct piece *piece = p, *first;

    if (likely(n < REAPER_BYTES_MIN) || !atomic_load_explicit(&running, memory_order_relaxed)) {
        free(p);
        return;
    }
    first = atomic_load_explicit(&waiting, memory_order_relaxed);
    do
        piece->next = first;
    while (!atomic_compare_exchange_weak_explicit(&waiting, &first, piece, memory_order_release,
                                                  memory_order_relaxed));
    if (first == NULL)
        sem_post(&work);
}

/* Helper threads. Each lane is a queue under its own mutex; finished jobs of all lanes come back
 * through one list under another. The reactor looks at that list without the mutex first, so a turn
 * without news costs one load. Jobs of a lane with one thread complete in the order they were
 * submitted. */
#include "core/offload.h"

#include "core/cpu.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREAD_NAME_BYTES 16 /* the kernel's limit, with the NUL */

struct job_queue {
    struct offload_job *first, **last;
};

struct lane {
    struct offload *owner;
    pthread_t threads[OFFLOAD_READERS];
    unsigned started; /* threads */
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct job_queue queue; /* under lock */
    bool stop;              /* under lock */
};

struct offload {
    /* reactor's side */
    unsigned pending;
    struct job_queue ready; /* taken from finished, done() not yet called */
    int wake_fd;
    /* both sides */
    pthread_mutex_t lock;
    pthread_cond_t progress;
    struct job_queue finished;  /* under lock */
    _Atomic bool have_finished; /* hint: finished is not empty */
    struct lane lanes[OFFLOAD_LANES];
};

static const struct {
    const char *name;
    unsigned threads;
} lane_kinds[OFFLOAD_LANES] = {
    [OFFLOAD_FILES] = {"files", 1},
    [OFFLOAD_READS] = {"reads", OFFLOAD_READERS},
    [OFFLOAD_CHECKPOINT] = {"ckpt", 1},
};

/* ---- queue ---- */

static void
queue_init(struct job_queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

static void
queue_push(struct job_queue *q, struct offload_job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct offload_job *
queue_pop(struct job_queue *q)
{
    struct offload_job *j = q->first;

    if (!j)
        return NULL;
    q->first = j->next;
    if (!q->first)
        q->last = &q->first;
    return j;
}

static void
queue_move(struct job_queue *to, struct job_queue *from)
{
    if (!from->first)
        return;
    *to->last = from->first;
    to->last = from->last;
    queue_init(from);
}

/* ---- lane's thread ---- */

static struct offload_job *
lane_next(struct lane *l)
{
    struct offload_job *j;

    pthread_mutex_lock(&l->lock);
    while (!(j = queue_pop(&l->queue)) && !l->stop)
        pthread_cond_wait(&l->news, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return j;
}

/* Only the first of a run of completions writes the eventfd; the reactor takes them all. */
static void
lane_finish(struct offload *o, struct offload_job *j)
{
    static const uint64_t one = 1;
    bool first;

    pthread_mutex_lock(&o->lock);
    first = !o->finished.first;
    queue_push(&o->finished, j);
    /* Release pairs with the acquire in offload_poll, though only as a hint: the list itself is
     * read under the lock. */
    atomic_store_explicit(&o->have_finished, true, memory_order_release);
    pthread_cond_signal(&o->progress);
    pthread_mutex_unlock(&o->lock);
    /* EAGAIN means the counter is full of wake-ups already. */
    if (first && write(o->wake_fd, &one, sizeof(one)) < 0)
        ASSERT(errno == EAGAIN);
}

static void *
lane_main(void *arg)
{
    struct lane *l = arg;
    struct offload_job *j;

    if (l == &l->owner->lanes[OFFLOAD_CHECKPOINT])
        cpu_yield_to_loops();
    while ((j = lane_next(l))) {
        j->work(j);
        lane_finish(l->owner, j);
    }
    return NULL;
}

/* ---- starting and ending ---- */

/* Signals are for the main thread: helpers block them all. */
static int
thread_create_quiet(struct lane *l, const pthread_attr_t *attr)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&l->threads[l->started], attr, lane_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

static int
thread_start(struct lane *l, const struct cpu_set *cpus, const char *name, const char *suffix)
{
    char text[THREAD_NAME_BYTES];
    pthread_attr_t attr;
    int err;

    pthread_attr_init(&attr);
    err = cpus ? -pthread_attr_setaffinity_np(&attr, sizeof(cpus->set), &cpus->set) : 0;
    if (!err)
        err = thread_create_quiet(l, &attr);
    pthread_attr_destroy(&attr);
    if (err)
        return err;
    snprintf(text, sizeof(text), "%.9s/%s", name, suffix);
    pthread_setname_np(l->threads[l->started++], text);
    return 0;
}

static int
lane_start(struct lane *l, unsigned lane, const struct cpu_set *cpus, const char *name)
{
    int err = 0;

    while (err == 0 && l->started < lane_kinds[lane].threads)
        err = thread_start(l, cpus, name, lane_kinds[lane].name);
    return err;
}

static void
lane_init(struct lane *l, struct offload *o)
{
    l->owner = o;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->news, NULL);
    queue_init(&l->queue);
}

int
offload_create(struct offload **ret_o, int wake_fd, const struct cpu_set *cpus, const char *name)
{
    struct offload *o = calloc(1, sizeof(*o));
    unsigned i;
    int err;

    if (!o)
        return -ENOMEM;
    o->wake_fd = wake_fd;
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->progress, NULL);
    queue_init(&o->ready);
    queue_init(&o->finished);
    for (i = 0; i < OFFLOAD_LANES; i++)
        lane_init(&o->lanes[i], o);
    for (i = 0; i < OFFLOAD_LANES; i++) {
        err = lane_start(&o->lanes[i], i, cpus, name);
        if (err) {
            offload_destroy(&o);
            return err;
        }
    }
    *ret_o = o;
    return 0;
}

/* Runs completions until nothing is pending; a done() may submit more. */
static void
offload_finish_all(struct offload *o)
{
    while (o->pending) {
        pthread_mutex_lock(&o->lock);
        while (!o->finished.first && !o->ready.first)
            pthread_cond_wait(&o->progress, &o->lock);
        pthread_mutex_unlock(&o->lock);
        offload_poll(o, UINT_MAX);
    }
}

static void
lane_stop(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
    while (l->started > 0)
        pthread_join(l->threads[--l->started], NULL);
}

void
offload_destroy(struct offload **op)
{
    struct offload *o = *op;
    unsigned i;

    if (!o)
        return;
    offload_finish_all(o);
    for (i = 0; i < OFFLOAD_LANES; i++)
        lane_stop(&o->lanes[i]);
    for (i = 0; i < OFFLOAD_LANES; i++) {
        pthread_cond_destroy(&o->lanes[i].news);
        pthread_mutex_destroy(&o->lanes[i].lock);
    }
    pthread_cond_destroy(&o->progress);
    pthread_mutex_destroy(&o->lock);
    free(o);
    *op = NULL;
}

/* ---- reactor's side ---- */

void
offload_submit(struct offload *o, enum offload_lane lane, struct offload_job *j)
{
    struct lane *l = &o->lanes[lane];

    ASSERT(lane < OFFLOAD_LANES && j->work && j->done);
    o->pending++;
    pthread_mutex_lock(&l->lock);
    queue_push(&l->queue, j);
    pthread_cond_signal(&l->news);
    pthread_mutex_unlock(&l->lock);
}

static void
take_finished(struct offload *o)
{
    if (!atomic_load_explicit(&o->have_finished, memory_order_acquire))
        return;
    pthread_mutex_lock(&o->lock);
    queue_move(&o->ready, &o->finished);
    atomic_store_explicit(&o->have_finished, false, memory_order_relaxed);
    pthread_mutex_unlock(&o->lock);
}

unsigned
offload_poll(struct offload *o, unsigned budget)
{
    struct offload_job *j;
    unsigned n = 0;

    if (!o->pending)
        return 0;
    take_finished(o);
    while (n < budget && (j = queue_pop(&o->ready))) {
        o->pending--;
        j->done(j);
        n++;
    }
    return n;
}

/* Relaxed: who finds out later is woken by wake_fd as well. */
bool
offload_has_finished(const struct offload *o)
{
    return o->ready.first || atomic_load_explicit(&o->have_finished, memory_order_relaxed);
}

unsigned
offload_pending(const struct offload *o)
{
    return o->pending;
}

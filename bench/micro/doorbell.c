/* What waking a sleeping core costs: an eventfd that the other ring polls, or IORING_OP_MSG_RING,
 * which posts a completion to the other ring. Two pinned threads with rings set up as the reactor's
 * wake each other in turn, each asleep in io_uring_enter meanwhile.
 *
 * Two figures for each way: one way, from the bell to the running sleeper (half a round trip), and
 * the CPU time both threads spend on it. The enter that submits a MSG_RING is the one that waits,
 * as in a loop turn; the write to the eventfd is a system call more. The two take turns, medians of
 * many short runs. One line of JSON; about two seconds. */
#include "core/base.h"
#include "core/clock.h"
#include "core/cpu.h"

#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RUNS 60
#define ROUND_TRIPS 300 /* in one run */
#define BELL 1          /* user_data of a completion that another ring posted */
#define BENCH_NS_MAX 4000000000ull

enum way { EVENTFD, MSG_RING, WAYS };

struct side {
    struct io_uring ring;
    int wake_fd, cpu;
    struct side *other;
    uint64_t cpu_ns; /* of one run */
};

struct bench {
    struct side sides[2];
    enum way way;
    pthread_barrier_t barrier;
    bool stop;
};

static void
side_open(struct side *s)
{
    struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                         IORING_SETUP_COOP_TASKRUN};
    struct io_uring_sqe *sqe;

    ASSERT(cpu_pin(s->cpu) == 0);
    ASSERT(io_uring_queue_init_params(64, &s->ring, &p) == 0);
    sqe = io_uring_get_sqe(&s->ring);
    io_uring_prep_poll_multishot(sqe, s->wake_fd, POLLIN);
    sqe->user_data = 0;
    ASSERT(io_uring_submit(&s->ring) == 1);
}

static void
ring_bell(struct side *s, enum way way)
{
    struct io_uring_sqe *sqe;
    uint64_t one = 1;

    if (way == EVENTFD) {
        ASSERT(write(s->other->wake_fd, &one, sizeof(one)) == sizeof(one));
        return;
    }
    sqe = io_uring_get_sqe(&s->ring);
    io_uring_prep_msg_ring(sqe, s->other->ring.ring_fd, 0, BELL, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* Sleeps until the bell rings; what was prepared is submitted on the way. */
static void
wait_bell(struct side *s, enum way way)
{
    struct io_uring_cqe *cqe;
    bool rang = false;
    uint64_t count;

    while (!rang) {
        ASSERT(io_uring_submit_and_wait(&s->ring, 1) >= 0);
        while (io_uring_peek_cqe(&s->ring, &cqe) == 0) {
            ASSERT(cqe->res >= 0);
            rang = true;
            io_uring_cqe_seen(&s->ring, cqe);
        }
    }
    if (way == EVENTFD)
        ASSERT(read(s->wake_fd, &count, sizeof(count)) == sizeof(count));
}

static uint64_t
thread_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* The other side: answers each bell. */
static void *
echo_main(void *arg)
{
    struct bench *b = arg;
    struct side *s = &b->sides[1];

    side_open(s);
    for (;;) {
        uint64_t start;

        pthread_barrier_wait(&b->barrier);
        if (b->stop)
            return NULL;
        start = thread_ns();
        for (unsigned i = 0; i < ROUND_TRIPS; i++) {
            wait_bell(s, b->way);
            ring_bell(s, b->way);
        }
        ASSERT(io_uring_submit(&s->ring) >= 0);
        s->cpu_ns = thread_ns() - start;
        pthread_barrier_wait(&b->barrier);
    }
}

/* One run; both figures are of one bell. */
static void
run(struct bench *b, enum way way, double *ret_way_ns, double *ret_cpu_ns)
{
    struct side *s = &b->sides[0];
    uint64_t start, cpu;

    b->way = way;
    pthread_barrier_wait(&b->barrier);
    start = clock_now_ns();
    cpu = thread_ns();
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        ring_bell(s, way);
        wait_bell(s, way);
    }
    *ret_way_ns = (double)(clock_now_ns() - start) / ROUND_TRIPS / 2;
    cpu = thread_ns() - cpu;
    pthread_barrier_wait(&b->barrier);
    *ret_cpu_ns = (double)(cpu + b->sides[1].cpu_ns) / ROUND_TRIPS / 2;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *v, unsigned n)
{
    qsort(v, n, sizeof(*v), compare);
    return v[n / 2];
}

int
main(void)
{
    static struct bench b;
    double way_ns[WAYS][RUNS], cpu_ns[WAYS][RUNS];
    uint64_t end = clock_now_ns() + BENCH_NS_MAX;
    pthread_t echo;
    unsigned n;

    for (int i = 0; i < 2; i++) {
        b.sides[i] = (struct side){.cpu = i, .other = &b.sides[!i]};
        b.sides[i].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        ASSERT(b.sides[i].wake_fd >= 0);
    }
    pthread_barrier_init(&b.barrier, NULL, 2);
    ASSERT(pthread_create(&echo, NULL, echo_main, &b) == 0);
    side_open(&b.sides[0]);
    for (n = 0; n < RUNS && clock_now_ns() < end; n++)
        for (int way = 0; way < WAYS; way++)
            run(&b, way, &way_ns[way][n], &cpu_ns[way][n]);
    b.stop = true;
    pthread_barrier_wait(&b.barrier);
    pthread_join(echo, NULL);
    printf("{\"bench\": \"doorbell\", \"runs\": %u, \"eventfd_ns\": %.0f, \"eventfd_cpu_ns\": %.0f, "
           "\"msg_ring_ns\": %.0f, \"msg_ring_cpu_ns\": %.0f}\n",
           n, median(way_ns[EVENTFD], n), median(cpu_ns[EVENTFD], n), median(way_ns[MSG_RING], n),
           median(cpu_ns[MSG_RING], n));
    return 0;
}

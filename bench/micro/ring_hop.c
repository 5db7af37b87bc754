/* How long a pointer takes from one core to another through a ring: two pinned threads play
 * ping-pong over two rings, a hop is half a round trip.
 *
 * The floor is what one cache line takes between the same two cores (line_ns), which differs
 * several times over between neighbours and strangers, and in a virtual machine from one second to
 * the next; so both are measured in turns. Medians of many short runs, so that a preempted run does
 * not count. One line of JSON; about a second. */
#include "core/clock.h"
#include "core/cpu.h"
#include "core/ring.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define RING_CAPACITY 128
#define RUNS 400
#define ROUND_TRIPS 1000 /* in one run */
#define BENCH_NS_MAX 1000000000ull

struct hop {
    struct ring there, back;
    int cpus[2];
    alignas(2 * CACHE_LINE) _Atomic unsigned line_there;
    alignas(2 * CACHE_LINE) _Atomic unsigned line_back;
    alignas(2 * CACHE_LINE) _Atomic bool stop;
};

/* Answers both kinds of balls. */
static void *
echo_main(void *arg)
{
    struct hop *h = arg;
    unsigned seen = 0, now;
    void *p;

    ASSERT(cpu_pin(h->cpus[1]) == 0);
    while (!atomic_load_explicit(&h->stop, memory_order_relaxed)) {
        while ((p = ring_pop(&h->there)))
            ASSERT(ring_push(&h->back, p));
        while ((now = atomic_load_explicit(&h->line_there, memory_order_acquire)) != seen)
            atomic_store_explicit(&h->line_back, seen = now, memory_order_release);
    }
    return NULL;
}

static double
ring_ns(struct hop *h)
{
    uint64_t start = clock_now_ns();
    unsigned i;

    for (i = 0; i < ROUND_TRIPS; i++) {
        ASSERT(ring_push(&h->there, h));
        while (!ring_pop(&h->back))
            ;
    }
    return (double)(clock_now_ns() - start) / ROUND_TRIPS / 2;
}

static double
line_ns(struct hop *h)
{
    unsigned first = atomic_load_explicit(&h->line_there, memory_order_relaxed), i;
    uint64_t start = clock_now_ns();

    for (i = first + 1; i != first + 1 + ROUND_TRIPS; i++) {
        atomic_store_explicit(&h->line_there, i, memory_order_release);
        while (atomic_load_explicit(&h->line_back, memory_order_acquire) != i)
            ;
    }
    return (double)(clock_now_ns() - start) / ROUND_TRIPS / 2;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *ns, unsigned n)
{
    qsort(ns, n, sizeof(ns[0]), compare);
    return ns[n / 2];
}

static void
measure(struct hop *h)
{
    uint64_t deadline = clock_now_ns() + BENCH_NS_MAX;
    static double ring[RUNS], line[RUNS];
    unsigned n = 0;

    ring_ns(h); /* warm up */
    while (n < RUNS && (n == 0 || clock_now_ns() < deadline)) {
        ring[n] = ring_ns(h);
        line[n++] = line_ns(h);
    }
    printf("{\"name\":\"ring_hop\",\"ns\":%.1f,", median(ring, n));
    printf("\"best_ns\":%.1f,\"line_ns\":%.1f}\n", ring[0], median(line, n));
}

int
main(void)
{
    static struct hop h;
    struct cpu_set cpus;
    pthread_t echo;

    if (cpu_set_allowed(&cpus) || cpus.n < 2) {
        fprintf(stderr, "ring_hop: needs two CPUs\n");
        return 1;
    }
    h.cpus[0] = cpu_set_at(&cpus, 0);
    h.cpus[1] = cpu_set_at(&cpus, 1);
    ASSERT(ring_init(&h.there, RING_CAPACITY) == 0 && ring_init(&h.back, RING_CAPACITY) == 0);
    if (pthread_create(&echo, NULL, echo_main, &h) || cpu_pin(h.cpus[0])) {
        fprintf(stderr, "ring_hop: cannot start the second thread or pin the first\n");
        return 1;
    }
    measure(&h);
    atomic_store_explicit(&h.stop, true, memory_order_relaxed);
    pthread_join(echo, NULL);
    ring_fini(&h.there);
    ring_fini(&h.back);
    return 0;
}

#include "core/timer.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define TIMERS 500

struct probe {
    struct timer t;
    struct timer_heap *heap;
    unsigned fired;
    uint64_t again_ns; /* arms itself this much later */
};

static uint64_t last_deadline;

static void
probe_fire(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, t);

    cr_assert_not(timer_armed(t));
    cr_assert_leq(last_deadline, t->deadline_ns);
    last_deadline = t->deadline_ns;
    p->fired++;
    if (p->again_ns)
        timer_arm(p->heap, t, t->deadline_ns + p->again_ns);
}

static void
check_heap(const struct timer_heap *h)
{
    uint32_t i;

    for (i = 1; i <= h->n; i++) {
        cr_assert_eq(h->items[i]->slot, i);
        if (i > 1)
            cr_assert_leq(h->items[i / 2]->deadline_ns, h->items[i]->deadline_ns);
    }
}

/* Arm, re-arm, cancel and run at random against an array that is searched linearly. */
Test(timer, random_use_agrees_with_a_plain_array)
{
    static struct probe probes[TIMERS];
    static unsigned expected[TIMERS];
    struct timer_heap h;
    uint64_t now = 0, min;
    unsigned step, i, n;

    srandom(7);
    timer_heap_init(&h);
    for (i = 0; i < TIMERS; i++)
        probes[i] = (struct probe){.t.fn = probe_fire, .heap = &h};
    for (step = 0; step < 20000; step++) {
        i = (unsigned)random() % TIMERS;
        if (random() % 4)
            timer_arm(&h, &probes[i].t, now + 1 + (uint64_t)random() % 1000);
        else
            timer_cancel(&h, &probes[i].t);
        if (step % 16 == 0) {
            now += (uint64_t)random() % 50;
            n = 0;
            for (i = 0; i < TIMERS; i++)
                if (timer_armed(&probes[i].t) && probes[i].t.deadline_ns <= now) {
                    expected[i]++;
                    n++;
                }
            last_deadline = 0;
            cr_assert_eq(timer_run(&h, now, UINT_MAX), n);
            check_heap(&h);
        }
    }
    min = UINT64_MAX;
    for (i = 0; i < TIMERS; i++) {
        cr_assert_eq(probes[i].fired, expected[i]);
        if (timer_armed(&probes[i].t))
            min = MIN(min, probes[i].t.deadline_ns);
    }
    cr_assert_eq(timer_next(&h), min);
    timer_heap_fini(&h);
}

Test(timer, empty_heap_has_no_next_deadline)
{
    struct timer_heap h;

    timer_heap_init(&h);
    cr_assert_eq(timer_next(&h), UINT64_MAX);
    cr_assert_eq(timer_run(&h, UINT64_MAX, 10), 0);
    timer_heap_fini(&h);
}

Test(timer, the_next_deadline_of_all_others)
{
    struct timer_heap h;
    struct timer t[4] = {{.fn = probe_fire}, {.fn = probe_fire}, {.fn = probe_fire}, {.fn = probe_fire}};
    struct timer other = {.fn = probe_fire};

    timer_heap_init(&h);
    cr_assert_eq(timer_next_but(&h, &t[0]), UINT64_MAX);
    timer_arm(&h, &t[0], 10);
    cr_assert_eq(timer_next_but(&h, &t[0]), UINT64_MAX);
    cr_assert_eq(timer_next_but(&h, &other), 10);
    timer_arm(&h, &t[1], 30);
    cr_assert_eq(timer_next_but(&h, &t[0]), 30);
    timer_arm(&h, &t[2], 20);
    timer_arm(&h, &t[3], 40);
    cr_assert_eq(timer_next_but(&h, &t[0]), 20);
    cr_assert_eq(timer_next_but(&h, &t[2]), 10);
    cr_assert_eq(timer_next_but(&h, &other), 10);
    timer_cancel(&h, &t[0]);
    cr_assert_eq(timer_next_but(&h, &t[0]), 20);
    cr_assert_eq(timer_next_but(&h, &t[2]), 30);
    timer_heap_fini(&h);
}

Test(timer, a_timer_that_arms_itself_is_bounded_by_the_budget)
{
    struct timer_heap h;
    struct probe p = {.t.fn = probe_fire, .heap = &h, .again_ns = 1};

    timer_heap_init(&h);
    timer_arm(&h, &p.t, 1);
    cr_assert_eq(timer_run(&h, 1000, 5), 5);
    cr_assert_eq(p.fired, 5);
    cr_assert(timer_armed(&p.t));
    cr_assert_eq(timer_next(&h), 6);
    timer_heap_fini(&h);
}

Test(timer, cancelling_twice_is_harmless)
{
    struct timer_heap h;
    struct probe a = {.t.fn = probe_fire}, b = {.t.fn = probe_fire};

    timer_heap_init(&h);
    timer_arm(&h, &a.t, 10);
    timer_arm(&h, &b.t, 20);
    timer_cancel(&h, &a.t);
    timer_cancel(&h, &a.t);
    cr_assert_eq(timer_next(&h), 20);
    cr_assert_eq(timer_run(&h, 100, 10), 1);
    cr_assert_eq(a.fired, 0);
    cr_assert_eq(b.fired, 1);
    timer_heap_fini(&h);
}

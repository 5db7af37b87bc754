#include "core/ring.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#define RING_SIZE 128

static void *
item(uintptr_t n)
{
    return (void *)n;
}

Test(ring, pops_in_order_of_pushes_across_the_wrap)
{
    struct ring r;
    uintptr_t in = 1, out = 1;
    unsigned round, i;

    cr_assert_eq(ring_init(&r, RING_SIZE), 0);
    for (round = 0; round < 1000; round++) {
        for (i = 0; i < 1 + round % RING_SIZE; i++)
            cr_assert(ring_push(&r, item(in++)));
        cr_assert_eq(ring_depth(&r), in - out);
        while (out < in)
            cr_assert_eq(ring_pop(&r), item(out++));
        cr_assert_null(ring_pop(&r));
    }
    ring_fini(&r);
}

Test(ring, push_when_full_returns_false_until_one_is_popped)
{
    struct ring r;
    uintptr_t i;

    cr_assert_eq(ring_init(&r, 4), 0);
    for (i = 1; i <= 4; i++)
        cr_assert(ring_push(&r, item(i)));
    cr_assert_not(ring_push(&r, item(5)));
    cr_assert_eq(ring_room(&r), 0);
    cr_assert_eq(ring_pop(&r), item(1));
    cr_assert_eq(ring_room(&r), 1);
    cr_assert(ring_push(&r, item(5)));
    cr_assert_not(ring_push(&r, item(6)));
    for (i = 2; i <= 5; i++)
        cr_assert_eq(ring_pop(&r), item(i));
    ring_fini(&r);
}

Test(ring, staged_items_are_invisible_until_published)
{
    struct ring r;

    cr_assert_eq(ring_init(&r, 8), 0);
    cr_assert_not(ring_unpublished(&r));
    cr_assert(ring_stage(&r, item(1)));
    cr_assert(ring_stage(&r, item(2)));
    cr_assert(ring_unpublished(&r));
    cr_assert_null(ring_pop(&r));
    cr_assert_eq(ring_depth(&r), 0);
    ring_publish(&r);
    cr_assert_not(ring_unpublished(&r));
    cr_assert_eq(ring_depth(&r), 2);
    cr_assert_eq(ring_pop(&r), item(1));
    ring_fini(&r);
}

Test(ring, batch_takes_at_most_what_was_asked_for)
{
    struct ring r;
    void *got[RING_SIZE];
    uintptr_t i;

    cr_assert_eq(ring_init(&r, RING_SIZE), 0);
    for (i = 1; i <= 10; i++)
        ring_push(&r, item(i));
    cr_assert_eq(ring_pop_batch(&r, got, 4), 4);
    cr_assert_eq(got[0], item(1));
    cr_assert_eq(got[3], item(4));
    cr_assert_eq(ring_pop_batch(&r, got, RING_SIZE), 6);
    cr_assert_eq(got[5], item(10));
    cr_assert_eq(ring_pop_batch(&r, got, RING_SIZE), 0);
    ring_fini(&r);
}

/* The indices are 32 bits and wrap: start them just below. */
Test(ring, indices_wrap_around)
{
    const uint32_t start = UINT32_MAX - 5;
    struct ring r;
    uintptr_t in = 1, out = 1;

    cr_assert_eq(ring_init(&r, 4), 0);
    atomic_store(&r.tail, start);
    atomic_store(&r.head, start);
    r.tail_staged = r.tail_cached = r.head_cached = start;
    for (; in <= 40; in += 3) {
        cr_assert(ring_push(&r, item(in)));
        cr_assert(ring_push(&r, item(in + 1)));
        cr_assert(ring_push(&r, item(in + 2)));
        cr_assert_eq(ring_depth(&r), 3);
        for (; out < in + 3; out++)
            cr_assert_eq(ring_pop(&r), item(out));
    }
    ring_fini(&r);
}

struct duplex {
    struct ring r;
    uint64_t n;
    uint64_t wrong;
};

/* What the pointers point at must be visible too, hence real memory. */
struct cell {
    uint64_t value, check;
};

static void *
consume(void *arg)
{
    struct duplex *d = arg;
    void *got[16];
    uint64_t next = 0;
    uint32_t i, n;

    while (next < d->n) {
        n = ring_pop_batch(&d->r, got, 16);
        if (!n)
            sched_yield();
        for (i = 0; i < n; i++, next++) {
            struct cell *c = got[i];

            d->wrong += c->value != next || c->check != ~next;
        }
    }
    return NULL;
}

Test(ring, two_threads_pass_two_million_items_in_order, .timeout = 300)
{
    /* A cell may be reused once the ring has taken twice its capacity since. */
    static struct cell cells[4 * RING_SIZE];
    static struct duplex d = {.n = 2000000};
    pthread_t consumer;
    uint64_t i;

    cr_assert_eq(ring_init(&d.r, RING_SIZE), 0);
    pthread_create(&consumer, NULL, consume, &d);
    for (i = 0; i < d.n; i++) {
        struct cell *c = &cells[i % ARRAY_SIZE(cells)];

        while (ring_room(&d.r) == 0) {
            ring_publish(&d.r);
            sched_yield();
        }
        c->value = i;
        c->check = ~i;
        cr_assert(ring_stage(&d.r, c));
        if (i % 7 == 0)
            ring_publish(&d.r);
    }
    ring_publish(&d.r);
    pthread_join(consumer, NULL);
    cr_assert_eq(d.wrong, 0);
    ring_fini(&d.r);
}

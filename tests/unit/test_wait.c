/* Who waits for points of which series: a waiter fires when what it lacks has come, and when its
 * series goes. */
#include "shards/engine/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define A SLICE("a")
#define B SLICE("b")

struct waits {
    struct wait_table *t;
    struct list fired;
};

static void
begin(struct waits *x)
{
    x->t = NULL;
    list_init(&x->fired);
}

static void
add(struct waits *x, struct key_waiter *w, uint8_t db, struct slice key, int64_t from,
    uint64_t missing)
{
    *w = (struct key_waiter){.from = from, .missing = missing};
    list_init(&w->node);
    list_init(&w->fired);
    wait_add(&x->t, w, db, key);
}

static struct key_waiter *
fired(struct waits *x)
{
    struct list *node = list_pop_front(&x->fired);

    return node ? list_entry(node, struct key_waiter, fired) : NULL;
}

Test(wait, it_fires_when_as_many_points_as_it_lacks_have_come)
{
    struct key_waiter two, one, other;
    struct waits x;

    begin(&x);
    add(&x, &two, 0, A, 10, 2);
    add(&x, &one, 0, A, 20, 1);
    add(&x, &other, 0, B, 0, 1);
    wait_point(x.t, 0, A, 0, 9, &x.fired);
    wait_point(x.t, 0, A, 1, 30, &x.fired);
    wait_point(x.t, 1, A, 0, 30, &x.fired);
    cr_assert_null(fired(&x), "before its time, of another data type, in another database");
    wait_point(x.t, 0, A, 0, 10, &x.fired);
    cr_assert_null(fired(&x));
    wait_point(x.t, 0, A, 0, 20, &x.fired);
    cr_assert_eq(fired(&x), &two);
    cr_assert_eq(fired(&x), &one);
    cr_assert_null(fired(&x));
    cr_assert(two.seen && one.seen && !two.gone && !other.seen);
    wait_point(x.t, 0, B, 0, 0, &x.fired);
    cr_assert_eq(fired(&x), &other);
    wait_remove(&x.t, &two);
    wait_remove(&x.t, &one);
    cr_assert_not_null(x.t, "one has not looked yet");
    wait_remove(&x.t, &other);
    cr_assert_null(x.t, "nobody waits");
}

Test(wait, a_change_of_the_series_fires_all_of_its_key)
{
    struct key_waiter a, b, c;
    struct waits x;

    begin(&x);
    add(&x, &a, 0, A, 0, 100);
    add(&x, &b, 0, A, 0, 100);
    add(&x, &c, 0, B, 0, 100);
    wait_changed(x.t, 0, A, &x.fired);
    cr_assert_eq(fired(&x), &a);
    cr_assert_eq(fired(&x), &b);
    cr_assert_null(fired(&x));
    wait_remove(&x.t, &c);
    wait_remove(&x.t, &a);
    wait_remove(&x.t, &b);
    cr_assert_null(x.t);
}

Test(wait, who_is_about_to_look_hears_that_its_series_went_meanwhile)
{
    struct key_waiter a, b;
    struct waits x;

    begin(&x);
    add(&x, &a, 0, A, 0, 1);
    add(&x, &b, 0, A, 0, 1);
    wait_point(x.t, 0, A, 0, 5, &x.fired);
    cr_assert_eq(fired(&x), &a);
    wait_gone(x.t, 0, A, &x.fired);
    wait_point(x.t, 0, A, 0, 6, &x.fired);
    cr_assert(a.gone && b.gone);
    cr_assert_eq(fired(&x), &b);
    cr_assert_null(fired(&x), "each is told once");
    wait_remove(&x.t, &a);
    add(&x, &a, 0, A, 0, 1);
    wait_point(x.t, 0, A, 0, 7, &x.fired);
    cr_assert_eq(fired(&x), &a, "anew since it was registered anew");
    wait_table_destroy(&x.t);
}

Test(wait, only_who_saw_the_series_hears_that_it_went)
{
    struct key_waiter saw, never, later;
    struct waits x;

    begin(&x);
    add(&x, &saw, 0, A, 0, 5);
    saw.seen = true;
    add(&x, &never, 0, A, 0, 5);
    wait_gone(x.t, 0, A, &x.fired);
    cr_assert_eq(fired(&x), &saw);
    cr_assert(saw.gone && !never.gone);
    cr_assert_null(fired(&x));
    wait_point(x.t, 0, A, 3, 0, &x.fired);
    add(&x, &later, 0, B, 0, 5);
    later.seen = true;
    wait_gone_db(x.t, 1, &x.fired);
    cr_assert_null(fired(&x));
    wait_gone_db(x.t, 0, &x.fired);
    cr_assert(never.gone && later.gone, "a point of any type shows that the series is there");
    cr_assert_not_null(fired(&x));
    cr_assert_not_null(fired(&x));
    cr_assert_null(fired(&x));
    wait_table_destroy(&x.t);
}

Test(wait, it_can_leave_the_table_and_the_fired)
{
    struct key_waiter a, b;
    struct waits x;

    begin(&x);
    add(&x, &a, 0, A, 0, 1);
    add(&x, &b, 0, A, 0, 2);
    wait_point(x.t, 0, A, 0, 0, &x.fired);
    wait_remove(&x.t, &a);
    cr_assert_null(fired(&x), "it left before anybody looked");
    cr_assert_not_null(x.t);
    wait_remove(&x.t, &b);
    wait_remove(&x.t, &b);
    cr_assert_null(x.t);
}

#define MANY 500

Test(wait, many_keys)
{
    static struct key_waiter w[MANY], twin[MANY];
    struct waits x;
    char name[16];

    begin(&x);
    for (int i = 0; i < MANY; i++) {
        int n = snprintf(name, sizeof(name), "k%d", i);

        add(&x, &w[i], (uint8_t)(i % 3), (struct slice){name, (size_t)n}, 0, 1);
        add(&x, &twin[i], (uint8_t)(i % 3), (struct slice){name, (size_t)n}, 0, 2);
    }
    for (int i = 0; i < MANY; i++) {
        int n = snprintf(name, sizeof(name), "k%d", i);

        wait_point(x.t, (uint8_t)(i % 3), (struct slice){name, (size_t)n}, 0, 0, &x.fired);
        cr_assert_eq(fired(&x), &w[i], "key %d", i);
        cr_assert_null(fired(&x));
    }
    wait_table_destroy(&x.t);
    cr_assert_null(x.t);
    cr_assert_null(twin[0].key);
    wait_table_destroy(&x.t);
}

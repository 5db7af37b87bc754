/* Who watches what: a change marks exactly the clients that watch the key. */
#include "shards/engine/watch.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define A SLICE("a")
#define B SLICE("b")

Test(watch, a_change_marks_who_watches_that_key)
{
    struct watch_table *t = NULL;

    watch_add(&t, 1, 0, A);
    watch_add(&t, 2, 0, B);
    watch_add(&t, 3, 0, A);
    watch_add(&t, 3, 0, B);
    cr_assert(!watch_is_touched(t, 1) && !watch_is_touched(t, 2) && !watch_is_touched(t, 3));
    watch_touch(t, 0, A);
    cr_assert(watch_is_touched(t, 1) && watch_is_touched(t, 3));
    cr_assert(!watch_is_touched(t, 2), "it watches another key");
    watch_touch(t, 0, SLICE("c"));
    watch_touch(t, 0, SLICE(""));
    cr_assert_not(watch_is_touched(t, 2));
    watch_touch(t, 0, B);
    cr_assert(watch_is_touched(t, 2));
    watch_table_destroy(&t);
    cr_assert_null(t);
}

Test(watch, keys_of_two_databases_are_two_keys)
{
    struct watch_table *t = NULL;

    watch_add(&t, 1, 3, A);
    watch_touch(t, 0, A);
    cr_assert_not(watch_is_touched(t, 1));
    watch_touch(t, 3, A);
    cr_assert(watch_is_touched(t, 1));
    watch_table_destroy(&t);
}

Test(watch, the_table_is_there_while_somebody_watches)
{
    struct watch_table *t = NULL;

    watch_remove(&t, 1);
    cr_assert_null(t);
    watch_add(&t, 1, 0, A);
    watch_add(&t, 2, 0, A);
    watch_remove(&t, 1);
    cr_assert_not_null(t);
    watch_remove(&t, 1);
    cr_assert_not_null(t, "the other one still watches");
    watch_touch(t, 0, A);
    cr_assert(watch_is_touched(t, 2) && !watch_is_touched(t, 1));
    watch_remove(&t, 2);
    cr_assert_null(t);
    cr_assert_not(watch_is_touched(t, 2));
}

/* The mark goes with the watches: a client that begins anew is not marked by what was before. */
Test(watch, who_watches_again_begins_unmarked)
{
    struct watch_table *t = NULL;

    watch_add(&t, 1, 0, A);
    watch_add(&t, 2, 0, B);
    watch_touch(t, 0, A);
    watch_remove(&t, 1);
    watch_add(&t, 1, 0, A);
    cr_assert_not(watch_is_touched(t, 1));
    watch_table_destroy(&t);
}

Test(watch, clients_whose_numbers_share_a_bucket_are_told_apart)
{
    struct watch_table *t = NULL;
    uint64_t step = 1 << 20;

    for (uint64_t i = 0; i < 50; i++)
        watch_add(&t, 7 + i * step, 0, i % 2 ? A : B);
    watch_touch(t, 0, A);
    for (uint64_t i = 0; i < 50; i++)
        cr_assert_eq(watch_is_touched(t, 7 + i * step), i % 2 == 1);
    watch_table_destroy(&t);
}

struct seen {
    unsigned n;
    uint32_t sum;
};

static void
see(void *arg, uint8_t db, struct slice key)
{
    struct seen *s = arg;
    unsigned i = 0;

    cr_assert_eq(db, 2);
    cr_assert_eq(key.p[0], 'k');
    for (size_t k = 1; k < key.n; k++)
        i = i * 10 + (unsigned)(key.p[k] - '0');
    s->n++;
    s->sum += i;
}

Test(watch, a_key_that_is_watched_twice_is_watched_once)
{
    const unsigned n = 5000;
    struct watch_table *t = NULL;
    struct seen seen = {0};
    char name[16];

    for (unsigned i = 0; i < 2 * n; i++) {
        int len = snprintf(name, sizeof(name), "k%u", i % n);

        watch_add(&t, 1, 2, (struct slice){name, (size_t)len});
    }
    watch_add(&t, 2, 2, SLICE("k1"));
    watch_each(t, 1, see, &seen);
    cr_assert_eq(seen.n, n);
    cr_assert_eq(seen.sum, n * (n - 1) / 2);
    watch_each(t, 3, see, &seen);
    cr_assert_eq(seen.n, n, "nobody by that number");
    watch_table_destroy(&t);
}

Test(watch, what_retention_hides_is_nothing_to_a_client)
{
    const uint64_t reading = WATCH_READING | 1;
    struct watch_table *t = NULL;
    struct watch_times at;

    watch_add(&t, 1, 0, A);
    watch_add(&t, reading, 0, A);
    watch_add(&t, WATCH_READING | 2, 0, B);
    watch_touch_hidden(t, 0, A, 5);
    cr_assert_not(watch_is_touched(t, 1));
    cr_assert_not(watch_is_touched(t, WATCH_READING | 2));
    cr_assert(watch_times(t, reading, &at) && watch_times_none(&at) && at.kept_from == 5);
    watch_touch_hidden(t, 0, A, 3);
    watch_touch_point(t, 0, A, 7);
    cr_assert(watch_times(t, reading, &at) && at.from == 7 && at.to == 7 && at.kept_from == 5);
    watch_forget_times(t, reading);
    watch_touch_point(t, 0, A, 7);
    cr_assert(watch_times(t, reading, &at) && !watch_times_all(&at) && at.kept_from == INT64_MIN);
    watch_table_destroy(&t);
}

static bool
starts_with_x(void *arg, struct slice key)
{
    ++*(unsigned *)arg;
    return key.p[0] == 'x';
}

Test(watch, a_flush_marks_who_watches_keys_that_were_there)
{
    struct watch_table *t = NULL;
    unsigned asked = 0;

    watch_add(&t, 1, 0, SLICE("x1"));
    watch_add(&t, 2, 0, SLICE("absent"));
    watch_add(&t, 3, 1, SLICE("x1"));
    watch_touch_db(t, 0, starts_with_x, &asked);
    cr_assert_eq(asked, 2, "keys of the other database are not asked for");
    cr_assert(watch_is_touched(t, 1));
    cr_assert(!watch_is_touched(t, 2) && !watch_is_touched(t, 3));
    watch_table_destroy(&t);
}

Test(watch, a_table_of_many_keys_grows_and_keeps_them_all)
{
    struct watch_table *t = NULL;
    char key[16];

    for (unsigned i = 0; i < 20000; i++)
        for (unsigned client = 1; client <= 2; client++) {
            int n = snprintf(key, sizeof(key), "k%u", i + 10000 * client);

            watch_add(&t, client, 0, (struct slice){key, (size_t)n});
            watch_add(&t, client, 0, (struct slice){key, (size_t)n});
        }
    watch_touch(t, 0, SLICE("k10000")); /* the first key of 1; the first of 2 is k20000 */
    cr_assert(watch_is_touched(t, 1) && !watch_is_touched(t, 2));
    watch_remove(&t, 1);
    watch_touch(t, 0, SLICE("k19999"));
    cr_assert_not(watch_is_touched(t, 2), "that was watched by 1 alone");
    watch_touch(t, 0, SLICE("k29999"));
    cr_assert(watch_is_touched(t, 2));
    watch_remove(&t, 2);
    cr_assert_null(t);
}

Test(watch, times_of_points_that_changed)
{
    struct watch_table *t = NULL;
    struct watch_times at;

    cr_assert_not(watch_times(t, 1, &at));
    watch_add(&t, 1, 0, A);
    watch_add(&t, 2, 0, A);
    cr_assert_not(watch_times(t, 1, &at));
    watch_touch_point(t, 0, A, 7);
    watch_touch_point(t, 0, A, -3);
    watch_touch_point(t, 0, A, 5);
    watch_touch_point(t, 0, B, 99);
    cr_assert(watch_times(t, 1, &at) && at.from == -3 && at.to == 7 && at.kept_from == INT64_MIN);
    cr_assert(watch_is_touched(t, 1), "EXEC does not ask when");
    watch_forget_times(t, 1);
    cr_assert_not(watch_times(t, 1, &at));
    cr_assert(watch_times(t, 2, &at), "the other one has not forgotten");
    watch_touch_point(t, 0, A, 4);
    cr_assert(watch_times(t, 1, &at) && at.from == 4 && at.to == 4);
    watch_touch(t, 0, A);
    cr_assert(watch_times(t, 1, &at) && watch_times_all(&at) && at.kept_from == INT64_MIN);
    watch_forget_times(t, 3);
    watch_table_destroy(&t);
}

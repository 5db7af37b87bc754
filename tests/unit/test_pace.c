/* When lines are due: by rate, by the times of the data, by both. */
#include "tools/load/pace.h"

#include <criterion/criterion.h>

#define S 1000000000ULL

Test(pace, without_limits_everything_is_due)
{
    struct pace p = {.units_per_second = 1000};

    cr_assert_eq(pace_wait_ns(&p, 5 * S, 0, 0), 0);
    cr_assert_eq(pace_wait_ns(&p, 5 * S, 1000000, 99999), 0);
}

Test(pace, a_rate_counts_from_the_first_question)
{
    struct pace p = {.rate = 100, .units_per_second = 1000};

    cr_assert_eq(pace_wait_ns(&p, 5 * S, 70, 0), 0);
    cr_assert_eq(pace_wait_ns(&p, 5 * S, 170, 0), S);
    cr_assert_eq(pace_wait_ns(&p, 6 * S, 170, 0), 0);
    cr_assert_eq(pace_wait_ns(&p, 6 * S, 220, 0), S / 2);
}

Test(pace, a_replay_follows_the_times_and_late_ones_go_at_once)
{
    struct pace p = {.replay = 10, .units_per_second = 1000};

    cr_assert_eq(pace_wait_ns(&p, S, 0, 50000), 0);
    cr_assert_eq(pace_wait_ns(&p, S, 1, 70000), 2 * S);
    cr_assert_eq(pace_wait_ns(&p, 2 * S, 2, 70000), S);
    cr_assert_eq(pace_wait_ns(&p, 2 * S, 3, 40000), 0);
    cr_assert_eq(pace_wait_ns(&p, 9 * S, 4, 70000), 0);
}

Test(pace, of_rate_and_replay_the_slower_one_holds)
{
    struct pace p = {.rate = 1, .replay = 1, .units_per_second = 1};

    cr_assert_eq(pace_wait_ns(&p, S, 0, 0), 0);
    cr_assert_eq(pace_wait_ns(&p, S, 3, 2), 3 * S);
    cr_assert_eq(pace_wait_ns(&p, S, 3, 5), 5 * S);
}

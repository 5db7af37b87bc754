#include "core/busy_poll.h"

#include <criterion/criterion.h>

/* Idle periods until the next one that begins with polling; the attempt stays under way. */
static unsigned
sleeps_until_polling(struct busy_poll *p)
{
    unsigned n;

    for (n = 0; !busy_poll_begin(p); n++)
        cr_assert_lt(n, 1000, "never again");
    return n;
}

static void
attempt(struct busy_poll *p, bool work_comes)
{
    cr_assert(busy_poll_begin(p));
    busy_poll_end(p, work_comes);
}

static void
give_up(struct busy_poll *p)
{
    unsigned n;

    for (n = 0; busy_poll_begin(p); n++) {
        busy_poll_end(p, false);
        cr_assert_lt(n, 8, "polls on for nothing");
    }
}

Test(busy_poll, goes_on_while_work_comes)
{
    struct busy_poll p;
    unsigned i;

    busy_poll_init(&p);
    for (i = 0; i < 100; i++)
        attempt(&p, true);
}

Test(busy_poll, every_other_attempt_is_enough)
{
    struct busy_poll p;
    unsigned i;

    busy_poll_init(&p);
    for (i = 0; i < 100; i++)
        attempt(&p, i % 2);
}

Test(busy_poll, stops_when_most_attempts_were_in_vain)
{
    struct busy_poll p;
    unsigned i;

    busy_poll_init(&p);
    for (i = 0; i <= 8 - BUSY_POLL_ENOUGH; i++)
        attempt(&p, false);
    cr_assert_not(busy_poll_begin(&p));
}

Test(busy_poll, is_tried_again_after_a_number_of_sleeps)
{
    struct busy_poll p;

    busy_poll_init(&p);
    give_up(&p); /* its last period was slept through: the first of them */
    cr_assert_eq(sleeps_until_polling(&p), BUSY_POLL_RETRY - 1);
    busy_poll_end(&p, false);
    cr_assert_eq(sleeps_until_polling(&p), BUSY_POLL_RETRY);
}

Test(busy_poll, one_attempt_that_pays_brings_the_next)
{
    struct busy_poll p;

    busy_poll_init(&p);
    give_up(&p);
    sleeps_until_polling(&p);
    busy_poll_end(&p, true);
    attempt(&p, false);
    cr_assert_not(busy_poll_begin(&p), "one of two is not half of eight");
}

Test(busy_poll, a_cancelled_attempt_says_nothing)
{
    struct busy_poll p;
    unsigned i;

    busy_poll_init(&p);
    for (i = 0; i < 100; i++) {
        cr_assert(busy_poll_begin(&p));
        busy_poll_cancel(&p);
    }
    busy_poll_end(&p, false);
    attempt(&p, true);
}

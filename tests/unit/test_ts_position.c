/* A reading that stops and goes on misses nothing and takes nothing twice. */
#include "shards/commands/ts_position.h"
#include "shards/engine/core.h"

#include <criterion/criterion.h>

#define STRIDE 1
#define SOON 1 /* of the clock: is over at once */

/* Looks at the clock after work_max points, and takes no spare time. */
static void
go(struct ts_position *p, uint64_t until_ns, uint64_t work_max)
{
    static struct core core;
    static struct ctx c = {.core = &core};

    core.limits.slice_points = work_max;
    ts_position_go(p, &c, until_ns);
}

static struct ts_position
position(bool reverse, uint64_t work_max)
{
    struct ts_position p = {.reverse = reverse};

    go(&p, SOON, work_max);
    return p;
}

Test(ts_position, begins_where_the_query_does)
{
    struct ts_position p = position(false, 10);
    struct series_query q = {.start = -5, .end = 5, .limit = 7};

    ts_position_narrow(&p, &q);
    cr_assert(q.start == -5 && q.end == 5 && q.limit == 7);
    cr_assert(!ts_position_has_read(&p, INT64_MIN, INT64_MAX));
}

Test(ts_position, goes_on_behind_the_points_of_one_time_that_it_knows)
{
    struct ts_position p = position(false, 4);
    struct series_query q = {.start = 0, .end = 100, .limit = 3};
    int64_t a[] = {1, 2, 3, 3}, b[] = {3, 3, 3, 3, 4};

    cr_assert(ts_position_pass(&p, a, STRIDE, 4), "the time is over");
    go(&p, SOON, 4);
    ts_position_narrow(&p, &q);
    cr_assert(q.start == 3 && q.end == 100 && q.limit == 5, "those known come again, besides");
    cr_assert_eq(ts_position_known(&p, b, STRIDE, 1), 1);
    cr_assert_eq(ts_position_known(&p, b + 1, STRIDE, 4), 1);
    cr_assert_not(ts_position_pass(&p, b + 2, STRIDE, 2));
    cr_assert_eq(p.passed, 4, "four points of time 3");
    cr_assert_eq(ts_position_known(&p, b + 4, STRIDE, 1), 0);
}

Test(ts_position, points_that_have_gone_are_not_waited_for)
{
    struct ts_position p = position(false, 1);
    int64_t a[] = {3, 3}, b[] = {4, 4};

    ts_position_pass(&p, a, STRIDE, 2);
    go(&p, SOON, 1);
    cr_assert_eq(ts_position_known(&p, b, STRIDE, 2), 0);
    cr_assert_eq(p.again, 0);
}

Test(ts_position, backward_narrows_the_end)
{
    struct ts_position p = position(true, 2);
    struct series_query q = {.start = 0, .end = 100, .limit = UINT64_MAX, .reverse = true};
    int64_t a[] = {9, 8};

    cr_assert(ts_position_pass(&p, a, STRIDE, 2));
    go(&p, SOON, 2);
    ts_position_narrow(&p, &q);
    cr_assert(q.start == 0 && q.end == 8 && q.limit == UINT64_MAX);
    cr_assert(ts_position_has_read(&p, 8, 8) && ts_position_has_read(&p, 5, 50));
    cr_assert_not(ts_position_has_read(&p, 0, 7));
}

Test(ts_position, a_stride_passes_what_lies_between)
{
    struct ts_position p = position(false, 100);
    struct sample a[] = {{1, 7}, {2, 7}, {2, 7}};

    cr_assert_not(ts_position_pass(&p, &a[0].ts, 2, 3));
    cr_assert(p.at == 2 && p.passed == 2);
}

Test(ts_position, stops_between_blocks_rather_than_within_one)
{
    struct ts_position p = position(false, 2);
    struct block_info first = {.count = 4, .first_ts = 1, .last_ts = 4},
                      second = {.count = 4, .first_ts = 5, .last_ts = 8};
    int64_t ts[] = {1, 2, 3, 4};
    struct series_query q = {.start = 0, .end = 100, .limit = 100};

    cr_assert_not(ts_position_stops_at(&p, &first));
    cr_assert_not(ts_position_pass(&p, ts, STRIDE, 3), "one of the block is to come");
    cr_assert(ts_position_pass(&p, ts + 3, STRIDE, 1));
    cr_assert(ts_position_stops_at(&p, &second) && p.stopped);
    go(&p, SOON, 2);
    ts_position_narrow(&p, &q);
    cr_assert(q.start == 5 && q.limit == 100, "nothing of the second block has been read");
    cr_assert_not(ts_position_stops_at(&p, &second), "this go has not come any further yet");
}

Test(ts_position, a_block_taken_by_its_header_is_behind)
{
    struct ts_position p = position(false, 1000), back = position(true, 1000),
                       end = position(false, 1000);
    struct block_info info = {.count = 4, .first_ts = 1, .last_ts = 4},
                      last = {.count = 9, .first_ts = 1, .last_ts = INT64_MAX};
    int64_t ts[] = {INT64_MAX, INT64_MAX};

    ts_position_pass_block(&p, &info);
    ts_position_pass_block(&back, &info);
    ts_position_pass_block(&end, &last);
    cr_assert(p.at == 5 && p.passed == 0 && back.at == 0 && back.passed == 0);
    go(&end, SOON, 1000);
    cr_assert_eq(ts_position_known(&end, ts, STRIDE, 2), 2);
}

Test(ts_position, without_a_time_it_never_stops)
{
    struct ts_position p = {0};
    struct block_info info = {.count = 4, .first_ts = 1, .last_ts = 4};
    int64_t ts[] = {1};

    go(&p, UINT64_MAX, 0);
    cr_assert_not(ts_position_stops_at(&p, &info));
    cr_assert_not(ts_position_pass(&p, ts, STRIDE, 1));
    cr_assert_not(p.stopped);
}

Test(ts_position, older_points_than_where_it_stands_are_only_wanted_backward)
{
    struct ts_position p = position(false, 10), back = position(true, 10);
    int64_t a[] = {3, 4}, b[] = {4, 3};

    cr_assert_eq(ts_position_wants_from(&p, -7), -7);
    ts_position_pass(&p, a, STRIDE, 2);
    ts_position_pass(&back, b, STRIDE, 2);
    cr_assert_eq(ts_position_wants_from(&p, -7), 4, "further points of that time may come");
    cr_assert_eq(ts_position_wants_from(&back, -7), -7);
}

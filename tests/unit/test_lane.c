/* A lane over a pair of sockets, whose other end answers what a server would. */
#include "tools/load/lane.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNREADABLE "ERR TSDB_SET: a stored block of the series cannot be read: Input/output error"

struct fixture {
    struct lane lane;
    int server;
    uint64_t refused; /* how many, and the line of the last one */
    uint64_t refused_line;
};

static void
on_refused(void *arg, uint64_t line, enum lane_what what, const char *text)
{
    struct fixture *f = arg;

    f->refused++;
    f->refused_line = line;
}

static void
set_up(struct fixture *f, bool transactions)
{
    int fds[2];

    memset(f, 0, sizeof(*f));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->server = fds[1];
    cr_assert_eq(lane_init(&f->lane, fds[0], 64, transactions, on_refused, f), 0);
}

static void
tear_down(struct fixture *f)
{
    lane_fini(&f->lane);
    close(f->server);
}

static void
point(struct fixture *f, uint64_t line)
{
    lane_begin(&f->lane, line, LANE_POINT);
    buf_append_lit(&f->lane.out, "*1\r\n$5\r\nPOINT\r\n");
}

static int
answer(struct fixture *f, const char *text)
{
    cr_assert_eq(write(f->server, text, strlen(text)), (ssize_t)strlen(text));
    return lane_exchange(&f->lane);
}

/* What has arrived at the server since the last time. */
static const char *
arrived(struct fixture *f)
{
    static char room[4096];
    ssize_t n = recv(f->server, room, sizeof(room) - 1, MSG_DONTWAIT);

    room[MAX(n, 0)] = '\0';
    return room;
}

Test(lane, a_refused_point_is_told_and_the_load_goes_on)
{
    static const char *const texts[] = {
        "ERR TSDB_SET: timestamp 5 is older than the retention of the series allows",
        "ERR TSDB_SET: a point with timestamp 5 exists and duplicate-policy is BLOCK",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
    };
    char text[256];
    struct fixture f;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        set_up(&f, false);
        for (uint64_t line = 7; line < 10; line++)
            point(&f, line);
        snprintf(text, sizeof(text), "+OK\r\n-%s\r\n+OK\r\n", texts[i]);
        cr_assert_eq(answer(&f, text), 0, "%s", texts[i]);
        cr_assert(f.refused == 1 && f.refused_line == 8, "%s", texts[i]);
        cr_assert_eq(f.lane.points_done, 2);
        tear_down(&f);
    }
}

Test(lane, a_block_that_cannot_be_read_is_a_failure)
{
    struct fixture f;

    set_up(&f, false);
    point(&f, 7);
    point(&f, 8);
    cr_assert_eq(answer(&f, "+OK\r\n-" UNREADABLE "\r\n"), -EPROTO);
    cr_assert_eq(f.refused, 0);
    cr_assert_str_eq(f.lane.failure, UNREADABLE);
    cr_assert_eq(f.lane.failure_line, 8);
    cr_assert_eq(f.lane.points_done, 1);
    tear_down(&f);
}

Test(lane, a_point_that_was_answered_with_an_error_is_not_done)
{
    struct fixture f;

    set_up(&f, false);
    for (uint64_t line = 1; line <= 4; line++)
        point(&f, line);
    lane_begin(&f.lane, 5, LANE_LABELS);
    cr_assert_eq(answer(&f, "-NOAUTH no\r\n-NOAUTH no\r\n-NOAUTH no\r\n+OK\r\n-NOAUTH no\r\n"), -EPROTO);
    cr_assert_eq(f.lane.points_done, 1);
    tear_down(&f);
}

/* Lines 1 to 5, of which 2 and 3 are a transaction, and 5 one that was not ended. */
static void
send_transactions(struct fixture *f)
{
    set_up(f, true);
    lane_start_at(&f->lane, SLICE("P0"));
    point(f, 1);
    lane_commit(&f->lane, SLICE("key"), SLICE("P1"));
    point(f, 2);
    point(f, 3);
    lane_commit(&f->lane, SLICE("key"), SLICE("P3"));
    point(f, 4);
    lane_commit(&f->lane, SLICE("key"), SLICE("P4"));
    point(f, 5);
}

#define QUEUED "+QUEUED\r\n"
#define FIRST "+OK\r\n" QUEUED QUEUED "*2\r\n+OK\r\n+OK\r\n"
#define SECOND(reply) "+OK\r\n" QUEUED QUEUED QUEUED "*3\r\n+OK\r\n" reply "\r\n+OK\r\n"
#define OPEN "+OK\r\n" QUEUED

Test(lane, the_last_true_position_is_put_back_behind_what_is_under_way)
{
    struct fixture f;

    send_transactions(&f);
    cr_assert_eq(answer(&f, FIRST SECOND("-" UNREADABLE)), -EPROTO);
    cr_assert_eq(f.lane.failure_line, 3);
    cr_assert_not_null(strstr(arrived(&f), "P4"));
    lane_settle(&f.lane);
    cr_assert(lane_is_owed(&f.lane));
    cr_assert_eq(answer(&f, FIRST OPEN), 0);
    cr_assert_str_eq(arrived(&f), "*1\r\n$7\r\nDISCARD\r\n");
    cr_assert(lane_is_owed(&f.lane));
    cr_assert_eq(answer(&f, "+OK\r\n"), 0);
    cr_assert_not(lane_is_owed(&f.lane));
    lane_put_back(&f.lane, SLICE("key"));
    cr_assert_eq(lane_exchange(&f.lane), 0);
    cr_assert_str_eq(arrived(&f), "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$2\r\nP1\r\n");
    cr_assert(lane_is_owed(&f.lane));
    cr_assert_eq(answer(&f, "+OK\r\n"), 0);
    cr_assert(!lane_is_owed(&f.lane) && !f.lane.put_back_refused);
    cr_assert_eq(f.lane.done_behind, 3, "of lines 2 to 4");
    cr_assert_eq(f.lane.points_done, 3, "of lines 1, 2 and 4");
    tear_down(&f);
}

Test(lane, only_a_strict_lane_has_no_position_beyond_a_refusal)
{
    for (int strict = 0; strict < 2; strict++) {
        struct fixture f;

        send_transactions(&f);
        f.lane.strict = strict;
        cr_assert_eq(answer(&f, FIRST SECOND("-WRONGTYPE no") FIRST), 0);
        cr_assert(f.refused == 1 && f.refused_line == 3 && f.lane.failure[0] == '\0');
        cr_assert_eq(f.lane.lacks, (bool)strict);
        cr_assert_eq(f.lane.lacks_line, strict ? 3 : 0);
        cr_assert(slice_equal((struct slice){f.lane.settled.p, f.lane.settled.n}, strict ? SLICE("P1") : SLICE("P4")));
        tear_down(&f);
    }
}

Test(lane, a_transaction_that_was_refused_as_a_whole_lacks_its_points_too)
{
    struct fixture f;

    send_transactions(&f);
    cr_assert_eq(answer(&f, "+OK\r\n-OOM no\r\n" QUEUED "-EXECABORT no\r\n"), -EPROTO);
    lane_settle(&f.lane);
    cr_assert_eq(answer(&f, SECOND("+OK") FIRST OPEN "+OK\r\n"), 0);
    cr_assert_not(lane_is_owed(&f.lane));
    cr_assert_eq(f.lane.points_done, 3, "of lines 2 to 4");
    arrived(&f);
    lane_put_back(&f.lane, SLICE("key"));
    cr_assert_eq(lane_exchange(&f.lane), 0);
    cr_assert_not_null(strstr(arrived(&f), "P0"));
    cr_assert_eq(answer(&f, "-OOM no\r\n"), 0);
    cr_assert(!lane_is_owed(&f.lane) && f.lane.put_back_refused);
    tear_down(&f);
}

Test(lane, what_is_no_answer_ends_a_lane_also_when_it_is_settled)
{
    struct fixture f;

    send_transactions(&f);
    cr_assert_eq(answer(&f, FIRST SECOND("-" UNREADABLE)), -EPROTO);
    cr_assert_not(f.lane.garbled);
    lane_settle(&f.lane);
    cr_assert_eq(answer(&f, "what?\r\n"), -EPROTO);
    cr_assert(f.lane.garbled);
    cr_assert_str_eq(f.lane.failure, UNREADABLE);
    tear_down(&f);
}

/* Connections without a server: a socket pair, the reactor turned by the test. */
#include "net/conn.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 50 /* more than anything here takes */

struct fixture {
    struct reactor r;
    struct conn_set set;
    struct conn conn;
    int peer;
    char seen[256]; /* what on_data was shown and took */
    size_t nseen;
    bool lines; /* takes whole lines only */
    bool closed, freed;
    size_t waits; /* bytes that had not left when it was told last */
};

static struct fixture f;

static size_t
on_data(struct conn *c, char *data, size_t n)
{
    size_t taken = n;

    if (f.lines) {
        const char *end = memrchr(data, '\n', n);

        taken = end ? (size_t)(end + 1 - data) : 0;
    }
    memcpy(f.seen + f.nseen, data, taken);
    f.nseen += taken;
    return taken;
}

static void
on_drained(struct conn *c)
{
    f.waits = conn_out_bytes(c);
}

static void
on_close(struct conn *c)
{
    cr_assert(!f.closed, "once");
    f.closed = true;
}

static void
on_free(struct conn *c)
{
    cr_assert(f.closed && !f.freed);
    f.freed = true;
}

static const struct conn_ops ops = {
    .on_data = on_data, .on_drained = on_drained, .on_close = on_close, .on_free = on_free};

static void
flush(void *arg)
{
    conn_set_flush(arg);
}

static void
setup(void)
{
    const char *why = "none given";
    struct reactor_options opt = {.cpu = -1, .io = {.recv_buffers = 8, .recv_buffer_bytes = 256}};
    int pair[2];

    memset(&f, 0, sizeof f);
    cr_assert_eq(reactor_init(&f.r, &opt), 0);
    cr_assert_eq(reactor_attach(&f.r, &why), 0, "%s", why);
    conn_set_init(&f.set, &f.r);
    reactor_add_flush(&f.r, flush, &f.set);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    f.peer = pair[0];
    cr_assert_eq(fcntl(f.peer, F_SETFL, O_NONBLOCK), 0);
    conn_open(&f.conn, &f.set, &ops, pair[1]);
}

static void
turns(void)
{
    for (unsigned i = 0; i < TURNS; i++)
        reactor_turn(&f.r, false);
}

static void
teardown(void)
{
    conn_close(&f.conn);
    turns();
    cr_assert(f.freed);
    cr_assert_eq(f.set.count, 0);
    close(f.peer);
    reactor_fini(&f.r);
}

static void
peer_writes(const char *text)
{
    cr_assert_eq(write(f.peer, text, strlen(text)), (ssize_t)strlen(text));
    turns();
}

/* What has come, "nothing" or "the end". */
static const char *
peer_reads(void)
{
    static char text[256];
    ssize_t n = read(f.peer, text, sizeof text - 1);

    if (n == 0)
        return "the end";
    if (n < 0)
        return "nothing";
    text[n] = 0;
    return text;
}

static void
say(const char *text)
{
    buf_append(&f.conn.out, text, strlen(text));
    conn_touch(&f.conn);
}

#define expect_seen(text)                                                                          \
    cr_assert(f.nseen == strlen(text) && memcmp(f.seen, text, f.nseen) == 0, "%.*s", (int)f.nseen, \
              f.seen)
#define expect_read(text) cr_assert_str_eq(peer_reads(), text)

TestSuite(conn, .init = setup, .fini = teardown);

Test(conn, bytes_that_are_not_taken_come_again_with_those_that_follow)
{
    f.lines = true;
    peer_writes("one\ntw");
    expect_seen("one\n");
    peer_writes("o");
    expect_seen("one\n");
    peer_writes("\nthree");
    expect_seen("one\ntwo\n");
}

Test(conn, a_paused_one_keeps_what_comes)
{
    conn_pause(&f.conn);
    peer_writes("later");
    expect_seen("");
    conn_resume(&f.conn);
    turns();
    expect_seen("later");
}

Test(conn, output_leaves_at_the_end_of_the_turn)
{
    say("hello");
    expect_read("nothing");
    turns();
    expect_read("hello");
    expect_read("nothing");
}

Test(conn, held_output_waits_for_its_batch_and_for_nothing_else)
{
    say("free ");
    say("first ");
    conn_hold(&f.conn, 7);
    say("second ");
    conn_hold(&f.conn, 8);
    turns();
    expect_read("nothing");
    conn_set_release(&f.set, 7);
    say("after");
    turns();
    expect_read("free first ");
    conn_set_release(&f.set, 8);
    turns();
    expect_read("second after");
}

/* Fills one piece, and finds only when it is asked again that this was all. */
static bool
fill_and_wait(struct buf_source *s, struct buf *out, size_t want)
{
    if (s->bytes != 1000)
        return false;
    for (size_t n = 0; n < want; n += 4)
        buf_append(out, "text", 4);
    s->bytes--;
    return true;
}

static void
destroy_nothing(struct buf_source *s)
{
}

static void
read_all(void)
{
    for (const char *text = ""; strcmp(text, "nothing") != 0 && strcmp(text, "the end") != 0;) {
        turns();
        text = peer_reads();
    }
}

Test(conn, the_owner_is_told_when_a_source_ends_without_another_byte)
{
    struct buf_source s = {.fill = fill_and_wait, .destroy = destroy_nothing, .bytes = 1000};

    say("begin ");
    buf_put_source(&f.conn.out, &s);
    f.waits = 1;
    read_all();
    cr_assert_eq(f.waits, 0, "%zu bytes wait for ever", f.waits);
}

Test(conn, closing_after_sending_ends_when_a_source_ends_without_another_byte)
{
    struct buf_source s = {.fill = fill_and_wait, .destroy = destroy_nothing, .bytes = 1000};

    say("begin ");
    buf_put_source(&f.conn.out, &s);
    conn_close_after_send(&f.conn);
    read_all();
    cr_assert(f.freed);
}

Test(conn, what_will_never_be_durable_is_never_sent)
{
    say("promise");
    conn_hold(&f.conn, 7);
    turns();
    conn_set_fail(&f.set);
    turns();
    cr_assert(f.freed);
    expect_read("the end");
}

Test(conn, closing_after_sending_sends_what_is_held_too)
{
    say("bye");
    conn_hold(&f.conn, 1);
    conn_close_after_send(&f.conn);
    turns();
    cr_assert(!f.closed);
    expect_read("nothing");
    conn_set_release(&f.set, 1);
    turns();
    cr_assert(f.freed);
    expect_read("bye");
    expect_read("the end");
}

Test(conn, a_kill_is_seen_before_the_next_turn)
{
    conn_kill(&f.conn);
    cr_assert(f.closed && !f.freed);
    expect_read("the end");
    turns();
    cr_assert(f.freed);
}

Test(conn, a_reference_keeps_a_closed_one)
{
    conn_get(&f.conn);
    conn_close(&f.conn);
    turns();
    cr_assert(f.closed && !f.freed);
    conn_put(&f.conn);
    cr_assert(f.freed);
}

Test(conn, the_end_of_the_peer_closes_it)
{
    peer_writes("last words");
    cr_assert_eq(shutdown(f.peer, SHUT_WR), 0);
    turns();
    expect_seen("last words");
    cr_assert(f.freed);
}

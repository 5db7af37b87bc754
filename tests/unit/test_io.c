/* Operations on sockets, against the real kernel. What their owner may rely on is checked in every
 * setup mode that an older kernel would leave us with. */
#include "io_fixture.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>

static void
probe_accepted(struct io_op *op, int res, int buf, bool more)
{
    struct probe *p = container_of(op, struct probe, op);

    p->calls++;
    p->res = res;
    p->more = more;
    if (res >= 0)
        p->fds[p->nfds++] = res;
}

static void
check_send_and_receive(unsigned mode)
{
    struct io *io = make_io(mode);
    struct probe in = make_probe(io), out = make_probe(io);
    int fds[2];

    make_pair(fds);
    io_recv(io, &in.op, fds[0]);
    io_send(io, &out.op, fds[1], "hello ", 6);
    cr_assert_eq(io_inflight(io), 2);
    run_until(io, &in.calls, 1);
    cr_assert_eq(out.res, 6);
    cr_assert_not(out.op.busy);
    cr_assert(in.more);
    io_send(io, &out.op, fds[1], "world", 5);
    run_until(io, &in.calls, 2);
    cr_assert_eq(in.nbytes, 11);
    cr_assert_eq(memcmp(in.bytes, "hello world", 11), 0);
    cr_assert_eq(io_inflight(io), 1);
    close(fds[1]);
    run_until(io, &in.calls, 3);
    cr_assert_eq(in.res, 0);
    cr_assert_not(in.more);
    cr_assert_eq(io_inflight(io), 0);
    cr_assert_eq(io_buf_free(io), 8);
    io_destroy(&io);
    cr_assert_null(io);
    close(fds[0]);
}

Test(io, sends_and_receives_in_every_mode)
{
    unsigned mode;

    for (mode = 0; mode < io_modes; mode++)
        check_send_and_receive(mode);
}

static void
check_buffers_run_out(unsigned mode)
{
    struct io *io = make_io(mode);
    struct probe in = make_probe(io);
    char text[64 * 12];
    int fds[2];
    size_t i;

    for (i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    in.keep_buffers = true;
    make_pair(fds);
    io_recv(io, &in.op, fds[0]);
    cr_assert_eq(write(fds[1], text, sizeof(text)), sizeof(text));
    run_until(io, &in.calls, 9);
    cr_assert_eq(in.res, -ENOBUFS);
    cr_assert_not(in.more);
    cr_assert_eq(io_buf_free(io), 0);
    cr_assert_eq(in.nbytes, 64 * 8);
    in.keep_buffers = false;
    for (i = 0; i < 8; i++)
        io_buf_put(io, in.bufs[i]);
    cr_assert_eq(io_buf_free(io), 8);
    io_recv(io, &in.op, fds[0]);
    run_until(io, &in.calls, 9 + 4);
    cr_assert_eq(in.nbytes, sizeof(text));
    cr_assert_eq(memcmp(in.bytes, text, sizeof(text)), 0);
    io_destroy(&io);
    close(fds[0]);
    close(fds[1]);
}

Test(io, receive_ends_with_enobufs_and_goes_on_after_buffers_came_back)
{
    unsigned mode;

    for (mode = 0; mode < io_modes; mode++)
        check_buffers_run_out(mode);
}

Test(io, buffers_are_handed_out_for_ever)
{
    struct io *io = make_io(0);
    struct probe in = make_probe(io);
    int fds[2];
    unsigned i;

    make_pair(fds);
    io_recv(io, &in.op, fds[0]);
    for (i = 0; i < 1000; i++) {
        cr_assert_eq(write(fds[1], &i, sizeof(i)), sizeof(i));
        in.nbytes = 0;
        run_until(io, &in.calls, i + 1);
        cr_assert_eq(memcmp(in.bytes, &i, sizeof(i)), 0);
    }
    cr_assert(in.more);
    cr_assert_eq(io_buf_free(io), 8);
    io_destroy(&io);
}

static int
listen_loopback(struct sockaddr_in *ret_addr)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof(*ret_addr);

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(listen(fd, 64), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)ret_addr, &n), 0);
    return fd;
}

static int
connect_to(const struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
    return fd;
}

Test(io, one_accept_takes_many_connections)
{
    unsigned mode, i;

    for (mode = 0; mode < io_modes; mode++) {
        struct io *io = make_io(mode);
        struct probe p = make_probe(io);
        struct sockaddr_in addr;
        int fd = listen_loopback(&addr), clients[20];

        p.op.fn = probe_accepted;
        io_accept(io, &p.op, fd);
        for (i = 0; i < 20; i++)
            clients[i] = connect_to(&addr);
        run_until(io, &p.nfds, 20);
        cr_assert(p.more);
        for (i = 0; i < 20; i++) {
            cr_assert_eq(fcntl(p.fds[i], F_GETFD), FD_CLOEXEC);
            close(p.fds[i]);
            close(clients[i]);
        }
        io_cancel(io, &p.op);
        run_until(io, &p.calls, 21);
        cr_assert_eq(p.res, -ECANCELED);
        io_destroy(&io);
        close(fd);
    }
}

Test(io, accept_without_a_free_descriptor_ends_and_can_be_armed_again)
{
    struct rlimit before, none;
    struct io *io = make_io(0);
    struct probe p = make_probe(io);
    struct sockaddr_in addr;
    int fd = listen_loopback(&addr), client = connect_to(&addr);

    p.op.fn = probe_accepted;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)client + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    io_accept(io, &p.op, fd);
    run_until(io, &p.calls, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    cr_assert_eq(p.res, -EMFILE);
    cr_assert_not(p.more);
    cr_assert_not(p.op.busy);
    io_accept(io, &p.op, fd);
    run_until(io, &p.nfds, 1);
    io_destroy(&io);
}

Test(io, receives_into_memory_of_the_caller)
{
    struct io *io = make_io(0);
    struct probe in = make_probe(io);
    char text[16] = "";
    int fds[2];

    make_pair(fds);
    io_recv_into(io, &in.op, fds[0], text, sizeof(text));
    settle(io);
    cr_assert_eq(in.calls, 0);
    cr_assert_eq(write(fds[1], "direct", 6), 6);
    run_until(io, &in.calls, 1);
    cr_assert_eq(in.res, 6);
    cr_assert_not(in.more);
    cr_assert_eq(memcmp(text, "direct", 6), 0);
    io_destroy(&io);
}

Test(io, sends_several_pieces_as_one_message)
{
    struct iovec iov[2] = {{(char *)"scat", 4}, {(char *)"tered", 5}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    struct io *io = make_io(0);
    struct probe out = make_probe(io);
    char text[16];
    int fds[2];

    make_pair(fds);
    io_sendmsg(io, &out.op, fds[1], &msg);
    run_until(io, &out.calls, 1);
    cr_assert_eq(out.res, 9);
    cr_assert_eq(read(fds[0], text, sizeof(text)), 9);
    cr_assert_eq(memcmp(text, "scattered", 9), 0);
    io_destroy(&io);
}

/* A peer that is gone must be an error of the operation, not a signal. */
Test(io, send_to_a_closed_peer_is_an_error)
{
    struct io *io = make_io(0);
    struct probe out = make_probe(io);
    int fds[2];

    make_pair(fds);
    close(fds[0]);
    io_send(io, &out.op, fds[1], "x", 1);
    run_until(io, &out.calls, 1);
    cr_assert_eq(out.res, -EPIPE);
    io_destroy(&io);
}

Test(io, send_to_a_peer_that_does_not_read_is_short_or_waits)
{
    const size_t n = 8 * MIB;
    struct io *io = make_io(0);
    struct probe out = make_probe(io);
    char *big = calloc(1, n), *sink = malloc(n);
    size_t sent = 0, got = 0;
    int fds[2];

    make_pair(fds);
    io_send(io, &out.op, fds[1], big, n);
    run_until(io, &out.calls, 1);
    cr_assert_gt(out.res, 0);
    cr_assert_lt((size_t)out.res, n);
    while (sent < n) {
        sent += (size_t)out.res;
        while (got < sent)
            got += (size_t)read(fds[0], sink, sent - got);
        if (sent == n)
            break;
        io_send(io, &out.op, fds[1], big + sent, n - sent);
        run_until(io, &out.calls, out.calls + 1);
        cr_assert_gt(out.res, 0);
    }
    free(big);
    free(sink);
    io_destroy(&io);
}

Test(io, cancelled_receive_completes_with_ecanceled)
{
    unsigned mode;

    for (mode = 0; mode < io_modes; mode++) {
        struct io *io = make_io(mode);
        struct probe in = make_probe(io);
        int fds[2];

        make_pair(fds);
        io_cancel(io, &in.op); /* idle: nothing to cancel */
        cr_assert_eq(io_uring_sq_ready(&io->ring), 0);
        io_recv(io, &in.op, fds[0]);
        settle(io);
        cr_assert_eq(in.calls, 0);
        io_cancel(io, &in.op);
        run_until(io, &in.calls, 1);
        cr_assert_eq(in.res, -ECANCELED);
        cr_assert_not(in.op.busy);
        cr_assert_eq(io_inflight(io), 0);
        io_destroy(&io);
    }
}

Test(io, close_reaches_the_peer)
{
    struct io *io = make_io(0);
    struct probe in = make_probe(io);
    int fds[2];

    make_pair(fds);
    io_recv(io, &in.op, fds[0]);
    io_close(io, fds[1]);
    run_until(io, &in.calls, 1);
    cr_assert_eq(in.res, 0);
    cr_assert_eq(fcntl(fds[1], F_GETFD), -1);
    cr_assert_eq(in.calls, 1);
    io_destroy(&io);
}

/* io against the real kernel. What the owner of an operation may rely on is checked in every setup
 * mode that an older kernel would leave us with. */
#include "core/io_priv.h"

#include "core/clock.h"
#include "core/cpu.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAIT_NS_MAX 5000000000ull
#define MS 1000000ull

/* An operation that writes down what it was told. */
struct probe {
    struct io_op op;
    struct io *io;
    unsigned calls;
    int res;
    bool more;
    int bufs[64];
    unsigned nbufs;
    char bytes[4096];
    size_t nbytes;
    int fds[64];
    unsigned nfds;
    bool keep_buffers;
};

static void
probe_done(struct io_op *op, int res, int buf, bool more)
{
    struct probe *p = container_of(op, struct probe, op);

    cr_assert_eq(op->busy, more);
    p->calls++;
    p->res = res;
    p->more = more;
    if (buf < 0)
        return;
    memcpy(p->bytes + p->nbytes, io_buf(p->io, buf), (size_t)res);
    p->nbytes += (size_t)res;
    if (p->keep_buffers)
        p->bufs[p->nbufs++] = buf;
    else
        io_buf_put(p->io, buf);
}

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

static struct io *
make_io_mode(const struct io_options *opt, unsigned mode)
{
    const char *why = "none given";
    struct io *io = NULL;
    int err = io_create_mode(&io, opt, mode, &why);

    cr_assert_eq(err, 0, "mode %u: %s: %s", mode, strerror(-err), why);
    return io;
}

static struct io *
make_io(unsigned mode)
{
    return make_io_mode(&(struct io_options){.recv_buffers = 8, .recv_buffer_bytes = 64}, mode);
}

static struct probe
make_probe(struct io *io)
{
    return (struct probe){.op.fn = probe_done, .io = io};
}

/* Drives the loop until *what reaches `value`. */
static void
run_until(struct io *io, const unsigned *what, unsigned value)
{
    uint64_t deadline = clock_now_ns() + WAIT_NS_MAX;

    while (*what < value) {
        if (io_poll(io, 100) == 0)
            io_wait(io, 100 * MS);
        cr_assert_lt(clock_now_ns(), deadline, "%u of %u after 5 s", *what, value);
    }
}

/* Lets everything that is on its way arrive. */
static void
settle(struct io *io)
{
    do
        io_wait(io, 20 * MS);
    while (io_poll(io, 100));
}

static void
make_pair(int fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static int
temp_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return fd;
}

/* ---- sockets ---- */

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

/* ---- limits of the ring ---- */

static void
check_small_rings(unsigned mode)
{
    struct io_options opt = {.sq_entries = 4, .cq_entries = 8, .recv_buffers = 8};
    struct io *io = make_io_mode(&opt, mode);
    static struct probe probes[200];
    unsigned i, done = 0;
    int fd = temp_file();

    for (i = 0; i < ARRAY_SIZE(probes); i++) {
        probes[i] = make_probe(io);
        io_write(io, &probes[i].op, fd, &i, 1, i);
    }
    cr_assert_eq(io_inflight(io), ARRAY_SIZE(probes));
    while (done < ARRAY_SIZE(probes)) {
        for (i = done = 0; i < ARRAY_SIZE(probes); i++)
            done += probes[i].calls;
        if (io_poll(io, 3) == 0)
            io_wait(io, 10 * MS);
    }
    for (i = 0; i < ARRAY_SIZE(probes); i++) {
        cr_assert_eq(probes[i].calls, 1);
        cr_assert_eq(probes[i].res, 1);
    }
    cr_assert_eq(io_inflight(io), 0);
    io_destroy(&io);
    close(fd);
}

Test(io, full_submission_queue_and_overflown_completion_queue_lose_nothing)
{
    unsigned mode;

    for (mode = 0; mode < io_modes; mode++)
        check_small_rings(mode);
}

/* Starts itself again from its own callback, more often than the SQ has places. */
struct chain {
    struct io_op op;
    struct io *io;
    int fd;
    unsigned left;
};

static void
chain_next(struct io_op *op, int res, int buf, bool more)
{
    struct chain *c = container_of(op, struct chain, op);

    cr_assert_eq(res, 1);
    if (--c->left)
        io_write(c->io, op, c->fd, "x", 1, 0);
}

Test(io, an_operation_may_be_started_again_from_its_callback)
{
    struct io *io = make_io_mode(&(struct io_options){.sq_entries = 2, .recv_buffers = 8}, 0);
    static struct chain chains[32];
    unsigned i;
    int fd = temp_file();

    for (i = 0; i < 32; i++) {
        chains[i] = (struct chain){.op.fn = chain_next, .io = io, .fd = fd, .left = 50};
        io_write(io, &chains[i].op, fd, "x", 1, 0);
    }
    while (io_inflight(io))
        if (io_poll(io, 100) == 0)
            io_wait(io, 100 * MS);
    for (i = 0; i < 32; i++)
        cr_assert_eq(chains[i].left, 0);
    io_destroy(&io);
}

Test(io, poll_obeys_its_budget)
{
    struct io *io = make_io(0);
    struct probe p[10];
    unsigned i;
    int fd = temp_file();

    for (i = 0; i < 10; i++) {
        p[i] = make_probe(io);
        io_write(io, &p[i].op, fd, "x", 1, i);
    }
    for (i = 0; i < 100; i++)
        io_wait(io, 1 * MS); /* everything is there now */
    cr_assert_eq(io_poll(io, 4), 4);
    cr_assert_eq(io_poll(io, 4), 4);
    cr_assert_eq(io_poll(io, 4), 2);
    cr_assert_eq(io_poll(io, 4), 0);
    io_destroy(&io);
}

/* ---- files, polling, waiting ---- */

Test(io, writes_at_the_offset_and_syncs)
{
    struct io *io = make_io(0);
    struct probe w = make_probe(io), s = make_probe(io);
    char text[16] = "";
    int fd = temp_file();

    io_write(io, &w.op, fd, "journal", 7, 4096);
    run_until(io, &w.calls, 1);
    cr_assert_eq(w.res, 7);
    io_fdatasync(io, &s.op, fd);
    run_until(io, &s.calls, 1);
    cr_assert_eq(s.res, 0);
    cr_assert_eq(pread(fd, text, sizeof(text), 4096), 7);
    cr_assert_eq(memcmp(text, "journal", 7), 0);
    io_fdatasync(io, &s.op, -1);
    run_until(io, &s.calls, 2);
    cr_assert_eq(s.res, -EBADF);
    io_destroy(&io);
}

Test(io, poll_reports_every_write_to_an_eventfd)
{
    unsigned mode, i;

    for (mode = 0; mode < io_modes; mode++) {
        struct io *io = make_io(mode);
        struct probe p = make_probe(io);
        int fd = eventfd(0, EFD_NONBLOCK);
        uint64_t v;

        io_poll_in(io, &p.op, fd);
        for (i = 1; i <= 5; i++) {
            eventfd_write(fd, 1);
            run_until(io, &p.calls, i);
            cr_assert(p.res & POLLIN);
            cr_assert(p.more);
            cr_assert_eq(eventfd_read(fd, &v), 0);
        }
        io_destroy(&io);
        close(fd);
    }
}

Test(io, wait_ends_after_its_timeout)
{
    struct io *io = make_io(0);
    uint64_t start = clock_now_ns();

    io_wait(io, 30 * MS);
    cr_assert_geq(clock_now_ns() - start, 29 * MS);
    start = clock_now_ns();
    io_wait(io, 0);
    cr_assert_lt(clock_now_ns() - start, 20 * MS);
    io_destroy(&io);
}

Test(io, destroy_does_not_wait_for_what_never_comes)
{
    unsigned mode;

    for (mode = 0; mode < io_modes; mode++) {
        struct io *io = make_io(mode);
        struct probe a = make_probe(io), b = make_probe(io);
        uint64_t start = clock_now_ns();
        char text[8];
        int fds[2];

        make_pair(fds);
        io_recv(io, &a.op, fds[0]);
        io_recv_into(io, &b.op, fds[1], text, sizeof(text));
        if (mode % 2)
            settle(io);
        io_destroy(&io);
        cr_assert_lt(clock_now_ns() - start, 2000 * MS);
        cr_assert_eq(a.calls + b.calls, 0);
    }
}

/* ---- faults ---- */

struct scripted {
    struct io_fault fault;
    struct io_fault_plan plan;
    unsigned asked;
    uint64_t offset;
    size_t len;
};

static struct io_fault_plan
scripted_on_write(struct io_fault *f, int fd, uint64_t offset, size_t len)
{
    struct scripted *s = container_of(f, struct scripted, fault);

    s->asked++;
    s->offset = offset;
    s->len = len;
    return s->plan;
}

Test(io, fault_error_writes_nothing)
{
    struct scripted s = {{scripted_on_write}, {IO_FAULT_ERROR, .error = ENOSPC}};
    struct io *io = make_io(0);
    struct probe w = make_probe(io);
    struct io_op *op = &w.op;
    int fd = temp_file();

    io_set_fault(io, &s.fault);
    io_write(io, op, fd, "lost", 4, 512);
    cr_assert_eq(w.calls, 0, "the callback must not run inside io_write");
    cr_assert(op->busy);
    io_wait(io, UINT64_MAX); /* must not sleep: a completion is due */
    run_until(io, &w.calls, 1);
    cr_assert_eq(w.res, -ENOSPC);
    cr_assert_eq(s.asked, 1);
    cr_assert_eq(s.offset, 512);
    cr_assert_eq(s.len, 4);
    cr_assert_eq(lseek(fd, 0, SEEK_END), 0);
    io_set_fault(io, NULL);
    io_write(io, op, fd, "kept", 4, 0);
    run_until(io, &w.calls, 2);
    cr_assert_eq(w.res, 4);
    io_destroy(&io);
}

Test(io, fault_short_writes_the_first_bytes_only)
{
    struct scripted s = {{scripted_on_write}, {IO_FAULT_SHORT, .bytes = 3}};
    struct io *io = make_io(0);
    struct probe w = make_probe(io);
    int fd = temp_file();

    io_set_fault(io, &s.fault);
    io_write(io, &w.op, fd, "abcdef", 6, 0);
    run_until(io, &w.calls, 1);
    cr_assert_eq(w.res, 3);
    cr_assert_eq(lseek(fd, 0, SEEK_END), 3);
    io_destroy(&io);
}

Test(io, fault_delay_holds_the_completion_back_without_spinning)
{
    struct scripted s = {{scripted_on_write}, {IO_FAULT_DELAY, .delay_ns = 50 * MS}};
    struct io *io = make_io(0);
    struct probe w = make_probe(io);
    uint64_t start = clock_now_ns();
    unsigned turns = 0;
    int fd = temp_file();

    io_set_fault(io, &s.fault);
    io_write(io, &w.op, fd, "late", 4, 0);
    for (; !w.calls; turns++)
        if (io_poll(io, 100) == 0)
            io_wait(io, UINT64_MAX);
    cr_assert_eq(w.res, 4);
    cr_assert_geq(clock_now_ns() - start, 50 * MS);
    cr_assert_leq(turns, 10);
    cr_assert_eq(lseek(fd, 0, SEEK_END), 4);
    io_write(io, &w.op, fd, "never heard of", 14, 0);
    io_destroy(&io);
    cr_assert_eq(w.calls, 1);
}

/* ---- setting up ---- */

Test(io, says_what_was_chosen)
{
    struct io *io = make_io(0);

    cr_assert(strstr(io_describe(io), "SINGLE_ISSUER|DEFER_TASKRUN|"), "%s", io_describe(io));
    cr_assert(strstr(io_describe(io), "1024 SQ / 8192 CQ, 8 receive buffers of 64 bytes"));
    io_destroy(&io);
    io = make_io(io_modes - 1);
    cr_assert_eq(strncmp(io_describe(io), "no flags, ", 10), 0, "%s", io_describe(io));
    io_destroy(&io);
}

Test(io, defaults_are_used_for_what_is_not_given)
{
    struct io *io = make_io_mode(&(struct io_options){0}, 0);

    cr_assert_eq(io_buf_free(io), 1024);
    cr_assert_eq(io_buf_bytes(io), 16 * KIB);
    io_destroy(&io);
}

Test(io, a_number_of_buffers_that_is_no_power_of_two_is_refused)
{
    struct io_options opt = {.recv_buffers = 12};
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(io_create(&io, &opt, &why), -EINVAL);
    cr_assert(strstr(why, "power of two"));
    opt.recv_buffers = 2 * IO_RECV_BUFFERS_MAX;
    cr_assert_eq(io_create(&io, &opt, &why), -EINVAL);
    cr_assert_null(io);
}

Test(io, a_kernel_that_knows_no_mode_is_too_old)
{
    struct io_options opt = {0};
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(io_create_mode(&io, &opt, io_modes, &why), -EINVAL);
    cr_assert(strstr(why, "6.1"));
}

Test(io, worker_cpus_are_accepted_if_they_exist_and_refused_if_not)
{
    struct io_options opt = {.recv_buffers = 8};
    struct cpu_set cpus;
    const char *why = NULL;
    struct io *io = NULL;

    cr_assert_eq(cpu_set_allowed(&cpus), 0);
    opt.worker_cpus = &cpus;
    cr_assert_eq(io_create(&io, &opt, &why), 0);
    io_destroy(&io);
    CPU_ZERO(&cpus.set);
    CPU_SET(1000, &cpus.set);
    cr_assert_neq(io_create(&io, &opt, &why), 0);
    cr_assert(strstr(why, "background-cpus"), "%s", why);
    cr_assert_null(io);
}

/* From here on this process gets `error` from io_uring_setup, as in a container. */
static void
forbid_io_uring(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {ARRAY_SIZE(code), code};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static void
check_refusal(int error, const char *expected)
{
    struct io_options opt = {0};
    const char *why = NULL;
    struct io *io = NULL;

    forbid_io_uring(error);
    cr_assert_eq(io_create(&io, &opt, &why), -error);
    cr_assert(why && strstr(why, expected), "%s", why);
    cr_assert_null(io);
}

Test(io, eperm_names_seccomp)
{
    check_refusal(EPERM, "seccomp");
}

Test(io, enosys_names_the_kernel_and_seccomp)
{
    check_refusal(ENOSYS, "CONFIG_IO_URING");
}

Test(io, enomem_names_the_memlock_limit)
{
    check_refusal(ENOMEM, "memlock");
}

Test(io, emfile_names_the_descriptor_limit)
{
    check_refusal(EMFILE, "ulimit -n");
}

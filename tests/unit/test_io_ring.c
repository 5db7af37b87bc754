/* The ring itself: full queues, files, waiting, ending, and the faults a test may inject. */
#include "io_fixture.h"

#include <poll.h>
#include <sys/eventfd.h>

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

Test(io_ring, full_submission_queue_and_overflown_completion_queue_lose_nothing)
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

Test(io_ring, an_operation_may_be_started_again_from_its_callback)
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

Test(io_ring, poll_obeys_its_budget)
{
    struct io *io = make_io(0);
    struct probe p[10];
    unsigned i;
    int fd = temp_file();

    for (i = 0; i < 10; i++) {
        p[i] = make_probe(io);
        io_write(io, &p[i].op, fd, "x", 1, i);
    }
    do
        io_wait(io, 0); /* does not wait, yet enters the kernel as often as it has news */
    while (io_uring_cq_ready(&io->ring) < 10);
    cr_assert_eq(io_poll(io, 4), 4);
    cr_assert_eq(io_poll(io, 4), 4);
    cr_assert_eq(io_poll(io, 4), 2);
    cr_assert_eq(io_poll(io, 4), 0);
    io_destroy(&io);
}

/* ---- files, polling, waiting ---- */

Test(io_ring, writes_at_the_offset_and_syncs)
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

Test(io_ring, poll_reports_every_write_to_an_eventfd)
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

Test(io_ring, wait_ends_after_its_timeout)
{
    struct io *io = make_io(0);
    uint64_t start = clock_now_ns();

    io_wait(io, 30 * MS);
    cr_assert_geq(clock_now_ns() - start, 29 * MS);
    io_wait(io, 0);
    io_destroy(&io);
}

Test(io_ring, destroy_does_not_wait_for_what_never_comes)
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
        cr_assert_lt(clock_now_ns() - start, WAIT_NS_MAX);
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

Test(io_ring, fault_error_writes_nothing)
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

Test(io_ring, fault_short_writes_the_first_bytes_only)
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

Test(io_ring, fault_delay_holds_the_completion_back_without_spinning)
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

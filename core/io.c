/* Operations and the loop's side of the ring.
 *
 * Submission: an operation only fills an SQE; io_poll or io_wait hand all of them over in one
 * system call at the next turn. With DEFER_TASKRUN the kernel finishes nothing unless it is entered
 * with GETEVENTS, so every enter asks for events; it is left out only if there is nothing to
 * submit, the kernel has flagged no task work and no completion overflowed.
 *
 * Completion: CQEs are copied out in batches and the CQ is released before the callbacks run, so
 * a callback that fills the SQ and forces a submission always finds room in the CQ.
 *
 * The kernel's answers EAGAIN, EBUSY, EINTR and ETIME mean "come back"; any other failure of
 * io_uring_enter is a broken invariant of ours (wrong thread, lost completion) and stops the
 * process. */
#include "core/io_priv.h"

#include "core/clock.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- entering the kernel ---- */

static void
io_check_enter(int ret)
{
    bool come_back = ret == -EAGAIN || ret == -EBUSY || ret == -EINTR || ret == -ETIME;

    if (unlikely(ret < 0 && !come_back))
        base_assert_failed(strerror(-ret), "io_uring_enter", -ret);
}

static bool
io_needs_enter(const struct io *io)
{
    unsigned flags = IO_URING_READ_ONCE(*io->ring.sq.kflags);

    return io_uring_sq_ready(&io->ring) || (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

static void
io_enter(struct io *io)
{
    io_check_enter(io_uring_submit_and_get_events(&io->ring));
}

/* The SQ is full: hand it over now. EAGAIN is the kernel short of memory for requests. */
static void
io_make_room(struct io *io)
{
    unsigned tries;
    int ret = 0;

    for (tries = 0; tries < IO_SUBMIT_TRIES_MAX; tries++) {
        ret = io_uring_submit(&io->ring);
        if (ret > 0)
            return;
        io_check_enter(ret);
        sched_yield();
    }
    base_assert_failed("io_uring takes no submissions", "io_uring_enter", -ret);
}

static struct io_uring_sqe *
io_sqe(struct io *io)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);

    while (unlikely(!sqe)) {
        io_make_room(io);
        sqe = io_uring_get_sqe(&io->ring);
    }
    return sqe;
}

/* ---- operations ---- */

static struct io_uring_sqe *
io_start(struct io *io, struct io_op *op)
{
    ASSERT(!op->busy && op->fn);
    op->busy = true;
    io->inflight++;
    return io_sqe(io);
}

void
io_accept(struct io *io, struct io_op *op, int fd)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, op);
}

void
io_recv(struct io *io, struct io_op *op, int fd)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = IO_BUF_GROUP;
    io_uring_sqe_set_data(sqe, op);
}

void
io_recv_into(struct io *io, struct io_op *op, int fd, void *p, size_t n)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_recv(sqe, fd, p, MIN(n, (size_t)IO_LEN_MAX), 0);
    io_uring_sqe_set_data(sqe, op);
}

void
io_send(struct io *io, struct io_op *op, int fd, const void *p, size_t n)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_send(sqe, fd, p, MIN(n, (size_t)IO_LEN_MAX), MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, op);
}

void
io_sendmsg(struct io *io, struct io_op *op, int fd, const struct msghdr *msg)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_sendmsg(sqe, fd, msg, MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, op);
}

void
io_write(struct io *io, struct io_op *op, int fd, const void *p, size_t n, uint64_t offset)
{
    struct io_uring_sqe *sqe;

    if (unlikely(io->fault) && io_fault_write(io, op, fd, &n, offset))
        return;
    sqe = io_start(io, op);
    io_uring_prep_write(sqe, fd, p, (unsigned)MIN(n, (size_t)IO_LEN_MAX), offset);
    io_uring_sqe_set_data(sqe, op);
}

void
io_fdatasync(struct io *io, struct io_op *op, int fd)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data(sqe, op);
}

void
io_poll_in(struct io *io, struct io_op *op, int fd)
{
    struct io_uring_sqe *sqe = io_start(io, op);

    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    io_uring_sqe_set_data(sqe, op);
}

void
io_cancel(struct io *io, struct io_op *op)
{
    struct io_uring_sqe *sqe;

    if (!op->busy)
        return;
    sqe = io_sqe(io);
    io_uring_prep_cancel(sqe, op, 0);
    io_uring_sqe_set_data64(sqe, IO_NOBODY);
}

void
io_close(struct io *io, int fd)
{
    struct io_uring_sqe *sqe = io_sqe(io);

    io_uring_prep_close(sqe, fd);
    io_uring_sqe_set_data64(sqe, IO_NOBODY);
}

/* ---- completions ---- */

void
io_complete(struct io *io, struct io_op *op, int res, int buf, bool more)
{
    if (!more) {
        op->busy = false;
        io->inflight--;
    }
    op->fn(op, res, buf, more);
}

static void
io_dispatch(struct io *io, const struct io_uring_cqe *cqe)
{
    struct io_op *op = io_uring_cqe_get_data(cqe);
    int buf = -1;

    if (cqe->flags & IORING_CQE_F_BUFFER) {
        buf = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        io->bufs.free--;
    }
    if (!op)
        return;
    if (unlikely(op->priv))
        io_fault_hold(io, op, cqe->res);
    else
        io_complete(io, op, cqe->res, buf, cqe->flags & IORING_CQE_F_MORE);
}

/* Copies up to `most` CQEs and gives their places back to the kernel. */
static unsigned
io_take(struct io *io, struct io_uring_cqe *ret_cqes, unsigned most)
{
    struct io_uring_cq *cq = &io->ring.cq;
    unsigned i, head = *cq->khead, n = io_uring_cq_ready(&io->ring);

    n = MIN(n, most);
    for (i = 0; i < n; i++) {
        ret_cqes[i] = cq->cqes[(head + i) & cq->ring_mask];
        __builtin_prefetch(io_uring_cqe_get_data(&ret_cqes[i]), 1);
    }
    io_uring_cq_advance(&io->ring, n);
    return n;
}

unsigned
io_poll(struct io *io, unsigned budget)
{
    struct io_uring_cqe cqes[IO_BATCH];
    unsigned i, got, done = 0;

    if (io_needs_enter(io))
        io_enter(io);
    if (unlikely(io->held_due.n))
        done = timer_run(&io->held_due, clock_now_ns(), budget);
    while (done < budget && (got = io_take(io, cqes, MIN(budget - done, (unsigned)IO_BATCH)))) {
        for (i = 0; i < got; i++) {
            io->in_hand = got - i - 1;
            io_dispatch(io, &cqes[i]);
        }
        done += got;
    }
    return done;
}

bool
io_has_news(const struct io *io, uint64_t now_ns)
{
    return io->in_hand > 0 || io_uring_cq_ready(&io->ring) > 0 || io_needs_enter(io) ||
           unlikely(timer_next(&io->held_due) <= now_ns);
}

/* A completion held back by a fault must end the wait as a real one would. */
static uint64_t
io_wait_bound(const struct io *io, uint64_t timeout_ns)
{
    uint64_t now, due = timer_next(&io->held_due);

    if (likely(due == UINT64_MAX))
        return timeout_ns;
    now = clock_now_ns();
    return MIN(timeout_ns, due > now ? due - now : 0);
}

void
io_wait(struct io *io, uint64_t timeout_ns)
{
    io_wait_for(io, 1, timeout_ns);
}

void
io_wait_for(struct io *io, unsigned n, uint64_t timeout_ns)
{
    struct __kernel_timespec ts;
    struct io_uring_cqe *cqe;

    timeout_ns = io_wait_bound(io, timeout_ns);
    if (timeout_ns == 0) {
        if (io_needs_enter(io))
            io_enter(io);
        return;
    }
    ts.tv_sec = (long long)(timeout_ns / 1000000000u);
    ts.tv_nsec = (long long)(timeout_ns % 1000000000u);
    io_check_enter(io_uring_submit_and_wait_timeout(&io->ring, &cqe, n,
                                                    timeout_ns == UINT64_MAX ? NULL : &ts, NULL));
}

unsigned
io_inflight(const struct io *io)
{
    return io->inflight;
}

/* ---- ending ---- */

static unsigned
io_count_ended(struct io *io)
{
    struct io_uring_cqe cqes[IO_BATCH];
    unsigned i, got, ended = 0;

    while ((got = io_take(io, cqes, IO_BATCH)))
        for (i = 0; i < got; i++)
            ended += cqes[i].user_data != IO_NOBODY && !(cqes[i].flags & IORING_CQE_F_MORE);
    return ended;
}

void
io_drain(struct io *io)
{
    uint64_t deadline = clock_now_ns() + IO_DRAIN_NS_MAX;
    struct __kernel_timespec ts = {.tv_nsec = 100000000};
    struct io_uring_sqe *sqe = io_sqe(io);
    struct io_uring_cqe *cqe;

    io_uring_prep_cancel(sqe, NULL, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(sqe, IO_NOBODY);
    io->inflight -= io->held_due.n; /* those are with us, not with the kernel */
    while (io->inflight && clock_now_ns() < deadline) {
        io_check_enter(io_uring_submit_and_wait_timeout(&io->ring, &cqe, 1, &ts, NULL));
        io->inflight -= io_count_ended(io);
    }
}

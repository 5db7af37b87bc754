/* What the tests of io share: an operation that writes down what it was told, and the loop that
 * drives it. */
#ifndef UNIT_IO_FIXTURE_H
#define UNIT_IO_FIXTURE_H

#include "core/io_priv.h"

#include "core/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#define WAIT_NS_MAX 60000000000ull /* for what never comes, not for a busy machine */
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

static inline void
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

static inline struct io *
make_io_mode(const struct io_options *opt, unsigned mode)
{
    const char *why = "none given";
    struct io *io = NULL;
    int err = io_create_mode(&io, opt, mode, &why);

    cr_assert_eq(err, 0, "mode %u: %s: %s", mode, strerror(-err), why);
    return io;
}

static inline struct io *
make_io(unsigned mode)
{
    return make_io_mode(&(struct io_options){.recv_buffers = 8, .recv_buffer_bytes = 64}, mode);
}

static inline struct probe
make_probe(struct io *io)
{
    return (struct probe){.op.fn = probe_done, .io = io};
}

/* Drives the loop until *what reaches `value`. */
static inline void
run_until(struct io *io, const unsigned *what, unsigned value)
{
    uint64_t deadline = clock_now_ns() + WAIT_NS_MAX;

    while (*what < value) {
        if (io_poll(io, 100) == 0)
            io_wait(io, 100 * MS);
        cr_assert_lt(clock_now_ns(), deadline, "%u of %u", *what, value);
    }
}

/* Lets everything that is on its way arrive. */
static inline void
settle(struct io *io)
{
    do
        io_wait(io, 20 * MS);
    while (io_poll(io, 100));
}

static inline void
make_pair(int fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static inline int
temp_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    return fd;
}

#endif

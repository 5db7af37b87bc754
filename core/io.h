/* io_uring of one reactor. The only module that includes liburing.h.
 *
 * An operation is an io_op embedded in its owner's structure; its callback is called on the
 * reactor's thread for every completion, with the kernel's result and with `more` false on the
 * last one (a multishot that ended must be armed again by its owner). An io_op may have one
 * operation under way at a time. Callbacks may start new operations, also on the same op when
 * `more` was false. An io_op starts zeroed but for fn, and stays in memory until its last
 * completion. Sockets must be in blocking mode: with O_NONBLOCK the kernel answers -EAGAIN instead
 * of waiting for data.
 *
 * Setup steps down flag by flag (DEFER_TASKRUN, COOP_TASKRUN, SINGLE_ISSUER ...) on older kernels;
 * io_describe says what was chosen. SQ full is handled here (submit and go on). CQ overflow, EBUSY
 * and EAGAIN of io_uring_enter are normal and handled here.
 *
 * Faults: a test may set io->fault; it sees every write before it is submitted and may turn it
 * into an error, a short write, or a delay. */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/base.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct io;
struct cpu_set;

struct io_op {
    /* `res` as in cqe->res; `buf` is the provided buffer's id or -1; `more`: not the last one. */
    void (*fn)(struct io_op *op, int res, int buf, bool more);
    bool busy; /* an operation is under way */
    uint8_t flags; /* private to io.c */
    void *priv;    /* private to io.c (fault injection) */
};

struct io_options {
    unsigned sq_entries;              /* default 1024 */
    unsigned cq_entries;              /* default 8192 */
    unsigned recv_buffers;            /* provided buffers, a power of two; default 1024 */
    unsigned recv_buffer_bytes;       /* bytes in each; default 16 KiB */
    const struct cpu_set *worker_cpus; /* where io-wq threads may run; NULL = leave */
};

/* What a fault hook may decide about one write. */
enum io_fault_kind { IO_FAULT_NONE, IO_FAULT_ERROR, IO_FAULT_SHORT, IO_FAULT_DELAY };
struct io_fault_plan {
    enum io_fault_kind kind;
    int error;          /* IO_FAULT_ERROR: completes with -error, nothing is written */
    uint32_t bytes;     /* IO_FAULT_SHORT: only so many are written; whole blocks if O_DIRECT */
    uint64_t delay_ns;  /* IO_FAULT_DELAY: the completion is held back this long */
};
struct io_fault {
    struct io_fault_plan (*on_write)(struct io_fault *f, int fd, uint64_t offset, size_t len);
};

/* Creates the ring on the calling thread (it will be its only user). On failure *ret_why points to
 * a static sentence that names cause and cure (seccomp, io_uring_disabled, memlock, old kernel).
 * 0 or a negative errno. */
int io_create(struct io **ret_io, const struct io_options *opt, const char **ret_why);
/* Cancels what is under way, waits until the kernel has let go of all memory and runs no callback.
 * On the thread that created it, or after that thread has ended. */
void io_destroy(struct io **io);
/* One line of ring flags and sizes: "SINGLE_ISSUER|DEFER_TASKRUN, 1024 SQ / 8192 CQ, ...". */
const char *io_describe(const struct io *io);
void io_set_fault(struct io *io, struct io_fault *f);

/* Multishot accept on a listening socket: res = new fd. */
void io_accept(struct io *io, struct io_op *op, int fd);
/* Multishot receive into provided buffers: res = bytes, buf = id; give it back with io_buf_put.
 * -ENOBUFS ends the multishot: arm again after buffers were put back, see io_buf_free. */
void io_recv(struct io *io, struct io_op *op, int fd);
/* Single receive into the caller's memory. */
void io_recv_into(struct io *io, struct io_op *op, int fd, void *p, size_t n);
/* Send, MSG_NOSIGNAL; may be short. Memory must stay until completion. */
void io_send(struct io *io, struct io_op *op, int fd, const void *p, size_t n);
void io_sendmsg(struct io *io, struct io_op *op, int fd, const struct msghdr *msg);
/* Positioned write and datasync. */
void io_write(struct io *io, struct io_op *op, int fd, const void *p, size_t n, uint64_t offset);
void io_fdatasync(struct io *io, struct io_op *op, int fd);
/* Multishot poll for POLLIN (eventfds): res = mask. */
void io_poll_in(struct io *io, struct io_op *op, int fd);
/* Asks the kernel to end what `op` has under way, with -ECANCELED. Harmless if idle. */
void io_cancel(struct io *io, struct io_op *op);
/* Closes a descriptor asynchronously; nobody is told. An operation under way keeps the file open:
 * cancel it first. */
void io_close(struct io *io, int fd);

/* The bytes of provided buffer `id`. */
char *io_buf(struct io *io, int id);
void io_buf_put(struct io *io, int id);
unsigned io_buf_free(const struct io *io);
unsigned io_buf_bytes(const struct io *io);

/* Submits what was prepared and runs completions that are there, at most `budget`. Enters the
 * kernel with GETEVENTS when there is anything to submit or task work is flagged. Returns
 * completions run. */
unsigned io_poll(struct io *io, unsigned budget);
/* Submits and waits until a completion is there or `timeout_ns` passed (UINT64_MAX = forever). */
void io_wait(struct io *io, uint64_t timeout_ns);
/* The same, but wakes only when `n` completions are there (or the time is over). */
void io_wait_for(struct io *io, unsigned n, uint64_t timeout_ns);
/* Does anything wait for the next io_poll: completions, also those that the one under way has taken and
 * not handed out yet, what the kernel wants to finish, operations that were prepared? A few loads, no
 * system call. now_ns: what the clock says. */
bool io_has_news(const struct io *io, uint64_t now_ns);
/* Number of operations under way. */
unsigned io_inflight(const struct io *io);

#endif

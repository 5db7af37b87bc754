/* What the io_*.c files share: the ring, the provided buffers, the operations held back by faults.
 * Included by them and by the unit test of io, by nobody else. */
#ifndef CORE_IO_PRIV_H
#define CORE_IO_PRIV_H

#include "core/io.h"
#include "core/list.h"
#include "core/timer.h"

#include <liburing.h>
#include <sys/types.h>

#define IO_SQ_ENTRIES 1024
#define IO_CQ_ENTRIES 8192
#define IO_RECV_BUFFERS 1024
#define IO_RECV_BUFFER_BYTES (16 * KIB)
#define IO_RECV_BUFFERS_MAX 32768 /* the kernel's limit of one buffer ring */
#define IO_BUF_GROUP 0
#define IO_BATCH 64                /* completions copied out of the CQ at a time */
#define IO_LEN_MAX 0x7ffff000u     /* the kernel's limit of one read or write */
#define IO_WORKERS_BOUNDED_MAX 8   /* io-wq threads for files: fdatasync, blocking writes */
#define IO_WORKERS_UNBOUNDED_MAX 4 /* io-wq threads for everything else */
#define IO_SUBMIT_TRIES_MAX 1000   /* with a yield in between, when the kernel says EAGAIN */
#define IO_DRAIN_NS_MAX (5ull * 1000000000) /* io_destroy waits this long for what is under way */

/* user_data of operations nobody waits for: cancel and close. */
#define IO_NOBODY 0

struct io_buffers {
    struct io_uring_buf_ring *ring;
    char *mem;
    unsigned n;     /* how many, a power of two */
    unsigned bytes; /* in each */
    unsigned free;  /* not in an owner's hands */
};

struct io {
    struct io_uring ring;
    unsigned inflight;
    unsigned in_hand; /* completions taken out of the CQ whose owners have not been called yet */
    struct io_buffers bufs;
    /* faults */
    struct io_fault *fault;
    struct timer_heap held_due; /* completions held back, by the time they are let go */
    struct list held;           /* all struct io_held */
    /* cold */
    pid_t owner; /* thread that created it */
    char describe[256];
};

/* io_create, beginning with the mode at this place of the list (0 = best); tests walk them all. */
int io_create_mode(struct io **ret_io, const struct io_options *opt, unsigned first_mode,
                   const char **ret_why);
extern const unsigned io_modes;

int io_buffers_init(struct io *io, unsigned n, unsigned bytes);
void io_buffers_fini(struct io *io);

/* Asks the hook about a write. True: the write is not to be submitted, its completion is on the
 * way. May shorten *n. */
bool io_fault_write(struct io *io, struct io_op *op, int fd, size_t *n, uint64_t offset);
/* The write's own completion came; it is kept back. */
void io_fault_hold(struct io *io, struct io_op *op, int res);
void io_fault_fini(struct io *io);

/* Hands one completion to its owner. */
void io_complete(struct io *io, struct io_op *op, int res, int buf, bool more);
/* Cancels everything and waits until the kernel has let go of all memory; runs no callback. */
void io_drain(struct io *io);

#endif

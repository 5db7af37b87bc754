/* Fault injection for writes. A write that fails or is delayed is represented by a struct io_held:
 * an error waits in the heap with a deadline that has passed, a delayed write first goes to the
 * kernel with the struct in op->priv and enters the heap when its real completion comes. */
#include "core/io_priv.h"

#include "core/clock.h"

#include <stdlib.h>

struct io_held {
    struct timer timer;
    struct list node;
    struct io *io;
    struct io_op *op;
    int res;
    uint64_t delay_ns;
};

static void
held_release(struct timer *t)
{
    struct io_held *h = container_of(t, struct io_held, timer);
    struct io_op *op = h->op;
    struct io *io = h->io;
    int res = h->res;

    list_remove(&h->node);
    free(h);
    op->priv = NULL;
    io_complete(io, op, res, -1, false);
}

static struct io_held *
held_create(struct io *io, struct io_op *op)
{
    struct io_held *h = calloc(1, sizeof(*h));

    ASSERT(h);
    h->timer.fn = held_release;
    h->io = io;
    h->op = op;
    list_push_back(&io->held, &h->node);
    return h;
}

static void
held_fail(struct io *io, struct io_op *op, int error)
{
    struct io_held *h = held_create(io, op);

    ASSERT(!op->busy && op->fn && error > 0);
    op->busy = true;
    op->priv = h;
    io->inflight++;
    h->res = -error;
    timer_arm(&io->held_due, &h->timer, 0);
}

bool
io_fault_write(struct io *io, struct io_op *op, int fd, size_t *n, uint64_t offset)
{
    struct io_fault_plan plan = io->fault->on_write(io->fault, fd, offset, *n);
    struct io_held *h;

    switch (plan.kind) {
    case IO_FAULT_NONE:
        break;
    case IO_FAULT_ERROR:
        held_fail(io, op, plan.error);
        return true;
    case IO_FAULT_SHORT:
        *n = MIN(*n, (size_t)plan.bytes);
        break;
    case IO_FAULT_DELAY:
        h = held_create(io, op);
        h->delay_ns = plan.delay_ns;
        op->priv = h;
        break;
    }
    return false;
}

void
io_fault_hold(struct io *io, struct io_op *op, int res)
{
    struct io_held *h = op->priv;

    h->res = res;
    timer_arm(&io->held_due, &h->timer, clock_now_ns() + h->delay_ns);
}

void
io_fault_fini(struct io *io)
{
    struct list *node;

    while ((node = list_pop_front(&io->held)))
        free(list_entry(node, struct io_held, node));
    timer_heap_fini(&io->held_due);
}

void
io_set_fault(struct io *io, struct io_fault *f)
{
    io->fault = f;
}

/* Bytes in: received, handed to the owner, kept while it cannot take them. */
#include "net/conn_priv.h"

#include <poll.h>

/* The owner is done with the first bytes of `in`. What it keeps of it stays where it is. */
static void
conn_used(struct conn *c, size_t n)
{
    struct buf rest = {0};

    if (likely(c->lent == NULL)) {
        buf_consume(&c->in, n);
        if (c->in.n == 0 && c->in.cap > CONN_IN_KEEP_BYTES)
            buf_fini(&c->in);
        return;
    }
    buf_append(&rest, c->in.p + n, c->in.n - n);
    c->in = rest;
    blob_put(&c->lent);
}

struct blob *
conn_lend_in(struct conn *c, struct slice part)
{
    uintptr_t at = (uintptr_t)part.p, in = (uintptr_t)c->in.p;

    if (!c->in_data || at < in || at - in > c->in.n || part.n > c->in.n - (at - in) ||
        part.n < c->in.cap / 2)
        return NULL;
    if (c->lent == NULL) {
        struct buf memory = c->in;

        c->lent = blob_of_buf(&memory);
    }
    return blob_get(c->lent);
}

/* A long request is on its way: room for it before it is needed, so that it is not moved often. What is
 * announced is believed only so far as it has come. */
static void
conn_make_room(struct conn *c, size_t more)
{
    size_t have = c->in.n + more;
    size_t room = MIN(c->in_need + CONN_IN_SPARE_BYTES, CONN_IN_GUESS * have);

    if (c->in_need > CONN_IN_SPARE_BYTES && have > c->in.cap && room > c->in.cap)
        buf_reserve_exactly(&c->in, MAX(room, have));
}

/* Hands gathered bytes to the owner until it makes no progress or pauses. */
static void
conn_drain_in(struct conn *c)
{
    while (c->in.n > 0 && !c->paused && !c->closing && !c->close_after) {
        size_t used;

        if (c->in.n < c->in_need)
            return;
        c->in_data = true;
        used = c->ops->on_data(c, c->in.p, c->in.n);
        c->in_data = false;
        conn_used(c, c->close_after ? c->in.n : used);
        if (used == 0)
            return;
    }
}

static bool
conn_reads_too_far_ahead(const struct conn *c)
{
    return c->paused && c->in.n >= CONN_IN_PAUSED_BYTES;
}

static void
conn_take_bytes(struct conn *c, char *data, size_t n)
{
    size_t used = 0;

    c->set->bytes_in += n;
    if (c->in.n == 0 && !c->paused && c->in_need == 0) {
        c->in_data = true;
        used = c->ops->on_data(c, data, n);
        c->in_data = false;
    }
    if (used < n && !c->closing && !c->close_after) {
        conn_make_room(c, n - used);
        buf_append(&c->in, data + used, n - used);
        conn_drain_in(c); /* the owner may have stopped for something that is over already */
    }
}

/* The client will send no more; what it asked for is still answered. */
static void
conn_on_eof(struct conn *c)
{
    c->eof = true;
    if (!c->paused)
        conn_close_after_send(c);
    else if (c->ops->on_eof)
        c->ops->on_eof(c);
}

void
conn_on_recv(struct io_op *op, int res, int buf, bool more)
{
    struct conn *c = container_of(op, struct conn, recv_op);
    struct io *io = c->set->reactor->io;

    conn_get(c); /* it may close in here */
    if (res > 0) {
        if (!c->closing && !c->close_after)
            conn_take_bytes(c, io_buf(io, buf), (size_t)res);
        io_buf_put(io, buf);
        if (conn_reads_too_far_ahead(c))
            io_cancel(io, &c->recv_op);
    } else if (res == -ENOBUFS) {
        c->set->nobufs++;
    } else if (res == 0 || (res != -ECANCELED && res != -EAGAIN && res != -EINTR)) {
        if (!c->closing)
            conn_on_eof(c);
    }
    if (!more)
        conn_arm_recv(c);
    conn_put(c);
}

void
conn_arm_recv(struct conn *c)
{
    if (c->recv_op.busy || c->closing || c->close_after || c->eof || conn_reads_too_far_ahead(c))
        return;
    if (io_buf_free(c->set->reactor->io) == 0) {
        if (!c->in_starved) {
            c->in_starved = true;
            list_push_back(&c->set->starved, &c->starved_node);
        }
        return;
    }
    io_recv(c->set->reactor->io, &c->recv_op, c->fd);
}

void
conn_pause(struct conn *c)
{
    c->paused = true;
}

void
conn_resume(struct conn *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    if (c->closing || c->in_data)
        return;
    conn_get(c);
    conn_drain_in(c);
    if (c->eof && !c->paused && !c->closing && !c->close_after)
        conn_close_after_send(c);
    else
        conn_arm_recv(c);
    conn_put(c);
}

bool
conn_has_left(const struct conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

    return !c->recv_op.busy && !c->closing && poll(&p, 1, 0) > 0;
}

#include "net/conn.h"

#include <poll.h>
#include <sys/socket.h>

static void conn_arm_recv(struct conn *c);
static void conn_maybe_free(struct conn *c);
static void conn_set_tell_left(struct timer *t);

/* Batch numbers wrap; they are compared by distance. */
static bool
seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

void
conn_set_init(struct conn_set *s, struct reactor *r)
{
    *s = (struct conn_set){.reactor = r, .left_timer.fn = conn_set_tell_left};
    list_init(&s->left);
    list_init(&s->all);
    list_init(&s->ready);
    list_init(&s->held);
    list_init(&s->starved);
}

/* --- input ----------------------------------------------------------------------------------- */

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

static void
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

/* Arms the receive again unless the connection ends, reads too far ahead, or buffers are short. */
static void
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

/* --- output ---------------------------------------------------------------------------------- */

void
conn_hold(struct conn *c, uint32_t seq)
{
    struct conn_hold_mark *last = c->nholds ? &c->holds[c->nholds - 1] : NULL;

    if (c->closing)
        return;
    if (last == NULL)
        c->released = 0;
    if (last && (last->seq == seq || c->nholds == CONN_HOLDS)) {
        last->end = c->out.n;
        if (seq_after(seq, last->seq))
            last->seq = seq;
    } else {
        c->holds[c->nholds++] = (struct conn_hold_mark){c->out.n, seq};
    }
    if (!c->in_held) {
        c->in_held = true;
        list_push_back(&c->set->held, &c->held_node);
    }
}

/* Bytes of `out` that may leave: everything, or what was released before the first held byte. A
 * reply that waits holds back all that follow it, so order needs no further care. A source goes with
 * the bytes before it: one that stands at 0 follows a byte that has left. */
static size_t
conn_sendable(const struct conn *c)
{
    return c->nholds ? c->released : c->out.n;
}

static bool
conn_is_empty(const struct conn *c)
{
    return c->out.n == 0 && c->out.sources == NULL && c->sending.n == 0;
}

static bool
conn_has_more(const struct conn *c)
{
    return conn_sendable(c) > 0 || (c->out.sources && c->out.sources->at == 0);
}

static void
conn_release(struct conn *c, uint32_t seq)
{
    uint32_t done = 0;

    while (done < c->nholds && !seq_after(c->holds[done].seq, seq))
        done++;
    if (done == 0)
        return;
    c->released = c->holds[done - 1].end;
    memmove(c->holds, c->holds + done, (c->nholds - done) * sizeof(c->holds[0]));
    c->nholds -= done;
    if (c->nholds == 0) {
        list_remove(&c->held_node);
        c->in_held = false;
    }
    conn_touch(c);
}

void
conn_set_release(struct conn_set *s, uint32_t seq)
{
    list_each_safe(it, &s->held)
    {
        conn_release(list_entry(it, struct conn, held_node), seq);
    }
}

void
conn_set_fail(struct conn_set *s)
{
    struct list *node;

    while ((node = list_pop_front(&s->held)))
        conn_close(list_entry(node, struct conn, held_node));
}

static void
conn_move_out(struct conn *c, size_t n)
{
    buf_append(&c->sending, c->out.p, n);
    buf_consume(&c->out, n);
    c->released -= MIN(n, c->released);
    for (uint32_t i = 0; i < c->nholds; i++)
        c->holds[i].end -= n;
}

/* Makes the next piece of the source that stands first. */
static void
conn_fill(struct conn *c)
{
    struct buf_source *s = c->out.sources;

    while (s && s->at == 0 && c->sending.n < CONN_PIECE_BYTES) {
        if (s->fill(s, &c->sending, CONN_PIECE_BYTES - c->sending.n))
            continue;
        c->out.sources = s->next;
        s->destroy(s);
        s = c->out.sources;
    }
}

/* Moves what may go from `out` to the empty `sending`. */
static void
conn_take_out(struct conn *c)
{
    size_t n = conn_sendable(c);

    if (likely(n == c->out.n && c->out.sources == NULL)) {
        struct buf empty = c->sending;

        c->sending = c->out;
        c->out = empty;
        return;
    }
    if (c->out.sources)
        n = MIN(n, c->out.sources->at);
    conn_move_out(c, n);
    conn_fill(c);
}

/* Something of the output is gone: what follows leaves next, and the owner is told. */
static void
conn_left(struct conn *c)
{
    conn_get(c); /* it may close in here */
    if (c->sending.n || conn_has_more(c))
        conn_touch(c);
    else if (c->close_after && conn_is_empty(c))
        conn_close(c);
    if (!c->closing)
        c->ops->on_drained(c);
    conn_put(c);
}

static void
conn_set_tell_left(struct timer *t)
{
    struct conn_set *s = container_of(t, struct conn_set, left_timer);
    struct list *node;

    while ((node = list_pop_front(&s->left)))
        conn_left(list_entry(node, struct conn, left_node));
}

/* A source had nothing more to say: what it held is gone without a send. The owner is told at once, but
 * not here, at the end of a turn: it may run what it had put off. */
static void
conn_left_silently(struct conn *c)
{
    struct conn_set *s = c->set;

    list_remove(&c->left_node);
    list_push_back(&s->left, &c->left_node);
    timer_arm(&s->reactor->timers, &s->left_timer, s->reactor->clock.mono_ns);
}

/* False: there is nothing to send. */
static bool
conn_fill_sending(struct conn *c)
{
    bool any = false;

    while (c->sending.n == 0 && conn_has_more(c)) {
        conn_take_out(c);
        any = true;
    }
    if (any && c->sending.n == 0)
        conn_left_silently(c);
    return c->sending.n > 0;
}

static void
conn_send(struct conn *c)
{
    if (c->send_op.busy || c->closing || !conn_fill_sending(c))
        return;
    io_send(c->set->reactor->io, &c->send_op, c->fd, c->sending.p + c->sent,
            c->sending.n - c->sent);
}

static void
buf_trim(struct buf *b)
{
    b->n = 0;
    if (b->cap > CONN_OUT_KEEP_BYTES)
        buf_fini(b);
}

static void
conn_on_send(struct io_op *op, int res, int buf, bool more)
{
    struct conn *c = container_of(op, struct conn, send_op);

    if (c->closing) {
        conn_maybe_free(c);
        return;
    }
    if (res < 0 && res != -EAGAIN && res != -EINTR) {
        conn_close(c);
        return;
    }
    if (res > 0) {
        c->sent += (size_t)res;
        c->set->bytes_out += (uint64_t)res;
    }
    if (c->sent == c->sending.n) {
        c->sent = 0;
        buf_trim(&c->sending);
    }
    conn_left(c);
}

void
conn_set_flush(struct conn_set *s)
{
    struct list *node;

    while ((node = list_pop_front(&s->ready))) {
        struct conn *c = list_entry(node, struct conn, ready_node);

        c->in_ready = false;
        conn_send(c);
    }
    while (!list_empty(&s->starved) && io_buf_free(s->reactor->io) > 0) {
        struct conn *c = list_entry(list_pop_front(&s->starved), struct conn, starved_node);

        c->in_starved = false;
        conn_arm_recv(c);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

void
conn_open(struct conn *c, struct conn_set *s, const struct conn_ops *ops, int fd)
{
    c->set = s;
    c->ops = ops;
    c->fd = fd;
    c->recv_op.fn = conn_on_recv;
    c->send_op.fn = conn_on_send;
    list_init(&c->ready_node);
    list_init(&c->held_node);
    list_init(&c->starved_node);
    list_init(&c->left_node);
    list_push_back(&s->all, &c->all_node);
    s->count++;
    conn_arm_recv(c);
}

void
conn_close(struct conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    list_remove(&c->ready_node);
    list_remove(&c->held_node);
    list_remove(&c->starved_node);
    list_remove(&c->left_node);
    c->ops->on_close(c);
    if (c->recv_op.busy)
        io_cancel(c->set->reactor->io, &c->recv_op);
    if (c->send_op.busy)
        io_cancel(c->set->reactor->io, &c->send_op);
    conn_maybe_free(c);
}

void
conn_kill(struct conn *c)
{
    if (c->closing)
        return;
    shutdown(c->fd, SHUT_RDWR); /* fails if the peer has gone already, which is as good */
    conn_close(c);
}

void
conn_close_after_send(struct conn *c)
{
    c->close_after = true;
    c->in_need = 0;
    if (!c->in_data) /* else who called on_data drops it */
        c->in.n = 0;
    if (conn_is_empty(c))
        conn_close(c);
    else
        conn_touch(c);
}

void
conn_put(struct conn *c)
{
    ASSERT(c->refs > 0);
    c->refs--;
    if (c->closing)
        conn_maybe_free(c);
}

static void
conn_maybe_free(struct conn *c)
{
    if (c->recv_op.busy || c->send_op.busy || c->refs > 0 || c->in_data || c->freeing)
        return;
    c->freeing = true;
    list_remove(&c->all_node);
    c->set->count--;
    io_close(c->set->reactor->io, c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    buf_fini(&c->sending);
    c->ops->on_free(c);
}

/* Bytes out: held until their journal batch is durable, sent one buffer at a time, long texts made
 * when their turn has come. */
#include "net/conn_priv.h"

/* Batch numbers wrap; they are compared by distance. */
static bool
seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

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

bool
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

void
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

void
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

void
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

#include "net/conn_priv.h"

#include <sys/socket.h>

/* --- the set -------------------------------------------------------------------------------- */

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

/* --- life ----------------------------------------------------------------------------------- */

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

void
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

#include "bench/load_conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int
load_conn_init(struct load_conn *c, int fd, unsigned node, uint64_t pipeline)
{
    uint32_t room = 1;
    int flags = fcntl(fd, F_GETFL);

    c->fd = fd;
    c->node = node;
    reply_scan_init(&c->scan);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    while (room < pipeline)
        room *= 2;
    c->flights = calloc(room, sizeof(*c->flights));
    c->flight_mask = room - 1;
    return c->flights ? 0 : -ENOMEM;
}

void
load_conn_fini(struct load_conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    buf_fini(&c->out);
    free(c->flights);
    c->fd = -1;
    c->flights = NULL;
}

static void
push_flight(struct load_conn *c, enum load_kind kind, uint64_t due_ns)
{
    struct load_flight *last = &c->flights[(c->flight_tail - 1) & c->flight_mask];

    if (c->flight_tail != c->flight_head && last->kind == kind && last->due_ns == due_ns) {
        last->n++;
        return;
    }
    ASSERT(c->flight_tail - c->flight_head <= c->flight_mask);
    c->flights[c->flight_tail++ & c->flight_mask] = (struct load_flight){due_ns, 1, kind};
}

uint64_t
load_conn_emit(struct load_conn *c, const struct load_workload *w, uint64_t n, uint64_t due_ns,
               size_t bytes_max)
{
    uint64_t i;

    for (i = 0; i < n && c->out.n - c->out_at < bytes_max; i++)
        push_flight(c, load_workload_emit(w, &c->source, &c->out), due_ns);
    c->outstanding += i;
    return i;
}

ssize_t
load_conn_send(struct load_conn *c)
{
    size_t n = c->out.n - c->out_at;
    ssize_t sent;

    if (n == 0)
        return 0;
    sent = send(c->fd, c->out.p + c->out_at, n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    c->out_at += (size_t)sent;
    if (c->out_at == c->out.n) {
        c->out.n = c->out_at = 0;
    } else if (c->out_at > LOAD_CONN_OUT_BYTES_MAX) {
        buf_consume(&c->out, c->out_at);
        c->out_at = 0;
    }
    return sent;
}

static int
retire(struct load_conn *c, uint64_t n, load_answered_fn *answered, void *arg)
{
    struct load_flight *f;
    uint64_t part;

    if (n > c->outstanding)
        return -EPROTO;
    c->outstanding -= n;
    while (n > 0) {
        f = &c->flights[c->flight_head & c->flight_mask];
        part = MIN(n, f->n);
        answered(arg, f, part);
        f->n -= (uint32_t)part;
        n -= part;
        c->flight_head += f->n == 0;
    }
    return 0;
}

ssize_t
load_conn_receive(struct load_conn *c, char *room, size_t room_bytes, load_answered_fn *answered,
                  void *arg)
{
    uint64_t before = c->scan.replies;
    ssize_t n = recv(c->fd, room, room_bytes, 0);
    int rc;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    rc = reply_scan_feed(&c->scan, room, (size_t)n);
    if (rc == 0)
        rc = retire(c, c->scan.replies - before, answered, arg);
    return rc < 0 ? rc : n;
}

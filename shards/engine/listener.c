#include "shards/engine/listener.h"

#include "core/log.h"
#include "shards/engine/session.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROBE_RETRIES 20
#define PROBE_RETRY_US 50000

struct listener {
    struct listener *next;
    struct core *core;
    struct io_op accept_op;
    int fd;
    bool closing;
};

/* --- binding --------------------------------------------------------------------------------------- */

/* A socket of its own (not `shared`) only takes the address: nobody can connect to it, and who listens there
 * already makes that an error. */
static int
socket_open(const struct addrinfo *ai, int backlog, bool shared)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, rc;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || (shared && listen(fd, backlog) < 0)) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

static void
listener_add(struct core *c, int fd)
{
    struct listener *l = calloc(1, sizeof(*l));

    ASSERT(l);
    l->core = c;
    l->fd = fd;
    l->next = c->listeners;
    c->listeners = l;
}

/* Listens on one address, or with core NULL only finds out whether it could. */
static int
listen_on(const struct config *config, struct core *c, const char *host, unsigned port,
          bool optional, struct buf *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list;
    char service[8];
    int rc;

    snprintf(service, sizeof(service), "%u", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        buf_printf(err, "cannot resolve the bind address '%s': %s", host ? host : "*",
                   gai_strerror(rc));
        return optional ? 0 : -EINVAL;
    }
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        int fd = socket_open(ai, (int)config->tcp_backlog, c != NULL);

        if (fd >= 0 && c)
            listener_add(c, fd);
        else if (fd >= 0)
            close(fd);
        if (fd >= 0 || optional || (host == NULL && ai->ai_family == AF_INET6))
            continue;
        buf_printf(err, "cannot listen on %s port %u: %s", host ? host : "*", port, strerror(-fd));
        freeaddrinfo(list);
        return fd;
    }
    freeaddrinfo(list);
    return 0;
}

static int
listen_on_all(const struct config *config, struct core *c, unsigned port, struct buf *err)
{
    struct slice rest = slice_of(config->bind), word;

    while (config_next_word(&rest, &word)) {
        bool optional = word.p[0] == '-';
        char host[256];
        int rc;

        if (optional)
            word = (struct slice){word.p + 1, word.n - 1};
        snprintf(host, sizeof(host), "%.*s", (int)word.n, word.p);
        rc = listen_on(config, c, strcmp(host, "*") == 0 ? NULL : host, port, optional, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The kernel gives back the sockets of a killed process only when its last I/O is done: who starts
 * again at once would find the port taken. */
static int
probe(const struct config *config, unsigned port, struct buf *err)
{
    size_t before = err->n;
    int rc;

    for (int i = 0; (rc = listen_on_all(config, NULL, port, err)) == -EADDRINUSE; i++) {
        if (i == PROBE_RETRIES)
            break;
        err->n = before;
        usleep(PROBE_RETRY_US);
    }
    return rc;
}

int
listener_probe_all(const struct config *config, uint32_t cores, struct buf *err)
{
    unsigned port = (unsigned)config->port;
    int rc = probe(config, port, err);

    for (uint32_t i = 0; config->core_ports && i < cores && rc == 0; i++)
        rc = probe(config, port + 1 + i, err);
    return rc;
}

int
listener_open_all(struct core *c, struct buf *err)
{
    unsigned port = (unsigned)c->config.port;
    int rc = listen_on_all(&c->config, c, port, err);

    if (rc == 0 && c->config.core_ports)
        rc = listen_on_all(&c->config, c, port + 1 + c->id, err);
    if (rc == 0 && c->listeners == NULL) {
        buf_printf(err, "no address of bind '%s' could be listened on", c->config.bind);
        rc = -EADDRNOTAVAIL;
    }
    return rc;
}

bool
listener_is_local_only(const struct config *config)
{
    struct slice rest = slice_of(config->bind), word;

    while (config_next_word(&rest, &word)) {
        if (word.p[0] == '-')
            word = (struct slice){word.p + 1, word.n - 1};
        if (word.n >= 4 && memcmp(word.p, "127.", 4) == 0)
            continue;
        if (slice_is(word, "::1") || slice_is(word, "localhost"))
            continue;
        return false;
    }
    return true;
}

/* --- accepting --------------------------------------------------------------------------------------- */

static void
refuse(struct core *c, int fd, const char *text)
{
    ssize_t n = send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)n; /* a courtesy: the client is closed either way */
    metrics_inc(&c->metrics, connections_rejected);
    io_close(c->reactor.io, fd);
}

static void
on_accept(struct io_op *op, int res, int buf, bool more)
{
    struct listener *l = container_of(op, struct listener, accept_op);
    struct core *c = l->core;

    if (res >= 0) {
        uint32_t clients = atomic_fetch_add_explicit(&c->node->clients, 1, memory_order_relaxed);

        if (l->closing || clients >= c->config.maxclients) {
            atomic_fetch_sub_explicit(&c->node->clients, 1, memory_order_relaxed);
            refuse(c, res, "-ERR max number of clients reached\r\n");
        } else {
            session_create(c, res);
        }
    } else if (res != -ECANCELED) {
        log_warn("core %u: accept: %s", c->id, strerror(-res));
        return; /* out of descriptors, say: listener_rearm_all tries again */
    }
    if (!more && !l->closing)
        io_accept(c->reactor.io, &l->accept_op, l->fd);
}

void
listener_rearm_all(struct core *c)
{
    for (struct listener *l = c->listeners; l; l = l->next)
        if (!l->accept_op.busy && !l->closing)
            io_accept(c->reactor.io, &l->accept_op, l->fd);
}

void
listener_start_all(struct core *c)
{
    for (struct listener *l = c->listeners; l; l = l->next) {
        l->accept_op.fn = on_accept;
        io_accept(c->reactor.io, &l->accept_op, l->fd);
    }
}

void
listener_close_all(struct core *c)
{
    for (struct listener *l = c->listeners; l; l = l->next) {
        if (l->closing)
            continue;
        l->closing = true;
        io_cancel(c->reactor.io, &l->accept_op);
        io_close(c->reactor.io, l->fd);
    }
}

void
listener_free_all(struct core *c)
{
    while (c->listeners) {
        struct listener *l = c->listeners;

        c->listeners = l->next;
        free(l);
    }
}

#include "tools/lib/client.h"

#include "net/number.h"
#include "tools/lib/reply_scan.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define RECEIVE_BYTES (64 * KIB)

static int
connect_first(struct addrinfo *list)
{
    struct timeval limit = {CLIENT_SETUP_SECONDS, 0};
    int fd, on = 1, rc = -ECONNREFUSED;

    for (; list; list = list->ai_next) {
        fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC, list->ai_protocol);
        if (fd < 0)
            return -errno;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(fd, list->ai_addr, list->ai_addrlen) == 0)
            return fd;
        rc = -errno;
        close(fd);
    }
    return rc;
}

static int
connect_to(const struct client_target *t, char *error, size_t error_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char port[16];
    int rc;

    snprintf(port, sizeof(port), "%u", t->port);
    rc = getaddrinfo(t->host, port, &hints, &list);
    if (rc != 0) {
        snprintf(error, error_size, "cannot look up %s: %s", t->host, gai_strerror(rc));
        return -EHOSTUNREACH;
    }
    rc = connect_first(list);
    freeaddrinfo(list);
    if (rc < 0)
        snprintf(error, error_size, "cannot connect to %s:%u: %s", t->host, t->port, strerror(-rc));
    return rc;
}

static int
send_all(int fd, const char *p, size_t n)
{
    ssize_t sent;

    while (n > 0) {
        sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return sent < 0 ? -errno : -EIO;
        p += sent;
        n -= (size_t)sent;
    }
    return 0;
}

int
client_ask(int fd, const struct buf *command, struct buf *reply)
{
    struct reply_scan scan;
    ssize_t n;
    int rc = send_all(fd, command->p, command->n);

    reply->n = 0;
    reply_scan_init(&scan);
    while (rc == 0 && scan.replies == 0) {
        if (reply->n > CLIENT_REPLY_BYTES_MAX)
            return -EMSGSIZE;
        n = recv(fd, buf_reserve(reply, RECEIVE_BYTES), RECEIVE_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        rc = reply_scan_feed(&scan, reply->p + reply->n, (size_t)n);
        reply->n += (size_t)n;
    }
    *buf_reserve(reply, 1) = '\0';
    return rc < 0 ? rc : scan.errors ? -EPROTO : 0;
}

int
client_ask_or_say(const struct client_target *t, int fd, const char *name,
                  const struct buf *command, struct buf *reply, char *error, size_t error_size)
{
    int rc = client_ask(fd, command, reply);

    if (rc == -EPROTO && reply->n > 1 && reply->p[0] == '-')
        snprintf(error, error_size, "%s at %s:%u: %.*s", name, t->host, t->port,
                 (int)strcspn(reply->p + 1, "\r\n"), reply->p + 1);
    else if (rc < 0)
        snprintf(error, error_size, "%s at %s:%u: %s", name, t->host, t->port,
                 rc == -EAGAIN ? "no answer in time" : strerror(-rc));
    return rc;
}

void
client_argument(struct buf *b, struct slice text)
{
    buf_printf(b, "$%zu\r\n", text.n);
    buf_append(b, text.p, text.n);
    buf_append_lit(b, "\r\n");
}

void
client_command(struct buf *b, unsigned argc, const struct slice *argv)
{
    buf_printf(b, "*%u\r\n", argc);
    for (unsigned i = 0; i < argc; i++)
        client_argument(b, argv[i]);
}

static int
login(const struct client_target *t, int fd, char *error, size_t error_size)
{
    struct slice argv[3] = {SLICE("AUTH")};
    struct buf command = {0}, reply = {0};
    unsigned argc = 1;
    int rc;

    if (t->user)
        argv[argc++] = slice_of(t->user);
    argv[argc++] = slice_of(t->password);
    client_command(&command, argc, argv);
    rc = client_ask_or_say(t, fd, "AUTH", &command, &reply, error, error_size);
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

int
client_open(const struct client_target *t, int *ret_fd, char *error, size_t error_size)
{
    int fd = connect_to(t, error, error_size);
    int rc = 0;

    if (fd < 0)
        return fd;
    if (t->password)
        rc = login(t, fd, error, error_size);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int64_t
reply_walk_next(struct reply_walk *w, char *ret_type, struct slice *ret_text)
{
    const char *line = w->p + 1;
    const char *eol = w->p < w->end ? memchr(w->p, '\n', (size_t)(w->end - w->p)) : NULL;
    int64_t n = 0;

    *ret_type = '\0';
    if (!eol)
        return -1;
    *ret_type = *w->p;
    *ret_text = (struct slice){line, (size_t)(eol - line) - (eol > line && eol[-1] == '\r')};
    if (*ret_type == '$' || *ret_type == '*' || *ret_type == ':')
        parse_int(*ret_text, &n);
    w->p = eol + 1;
    if (*ret_type == '$' && n >= 0) {
        *ret_text = (struct slice){w->p, (size_t)n};
        w->p += n + 2;
    }
    return n;
}

void
reply_walk_skip(struct reply_walk *w, int64_t elements)
{
    struct slice text;
    char type;
    int64_t n;

    while (elements-- > 0 && w->p < w->end) {
        n = reply_walk_next(w, &type, &text);
        if (type == '*' && n > 0)
            elements += n;
    }
}

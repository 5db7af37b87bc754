#include "bench/load_client.h"

#include "bench/load_reply.h"
#include "core/buf.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define NO_NODE 0xffff
static_assert(LOAD_NODES_MAX <= UINT8_MAX + 1, "a node number fits node_of_slot");

static int
connect_first(struct addrinfo *list)
{
    struct timeval limit = {LOAD_SETUP_SECONDS, 0};
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
connect_to(const struct load_node *node, char *error, size_t error_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char port[16];
    int rc;

    snprintf(port, sizeof(port), "%u", node->port);
    rc = getaddrinfo(node->host, port, &hints, &list);
    if (rc != 0) {
        snprintf(error, error_size, "cannot look up %s: %s", node->host, gai_strerror(rc));
        return -EHOSTUNREACH;
    }
    rc = connect_first(list);
    freeaddrinfo(list);
    if (rc < 0)
        snprintf(error, error_size, "cannot connect to %s:%u: %s", node->host, node->port,
                 strerror(-rc));
    return rc;
}

/* Sends a command and reads one whole reply into `reply`. An error reply is -EPROTO. */
static int
ask(int fd, const struct buf *command, struct buf *reply)
{
    struct load_reply_scan scan;
    ssize_t n;

    if (send(fd, command->p, command->n, MSG_NOSIGNAL) != (ssize_t)command->n)
        return -EIO;
    load_reply_init(&scan);
    while (scan.replies == 0) {
        if (reply->n > LOAD_MAP_BYTES_MAX)
            return -EMSGSIZE;
        n = recv(fd, buf_reserve(reply, 64 * KIB), 64 * KIB, 0);
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        if (load_reply_feed(&scan, reply->p + reply->n, (size_t)n) < 0)
            return -EPROTO;
        reply->n += (size_t)n;
    }
    *buf_reserve(reply, 1) = '\0';
    return scan.errors ? -EPROTO : 0;
}

static void
put_text(struct buf *b, const char *text)
{
    buf_printf(b, "$%zu\r\n%s\r\n", strlen(text), text);
}

static int
login(const struct load_options *o, const struct load_node *node, int fd, char *error,
      size_t error_size)
{
    struct buf command = {0}, reply = {0};
    int rc;

    buf_printf(&command, "*%d\r\n", o->user ? 3 : 2);
    put_text(&command, "AUTH");
    if (o->user)
        put_text(&command, o->user);
    put_text(&command, o->password);
    rc = ask(fd, &command, &reply);
    if (rc < 0)
        snprintf(error, error_size, "AUTH at %s:%u: %.*s", node->host, node->port,
                 reply.n ? (int)strcspn(reply.p, "\r\n") : 100, reply.n ? reply.p : strerror(-rc));
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

int
load_client_open(const struct load_options *o, const struct load_node *node, int *ret_fd,
                 char *error, size_t error_size)
{
    int fd = connect_to(node, error, error_size);
    int rc = 0;

    if (fd < 0)
        return fd;
    if (o->password)
        rc = login(o, node, fd, error, error_size);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* A reader of one whole reply, which load_reply_feed has already found to be well formed. */
struct walk {
    const char *p, *end;
};

/* Takes one element's header; returns its number, and for a string its bytes in *ret_text. */
static int64_t
walk_next(struct walk *w, char *ret_type, struct slice *ret_text)
{
    const char *line = w->p + 1;
    const char *eol = memchr(w->p, '\n', (size_t)(w->end - w->p));
    int64_t n;

    *ret_type = '\0';
    if (w->p == w->end || !eol)
        return -1;
    *ret_type = *w->p;
    n = strtoll(line, NULL, 10);
    w->p = eol + 1;
    if (*ret_type == '$' && n >= 0) {
        *ret_text = (struct slice){w->p, (size_t)n};
        w->p += n + 2;
    }
    return n;
}

static void
walk_skip(struct walk *w, int64_t elements)
{
    struct slice text;
    char type;
    int64_t n;

    while (elements-- > 0 && w->p < w->end) {
        n = walk_next(w, &type, &text);
        if (type == '*' && n > 0)
            elements += n;
    }
}

/* The node's number in the map, added if it is new; -ENOSPC when the map is full. */
static int
map_node(struct load_map *map, const char *seed_host, struct slice host, int64_t port)
{
    struct load_node node = {.port = (unsigned)port};
    unsigned i;

    if (host.n == 0 || host.n > LOAD_HOST_MAX)
        host = slice_of(seed_host); /* an empty name stands for the host that was asked */
    memcpy(node.host, host.p, host.n);
    for (i = 0; i < map->nodes; i++)
        if (map->node[i].port == node.port && strcmp(map->node[i].host, node.host) == 0)
            return (int)i;
    if (map->nodes == LOAD_NODES_MAX)
        return -ENOSPC;
    map->node[map->nodes++] = node;
    return (int)i;
}

/* One "[first, last, [host, port, ...], replicas...]". */
static int
map_range(struct load_map *map, const char *seed_host, struct walk *w, uint16_t *owner)
{
    struct slice text, host = {0};
    char type;
    int64_t fields = walk_next(w, &type, &text), first, last, parts, port, slot;
    int node;

    if (type != '*' || fields < 3)
        return -EPROTO;
    first = walk_next(w, &type, &text);
    last = walk_next(w, &type, &text);
    parts = walk_next(w, &type, &text);
    if (type != '*' || parts < 2 || first < 0 || last < first || last >= LOAD_SLOTS)
        return -EPROTO;
    walk_next(w, &type, &host);
    port = walk_next(w, &type, &text);
    if (type != ':' || port < 1 || port > 65535)
        return -EPROTO;
    walk_skip(w, parts - 2 + fields - 3);
    node = map_node(map, seed_host, host, port);
    for (slot = first; node >= 0 && slot <= last; slot++)
        owner[slot] = (uint16_t)node;
    return node < 0 ? node : 0;
}

static int
map_parse(struct load_map *map, const char *seed_host, const struct buf *reply)
{
    struct walk w = {reply->p, reply->p + reply->n};
    uint16_t owner[LOAD_SLOTS];
    struct slice text;
    char type;
    int64_t ranges = walk_next(&w, &type, &text);
    int rc = type == '*' ? 0 : -EPROTO, slot;

    memset(owner, 0xff, sizeof(owner));
    while (rc == 0 && ranges-- > 0)
        rc = map_range(map, seed_host, &w, owner);
    for (slot = 0; rc == 0 && slot < LOAD_SLOTS; slot++) {
        if (owner[slot] == NO_NODE)
            return -ENODATA;
        map->node_of_slot[slot] = (uint8_t)owner[slot];
    }
    return rc;
}

static void
explain_map(int rc, const struct load_node *seed, const struct buf *reply, char *error,
            size_t error_size)
{
    if (rc == -ENODATA)
        snprintf(error, error_size, "CLUSTER SLOTS at %s:%u leaves slots without a node",
                 seed->host, seed->port);
    else if (reply->n && reply->p[0] == '-')
        snprintf(error, error_size, "CLUSTER SLOTS at %s:%u: %.*s", seed->host, seed->port,
                 (int)strcspn(reply->p, "\r\n"), reply->p);
    else
        snprintf(error, error_size, "CLUSTER SLOTS at %s:%u: %s", seed->host, seed->port,
                 strerror(-rc));
}

int
load_client_map(const struct load_options *o, struct load_map *map, char *error, size_t error_size)
{
    struct load_node seed = {.port = (unsigned)o->port};
    struct buf command = {0}, reply = {0};
    int fd, rc;

    memset(map, 0, sizeof(*map));
    snprintf(seed.host, sizeof(seed.host), "%s", o->host);
    if (!o->cluster) {
        map->nodes = 1;
        map->node[0] = seed;
        return 0;
    }
    rc = load_client_open(o, &seed, &fd, error, error_size);
    if (rc < 0)
        return rc;
    buf_append_lit(&command, "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n");
    rc = ask(fd, &command, &reply);
    close(fd);
    if (rc == 0)
        rc = map_parse(map, o->host, &reply);
    if (rc < 0)
        explain_map(rc, &seed, &reply, error, error_size);
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

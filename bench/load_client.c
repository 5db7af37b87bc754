#include "bench/load_client.h"

#include "core/buf.h"
#include "tools/lib/client.h"

#include <stdio.h>
#include <unistd.h>

#define NO_NODE 0xffff
static_assert(LOAD_NODES_MAX <= UINT8_MAX + 1, "a node number fits node_of_slot");

static struct client_target
target_of(const struct load_options *o, const struct load_node *node)
{
    return (struct client_target){node->host, node->port, o->user, o->password};
}

int
load_client_open(const struct load_options *o, const struct load_node *node, int *ret_fd,
                 char *error, size_t error_size)
{
    struct client_target t = target_of(o, node);

    return client_open(&t, ret_fd, error, error_size);
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
map_range(struct load_map *map, const char *seed_host, struct reply_walk *w, uint16_t *owner)
{
    struct slice text, host = {0};
    char type;
    int64_t fields = reply_walk_next(w, &type, &text), first, last, parts, port, slot;
    int node;

    if (type != '*' || fields < 3)
        return -EPROTO;
    first = reply_walk_next(w, &type, &text);
    last = reply_walk_next(w, &type, &text);
    parts = reply_walk_next(w, &type, &text);
    if (type != '*' || parts < 2 || first < 0 || last < first || last >= LOAD_SLOTS)
        return -EPROTO;
    reply_walk_next(w, &type, &host);
    port = reply_walk_next(w, &type, &text);
    if (type != ':' || port < 1 || port > 65535)
        return -EPROTO;
    reply_walk_skip(w, parts - 2 + fields - 3);
    node = map_node(map, seed_host, host, port);
    for (slot = first; node >= 0 && slot <= last; slot++)
        owner[slot] = (uint16_t)node;
    return node < 0 ? node : 0;
}

static int
map_parse(struct load_map *map, const char *seed_host, const struct buf *reply)
{
    struct reply_walk w = reply_walk_start(reply);
    uint16_t owner[LOAD_SLOTS];
    struct slice text;
    char type;
    int64_t ranges = reply_walk_next(&w, &type, &text);
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
explain_map(int rc, const struct load_node *seed, char *error, size_t error_size)
{
    snprintf(error, error_size, "CLUSTER SLOTS at %s:%u %s", seed->host, seed->port,
             rc == -ENODATA   ? "leaves slots without a node"
             : rc == -ENOSPC ? "names too many nodes"
                             : "has an answer that is no map");
}

int
load_client_map(const struct load_options *o, struct load_map *map, char *error, size_t error_size)
{
    struct load_node seed = {.port = (unsigned)o->port};
    struct slice argv[] = {SLICE("CLUSTER"), SLICE("SLOTS")};
    struct buf command = {0}, reply = {0};
    struct client_target t;
    int fd, rc;

    memset(map, 0, sizeof(*map));
    snprintf(seed.host, sizeof(seed.host), "%s", o->host);
    if (!o->cluster) {
        map->nodes = 1;
        map->node[0] = seed;
        return 0;
    }
    t = target_of(o, &seed);
    rc = client_open(&t, &fd, error, error_size);
    if (rc < 0)
        return rc;
    client_command(&command, 2, argv);
    rc = client_ask_or_say(&t, fd, "CLUSTER SLOTS", &command, &reply, error, error_size);
    close(fd);
    if (rc == 0) {
        rc = map_parse(map, o->host, &reply);
        if (rc < 0)
            explain_map(rc, &seed, error, error_size);
    }
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

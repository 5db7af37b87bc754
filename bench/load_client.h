/* What happens before the load starts: connections are opened (tools/lib/client.h), and the cluster
 * is asked for its map. Every function writes a sentence to `error` when it fails. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include "bench/load_keys.h"
#include "bench/load_options.h"
#include "core/base.h"

#define LOAD_HOST_MAX 255

struct load_node {
    char host[LOAD_HOST_MAX + 1];
    unsigned port;
};

struct load_map {
    unsigned nodes;
    struct load_node node[LOAD_NODES_MAX];
    uint8_t node_of_slot[LOAD_SLOTS];
};

/* A connected, logged-in, still blocking socket in *ret_fd, or a negative errno. */
int load_client_open(const struct load_options *o, const struct load_node *node, int *ret_fd,
                     char *error, size_t error_size);
/* Fills the map: one node without --cluster, else what CLUSTER SLOTS of the given host says. Every
 * slot must be served. */
int load_client_map(const struct load_options *o, struct load_map *map, char *error,
                    size_t error_size);

#endif

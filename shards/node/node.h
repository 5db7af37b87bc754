/* A node: the process. Starts the cores on the data directory, waits for a signal, stops them. */
#ifndef SHARDS_NODE_NODE_H
#define SHARDS_NODE_NODE_H

#include "core/config.h"
#include "shards/node/datadir.h"
#include "shards/store/store.h"

/* Runs the server until SIGTERM, SIGINT or SHUTDOWN. Returns the exit status: 0 stopped in good
 * order, 1 could not start (the log says why). */
int node_run(const struct config *config);

/* What `store-compression` says. */
enum store_compression node_compression(const struct config *config);

#endif

/* Listening sockets of one core: one per address and port, shared among the cores with
 * SO_REUSEPORT; with core-ports a second one on a port of its own. */
#ifndef SHARDS_ENGINE_LISTENER_H
#define SHARDS_ENGINE_LISTENER_H

#include "shards/engine/core.h"

/* Is every port free? The cores share theirs with SO_REUSEPORT, which would let a second server in
 * beside the first: this asks without it. A taken port gets a second's grace. 0 or a negative errno;
 * err names address and port. */
int listener_probe_all(const struct config *config, uint32_t cores, struct buf *err);
/* Binds every configured address. 0 or a negative errno; err names the address. Before the loop. */
int listener_open_all(struct core *c, struct buf *err);
/* On the loop: starts accepting. */
void listener_start_all(struct core *c);
/* Periodically: accepts again on sockets that ran out of descriptors. */
void listener_rearm_all(struct core *c);
void listener_close_all(struct core *c);
/* After the loop ended. */
void listener_free_all(struct core *c);
/* Is every configured address a loopback one? */
bool listener_is_local_only(const struct config *config);

#endif

/* What the files of a node share: the process while it runs, and the start of each of its cores. */
#ifndef SHARDS_NODE_NODE_PRIV_H
#define SHARDS_NODE_NODE_PRIV_H

#include "core/cpu.h"
#include "shards/engine/core.h"
#include "shards/engine/recovery.h"
#include "shards/node/datadir.h"

#include <pthread.h>

/* What starting one core needs, on its own thread. */
struct starter {
    struct core *core;
    struct recovery_shard recovery;
    pthread_t thread;
    struct running *running;
    char store_dir[DATADIR_PATH_MAX];
    struct buf error; /* why it could not start */
    int rc;
};

/* The process while it runs. */
struct running {
    struct node node;
    struct datadir dir;
    struct cpu_set background;
    struct cpu_set cpus;
    uint64_t kept_tables; /* of a store that does not compact them any more */
    struct starter *starters;
    pthread_barrier_t recovered, admitted, listening;
    _Atomic bool failed;
};

/* Makes core `id` and opens its store. Any thread, unpinned: RocksDB's threads and the helpers inherit
 * the background CPUs from it. 0, or a negative errno and s->error. */
int starter_prepare(struct starter *s, unsigned id);
/* The thread of a core: attaches to its CPU, recovers, serves until the node stops. */
void *starter_thread(void *arg);

#endif

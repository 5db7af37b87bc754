/* Changing the number of cores: slots move between shards, which is copying ranges of rows.
 *
 * First the old layout is brought to rest: every journal is recovered and everything put into the old
 * stores by a checkpoint. Then every row goes to the store of the shard that now owns its slot, in a
 * new generation of the data directory. Last MANIFEST names the new one. Until then the old one is
 * complete and untouched but for its checkpoint: killed at any moment, the next start does it again. */
#ifndef SHARDS_NODE_RESHARD_H
#define SHARDS_NODE_RESHARD_H

#include "shards/engine/core.h"
#include "shards/node/datadir.h"

/* From d->cores to node->ncores. Blocking; before any core runs. 0 or a negative errno. */
int reshard(struct datadir *d, struct node *node, struct buf *err);

#endif

/* MANIFEST, the file that says which generation of a data directory counts (datadir.h, FORMATS.md). */
#ifndef SHARDS_NODE_MANIFEST_H
#define SHARDS_NODE_MANIFEST_H

#include "shards/node/datadir.h"

/* Fills in what the file of d->path says. 0; -ENOENT: there is none; or another negative errno and err. */
int manifest_read(struct datadir *d, struct buf *err);
/* Replaces the file, durably, then notes in d what it says. 0 or a negative errno and err. */
int manifest_write(struct datadir *d, uint32_t cores, uint32_t generation, bool used,
                   struct buf *err);

#endif

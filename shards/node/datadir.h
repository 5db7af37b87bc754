/* The data directory: who may use it, and where each core's files are.
 *
 *   LOCK                    held (flock) while a server runs; holds its pid as text
 *   MANIFEST                text: format version, cores, generation, checksum; replaced atomically
 *   gen-000001/core-000/journal/   segments
 *   gen-000001/core-000/store/     RocksDB
 *
 * A generation is the data laid out for one number of cores. Changing the number of cores builds the
 * next generation beside the present one and then replaces MANIFEST; a generation that MANIFEST does
 * not name is leftovers and is removed at the next start. */
#ifndef SHARDS_NODE_DATADIR_H
#define SHARDS_NODE_DATADIR_H

#include "core/base.h"
#include "core/buf.h"

#define DATADIR_FORMAT_VERSION 1
#define DATADIR_CORES_MAX 256

struct datadir {
    char path[1024];
    int lock_fd;
    uint32_t cores;      /* of the present generation; 0 = nothing there yet */
    uint32_t generation;
};

/* Creates the directory if missing, takes the lock, reads MANIFEST. 0 or a negative errno; err says
 * who holds the lock or what is wrong with the file. */
int datadir_open(struct datadir *d, const char *path, struct buf *err);
void datadir_close(struct datadir *d);
/* Makes `generation` with `cores` cores the present one: temporary file, fsync, rename, fsync. */
int datadir_commit(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err);
/* Paths; out has room for 1200 bytes. Created when missing. */
int datadir_core_path(const struct datadir *d, uint32_t generation, uint32_t core,
                      const char *what, char *out, struct buf *err);
/* Removes every generation but the present one. */
void datadir_remove_leftovers(const struct datadir *d);

#endif

/* The data directory: who may use it, and where each core's files are.
 *
 *   LOCK                    held (flock) while a server runs; holds its pid as text
 *   MANIFEST                text: format version, cores, generation, instance, state, checksum;
 *                           replaced atomically
 *   gen-000001/core-000/journal/   segments, and OWNER (owner.h)
 *   gen-000001/core-000/store/     RocksDB, and OWNER
 *
 * A generation is the data laid out for one number of cores. Changing the number of cores builds the
 * next generation beside the present one and then replaces MANIFEST; a generation that MANIFEST does
 * not name is leftovers and is removed at the next start.
 *
 * Order: the parts of a generation are made, each with its OWNER; MANIFEST names the generation, in the
 * state "new"; cores open their journals; MANIFEST says "used", and only then clients are let in. So a
 * part that is not there, or not ours, was lost, and a start that would make it anew is refused. */
#ifndef SHARDS_NODE_DATADIR_H
#define SHARDS_NODE_DATADIR_H

#include "core/base.h"
#include "core/buf.h"

#define DATADIR_FORMAT_VERSION 2
#define DATADIR_CORES_MAX 256
#define DATADIR_PATH_MAX 1200 /* of a file in it */

struct datadir {
    char path[1024];
    int lock_fd;
    uint32_t cores;      /* of the present generation; 0 = nothing there yet */
    uint32_t generation;
    uint64_t instance;   /* number of this directory, drawn once; 0 = it has none yet (format 1) */
    bool used;           /* a server has let clients in on this generation */
};

/* Creates the directory if missing, takes the lock, reads MANIFEST. 0 or a negative errno; err says
 * who holds the lock or what is wrong with the file. -EBADMSG also where MANIFEST is missing beside
 * data. */
int datadir_open(struct datadir *d, const char *path, struct buf *err);
/* Reads MANIFEST without taking the lock or making anything, and checks the parts it names: what a start
 * would refuse. 0, also for a directory that is none of ours, or a negative errno and err. */
int datadir_inspect(const char *path, struct buf *err);
void datadir_close(struct datadir *d);
/* The directories of a generation with their OWNER files, made where they are missing; draws the
 * instance if there is none. 0 or a negative errno. */
int datadir_make_parts(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err);
/* Is the present generation all there, and ours? 0, -EBADMSG or another negative errno. */
int datadir_check_parts(const struct datadir *d, struct buf *err);
/* Makes `generation` with `cores` cores the present one, new: temporary file, fsync, rename, fsync. */
int datadir_commit(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err);
/* Says that its journals are open and clients come; nothing if that was said before. */
int datadir_commit_used(struct datadir *d, struct buf *err);
/* The directory of a part ("journal", "store"); out has room for DATADIR_PATH_MAX bytes. */
void datadir_core_path(const struct datadir *d, uint32_t generation, uint32_t core,
                       const char *part, char *out);
/* Removes every generation but the present one. */
void datadir_remove_leftovers(const struct datadir *d);

#endif

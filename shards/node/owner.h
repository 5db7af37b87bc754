/* Whose files these are. Each directory of files that belong together (a core's journal, its store) has
 * a small text file OWNER, made with the directory and never changed:
 *
 *   pinstripe-part 1
 *   instance 61884280c7c7d309
 *   generation 1
 *   core 0 of 2
 *   part journal
 *
 * Journals check that their records follow each other and stores that their tables are their own, but
 * neither sees that it stands in the place of another core's, that it comes from another data
 * directory, or that it was lost whole and is being made anew. This file does. */
#ifndef SHARDS_NODE_OWNER_H
#define SHARDS_NODE_OWNER_H

#include "core/base.h"
#include "core/buf.h"

struct owner {
    uint64_t instance;    /* number of the data directory */
    uint32_t generation;
    uint32_t core, cores;
    const char *part;     /* "journal" or "store" */
};

/* Writes OWNER into dir, durable with its name. 0 or a negative errno. Blocking. */
int owner_write(const char *dir, const struct owner *o);
/* Does dir belong there? 0, -EBADMSG, or another negative errno; err says what is wrong. Blocking. */
int owner_check(const char *dir, const struct owner *o, struct buf *err);

#endif

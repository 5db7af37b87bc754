/* How many files the process may open, and what of that clients and tables of stores may take. Journals,
 * stores and checkpoints open files while the server runs; where clients have them all a journal fails. */
#ifndef SHARDS_NODE_FILE_LIMIT_H
#define SHARDS_NODE_FILE_LIMIT_H

#include "core/buf.h"

#define FILE_LIMIT_WANTED 4096 /* beside clients: every table of a store stays open */
#define FILE_LIMIT_BASE 32     /* the least, for the process and for each core */
#define FILE_LIMIT_CORE 32
#define FILE_LIMIT_TABLES 1000 /* beside all that, for each core: tables that are not compacted any more */

/* Most clients that leave at least half of `limit` files, FILE_LIMIT_WANTED at most, to the rest; 0:
 * there are too few for so many cores. */
uint64_t file_limit_clients(uint64_t limit, uint32_t cores, uint64_t maxclients);
/* What is left to the tables of one core beside so many clients, at least 1. */
uint64_t file_limit_tables(uint64_t limit, uint32_t cores, uint64_t clients);
/* Raises the limit as far as it goes, and lowers *maxclients to what fits, which the log says; *ret_tables
 * are those of one core. 0, or -EMFILE and err. */
int file_limit_raise(uint32_t cores, uint64_t *maxclients, uint64_t *ret_tables, struct buf *err);

#endif

/* How much stack and how many addresses the process may have (ulimit -s, ulimit -v). Too little of either
 * is no error that anybody could handle later: a signal, or an abort within a library. */
#ifndef SHARDS_NODE_MEMORY_LIMIT_H
#define SHARDS_NODE_MEMORY_LIMIT_H

#include "core/buf.h"

#define MEMORY_LIMIT_STACK_BYTES (1 * MIB)     /* of a thread, at least */
#define MEMORY_LIMIT_BASE_BYTES (256 * MIB)    /* addresses of a process with an empty store ... */
#define MEMORY_LIMIT_CORE_BYTES (128 * MIB)    /* ... and for each of its cores */

/* Raises the stack to MEMORY_LIMIT_STACK_BYTES where that is allowed, also of threads to come. 0, or
 * -ENOMEM and err. */
int memory_limit_stack(struct buf *err);
/* Are there addresses for so many cores? 0, or -ENOMEM and err. */
int memory_limit_check(uint32_t cores, struct buf *err);

#endif

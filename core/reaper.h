/* Gives large pieces of memory back. free() of 64 MiB takes the kernel 8 ms, for it takes pages away one
 * by one; so a thread of its own does it, wherever the memory was used last.
 *
 * Before reaper_start and after reaper_stop, and for small pieces, reaper_free is free(). Nobody waits
 * for it: memory on its way to the reaper still belongs to the process for a moment. */
#ifndef CORE_REAPER_H
#define CORE_REAPER_H

#include "core/base.h"

#define REAPER_BYTES_MIN (1 * MIB) /* smaller ones are freed at once */

/* Starts the thread, with the caller's CPU mask. Once a process. 0 or a negative errno. */
int reaper_start(void);
/* Frees what waits and ends the thread. Nobody may call reaper_free meanwhile. */
void reaper_stop(void);
/* free(p), of memory of n bytes, sooner or later; NULL does nothing. Any thread; never blocks. */
void reaper_free(void *p, size_t n);

#endif

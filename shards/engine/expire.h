/* The active expiry cycle: walks the directory with a time budget and removes what has expired, so
 * that keys nobody reads go too. The walk only happens in databases that have expiring keys. */
#ifndef SHARDS_ENGINE_EXPIRE_H
#define SHARDS_ENGINE_EXPIRE_H

#include "shards/engine/shard.h"

#define EXPIRE_CYCLE_NS 500000ULL /* at effort 1; each step of effort adds as much */
#define EXPIRE_FOUND_MAX 64       /* keys removed before the clock is looked at again */

void expire_cycle(struct shard *sh);

#endif

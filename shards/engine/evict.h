/* maxmemory: clean entries leave memory and stay in the store. Each core minds its share
 * (maxmemory / cores). When nothing clean is left a checkpoint is asked for, which makes dirty
 * entries clean; only what could not be held even then is refused, and what would have to wait for
 * a checkpoint when these fail again and again.
 *
 * Room is made before a command that may grow the data, before a transaction is lent the shard, and
 * before something is brought in from the store. A write waits for room; a read never does: while
 * all is dirty each read displaces some of what earlier reads brought, so that they stay few. What
 * a request had fetched for itself it may keep until it has run: memory is above the limit by as
 * much. */
#ifndef SHARDS_ENGINE_EVICT_H
#define SHARDS_ENGINE_EVICT_H

#include "shards/engine/shard.h"

enum evict_result {
    EVICT_ROOM,  /* within the limit */
    EVICT_LATER, /* a checkpoint is under way or asked for: room will come */
    EVICT_STUCK, /* checkpoints fail: no room will come until one succeeds */
    EVICT_NEVER, /* everything in memory is clean or unevictable and still too much */
};

/* Is this shard above its share? */
bool evict_is_due(const struct core *core, const struct shard *sh);
/* Drops clean entries where that is needed; bounded work. For the shard's owner, while it is not
 * lent out. */
enum evict_result evict_make_room(struct core *core, struct shard *sh);
/* The same in two steps, for a core that leases the shard: it drops what is clean (`core` is the
 * caller's) ... */
enum evict_result evict_leased(const struct core *core, struct shard *sh);
/* ... and at EVICT_LATER the owner asks for the checkpoint, with the shard still leased. */
void evict_want_checkpoint(struct shard *sh);
/* Why a command that needs memory is refused; NULL: it is not. */
const char *evict_error(enum evict_result r);

#endif

/* Keys set aside: the start could not read in the store what a record of the journal changes of them.
 *
 * Such a key is neither in memory nor what the store has of it: who asks for it gets the error of one that
 * cannot be read (load_key.c), and until it is overwritten no checkpoint of the shard is made: the journal
 * keeps its records (checkpoint.c). The next start replays them all, and reads the key when the file has
 * been put back. Only replay sets keys aside. Owner: the shard's owner. */
#ifndef SHARDS_ENGINE_ASIDE_H
#define SHARDS_ENGINE_ASIDE_H

#include "shards/engine/keyspace.h"
#include "shards/engine/shard.h"

/* Replay of the record with operation `op` needs the key. What memory has of it goes. */
void aside_add(struct key *k, uint8_t op);
bool aside_find(const struct shard_db *d, struct slice key, uint64_t hash);
/* It is set aside, and something else takes the place of what it was. */
void aside_remove(struct shard_db *d, struct slice key, uint64_t hash);
/* The database is emptied. */
void aside_clear(struct shard_db *d);

static inline bool
aside_has(const struct shard_db *d, struct slice key, uint64_t hash)
{
    return unlikely(d->aside != NULL) && aside_find(d, key, hash);
}

/* How many, of all databases. */
uint64_t aside_keys(const struct shard *sh);
/* Says in the log which keys are set aside, why, and what can be done. Blocks. */
void aside_tell(struct shard *sh);

#endif

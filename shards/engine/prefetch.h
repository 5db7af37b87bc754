/* Keys of requests that will run soon wait for memory together instead of one after the other:
 * first their buckets (prefetch_bucket, as soon as a key is known), then their entries, then what
 * the entries of series point to (prefetch_keys, for a group of them). Nothing is changed; a wrong
 * guess costs time only. Thread: whoever may touch the shard. */
#ifndef SHARDS_ENGINE_PREFETCH_H
#define SHARDS_ENGINE_PREFETCH_H

#include "shards/engine/shard.h"

#define PREFETCH_KEYS 64 /* a group: what is in flight at once */

struct wanted_key {
    uint64_t hash;
    struct slice key;
    uint8_t db;
    bool series; /* the command wants a series */
};

static inline void
prefetch_bucket(const struct shard *sh, uint8_t db, uint64_t hash)
{
    head_prefetch(&sh->db[db].head, hash);
}

/* n up to PREFETCH_KEYS. */
void prefetch_keys(const struct shard *sh, const struct wanted_key *keys, uint32_t n);

#endif

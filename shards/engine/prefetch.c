#include "shards/engine/prefetch.h"

#include "shards/series/series.h"

static struct series_key *
series_of(const struct shard *sh, const struct wanted_key *w)
{
    struct entry *e;

    if (!w->series)
        return NULL;
    e = head_find(&sh->db[w->db].head, w->hash, w->key);
    return e && e->type == ENTRY_SERIES && !(e->flags & ENTRY_TOMBSTONE) ? entry_ptr(e) : NULL;
}

void
prefetch_keys(const struct shard *sh, const struct wanted_key *keys, uint32_t n)
{
    struct series_key *series[PREFETCH_KEYS];

    ASSERT(n <= PREFETCH_KEYS);
    for (uint32_t i = 0; i < n; i++)
        head_prefetch_entry(&sh->db[keys[i].db].head, keys[i].hash);
    for (uint32_t i = 0; i < n; i++) {
        series[i] = series_of(sh, &keys[i]);
        if (series[i])
            series_prefetch_key(series[i]);
    }
    for (uint32_t i = 0; i < n; i++)
        if (series[i])
            series_prefetch_points(series[i]);
}

#include "shards/engine/evict.h"

#include "shards/engine/checkpoint.h"
#include "shards/engine/command.h"
#include "shards/engine/core.h"

#define EVICT_BUCKETS_PER_CALL 512 /* CLOCK steps a request may cost */

struct evict_from {
    struct shard *sh;
    struct head *head;
};

static bool
evict_entry(void *arg, struct entry *e)
{
    struct evict_from *from = arg;

    if (!(e->flags & ENTRY_IN_STORE) || (e->flags & (ENTRY_FLUSHING | ENTRY_TOMBSTONE)))
        return false;
    head_remove(from->head, head_hash(entry_key(e)), e);
    from->sh->evicted++;
    return true;
}

bool
evict_is_due(const struct core *core, const struct shard *sh)
{
    uint64_t limit = core->config.maxmemory;

    return limit != 0 && shard_memory(sh) > limit / core->ncores;
}

/* Something will leave memory even if nothing dirty is ever stored. */
static bool
has_clean(const struct shard *sh)
{
    for (unsigned i = 0; i < SHARD_DBS; i++)
        if (sh->db[i].head.in_store > sh->db[i].head.dirty_count)
            return true;
    return false;
}

enum evict_result
evict_leased(const struct core *core, struct shard *sh)
{
    bool clean = false, dirty = false;

    if (likely(!evict_is_due(core, sh)))
        return EVICT_ROOM;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        struct head *h = &sh->db[i].head;
        struct evict_from from = {sh, h};

        if (h->used == 0)
            continue;
        head_clock(h, EVICT_BUCKETS_PER_CALL, evict_entry, &from);
        clean = clean || h->in_store > 0;
        dirty = dirty || h->dirty_count > 0;
        if (!evict_is_due(core, sh))
            return EVICT_ROOM;
    }
    if (!clean && !dirty && !sh->checkpoint)
        return EVICT_NEVER;
    return checkpoint_fails(sh) && !has_clean(sh) ? EVICT_STUCK : EVICT_LATER;
}

void
evict_want_checkpoint(struct shard *sh)
{
    bool dirty = sh->checkpoint != NULL;

    for (unsigned i = 0; i < SHARD_DBS; i++)
        dirty = dirty || sh->db[i].head.dirty_count > 0;
    if (dirty)
        checkpoint_request(sh);
}

enum evict_result
evict_make_room(struct core *core, struct shard *sh)
{
    enum evict_result r = evict_leased(core, sh);

    if (unlikely(r == EVICT_LATER || r == EVICT_STUCK))
        evict_want_checkpoint(sh);
    return r;
}

const char *
evict_error(enum evict_result r)
{
    switch (r) {
    case EVICT_STUCK:
        return ERR_OOM_STUCK;
    case EVICT_NEVER:
        return ERR_OOM;
    case EVICT_ROOM:
    case EVICT_LATER:
        break;
    }
    return NULL;
}

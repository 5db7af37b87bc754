/* Whole databases: emptied at once, their memory given back a little at a time. */
#include "shards/engine/aside.h"
#include "shards/engine/keyspace_priv.h"

struct detached {
    struct list node;
    struct shard_db db;
};

/* Is the key there, as far as memory knows? Where it does not know the watch is broken. */
static bool
flush_removes(void *arg, struct slice name)
{
    struct shard_db *d = arg;
    const struct entry *e = head_find(&d->head, head_hash(name), name);

    if (e)
        return !(e->flags & ENTRY_TOMBSTONE);
    return shard_db_has_cold(d);
}

static void
db_flush(struct shard *sh, uint8_t db)
{
    struct shard_db *d = &sh->db[db];
    struct detached *old = arena_alloc(sh->arena, sizeof(*old));

    if (sh->watches && !sh->recovering)
        watch_touch_db(sh->watches, db, flush_removes, d);
    if (sh->observed && !sh->recovering)
        shard_db_gone(sh, db);
    aside_clear(d);
    old->db = *d;
    list_push_back(&sh->detached, &old->node);
    head_init(&d->head, sh->arena, old->db.head.free_value);
    d->labels = NULL;
    d->unread_maybes = 0;
    /* Replayed, it may have begun to drop rows before the crash, which brings older ones to light (store_drop.c). */
    d->hidden = d->hidden || d->stored_keys > 0 || sh->checkpoint != NULL || sh->recovering;
    d->flushes++;
    sh->flush_epoch++;
}

void
keyspace_flush(struct ctx *c, int db)
{
    for (uint32_t i = 0; i < ctx_shards(c); i++) {
        struct shard *sh = ctx_shard_at(c, i);

        if (!sh->recovering) {
            record_flush(&sh->journal, db < 0 ? RECORD_DB_ALL : (uint8_t)db);
            sh->delete_seq = sh->journal.open_seq;
            ctx_hold(c, sh, sh->delete_seq);
        }
        for (uint8_t d = 0; d < SHARD_DBS; d++)
            if (db < 0 || d == db)
                db_flush(sh, d);
    }
}

/* Frees flushed databases a little at a time; returns work done. */
unsigned
keyspace_release_detached(struct shard *sh, uint32_t budget)
{
    struct detached *old;

    if (list_empty(&sh->detached))
        return 0;
    old = list_entry(sh->detached.next, struct detached, node);
    if (old->db.labels && !labels_release_slice(&old->db.labels, budget))
        return 1;
    if (head_release_slice(&old->db.head, budget)) {
        list_remove(&old->node);
        arena_free(sh->arena, old, sizeof(*old));
    }
    return 1;
}

uint64_t
keyspace_keys(const struct shard *sh, uint8_t db)
{
    const struct shard_db *d = &sh->db[db];
    uint64_t cold = d->hidden ? 0 : d->stored_keys - d->head.in_store;

    return d->head.keys + cold;
}

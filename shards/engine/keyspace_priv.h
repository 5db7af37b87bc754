/* What the files of the keyspace share: the marks that every change leaves. */
#ifndef SHARDS_ENGINE_KEYSPACE_PRIV_H
#define SHARDS_ENGINE_KEYSPACE_PRIV_H

#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/record.h"
#include "shards/engine/watch.h"
#include "shards/labels/labels.h"

/* Of several batches the newest. */
static inline void
ctx_hold_leased(struct shard_hold *h, uint32_t seq)
{
    if (!h->any || (int32_t)(seq - h->seq) > 0)
        h->seq = seq;
    h->any = true;
}

/* The reply waits for this batch of the shard's journal. */
static inline void
ctx_hold(struct ctx *c, const struct shard *sh, uint32_t seq)
{
    if (!shard_seq_pending(sh, seq))
        return;
    if (unlikely(c->holds)) {
        ctx_hold_leased(&c->holds[sh->id], seq);
        return;
    }
    if (!c->hold || (int32_t)(seq - c->hold_seq) > 0)
        c->hold_seq = seq;
    c->hold = true;
}

/* The entry changed: its record is in the open batch. True: somebody wants to know of it. */
static inline bool
key_marked(struct ctx *c, struct key *k, struct entry *e)
{
    struct shard *sh = k->sh;

    head_mark_dirty(k->head, e);
    if (unlikely(sh->recovering))
        return false;
    e->seq = sh->journal.open_seq;
    ctx_hold(c, sh, e->seq);
    return unlikely(sh->observed);
}

static inline void
key_changed(struct ctx *c, struct key *k, struct entry *e)
{
    if (likely(!key_marked(c, k, e)))
        return;
    if (e->type == ENTRY_SERIES && !(e->flags & ENTRY_TOMBSTONE))
        shard_series_changed(k->sh, k->db, k->name);
    else
        shard_key_touched(k->sh, k->db, k->name);
}

/* The entry is about to stop being a series. */
static inline void
key_leaves_series(struct key *k, const struct entry *e)
{
    if (unlikely(k->sh->observed) && e->type == ENTRY_SERIES && !k->sh->recovering)
        shard_series_gone(k->sh, k->db, k->name);
}

static inline void
key_used(struct key *k, struct entry *e)
{
    e->access_s = k->sh->now_s;
    e->flags |= ENTRY_REFERENCED;
}

/* May the store have a row of a key that is not in memory? */
static inline bool
store_may_have(const struct key *k)
{
    return unlikely(shard_db_has_cold(&k->sh->db[k->db]));
}

/* Does the store hold block rows below this key? */
bool entry_has_stored_blocks(const struct entry *e);

/* The label index follows: the key has these labels from now on, NULL = it is no series any more.
 * (An evicted series still bears its labels.) */
void key_relabel_any(struct key *k, const struct series_meta *meta);

static inline void
key_relabel(struct key *k, const struct series_meta *meta)
{
    if (unlikely(k->sh->db[k->db].labels != NULL || (meta && meta->labels_n > 0)))
        key_relabel_any(k, meta);
}

/* An entry for a key that memory does not have. */
struct entry *key_new_entry(struct key *k, enum entry_type type, uint32_t len, int64_t expire_ms);

#endif

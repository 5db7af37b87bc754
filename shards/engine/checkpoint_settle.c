/* Settle: entries learn that they are stored, or stay dirty; and series that went away while their
 * chunks were lent. */
#include "shards/engine/checkpoint_priv.h"

#include "shards/engine/core.h"
#include "shards/labels/labels.h"
#include "shards/store/row.h"

#include <stdlib.h>

static bool
series_is_orphan(const struct checkpoint *c, const struct series_key *k)
{
    for (const struct orphan *o = c->orphans; o; o = o->next)
        if (o->series == k)
            return true;
    return false;
}

static void
settle_series(struct checkpoint *c, struct item *it)
{
    struct series_key *k = it->series;
    bool orphan = k && c->orphans && series_is_orphan(c, k);

    for (uint32_t i = 0; i < it->flushes_n; i++) {
        struct series *s = k ? series_find(k, it->flushes[i].type) : NULL;

        if (s && !orphan)
            series_flush_done(c->sh->arena, k, s, &it->flushes[i], c->rc == 0);
    }
}

/* Somebody goes by a list of rows that is older than this checkpoint: what is not as the list says
 * stays in memory, which is asked first, until the next one. */
static void
keep_for_walks(struct head *h, struct entry *e)
{
    if (e->flags & ENTRY_TOMBSTONE)
        head_set_store(h, e, ENTRY_MAYBE_STORE);
    head_mark_dirty(h, e);
}

static void
settle_entry(struct checkpoint *c, struct item *it, struct head *h, uint64_t hash,
             struct entry *e)
{
    bool stored = c->rc == 0 && it->row_n != 0;

    e->flags &= (uint8_t)~ENTRY_FLUSHING;
    if (c->rc < 0) {
        if (it->purge)
            e->flags |= ENTRY_PURGE;
        head_mark_dirty(h, e);
        return;
    }
    head_set_store(h, e, stored ? ENTRY_IN_STORE : 0);
    if (c->sh->walks > 0)
        keep_for_walks(h, e);
    else if ((e->flags & ENTRY_TOMBSTONE) && e->dirty_pos == 0)
        head_remove(h, hash, e);
}

/* Count and flags of a key change in the same step: "more rows than entries with a row" means that
 * the store has keys that memory has not, at any moment. */
static void
settle_count(struct checkpoint *c, const struct item *it)
{
    struct shard_db *db = &c->sh->db[it->db];

    if (c->rc == 0 && db->flushes == c->flushes[it->db])
        db->stored_keys += (uint64_t)(it->row_n != 0) - (uint64_t)(it->was != 0);
}

static void
settle_item(struct checkpoint *c, struct item *it)
{
    struct shard_db *db = &c->sh->db[it->db];
    struct slice key = {it->key, it->key_n};
    uint64_t hash = head_hash(key);
    struct entry *e = head_find(&db->head, hash, key);

    settle_count(c, it);
    settle_series(c, it);
    blob_put(&it->blob);
    if (it->labels && db->labels)
        labels_settle(db->labels, key, hash, c->rc == 0);
    if (e && (e->flags & ENTRY_FLUSHING))
        settle_entry(c, it, &db->head, hash, e);
}

/* What was flushed before the checkpoint began has left the store. */
static void
settle_databases(struct checkpoint *c)
{
    c->settling = true;
    c->sh->store_epoch++;
    for (unsigned i = 0; c->rc == 0 && i < SHARD_DBS; i++) {
        struct shard_db *db = &c->sh->db[i];

        db->unread_maybes = 0;
        if (!c->purge_db[i] || db->flushes != c->flushes[i])
            continue;
        db->stored_keys = 0;
        db->hidden = false;
    }
}

bool
checkpoint_settle(struct checkpoint *c, struct checkpoint_slice slice)
{
    if (!c->settling)
        settle_databases(c);
    while (c->at) {
        struct item *it = c->at;

        c->at = it->next;
        settle_item(c, it);
        if (--slice.entries == 0 || clock_now_ns() >= slice.until_ns)
            break;
    }
    return c->at == NULL;
}

/* --- series that went away ------------------------------------------------------------------------- */

bool
checkpoint_keep(struct shard *sh, struct entry *e)
{
    struct orphan *o;

    if (sh->checkpoint == NULL || !(e->flags & ENTRY_FLUSHING))
        return false;
    o = malloc(sizeof(*o));
    ASSERT(o);
    *o = (struct orphan){sh->checkpoint->orphans, entry_ptr(e)};
    sh->checkpoint->orphans = o;
    return true;
}

void
checkpoint_release_orphans(struct checkpoint *c)
{
    while (c->orphans) {
        struct orphan *o = c->orphans;

        c->orphans = o->next;
        series_key_destroy(c->sh->arena, &o->series);
        free(o);
    }
}

/* Every change of data is made here, three steps each time: the head, the journal, the marks (batch
 * number for readers, dirty for the checkpoint, watchers). Replay runs the same functions with the
 * journal step left out (shard.recovering). Here: keys, whatever their type; strings, series, copies
 * and whole databases have files of their own. */
#include "shards/engine/aside.h"
#include "shards/engine/keyspace_priv.h"
#include "shards/store/row.h"

/* --- resolving ------------------------------------------------------------------------------- */

static struct shard *
ctx_shard_of(const struct ctx *c, struct slice name)
{
    uint32_t owner;

    if (likely(c->sh != NULL))
        return c->sh;
    owner = shard_slot_owner(key_slot(name), c->core->ncores);
    return core_shard(c->core, owner);
}

static inline struct key
resolve(struct ctx *c, struct slice name, uint8_t db)
{
    struct shard *sh = ctx_shard_of(c, name);
    const struct slice *first = &c->argv[c->cmd->key_first];
    /* An empty argument may stand at the same address as the next one. */
    bool known = c->hash_known && name.p == first->p && name.n == first->n;

    return (struct key){
        .name = name,
        .hash = known ? c->key_hash : head_hash(name),
        .sh = sh,
        .head = &sh->db[db].head,
        .db = db,
        .known = c->keys_known && db == c->db,
    };
}

struct key
key_open_db(struct ctx *c, struct slice name, uint8_t db)
{
    return resolve(c, name, db);
}

struct key
key_open(struct ctx *c, struct slice name)
{
    return resolve(c, name, c->db);
}

void
key_open_at(struct ctx *c, struct slice name, struct key *ret)
{
    *ret = resolve(c, name, c->db);
}

uint32_t
ctx_shards(const struct ctx *c)
{
    return c->sh ? 1 : c->core->ncores;
}

struct shard *
ctx_shard_at(const struct ctx *c, uint32_t i)
{
    return c->sh ? c->sh : core_shard(c->core, i);
}

int64_t
ctx_now_ms(const struct ctx *c)
{
    return clock_wall_ms(&c->core->reactor.clock);
}

int64_t
ctx_now_us(const struct ctx *c)
{
    return c->core->reactor.clock.wall_us;
}

void
ctx_hold_newest(struct ctx *c, const struct shard *sh)
{
    ctx_hold(c, sh, shard_newest_seq(sh));
}

void
ctx_hold_deletions(struct ctx *c, const struct shard *sh)
{
    if (sh->delete_seq != 0)
        ctx_hold(c, sh, sh->delete_seq);
}

void
ctx_hold_entry(struct ctx *c, const struct shard *sh, const struct entry *e)
{
    ctx_hold(c, sh, e->seq);
}

/* --- finding --------------------------------------------------------------------------------- */

static bool
entry_expired(const struct ctx *c, const struct entry *e)
{
    int64_t at = entry_expire(e);

    return unlikely(at != 0) && at <= ctx_now_ms(c);
}

struct entry *
key_peek(struct ctx *c, struct key *k)
{
    struct entry *e = head_find(k->head, k->hash, k->name);

    if (e == NULL || (e->flags & ENTRY_TOMBSTONE)) {
        if (k->sh->delete_seq != 0)
            ctx_hold(c, k->sh, e ? e->seq : k->sh->delete_seq);
        return NULL;
    }
    if (entry_expired(c, e) && !k->sh->recovering) {
        key_delete(c, k, e);
        k->sh->expired++;
        return NULL;
    }
    ctx_hold(c, k->sh, e->seq);
    return e;
}

struct entry *
key_find(struct ctx *c, struct key *k)
{
    struct entry *e = key_peek(c, k);

    if (e == NULL) {
        k->sh->misses++;
        return NULL;
    }
    k->sh->hits++;
    key_used(k, e);
    return e;
}

struct entry *
key_find_type(struct ctx *c, struct key *k, enum entry_type type, bool *ret_ok)
{
    struct entry *e = key_find(c, k);

    *ret_ok = e == NULL || e->type == type;
    if (*ret_ok)
        return e;
    ctx_error(c, ERR_WRONGTYPE);
    return NULL;
}

/* --- making, removing and expiry ------------------------------------------------------------- */

struct entry *
key_new_entry(struct key *k, enum entry_type type, uint32_t len, int64_t expire_ms)
{
    struct entry *e = head_insert(k->head, k->hash, k->name, type, len, expire_ms);

    if (!k->known && store_may_have(k)) {
        head_set_store(k->head, e, ENTRY_MAYBE_STORE);
        key_relabel(k, NULL); /* what the store has may be a series */
    }
    if (aside_has(&k->sh->db[k->db], k->name, k->hash))
        aside_remove(&k->sh->db[k->db], k->name, k->hash);
    return e;
}

bool
entry_has_stored_blocks(const struct entry *e)
{
    const struct series_key *sk;

    if (e->type != ENTRY_SERIES || (e->flags & ENTRY_TOMBSTONE))
        return false;
    sk = entry_series(e);
    for (uint32_t i = 0; i < sk->n; i++)
        if (series_at(sk, i)->has_stored_blocks || series_at(sk, i)->has_stored_open)
            return true;
    return (e->flags & ENTRY_FLUSHING) != 0;
}

void
key_delete(struct ctx *c, struct key *k, struct entry *e)
{
    struct shard *sh = k->sh;
    bool purge = entry_has_stored_blocks(e) || (e->flags & ENTRY_PURGE);

    ASSERT(!(e->flags & ENTRY_TOMBSTONE));
    if (e->type == ENTRY_SERIES) {
        key_leaves_series(k, e);
        key_relabel(k, NULL);
    }
    if (likely(!sh->recovering)) {
        record_del(&sh->journal, k->db, k->name);
        sh->delete_seq = sh->journal.open_seq;
        ctx_hold(c, sh, sh->delete_seq);
    }
    if (e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE | ENTRY_FLUSHING)) {
        e = head_bury(k->head, k->hash, e);
        if (purge)
            e->flags |= ENTRY_PURGE;
        key_changed(c, k, e);
        return;
    }
    if (unlikely(sh->observed) && !sh->recovering)
        shard_key_touched(sh, k->db, k->name);
    head_remove(k->head, k->hash, e);
}

void
key_delete_stored(struct ctx *c, struct key *k, bool is_series)
{
    struct entry *e = head_insert(k->head, k->hash, k->name, ENTRY_STRING, 0, 0);

    head_set_store(k->head, e, ENTRY_IN_STORE);
    if (is_series) {
        e->flags |= ENTRY_PURGE;
        key_relabel(k, NULL);
    }
    key_delete(c, k, e);
}

void
key_delete_unread(struct ctx *c, struct key *k)
{
    key_delete(c, k, key_new_entry(k, ENTRY_STRING, 0, 0));
}

void
key_set_expire(struct ctx *c, struct key *k, struct entry *e, int64_t expire_ms)
{
    if (expire_ms != 0 && expire_ms <= ctx_now_ms(c) && !k->sh->recovering) {
        key_delete(c, k, e);
        return;
    }
    if (likely(!k->sh->recovering))
        record_expire(&k->sh->journal, k->db, k->name, expire_ms);
    if (entry_expire(e) != expire_ms)
        e = head_reshape(k->head, k->hash, e, e->type, e->len, expire_ms);
    key_changed(c, k, e);
}

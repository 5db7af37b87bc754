/* Every change of data is made here, three steps each time: the head, the journal, the marks (batch
 * number for readers, dirty for the checkpoint, watchers). Replay runs the same functions with the
 * journal step left out (shard.recovering). */
#include "shards/engine/keyspace.h"

#include "shards/engine/checkpoint.h"
#include "shards/engine/core.h"
#include "shards/engine/record.h"
#include "shards/engine/session.h"
#include "shards/engine/watch.h"
#include "shards/labels/labels.h"
#include "shards/series/series_store.h"
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

struct key
key_open_db(struct ctx *c, struct slice name, uint8_t db)
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
key_open(struct ctx *c, struct slice name)
{
    return key_open_db(c, name, c->db);
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

/* --- marks ----------------------------------------------------------------------------------- */

/* The reply waits for this batch of the shard's journal. */
static inline void
ctx_hold(struct ctx *c, const struct shard *sh, uint32_t seq)
{
    if (!shard_seq_pending(sh, seq))
        return;
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

void
ctx_hold_newest(struct ctx *c, const struct shard *sh)
{
    ctx_hold(c, sh, shard_newest_seq(sh));
}

/* May the store have a row of a key that is not in memory? */
static bool
store_may_have(const struct key *k)
{
    const struct shard_db *db = &k->sh->db[k->db];

    return unlikely(!db->hidden && db->stored_keys > db->head.in_store);
}

/* Does the store hold block rows below this key? */
static bool
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

/* The label index follows: the key has these labels from now on, NULL = it is no series any more.
 * (An evicted series still bears its labels.) */
static inline void
key_relabel(struct key *k, const struct series_meta *meta)
{
    struct shard_db *db = &k->sh->db[k->db];
    bool any = meta && meta->labels_n > 0;

    if (likely(db->labels == NULL && !any))
        return;
    if (db->labels == NULL)
        db->labels = labels_create(k->sh->arena);
    labels_set(db->labels, k->name, k->hash, any ? meta->labels : NULL, any ? meta->labels_n : 0);
}

void
key_series_meta(struct ctx *c, const struct key *k, const struct entry *e,
                struct series_meta *ret_meta)
{
    const struct labels *x = k->sh->db[k->db].labels;
    uint32_t n = labels_list(x, k->name, k->hash, NULL);
    struct series_label *l = n ? scratch_alloc(&c->core->scratch, n * sizeof(*l)) : NULL;

    *ret_meta = *series_key_settings(entry_series(e));
    ret_meta->labels_n = labels_list(x, k->name, k->hash, l);
    ret_meta->labels = l;
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

/* --- strings --------------------------------------------------------------------------------- */

/* A live entry loses its value because another takes its place under the same key. */
static void
entry_leave_type(struct key *k, struct entry *e)
{
    if (entry_has_stored_blocks(e))
        e->flags |= ENTRY_PURGE;
    key_leaves_series(k, e);
    key_relabel(k, NULL);
    head_drop_value(k->head, e);
}

static struct entry *
key_new_entry(struct key *k, enum entry_type type, uint32_t len, int64_t expire_ms)
{
    struct entry *e = head_insert(k->head, k->hash, k->name, type, len, expire_ms);

    if (!k->known && store_may_have(k)) {
        head_set_store(k->head, e, ENTRY_MAYBE_STORE);
        key_relabel(k, NULL); /* what the store has may be a series */
    }
    return e;
}

/* `blob`: the value lies in it, and the caller's hold of it goes to the entry; NULL: it is copied. */
static struct entry *
string_make(struct key *k, struct entry *old, struct slice value, int64_t expire_ms,
            struct blob *blob)
{
    bool is_inline = value.n <= ENTRY_INLINE_MAX;
    struct entry *e;

    if (old == NULL && is_inline) {
        e = key_new_entry(k, ENTRY_STRING, (uint32_t)value.n, expire_ms);
        memcpy(entry_inline(e), value.p, value.n);
        return e;
    }
    if (old == NULL)
        e = key_new_entry(k, ENTRY_STRING, 0, expire_ms);
    else if (old->flags & ENTRY_TOMBSTONE)
        e = head_revive(k->head, k->hash, old, ENTRY_STRING, 0, expire_ms);
    else if (old->type != ENTRY_STRING) {
        entry_leave_type(k, old);
        e = head_reshape(k->head, k->hash, old, ENTRY_STRING, 0, expire_ms);
    } else if (entry_expire(old) != expire_ms)
        e = head_reshape(k->head, k->hash, old, ENTRY_STRING, old->len, expire_ms);
    else
        e = old;
    return blob ? head_string_share(k->head, k->hash, e, blob, value)
                : head_string_set(k->head, k->hash, e, value);
}

/* The input of the client that the value lies in, kept as it is instead of copied. NULL: it is short,
 * or somewhere else. The caller holds it. */
static struct blob *
input_blob(struct ctx *c, struct slice value)
{
    if (likely(value.n < STRING_SHARED_BYTES_MIN) || c->session == NULL)
        return NULL;
    return conn_lend_in(&c->session->conn, value);
}

static struct entry *
set_string(struct ctx *c, struct key *k, struct slice value, int64_t expire_ms, struct blob *blob)
{
    struct entry *e = head_find(k->head, k->hash, k->name);
    bool live = e && !(e->flags & ENTRY_TOMBSTONE);

    if (expire_ms == KEEP_EXPIRE)
        expire_ms = live ? entry_expire(e) : 0;
    if (unlikely(blob != NULL))
        record_set_shared(&k->sh->journal, k->db, k->name, expire_ms, blob, value);
    else if (likely(!k->sh->recovering))
        record_set(&k->sh->journal, k->db, k->name, expire_ms, value);
    if (live && e->type == ENTRY_STRING && !(e->flags & ENTRY_EXTERNAL) && e->len == value.n &&
        entry_expire(e) == expire_ms)
        memmove(entry_inline(e), value.p, value.n);
    else
        e = string_make(k, e, value, expire_ms, blob);
    key_used(k, e);
    key_changed(c, k, e);
    return e;
}

struct entry *
key_set_string(struct ctx *c, struct key *k, struct slice value, int64_t expire_ms)
{
    return set_string(c, k, value, expire_ms, input_blob(c, value));
}

struct entry *
key_share_string(struct ctx *c, struct key *k, const struct entry *from, int64_t expire_ms)
{
    struct blob *b = entry_blob(from);

    return set_string(c, k, entry_string(from), expire_ms, b ? blob_get(b) : NULL);
}

/* Some 0.1 ms of copying. */
#define PATCH_BYTES_MAX (1 * MIB)
/* Asked for so often in vain, since others get hold of the string again and again: it copies itself. */
#define PATCH_ATTEMPTS_MAX 3

bool
key_patch_ready(struct ctx *c, const struct key *k, const struct entry *e, uint64_t offset,
                uint64_t n)
{
    uint64_t cap;

    if (likely(e == NULL || head_string_patch_cost(e, offset, n, &cap) < PATCH_BYTES_MAX) ||
        c->attempts >= PATCH_ATTEMPTS_MAX)
        return true;
    c->need = (struct need){.kind = NEED_BYTES, .sh = k->sh, .key = k->name, .db = k->db,
                            .limit = cap};
    return false;
}

struct entry *
key_patch_string(struct ctx *c, struct key *k, uint64_t offset, struct slice bytes)
{
    struct entry *e = head_find(k->head, k->hash, k->name);
    struct blob *b = input_blob(c, bytes);

    if (unlikely(b != NULL))
        record_patch_shared(&k->sh->journal, k->db, k->name, offset, b, bytes);
    else if (likely(!k->sh->recovering))
        record_patch(&k->sh->journal, k->db, k->name, offset, bytes);
    blob_put(&b);
    if (e == NULL)
        e = key_new_entry(k, ENTRY_STRING, 0, 0);
    else if (e->flags & ENTRY_TOMBSTONE)
        e = head_revive(k->head, k->hash, e, ENTRY_STRING, 0, 0);
    e = head_string_patch(k->head, k->hash, e, offset, bytes);
    key_used(k, e);
    key_changed(c, k, e);
    return e;
}

/* --- removing and expiry --------------------------------------------------------------------- */

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

/* --- series ---------------------------------------------------------------------------------- */

static struct entry *
series_make(struct key *k)
{
    struct entry *e = head_find(k->head, k->hash, k->name);

    if (e)
        e = head_revive(k->head, k->hash, e, ENTRY_SERIES, sizeof(void *), 0);
    else
        e = key_new_entry(k, ENTRY_SERIES, sizeof(void *), 0);
    entry_set_ptr(e, series_key_create(k->sh->arena));
    k->sh->series_keys++;
    return e;
}

static void
record_meta(struct key *k, const struct series_meta *meta)
{
    struct buf bytes = {0};

    if (k->sh->recovering)
        return;
    series_meta_write(&bytes, meta);
    record_series_meta(&k->sh->journal, k->db, k->name, (struct slice){bytes.p, bytes.n});
    buf_fini(&bytes);
}

struct entry *
key_create_series(struct ctx *c, struct key *k, const struct series_meta *meta)
{
    struct entry *e = series_make(k);

    record_meta(k, meta);
    key_relabel(k, meta);
    series_set_meta(k->sh->arena, entry_series(e), meta);
    key_used(k, e);
    key_changed(c, k, e);
    return e;
}

void
key_set_series_meta(struct ctx *c, struct key *k, struct entry *e, const struct series_meta *meta)
{
    record_meta(k, meta);
    key_relabel(k, meta);
    series_set_meta(k->sh->arena, entry_series(e), meta);
    key_used(k, e);
    key_changed(c, k, e);
}

/* One that takes the place of another makes no more points. */
static void
tell_point(struct key *k, enum series_result r, uint8_t type, int64_t ts)
{
    if (r == SERIES_REPLACED)
        shard_key_touched(k->sh, k->db, k->name);
    else
        shard_series_point(k->sh, k->db, k->name, type, ts);
}

enum series_result
key_add_point(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts,
              double value, uint8_t quality, enum duplicate_policy policy)
{
    struct shard *sh = k->sh;
    struct series_key *sk;
    struct series *s;
    enum series_result r;

    if (unlikely(e == NULL))
        e = series_make(k);
    sk = entry_series(e);
    s = series_get(sh->arena, sk, type);
    r = series_add(sh->arena, sk, s, &sh->series_limits, ts, value, quality, policy);
    if (r == SERIES_ADDED || r == SERIES_REPLACED || r == SERIES_LATE) {
        if (likely(!sh->recovering))
            record_point(&sh->journal, k->db, k->name, type, ts, value, quality, policy);
        if (unlikely(key_marked(c, k, e)))
            tell_point(k, r, type, ts);
        sh->points++;
    }
    return r;
}

bool
key_add_block(struct ctx *c, struct key *k, struct entry *e, uint8_t type,
              const struct samples *points, struct slice block)
{
    struct shard *sh = k->sh;
    struct series_key *sk;
    bool all;

    if (e == NULL)
        e = series_make(k);
    sk = entry_series(e);
    all = series_append(sh->arena, sk, series_get(sh->arena, sk, type), &sh->series_limits, points);
    if (likely(!sh->recovering))
        record_block(&sh->journal, k->db, k->name, type, block);
    key_changed(c, k, e);
    sh->points += points->n;
    return all;
}

/* What of the store the deletion has to know must be fetched first. */
static void
need_newest_before(struct ctx *c, const struct key *k, const struct series *s, int64_t to)
{
    struct series_query q = {.start = INT64_MIN, .end = to - 1, .limit = 1, .reverse = true};

    series_query_fetch(s, &q);
    ctx_need_range(c, &(struct need){.kind = NEED_RANGE, .sh = k->sh, .key = k->name, .db = k->db,
                                     .type = s->type, .reverse = true, .start = q.start,
                                     .end = q.end, .limit = q.limit});
}

int
key_delete_points(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t from,
                  int64_t to)
{
    struct shard *sh = k->sh;
    struct series_key *sk = entry_series(e);
    struct series *s = series_find(sk, type);
    struct series_place at = {.store = sh->db[k->db].hidden ? NULL : sh->store, .key = k->name,
                              .slot = key_slot(k->name), .db = k->db,
                              .cached_only = !sh->recovering && !c->reads_through};
    struct series_deletion d;
    int rc;

    if (at.cached_only && series_dead_ranges(s) >= SERIES_DEAD_MAX) {
        checkpoint_request(sh);
        return -EBUSY;
    }
    rc = series_delete_plan(&at, s, from, to, &d);
    if (rc == -EAGAIN)
        need_newest_before(c, k, s, from);
    if (rc < 0)
        return rc;
    if (!c->probe) {
        if (likely(!sh->recovering))
            record_delete(&sh->journal, k->db, k->name, type, from, to);
        series_delete(sh->arena, sk, s, &d);
        key_changed(c, k, e);
    }
    series_deletion_fini(&d);
    return 0;
}

/* --- whole databases --------------------------------------------------------------------------- */

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
    return !d->hidden && d->stored_keys > d->head.in_store;
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
    old->db = *d;
    list_push_back(&sh->detached, &old->node);
    head_init(&d->head, sh->arena, old->db.head.free_value);
    d->labels = NULL;
    d->hidden = d->hidden || d->stored_keys > 0 || sh->checkpoint != NULL;
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

/* Strings: set, shared, patched. Long ones are kept in the memory they came in where that can be. */
#include "shards/engine/keyspace_priv.h"
#include "shards/engine/session.h"

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

/* `blob`: the value lies in it, and the caller's hold of it goes to the entry; NULL: it is copied.
 */
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

/* The input of the client that the value lies in, kept as it is instead of copied. NULL: it is
 * short, or somewhere else. The caller holds it. */
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
    e->form = STRING_SET;
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
    enum string_form form = from->form;
    struct entry *e = set_string(c, k, entry_string(from), expire_ms, b ? blob_get(b) : NULL);

    e->form = form;
    return e;
}

/* Some 0.1 ms of copying. */
#define PATCH_BYTES_MAX (1 * MIB)
/* Asked for so often in vain, since others get hold of the string again and again: it copies
 * itself. */
#define PATCH_ATTEMPTS_MAX 3

bool
key_patch_ready(struct ctx *c, const struct key *k, const struct entry *e, uint64_t offset,
                uint64_t n)
{
    uint64_t cap;

    if (likely(e == NULL || head_string_patch_cost(e, offset, n, &cap) < PATCH_BYTES_MAX) ||
        c->attempts >= PATCH_ATTEMPTS_MAX)
        return true;
    c->need =
        (struct need){.kind = NEED_BYTES, .sh = k->sh, .key = k->name, .db = k->db, .limit = cap};
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
    e->form = STRING_CHANGED;
    key_used(k, e);
    key_changed(c, k, e);
    return e;
}

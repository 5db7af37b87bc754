#include "shards/commands/walk_priv.h"

#include "core/glob.h"
#include "shards/commands/generic_priv.h"
#include "shards/engine/core.h"

void
walk_at(struct walk *w, struct shard *sh)
{
    w->sh = sh;
    ctx_hold_deletions(w->c, sh);
}

void
walk_fini(struct walk *w)
{
    buf_fini(&w->keys);
}

void
walk_reply(struct walk *w)
{
    resp_array(w->c->out, w->keys_n);
    if (w->keys.n)
        buf_append(w->c->out, w->keys.p, w->keys.n);
}

static bool
walk_wants(const struct walk *w, struct slice key, uint8_t type)
{
    return (w->type.p == NULL || type_is(w->type, type)) &&
           (w->pattern.p == NULL || glob_match(w->pattern, key, false));
}

static void
walk_show(struct walk *w, struct slice key, uint8_t type, int64_t expire_ms)
{
    if (expire_ms != 0 && expire_ms <= ctx_now_ms(w->c))
        return;
    w->seen++;
    if (!walk_wants(w, key, type))
        return;
    resp_bulk(&w->keys, key);
    w->keys_n++;
}

/* What is not shown because of its type or its time shows a change, too. */
void
walk_show_entry(struct walk *w, const struct entry *e)
{
    if (unlikely(shard_seq_pending(w->sh, e->seq)) &&
        (w->pattern.p == NULL || glob_match(w->pattern, entry_key(e), false)))
        ctx_hold_entry(w->c, w->sh, e);
    walk_show(w, entry_key(e), e->type, entry_expire(e));
}

void
walk_show_row(struct walk *w, const struct rows *r, bool also_in_memory)
{
    const struct head *h = &w->sh->db[w->c->db].head;
    const struct entry *e = head_find(h, head_hash(r->key), r->key);

    if (e == NULL)
        walk_show(w, r->key, r->head.type, r->head.expire_ms);
    else if (also_in_memory && !(e->flags & ENTRY_TOMBSTONE))
        walk_show_entry(w, e);
}

bool
walk_store_has_more(const struct walk *w)
{
    return keyspace_keys(w->sh, w->c->db) > w->sh->db[w->c->db].head.keys;
}

struct walk_mark
walk_mark(const struct walk *w)
{
    return (struct walk_mark){w->keys.n, w->keys_n, w->seen};
}

void
walk_return_to(struct walk *w, struct walk_mark m)
{
    w->keys.n = m.bytes;
    w->keys_n = m.n;
    w->seen = m.seen;
}

bool
walk_need(struct walk *w, uint32_t first, uint32_t last, uint64_t rows)
{
    w->c->need = (struct need){.kind = NEED_ROWS,
                               .sh = w->sh,
                               .key = SLICE(""),
                               .db = w->c->db,
                               .start = first,
                               .end = last,
                               .limit = rows,
                               .listed = w->c->attempts > 0};
    return false;
}

bool
walk_failed(struct walk *w)
{
    resp_errorf(w->c->out, "ERR the store of core %u cannot be read", w->sh->id);
    return false;
}

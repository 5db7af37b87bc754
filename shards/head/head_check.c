/* The invariants of a head, stated once. Reads every entry: for tests. */
#include "shards/head/head_priv.h"

struct totals {
    uint64_t used, keys, expires, in_store, maybe_store, dirty, dirty_bytes;
};

static void
check_entry(const struct head *h, const struct head_bucket *home, const struct entry *e,
            struct totals *t)
{
    uint64_t hash = head_hash(entry_key(e));
    bool live = !(e->flags & ENTRY_TOMBSTONE);

    ASSERT(e->hash_hi == hash_hi_of(hash));
    ASSERT(head_bucket_of(h, e->hash_hi) == home);
    ASSERT(head_find(h, hash, entry_key(e)) == e);
    ASSERT(e->type < ENTRY_TYPES);
    if (e->flags & ENTRY_HAS_EXPIRE)
        ASSERT(entry_expire(e) > 0 && live);
    if (!live)
        ASSERT(e->type == ENTRY_STRING && e->len == 0);
    if (e->flags & ENTRY_EXTERNAL) {
        const struct bigval *v = entry_ptr(e);
        ASSERT(e->type == ENTRY_STRING && e->len == sizeof(v) && v->len <= v->cap);
    } else if (e->type == ENTRY_STRING) {
        ASSERT(e->len <= ENTRY_INLINE_MAX);
    }
    ASSERT((e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE)) !=
           (ENTRY_IN_STORE | ENTRY_MAYBE_STORE));
    if (e->dirty_pos) {
        t->dirty++;
        t->dirty_bytes += head_entry_weight(e);
    }
    t->used++;
    t->keys += live;
    t->expires += (e->flags & ENTRY_HAS_EXPIRE) != 0;
    t->in_store += (e->flags & ENTRY_IN_STORE) != 0;
    t->maybe_store += (e->flags & ENTRY_MAYBE_STORE) != 0;
}

static void
check_chain(const struct head *h, const struct head_bucket *home, struct totals *t)
{
    const struct head_bucket *b;
    unsigned i, n;

    for (b = home; b; b = b->next) {
        for (n = 0; n < HEAD_BUCKET_SLOTS && b->slot[n]; n++) {
            ASSERT(slot_make(slot_entry(b->slot[n])) == b->slot[n]);
            check_entry(h, home, slot_entry(b->slot[n]), t);
        }
        for (i = n; i < HEAD_BUCKET_SLOTS; i++)
            ASSERT(b->slot[i] == 0);
        ASSERT(n == HEAD_BUCKET_SLOTS || !b->next);
        ASSERT(n > 0 || b == home);
    }
}

void
head_check(const struct head *h)
{
    struct totals t = {0};
    uint64_t i;

    if (h->table[0].bytes)
        for (i = h->moved; i <= h->table[0].mask; i++)
            check_chain(h, h->table[0].buckets + i, &t);
    if (h->table[1].bytes)
        for (i = 0; i <= h->table[1].mask; i++)
            check_chain(h, h->table[1].buckets + i, &t);
    else
        ASSERT(h->moved == 0);
    ASSERT(t.used == h->used && t.keys == h->keys && t.expires == h->expires);
    ASSERT(t.in_store == h->in_store && t.maybe_store == h->maybe_store);
    ASSERT(t.dirty == h->dirty_count && head_dirty_check(h) == t.dirty &&
           t.dirty_bytes == h->dirty_bytes);
}

/* The head of one database of one shard: every key that is in memory.
 *
 * Layout. A key is one allocation, its entry (entry.h): 24 bytes, expiry if any, key, value. The
 * directory points to it with 8 bytes:
 *
 *     bucket, one cache line:  slot x 7, overflow
 *     slot, from the top:      hash 31..16 | address of the entry, 47..4 | hash 15..12
 *
 * All of the directory works on the upper half of the hash, which the entry remembers: the lowest
 * bits of it choose the bucket, the upper 16 are the tag. A lookup reads one line, compares seven
 * tags at once, and goes to an entry only if its tag is right; with 2^k buckets and k > 16 the tag
 * repeats k - 16 bits of the index, so 2^25 buckets (180 M keys) leave 7 bits to tell the entries
 * of a bucket apart, and one lookup in fifty looks at an entry in vain. In return the slot knows
 * the half an entry goes to when the table doubles, and a rehash of 2^12 buckets or more reads no
 * entry.
 *
 * A bucket is filled from the front and an overflow bucket (64 bytes of the shard's arena) stands
 * only behind a full one. The table doubles at 5.5 entries per bucket on average and is quartered
 * under 0.5; see head_table.c for the move.
 *
 * Dirty entries stand in one of two lists (head_dirty.c); dirty_bytes is their weight (entry_bytes,
 * and the buffer of a long string) and follows each change of shape.
 *
 * Failure. Memory is not asked for twice: running out of address space aborts (arena.h), a database
 * is kept within maxmemory by its engine. If only a bigger table cannot be mapped the present one
 * stays and its chains grow.
 *
 * Limits. Keys up to ENTRY_KEY_BYTES_MAX; 2^HEAD_BUCKETS_LOG2_MAX buckets, 23 thousand million
 * keys; HEAD_DIRTY_MAX entries in a dirty list. No call moves more than HEAD_SHRINK_PER_CALL
 * buckets or gives back more than one granule of HEAD_RELEASE_BYTES, except head_fini. One thing
 * takes as long as it is big: a long string that is copied to grow. */
#include "shards/head/head_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void
head_init(struct head *h, struct arena *a, void (*free_value)(struct head *, struct entry *))
{
    *h = (struct head){.arena = a, .free_value = free_value};
    head_table_init(h);
}

/* Written once before there are threads, see head_hash_seed. */
static uint64_t hash_seed;

void
head_hash_seed(uint64_t seed)
{
    hash_seed = seed;
}

uint64_t
head_hash(struct slice key)
{
    return XXH3_64bits_withSeed(key.p, key.n, hash_seed);
}

/* memcmp is a call and a dispatch; keys are mostly short. */
static inline bool
bytes_equal(const char *a, const char *b, size_t n)
{
    size_t i;

    if (n >= 8) {
        for (i = 0; i + 8 < n; i += 8)
            if (get_le64(a + i) != get_le64(b + i))
                return false;
        return get_le64(a + n - 8) == get_le64(b + n - 8);
    }
    if (n >= 4)
        return get_le32(a) == get_le32(b) && get_le32(a + n - 4) == get_le32(b + n - 4);
    for (i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

void
head_prefetch(const struct head *h, uint64_t hash)
{
    __builtin_prefetch(head_bucket_of(h, hash_hi_of(hash)));
}

void
head_prefetch_entry(const struct head *h, uint64_t hash)
{
    const struct head_bucket *b = head_bucket_of(h, hash_hi_of(hash));
    unsigned m = head_bucket_match(b, hash_hi_of(hash));

    if (m)
        __builtin_prefetch(slot_entry(b->slot[__builtin_ctz(m)]));
}

struct entry *
head_find(const struct head *h, uint64_t hash, struct slice key)
{
    const struct head_bucket *b = head_bucket_of(h, hash_hi_of(hash));
    struct entry *e;
    unsigned m;

    do {
        for (m = head_bucket_match(b, hash_hi_of(hash)); m; m &= m - 1) {
            e = slot_entry(b->slot[__builtin_ctz(m)]);
            if (likely(e && e->key_len == key.n &&
                       bytes_equal(e->data + entry_key_offset(e), key.p, key.n)))
                return e;
        }
        b = b->next;
    } while (unlikely(b != NULL));
    return NULL;
}

struct entry *
head_insert(struct head *h, uint64_t hash, struct slice key, enum entry_type type, uint32_t len,
            int64_t expire_ms)
{
    size_t at = expire_ms ? sizeof(int64_t) : 0;
    struct entry *e;

    ASSERT(key.n <= ENTRY_KEY_BYTES_MAX);
    ASSERT(expire_ms >= 0);
    e = arena_alloc(h->arena, sizeof(*e) + at + key.n + len);
    *e = (struct entry){
        .len = len,
        .key_len = (uint16_t)key.n,
        .type = (uint8_t)type,
        .flags = expire_ms ? ENTRY_HAS_EXPIRE : 0,
        .hash_hi = hash_hi_of(hash),
    };
    if (expire_ms)
        put_le64(e->data, (uint64_t)expire_ms);
    if (likely(key.n > 0))
        memcpy(e->data + at, key.p, key.n);
    head_link(h, e);
    h->keys++;
    h->expires += expire_ms != 0;
    head_rehash_tick(h);
    return e;
}

uint64_t
head_entry_weight(const struct entry *e)
{
    uint64_t n = entry_bytes(e);

    if (e->flags & ENTRY_EXTERNAL)
        n += sizeof(struct bigval) + ((struct bigval *)entry_ptr(e))->blob->bytes;
    return n;
}

/* Moves key and value to where they stand in the new shape. */
static void
shift_data(struct entry *e, size_t new_at, size_t keep)
{
    size_t at = entry_key_offset(e);

    if (at != new_at)
        memmove(e->data + new_at, e->data + at, e->key_len + keep);
}

struct entry *
head_resize(struct head *h, struct entry *e, enum entry_type type, uint32_t len, uint32_t keep,
            int64_t expire_ms)
{
    size_t new_at = expire_ms ? sizeof(int64_t) : 0;
    size_t old_bytes = entry_bytes(e), new_bytes = sizeof(*e) + new_at + e->key_len + len;
    struct entry *old = e;

    ASSERT(expire_ms >= 0);
    if (arena_usable(old_bytes) != arena_usable(new_bytes)) {
        e = arena_alloc(h->arena, new_bytes);
        memcpy(e, old, sizeof(*e));
        memcpy(e->data + new_at, old->data + entry_key_offset(old), e->key_len + keep);
        arena_free(h->arena, old, old_bytes);
        head_relink(h, old, e);
        head_dirty_relocate(h, e);
    } else {
        shift_data(e, new_at, keep);
    }
    if (e->dirty_pos)
        h->dirty_bytes += new_bytes - old_bytes;
    h->expires -= (e->flags & ENTRY_HAS_EXPIRE) != 0;
    h->expires += expire_ms != 0;
    e->flags &= (uint8_t)~ENTRY_HAS_EXPIRE;
    if (expire_ms) {
        e->flags |= ENTRY_HAS_EXPIRE;
        put_le64(e->data, (uint64_t)expire_ms);
    }
    e->type = (uint8_t)type;
    e->len = len;
    return e;
}

struct entry *
head_reshape(struct head *h, uint64_t hash, struct entry *e, enum entry_type type, uint32_t len,
             int64_t expire_ms)
{
    ASSERT(e->hash_hi == hash_hi_of(hash));
    ASSERT(!(e->flags & ENTRY_TOMBSTONE) || expire_ms == 0);
    /* A long string stays one, or its value was dropped before. */
    ASSERT(!(e->flags & ENTRY_EXTERNAL) || (type == ENTRY_STRING && len == sizeof(void *)));
    return head_resize(h, e, type, len, MIN(e->len, len), expire_ms);
}

void
head_drop_value(struct head *h, struct entry *e)
{
    uint64_t weight = head_entry_weight(e);
    void *p;

    if (e->flags & ENTRY_EXTERNAL) {
        head_bigval_free(h, entry_ptr(e));
        e->flags &= (uint8_t)~ENTRY_EXTERNAL;
        entry_set_ptr(e, NULL);
    } else if (e->type != ENTRY_STRING && e->len >= sizeof(p)) {
        p = entry_ptr(e);
        if (p)
            h->free_value(h, e);
        entry_set_ptr(e, NULL);
    }
    if (e->dirty_pos)
        h->dirty_bytes -= weight - head_entry_weight(e);
}

static void
entry_free(struct head *h, struct entry *e)
{
    bool live = !(e->flags & ENTRY_TOMBSTONE);

    head_mark_clean(h, e);
    head_set_store(h, e, 0);
    head_drop_value(h, e);
    h->keys -= live;
    h->expires -= (e->flags & ENTRY_HAS_EXPIRE) != 0;
    arena_free(h->arena, e, entry_bytes(e));
}

void
head_remove(struct head *h, uint64_t hash, struct entry *e)
{
    ASSERT(e->hash_hi == hash_hi_of(hash));
    head_unlink(h, e);
    entry_free(h, e);
    head_rehash_tick(h);
}

struct entry *
head_bury(struct head *h, uint64_t hash, struct entry *e)
{
    ASSERT(!(e->flags & ENTRY_TOMBSTONE));
    head_drop_value(h, e);
    e = head_reshape(h, hash, e, ENTRY_STRING, 0, 0);
    e->flags |= ENTRY_TOMBSTONE;
    h->keys--;
    return e;
}

struct entry *
head_revive(struct head *h, uint64_t hash, struct entry *e, enum entry_type type, uint32_t len,
            int64_t expire_ms)
{
    ASSERT(e->flags & ENTRY_TOMBSTONE);
    e->flags &= (uint8_t)~ENTRY_TOMBSTONE;
    h->keys++;
    return head_reshape(h, hash, e, type, len, expire_ms);
}

void
head_set_store(struct head *h, struct entry *e, unsigned flag)
{
    ASSERT(flag == 0 || flag == ENTRY_IN_STORE || flag == ENTRY_MAYBE_STORE);
    h->in_store -= (e->flags & ENTRY_IN_STORE) != 0;
    h->maybe_store -= (e->flags & ENTRY_MAYBE_STORE) != 0;
    e->flags = (uint8_t)((e->flags & ~(ENTRY_IN_STORE | ENTRY_MAYBE_STORE)) | flag);
    h->in_store += flag == ENTRY_IN_STORE;
    h->maybe_store += flag == ENTRY_MAYBE_STORE;
}

/* Frees what hangs under one bucket of the table that is being released. */
static void
bucket_release(struct head *h, struct head_bucket *b)
{
    struct head_bucket *o;
    unsigned i;

    for (o = b; o; o = o->next) {
        for (i = 0; i < HEAD_BUCKET_SLOTS; i++)
            __builtin_prefetch(slot_entry(o->slot[i]));
        for (i = 0; i < HEAD_BUCKET_SLOTS && o->slot[i]; i++) {
            entry_free(h, slot_entry(o->slot[i]));
            h->used--;
        }
    }
    head_bucket_free_chain(h, b);
}

bool
head_release_slice(struct head *h, uint32_t budget)
{
    for (; budget > 0 && h->table[0].bytes; budget--) {
        bucket_release(h, h->table[0].buckets + h->moved++);
        head_table_release(&h->table[0], h->moved);
        if (h->moved > h->table[0].mask) {
            head_table_unmap(&h->table[0], h->moved);
            h->table[0] = h->table[1];
            h->table[1] = (struct head_table){0};
            h->moved = 0;
        }
    }
    if (h->table[0].bytes)
        return false;
    ASSERT(h->used == 0 && h->keys == 0 && h->expires == 0 && h->dirty_count == 0);
    head_dirty_fini(h);
    head_init(h, h->arena, h->free_value);
    return true;
}

void
head_fini(struct head *h)
{
    while (!head_release_slice(h, UINT32_MAX))
        ;
}

/* The head: what one database of one shard has in memory. A hash directory from key to entry.
 *
 * Directory: buckets of one cache line, 7 tagged pointers (16-bit tag in the upper bits) and an
 * overflow link. Two tables while it grows or shrinks; every insert and remove moves a few buckets,
 * and a poller moves more, so no single call takes long at any size. Table memory comes from mmap
 * (zero pages on demand) and goes back in pieces as the old table empties.
 *
 * Entries come from the shard's arena. Entries are clean or dirty (not yet in the store in their
 * present form); dirty ones stand in a list that a checkpoint empties. Tombstones are entries too,
 * but do not count as keys. Owner: the shard's owner. */
#ifndef SHARDS_HEAD_HEAD_H
#define SHARDS_HEAD_HEAD_H

#include "alloc/arena.h"
#include "shards/head/entry.h"

#define HEAD_BUCKET_SLOTS 7

struct head_table {
    struct head_bucket *buckets;
    uint64_t mask;  /* buckets - 1 */
    uint64_t bytes; /* mapped */
};

/* What became dirty before the checkpoint under way began, and what did since. */
#define HEAD_DIRTY_LISTS 2
#define HEAD_DIRTY_PLACE_BYTES 6 /* of an address */
struct head_dirty_list {
    char *p;
    uint32_t n, cap;
    size_t bytes; /* mapped */
};

struct head {
    struct arena *arena;
    struct head_table table[2]; /* [1] is the target while rehashing, else empty */
    uint64_t moved;             /* buckets of table[0] already moved */
    uint64_t used;              /* entries, tombstones included */
    uint64_t keys;              /* live keys (tombstones not counted) */
    uint64_t expires;           /* live keys with an expiry */
    uint64_t in_store;          /* entries with ENTRY_IN_STORE */
    uint64_t maybe_store;       /* entries with ENTRY_MAYBE_STORE */
    uint64_t grow_at;           /* entries at which the directory must grow */
    struct head_dirty_list dirty[HEAD_DIRTY_LISTS];
    unsigned dirty_now;   /* the list that takes new ones */
    uint64_t dirty_count; /* entries in both */
    uint64_t dirty_bytes; /* their size, long strings included */
    uint64_t clock_hand;  /* CLOCK eviction position */
    /* Frees what the value pointer of a non-string entry owns; set by the engine. */
    void (*free_value)(struct head *h, struct entry *e);
};

void head_init(struct head *h, struct arena *a, void (*free_value)(struct head *, struct entry *));
/* Frees every entry and table. Linear; for big heads use head_release_slice. */
void head_fini(struct head *h);
/* Frees up to `budget` buckets' worth of a detached head; true when it is empty and fini'd. */
bool head_release_slice(struct head *h, uint32_t budget);

/* Mixes a secret into every hash, so that nobody outside can choose keys that collide. Once, before
 * the first key of the process; without it hashes are the same in every run. */
void head_hash_seed(uint64_t seed);
uint64_t head_hash(struct slice key);
/* Touches the bucket (stage 0) so that a find soon after does not wait for memory. */
void head_prefetch(const struct head *h, uint64_t hash);
/* Second stage: loads the first tag match and prefetches the entry. */
void head_prefetch_entry(const struct head *h, uint64_t hash);

/* NULL = not in memory. Tombstones and expired entries are returned like any other. */
struct entry *head_find(const struct head *h, uint64_t hash, struct slice key);
/* The key must not be there. Value region of `len` bytes is not initialised; clean, no flags. */
struct entry *head_insert(struct head *h, uint64_t hash, struct slice key, enum entry_type type,
                          uint32_t len, int64_t expire_ms);
/* Changes type, value size or expiry of an entry, keeping flags, dirty place and counts right; the
 * header and key survive, the value bytes survive up to min(old, new) length. May move it. The old
 * value's pointee (if any) is the caller's business. */
struct entry *head_reshape(struct head *h, uint64_t hash, struct entry *e, enum entry_type type,
                           uint32_t len, int64_t expire_ms);
/* Unlinks and frees, value included. */
void head_remove(struct head *h, uint64_t hash, struct entry *e);

/* Frees a value's pointee (bigval, or through free_value) without freeing the entry. */
void head_drop_value(struct head *h, struct entry *e);
/* Turns an entry into a tombstone: value freed, expiry gone, key stays, keys-- . */
struct entry *head_bury(struct head *h, uint64_t hash, struct entry *e);
/* Turns a tombstone into a live entry of the given shape: keys++. */
struct entry *head_revive(struct head *h, uint64_t hash, struct entry *e, enum entry_type type,
                          uint32_t len, int64_t expire_ms);

/* Strings: stores `value` inline or external as its size asks; the entry must be a live string and
 * `value` must not lie in it. May move the entry. */
struct entry *head_string_set(struct head *h, uint64_t hash, struct entry *e, struct slice value);
/* The string is `value`, which lies in a blob; takes over the caller's hold of it. */
struct entry *head_string_share(struct head *h, uint64_t hash, struct entry *e, struct blob *b,
                                struct slice value);
/* Writes bytes at offset, growing with zeros; amortised O(bytes) for appends. */
struct entry *head_string_patch(struct head *h, uint64_t hash, struct entry *e, uint64_t offset,
                                struct slice bytes);
/* How many bytes of a live string head_string_patch of n bytes would have to copy or fill with zeros;
 * *ret_cap = of how many bytes the memory must be that saves it that, see head_string_adopt. */
uint64_t head_string_patch_cost(const struct entry *e, uint64_t offset, uint64_t n,
                                uint64_t *ret_cap);
/* The string goes on in `b`, all of it its own: it begins with the first `len` bytes of the string, from
 * where on it is zeros; there is room for the rest, which is copied. Takes over the caller's hold. */
void head_string_adopt(struct head *h, struct entry *e, struct blob *b, uint64_t len);

/* The store does not have it as it is now: the next checkpoint takes it. Dirty ones stay dirty. */
void head_mark_dirty(struct head *h, struct entry *e);
/* The i-th of the n entries of a list. */
struct entry *head_dirty_at(const struct head *h, unsigned list, uint32_t i);
void head_mark_clean(struct head *h, struct entry *e);
/* Begins the head's part of a checkpoint: what is dirty now is to be popped, what gets dirty from
 * here on (a popped entry again, too) waits for the next. The previous round must be through. O(1).
 */
void head_flush_begin(struct head *h);
/* Takes one entry of the round off the list, clean afterwards; in no order; NULL when the round is
 * through. An entry that changed since the round began and was not popped yet is still in it. */
struct entry *head_flush_pop(struct head *h);

/* Store flags with their counters. */
void head_set_store(struct head *h, struct entry *e, unsigned flag /* 0, IN_STORE or MAYBE */);

/* Cursor iteration with Redis SCAN's guarantee: every entry present from start to end is seen at
 * least once, also while the directory grows or shrinks. Start with 0, ends when it returns 0.
 * Visits at least one bucket. fn must not insert or remove, except `e` itself through the head
 * when HEAD_SCAN_MAY_REMOVE semantics are needed: collect first, remove afterwards. */
uint64_t head_scan(const struct head *h, uint64_t cursor, void (*fn)(void *arg, struct entry *e),
                   void *arg);
/* A random live-looking entry, NULL if none was found within a bounded number of tries. */
struct entry *head_random(const struct head *h, uint64_t random);
/* One CLOCK step over up to `budget` buckets: calls evict(arg, e) for clean entries that were not
 * referenced since the hand's last pass; evict removes it (head_remove) and returns true, or
 * declines. Returns the number evicted. */
unsigned head_clock(struct head *h, uint32_t budget, bool (*evict)(void *arg, struct entry *e),
                    void *arg);
/* Rehashing work for a poller: moves up to `budget` buckets; returns buckets moved. */
unsigned head_rehash_step(struct head *h, uint32_t budget);

/* Bytes of tables and dirty lists (not in the arena's count). */
size_t head_table_bytes(const struct head *h);
/* Walks everything and asserts the invariants; for tests. */
void head_check(const struct head *h);

#endif

/* The directory, as the files of this folder see it. */
#ifndef SHARDS_HEAD_HEAD_PRIV_H
#define SHARDS_HEAD_HEAD_PRIV_H

#include "shards/head/head.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define HEAD_BUCKETS_LOG2_MIN 6 /* one page */
#define HEAD_BUCKETS_LOG2_MAX 32
/* Entries per bucket, in halves, at which the directory doubles. */
#define HEAD_GROW_HALVES 11
/* Entries per bucket, in halves, under which it shrinks, and by how many doublings. */
#define HEAD_SHRINK_HALVES 1
#define HEAD_SHRINK_LOG2 2
/* Buckets an insert or a remove moves while a rehash is under way. The new table must not fill up
 * before the old one is empty: growing, one bucket for every 5.5 inserts would do. The buckets of a
 * shrinking table are nearly empty and cost less. */
#define HEAD_GROW_PER_CALL 2
#define HEAD_SHRINK_PER_CALL 8
/* Granule in which an emptying table goes back to the system. */
#define HEAD_RELEASE_BYTES (256 * KIB)

#define HEAD_DIRTY_MAX (1u << 30) /* entries in one dirty list */
/* A slot: the upper 20 bits of hash_hi around the address of the entry, of which the lowest four
 * bits are known to be zero. The 16 uppermost are what a lookup compares. */
#define HEAD_SLOT_TAG_AT 48
#define HEAD_SLOT_TAG_SHIFT 16 /* the bit of hash_hi that stands at HEAD_SLOT_TAG_AT */
#define HEAD_SLOT_LOW_SHIFT 12 /* the bit of hash_hi that stands at 0 */
#define HEAD_SLOT_LOW_MASK 15UL
#define HEAD_SLOT_PTR_MASK (((1UL << HEAD_SLOT_TAG_AT) - 1) & ~HEAD_SLOT_LOW_MASK)

struct head_bucket {
    uint64_t slot[HEAD_BUCKET_SLOTS]; /* filled from the front, 0 = free */
    struct head_bucket *next;         /* overflow; only behind a full bucket */
};
static_assert(sizeof(struct head_bucket) == CACHE_LINE, "a lookup touches one line");

static inline uint32_t
hash_hi_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static inline uint64_t
slot_make(const struct entry *e)
{
    uint64_t p = (uintptr_t)e;

    ASSERT((p & ~HEAD_SLOT_PTR_MASK) == 0);
    return p | (uint64_t)(e->hash_hi >> HEAD_SLOT_TAG_SHIFT) << HEAD_SLOT_TAG_AT |
           (e->hash_hi >> HEAD_SLOT_LOW_SHIFT & HEAD_SLOT_LOW_MASK);
}

static inline struct entry *
slot_entry(uint64_t slot)
{
    return (struct entry *)(uintptr_t)(slot & HEAD_SLOT_PTR_MASK);
}

/* Bits 12 and up of hash_hi, the lower ones zero. */
static inline uint32_t
slot_hash_bits(uint64_t slot)
{
    return (uint32_t)(slot >> HEAD_SLOT_TAG_AT << HEAD_SLOT_TAG_SHIFT | (slot & HEAD_SLOT_LOW_MASK)
                                                                            << HEAD_SLOT_LOW_SHIFT);
}

/* The one bucket an entry of this hash can be in: old buckets move in order, so the old index says
 * on which side of the move it lies. */
static inline struct head_bucket *
head_bucket_of(const struct head *h, uint32_t hash_hi)
{
    uint64_t i = hash_hi & h->table[0].mask;

    if (unlikely(i < h->moved))
        return h->table[1].buckets + (hash_hi & h->table[1].mask);
    return h->table[0].buckets + i;
}

/* Bit i is set when slot i has this tag. A free slot matches tag 0. */
static inline unsigned
head_bucket_match(const struct head_bucket *b, uint32_t hash_hi)
{
#if defined(__SSE2__)
    const __m128i *v = (const __m128i *)b;
    __m128i tag = _mm_set1_epi32((int)(hash_hi >> HEAD_SLOT_TAG_SHIFT));
    __m128 s0 = _mm_castsi128_ps(_mm_loadu_si128(v)), s1 = _mm_castsi128_ps(_mm_loadu_si128(v + 1));
    __m128 s2 = _mm_castsi128_ps(_mm_loadu_si128(v + 2));
    __m128 s3 = _mm_castsi128_ps(_mm_loadu_si128(v + 3));
    /* The upper halves of four slots, then their upper halves: the tags. */
    __m128i lo = _mm_srli_epi32(_mm_castps_si128(_mm_shuffle_ps(s0, s1, 0xdd)), 16);
    __m128i hi = _mm_srli_epi32(_mm_castps_si128(_mm_shuffle_ps(s2, s3, 0xdd)), 16);
    unsigned m = (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(lo, tag)));

    m |= (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(hi, tag))) << 4;
    return m & ((1u << HEAD_BUCKET_SLOTS) - 1);
#else
    uint64_t tag = hash_hi >> HEAD_SLOT_TAG_SHIFT;
    unsigned i, m = 0;

    for (i = 0; i < HEAD_BUCKET_SLOTS; i++)
        m |= (unsigned)(b->slot[i] >> HEAD_SLOT_TAG_AT == tag) << i;
    return m;
#endif
}

/* head_table.c: the directory knows entries by address and hash_hi only. */
void head_table_init(struct head *h);
/* Gives the mapping back from bucket `from` on and leaves the empty table. */
void head_table_unmap(struct head_table *t, uint64_t from);
/* Called when buckets below `n` are done with: unmaps a granule whose end is reached. */
void head_table_release(const struct head_table *t, uint64_t n);
void head_link(struct head *h, struct entry *e);
void head_unlink(struct head *h, struct entry *e);
/* Points the directory, which holds `old`, to where the entry is now. */
void head_relink(struct head *h, const struct entry *old, struct entry *e);
void head_bucket_free_chain(struct head *h, struct head_bucket *b);
/* Starts a rehash if the fill asks for one, or does a call's share of the one under way. */
void head_rehash_tick(struct head *h);

/* head_dirty.c */
/* The entry moved to `e`: its place in the dirty list follows. */
void head_dirty_relocate(struct head *h, struct entry *e);
void head_dirty_fini(struct head *h);
/* Walks both lists; returns the entries that point back at their place. */
uint64_t head_dirty_check(const struct head *h);

/* head.c */
/* What the entry counts for in dirty_bytes. */
uint64_t head_entry_weight(const struct entry *e);
/* As head_reshape; keeps only the first `keep` bytes of the value. */
struct entry *head_resize(struct head *h, struct entry *e, enum entry_type type, uint32_t len,
                          uint32_t keep, int64_t expire_ms);

/* head_string.c */
void head_bigval_free(struct head *h, struct bigval *v);

#endif

/* A set of series ids: the postings of one label. Most labels of most data are borne by one series
 * or by very many, so there are three shapes: up to two ids inline, a sorted array in the shard's
 * arena, and a roaring bitmap (Lemire et al., "Roaring Bitmaps: Implementation of an Optimized
 * Software Library", 2018) from POSTING_ARRAY_MAX ids on. Bitmaps come from the process heap, which
 * is all the library knows; their size is counted beside, now and then. Private to the folder. */
#ifndef SHARDS_LABELS_POSTING_PRIV_H
#define SHARDS_LABELS_POSTING_PRIV_H

#include "alloc/arena.h"

#include <roaring/roaring.h>

#define POSTING_INLINE_MAX 2
#define POSTING_ARRAY_MAX 128 /* above it becomes a bitmap; under half of it an array again */

struct posting {
    uint32_t n;
    /* 0: inline. POSTING_BIG set: a bitmap, and how much of it is counted, in POSTING_COUNT_UNIT.
     * Else: places of the array. */
    uint32_t cap;
    union {
        uint32_t few[POSTING_INLINE_MAX];
        uint32_t *ids; /* sorted */
        roaring_bitmap_t *big;
    };
};
static_assert(sizeof(struct posting) == 16, "one a label");

/* Where its memory comes from and is counted. */
struct posting_memory {
    struct arena *arena;
    uint64_t big_bytes; /* of bitmaps */
};

/* Adding what is there and removing what is not do nothing. */
void posting_add(struct posting_memory *m, struct posting *p, uint32_t id);
void posting_remove(struct posting_memory *m, struct posting *p, uint32_t id);
void posting_fini(struct posting_memory *m, struct posting *p);
bool posting_has(const struct posting *p, uint32_t id);
/* Its ids as a bitmap of the caller's. */
roaring_bitmap_t *posting_copy(const struct posting *p);
/* set := set and p; set and not p; set or p. */
void posting_and(roaring_bitmap_t *set, const struct posting *p);
void posting_andnot(roaring_bitmap_t *set, const struct posting *p);
void posting_or(roaring_bitmap_t *set, const struct posting *p);

#endif

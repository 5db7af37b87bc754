/* Ways through the whole head: cursor, random pick, CLOCK.
 *
 * The cursor counts with its bits reversed, the highest bit of the index first, as Redis's SCAN
 * does: when the table doubles, the two halves of a bucket already visited lie among those already
 * visited, and when it shrinks the same holds the other way round. With two tables a step visits
 * the bucket of the smaller and all buckets of the larger that would fold into it. A cursor is
 * smaller than 2^HEAD_BUCKETS_LOG2_MAX, so a caller has 32 bits to spare in it. */
#include "shards/head/head_priv.h"

/* Candidates one CLOCK step remembers; what a longer chain has beyond waits for the next pass. */
#define CLOCK_CANDIDATES_MAX 64
#define RANDOM_TRIES_MAX 64
/* Buckets looked at when the tries found nothing: the smallest table is one stretch. */
#define RANDOM_STRETCH (1 << HEAD_BUCKETS_LOG2_MIN)
#define RANDOM_STRETCH_MAX 1024

static uint64_t
reverse_bits(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
    v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
    v = (v >> 4 & 0x0f0f0f0f0f0f0f0f) | (v & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(v);
}

/* The next index after v among those below mask, in reversed order; 0 after the last. */
static uint64_t
cursor_next(uint64_t v, uint64_t mask)
{
    return reverse_bits(reverse_bits(v | ~mask) + 1);
}

static void
visit(const struct head *h, unsigned table, uint64_t i, void (*fn)(void *, struct entry *),
      void *arg)
{
    const struct head_bucket *b = h->table[table].buckets + i;
    unsigned s;

    if (table == 0 && i < h->moved)
        return;
    for (; b; b = b->next) {
        for (s = 0; s < HEAD_BUCKET_SLOTS; s++)
            __builtin_prefetch(slot_entry(b->slot[s]));
        for (s = 0; s < HEAD_BUCKET_SLOTS && b->slot[s]; s++)
            fn(arg, slot_entry(b->slot[s]));
    }
}

uint64_t
head_scan(const struct head *h, uint64_t cursor, void (*fn)(void *arg, struct entry *e), void *arg)
{
    unsigned small = h->table[1].bytes && h->table[1].mask < h->table[0].mask;
    uint64_t small_mask = h->table[small].mask, large_mask = h->table[!small].mask;

    visit(h, small, cursor & small_mask, fn, arg);
    if (!h->table[1].bytes)
        return cursor_next(cursor, small_mask);
    do {
        visit(h, !small, cursor & large_mask, fn, arg);
        cursor = cursor_next(cursor, large_mask);
    } while (cursor & (small_mask ^ large_mask));
    return cursor;
}

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

/* One place in the first two buckets of a chain, any with the same chance. It is often free, which
 * is what makes the choice fair: a key does not profit from being alone in its bucket. */
static struct entry *
random_place(const struct head *h, uint64_t random)
{
    const struct head_bucket *b = head_bucket_of(h, hash_hi_of(random));
    unsigned pick = (uint32_t)random % (2 * HEAD_BUCKET_SLOTS);

    if (pick >= HEAD_BUCKET_SLOTS)
        b = b->next;
    return b ? slot_entry(b->slot[pick % HEAD_BUCKET_SLOTS]) : NULL;
}

struct random_walk {
    struct entry *found;
    unsigned live;
    uint64_t random;
};

static void
random_look(void *arg, struct entry *e)
{
    struct random_walk *w = arg;

    if (e->flags & ENTRY_TOMBSTONE)
        return;
    w->random = mix(w->random + 1);
    if ((uint32_t)w->random % ++w->live == 0)
        w->found = e;
}

struct entry *
head_random(const struct head *h, uint64_t random)
{
    struct random_walk w = {.random = random};
    struct entry *e;
    uint64_t cursor;
    unsigned i;

    if (h->keys == 0)
        return NULL;
    for (i = 0; i < RANDOM_TRIES_MAX; i++) {
        random = mix(random + 0x9e3779b97f4a7c15);
        e = random_place(h, random);
        if (e && !(e->flags & ENTRY_TOMBSTONE))
            return e;
    }
    /* Few keys, or graves all over: one of those in a stretch from here on. */
    cursor = random & h->table[0].mask;
    for (i = 0; i < RANDOM_STRETCH || (!w.found && i < RANDOM_STRETCH_MAX); i++)
        cursor = head_scan(h, cursor, random_look, &w);
    return w.found;
}

struct clock_step {
    unsigned n;
    struct entry *candidate[CLOCK_CANDIDATES_MAX];
};

static void
clock_look(void *arg, struct entry *e)
{
    struct clock_step *c = arg;

    if (e->dirty_pos || e->flags & ENTRY_FLUSHING)
        return;
    if (e->flags & ENTRY_REFERENCED)
        e->flags &= (uint8_t)~ENTRY_REFERENCED;
    else if (c->n < CLOCK_CANDIDATES_MAX)
        c->candidate[c->n++] = e;
}

unsigned
head_clock(struct head *h, uint32_t budget, bool (*evict)(void *arg, struct entry *e), void *arg)
{
    struct clock_step c;
    unsigned i, evicted = 0;

    /* Evicting moves buckets about, so a step first looks and then evicts. */
    for (; budget > 0 && h->used > 0; budget--) {
        c.n = 0;
        h->clock_hand = head_scan(h, h->clock_hand, clock_look, &c);
        for (i = 0; i < c.n; i++)
            evicted += evict(arg, c.candidate[i]);
    }
    return evicted;
}

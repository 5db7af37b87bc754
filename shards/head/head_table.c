/* The directory: buckets, their chains, and the move from one table to the next.
 *
 * While a rehash is under way table[0] is emptied into table[1] bucket by bucket, in order of the
 * index; `moved` counts them. Every key lives in exactly one of the two, and its old index says in
 * which, so no operation looks twice. Growing doubles, so old bucket i feeds i and i + N only;
 * shrinking divides, so it feeds i mod N'.
 *
 * Which half an entry goes to is one more bit of hash_hi. From 2^12 buckets on that bit stands in
 * the slot: moving then reads buckets alone and never waits for an entry. */
#include "shards/head/head_priv.h"

#include <sys/mman.h>

/* What an empty head looks into: finds nothing. Never written: `bytes` is 0. */
static const struct head_bucket no_bucket;

static void
table_none(struct head_table *t)
{
    *t = (struct head_table){.buckets = (struct head_bucket *)&no_bucket};
}

void
head_table_init(struct head *h)
{
    table_none(&h->table[0]);
    table_none(&h->table[1]);
}

/* False when the system has no more address space for us. */
static bool
table_map(struct head_table *t, unsigned log2)
{
    uint64_t n = 1UL << log2;
    void *p = mmap(NULL, n * sizeof(struct head_bucket), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return false;
    *t = (struct head_table){.buckets = p, .mask = n - 1, .bytes = n * sizeof(struct head_bucket)};
    return true;
}

/* munmap that needs no memory: when the kernel cannot split a mapping the pages go at least. */
static void
unmap(char *p, char *end)
{
    int err = munmap(p, (size_t)(end - p));

    if (err)
        err = madvise(p, (size_t)(end - p), MADV_DONTNEED);
    ASSERT(err == 0);
}

static char *
granule_of(const struct head_table *t, char *p)
{
    char *start = (char *)((uintptr_t)p & ~(HEAD_RELEASE_BYTES - 1));

    return MAX(start, (char *)t->buckets);
}

void
head_table_release(const struct head_table *t, uint64_t n)
{
    char *end = (char *)(t->buckets + n);

    if (n <= t->mask && (uintptr_t)end % HEAD_RELEASE_BYTES == 0)
        unmap(granule_of(t, end - 1), end);
}

void
head_table_unmap(struct head_table *t, uint64_t from)
{
    char *end = (char *)t->buckets + t->bytes;

    if (t->bytes)
        unmap(granule_of(t, (char *)(t->buckets + MIN(from, t->mask))), end);
    table_none(t);
}

static unsigned
table_log2(const struct head_table *t)
{
    return (unsigned)__builtin_popcountll(t->mask);
}

static void
set_grow_at(struct head *h, const struct head_table *t)
{
    h->grow_at =
        table_log2(t) == HEAD_BUCKETS_LOG2_MAX ? UINT64_MAX : (t->mask + 1) * HEAD_GROW_HALVES / 2;
}

static struct head_bucket *
bucket_extend(struct head *h, struct head_bucket *b)
{
    b->next = arena_alloc(h->arena, sizeof(*b));
    return memset(b->next, 0, sizeof(*b));
}

static void
bucket_append(struct head *h, struct head_bucket *b, uint64_t slot)
{
    unsigned i;

    while (b->slot[HEAD_BUCKET_SLOTS - 1])
        b = b->next ? b->next : bucket_extend(h, b);
    for (i = 0; b->slot[i]; i++)
        ;
    b->slot[i] = slot;
}

void
head_link(struct head *h, struct entry *e)
{
    if (unlikely(!h->table[0].bytes)) {
        bool mapped = table_map(&h->table[0], HEAD_BUCKETS_LOG2_MIN);

        ASSERT(mapped); /* out of address space */
        set_grow_at(h, &h->table[0]);
    }
    bucket_append(h, head_bucket_of(h, e->hash_hi), slot_make(e));
    h->used++;
}

static uint64_t *
find_slot(const struct head *h, const struct entry *e)
{
    struct head_bucket *b;
    unsigned i;

    for (b = head_bucket_of(h, e->hash_hi); b; b = b->next)
        for (i = 0; i < HEAD_BUCKET_SLOTS; i++)
            if (slot_entry(b->slot[i]) == e)
                return &b->slot[i];
    return NULL;
}

/* Takes the last slot of a chain out; a bucket that becomes empty goes. */
static uint64_t
bucket_pop(struct head *h, struct head_bucket *b)
{
    struct head_bucket *prev = NULL;
    uint64_t slot;
    unsigned i;

    for (; b->next; b = b->next)
        prev = b;
    for (i = HEAD_BUCKET_SLOTS; !b->slot[i - 1]; i--)
        ;
    slot = b->slot[i - 1];
    b->slot[i - 1] = 0;
    if (i == 1 && prev) {
        prev->next = NULL;
        arena_free(h->arena, b, sizeof(*b));
    }
    return slot;
}

void
head_unlink(struct head *h, struct entry *e)
{
    uint64_t *at = find_slot(h, e), last;

    ASSERT(at);
    last = bucket_pop(h, head_bucket_of(h, e->hash_hi));
    if (slot_entry(last) != e)
        *at = last;
    h->used--;
}

void
head_relink(struct head *h, const struct entry *old, struct entry *e)
{
    struct head_bucket *b;
    unsigned i;

    for (b = head_bucket_of(h, e->hash_hi); b; b = b->next)
        for (i = 0; i < HEAD_BUCKET_SLOTS; i++)
            if (slot_entry(b->slot[i]) == old) {
                b->slot[i] = slot_make(e);
                return;
            }
    ASSERT(!"entry is in its bucket");
}

void
head_bucket_free_chain(struct head *h, struct head_bucket *b)
{
    struct head_bucket *o, *next;

    for (o = b->next; o; o = next) {
        next = o->next;
        arena_free(h->arena, o, sizeof(*o));
    }
    b->next = NULL;
}

/* Growing: old bucket i splits into i and i + N, both empty until now. */
static void
split_bucket(struct head *h, uint64_t i)
{
    struct head_bucket *b,
        *to[2] = {h->table[1].buckets + i, h->table[1].buckets + i + h->table[0].mask + 1};
    unsigned s, log2 = table_log2(&h->table[0]), n[2] = {0, 0}, half;
    uint64_t slot;

    for (b = h->table[0].buckets + i; b; b = b->next)
        for (s = 0; s < HEAD_BUCKET_SLOTS && b->slot[s]; s++) {
            slot = b->slot[s];
            half =
                (log2 < HEAD_SLOT_LOW_SHIFT ? slot_entry(slot)->hash_hi : slot_hash_bits(slot)) >>
                    log2 &
                1;
            if (n[half] == HEAD_BUCKET_SLOTS) {
                to[half] = bucket_extend(h, to[half]);
                n[half] = 0;
            }
            to[half]->slot[n[half]++] = slot;
        }
}

/* Shrinking: several old buckets meet in one. */
static void
fold_bucket(struct head *h, uint64_t i)
{
    struct head_bucket *b, *to = h->table[1].buckets + (i & h->table[1].mask);
    unsigned s;

    for (b = h->table[0].buckets + i; b; b = b->next)
        for (s = 0; s < HEAD_BUCKET_SLOTS && b->slot[s]; s++)
            bucket_append(h, to, b->slot[s]);
}

static void
move_bucket(struct head *h, uint64_t i)
{
    struct head_bucket *from = h->table[0].buckets + i;

    if (h->table[1].mask > h->table[0].mask)
        split_bucket(h, i);
    else
        fold_bucket(h, i);
    if (from->next)
        head_bucket_free_chain(h, from);
}

static unsigned
rehash_move(struct head *h, uint32_t budget)
{
    unsigned n = 0;

    while (n < budget && h->moved <= h->table[0].mask) {
        move_bucket(h, h->moved++);
        head_table_release(&h->table[0], h->moved);
        n++;
    }
    if (h->moved > h->table[0].mask) {
        head_table_unmap(&h->table[0], h->moved);
        h->table[0] = h->table[1];
        table_none(&h->table[1]);
        h->moved = 0;
    }
    return n;
}

static void
rehash_start(struct head *h, unsigned log2)
{
    if (!table_map(&h->table[1], log2)) {
        /* Chains get longer, nothing breaks; asked again when there is an eighth more. */
        h->grow_at = h->used + h->used / 8;
        return;
    }
    h->moved = 0;
    set_grow_at(h, &h->table[1]);
}

static inline void
rehash_if_asked(struct head *h)
{
    const struct head_table *t = &h->table[0];

    if (unlikely(h->used > h->grow_at))
        rehash_start(h, table_log2(t) + 1);
    else if (unlikely(h->used * 2 < (t->mask + 1) * HEAD_SHRINK_HALVES &&
                      t->mask >> (HEAD_BUCKETS_LOG2_MIN + HEAD_SHRINK_LOG2 - 1)))
        rehash_start(h, table_log2(t) - HEAD_SHRINK_LOG2);
}

void
head_rehash_tick(struct head *h)
{
    if (likely(!h->table[1].bytes))
        rehash_if_asked(h);
    else
        rehash_move(h, h->table[1].mask > h->table[0].mask ? HEAD_GROW_PER_CALL
                                                           : HEAD_SHRINK_PER_CALL);
}

unsigned
head_rehash_step(struct head *h, uint32_t budget)
{
    if (!h->table[1].bytes)
        rehash_if_asked(h);
    return h->table[1].bytes ? rehash_move(h, budget) : 0;
}

size_t
head_table_bytes(const struct head *h)
{
    const struct head_table *t = &h->table[0];
    char *start = (char *)t->buckets;

    if (h->moved) /* granules below the one being emptied are gone */
        start = granule_of(t, (char *)(t->buckets + h->moved));
    return t->bytes - (size_t)(start - (char *)t->buckets) + h->table[1].bytes +
           h->dirty_count * HEAD_DIRTY_PLACE_BYTES;
}

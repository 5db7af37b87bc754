/* Dirty entries, in two lists.
 *
 * One list takes what becomes dirty. When a checkpoint begins the lists change places: the full one
 * is popped slice by slice while the other fills. An entry knows its place (dirty_pos), so cleaning
 * and removing are O(1): the last of the list moves into the hole. An entry that changes while it
 * waits to be popped stays where it is, and the checkpoint gets its newer state; that is allowed,
 * its records are absolute.
 *
 * The lists may be long (a hundred million entries after a load), and no call may take long for it:
 * they are mapped, grow by mremap, which moves page tables and not bytes, and while one is popped
 * its memory goes back granule by granule.
 *
 * A place takes six bytes: addresses of a process have 47 bits on x86-64, 48 on arm64. */
#include "shards/head/head_priv.h"

#include <sys/mman.h>

#define LIST_BYTES_MIN 4096UL
#define PLACE_BYTES HEAD_DIRTY_PLACE_BYTES
#define LIST_SHIFT 31 /* dirty_pos: list at the top, place + 1 below */
#define PLACE_MASK ((1u << LIST_SHIFT) - 1)
#define POP_PREFETCH 8
static_assert(HEAD_DIRTY_MAX <= PLACE_MASK, "a place fits dirty_pos");

static inline char *
place_at(const struct head_dirty_list *l, uint32_t i)
{
    return l->p + (size_t)i * PLACE_BYTES;
}

static inline struct entry *
list_get(const struct head_dirty_list *l, uint32_t i)
{
    uint64_t address = 0;

    memcpy(&address, place_at(l, i), PLACE_BYTES);
    return (struct entry *)address;
}

static inline void
list_put(struct head_dirty_list *l, uint32_t i, const struct entry *e)
{
    uint64_t address = (uint64_t)e;

    ASSERT(address >> (8 * PLACE_BYTES) == 0);
    memcpy(place_at(l, i), &address, PLACE_BYTES);
}

static void
list_grow(struct head_dirty_list *l)
{
    size_t bytes = MAX(l->bytes * 2, LIST_BYTES_MIN);
    void *p;

    ASSERT(l->n < HEAD_DIRTY_MAX);
    if (l->bytes)
        p = mremap(l->p, l->bytes, bytes, MREMAP_MAYMOVE);
    else
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    ASSERT(p != MAP_FAILED); /* out of address space */
    l->p = p;
    l->bytes = bytes;
    l->cap = (uint32_t)(bytes / PLACE_BYTES);
}

static void
list_unmap(struct head_dirty_list *l)
{
    int err = l->bytes ? munmap(l->p, l->bytes) : 0;

    ASSERT(err == 0);
    *l = (struct head_dirty_list){0};
}

/* The first granule that begins behind the first n places. */
static uintptr_t
granule_behind(const struct head_dirty_list *l, uint32_t n)
{
    return ((uintptr_t)place_at(l, n) + HEAD_RELEASE_BYTES - 1) & ~(HEAD_RELEASE_BYTES - 1UL);
}

/* The list has come down to n: a granule that only the one behind them was in is not needed any more. */
static void
list_release(struct head_dirty_list *l)
{
    uintptr_t from = granule_behind(l, l->n), end = (uintptr_t)l->p + l->bytes;
    int err;

    if (l->n == 0) {
        list_unmap(l);
    } else if (from != granule_behind(l, l->n + 1) && from < end) {
        err = madvise((void *)from, MIN(end - from, HEAD_RELEASE_BYTES), MADV_DONTNEED);
        ASSERT(err == 0);
    }
}

static inline struct head_dirty_list *
list_of(struct head *h, uint32_t dirty_pos)
{
    return &h->dirty[dirty_pos >> LIST_SHIFT];
}

static inline void
put_at(struct head *h, uint32_t dirty_pos, const struct entry *e)
{
    list_put(list_of(h, dirty_pos), (dirty_pos & PLACE_MASK) - 1, e);
}

void
head_mark_dirty(struct head *h, struct entry *e)
{
    struct head_dirty_list *l = &h->dirty[h->dirty_now];

    if (e->dirty_pos)
        return;
    if (unlikely(l->n == l->cap))
        list_grow(l);
    list_put(l, l->n++, e);
    e->dirty_pos = h->dirty_now << LIST_SHIFT | l->n;
    h->dirty_count++;
    h->dirty_bytes += head_entry_weight(e);
}

struct entry *
head_dirty_at(const struct head *h, unsigned list, uint32_t i)
{
    return list_get(&h->dirty[list], i);
}

void
head_mark_clean(struct head *h, struct entry *e)
{
    struct head_dirty_list *l;
    struct entry *last;

    if (!e->dirty_pos)
        return;
    l = list_of(h, e->dirty_pos);
    last = list_get(l, --l->n);
    last->dirty_pos = e->dirty_pos;
    put_at(h, e->dirty_pos, last);
    e->dirty_pos = 0;
    h->dirty_count--;
    h->dirty_bytes -= head_entry_weight(e);
}

void
head_dirty_relocate(struct head *h, struct entry *e)
{
    if (e->dirty_pos)
        put_at(h, e->dirty_pos, e);
}

void
head_flush_begin(struct head *h)
{
    ASSERT(h->dirty[!h->dirty_now].n == 0);
    h->dirty_now = !h->dirty_now;
}

struct entry *
head_flush_pop(struct head *h)
{
    struct head_dirty_list *l = &h->dirty[!h->dirty_now];
    struct entry *e;

    if (l->n == 0)
        return NULL;
    e = list_get(l, l->n - 1);
    if (l->n > POP_PREFETCH)
        __builtin_prefetch(list_get(l, l->n - 1 - POP_PREFETCH));
    head_mark_clean(h, e);
    list_release(l);
    return e;
}

void
head_dirty_fini(struct head *h)
{
    unsigned i;

    for (i = 0; i < HEAD_DIRTY_LISTS; i++)
        list_unmap(&h->dirty[i]);
}

uint64_t
head_dirty_check(const struct head *h)
{
    uint64_t n = 0;
    uint32_t list, i;

    for (list = 0; list < HEAD_DIRTY_LISTS; list++)
        for (i = 0; i < h->dirty[list].n; i++, n++)
            ASSERT(head_dirty_at(h, list, i)->dirty_pos == (list << LIST_SHIFT | (i + 1)));
    return n;
}

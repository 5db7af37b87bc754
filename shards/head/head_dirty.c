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
 * its memory goes back granule by granule. */
#include "shards/head/head_priv.h"

#include <sys/mman.h>

#define LIST_BYTES_MIN 4096UL
#define LIST_SHIFT 31 /* dirty_pos: list at the top, place + 1 below */
#define PLACE_MASK ((1u << LIST_SHIFT) - 1)
#define POP_PREFETCH 8
static_assert(HEAD_DIRTY_MAX <= PLACE_MASK, "a place fits dirty_pos");

static void
list_grow(struct head_dirty_list *l)
{
    size_t old = l->cap * sizeof(*l->p), bytes = MAX(old * 2, LIST_BYTES_MIN);
    void *p;

    ASSERT(l->n < HEAD_DIRTY_MAX);
    if (old)
        p = mremap(l->p, old, bytes, MREMAP_MAYMOVE);
    else
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    ASSERT(p != MAP_FAILED); /* out of address space */
    l->p = p;
    l->cap = (uint32_t)(bytes / sizeof(*l->p));
}

static void
list_unmap(struct head_dirty_list *l)
{
    int err = l->cap ? munmap(l->p, l->cap * sizeof(*l->p)) : 0;

    ASSERT(err == 0);
    *l = (struct head_dirty_list){0};
}

/* The list has come down to n: what lies above a granule's start is not needed any more. */
static void
list_release(struct head_dirty_list *l)
{
    char *from = (char *)(l->p + l->n), *end = (char *)(l->p + l->cap);
    int err;

    if (l->n == 0) {
        list_unmap(l);
    } else if ((uintptr_t)from % HEAD_RELEASE_BYTES == 0) {
        err = madvise(from, MIN((size_t)(end - from), HEAD_RELEASE_BYTES), MADV_DONTNEED);
        ASSERT(err == 0);
    }
}

static inline struct head_dirty_list *
list_of(struct head *h, uint32_t dirty_pos)
{
    return &h->dirty[dirty_pos >> LIST_SHIFT];
}

static inline struct entry **
place_of(struct head *h, uint32_t dirty_pos)
{
    return &list_of(h, dirty_pos)->p[(dirty_pos & PLACE_MASK) - 1];
}

void
head_mark_dirty(struct head *h, struct entry *e)
{
    struct head_dirty_list *l = &h->dirty[h->dirty_now];

    if (e->dirty_pos)
        return;
    if (unlikely(l->n == l->cap))
        list_grow(l);
    l->p[l->n++] = e;
    e->dirty_pos = h->dirty_now << LIST_SHIFT | l->n;
    h->dirty_count++;
    h->dirty_bytes += head_entry_weight(e);
}

void
head_mark_clean(struct head *h, struct entry *e)
{
    struct head_dirty_list *l;
    struct entry *last;

    if (!e->dirty_pos)
        return;
    l = list_of(h, e->dirty_pos);
    last = l->p[--l->n];
    last->dirty_pos = e->dirty_pos;
    *place_of(h, e->dirty_pos) = last;
    e->dirty_pos = 0;
    h->dirty_count--;
    h->dirty_bytes -= head_entry_weight(e);
}

void
head_dirty_relocate(struct head *h, struct entry *e)
{
    if (e->dirty_pos)
        *place_of(h, e->dirty_pos) = e;
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
    e = l->p[l->n - 1];
    if (l->n > POP_PREFETCH)
        __builtin_prefetch(l->p[l->n - 1 - POP_PREFETCH]);
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
            ASSERT(h->dirty[list].p[i]->dirty_pos == (list << LIST_SHIFT | (i + 1)));
    return n;
}

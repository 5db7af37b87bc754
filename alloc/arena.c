/* The memory of one shard.
 *
 * With jemalloc: an arena from "arenas.create" keeps the pages of a shard apart from everybody
 * else's, and a thread cache from "tcache.create" in front of it takes no lock on the way. The
 * cache belongs to the arena and not to a thread, so a shard that is leased to another core takes
 * its cache along; the hand-over orders the memory accesses.
 *
 * Bytes are counted by size class on our side: asking the allocator means walking its statistics,
 * and maxmemory is looked at before every write. The classes come from nallocx once per process.
 *
 * Without jemalloc (sanitizer builds) each allocation carries a header, which gives what the arena
 * promises - release on destroy - and proves that every free names the size it was allocated with.
 */
#include "alloc/arena.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#if PINSTRIPE_JEMALLOC
#include <jemalloc/jemalloc.h>

/* A checkpoint gives back what was written since the one before, and as much is asked for again until the
 * next. What the allocator returns to the system in between comes again as a page fault every 4 KiB, so it
 * is to keep the pages of an arena for longer than its 10 s (fewer and fewer of them), also those that make
 * a run of 8 MiB or more, which it would return at once; and to cut such runs up again: by itself it takes
 * nothing out of a run 64 times as long as what is asked for, but new pages. */
#define KEEP_MS 30000
#define KEEP_RUN_BYTES SIZE_MAX
const char *malloc_conf = "lg_extent_max_active_fit:63"; /* jemalloc reads it before main */
#define CLASS_TABLE_MAX 4096
#define CLASS_STEP 8

struct arena {
    size_t bytes;
    int flags; /* arena and tcache, as mallocx takes them */
    unsigned index, tcache;
};

/* Size classes up to CLASS_TABLE_MAX; written once, before the first arena is handed out. */
static uint16_t class_table[CLASS_TABLE_MAX / CLASS_STEP + 1];
static pthread_once_t class_once = PTHREAD_ONCE_INIT;

static void
class_table_fill(void)
{
    size_t i;

    for (i = 1; i < ARRAY_SIZE(class_table); i++)
        class_table[i] = (uint16_t)nallocx(i * CLASS_STEP, 0);
}

static inline size_t
size_class(size_t n)
{
    if (likely(n <= CLASS_TABLE_MAX))
        return class_table[(n + CLASS_STEP - 1) / CLASS_STEP];
    return nallocx(n, 0);
}

int
arena_background_start(void)
{
    bool on = true;

    return -mallctl("background_thread", NULL, NULL, &on, sizeof(on));
}

static int
keep_pages(unsigned index)
{
    char name[64];
    ssize_t ms = KEEP_MS;
    size_t run = KEEP_RUN_BYTES;
    int err;

    snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", index);
    err = mallctl(name, NULL, NULL, &ms, sizeof(ms));
    if (err)
        return err;
    snprintf(name, sizeof(name), "arena.%u.oversize_threshold", index);
    return mallctl(name, NULL, NULL, &run, sizeof(run));
}

int
arena_create(struct arena **ret_a)
{
    struct arena *a;
    size_t size = sizeof(unsigned);
    int err;

    pthread_once(&class_once, class_table_fill);
    a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    err = mallctl("arenas.create", &a->index, &size, NULL, 0);
    if (err)
        goto fail;
    err = keep_pages(a->index);
    if (err)
        goto fail_arena;
    err = mallctl("tcache.create", &a->tcache, &size, NULL, 0);
    if (err)
        goto fail_arena;
    a->flags = MALLOCX_ARENA(a->index) | MALLOCX_TCACHE(a->tcache);
    *ret_a = a;
    return 0;

fail_arena:;
    char name[64];
    snprintf(name, sizeof(name), "arena.%u.destroy", a->index);
    mallctl(name, NULL, NULL, NULL, 0);
fail:
    free(a);
    return -err;
}

void
arena_destroy(struct arena **a)
{
    char name[64];
    int err;

    if (!*a)
        return;
    /* The cache first: it holds memory of the arena. */
    err = mallctl("tcache.destroy", NULL, NULL, &(*a)->tcache, sizeof((*a)->tcache));
    ASSERT(err == 0);
    snprintf(name, sizeof(name), "arena.%u.destroy", (*a)->index);
    err = mallctl(name, NULL, NULL, NULL, 0);
    ASSERT(err == 0);
    free(*a);
    *a = NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    void *p = mallocx(n, a->flags);

    ASSERT(p); /* out of address space */
    a->bytes += size_class(n);
    return p;
}

void
arena_free(struct arena *a, void *p, size_t n)
{
    a->bytes -= size_class(n);
    sdallocx(p, n, a->flags);
}

void *
arena_realloc(struct arena *a, void *p, size_t old_n, size_t new_n)
{
    size_t old_class = size_class(old_n), new_class = size_class(new_n);

    if (old_class == new_class)
        return p;
    p = rallocx(p, new_n, a->flags);
    ASSERT(p); /* out of address space */
    a->bytes += new_class - old_class;
    return p;
}

size_t
arena_usable(size_t n)
{
    size_t c = size_class(n);

    return likely(c) ? c : nallocx(n, 0); /* asked before the first arena */
}

size_t
arena_resident_bytes(const struct arena *a)
{
    char name[64];
    uint64_t epoch = 1;
    size_t resident, size = sizeof(resident);

    if (mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)))
        return 0;
    snprintf(name, sizeof(name), "stats.arenas.%u.resident", a->index);
    if (mallctl(name, &resident, &size, NULL, 0))
        return 0;
    return resident;
}

#else

#include "core/list.h"

#define USABLE_STEP 16UL

struct arena {
    size_t bytes;
    struct list all; /* struct arena_header.link */
};

struct arena_header {
    struct list link;
    size_t size;
    size_t magic; /* the address, mangled: a foreign or freed pointer does not have it */
};
static_assert(sizeof(struct arena_header) % USABLE_STEP == 0, "what malloc aligns to");

static struct arena_header *
header_of(void *p, size_t n)
{
    struct arena_header *hd = (struct arena_header *)p - 1;

    ASSERT(hd->magic == ~(size_t)hd);
    ASSERT(hd->size == arena_usable(n));
    return hd;
}

int
arena_background_start(void)
{
    return 0; /* malloc has nothing to do in the background */
}

int
arena_create(struct arena **ret_a)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    list_init(&a->all);
    *ret_a = a;
    return 0;
}

void
arena_destroy(struct arena **a)
{
    struct list *l, *next;

    if (!*a)
        return;
    for (l = (*a)->all.next; l != &(*a)->all; l = next) {
        next = l->next;
        free(container_of(l, struct arena_header, link));
    }
    free(*a);
    *a = NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    struct arena_header *hd;

    ASSERT(n > 0);
    hd = malloc(sizeof(*hd) + arena_usable(n));
    ASSERT(hd); /* out of address space */
    hd->size = arena_usable(n);
    hd->magic = ~(size_t)hd;
    list_push_back(&a->all, &hd->link);
    a->bytes += hd->size;
    return hd + 1;
}

void
arena_free(struct arena *a, void *p, size_t n)
{
    struct arena_header *hd = header_of(p, n);

    list_remove(&hd->link);
    a->bytes -= hd->size;
    hd->magic = 0;
    free(hd);
}

void *
arena_realloc(struct arena *a, void *p, size_t old_n, size_t new_n)
{
    void *q;

    if (header_of(p, old_n)->size == arena_usable(new_n))
        return p;
    q = arena_alloc(a, new_n);
    memcpy(q, p, MIN(old_n, new_n));
    arena_free(a, p, old_n);
    return q;
}

size_t
arena_usable(size_t n)
{
    return ALIGN_UP(n, USABLE_STEP);
}

size_t
arena_resident_bytes(const struct arena *a)
{
    return 0;
}

#endif

void
arena_charge(struct arena *a, size_t n)
{
    a->bytes += n;
}

void
arena_discharge(struct arena *a, size_t n)
{
    ASSERT(n <= a->bytes);
    a->bytes -= n;
}

size_t
arena_bytes(const struct arena *a)
{
    return a->bytes;
}

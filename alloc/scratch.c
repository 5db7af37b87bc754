/* Blocks stand in one list in the order they were taken; `blocks` is the one that p and end point
 * into. What follows it is spare, left from before the last reset. A request larger than a block
 * gets a block of its own in front of the current one, so the current one's rest is not lost. */
#include "alloc/scratch.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* Built with -DSCRATCH_FILL=0x5a, memory that was given back holds that: who still uses it is found
 * out at full speed too. */
#if defined(SCRATCH_FILL)
#define FILL(p, n) memset(p, SCRATCH_FILL, n)
#else
#define FILL(p, n) ((void)(p), (void)(n))
#endif

#define SCRATCH_ALIGN 16UL

struct scratch_block {
    struct scratch_block *prev, *next;
    size_t cap; /* of data */
    size_t unused;
    char data[];
};
static_assert(sizeof(struct scratch_block) % SCRATCH_ALIGN == 0, "data is aligned");

static struct scratch_block *
block_new(struct scratch *s, size_t cap)
{
    struct scratch_block *b = malloc(sizeof(*b) + cap);

    ASSERT(b); /* out of address space */
    *b = (struct scratch_block){.cap = cap};
    s->bytes += cap;
    ASAN_POISON_MEMORY_REGION(b->data, cap);
    return b;
}

static void
block_free(struct scratch *s, struct scratch_block *b)
{
    s->bytes -= b->cap;
    ASAN_UNPOISON_MEMORY_REGION(b->data, b->cap);
    FILL(b->data, b->cap);
    free(b);
}

static void
block_link(struct scratch_block *prev, struct scratch_block *b, struct scratch_block *next)
{
    b->prev = prev;
    b->next = next;
    if (prev)
        prev->next = b;
    if (next)
        next->prev = b;
}

static void
block_enter(struct scratch *s, struct scratch_block *b)
{
    s->blocks = b;
    s->p = b ? b->data : NULL;
    s->end = b ? b->data + b->cap : NULL;
}

static void *
alloc_own_block(struct scratch *s, size_t n)
{
    struct scratch_block *b = block_new(s, n), *cur = s->blocks;

    block_link(cur ? cur->prev : NULL, b, cur);
    if (!cur) {
        s->blocks = b;
        s->p = s->end = b->data + n;
    }
    ASAN_UNPOISON_MEMORY_REGION(b->data, n);
    return b->data;
}

static void
next_block(struct scratch *s)
{
    struct scratch_block *cur = s->blocks, *b = cur ? cur->next : NULL;

    if (!b) {
        b = block_new(s, SCRATCH_BLOCK_BYTES);
        block_link(cur, b, NULL);
    }
    block_enter(s, b);
}

void
scratch_init(struct scratch *s)
{
    *s = (struct scratch){0};
}

static struct scratch_block *
first_block(const struct scratch *s)
{
    struct scratch_block *b = s->blocks;

    while (b && b->prev)
        b = b->prev;
    return b;
}

void
scratch_fini(struct scratch *s)
{
    struct scratch_block *b, *next;

    for (b = first_block(s); b; b = next) {
        next = b->next;
        block_free(s, b);
    }
    ASSERT(s->bytes == 0);
    scratch_init(s);
}

void *
scratch_alloc(struct scratch *s, size_t n)
{
    char *p;

    ASSERT(n <= SIZE_MAX / 2);
    n = ALIGN_UP(MAX(n, 1UL), SCRATCH_ALIGN);
    if (unlikely(n > (size_t)(s->end - s->p))) {
        if (n > SCRATCH_BLOCK_BYTES)
            return alloc_own_block(s, n);
        next_block(s);
    }
    p = s->p;
    s->p += n;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    return p;
}

/* The blocks stay in their order: the first one is the one in the cache. */
void
scratch_reset(struct scratch *s)
{
    struct scratch_block *b, *next, *first = NULL, *last = NULL;
    size_t bytes = 0;

    for (b = first_block(s); b; b = next) {
        next = b->next;
        if (b->cap != SCRATCH_BLOCK_BYTES || bytes + b->cap > SCRATCH_KEEP_BYTES) {
            block_free(s, b);
            continue;
        }
        bytes += b->cap;
        FILL(b->data, b->cap);
        ASAN_POISON_MEMORY_REGION(b->data, b->cap);
        block_link(last, b, NULL);
        first = first ? first : b;
        last = b;
    }
    block_enter(s, first);
}

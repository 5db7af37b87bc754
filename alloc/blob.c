/* References are counted atomically: relaxed on the way up, since whoever adds one holds one; release
 * and acquire on the way down, so that what one thread did with the bytes is over before another frees
 * or changes them. */
#include "alloc/blob.h"

#include "core/reaper.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct blob *
blob_around(char *p, size_t bytes)
{
    struct blob *b = malloc(sizeof(*b));

    ASSERT(b && p); /* out of address space */
    b->bytes = bytes;
    b->p = p;
    atomic_init(&b->refs, 1);
    return b;
}

struct blob *
blob_create(size_t bytes)
{
    return blob_around(malloc(bytes), bytes);
}

struct blob *
blob_create_zero(size_t bytes)
{
    return blob_around(calloc(bytes, 1), bytes);
}

struct blob *
blob_of_buf(struct buf *b)
{
    struct blob *blob = blob_around(b->p, b->cap);

    ASSERT(b->sources == NULL);
    *b = (struct buf){0};
    return blob;
}

void
blob_resize(struct blob *b, size_t bytes)
{
    ASSERT(!blob_is_shared(b));
    b->p = realloc(b->p, bytes);
    ASSERT(b->p);
    b->bytes = bytes;
}

struct blob *
blob_get(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void
blob_put(struct blob **b)
{
    struct blob *gone = *b;

    *b = NULL;
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) > 1)
        return;
    reaper_free(gone->p, gone->bytes);
    free(gone);
}

bool
blob_is_shared(const struct blob *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) > 1;
}

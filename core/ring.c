#include "core/ring.h"

#include <stdlib.h>

int
ring_init(struct ring *r, uint32_t capacity)
{
    void **slots;

    ASSERT(capacity && (capacity & (capacity - 1)) == 0);
    slots = aligned_alloc(CACHE_LINE, ALIGN_UP(capacity * sizeof(*slots), (size_t)CACHE_LINE));
    if (!slots)
        return -ENOMEM;
    memset(r, 0, sizeof(*r));
    r->slots = slots;
    r->mask = capacity - 1;
    return 0;
}

void
ring_fini(struct ring *r)
{
    free(r->slots);
    r->slots = NULL;
}

/* Bump allocator for what lives as long as one request or one loop turn. Blocks are kept between
 * resets up to SCRATCH_KEEP_BYTES. One thread. */
#ifndef ALLOC_SCRATCH_H
#define ALLOC_SCRATCH_H

#include "core/base.h"

#define SCRATCH_BLOCK_BYTES (64 * KIB)
#define SCRATCH_KEEP_BYTES (1 * MIB)

struct scratch_block;
struct scratch {
    char *p, *end; /* free part of the current block */
    struct scratch_block *blocks;
    size_t bytes;
};

void scratch_init(struct scratch *s);
void scratch_fini(struct scratch *s);
/* 16-byte aligned, never NULL, not zeroed. */
void *scratch_alloc(struct scratch *s, size_t n);
/* Forgets everything allocated. */
void scratch_reset(struct scratch *s);

#endif

/* Sorting in steps: what takes a loop's other clients too long at once. Runs are sorted as they are,
 * then merged two by two, until there is one. Stable only where the order tells all items apart.
 * Owner: one thread. */
#ifndef CORE_SORT_STEPS_H
#define CORE_SORT_STEPS_H

#include "core/base.h"

struct sort_steps {
    char *items; /* in order once a step has said so */
    uint32_t n;
    /* private */
    size_t item_bytes;
    char *other;
    int (*compare)(const void *a, const void *b, void *arg);
    void *arg;
    uint32_t width, merged;    /* runs of this length are in order; places of this pass that are filled */
    uint32_t low, left, right; /* the pair of runs being merged, and how far */
    bool merging, done;
};

/* Takes n items of this size, malloc'd. */
void sort_steps_begin(struct sort_steps *s, void *items, uint32_t n, size_t item_bytes,
                      int (*compare)(const void *a, const void *b, void *arg), void *arg);
/* A step of a tenth of a millisecond or so; true: they are in order. */
bool sort_steps_step(struct sort_steps *s);
/* Frees the items too; nothing is to be done for one that is zeroed. */
void sort_steps_fini(struct sort_steps *s);

#endif

/* Which keys were there before: a set of their hashes, 16 to 32 bytes a key, so that a load of
 * millions of series remembers them all. Of a million keys two share a hash once in 2^25 loads. */
#ifndef TOOLS_LOAD_SEEN_H
#define TOOLS_LOAD_SEEN_H

#include "core/base.h"

struct seen {
    uint64_t *slots; /* open addressing, 0: free */
    size_t n, cap;
};

/* Adds a hash. True when it was not there. */
bool seen_add(struct seen *s, uint64_t hash);
void seen_fini(struct seen *s);

#endif

/* Keys of series on a server: names, and patterns that SCAN matches. */
#ifndef TOOLS_LIB_KEYS_H
#define TOOLS_LIB_KEYS_H

#include "core/base.h"
#include "tools/lib/link.h"

#define KEYS_SCAN_COUNT "1000"

struct keys {
    struct slice *key; /* sorted by bytes, each once */
    size_t n, cap;
};

/* Adds a word: a key, or with * ? [ or \ in it a pattern. 0, or a negative errno with l->error set.
 */
int keys_add(struct keys *ks, struct link *l, const char *word);
/* Adds the series whose keys match a pattern. As above. */
int keys_scan(struct keys *ks, struct link *l, const char *pattern);
/* Adds a copy of one key. */
void keys_add_one(struct keys *ks, struct slice key);
/* Sorts, and drops what is there twice. */
void keys_sort(struct keys *ks);
void keys_fini(struct keys *ks);

#endif

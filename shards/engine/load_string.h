/* Memory for a long string, filled on a helper: a patch that would copy or clear many bytes asks for it
 * (NEED_BYTES), and runs again when the string has moved there. The string may be read and changed
 * meanwhile; what was made of one that is another by then is dropped.
 * Part of a load (load.c). Thread: the loop of the shard's core, but for string_load_work. */
#ifndef SHARDS_ENGINE_LOAD_STRING_H
#define SHARDS_ENGINE_LOAD_STRING_H

#include "alloc/blob.h"
#include "shards/engine/command.h"

struct string_load {
    struct blob *from, *made; /* both held; NULL: there is nothing to do */
    struct slice value;       /* what of `from` the string was */
    uint64_t cap;
};

/* Looks at the string that need->key is. The shard must be ours to touch. */
void string_load_begin(struct string_load *l, const struct need *need);
/* On the helper: copies. */
void string_load_work(struct string_load *l);
/* Moves the string, if it still is what was copied; gives back what is held. As string_load_begin. */
void string_load_finish(struct string_load *l, const struct need *need);

#endif

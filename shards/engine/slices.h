/* Reading that takes long, of keys of any cores, in slices, and all of one moment nevertheless.
 *
 * A read-only command that runs as a transaction finds that it takes too long. It leaves a struct
 * slices behind (ctx->slices) and says NEED_SLICES. The transaction gives its leases back; each core
 * reads its keys ahead in slices, watching each from before it is read; then the leases are taken again
 * and the command runs again. What it then finds unchanged it has; what was changed since it was read it
 * reads again, and when that takes too long as well it asks for another round. In the end all was read
 * and nothing of it has changed: it is all of the moment in which everything is leased. A reply that
 * takes long to make is made when the leases have been given back, in slices too.
 *
 * The command's; step runs on several cores at once, for a shard each. */
#ifndef SHARDS_ENGINE_SLICES_H
#define SHARDS_ENGINE_SLICES_H

#include "shards/engine/command.h"

enum slices_result {
    SLICES_DONE,
    SLICES_MORE, /* the time is over */
    SLICES_NEED, /* c->need is set */
};

struct slices {
    /* On the core of the shard, which nobody has leased: reads ahead until the clock says until_ns. */
    enum slices_result (*step)(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns);
    /* The same, at the end: it watches nothing there any more. */
    void (*leave)(struct slices *s, struct shard *sh);
    /* On the client's core, nothing leased: appends the next piece of the reply; true: that was all.
     * Called where `replies` is set: the handler has then appended none. */
    bool (*reply)(struct slices *s, struct ctx *c, uint64_t until_ns);
    void (*destroy)(struct slices *s);
    bool replies;
};

#endif

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
 * Slices are there for the others. While a core has nobody else to serve (core_is_wanted) a go that has
 * used up its time takes spare time, up to SLICES_SPARE_MAX slices of it, and looks each time it would have
 * stopped whether that is still so: each step, and the first go. What that has read is lost when it stops:
 * so it goes on for only as long again, unless it can tell that it will come to its end in spare time.
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

#define SLICES_AT_ONCE 2    /* the time of the first go of a command, in slices */
#define SLICES_SPARE_MAX 50 /* how long a go may take behind its time, in slices */

/* The go of this context, which is of a shard of its own core that nobody has leased, may take spare time:
 * a step / the first go of a command, which has SLICES_AT_ONCE slices of its own. */
void slices_take_spare(struct ctx *c);
void slices_take_spare_at_first(struct ctx *c);
/* Is the go to stop? until_ns: when its time is over; UINT64_MAX: never. done: how much of all there is to
 * do has been done, up to 1; 0: nobody knows. */
bool slices_time_is_over(const struct ctx *c, uint64_t until_ns, double done);

#endif

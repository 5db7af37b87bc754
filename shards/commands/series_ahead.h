/* The keys of one command, of any cores, read in slices and all of one moment (engine/slices.h): which
 * have been read, and which of them have changed since.
 *
 * Keys of a core are taken together in units, AHEAD_UNITS_MAX in all: each unit is a watcher of its own
 * (watch.h) on its core, and is read again as a whole when one of its keys has changed. A unit of one key
 * is not, when points have changed only where it has not been read yet: a series to which points are
 * added all the time can be read for as long as that takes. */
#ifndef SHARDS_COMMANDS_SERIES_AHEAD_H
#define SHARDS_COMMANDS_SERIES_AHEAD_H

#include "core/clock.h"
#include "shards/engine/core.h"
#include "shards/engine/slices.h"

#define AHEAD_UNITS_MAX 1024
#define AHEAD_KEYS_MAX 65536 /* more are read in one go: each is watched */
#define AHEAD_TURNS_MAX 4    /* then what changes too fast is read in one go */

struct ahead;

/* What the command does with each of its keys, by number. Of chained keys what is read of each depends on
 * those before it: each is read when those are complete, on one core at a time, and once more when one
 * before it was read on, or is read anew, which is for `read` and `drop` to see to. */
struct ahead_keys {
    /* Reads it, or reads on. 0: to its present end, what was wrong with it is kept as well;
     * -EINPROGRESS: the clock says until_ns; -EAGAIN: c->need is set. */
    int (*read)(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns);
    /* Points of it between these times have changed: does what was read stand? */
    bool (*stands)(const struct ahead *a, uint32_t i, int64_t from, int64_t to);
    /* Of what was read no older points are wanted any more. */
    int64_t (*wants_from)(const struct ahead *a, uint32_t i);
    /* Forgets what was read. */
    void (*drop)(struct ahead *a, uint32_t i);
    /* How much that is, of values_max. */
    uint64_t (*values)(const struct ahead *a, uint32_t i);
};

struct ahead_unit {
    uint32_t first, n; /* in `order` */
    uint32_t done;     /* of them, read since it watches */
    uint16_t owner;
    bool watches;
    uint32_t round;    /* in which it was looked at last */
};

/* Embedded in what the command knows besides. */
struct ahead {
    struct slices slices;
    const struct ahead_keys *keys;
    const struct slice *name; /* of each key: arguments of the transaction */
    uint32_t n;
    uint8_t db;
    uint32_t *order; /* numbers of the keys, by core */
    struct ahead_unit *units;
    uint32_t units_n;
    uint64_t watcher; /* of unit 0, the next ones follow */
    uint32_t round, turns; /* turns: how often slices were asked for */
    bool chained;
    bool leased;           /* everything is: also what comes before a chained key may be touched */
    uint32_t turn;         /* chained: the unit that is read in slices, the ones before it are complete */
    uint64_t values_max;
    _Atomic uint64_t values; /* of all keys; counted by all cores, asked for nothing else */
};

/* Until when the command, which begins now, may read in one go, spare time aside; then it may go on in
 * slices. UINT64_MAX: it may not. It reads so many keys, or one so often. */
uint64_t ahead_until(struct ctx *c, uint32_t keys_n);
/* Inside MULTI: is the time over that it may take? */
bool ahead_is_late(const struct ctx *c, uint64_t began_ns);
/* A watcher that is no client and of no other reading. */
uint64_t ahead_watcher(struct core *core);
/* a: zeroed but for slices, keys, values_max and chained. The n names are arguments of the transaction. */
void ahead_init(struct ahead *a, struct ctx *c, const struct slice *name, uint32_t n);
/* Drops everything that was read. */
void ahead_fini(struct ahead *a);
/* struct slices.step and .leave, for a command that has found out what is asked. */
enum slices_result ahead_step(struct ahead *a, struct ctx *c, struct shard *sh, const void *asked,
                              uint64_t until_ns);
void ahead_leave(struct ahead *a, struct shard *sh);
/* With everything leased: 0 = all has been read and is of this moment; -EAGAIN: c->need is set, maybe to
 * another round; -E2BIG: more than values_max. */
int ahead_all(struct ahead *a, struct ctx *c, const void *asked);

#endif

/* Ranges of series that take long to read, read in slices (engine/slices.h): what TS.RANGE, TS.NRANGE,
 * TSDB_ROWS and TSDB_CANDLE have in common. Each key of the command has so many ranges, which are read one
 * after the other into tables of their own; what becomes of the tables is the command's.
 *
 * A command that finds that it takes long says NEED_SLICES, and where it runs as a transaction leaves a
 * struct ts_sliced in ctx->slices. When it then runs again it calls ts_sliced_all. LATEST is not read in
 * slices: an open bucket depends on another series, which nobody watches. Where it comes last it is added when
 * everything is leased (`latest_last`). */
#ifndef SHARDS_COMMANDS_TS_SLICED_H
#define SHARDS_COMMANDS_TS_SLICED_H

#include "shards/commands/series_ahead.h"
#include "shards/commands/ts_range.h"

struct ts_sliced;

struct ts_sliced_kind {
    /* What is asked, from the arguments, into asked_bytes of scratch. False: settings have changed, and the
     * command will say so. */
    bool (*parse)(struct ts_sliced *x, struct ctx *c, void *ret_asked);
    size_t asked_bytes;
    /* Range number i of all, and the place of its functions in it. */
    void (*range)(const void *asked, uint32_t i, struct ts_range *ret_r, uint32_t *ret_at);
    /* As struct slices.reply; the rows are complete. */
    bool (*reply)(struct ts_sliced *x, struct ctx *c, uint64_t until_ns);
    /* They could not be completed: replies the error. */
    void (*refuse)(struct ctx *c, int rc);
    /* What else it has; NULL: nothing. */
    void (*fini)(struct ts_sliced *x);
};

struct ts_sliced_range {
    struct ts_reading reading;
    int rc; /* what was wrong with it */
};

/* At the beginning of what the command knows besides, in memory of calloc. */
struct ts_sliced {
    struct ahead ahead;
    const struct ts_sliced_kind *kind;
    uint32_t n, per_key; /* ranges */
    uint32_t next;       /* of the only key, when that has several */
    struct ts_sliced_range *ranges;
    struct series_table *rows; /* of each range */
    uint32_t complete;         /* ranges; and so many values they have: */
    uint64_t values;
};

/* x: zeroed but for kind. keys_n names, arguments of the transaction; several ranges of a key only where
 * there is one key. Returns what ctx->slices gets. */
struct slices *ts_sliced_init(struct ts_sliced *x, struct ctx *c, const struct slice *name,
                              uint32_t keys_n, uint32_t per_key, uint64_t values_max);
struct ts_sliced *ts_sliced_of(struct slices *s);
/* With everything leased: 0 = all ranges are there; and is this no probe, they will be completed, key by key and
 * with nothing leased, and the reply be asked for. -EAGAIN: ctx->need is set; or an error. */
int ts_sliced_all(struct ts_sliced *x, struct ctx *c, const void *asked);

#endif

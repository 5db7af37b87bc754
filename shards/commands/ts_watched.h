/* One series read into rows in slices, on its core and without a transaction, and nevertheless as it was at
 * one moment: the one at which the last slice begins. It is watched from the first slice on (watch.h). What
 * changes where it has been read begins the reading anew, TS_WATCHED_TRIES_MAX times; then it is read in one
 * go. */
#ifndef SHARDS_COMMANDS_TS_WATCHED_H
#define SHARDS_COMMANDS_TS_WATCHED_H

#include "shards/commands/ts_range.h"

#define TS_WATCHED_TRIES_MAX 4

/* Starts zeroed, and does not move. */
struct ts_watched {
    struct ts_reading reading;
    struct series_table rows;
    uint64_t watcher; /* 0: it watches nothing, and has read nothing */
    uint32_t tries;   /* how often it began anew */
    uint64_t steps;   /* that brought it further */
};

/* Reads on until the clock says until_ns; UINT64_MAX: in one go, nothing is kept for another. The shard is
 * the caller's to touch. 0: the rows are there, and the caller's to take; -EINPROGRESS: not yet; -EAGAIN:
 * ctx->need is set; or an error that ts_range_error words. LATEST only in one go. */
int ts_watched_go(struct ts_watched *x, struct ctx *c, const struct key *k, const struct entry *e,
                  const struct ts_range *r, uint64_t until_ns);
/* Forgets all; must be called when something was read, in the end too. */
void ts_watched_drop(struct ts_watched *x, struct shard *sh);

#endif

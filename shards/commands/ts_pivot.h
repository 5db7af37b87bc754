/* Tables of several series side by side (series/series_pivot.h) as a reply, made in slices: the rows are
 * counted first, for the header says how many there are, and made as the client takes them. */
#ifndef SHARDS_COMMANDS_TS_PIVOT_H
#define SHARDS_COMMANDS_TS_PIVOT_H

#include "shards/commands/ts_range.h"
#include "shards/series/series_pivot.h"

/* Values of the tables; more are put side by side in slices. */
#define TS_PIVOT_AT_ONCE 131072

/* Starts zeroed. */
struct ts_pivot {
    struct series_pivot pivot; /* how far they are counted */
    uint64_t rows;
};

/* Counts at most `limit` rows of n tables, the same at each call, until the clock says until_ns. 0: that is
 * all of them; -EINPROGRESS; -E2BIG: more than SERIES_PIVOT_VALUES_MAX values. */
int ts_pivot_count(struct ts_pivot *x, const struct series_table *tables, uint32_t n, bool reverse,
                   uint64_t limit, uint64_t until_ns);
/* When they are counted: appends the array of the rows. Takes the tables, which are empty afterwards. names:
 * of TS_ROW_FIELDS, one for each column, else NULL. */
void ts_pivot_reply(struct ts_pivot *x, struct buf *out, int proto, struct series_table *tables,
                    enum ts_row shape, const struct field *const *names);
void ts_pivot_fini(struct ts_pivot *x);

#endif

/* Points of several data types of a key, on their way into a reply (point_reply.h): read one type after
 * the other, replied as one series by time, of which a limit wants the first so many only.
 *
 * Any of them may be among the first of all until that many earlier ones are there. So each type is read as
 * far as the limit goes; but when there are twice as many as a reply may have, all that come behind the
 * limit are dropped, and from then on only points before the last one left are wanted. */
#ifndef SHARDS_COMMANDS_POINT_GATHER_H
#define SHARDS_COMMANDS_POINT_GATHER_H

#include "shards/commands/point_reply.h"
#include "shards/series/series_store.h"

/* Starts zeroed but for the first three. */
struct point_gather {
    bool reverse;
    uint64_t limit;      /* points that are asked for, UINT64_MAX = all */
    uint64_t points_max; /* that a reply may have; twice as many are kept here at most */
    struct point_run *runs; /* lower types first */
    uint32_t runs_n;
    uint64_t n;             /* points of all runs */
    bool is_cut;            /* only points before this time are wanted: */
    int64_t cut_at;
};

void point_gather_fini(struct point_gather *g);
/* A run of this data type, higher than those before it. */
void point_gather_begin_run(struct point_gather *g, uint8_t type);
/* What of the query is wanted of the last run. */
void point_gather_narrow(const struct point_gather *g, struct series_query *q);
/* Would n points more be too many, whatever the limit? */
bool point_gather_is_full(const struct point_gather *g, uint32_t n);
/* Copies to the last run what is wanted of n points, at most points_max and for which there is room, and
 * returns how many: fewer than n, no more of the run are wanted. quality NULL = all 0. */
uint32_t point_gather_add(struct point_gather *g, const struct sample *p, const uint8_t *quality,
                          uint32_t n);
/* Drops what comes behind the limit. */
void point_gather_cut(struct point_gather *g);

#endif

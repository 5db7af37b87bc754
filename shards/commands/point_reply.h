/* Replies made of points.
 *
 * A handler gathers copies of the points of each data type (struct point_run) and hands them over.
 * Few are written at once; many become a source (core/buf.h) that makes their text as the client
 * takes it, so that no reply keeps a core from its other clients. What was gathered is what the
 * client gets: later writes do not show in it. */
#ifndef SHARDS_COMMANDS_POINT_REPLY_H
#define SHARDS_COMMANDS_POINT_REPLY_H

#include "core/buf.h"
#include "shards/series/block.h"

#define POINT_REPLY_AT_ONCE_MAX 512 /* points that are written without a source */

/* Points of one data type, in the order of the reply. Starts zeroed but for `type`. */
struct point_run {
    struct sample *p;
    uint8_t *quality; /* NULL while every quality is 0 */
    uint32_t n, cap;
    uint32_t at; /* written so far */
    uint8_t type;
};

/* Copies n points to the end; quality NULL = all 0. */
void point_run_add(struct point_run *r, const struct sample *p, const uint8_t *quality, uint32_t n);
/* Drops all but the first n, before anything of it is written. */
void point_run_cut(struct point_run *r, uint32_t n);
void point_run_fini(struct point_run *r);

/* Appends an array of [timestamp, value, data type, quality]: the first `total` points of all runs
 * merged by time, of equal times the lower data type first. Takes the points: the runs are empty
 * afterwards. */
void reply_points(struct buf *out, int proto, struct point_run *runs, uint32_t runs_n,
                  uint64_t total, bool reverse);

#endif

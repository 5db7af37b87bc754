/* Where the reading of one series stands, that stops when its time is over and goes on later: at a time,
 * and how many of the points of that time have been read. Stored blocks that are taken by their headers
 * count as a whole: points of one time are never in two of them. */
#ifndef SHARDS_COMMANDS_TS_POSITION_H
#define SHARDS_COMMANDS_TS_POSITION_H

#include "shards/engine/slices.h"
#include "shards/series/series_store.h"

/* Starts zeroed but for reverse. */
struct ts_position {
    bool reverse;
    bool begun;      /* `at` says something */
    int64_t at;      /* everything before it, on the way of the reading, has been read */
    uint32_t passed; /* and so many points of this time */
    bool ends;       /* what is known of the whole: where it began, and a time at which it ends or before */
    int64_t start, end;
    /* of the present go */
    const struct ctx *c;
    uint64_t until_ns; /* when its time is over (engine/slices.h); UINT64_MAX: to the end */
    uint64_t work;     /* since it was */
    uint32_t again;    /* points that come once more */
    uint32_t of_block; /* points still to come of the block that is being read */
    bool moved;        /* it has come further: a go that does not would be the same again */
    bool stopped;      /* the time is over */
};

/* The reading goes on from where it stands. c: stays for as long as the go takes. It stops when its time is
 * over, and before it asks whether that is so it reads limits.slice_points points: a go is worth its
 * beginning. */
void ts_position_go(struct ts_position *p, const struct ctx *c, uint64_t until_ns);
/* The same go once more, from where it stands. */
void ts_position_again(struct ts_position *p);
/* It reads all of these times, and the go reads nothing else: how much has been done can be told. */
void ts_position_ends(struct ts_position *p, const struct series *s, int64_t from, int64_t to);
/* What of the query is left. */
void ts_position_narrow(const struct ts_position *p, struct series_query *q);
/* Of n points that come, at ts[0], ts[stride] ...: how many at their beginning have been read before. */
uint32_t ts_position_known(struct ts_position *p, const int64_t *ts, uint32_t stride, uint32_t n);
/* The n points, n > 0, have been read. True: stop here. */
bool ts_position_pass(struct ts_position *p, const int64_t *ts, uint32_t stride, uint32_t n);
/* So much was done besides reading, in points. True: the time is over, also within a block. */
bool ts_position_works(struct ts_position *p, uint32_t work);
/* Is the block, which is offered as a whole, to be left for the next go? Whoever has begun one reads it to
 * its end, or it would be decoded twice. */
bool ts_position_stops_at(struct ts_position *p, const struct block_info *info);
/* The block was dealt with. */
void ts_position_pass_block(struct ts_position *p, const struct block_info *info);
/* No older point is wanted any more. The query began at `from` (reverse: ends there). */
int64_t ts_position_wants_from(const struct ts_position *p, int64_t from);
/* May points between these times have been read? The query began at `from` (reverse: at its end, `to`). */
bool ts_position_has_read(const struct ts_position *p, int64_t from, int64_t to);

#endif

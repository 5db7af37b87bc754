/* After a server that failed in the middle, or refused a point of a strict load: positions are made
 * true again.
 *
 * A transaction that lacks points has set its position all the same, and so have those behind it
 * (lane.h). The last true position of each lane that lacks something is put back, on the lane's own
 * connection, so that it comes behind everything that was under way. The next load with --resume
 * takes the points that are lacking, and once more those that were written behind them.
 *
 * A load that is killed before it has seen the error, or cannot reach the server any more, cannot
 * do that. One thread. */
#ifndef TOOLS_LOAD_PUT_BACK_H
#define TOOLS_LOAD_PUT_BACK_H

#include "tools/load/sink.h"

#define PUT_BACK_SECONDS 10 /* without any answer */

struct put_back {
    unsigned lanes;  /* that lack something */
    uint64_t line;   /* at which the first of them does */
    uint64_t again;  /* commands behind the positions that were answered, some with errors */
    unsigned failed; /* lanes whose position is not true: no answer, or a refusal */
};

/* Of a sink with transactions that is done; nothing may be given to it behind this. */
void put_back(struct sink *s, struct put_back *ret);

#endif

/* A lane: one connection that writes the points of a share of the keys, in order.
 *
 * Keys are shared out by slot, so a series always travels on the same lane and its points arrive in
 * the order of the file. A lane keeps at most a window of points under way.
 *
 * Plain, a point is a TSDB_SET (TS.ADD if it is NaN) and done when it is answered. With positions
 * (position.h) points travel in transactions
 *
 *     MULTI, TSDB_SET ..., SET position, EXEC
 *
 * so that the server has both or neither, whatever is killed when; a transaction ends with a line
 * of the file and its points are done when EXEC is answered.
 *
 * The labels of a series travel before its first point, as two commands with an answer each:
 *
 *     TS.CREATE key, TS.ALTER key LABELS ...
 *
 * of which the first one fails where the series is there already.
 *
 * Every command remembers its line, for the place of a refusal.
 *
 * A transaction of which the server did not do a part, for a reason of its own (a stored block that
 * cannot be read, no memory), or which it refused as a whole, lacks points; but its own SET, or
 * that of the next one under way, says that they are in. So a lane that failed is settled before it
 * is closed: it takes the answers that are due, and puts the position back to that before the
 * transaction which failed first (put_back.h). With --strict a refusal is such a lack, too, though
 * no failure: what was given is still sent. */
#ifndef TOOLS_LOAD_LANE_H
#define TOOLS_LOAD_LANE_H

#include "core/base.h"
#include "core/buf.h"
#include "tools/lib/reply_scan.h"

#define LANES_MAX 64
#define LANE_WINDOW_MAX (1 << 20)
#define LANE_SEND_BYTES (64 * KIB) /* as much is sent without waiting for more */
#define LANE_UNSENT_MAX (4 * MIB)  /* more than that waits to leave: the lane is full */
#define LANE_TRANSACTION_POINTS 1000
#define LANE_FAILURE_MAX 320
#define LANE_POSITION_MAX 127 /* bytes of the text of a position */

enum lane_what {
    LANE_POINT,
    LANE_LABELS,
};

/* Commands of one line, of one kind, next to each other. */
struct lane_entry {
    uint64_t line;
    uint32_t n;
    enum lane_what what;
};

/* A point, or the labels of a series, were refused; the line they came from. */
typedef void lane_refused_fn(void *arg, uint64_t line, enum lane_what what, const char *text);

struct lane {
    int fd;
    struct buf out;
    size_t out_at; /* bytes of it that have left */
    struct reply_scan scan;
    uint64_t answered;  /* replies accounted for */
    uint64_t in_flight; /* commands encoded and not done */
    uint64_t window;
    uint64_t points_done;       /* answered, and not with an error */
    uint64_t points_lost;       /* with one, of those that will be done next */
    struct lane_entry *entries; /* ring */
    uint32_t entry_mask, entry_head, entry_tail;
    /* transactions */
    bool transactions;
    bool open; /* MULTI was encoded, EXEC not yet */
    uint32_t open_commands;
    uint32_t *sizes; /* ring: commands of each transaction under way */
    uint32_t size_mask, size_head, size_tail;
    /* positions */
    uint64_t skip_line;    /* lines up to it are there already */
    struct buf positions;  /* of the transactions under way, each behind its length in a byte */
    size_t positions_at;   /* the oldest */
    struct buf settled;    /* the text of the last one that is true */
    uint64_t done_behind;  /* commands of later transactions that were answered */
    bool settling;         /* after a failure: answers are taken to the end */
    bool garbled;          /* what comes is no answers: they cannot be */
    bool put_back, put_back_refused;
    uint64_t tail_replies; /* due behind the last transaction, when settling */
    /* told of refusals */
    lane_refused_fn *refused;
    void *arg;
    bool strict;         /* a position is not beyond a refusal */
    bool lacks;          /* something that its positions would pass over, */
    uint64_t lacks_line; /* first at this line */
    char failure[LANE_FAILURE_MAX]; /* the server said something after which nothing can go on */
    uint64_t failure_line;
};

/* Takes over the socket and makes it non-blocking. 0 or a negative errno. */
int lane_init(struct lane *l, int fd, uint64_t window, bool transactions, lane_refused_fn *refused,
              void *arg);
void lane_fini(struct lane *l);

/* Before a command of `line`, which the caller appends to l->out. In a line all labels come before
 * all points. */
void lane_begin(struct lane *l, uint64_t line, enum lane_what what);
/* Ends the open transaction by the command that sets the position. */
void lane_commit(struct lane *l, struct slice key, struct slice position);

/* What its position is before the first transaction. */
void lane_start_at(struct lane *l, struct slice position);
/* Nothing more will be sent; what is under way is answered, lane_exchange by lane_exchange. */
void lane_settle(struct lane *l);
/* Settled: sets the position to the last one that is true. */
void lane_put_back(struct lane *l, struct slice key);
/* Are there answers to come, when settling? */
bool lane_is_owed(const struct lane *l);

/* Sends what there is and takes what came, without waiting. 0 or a negative errno; -EPROTO with
 * l->failure set when the server refused everything; when settling, only if it is garbled. */
int lane_exchange(struct lane *l);

static inline bool
lane_is_full(const struct lane *l)
{
    return l->in_flight >= l->window || l->out.n - l->out_at >= LANE_UNSENT_MAX;
}

static inline bool
lane_has_unsent(const struct lane *l)
{
    return l->out_at < l->out.n;
}

#endif

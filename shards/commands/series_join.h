/* Joining two series by time, which may stop when its time is over and go on later: TSDB_JOIN's reading.
 *
 * The left points are gathered; the right ones stream past them once and are not kept. What lies just
 * outside the left points' time is asked for by itself: the newest right point before the first of
 * them, the oldest after the last. */
#ifndef SHARDS_COMMANDS_SERIES_JOIN_H
#define SHARDS_COMMANDS_SERIES_JOIN_H

#include "shards/commands/ts.h"
#include "shards/commands/ts_position.h"

#define JOIN_ROWS_MAX 1000000 /* left points of one reply */

enum asof { ASOF_PREVIOUS, ASOF_NEXT, ASOF_NEAREST };

struct join_asked {
    int64_t start, end;
    uint64_t tolerance; /* the longest distance there can be, where none is asked for */
    enum asof asof;
};

struct join_row {
    struct sample left, right;
    bool matched;
};

/* In pages, so that growing copies no more than one of them. */
#define JOIN_PAGE_ROWS 32768
struct join_rows {
    struct join_row **pages;
    uint32_t n, cap;
};

static inline struct join_row *
join_row_at(const struct join_rows *r, uint32_t i)
{
    return &r->pages[i / JOIN_PAGE_ROWS][i % JOIN_PAGE_ROWS];
}

/* One of the two series, of the present go. */
struct join_side {
    struct ctx *c;
    const struct key *k;
    const struct series *s; /* NULL: no points */
    int64_t visible;
    uint64_t until_ns;      /* of the clock; UINT64_MAX: to the end */
};

/* Starts zeroed but for `asked`. */
struct join {
    struct join_asked asked;
    struct join_rows rows;
    struct ts_position left, right;
    int64_t left_visible, right_visible; /* what retention showed when the reading began */
    uint32_t at;          /* rows before have what they get ... */
    bool has_decided;
    int64_t decided;      /* ... which right points up to here decide, read to their end or not */
    bool looked;          /* for what lies before: from there on right points have been looked at */
    int64_t looked_from;
    bool has_previous, has_next;
    struct sample previous, next; /* right points: the last that came, the one behind all rows */
};

void join_rows_fini(struct join_rows *r);
/* Forgets what was read of the right side / of both. */
void join_forget_right(struct join *j);
void join_forget(struct join *j);

/* Each reads on until the clock says until_ns. 0: to its present end; -EINPROGRESS: not yet; -EAGAIN:
 * ctx->need is set, and it may go on afterwards; or an error. */
/* -E2BIG: more than JOIN_ROWS_MAX. */
int join_read_left(struct join *j, const struct join_side *side);
/* Behind the left points that are there. whole: they are all; else more may come behind them, and what they
 * may change is left for the last go. */
int join_read_right(struct join *j, const struct join_side *side, bool whole);
/* When all has been read: the last rows. False: the clock says until_ns. */
bool join_settle(struct join *j, const struct ctx *c, uint64_t until_ns);

/* Does what was read of a side stand, if points of these times have changed? */
bool join_left_stands(const struct join *j, int64_t from, int64_t to);
bool join_right_stands(const struct join *j, int64_t from, int64_t to);
/* The oldest time that was read of a side, or will be, as retention showed it when that began; INT64_MAX:
 * nothing was read. Both sides may be of one series: then what one still has the other needs as well. */
int64_t join_left_from(const struct join *j);
int64_t join_right_from(const struct join *j);

#endif

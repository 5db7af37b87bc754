/* The points of a series, or of all series of a key, one after the other, fetched in pages.
 *
 * TSDB_GET knows times and a limit only, and under KEEP many points may share a time. So a page
 * that is full may have been cut in the middle of its last time: the points of that time are left
 * to the next page, which begins with it. A page that holds one time only is asked for again with a
 * greater limit; a series has at most a million points of one time (SERIES_SAME_TS_MAX), which is
 * also what an answer may hold, so that ends. If the series of a key have more together, that time
 * is asked for series by series. Points written meanwhile are met if their time is still to come.
 */
#ifndef TOOLS_LIB_PAGER_H
#define TOOLS_LIB_PAGER_H

#include "core/base.h"
#include "tools/lib/link.h"

#define PAGER_LIMIT_MAX 1000000 /* points of an answer, LIMIT_QUERY_POINTS of the server */

struct pager_point {
    int64_t ts;
    struct slice value; /* text, in the page's memory */
    uint8_t type, quality;
};

struct pager {
    struct link *link;
    struct slice key; /* the owner's */
    int type;         /* -1: all */
    int only;         /* -1, or the one type that is handed out: the others are counted */
    uint64_t others;
    int64_t next, end; /* times still to ask for */
    uint64_t page, limit;
    int crowd;        /* of `next`, which is too much for one answer: the data type due; else -1 */
    bool last;        /* nothing more is to be asked for */
    uint64_t answers; /* how many there were */
    bool gave;        /* one of them had a point */
    struct buf reply; /* the page's memory */
    struct pager_point *points;
    size_t n, at, cap;
};

/* The points from start to end. `page` is how many are asked for at a time. Sends nothing yet. */
void pager_init(struct pager *p, struct link *l, struct slice key, int type, int64_t start,
                int64_t end, uint64_t page);
void pager_fini(struct pager *p);

/* The next point, without taking it; valid until the one after it is looked at. 1, 0 at the end, or
 * a negative errno with link->error set. */
int pager_look(struct pager *p, const struct pager_point **ret);
/* Takes the point that was looked at. */
static inline void
pager_take(struct pager *p)
{
    p->at++;
}

#endif

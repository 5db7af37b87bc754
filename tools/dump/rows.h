/* Rows out of columns: several series side by side.
 *
 * A row holds a point of each series that has one at that time. Where a time is there several times
 * (KEEP), the first points of it make the first row, the second ones the second, and so on: a file
 * whose every line gave a point to every series comes back line by line. */
#ifndef TOOLS_DUMP_ROWS_H
#define TOOLS_DUMP_ROWS_H

#include "core/base.h"
#include "tools/lib/pager.h"

#define ROWS_SERIES_MAX 256

struct rows {
    struct pager *pagers;
    unsigned n;
    uint64_t uneven; /* rows that lack a cell although their time has several rows */
    uint64_t mixed;  /* rows whose points differ in quality */
    int64_t ts;      /* of the last row */
    bool any, last_whole;
};

struct row {
    int64_t ts;
    uint8_t quality;                                   /* of the first point there is */
    const struct pager_point *points[ROWS_SERIES_MAX]; /* NULL: none */
};

/* The next row of the series; valid until the next call. 1, 0 at the end, or a negative errno with
 * the link's error set. The pagers are the owner's. */
int rows_next(struct rows *r, struct row *ret);

#endif

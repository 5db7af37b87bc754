/* What a load says while it runs: bad lines by place and reason, progress, the summary.
 *
 * Everything goes to standard error. On a terminal progress is one line that is written over, else
 * a line every few seconds. Of the complaints the first --reports are printed, all are counted. */
#ifndef TOOLS_LOAD_REPORT_H
#define TOOLS_LOAD_REPORT_H

#include "core/base.h"

#include <stdio.h>

struct report {
    /* set by the owner */
    const char *file; /* what places are given in */
    uint64_t complaints_max;
    bool quiet; /* no progress, no summary */
    /* counted */
    uint64_t lines_bad;  /* could not be understood */
    uint64_t refused;    /* points the server refused */
    uint64_t unlabelled; /* series whose labels it refused */
    uint64_t cells_left; /* values that are not numbers and were passed over (Influx strings) */
    uint64_t garbage;    /* files with something behind their compressed data */
    uint64_t complaints;
    /* progress */
    FILE *to;
    bool terminal;
    bool line_open; /* a progress line stands there without its end */
    unsigned columns; /* of the terminal; 0: it is asked */
    uint64_t start_ns, last_ns, last_points;
    uint64_t start_worked; /* bytes, not passed over */
};

struct report_state {
    uint64_t points;      /* taken by the server */
    uint64_t done, whole; /* bytes of the files read and to read; whole 0: unknown */
    uint64_t passed;      /* of those done: by an earlier load */
};

/* Lines go to `to`; on a terminal progress is written over itself. */
void report_init(struct report *r, FILE *to, bool terminal);
/* "FILE:LINE: what", unless there were too many. */
__attribute__((format(printf, 3, 4))) void report_line(struct report *r, uint64_t line,
                                                       const char *fmt, ...);
/* A sentence of its own, always printed. */
__attribute__((format(printf, 2, 3))) void report_say(struct report *r, const char *fmt, ...);
/* To be called often; prints when it is time. `now_ns` is the monotonic clock. */
void report_progress(struct report *r, const struct report_state *s, uint64_t now_ns);
/* Ends the progress line. */
void report_end_line(struct report *r);

static inline uint64_t
report_refusals(const struct report *r)
{
    return r->refused + r->unlabelled;
}

#endif

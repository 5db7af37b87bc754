/* A load under way: what the sources of points share. */
#ifndef TOOLS_LOAD_LOAD_H
#define TOOLS_LOAD_LOAD_H

#include "core/base.h"
#include "tools/lib/input.h"
#include "tools/lib/keyname.h"
#include "tools/lib/server.h"
#include "tools/lib/timetext.h"
#include "tools/load/labels.h"
#include "tools/load/options.h"
#include "tools/load/pace.h"
#include "tools/load/position.h"
#include "tools/load/report.h"
#include "tools/load/sink.h"

struct load {
    struct load_options o;
    enum time_unit unit; /* of what is stored */
    struct client_target target;
    struct sink sink;
    struct report report;
    struct pace pace;
    /* the file */
    struct input in;
    input_record_fn *record_ends; /* for lines with quotes */
    void *record_arg;
    struct file_facts facts;
    struct labels labels;
    struct position position;
    bool with_position;
    bool passes_over; /* the position is beyond points that are lacking */
    char policy[SERVER_VALUE_MAX]; /* duplicate-policy of the server; empty: not asked for yet */
    uint64_t bytes_before, bytes_whole; /* of the files before this one, of all; whole 0: unknown */
    uint64_t bytes_passed;              /* of them, what earlier loads have done */
    uint64_t line;                      /* the one being worked on */
    struct place behind;                /* it, with_position */
    uint64_t lines_seen, series_seen;   /* series: of --from-redis, which has no lines */
    /* over all files */
    uint64_t points_before, points_passed, bytes_read; /* passed: not sent, since they are there */
    volatile const int *stop; /* a signal came */
    char error[SINK_ERROR_MAX];
};

/* An input_wait_fn for `struct load`: while a pipe has nothing to read, what was read of it is sent
 * and answered. */
int load_wait_for_input(void *arg, struct input *in);
/* Reads the next line into *ret_line; what is too long is reported. 1, 0 at the end, or a negative
 * errno with ld->error set. */
int load_next_line(struct load *ld, char **ret_line, size_t *ret_n);
/* Passes over what an earlier load has done. 0 or a negative errno with ld->error set. */
int load_skip(struct load *ld);
/* Reports the current line as bad. 0, or -EBADMSG when --strict says to stop. */
__attribute__((format(printf, 2, 3))) int load_bad_line(struct load *ld, const char *fmt, ...);
/* Sends ld->labels as those of a key, if there are any. Between load_begin_points and the first
 * point. */
void load_send_labels(struct load *ld, struct slice key);
/* Before the points of a line: waits until they are due. 0 or a negative errno with ld->error. */
int load_begin_points(struct load *ld, int64_t ts);
/* Before the points of a line that are NaN, for each of their keys. As load_begin_points. */
int load_begin_nan(struct load *ld, struct slice key);
/* Sends a point that is NaN, of type 00 and quality 0. */
void load_send_nan(struct load *ld, struct slice key, int64_t ts);
/* 0, or -EBADMSG with ld->error set when something was refused and --strict says to stop. */
int load_check_strict(struct load *ld);
/* Behind each line that was dealt with, bad ones too. 0 or a negative errno with ld->error set;
 * -EINTR when a signal came. */
int load_end_line(struct load *ld);

/* The sources: all lines of ld->in. 0, or a negative errno with ld->error set. */
int source_csv(struct load *ld);
int source_influx(struct load *ld);
/* All series of --from-redis. */
int source_redis(struct load *ld);

#endif

/* Where the points of a load go: a few lanes to one server, or nowhere (--dry-run).
 *
 * Points are given line by line. The sink encodes them at once into the buffers of their lanes,
 * sends when there is enough, and lets nobody go on while a lane is full: so memory is bounded, and
 * one slow core of the server slows the load instead of filling it up. One thread. */
#ifndef TOOLS_LOAD_SINK_H
#define TOOLS_LOAD_SINK_H

#include "core/base.h"
#include "tools/lib/client.h"
#include "tools/load/lane.h"
#include "tools/load/seen.h"

#define SINK_SERIES_CACHED 65536
#define SINK_STALL_SECONDS 60 /* without a byte from a server that owes answers */
#define SINK_ERROR_MAX 512

struct sink_series;

struct sink_options {
    struct client_target target;
    unsigned lanes;
    uint64_t window;   /* points under way on a lane */
    bool transactions; /* with positions */
    bool dry_run;
    const char *client_name; /* CLIENT SETNAME of the connections, NULL: none */
    lane_refused_fn *refused;
    void *arg;
};

/* With transactions: what stands in the position's key behind each of them. */
typedef void sink_position_fn(void *arg, unsigned lane, struct slice *ret_key,
                              struct slice *ret_position);

struct sink {
    struct sink_options o;
    struct lane lanes[LANES_MAX];
    unsigned open_lanes;
    struct sink_series **cache;
    struct seen labelled;     /* keys whose labels were sent */
    struct seen made;         /* keys that sink_nan has made sure of */
    uint64_t line;            /* the one being given */
    uint64_t lanes_of_line;   /* bits: lanes that got points of it */
    uint64_t points, skipped; /* given; of them not sent, since they are there */
    uint64_t transaction_commands;
    sink_position_fn *position;
    void *position_arg;
    /* the time is formatted once a line */
    int64_t ts;
    unsigned ts_n; /* bytes of ts_text, 0: none yet */
    char ts_text[32];
    char error[SINK_ERROR_MAX];
};

/* Connects. 0, or a negative errno with sink.error set; sink_close is due in any case. */
int sink_open(struct sink *s, const struct sink_options *o);
void sink_close(struct sink *s);

/* The points that follow are of this line, up to sink_end_line. */
void sink_begin_line(struct sink *s, uint64_t line);
void sink_point(struct sink *s, struct slice key, uint8_t type, int64_t ts, struct slice value,
                uint8_t quality);
/* Makes the series of a point that is NaN, if need be. Before all points of the line. */
void sink_begin_nan(struct sink *s, struct slice key);
/* The same for a value that is NaN, which TSDB_SET refuses: TS.ADD, of type 00 and quality 0.
 * `policy` is what to do where the time is there already, as ON_DUPLICATE takes it. */
void sink_nan(struct sink *s, struct slice key, int64_t ts, const char *policy);
/* Before the points of a line: is this key new, so that its labels are due? True once for a key. */
bool sink_wants_labels(struct sink *s, struct slice key);
/* Sends them: `args` are n names and n values as client_argument makes them. */
void sink_label(struct sink *s, struct slice key, unsigned n, struct slice args);
/* Sends what is due and waits for room. 0, or a negative errno with sink.error set. */
int sink_end_line(struct sink *s);

/* Sends and receives for up to so long, or until nothing is under way. */
int sink_wait(struct sink *s, int timeout_ms);
/* The same, or until there is something to read from `fd`: 1 then. */
int sink_wait_or(struct sink *s, int fd, int timeout_ms);
/* Sends everything, also what would wait for more to go with. Between lines. */
int sink_flush(struct sink *s);
/* Until every point that was given is done. Between lines. */
int sink_drain(struct sink *s);

/* Points that the server has taken. */
uint64_t sink_points_done(const struct sink *s);
/* Which lane a key travels on. */
unsigned sink_lane_of_slot(unsigned slot, unsigned lanes);

#endif

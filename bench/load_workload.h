/* What is sent: the kinds of command, their mix, and the bytes.
 *
 * Every kind is encoded once, before the run, as RESP with zeros where a number goes. Sending one
 * is a copy of that text and a few digits put in place: the generator has to out-run the server
 * that it measures. The workload is shared and never changes; what a connection draws and counts
 * is its source. */
#ifndef BENCH_LOAD_WORKLOAD_H
#define BENCH_LOAD_WORKLOAD_H

#include "bench/load_keys.h"
#include "bench/load_options.h"
#include "core/base.h"
#include "core/buf.h"

enum load_kind {
    LOAD_PING,
    LOAD_SET,
    LOAD_GET,
    LOAD_INCR,
    LOAD_TSDB_SET,
    LOAD_TSDB_GET,
    LOAD_BATCH_SET,
    LOAD_BATCH_FLUSH,
    LOAD_TS_ADD,
    LOAD_TS_MADD,
    LOAD_TS_GET,
    LOAD_TS_MGET,
    LOAD_KINDS,
};

/* Weights of the mix add up to at most this. */
#define LOAD_WEIGHT_MAX 1000000
/* Room that the caller of workload_emit must be ready for, beyond value and prefix. */
#define LOAD_COMMAND_OVERHEAD 256

struct load_template {
    struct buf text;
    uint32_t key_at, key_width; /* digits to patch; width 0: none */
    uint32_t time_at;           /* 13 digits; 0: none */
    uint32_t value_at;          /* "ddd.dd" of a point, or the bytes of a SET; 0: left alone */
    uint32_t repeats, stride;   /* key, time and value stand in it so often, so far apart */
    bool series;                /* the key is a series */
};

struct load_workload {
    struct load_template templates[LOAD_KINDS];
    uint32_t weight_to[LOAD_KINDS]; /* the kind is drawn below this, running sum */
    uint32_t weight_sum;
    enum load_kind only; /* when the mix is one kind; LOAD_KINDS otherwise */
    struct load_space keys, series;
    char *value_pool; /* value_bytes may be copied from any of its first positions */
    uint64_t value_bytes;
    uint64_t batch;
    enum load_times times;
    uint64_t time_base, time_step, late_ms_max;
    double late_share;
};

/* One connection's draws. */
struct load_source {
    struct load_rng rng;
    struct load_set keys, series;
    uint64_t points;     /* written so far: the clock of ordered times */
    uint64_t batch_left; /* BATCH_SET commands until the flush */
};

const char *load_kind_name(enum load_kind kind);

/* `node_of_slot` is NULL without --cluster. 0 or a negative errno; `error` then says why. */
int load_workload_init(struct load_workload *w, const struct load_options *o,
                       const uint8_t *node_of_slot, unsigned nodes, char *error, size_t error_size);
void load_workload_fini(struct load_workload *w);

/* Connection `part` of the `parts` that go to `node`; `index` is its number in the run. 0, or
 * -ENOENT if it would have no key (more connections than keys while the order per key counts). */
int load_source_init(struct load_source *s, const struct load_workload *w,
                     const struct load_options *o, unsigned index, unsigned node, unsigned part,
                     unsigned parts);

/* Appends the next command of the source and says which kind it is. */
enum load_kind load_workload_emit(const struct load_workload *w, struct load_source *s,
                                  struct buf *out);

#endif

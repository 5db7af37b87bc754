/* The load generator's options: one table (load_options.c) makes the parser and --help. */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include "bench/load_keys.h"
#include "core/base.h"

#define LOAD_THREADS_MAX 256
#define LOAD_CONNECTIONS_MAX 60000
#define LOAD_PIPELINE_MAX 100000
#define LOAD_VALUE_BYTES_MAX (512UL * MIB)

enum load_times {
    LOAD_TIMES_ORDERED, /* rising per series */
    LOAD_TIMES_LATE,    /* as ordered, a share of them late */
    LOAD_TIMES_RANDOM,  /* anywhere in one day */
    LOAD_TIMES_NOW,     /* "*": the server's clock */
};

struct load_options {
    /* where */
    const char *host;
    uint64_t port;
    const char *user;
    const char *password;
    bool cluster;

    /* how */
    uint64_t threads, connections, pipeline, refill;
    uint64_t rate; /* commands per second in all, 0: closed loop */
    uint64_t burst;
    double duration_s, warmup_s;
    uint64_t requests; /* in all, 0: by duration */
    uint64_t seed;

    /* what */
    const char *mix;
    uint64_t keys;
    const char *prefix;
    const char *order_text;
    enum load_order order; /* parsed from order_text, as is theta */
    double theta;
    uint64_t value_bytes;
    bool random_values;
    uint64_t series;
    const char *series_prefix;
    const char *times_text;
    enum load_times times; /* parsed from times_text, as are late_* */
    double late_share;     /* 0..1 */
    uint64_t late_ms_max;
    uint64_t time_base; /* 0: the clock at the start */
    uint64_t time_step;
    uint64_t points;
    uint64_t batch;

    /* what is said of it */
    const char *name;
    const char *json;
    bool check_errors;
    bool quiet;
    bool help;
};

/* Fills `o` from the command line. 0, or -EINVAL after it has written to `error` what is wrong.
 * The strings of argv are kept. */
int load_options_parse(struct load_options *o, int argc, const char *const *argv, char *error,
                       size_t error_size);
void load_options_help(void);

#endif

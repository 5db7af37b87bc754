/* The generator's result, as text for people and as JSON for bench/compare. */
#ifndef BENCH_LOAD_REPORT_H
#define BENCH_LOAD_REPORT_H

#include "bench/load_hist.h"
#include "bench/load_worker.h"

struct load_result {
    double seconds;  /* the measured time */
    uint64_t done;   /* commands answered in it */
    uint64_t behind; /* open loop: due, but not sent by the end */
    uint64_t errors, nulls, unanswered;
    uint64_t bytes_sent, bytes_received;
    unsigned nodes;
    double cpu_seconds; /* this process, setup included */
    struct load_hist all;
    struct load_hist kind[LOAD_KINDS];
    uint64_t kind_done[LOAD_KINDS];
    char first_error[REPLY_SCAN_ERROR_MAX + 1];
    char failure[LOAD_ERROR_MAX];
};

/* Adds the joined workers up. */
void load_result_collect(struct load_result *r, const struct load_options *o,
                         struct load_worker *const *workers, unsigned n);
void load_report_text(const struct load_result *r, const struct load_options *o);
/* One object on one line, to the path or, for "-", to standard output. 0 or a negative errno. */
int load_report_json(const struct load_result *r, const struct load_options *o, const char *path);

#endif

/* One thread of the generator: its connections, its loop, its counts.
 *
 * Closed loop: a connection is refilled when `refill` of its commands have been answered; latency
 * counts from the moment a command was encoded. Such a loop slows down with the server, so its tail
 * says little about what independent users would see.
 *
 * Open loop: commands are due on a timetable that does not know the server. Each goes to the next
 * connection in turn that has room in its pipeline; if none has, the timetable does not move, and
 * the command's latency still counts from the time it was due. Commands that were due but could not
 * even be sent by the end are in the histogram with the wait they had had by then, so that a
 * stalled server cannot hide in them. */
#ifndef BENCH_LOAD_WORKER_H
#define BENCH_LOAD_WORKER_H

#include "bench/load_conn.h"
#include "bench/load_hist.h"
#include "bench/load_options.h"
#include "bench/load_workload.h"
#include "core/base.h"

#include <pthread.h>
#include <signal.h>

#define LOAD_RECEIVE_BYTES (256 * KIB)
#define LOAD_ERROR_MAX 512
/* How long the last answers may take after the last command was sent. */
#define LOAD_DRAIN_SECONDS 10

struct load_worker {
    const struct load_options *options;
    const struct load_workload *workload;
    const volatile sig_atomic_t *stop; /* set by a signal: end the run as if its time were over */
    unsigned index;
    pthread_t thread;

    struct load_conn *conns;
    unsigned conns_n;
    int epoll_fd;
    char *room;                 /* LOAD_RECEIVE_BYTES, shared by the connections */
    struct load_conn **touched; /* open loop: have something to send at the end of this turn */
    unsigned touched_n;
    unsigned turn; /* open loop: the connection that is next */

    uint64_t start_ns, measure_ns, end_ns; /* end_ns is UINT64_MAX with --requests */
    uint64_t now_ns;
    uint64_t budget;      /* with --requests: measured commands still to send */
    double interval_ns;   /* open loop: between bursts of this worker */
    uint64_t bursts_done; /* open loop: the timetable's position */
    bool draining;

    /* The result; read it after the thread has been joined. */
    struct load_hist hist[LOAD_KINDS + 1]; /* the last one: due, but never sent */
    uint64_t done[LOAD_KINDS];             /* answered within the measured time */
    uint64_t errors, nulls, unanswered;
    uint64_t bytes_sent, bytes_received; /* within the measured time */
    uint64_t last_answer_ns;
    char first_error[REPLY_SCAN_ERROR_MAX + 1];
    char failure[LOAD_ERROR_MAX]; /* why the run broke off; empty if it did not */
};

/* Prepares the loop for connections that have been opened; conns stay the caller's until
 * load_worker_fini. 0 or a negative errno. */
int load_worker_init(struct load_worker *w, const struct load_options *o,
                     const struct load_workload *workload, unsigned index, struct load_conn *conns,
                     unsigned conns_n);
void load_worker_fini(struct load_worker *w);
/* The thread's entry; arg is the worker. start_ns, measure_ns and end_ns must be set. */
void *load_worker_run(void *arg);

#endif

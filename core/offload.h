/* Helper threads for what may block: fsync, file creation, RocksDB.
 *
 * An offload belongs to one reactor. It has LANES independent queues: a long job in one lane (a
 * checkpoint) does not hold up another (a cold read). A job runs on a thread of its lane (work) and is
 * completed on the reactor's loop (done). A lane has one thread and keeps the order of submission;
 * only the lane of reads has OFFLOAD_READERS, which begin jobs in that order and end them in any: a
 * disk answers several reads in the time of one. Jobs are intrusive; whoever submits keeps
 * the memory alive until done. Threads are created by offload_start on the calling thread's CPU
 * mask or on `cpus` when given: call it before the reactor pins itself, or pass background CPUs. */
#ifndef CORE_OFFLOAD_H
#define CORE_OFFLOAD_H

#include "core/base.h"

enum offload_lane {
    OFFLOAD_FILES,      /* journal segments: create, zero, recycle, fsync */
    OFFLOAD_READS,      /* cold reads; in no order */
    OFFLOAD_CHECKPOINT, /* sort, encode, write, ingest, purge; long jobs, which yield to loops */
    OFFLOAD_LANES,
};

#define OFFLOAD_READERS 8

struct offload;
struct cpu_set;

struct offload_job {
    void (*work)(struct offload_job *j); /* on the lane's thread */
    void (*done)(struct offload_job *j); /* on the reactor's thread */
    struct offload_job *next;            /* private */
};

/* Starts the lane threads. `wake_fd` is an eventfd written when completions are ready.
 * 0 or a negative errno. */
int offload_create(struct offload **ret_o, int wake_fd, const struct cpu_set *cpus,
                   const char *name);
/* Finishes queued jobs, runs their completions, finishes what those submit, joins the threads. */
void offload_destroy(struct offload **o);
/* Reactor thread. The queue is unbounded by itself; callers bound how many jobs they have. */
void offload_submit(struct offload *o, enum offload_lane lane, struct offload_job *j);
/* Reactor thread: runs done() of finished jobs, at most `budget`; returns how many. */
unsigned offload_poll(struct offload *o, unsigned budget);
/* Are there finished jobs whose done() was not called yet? One or two loads. */
bool offload_has_finished(const struct offload *o);
/* Jobs submitted and not completed. */
unsigned offload_pending(const struct offload *o);

#endif

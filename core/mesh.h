/* N x N message transport between the reactors of one process.
 *
 * Each ordered pair of cores has two SPSC rings: one for requests, one for the completions that
 * come back, so a full request ring can never block a completion. A message is a struct embedded in
 * its sender's own structure. It travels out, runs on the target (run), may be kept there as long
 * as needed, travels back with mesh_reply and is completed on the sender (done).
 *
 * Credits: at most MESH_CREDITS requests of one pair are under way (sent, not yet completed), which
 * is what the completion ring holds, so completions always fit. mesh_send answers false when the
 * credits of that pair are used up: "not now". The sender keeps the message and asks to be called
 * back through mesh_wait (an intrusive waiter, called once when room comes back).
 *
 * Urgent messages have credits of their own. They are for what brings things to an end: their run
 * answers at once and never waits, so they get through while every other credit is held by messages
 * that wait for just that.
 *
 * Waking: messages are staged during a loop turn; mesh_flush, called once at its end, publishes
 * every ring that has news and rings a doorbell for each target that sleeps, at most one a turn.
 * The sleeper sets its flag and pays the barrier (membarrier); the sender pays nothing. */
#ifndef CORE_MESH_H
#define CORE_MESH_H

#include "core/base.h"
#include "core/list.h"

#define MESH_CREDITS 128
#define MESH_CREDITS_URGENT 128
#define MESH_CORES_MAX 256

struct mesh;
struct reactor;

struct mesh_msg {
    void (*run)(struct mesh_msg *m);  /* on the target's thread */
    void (*done)(struct mesh_msg *m); /* back on the sender's thread */
    uint16_t from, to;                /* core ids, set by mesh_send */
    bool urgent;                      /* which credit it has, set by mesh_send */
};

struct mesh_waiter {
    struct list node;
    void (*room)(struct mesh_waiter *w);
};

/* Creates the rings for `ncores`. One object for the process, shared read-only; each endpoint is
 * used by its own reactor's thread only. Returns NULL when out of memory. */
struct mesh *mesh_create(unsigned ncores);
void mesh_destroy(struct mesh **m);

/* Stages a request from core `from` (the caller's own) to `to`. False: no credit, try later. */
bool mesh_send(struct mesh *m, unsigned from, unsigned to, struct mesh_msg *msg);
/* The same for a message whose run replies before it returns. */
bool mesh_send_urgent(struct mesh *m, unsigned from, unsigned to, struct mesh_msg *msg);
/* On the target, once per message received: sends it home. Never fails. */
void mesh_reply(struct mesh *m, struct mesh_msg *msg);
/* After mesh_send said false: registers a one-shot callback for when the pair (from, to) has credit
 * again. Waiters are called in order while credit lasts; list_remove of the node gives up. */
void mesh_wait(struct mesh *m, unsigned from, unsigned to, struct mesh_waiter *w);
void mesh_wait_urgent(struct mesh *m, unsigned from, unsigned to, struct mesh_waiter *w);

/* Runs received requests and completions of core `me`, at most `budget`; returns how many. */
unsigned mesh_poll(struct mesh *m, unsigned me, unsigned budget);
/* Publishes staged messages; calls ring_bell(arg, target) once for each target that sleeps. */
void mesh_flush(struct mesh *m, unsigned me, void (*ring_bell)(void *arg, unsigned target),
                void *arg);

/* Before sleeping: sets the flag, pays the barrier, looks once more. False: news came, don't. */
bool mesh_sleep_begin(struct mesh *m, unsigned me);
void mesh_sleep_end(struct mesh *m, unsigned me);

/* Does anything wait for the next mesh_poll or mesh_flush of core `me`, or for the one under way: messages
 * for it, also those that were taken and not run yet, senders that may go on, what is staged for others?
 * A few loads for each of the other cores. */
bool mesh_has_news(const struct mesh *m, unsigned me);

/* Any thread, approximate: requests waiting for `to` from `from`; for INFO and CLUSTER_INFO. */
unsigned mesh_depth(const struct mesh *m, unsigned from, unsigned to);

#endif

/* The runtime of one pinned core: a thread, its ring, its timers, its mesh endpoint, its helpers.
 *
 * Loop turn: completions -> timers -> mesh -> helper completions -> pollers, each with a budget and
 * returning the work it did (which yields the busy/idle ratio), then the flush hooks in order
 * (journal, sends, ...), then doorbells, then wait if nothing was done.
 *
 * Owner: the thread that runs it. Other threads only call reactor_stop and read reactor_stats. */
#ifndef CORE_REACTOR_H
#define CORE_REACTOR_H

#include "core/base.h"
#include "core/busy_poll.h"
#include "core/clock.h"
#include "core/io.h"
#include "core/list.h"
#include "core/mesh.h"
#include "core/offload.h"
#include "core/timer.h"

#include <stdatomic.h>

#define REACTOR_HOOKS_MAX 8

/* Something called every loop turn. Returns work done: 0 = idle. */
struct poller {
    struct list node;
    unsigned (*fn)(struct poller *p);
};

/* Called at the end of every turn, in order of registration. */
struct flush_hook {
    void (*fn)(void *arg);
    void *arg;
};

struct reactor_options {
    unsigned id;                      /* core number in this process, 0.. */
    int cpu;                          /* CPU to pin to, -1 = do not pin */
    struct mesh *mesh;                /* shared by all reactors, NULL for a single one */
    const struct cpu_set *background; /* CPUs of io-wq and helper threads, NULL = leave */
    uint64_t busy_poll_ns;            /* poll at most this long before sleeping, 0 = never */
    struct io_options io;
};

/* Counters, written by the owner with relaxed stores, read by anyone with relaxed loads. */
struct reactor_stats {
    _Atomic uint64_t turns, busy_ns, idle_ns, sleeps, wakes_sent, wakes_received;
};

struct reactor {
    /* every turn */
    struct clock clock;
    struct io *io;
    struct timer_heap timers;
    struct mesh *mesh;
    struct offload *offload;
    struct list pollers;
    struct flush_hook hooks[REACTOR_HOOKS_MAX];
    unsigned nhooks;
    unsigned id;
    /* Set by a flush hook, for the sleep of this turn only: completions are not urgent (what they
     * bring has to wait for something else anyway), so sleep until `patience` of them are there or
     * patience_ns passed. 0 = wake for the first. Used once after each turn that found work: when
     * nothing came in that time, the next sleep ends with the first completion. */
    unsigned patience;
    uint64_t patience_ns;
    uint64_t patient_after_ns;
    /* Set by a flush hook, for this turn only: what is waited for takes longer than polling for it
     * would pay, so sleep at once. */
    bool waits_long;
    struct busy_poll busy_poll;
    bool shares_cpu;  /* helper threads may run on this reactor's CPU */
    uint64_t turn_ns; /* when this turn began */
    uint64_t work_ns; /* when a turn last found work */
    uint64_t idle_ns; /* when the first turn after it began that found none */
    bool worked;      /* the last turn did */
    unsigned handing; /* see reactor_hand_begin */
    /* waking and stopping */
    int wake_fd; /* eventfd: doorbells of other cores, helper completions, reactor_stop */
    struct io_op wake_op;
    _Atomic bool stopping;
    /* cold */
    struct reactor_options opt;
    struct reactor_stats stats;
    struct reactor **peers; /* all reactors of the mesh, by id; for doorbells */
};

/* Creates the parts that belong to no thread yet: eventfd, helper threads. 0 or negative errno. */
int reactor_init(struct reactor *r, const struct reactor_options *opt);
/* On the reactor's own thread: pins, creates the ring. On failure *ret_why explains. */
int reactor_attach(struct reactor *r, const char **ret_why);
/* Runs until reactor_stop. */
void reactor_run(struct reactor *r);
/* One turn; may_sleep false never waits (tests drive it this way). Returns work done. */
unsigned reactor_turn(struct reactor *r, bool may_sleep);
/* Any thread, async-signal-safe. */
void reactor_stop(struct reactor *r);
/* Any thread, async-signal-safe: makes it leave its sleep. */
void reactor_wake(struct reactor *r);
/* After the thread ended (or on it): releases everything. */
void reactor_fini(struct reactor *r);

void reactor_add_poller(struct reactor *r, struct poller *p);
void reactor_add_flush(struct reactor *r, void (*fn)(void *arg), void *arg);

/* Whoever calls several owners one after the other, from a list that nobody else can see, does so between
 * these two: those behind the one that runs wait for it. They nest. */
static inline void
reactor_hand_begin(struct reactor *r)
{
    r->handing++;
}

static inline void
reactor_hand_end(struct reactor *r)
{
    ASSERT(r->handing > 0);
    r->handing--;
}

/* Own thread, within a turn: does anything wait for what runs now to come to its end, be it to have its turn,
 * be it that this turn has prepared it and it leaves when the turn ends? now_ns: what the clock says.
 * patient: a timer that does not count. Pollers do not, nor what flush hooks do: their owners know.
 * Cheap: a few loads. */
bool reactor_is_wanted(const struct reactor *r, uint64_t now_ns, const struct timer *patient);

/* The reactor of the calling thread, NULL elsewhere. For asserts and logs only. */
struct reactor *reactor_current(void);

#endif

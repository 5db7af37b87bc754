/* A core: everything one pinned thread owns. The reactor runs it; its shard holds its data; its
 * sessions are the clients it accepted. Other cores see only `metrics`, `published` (atomics) and
 * what a message brings them. */
#ifndef SHARDS_ENGINE_CORE_H
#define SHARDS_ENGINE_CORE_H

#include "alloc/scratch.h"
#include "core/config.h"
#include "core/metrics.h"
#include "core/reactor.h"
#include "net/conn.h"
#include "shards/engine/checkpoint.h"
#include "shards/engine/limits.h"
#include "shards/engine/shard.h"
#include "shards/engine/stats.h"

/* How long a stopping core that hurries waits for what has begun ... */
#define CORE_HURRY_NS (10 * 1000000000ULL)
/* ... and for the kernel to let go of its closed connections. */
#define CORE_CLOSE_NS 1000000000ULL

struct blocking;
struct node;
struct listener;
struct expire_sweep;

/* Numbers a core shows to the others; stored at the end of a turn when they changed. */
struct core_published {
    _Atomic uint64_t keys[SHARD_DBS], expires[SHARD_DBS], series, memory_bytes, dirty_keys,
        journal_lsn, durable_lsn, journal_live_bytes, store_bytes, checkpoints_running,
        checkpoint_failing;
    _Atomic uint32_t clients;
    _Atomic uint32_t journal_state;
};

struct core {
    struct reactor reactor;
    struct shard shard;
    struct node *node;
    unsigned id;
    uint32_t ncores;
    struct conn_set conns;
    struct metrics metrics;
    struct stats stats;         /* of commands */
    struct config config;       /* this core's copy; CONFIG SET sends new ones round */
    /* core 0: CONFIG SETs of all cores that wait for the one under way (commands/config.c) */
    struct list config_changes;
    bool config_changing, config_deciding;
    struct scratch scratch;     /* reset every turn */
    struct list round_pool;     /* idle remote batches: see round.c */
    uint32_t round_pool_n;
    uint32_t remote_writes;     /* batches with writes that are with other cores */
    struct blocking *blocking;  /* of the command that runs, if it may wait: see blocked.h */
    uint32_t blocked_n;         /* clients of this core that may have to wait (blocked.h) ... */
    uint32_t waiting_n;         /* and those of them that do */
    uint32_t txns;              /* transactions that this core coordinates */
    uint32_t multis;            /* TS.MRANGE and its like, until all they found is freed */
    struct list journal_waiters;/* sessions and batches that wait for journal room */
    struct timer cron;
    struct timer expire_more;   /* many keys are over: not only at cron */
    struct poller poller;
    struct shard_waiter turn;   /* for the shard, when it is leased at the end of a turn */
    bool turn_waiting;
    bool cron_due;              /* periodic work on the shard */
    bool expire_due;
    struct listener *listeners;
    struct core_published published;
    uint64_t points_read;
    uint64_t next_ahead;        /* readings ahead so far (commands/series_ahead.h) */
    uint64_t next_client_id;    /* id of a client = counter * ncores + core id */
    bool everysec_ack;          /* replies do not wait for the journal */
    enum journal_state journal_state_seen;
    struct expire_sweep *sweep; /* of the store, for keys whose time is over */
    uint64_t http_logged_ns;    /* when requests of HTTP were last logged; 0 = never */
    uint64_t http_unlogged;     /* connections closed for them since */
    struct limits limits;       /* DEBUG LIMIT makes them smaller */
    void *fault_state;          /* DEBUG FAULT */
    /* stopping */
    int stop_step;              /* 0: it does not */
    bool stop_hurries;          /* it has closed its connections */
    uint64_t stop_deadline_ns;
    struct checkpoint_waiter stop_waiter;
};

/* One process: all cores and what they share. Read-only after start, but for the atomics. */
struct node {
    struct config config;       /* as started; changes live in the cores' copies */
    struct mesh *mesh;
    struct core *cores;
    uint32_t ncores;
    struct store_env *store_env;
    char run_id[41];
    int64_t started_ms;
    uint64_t started_ns;
    _Atomic uint32_t clients;   /* of all cores, for maxclients */
    _Atomic int64_t last_save_s;
    _Atomic bool stopping, stop_without_checkpoint;
    _Atomic bool hurrying;      /* stopping takes too long (core_stop.c) */
    _Atomic bool gave_up;       /* and did even so: nothing is closed in order */
    _Atomic uint32_t drained;
    struct reactor **peers;     /* by core */
    uint64_t recovered_records;
    double recovery_seconds;
};

/* Takes its place in the node; no thread yet. */
void core_init(struct core *c, struct node *node, unsigned id);
/* On its own thread, recovered: opens the journal / starts periodic work. */
int core_open_journal(struct core *c, const char *dir, const struct journal_tail *tail,
                      uint64_t next_lsn, struct journal_error *err);
void core_start(struct core *c);
void core_fini(struct core *c);
/* New settings for this core (own thread). */
void core_apply_config(struct core *c, const struct config *config);
/* CONFIG RESETSTAT (own thread). */
void core_reset_stats(struct core *c);
/* Every turn: moves a stop on once node.stopping is set. */
unsigned core_stop_poll(struct core *c);

/* Own thread, between two steps of something long: does anybody wait for this core, or for this turn to
 * end? Whatever the core has taken in counts, whatever this turn has written, staged or answered, and the
 * stop of the server; what the core does for itself, periodic work and slices of checkpoints, does not.
 * now_ns: what the clock says. Cheap: a few loads, and some for each of the other cores. */
bool core_is_wanted(const struct core *c, uint64_t now_ns);

/* Nothing new is begun; what is under way comes to its end. Own thread. */
static inline bool
core_is_stopping(const struct core *c)
{
    return c->stop_step != 0;
}

/* The stop takes too long: what has not begun is refused (ERR_STOPPING), slices are cut short. Relaxed:
 * a turn later is soon enough. */
static inline bool
core_hurries(const struct core *c)
{
    return atomic_load_explicit(&c->node->hurrying, memory_order_relaxed);
}

static inline struct shard *
core_shard(struct core *c, uint32_t id)
{
    return &c->node->cores[id].shard;
}

#endif

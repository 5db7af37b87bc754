/* A session: one client of one core. Parses requests, keeps the client's state (database, protocol,
 * name, MULTI, WATCH, batch), routes each command and puts the replies in order.
 *
 * Way of a command: session_on_data parses a run of requests, prefetches their keys, and gives
 * them one by one to session_dispatch. Local ones run at once. The first one for another core opens
 * a round (round.h): from then on until the end of this run replies are collected per source and
 * stitched together in request order when every core has answered. A command that spans shards, or
 * that answers later, waits until the round is over, and the session is paused until it is done. */
#ifndef SHARDS_ENGINE_SESSION_H
#define SHARDS_ENGINE_SESSION_H

#include "net/conn.h"
#include "net/resp.h"
#include "shards/engine/command.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"

#define SESSION_NAME_BYTES_MAX 256
#define SESSION_MULTI_COMMANDS_MAX 1000000
#define SESSION_RUN 64 /* requests parsed and prefetched ahead: PREFETCH_KEYS */

struct blocked;
struct round;
struct txn;

/* Commands kept for later: their arguments copied one after the other. */
struct queued_command {
    const struct command *cmd;
    uint32_t argc;
    struct slice *argv; /* points into the same allocation */
    size_t bytes;       /* of the allocation */
    struct queued_command *next;
};
struct queued_command *queued_command_create(const struct command *cmd, const struct slice *argv,
                                             uint32_t argc);

/* A point of BATCH_SET: key, value and timestamp as the arguments of the write they become. */
struct batch_point {
    char *key;
    uint32_t key_n;
    double value;
    int64_t ts;
};

struct session {
    struct conn conn;
    struct core *core;
    struct resp_parser parser;
    struct round *round;       /* being filled, or under way */
    bool round_sent;           /* under way */
    uint32_t round_max;        /* requests of a round, by the size of its replies lately */
    /* client state */
    uint64_t id;
    uint8_t db, proto;
    bool authenticated;
    bool no_evict;
    char name[SESSION_NAME_BYTES_MAX + 1];
    char lib_name[64], lib_ver[64];
    char peer[64], local[64];
    int64_t created_ms, last_ms;
    const struct command *last_cmd;
    /* MULTI */
    bool in_multi, multi_failed;
    struct queued_command *queue, **queue_tail;
    uint32_t queue_n;
    size_t queue_bytes;
    /* WATCH: keys by shard are registered at their owners under this session's id */
    uint64_t watch_shards[MESH_CORES_MAX / 64];
    bool watching;
    /* BATCH_SET */
    struct batch_point *batch;
    uint32_t batch_n, batch_cap;
    uint8_t batch_db; /* of all its points */
    /* a local command that could not run yet: its copy, run again by `waiter` */
    struct queued_command *parked;
    struct exec_waiter waiter;
    uint32_t attempts;
    bool wants_alone;          /* what just ran needs a transaction, once the round is over */
    bool again_after_round;    /* so does what is parked */
    bool hold;                 /* replies of this run wait for hold_seq */
    uint32_t hold_seq;
    bool blocked;              /* a command will answer later ... */
    struct blocked *waits_in;  /* ... this one, when its key has enough: see blocked.h */
    bool output_paused;        /* the client does not read its replies */
    bool stop_run;             /* leave the rest of the run for later */
    struct timer timer;        /* DEBUG SLEEP, WAITAOF timeout */
    void *timer_arg;           /* what it is for */
};

/* A client was accepted on this core. Takes the descriptor. */
void session_create(struct core *core, int fd);

/* Runs a command for the client as if it had sent it, with these arguments (copied when it cannot
 * run at once): BATCH_FLUSH, EXEC. The reply goes where the client's next reply belongs. */
void session_dispatch(struct session *s, const struct command *cmd, struct slice *argv,
                      uint32_t argc);
/* Where the reply of the command that runs now goes. */
struct buf *session_out(struct session *s);

/* For commands that answer later: pauses the client until session_continue, which is called with
 * the reply appended to conn.out. */
void session_block(struct session *s);
void session_continue(struct session *s);
/* The round is over: what is parked and waited for that runs again. */
void session_after_round(struct session *s);
/* Reads on unless something else still keeps the client waiting. */
void session_resume(struct session *s);
/* The session by client id on this core, NULL when it is gone. */
struct session *session_find(struct core *core, uint64_t id);
void session_reset(struct session *s); /* RESET */
void session_discard_multi(struct session *s);
/* Forgets the keys it watches, on whichever shards. */
void session_unwatch(struct session *s);
/* Drops what BATCH_SET gathered. */
void session_drop_batch(struct session *s);

/* Must a reply that shows batch seq of this core's journal wait for it? */
static inline bool
session_must_hold(const struct session *s, uint32_t seq)
{
    return !s->core->everysec_ack && shard_seq_pending(&s->core->shard, seq) &&
           s->core->shard.journal.state != JOURNAL_FAILED;
}

static inline struct session *
session_of(struct conn *c)
{
    return container_of(c, struct session, conn);
}

#endif

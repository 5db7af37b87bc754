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

#define SESSION_NAME_BYTES_MAX 256
#define SESSION_MULTI_COMMANDS_MAX 1000000
#define SESSION_RUN 16 /* requests parsed and prefetched ahead */

struct round;
struct txn;

/* Commands kept for later: their arguments copied one after the other. */
struct queued_command {
    const struct command *cmd;
    uint32_t argc;
    struct slice *argv; /* points into the same allocation */
    struct queued_command *next;
};
struct queued_command *queued_command_create(const struct command *cmd, const struct slice *argv,
                                             uint32_t argc);

struct batch_point {
    struct slice key; /* own copy */
    double value;
    int64_t ts;
};

struct session {
    struct conn conn;
    struct core *core;
    struct resp_parser parser;
    struct round *round;       /* being filled, or under way */
    /* client state */
    uint64_t id;
    uint8_t db, proto;
    bool authenticated;
    bool no_evict;
    bool tls;
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
    uint32_t watching; /* keys watched */
    struct watch_list *watch;
    /* BATCH_SET */
    struct batch_point *batch;
    uint32_t batch_n, batch_cap;
    /* last write of this client, for WAITAOF: per shard LSN */
    uint64_t *wrote_lsn; /* ncores entries, NULL = nothing written */
    /* a command that answers later */
    struct queued_command *parked; /* its copy: to run again, or for its arguments */
    void (*on_resume)(struct session *s);
    struct timer timer;        /* DEBUG SLEEP, WAITAOF timeout */
    void *pending;             /* what the command waits for: its own structure */
    void (*pending_cancel)(struct session *s); /* the client went away meanwhile */
    struct list wait_node;     /* in a core's waiting list */
};

/* A client was accepted on this core. Takes the descriptor. */
void session_create(struct core *core, int fd);

/* For commands that answer later: pauses the client until session_continue, which is called with
 * the reply appended to conn.out. */
void session_block(struct session *s);
void session_continue(struct session *s);
/* The session by client id on this core, NULL when it is gone. */
struct session *session_find(struct core *core, uint64_t id);
void session_reset(struct session *s); /* RESET */
void session_discard_multi(struct session *s);
void session_unwatch(struct session *s);

static inline struct session *
session_of(struct conn *c)
{
    return container_of(c, struct session, conn);
}

#endif

/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. The transaction itself is the engine's (txn.h); here are
 * its beginning, its end, and the watches.
 *
 * A watch is registered at the shard of its key under the client's id. Forgetting watches goes from
 * shard to shard, one message at a time; the client is paused meanwhile, so that a WATCH it sends
 * next cannot arrive before the watches it no longer wants are gone. */
#include "shards/commands/handlers.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/session.h"
#include "shards/engine/txn.h"

#include <stdlib.h>

/* --- forgetting watches --------------------------------------------------------------------------
 */

struct unwatch {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct shard_waiter lease; /* on the owner */
    struct core *core;         /* the client's */
    struct session *paused;    /* NULL: nobody waits, the client is going */
    struct shard *sh;          /* where it is */
    uint64_t client;
    uint64_t shards[MESH_CORES_MAX / 64]; /* still to be told */
};

static void unwatch_next(struct unwatch *u);

static void
unwatch_done(struct mesh_msg *m)
{
    unwatch_next(container_of(m, struct unwatch, msg));
}

static void
unwatch_free_to_go(struct shard_waiter *w, struct shard *sh)
{
    struct unwatch *u = container_of(w, struct unwatch, lease);

    shard_unwatch(sh, u->client);
    if (sh->core == u->core)
        unwatch_next(u);
    else
        mesh_reply(u->core->node->mesh, &u->msg);
}

static void
unwatch_run(struct mesh_msg *m)
{
    struct unwatch *u = container_of(m, struct unwatch, msg);

    u->lease.run = unwatch_free_to_go;
    shard_wait(u->sh, &u->lease);
}

static void unwatch_send(struct unwatch *u);

static void
unwatch_room(struct mesh_waiter *w)
{
    unwatch_send(container_of(w, struct unwatch, room));
}

static void
unwatch_send(struct unwatch *u)
{
    struct core *core = u->core;

    u->msg.run = unwatch_run;
    u->msg.done = unwatch_done;
    if (u->sh->core == core) {
        unwatch_run(&u->msg);
    } else if (!mesh_send(core->node->mesh, core->id, u->sh->id, &u->msg)) {
        u->room.room = unwatch_room;
        mesh_wait(core->node->mesh, core->id, u->sh->id, &u->room);
    }
}

static void
unwatch_next(struct unwatch *u)
{
    struct session *paused = u->paused;

    for (unsigned i = 0; i < ARRAY_SIZE(u->shards); i++) {
        unsigned bit = (unsigned)__builtin_ctzll(u->shards[i] | 1ULL << 63);

        if (u->shards[i] == 0)
            continue;
        u->shards[i] &= ~(1ULL << bit);
        u->sh = core_shard(u->core, i * 64 + bit);
        unwatch_send(u);
        return;
    }
    free(u);
    if (paused)
        session_continue(paused);
}

/* The usual case: nothing is watched, or only keys of this core, whose shard is at hand. */
static bool
unwatch_here(struct session *s)
{
    struct core *core = s->core;

    for (unsigned i = 0; i < ARRAY_SIZE(s->watch_shards); i++)
        if (s->watch_shards[i] & ~(i == core->id / 64 ? 1ULL << (core->id % 64) : 0))
            return false;
    if (!shard_available(&core->shard))
        return false;
    shard_unwatch(&core->shard, s->id);
    return true;
}

void
session_unwatch(struct session *s)
{
    struct unwatch *u;

    if (!s->watching)
        return;
    s->watching = false;
    /* A server that stops answers no more messages; its tables go as a whole. */
    if (!unwatch_here(s) && !atomic_load(&s->core->node->stopping)) {
        u = calloc(1, sizeof(*u));
        ASSERT(u);
        u->core = s->core;
        u->client = s->id;
        memcpy(u->shards, s->watch_shards, sizeof(u->shards));
        if (!s->conn.closing) {
            u->paused = s;
            session_block(s);
        }
        unwatch_next(u);
    }
    memset(s->watch_shards, 0, sizeof(s->watch_shards));
}

/* --- commands ------------------------------------------------------------------------------------
 */

void
cmd_multi(struct ctx *c)
{
    struct session *s = c->session;

    if (s->in_multi) {
        ctx_error(c, "ERR MULTI calls can not be nested");
        return;
    }
    s->in_multi = true;
    resp_ok(c->out);
}

static void
exec_abort(struct ctx *c, const char *why)
{
    resp_errorf(c->out, "EXECABORT Transaction discarded because of%s", why);
    session_discard_multi(c->session);
    session_unwatch(c->session);
}

void
cmd_exec(struct ctx *c)
{
    struct session *s = c->session;

    if (c->argc != 1) {
        exec_abort(c, ": wrong number of arguments for 'exec' command");
    } else if (!s->in_multi) {
        ctx_error(c, "ERR EXEC without MULTI");
    } else if (s->multi_failed) {
        exec_abort(c, " previous errors.");
    } else {
        txn_exec(s);
    }
}

void
cmd_discard(struct ctx *c)
{
    struct session *s = c->session;

    if (!s->in_multi) {
        ctx_error(c, "ERR DISCARD without MULTI");
        return;
    }
    resp_ok(c->out);
    session_discard_multi(s);
    session_unwatch(s);
}

/* Runs where its keys are; that the client watches there, its session knows from the dispatcher. */
void
cmd_watch(struct ctx *c)
{
    for (uint32_t i = 1; i < c->argc; i++) {
        struct key k = key_open(c, c->argv[i]);

        key_peek(c, &k); /* one that has expired already is not to break the watch later */
        shard_watch(k.sh, c->client_id, k.db, k.name);
    }
    resp_ok(c->out);
}

void
cmd_unwatch(struct ctx *c)
{
    resp_ok(c->out);
    if (!c->in_exec) /* EXEC ends all watches by itself */
        session_unwatch(c->session);
}

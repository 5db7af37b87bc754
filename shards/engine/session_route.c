/* Running a request on this core, and the way to others. */
#include "shards/engine/session_priv.h"

#include "shards/engine/blocked.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/round.h"
#include "shards/engine/txn.h"
#include "shards/store/row.h"

#include <stdlib.h>

/* --- replies --------------------------------------------------------------------------------- */

struct buf *
session_out(struct session *s)
{
    return s->round ? round_local(s->round) : &s->conn.out;
}

/* Replies appended in this run wait for the journal batches they showed or made. */
static void
session_note_hold(struct session *s, const struct ctx *c)
{
    if (!c->hold || !session_must_hold(s, c->hold_seq))
        return;
    if (s->round) {
        round_hold(s->round, c->hold_seq, (c->cmd->flags & CMD_WRITE) != 0);
        return;
    }
    if (!s->hold || (int32_t)(c->hold_seq - s->hold_seq) > 0)
        s->hold_seq = c->hold_seq;
    s->hold = true;
}

void
session_end_run(struct session *s)
{
    if (s->hold && session_must_hold(s, s->hold_seq))
        conn_hold(&s->conn, s->hold_seq);
    s->hold = false;
    if (s->conn.out.n)
        conn_touch(&s->conn);
}

/* --- running on this core ------------------------------------------------------------------------ */

static void session_again(struct exec_waiter *w);

static inline void
session_ctx(struct session *s, struct ctx *c, const struct command *cmd, struct slice *argv,
            uint32_t argc)
{
    ctx_init(c, s->core, cmd, argv, argc, session_out(s));
    c->session = s;
    c->client_id = s->id;
    c->db = s->db;
    c->proto = s->proto;
}

/* A command that touches no shard: state of the connection, or of the server. */
static void
run_session_command(struct session *s, const struct command *cmd, struct slice *argv,
                    uint32_t argc)
{
    struct round *round = s->round;
    struct ctx c;
    size_t before;

    session_ctx(s, &c, cmd, argv, argc);
    before = c.out->n;
    exec_call(&c);
    if (s->round != round) /* the command went on as another one, for another core */
        return;
    stats_end(&s->core->stats, cmd->index, c.out, before);
    session_replied(s, before);
}

/* Puts the request aside until its waiter calls; the client waits with it. */
static void
session_park(struct session *s, struct ctx *c, enum exec_result r)
{
    if (s->parked == NULL)
        s->parked = queued_command_create(c->cmd, c->argv, c->argc);
    c->argv = s->parked->argv;
    s->stop_run = true;
    s->waiter.again = session_again;
    conn_get(&s->conn);
    conn_pause(&s->conn);
    exec_wait(c, r, &s->waiter);
}

static void
session_forget_parked(struct session *s)
{
    free(s->parked);
    s->parked = NULL;
    s->attempts = 0;
}

static void start_wider(struct session *s, const struct command *cmd, const struct slice *argv,
                        uint32_t argc);

/* True: it is done, or goes on as a transaction. False: it is parked, or (wants_alone) has to be
 * looked at again. */
static bool
run_local(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
          uint64_t hash, bool hash_known)
{
    enum exec_result r;
    struct ctx c;
    size_t before;

    session_ctx(s, &c, cmd, argv, argc);
    before = c.out->n;
    c.sh = &s->core->shard;
    c.key_hash = hash;
    c.hash_known = hash_known;
    c.attempts = s->attempts;
    r = exec_run(&c);
    if (likely(r == EXEC_DONE)) {
        session_note_hold(s, &c);
        session_replied(s, before);
        return true;
    }
    if (r == EXEC_SHARDS) {
        s->wants_alone = s->round != NULL;
        if (s->wants_alone)
            s->stop_run = true;
        else
            start_wider(s, cmd, argv, argc);
        return !s->wants_alone;
    }
    s->attempts += r == EXEC_NEED;
    session_park(s, &c, r);
    return false;
}

static void
session_again(struct exec_waiter *w)
{
    struct session *s = container_of(w, struct session, waiter);
    struct queued_command *q = s->parked;

    if (s->conn.closing) {
        session_forget_parked(s);
    } else if (run_local(s, q->cmd, q->argv, q->argc, 0, false)) {
        session_forget_parked(s);
        session_end_run(s);
        session_resume(s);
        if (s->round && !s->round_sent && !s->parked && !s->conn.closing)
            round_send(s);
    } else if (s->wants_alone) {
        s->wants_alone = false;
        s->again_after_round = true;
        round_send(s);
        return; /* it stays parked, and keeps its hold on the connection */
    }
    conn_put(&s->conn);
}

void
session_after_round(struct session *s)
{
    if (!s->again_after_round)
        return;
    s->again_after_round = false;
    session_again(&s->waiter);
}

/* --- routing ------------------------------------------------------------------------------------- */

struct owners {
    struct session *s;
    const struct slice *argv;
    uint32_t first;
    bool any, several;
    uint64_t set[MESH_CORES_MAX / 64];
};

static void
owners_add(void *arg, uint32_t index)
{
    struct owners *o = arg;
    uint32_t owner = shard_slot_owner(key_slot(o->argv[index]), o->s->core->ncores);

    if (!o->any)
        o->first = owner;
    else if (owner != o->first)
        o->several = true;
    o->any = true;
    o->set[owner / 64] |= 1ull << (owner % 64);
}

static void
start_wider(struct session *s, const struct command *cmd, const struct slice *argv, uint32_t argc)
{
    struct owners o = {.s = s, .argv = argv};

    command_keys(cmd, argv, argc, owners_add, &o);
    txn_start_command(s, cmd, argv, argc, o.set);
}

static void
watch_note(struct session *s, const struct command *cmd, const struct owners *o)
{
    if (cmd->flags & CMD_WATCHES) {
        for (unsigned i = 0; i < ARRAY_SIZE(o->set); i++)
            s->watch_shards[i] |= o->set[i];
        s->watching = true;
    }
}

/* A transaction may only start when nothing of this client is under way. False: stop the run, the
 * request will be looked at again. */
static bool
session_alone(struct session *s)
{
    if (s->round == NULL)
        return true;
    s->stop_run = true;
    return false;
}

static void
route_to(struct session *s, uint32_t owner, const struct command *cmd, struct slice *argv,
         uint32_t argc, uint64_t hash, bool hash_known)
{
    struct core *core = s->core;

    if (owner == core->id) {
        metrics_inc(&core->metrics, commands_local);
        run_local(s, cmd, argv, argc, hash, hash_known);
    } else {
        round_open(s);
        round_remote(s->round, owner, cmd, s->db, hash, argv, argc);
    }
}

static bool
route_keys(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
           uint64_t hash, uint32_t owner)
{
    struct core *core = s->core;
    struct owners o;

    if (core->ncores == 1 && likely(!(cmd->flags & CMD_WATCHES))) {
        run_local(s, cmd, argv, argc, hash, true);
        return true;
    }
    if (likely(owner != OWNER_UNKNOWN && !(cmd->flags & CMD_WATCHES))) {
        route_to(s, owner, cmd, argv, argc, hash, true);
        return true;
    }
    o = (struct owners){.s = s, .argv = argv};
    command_keys(cmd, argv, argc, owners_add, &o);
    if (o.several) {
        if (!session_alone(s))
            return false;
        watch_note(s, cmd, &o);
        txn_start_command(s, cmd, argv, argc, o.set);
        return true;
    }
    watch_note(s, cmd, &o);
    route_to(s, o.any ? o.first : core->id, cmd, argv, argc, hash, o.any);
    return true;
}

static bool
route_all(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    uint64_t all[MESH_CORES_MAX / 64] = {0};

    if (s->core->ncores == 1) {
        run_local(s, cmd, argv, argc, 0, false);
        return true;
    }
    if (!session_alone(s))
        return false;
    for (uint32_t i = 0; i < s->core->ncores; i++)
        all[i / 64] |= 1ull << (i % 64);
    txn_start_command(s, cmd, argv, argc, all);
    return true;
}

static bool
route_cursor(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    uint32_t owner = scan_cursor_core(argv[1]) % s->core->ncores;

    if (owner == s->core->id) {
        run_local(s, cmd, argv, argc, 0, false);
        return true;
    }
    round_open(s);
    round_remote(s->round, owner, cmd, s->db, 0, argv, argc);
    return true;
}

/* Gives an accepted request to where it runs. False: not now, stop the run before it. */
bool
session_route(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
              uint64_t hash, uint32_t owner)
{
    if ((cmd->flags & (CMD_ALONE | CMD_BLOCKING | CMD_GATHERS | CMD_WAITS))) {
        bool waits = (cmd->flags & CMD_WAITS) && blocked_is_asked(argv, argc);

        if ((waits || !(cmd->flags & CMD_WAITS)) && !session_alone(s))
            return false;
        if (waits) {
            blocked_start(s, cmd, argv, argc, hash, owner);
            return true;
        }
    }
    switch (cmd->route) {
    case ROUTE_KEYS:
        if (!route_keys(s, cmd, argv, argc, hash, owner))
            return false;
        if (likely(!s->wants_alone))
            return true;
        s->wants_alone = false;
        return false;
    case ROUTE_ALL:
        if (!(cmd->flags & CMD_GATHERS))
            return route_all(s, cmd, argv, argc);
        run_session_command(s, cmd, argv, argc);
        return true;
    case ROUTE_CURSOR:
        return route_cursor(s, cmd, argv, argc);
    default:
        run_session_command(s, cmd, argv, argc);
        return true;
    }
}

void
session_dispatch(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    bool taken = session_route(s, cmd, argv, argc,
                               cmd->key_first ? head_hash(argv[cmd->key_first]) : 0,
                               OWNER_UNKNOWN);

    ASSERT(taken); /* callers are CMD_ALONE: no round is open */
    session_end_run(s);
}

#include "shards/engine/txn_priv.h"

#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/record.h"
#include "shards/engine/watch.h"
#include "shards/store/row.h"

#include <stdlib.h>

/* --- starting ---------------------------------------------------------------------------------------- */

static struct txn *
txn_create(struct session *s, const uint64_t *set)
{
    uint32_t n = s->core->ncores;
    struct txn *t = calloc(1, sizeof(*t) + n * (sizeof(t->parts[0]) + sizeof(t->holds[0])));

    ASSERT(t);
    t->holds = (struct shard_hold *)&t->parts[n];
    t->session = s;
    t->core = s->core;
    t->core->txns++;
    t->db = t->first_db = s->db;
    t->client_id = s->id;
    t->proto = s->proto;
    for (uint32_t i = 0; i < n; i++)
        if (set[i / 64] & 1ull << (i % 64))
            txn_add_part(t, i);
    if (t->parts_n > 1)
        metrics_inc(&s->core->metrics, txn_cross_core);
    return t;
}

void
txn_start_command(struct session *s, const struct command *cmd, const struct slice *argv,
                  uint32_t argc, const uint64_t *set)
{
    struct txn *t = txn_create(s, set);

    t->commands = queued_command_create(cmd, argv, argc);
    t->writes = (cmd->flags & CMD_WRITE) != 0;
    t->grows = (cmd->flags & CMD_DENYOOM) != 0;
    t->arguments = argc;
    session_block(s);
    txn_lease_next(t);
}

struct set_of {
    const struct queued_command *q;
    uint32_t ncores;
    uint64_t *set;
};

static void
set_add(void *arg, uint32_t index)
{
    struct set_of *o = arg;
    uint32_t owner = shard_slot_owner(key_slot(o->q->argv[index]), o->ncores);

    o->set[owner / 64] |= 1ull << (owner % 64);
}

void
txn_start_for(struct session *s, const struct command *cmd, const struct slice *argv, uint32_t argc,
              uint8_t db, txn_answer_fn answer, void *arg)
{
    uint64_t set[MESH_CORES_MAX / 64] = {0};
    struct queued_command *q = queued_command_create(cmd, argv, argc);
    struct set_of o = {q, s->core->ncores, set};
    struct txn *t;

    command_keys(cmd, q->argv, argc, set_add, &o);
    t = txn_create(s, set);
    t->commands = q;
    t->db = t->first_db = db;
    t->writes = (cmd->flags & CMD_WRITE) != 0;
    t->grows = (cmd->flags & CMD_DENYOOM) != 0;
    t->arguments = argc;
    t->answer = answer;
    t->answer_arg = arg;
    txn_lease_next(t);
}

/* Does it touch shards that its keys do not name? Of a command that links keys that is known too late, when others
 * ahead of it have made them. */
static bool
is_anywhere(const struct session *s, const struct queued_command *q)
{
    return q->cmd->route == ROUTE_ALL || q->cmd->route == ROUTE_CURSOR || (q->cmd->flags & CMD_LINKS && s->queue_n > 1);
}

/* The shards of everything queued and everything watched, this core's own when there is none; and
 * the flags of all commands. */
static void
exec_shards(struct session *s, uint64_t *set, uint32_t *ret_flags)
{
    bool any = false;

    memcpy(set, s->watch_shards, sizeof(s->watch_shards));
    for (const struct queued_command *q = s->queue; q; q = q->next) {
        struct set_of o = {q, s->core->ncores, set};

        *ret_flags |= q->cmd->flags;
        command_keys(q->cmd, q->argv, q->argc, set_add, &o);
        if (is_anywhere(s, q))
            for (uint32_t i = 0; i < s->core->ncores; i++)
                set[i / 64] |= 1ull << (i % 64);
    }
    for (unsigned i = 0; i < MESH_CORES_MAX / 64; i++)
        any = any || set[i];
    if (!any)
        set[s->core->id / 64] |= 1ull << (s->core->id % 64);
}

void
txn_exec(struct session *s)
{
    uint64_t set[MESH_CORES_MAX / 64] = {0};
    uint32_t flags = 0;
    struct txn *t;

    exec_shards(s, set, &flags);
    t = txn_create(s, set);
    t->exec = true;
    t->writes = (flags & CMD_WRITE) != 0;
    t->grows = (flags & CMD_DENYOOM) != 0;
    t->commands = s->queue;
    t->queue_n = s->queue_n;
    for (const struct queued_command *q = s->queue; q; q = q->next)
        t->arguments += q->argc;
    s->queue = NULL;
    session_discard_multi(s);
    session_block(s);
    txn_lease_next(t);
}

/* --- running: everything is leased ------------------------------------------------------------------- */

struct ctx
txn_ctx(struct txn *t, struct queued_command *q)
{
    struct session *s = t->session;

    return (struct ctx){.core = t->core,
                        .session = s,
                        .client_id = s->id,
                        .cmd = q->cmd,
                        .out = &t->reply,
                        .argv = q->argv,
                        .argc = q->argc,
                        .db = t->db,
                        .proto = s->proto,
                        .in_exec = t->exec,
                        .keys_known = true,
                        .holds = t->holds,
                        .attempts = t->attempts,
                        .leased = t->shards,
                        .ahead = t->arguments,
                        .slices = t->exec ? NULL : &t->slices,
                        .sh = t->core->ncores == 1 ? &t->core->shard : NULL};
}

struct watch_check {
    struct txn *txn;
    struct shard *sh;
};

/* A watched key that has expired meanwhile counts as changed: looking at it removes it. */
static void
watch_look(void *arg, uint8_t db, struct slice name)
{
    struct watch_check *w = arg;
    struct command none = {.key_first = 0};
    struct ctx c = {.core = w->txn->core, .sh = w->sh, .cmd = &none, .db = db,
                    .argv = &name, .argc = 1};
    struct key k = key_open_db(&c, name, db);

    key_peek(&c, &k);
}

static bool
txn_watch_broken(struct txn *t)
{
    struct session *s = t->session;
    bool broken = false;

    for (uint32_t i = 0; t->exec && s->watching && i < t->parts_n; i++) {
        struct watch_check w = {t, t->parts[i].sh};

        watch_each(w.sh->watches, s->id, watch_look, &w);
        broken = broken || watch_is_touched(w.sh->watches, s->id);
    }
    return broken;
}

/* Whatever the answer, EXEC ends watching. */
static void
txn_watch_end(struct txn *t)
{
    struct session *s = t->session;

    if (!t->exec || !s->watching)
        return;
    for (uint32_t i = 0; i < t->parts_n; i++)
        shard_unwatch(t->parts[i].sh, s->id);
    s->watching = false;
    memset(s->watch_shards, 0, sizeof(s->watch_shards));
}

static void
txn_write_group(struct txn *t)
{
    uint16_t shards[RECORD_GROUP_MAX];
    uint64_t lsns[RECORD_GROUP_MAX];

    for (uint32_t i = 0; i < t->parts_n; i++) {
        shards[i] = t->parts[i].sh->id;
        lsns[i] = t->parts[i].lsn = t->parts[i].sh->journal.next_lsn;
    }
    for (uint32_t i = 0; i < t->parts_n; i++)
        record_group(&t->parts[i].sh->journal, shards, lsns, t->parts_n);
}

/* False: it needs what the gates found in the cache a moment ago, or what they could not know of. It
 * has done nothing, and that is noted. */
static bool
txn_run_command(struct txn *t, struct queued_command *q)
{
    struct ctx c = txn_ctx(t, q);
    size_t before = t->reply.n;

    exec_call(&c);
    t->db = t->exec ? t->session->db : t->db;
    if (likely(c.need.kind == NEED_NOTHING)) {
        metrics_inc(&t->core->metrics, commands_processed);
        stats_end(&t->core->stats, q->cmd->index, &t->reply, before);
        return true;
    }
    buf_cut(&t->reply, before);
    txn_note_needs(t, &c.need);
    return false;
}

static void
txn_begin_reply(struct txn *t)
{
    t->changed = t->writes;
    if (t->writes && t->parts_n > 1)
        txn_write_group(t);
    if (t->exec) {
        resp_array(&t->reply, t->queue_n);
        metrics_inc(&t->core->metrics, txn_exec);
    }
    t->db = t->first_db;
}

/* May what was run up to `last` be run again? */
static bool
txn_changed_nothing(const struct txn *t, const struct queued_command *last)
{
    for (const struct queued_command *q = t->commands; q != last; q = q->next)
        if (!(q->cmd->flags & CMD_READONLY))
            return false;
    return !t->writes;
}

static uint32_t
fetches_max(const struct queued_command *q)
{
    return EXEC_ATTEMPTS_MAX + EXEC_DEPTH_MAX + q->argc / NEED_KEYS_MAX;
}

/* Between the gates and this a checkpoint may have brought a new file to the store, or the reads of
 * another core pushed blocks out of the cache they share; and what a command needs may depend on those
 * ahead of it. What has changed nothing starts over. Else the transaction stays where it is, with
 * everything leased, and the journals, whose open batches have a part of it, wait (core.c). */
static enum txn_step
txn_stopped(struct txn *t, struct queued_command *q)
{
    bool in_vain = txn_fetches_in_vain(t);

    if (!in_vain && txn_changed_nothing(t, q) && ++t->attempts < TXN_ATTEMPTS_MAX)
        return TXN_STARTS_OVER;
    if (!in_vain && txn_can_fetch(t) && t->fetches++ < fetches_max(q)) {
        t->at = q;
        return TXN_FETCHES;
    }
    if (t->widens)
        resp_errorf(&t->reply, "ERR '%s' needs a core that this transaction has not asked for, and others ahead of it "
                               "have changed something: nothing of this command was done", q->cmd->name);
    else
        resp_errorf(&t->reply, "ERR what '%s' needs from disk cannot be read, or does not stay in the block "
                               "cache: nothing of this command was done", q->cmd->name);
    txn_forget_needs(t);
    return TXN_GOES_ON;
}

static enum txn_step
txn_run_from(struct txn *t, struct queued_command *q)
{
    enum txn_step step = TXN_GOES_ON;

    for (; q && step == TXN_GOES_ON; q = q->next) {
        if (unlikely(!txn_run_command(t, q)))
            step = txn_stopped(t, q);
        if (step == TXN_GOES_ON) {
            t->fetches = 0;
            t->fetch_failed = false;
        }
    }
    return step;
}

static enum txn_step
txn_run_commands(struct txn *t)
{
    if (txn_refused(t)) {
        stats_refused(&t->core->stats, t->exec ? NULL : t->commands->cmd, buf_from(&t->reply, 0));
        return TXN_GOES_ON;
    }
    if (txn_watch_broken(t)) {
        resp_null_array(&t->reply, t->session->proto);
        metrics_inc(&t->core->metrics, txn_aborted);
        t->shows_all = true;
        return TXN_GOES_ON;
    }
    txn_begin_reply(t);
    return txn_run_from(t, t->commands);
}

static void
txn_over(struct txn *t, enum txn_step step)
{
    if (step == TXN_FETCHES) {
        txn_fetch(t);
        return;
    }
    if (step == TXN_STARTS_OVER) {
        buf_cut(&t->reply, 0);
        txn_retreat(t);
        return;
    }
    txn_watch_end(t);
    txn_release(t);
}

/* What the command at t->at needs is there. */
void
txn_resume(struct txn *t)
{
    txn_count_failed(t);
    txn_forget_needs(t);
    txn_over(t, txn_run_from(t, t->at));
}

/* Everything is leased. */
void
txn_try(struct txn *t)
{
    enum txn_step step = TXN_GOES_ON;
    bool stopping = core_hurries(t->core), open = !stopping && txn_gates(t);

    /* What the gates saw, and what it saw before it started over, is not shown. */
    memset(t->holds, 0, t->core->ncores * sizeof(t->holds[0]));
    if (open) {
        step = txn_run_commands(t);
    } else if (stopping) {
        txn_forget_needs(t);
        resp_error(&t->reply, ERR_STOPPING);
    } else if (t->attempts < TXN_ATTEMPTS_MAX && !txn_fetches_in_vain(t)) {
        step = TXN_STARTS_OVER;
    } else {
        txn_forget_needs(t);
        resp_error(&t->reply, "ERR what the transaction needs from disk cannot be read, or does not "
                              "stay in memory: make it smaller, or raise maxmemory or "
                              "store-block-cache-bytes");
    }
    txn_over(t, step);
}

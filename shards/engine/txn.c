#include "shards/engine/txn.h"

#include "shards/engine/evict.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/record.h"
#include "shards/engine/rows.h"
#include "shards/engine/watch.h"
#include "shards/store/row.h"

#include <stdlib.h>

/* One shard's part. Its messages go out one at a time, so one mesh_msg serves all stages. Only the
 * request for the lease is kept by the owner until it is granted; all others are urgent: they end
 * what others wait for, so they must get through whatever waits. What the owner then waits for
 * itself it says with a notice. */
struct txn_part {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct txn *txn;
    struct shard *sh;
    struct shard_waiter lease;  /* on the owner: waits for its turn */
    struct exec_waiter fetched; /* on the owner: waits for what is in the way */
    struct ack_waiter ack;      /* on the owner: what it saw is acknowledged ... */
    struct shard_group group;   /* ... or, in a group, its part is ready */
    bool failed;                /* its journal failed before that */
    uint32_t seq;               /* batch to be acknowledged */
    uint64_t lsn;               /* of the GROUP record */
    /* why it must be tried again */
    enum exec_result obstacle;
    bool over_memory;
    struct need need;
    struct buf need_bytes; /* its keys, each behind its length: of NEED_KEY and NEED_RANGE several */
    struct need *ranges;   /* NEED_RANGE: need_n of them */
    uint32_t need_n;
};

struct txn {
    struct session *session;
    struct core *core;
    struct queued_command *commands; /* own list */
    bool exec;                       /* reply is the array of an EXEC */
    bool writes;
    bool grows, refused_memory;      /* a command of it is CMD_DENYOOM */
    bool changed;                    /* it was not refused */
    bool owes_answer;                /* it waits for the journals */
    uint8_t db;
    uint32_t queue_n; /* commands of an EXEC */
    uint32_t parts_n, leased_n;
    uint32_t pending;                /* replies and notices until ... */
    void (*next)(struct txn *t);
    uint32_t attempts;
    uint64_t shards[SHARD_SET_WORDS]; /* the participants */
    struct buf reply;
    struct txn_part parts[];
};

/* From the owner to the coordinator: what the part waited for has come. */
struct txn_notice {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct txn_part *part;
    struct core *from;
};

static void txn_lease_next(struct txn *t);
static void txn_try(struct txn *t);
static void txn_step(struct txn *t);

/* --- messages to the owners ---------------------------------------------------------------------- */

static void part_send(struct txn_part *p);

static void
part_room(struct mesh_waiter *w)
{
    part_send(container_of(w, struct txn_part, room));
}

static void
part_send(struct txn_part *p)
{
    struct core *core = p->txn->core;

    if (mesh_send(core->node->mesh, core->id, p->sh->id, &p->msg))
        return;
    metrics_inc(&core->metrics, mesh_no_credit);
    p->room.room = part_room;
    mesh_wait(core->node->mesh, core->id, p->sh->id, &p->room);
}

static void part_send_urgent(struct txn_part *p);

static void
part_room_urgent(struct mesh_waiter *w)
{
    part_send_urgent(container_of(w, struct txn_part, room));
}

static void
part_send_urgent(struct txn_part *p)
{
    struct core *core = p->txn->core;

    if (mesh_send_urgent(core->node->mesh, core->id, p->sh->id, &p->msg))
        return;
    metrics_inc(&core->metrics, mesh_no_credit);
    p->room.room = part_room_urgent;
    mesh_wait_urgent(core->node->mesh, core->id, p->sh->id, &p->room);
}

static void
stage_done(struct mesh_msg *m)
{
    txn_step(container_of(m, struct txn_part, msg)->txn);
}

/* Runs the stage on the part's owner, at once when that is this core; txn_step follows when it is
 * over. `run` ends with part_reply. */
static void
part_call(struct txn_part *p, void (*run)(struct mesh_msg *))
{
    p->msg.run = run;
    p->msg.done = stage_done;
    if (p->sh->core == p->txn->core)
        run(&p->msg);
    else
        part_send_urgent(p);
}

/* On the owner: the stage is over. */
static void
part_reply(struct txn_part *p)
{
    if (p->sh->core == p->txn->core)
        p->msg.done(&p->msg);
    else
        mesh_reply(p->sh->core->node->mesh, &p->msg);
}

/* --- notices from the owners --------------------------------------------------------------------- */

static void
notice_run(struct mesh_msg *m)
{
    struct txn_notice *n = container_of(m, struct txn_notice, msg);
    struct txn *t = n->part->txn;

    mesh_reply(t->core->node->mesh, m);
    txn_step(t);
}

static void
notice_done(struct mesh_msg *m)
{
    free(container_of(m, struct txn_notice, msg));
}

static void
notice_send(struct txn_notice *n)
{
    struct core *to = n->part->txn->core;

    if (!mesh_send_urgent(to->node->mesh, n->from->id, to->id, &n->msg))
        mesh_wait_urgent(to->node->mesh, n->from->id, to->id, &n->room);
}

static void
notice_room(struct mesh_waiter *w)
{
    notice_send(container_of(w, struct txn_notice, room));
}

/* On the owner. */
static void
part_notify(struct txn_part *p)
{
    struct txn_notice *n;

    if (p->sh->core == p->txn->core) {
        txn_step(p->txn);
        return;
    }
    n = calloc(1, sizeof(*n));
    ASSERT(n);
    n->msg.run = notice_run;
    n->msg.done = notice_done;
    n->room.room = notice_room;
    n->part = p;
    n->from = p->sh->core;
    notice_send(n);
}

/* --- leasing --------------------------------------------------------------------------------------- */

static void
lease_granted(struct shard_waiter *w, struct shard *sh)
{
    struct txn_part *p = container_of(w, struct txn_part, lease);

    shard_lease(sh);
    part_reply(p);
}

static void
lease_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    p->lease.run = lease_granted;
    shard_wait(p->sh, &p->lease);
}

static void
lease_done(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    p->txn->leased_n++;
    txn_lease_next(p->txn);
}

static void
txn_lease_next(struct txn *t)
{
    struct txn_part *p = &t->parts[t->leased_n];

    if (t->leased_n == t->parts_n) {
        txn_try(t);
        return;
    }
    p->msg.run = lease_run;
    p->msg.done = lease_done;
    if (p->sh->core == t->core)
        lease_run(&p->msg);
    else
        part_send(p);
}

/* --- starting over: give back, wait for what is missing, lease again ------------------------------- */

static void
obstacle_gone(struct exec_waiter *w)
{
    part_notify(container_of(w, struct txn_part, fetched));
}

/* What was noted, with its keys in `keys`. */
static struct need
part_need(const struct txn_part *p, struct slice keys[NEED_KEYS_MAX])
{
    struct need need = p->need;
    const char *at = p->need_bytes.p;

    for (uint32_t i = 0; i < p->need_n; i++) {
        keys[i] = (struct slice){at + 4, get_le32(at)};
        at += 4 + keys[i].n;
    }
    if (need.kind == NEED_RANGE) {
        for (uint32_t i = 0; i < p->need_n; i++) {
            p->ranges[i].key = keys[i];
            p->ranges[i].next = i + 1 < p->need_n ? &p->ranges[i + 1] : NULL;
        }
        p->ranges[0].next_n = p->need_n - 1;
        return p->ranges[0];
    }
    if (p->need_n > 0) {
        need.key = keys[0];
        need.more = keys + 1;
        need.more_n = p->need_n - 1;
    }
    return need;
}

static void
retreat_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);
    struct ctx c = {.core = p->sh->core, .sh = p->sh};
    struct slice keys[NEED_KEYS_MAX];

    if (p->over_memory)
        evict_want_checkpoint(p->sh);
    shard_unlease(p->sh);
    p->fetched.again = obstacle_gone;
    p->fetched.keeps_rows = true;
    c.need = part_need(p, keys);
    if (p->obstacle != EXEC_DONE)
        exec_wait(&c, p->obstacle, &p->fetched);
    part_reply(p);
}

static void
part_forget_need(struct txn_part *p)
{
    buf_fini(&p->need_bytes);
    free(p->ranges);
    p->ranges = NULL;
    p->need_n = 0;
    p->need = (struct need){0};
    p->obstacle = EXEC_DONE;
    p->over_memory = false;
}

static void
retreat_over(struct txn *t)
{
    for (uint32_t i = 0; i < t->parts_n; i++)
        part_forget_need(&t->parts[i]);
    t->leased_n = 0;
    txn_lease_next(t);
}

static void
txn_retreat(struct txn *t)
{
    uint32_t n = t->parts_n;
    bool fetches = false;

    t->next = retreat_over;
    t->pending = n;
    for (uint32_t i = 0; i < n; i++) {
        t->pending += t->parts[i].obstacle != EXEC_DONE;
        fetches = fetches || t->parts[i].obstacle == EXEC_NEED;
    }
    t->attempts += fetches;
    for (uint32_t i = 0; i < n; i++)
        part_call(&t->parts[i], retreat_run);
}

static struct txn_part *
txn_part_of(struct txn *t, const struct shard *sh)
{
    for (uint32_t i = 0; i < t->parts_n; i++)
        if (t->parts[i].sh == sh)
            return &t->parts[i];
    ASSERT(!"a command named a shard outside its transaction");
    return NULL;
}

static void
part_note_key(struct txn_part *p, struct slice key)
{
    char n[4];

    if (p->need_n == NEED_KEYS_MAX)
        return;
    put_le32(n, (uint32_t)key.n);
    buf_append(&p->need_bytes, n, sizeof(n));
    buf_append(&p->need_bytes, key.p, key.n);
    p->need_n++;
}

static void
part_note_range(struct txn_part *p, const struct need *need)
{
    if (p->need_n == NEED_KEYS_MAX)
        return;
    p->ranges = realloc(p->ranges, (p->need_n + 1) * sizeof(*p->ranges));
    ASSERT(p->ranges);
    p->ranges[p->need_n] = *need;
    part_note_key(p, need->key);
}

/* May it join what was noted before? */
static bool
part_gathers(const struct txn_part *p, const struct need *need)
{
    return p->obstacle == EXEC_NEED && p->need.kind == need->kind &&
           (need->kind == NEED_RANGE || (need->kind == NEED_KEY && p->need.db == need->db));
}

/* Keys and ranges are gathered, of everything else the first is taken. */
static void
part_note_need(struct txn_part *p, const struct need *need)
{
    if (p->obstacle == EXEC_DONE) {
        p->obstacle = EXEC_NEED;
        p->need = *need;
    } else if (!part_gathers(p, need)) {
        return;
    }
    if (need->kind == NEED_RANGE) {
        part_note_range(p, need);
        return;
    }
    part_note_key(p, need->key);
    for (uint32_t i = 0; i < need->more_n; i++)
        part_note_key(p, need->more[i]);
}

/* --- gates, with everything leased ------------------------------------------------------------------- */

struct key_gate {
    struct txn *txn;
    const struct queued_command *q;
    bool open;
};

static void
gate_key(void *arg, uint32_t index)
{
    struct key_gate *g = arg;
    struct slice name = g->q->argv[index];
    struct core *core = g->txn->core;
    struct shard *sh = core_shard(core, shard_slot_owner(key_slot(name), core->ncores));
    struct need need = {.kind = NEED_KEY, .sh = sh, .key = name, .db = g->txn->db};

    if (load_key_now(sh, g->txn->db, name, head_hash(name)))
        return;
    part_note_need(txn_part_of(g->txn, sh), &need);
    g->open = false;
}

static struct ctx
txn_ctx(struct txn *t, struct queued_command *q)
{
    struct session *s = t->session;

    return (struct ctx){.core = t->core, .session = s, .client_id = s->id, .cmd = q->cmd,
                        .out = &t->reply, .argv = q->argv, .argc = q->argc, .db = t->db,
                        .proto = s->proto, .in_exec = t->exec, .keys_known = true,
                        .attempts = t->attempts,
                        .sh = t->core->ncores == 1 ? &t->core->shard : NULL};
}

static const struct need *
next_need(const struct need *need)
{
    return need->kind == NEED_RANGE ? need->next : NULL;
}

/* Does the handler miss stored blocks? Asked before anything is changed. */
static bool
gate_ranges(struct txn *t, struct queued_command *q)
{
    struct ctx c = txn_ctx(t, q);
    size_t before = t->reply.n;

    if (!(q->cmd->flags & CMD_RANGES))
        return true;
    c.probe = true;
    q->cmd->fn(&c);
    buf_cut(&t->reply, before);
    if (c.need.kind == NEED_NOTHING)
        return true;
    for (const struct need *need = &c.need; need; need = next_need(need))
        part_note_need(txn_part_of(t, need->sh), need);
    return false;
}

static bool
gate_counts(struct txn *t, const struct queued_command *q)
{
    bool open = true;

    if (!(q->cmd->flags & CMD_COUNT_KEYS))
        return true;
    for (uint32_t i = 0; i < t->parts_n; i++) {
        struct txn_part *p = &t->parts[i];
        struct need need = {.kind = NEED_COUNT, .sh = p->sh, .key = SLICE(""), .db = t->db};

        if (p->sh->db[t->db].hidden || p->sh->db[t->db].head.maybe_store == 0)
            continue;
        if (count_waits_for_checkpoint(p->sh, t->db, q->cmd))
            p->obstacle = EXEC_WAIT_MEMORY;
        else
            part_note_need(p, &need);
        open = false;
    }
    return open;
}

/* SELECT inside EXEC changes the database of what follows; gates look through it the same way. */
static void
txn_select(struct txn *t, const struct queued_command *q)
{
    int64_t db;

    if (q->argc == 2 && slice_is(slice_of(q->cmd->name), "select") && parse_int(q->argv[1], &db) &&
        db >= 0 && db < (int64_t)t->core->config.databases)
        t->db = (uint8_t)db;
}

static bool
gate_journals(struct txn *t)
{
    bool open = true;

    for (uint32_t i = 0; t->writes && i < t->parts_n; i++) {
        struct txn_part *p = &t->parts[i];

        if (p->sh->journal.state == JOURNAL_OK && !journal_has_room(&p->sh->journal)) {
            p->obstacle = EXEC_WAIT_JOURNAL;
            open = false;
        }
    }
    return open;
}

/* Each shard of a transaction is brought towards its share of maxmemory. One that may grow waits until
 * they are below it, even if this transaction makes only others grow, and where that can never be it is
 * refused. Once something was fetched for it this is settled: that would be the first to go again. */
static bool
gate_memory(struct txn *t)
{
    bool open = true;

    for (uint32_t i = 0; t->core->config.maxmemory && !t->attempts && i < t->parts_n; i++) {
        struct txn_part *p = &t->parts[i];
        enum evict_result r = evict_leased(t->core, p->sh);

        if (r == EVICT_ROOM || !t->grows)
            continue;
        if (r == EVICT_NEVER) {
            t->refused_memory = true;
        } else {
            p->obstacle = EXEC_WAIT_MEMORY;
            p->over_memory = true;
            open = false;
        }
    }
    return open;
}

static bool
txn_gates(struct txn *t)
{
    bool open;

    t->refused_memory = false;
    open = gate_memory(t);
    if (t->refused_memory)
        return true;
    if (!open)
        return false;
    open = gate_journals(t);
    t->db = t->session->db;
    for (struct queued_command *q = t->commands; q; q = q->next) {
        struct key_gate g = {t, q, true};

        txn_select(t, q);
        command_keys(q->cmd, q->argv, q->argc, gate_key, &g);
        open = g.open && open;
        if (open)
            open = gate_ranges(t, q) && gate_counts(t, q);
    }
    return open;
}

/* A journal that cannot take writes, or memory that cannot be had: the whole transaction is
 * refused. */
static bool
txn_refused(struct txn *t)
{
    if (t->refused_memory) {
        resp_error(&t->reply, t->exec ? "EXECABORT Transaction discarded because of: " ERR_OOM
                                      : ERR_OOM);
        return true;
    }
    for (uint32_t i = 0; t->writes && i < t->parts_n; i++) {
        struct shard *sh = t->parts[i].sh;

        if (sh->journal.state == JOURNAL_FULL) {
            resp_error(&t->reply, ERR_DISK_FULL);
            return true;
        }
        if (sh->journal.state == JOURNAL_FAILED) {
            resp_errorf(&t->reply, "READONLY core %u stopped writing: its journal failed (%s)",
                        sh->id, strerror(sh->journal.error));
            return true;
        }
    }
    return false;
}

/* --- running ------------------------------------------------------------------------------------------ */

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

/* Whatever the answer, EXEC ends watching. */
static bool
txn_watch_broken(struct txn *t)
{
    struct session *s = t->session;
    bool broken = false;

    if (!t->exec || !s->watching)
        return false;
    for (uint32_t i = 0; i < t->parts_n; i++) {
        struct watch_check w = {t, t->parts[i].sh};

        watch_each(w.sh->watches, s->id, watch_look, &w);
        broken = broken || watch_is_touched(w.sh->watches, s->id);
        watch_remove(&w.sh->watches, s->id);
    }
    s->watching = false;
    memset(s->watch_shards, 0, sizeof(s->watch_shards));
    return broken;
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

static void
txn_run_commands(struct txn *t)
{
    bool broken = txn_watch_broken(t);

    if (txn_refused(t))
        return;
    if (broken) {
        resp_null_array(&t->reply, t->session->proto);
        metrics_inc(&t->core->metrics, txn_aborted);
        return;
    }
    t->changed = t->writes;
    if (t->writes && t->parts_n > 1)
        txn_write_group(t);
    if (t->exec) {
        resp_array(&t->reply, t->queue_n);
        metrics_inc(&t->core->metrics, txn_exec);
    }
    t->db = t->session->db;
    for (struct queued_command *q = t->commands; q; q = q->next) {
        struct ctx c = txn_ctx(t, q);
        size_t before = t->reply.n;

        q->cmd->fn(&c);
        if (unlikely(c.need.kind != NEED_NOTHING)) {
            buf_cut(&t->reply, before);
            resp_error(&t->reply, "ERR stored blocks left the cache meanwhile, nothing of this "
                                  "command was done: try again");
        }
        t->db = t->exec ? t->session->db : t->db;
        metrics_inc(&t->core->metrics, commands_processed);
    }
}

/* --- giving back, and the answer ------------------------------------------------------------------- */

static void
txn_destroy(struct txn *t)
{
    while (t->commands) {
        struct queued_command *q = t->commands;

        t->commands = q->next;
        free(q);
    }
    buf_fini(&t->reply);
    t->core->txns--;
    free(t);
}

/* One shard, the client's own: the reply is held like any other, and the client goes on. */
static bool
txn_is_local(const struct txn *t)
{
    return t->parts_n == 1 && t->parts[0].sh->core == t->core;
}

static void
txn_answer(struct txn *t)
{
    struct session *s = t->session;

    if (!s->conn.closing)
        buf_move(&s->conn.out, &t->reply, 0, t->reply.n);
    if (txn_is_local(t) && session_must_hold(s, t->parts[0].seq)) {
        s->hold = true;
        s->hold_seq = t->parts[0].seq;
    }
    t->session = NULL;
    session_continue(s);
}

static bool
txn_failed(const struct txn *t)
{
    bool failed = false;

    for (uint32_t i = 0; i < t->parts_n; i++)
        failed = failed || t->parts[i].failed;
    return failed;
}

static void
txn_reply(struct txn *t)
{
    if (t->session == NULL) /* it was answered at once */
        return;
    if (t->changed && txn_failed(t)) { /* then the answer is not what the commands said */
        buf_cut(&t->reply, 0);
        resp_error(&t->reply, ERR_NOT_DURABLE);
    }
    txn_answer(t);
}

static void
txn_end(struct txn *t)
{
    txn_reply(t);
    txn_destroy(t);
}

static void
part_acked(struct ack_waiter *w)
{
    struct txn_part *p = container_of(w, struct txn_part, ack);

    p->failed = p->failed || w->failed;
    part_notify(p);
}

static void
part_ready(struct shard_group *g)
{
    struct txn_part *p = container_of(g, struct txn_part, group);

    p->failed = p->failed || g->failed;
    part_notify(p);
}

static void
resolved_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    shard_group_resolved(p->sh, &p->group);
    part_reply(p);
}

/* The group will never be whole: nothing after it may be acknowledged here either. */
static void
doomed_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    shard_group_doomed(p->sh, &p->group);
    part_reply(p);
}

/* Every part is ready: whatever happens now, the group is whole after it. Or a journal failed. */
static void
txn_resolve(struct txn *t)
{
    bool failed = txn_failed(t);
    uint32_t n = t->parts_n;

    txn_reply(t);
    t->next = txn_destroy;
    t->pending = n;
    for (uint32_t i = 0; i < n; i++)
        part_call(&t->parts[i], failed ? doomed_run : resolved_run);
}

static void
release_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);
    bool group = p->lsn != 0;

    p->ack.run = part_acked;
    p->group = (struct shard_group){
        .seq = p->seq, .lsn = p->lsn, .shards = p->txn->shards, .ready = part_ready};
    if (group)
        shard_group_add(p->sh, &p->group);
    row_list_destroy(&p->fetched.rows);
    shard_unlease(p->sh);
    if (!group && p->txn->owes_answer)
        shard_when_acked(p->sh, &p->ack, p->seq);
    part_reply(p);
}

static void
txn_release(struct txn *t)
{
    bool group = t->parts[0].lsn != 0;
    uint32_t n = t->parts_n;

    for (uint32_t i = 0; i < n; i++)
        t->parts[i].seq = shard_newest_seq(t->parts[i].sh);
    t->owes_answer = !t->core->everysec_ack && !txn_is_local(t);
    t->next = group ? txn_resolve : txn_end;
    t->pending = n + (group || t->owes_answer ? n : 0);
    if (!t->owes_answer)
        txn_answer(t);
    for (uint32_t i = 0; i < n; i++)
        part_call(&t->parts[i], release_run);
}

/* A reply or a notice came. */
static void
txn_step(struct txn *t)
{
    ASSERT(t->pending > 0);
    if (--t->pending == 0)
        t->next(t);
}

/* Everything is leased. */
static void
txn_try(struct txn *t)
{
    if (!txn_gates(t)) {
        if (t->attempts < TXN_ATTEMPTS_MAX) {
            txn_retreat(t);
            return;
        }
        for (uint32_t i = 0; i < t->parts_n; i++)
            part_forget_need(&t->parts[i]);
        txn_watch_broken(t);
        resp_error(&t->reply, "ERR what the transaction needs from disk does not stay in memory: "
                              "make it smaller, or raise maxmemory or store-block-cache-bytes");
    } else {
        txn_run_commands(t);
    }
    txn_release(t);
}

/* --- starting ---------------------------------------------------------------------------------------- */

static struct txn *
txn_create(struct session *s, const uint64_t *set)
{
    uint32_t n = 0;
    struct txn *t;

    for (unsigned i = 0; i < MESH_CORES_MAX / 64; i++)
        n += (uint32_t)__builtin_popcountll(set[i]);
    t = calloc(1, sizeof(*t) + n * sizeof(t->parts[0]));
    ASSERT(t);
    t->session = s;
    t->core = s->core;
    t->core->txns++;
    t->db = s->db;
    memcpy(t->shards, set, sizeof(t->shards));
    for (uint32_t i = 0; i < s->core->ncores; i++) {
        if (!(set[i / 64] & 1ull << (i % 64)))
            continue;
        t->parts[t->parts_n].txn = t;
        t->parts[t->parts_n].sh = core_shard(s->core, i);
        t->parts_n++;
    }
    if (n > 1)
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
        if (q->cmd->route == ROUTE_ALL || q->cmd->route == ROUTE_CURSOR)
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
    s->queue = NULL;
    session_discard_multi(s);
    session_block(s);
    txn_lease_next(t);
}

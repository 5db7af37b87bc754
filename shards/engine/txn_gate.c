/* The gates of a transaction, passed with everything leased and before anything is done: memory, room
 * in the journals, keys and blocks that are only in the store, exact counts. */
#include "shards/engine/txn_priv.h"

#include "shards/engine/core.h"
#include "shards/engine/evict.h"
#include "shards/store/row.h"

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
    txn_part_note_need(txn_part_of(g->txn, sh), &need);
    g->open = false;
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
    txn_note_needs(t, &c.need);
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

        if (!shard_db_has_maybes(&p->sh->db[t->db]))
            continue;
        if (count_waits_for_checkpoint(p->sh, t->db, q->cmd))
            p->obstacle = EXEC_WAIT_MEMORY;
        else
            txn_part_note_need(p, &need);
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
 * they are below it, even if this transaction makes only others grow, and where that can never be, or not
 * while checkpoints fail, it is refused. Once something was fetched for it this is settled: that would be the
 * first to go again. */
static bool
gate_memory(struct txn *t)
{
    bool open = true;

    for (uint32_t i = 0; t->core->config.maxmemory && !t->attempts && i < t->parts_n; i++) {
        struct txn_part *p = &t->parts[i];
        enum evict_result r = evict_leased(t->core, p->sh);

        if (r == EVICT_ROOM || !t->grows)
            continue;
        if (r != EVICT_LATER) {
            t->refused_memory = evict_error(r);
        } else {
            p->obstacle = EXEC_WAIT_MEMORY;
            p->over_memory = true;
            open = false;
        }
    }
    return open;
}

/* It will be refused: nothing is to be waited for. Memory of a shard that is full of what cannot be
 * written never comes. */
static bool
is_hopeless(const struct txn *t)
{
    for (uint32_t i = 0; t->writes && i < t->parts_n; i++)
        if (t->parts[i].sh->journal.state != JOURNAL_OK)
            return true;
    return false;
}

bool
txn_gates(struct txn *t)
{
    bool open;

    t->refused_memory = NULL;
    if (unlikely(is_hopeless(t)))
        return true;
    open = gate_memory(t);
    if (t->refused_memory)
        return true;
    if (!open)
        return false;
    open = gate_journals(t);
    t->db = t->first_db;
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
bool
txn_refused(struct txn *t)
{
    if (t->refused_memory) {
        resp_errorf(&t->reply, "%s%s", t->exec ? EXEC_REFUSED : "", t->refused_memory);
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

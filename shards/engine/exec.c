#include "shards/engine/exec.h"

#include "shards/engine/core.h"
#include "shards/engine/evict.h"
#include "shards/engine/keyspace.h"

/* --- gates ----------------------------------------------------------------------------------- */

static bool
gate_journal(struct ctx *c, enum exec_result *ret, bool *ret_refused)
{
    struct journal *j = &c->sh->journal;

    if (likely(!(c->cmd->flags & CMD_WRITE) || journal_has_room(j)))
        return true;
    if (j->state == JOURNAL_OK) {
        *ret = EXEC_WAIT_JOURNAL;
        return false;
    }
    if (j->state == JOURNAL_FULL)
        resp_error(c->out, ERR_DISK_FULL);
    else
        resp_errorf(c->out, "READONLY core %u stopped writing: its journal failed (%s)",
                    c->sh->id, strerror(j->error));
    *ret_refused = true;
    return false;
}

static bool
gate_memory(struct ctx *c, enum exec_result *ret, bool *ret_refused)
{
    enum evict_result r;

    /* What was fetched for this very request is not to make it wait, nor to leave again. */
    if (likely(!(c->cmd->flags & CMD_DENYOOM) || c->attempts > 0))
        return true;
    r = evict_make_room(c->core, c->sh);
    if (r == EVICT_ROOM)
        return true;
    if (r == EVICT_LATER) {
        *ret = EXEC_WAIT_MEMORY;
        return false;
    }
    resp_error(c->out, evict_error(r));
    *ret_refused = true;
    return false;
}

struct gate_keys {
    struct ctx *c;
    struct slice *missing;
    uint32_t n;
};

static void
gate_key(void *arg, uint32_t index)
{
    struct gate_keys *g = arg;
    struct ctx *c = g->c;
    struct slice name = c->argv[index];

    if (g->n == NEED_KEYS_MAX || name.n > ENTRY_KEY_BYTES_MAX ||
        load_key_now(c->sh, c->db, name, head_hash(name)))
        return;
    if (g->missing == NULL)
        g->missing = scratch_alloc(&c->core->scratch,
                                   MIN(c->argc, NEED_KEYS_MAX) * sizeof(*g->missing));
    g->missing[g->n++] = name;
}

static void
look_for_key(void *arg, uint32_t index)
{
    struct gate_keys *g = arg;
    struct ctx *c = g->c;
    struct slice name = c->argv[index];

    g->n += !head_find(&c->sh->db[c->db].head, head_hash(name), name);
}

/* What is about to come from the store displaces something else. Before any key is looked for: it may
 * be one of them. */
static void
make_room_for_cold(struct ctx *c)
{
    struct gate_keys g = {.c = c};

    if (likely(c->attempts > 0 || !evict_is_due(c->core, c->sh)))
        return;
    command_keys(c->cmd, c->argv, c->argc, look_for_key, &g);
    if (g.n > 0)
        evict_make_room(c->core, c->sh);
}

/* Every key in memory, or certainly nowhere? Else those that must be fetched are noted. */
static bool
gate_all_keys(struct ctx *c)
{
    struct gate_keys g = {.c = c};

    command_keys(c->cmd, c->argv, c->argc, gate_key, &g);
    c->keys_known = g.n == 0;
    if (g.n > 0)
        c->need = (struct need){.kind = NEED_KEY, .sh = c->sh, .key = g.missing[0],
                                .more = g.missing + 1, .more_n = g.n - 1, .db = c->db};
    return c->keys_known;
}

/* Somebody counts keys: were blind writes let through, there would always be one more to look up. */
static bool
counting(const struct ctx *c)
{
    return c->sh->counts_pending > 0 || c->core->reactor.clock.mono_ns < c->sh->exact_until_ns;
}

static bool
gate_store(struct ctx *c)
{
    if (likely(!shard_db_has_cold(&c->sh->db[c->db])))
        return true;
    if ((c->cmd->flags & CMD_BLIND) && c->argc == 3 && !counting(c))
        return true;
    if ((c->cmd->flags & CMD_COUNT_KEYS) && shard_db_has_maybes(&c->sh->db[c->db])) {
        c->need = (struct need){.kind = NEED_COUNT, .sh = c->sh, .db = c->db};
        return false;
    }
    make_room_for_cold(c);
    return gate_all_keys(c);
}

bool
count_waits_for_checkpoint(const struct shard *sh, uint8_t db, const struct command *cmd)
{
    return (cmd->flags & CMD_COUNT_KEYS) && sh->checkpoint && shard_db_has_maybes(&sh->db[db]);
}

enum exec_result
exec_gate(struct ctx *c, bool *ret_refused)
{
    enum exec_result r = EXEC_DONE;

    *ret_refused = false;
    if (unlikely(!gate_journal(c, &r, ret_refused)))
        return r;
    if (unlikely(!gate_memory(c, &r, ret_refused)))
        return r;
    if (unlikely(count_waits_for_checkpoint(c->sh, c->db, c->cmd)))
        return EXEC_WAIT_MEMORY;
    if (unlikely(!gate_store(c)))
        return EXEC_NEED;
    return EXEC_DONE;
}

/* Fetches for one request before it is refused: each brings NEED_KEYS_MAX keys. */
static uint32_t
attempts_max(const struct ctx *c)
{
    return EXEC_ATTEMPTS_MAX + EXEC_DEPTH_MAX + c->argc / NEED_KEYS_MAX;
}

void
exec_call_timed(struct ctx *c)
{
    uint64_t began = clock_now_ns();

    c->cmd->fn(c);
    if (c->need.kind == NEED_NOTHING)
        stats_timed(&c->core->stats, c->cmd->index, clock_now_ns() - began);
}

/* What it needs was fetched time and again, and is not there when it runs. */
static enum exec_result
give_up(struct ctx *c, size_t before)
{
    resp_errorf(c->out, "ERR what '%s' needs from disk cannot be read, or does not stay in the "
                        "block cache (store-block-cache-bytes): ask for less at once", c->cmd->name);
    stats_refused(&c->core->stats, c->cmd, buf_from(c->out, before));
    return EXEC_DONE;
}

enum exec_result
exec_run(struct ctx *c)
{
    struct stats *stats = &c->core->stats;
    size_t before = c->out->n;
    enum exec_result r;
    bool refused;

    if (unlikely(!shard_available(c->sh)))
        return EXEC_WAIT_LEASE;
    r = exec_gate(c, &refused);
    if (unlikely(r != EXEC_DONE || refused)) {
        if (refused)
            stats_refused(stats, c->cmd, buf_from(c->out, before));
        return r != EXEC_NEED || c->attempts < attempts_max(c) ? r : give_up(c, before);
    }
    exec_call(c);
    if (likely(c->need.kind == NEED_NOTHING)) {
        stats_end(stats, c->cmd->index, c->out, before);
        return EXEC_DONE;
    }
    buf_cut(c->out, before);
    if (c->need.kind == NEED_SHARD || c->need.kind == NEED_SLICES)
        return EXEC_SHARDS;
    return c->attempts < attempts_max(c) ? EXEC_NEED : give_up(c, before);
}

/* --- waiting --------------------------------------------------------------------------------- */

static void
lease_ended(struct shard_waiter *lw, struct shard *sh)
{
    struct exec_waiter *w = container_of(lw, struct exec_waiter, lease);

    w->again(w);
}

void
exec_wait(struct ctx *c, enum exec_result result, struct exec_waiter *w)
{
    switch (result) {
    case EXEC_WAIT_LEASE:
        w->lease.run = lease_ended;
        shard_wait(c->sh, &w->lease);
        break;
    case EXEC_WAIT_JOURNAL:
    case EXEC_WAIT_MEMORY:
        list_push_back(&c->sh->core->journal_waiters, &w->node);
        break;
    case EXEC_NEED:
        load_start(c->sh->core, &c->need, w);
        break;
    case EXEC_SHARDS:
    case EXEC_SLICES:
    case EXEC_DONE:
        ASSERT(!"nothing to wait for");
    }
}

void
exec_wake(struct core *core)
{
    struct list woken;
    struct list *node;

    list_init(&woken);
    list_splice(&woken, &core->journal_waiters);
    reactor_hand_begin(&core->reactor);
    while ((node = list_pop_front(&woken))) {
        struct exec_waiter *w = list_entry(node, struct exec_waiter, node);

        w->again(w);
    }
    reactor_hand_end(&core->reactor);
}

/* Running one request on the shard that owns its keys, and what may stand in its way.
 *
 * exec_run passes the gates (lease, journal room, memory, keys that only the store has) and then the
 * handler. When a gate is shut it says which; exec_wait registers an exec_waiter that is called once
 * when trying again makes sense. The caller keeps the request's arguments alive meanwhile. */
#ifndef SHARDS_ENGINE_EXEC_H
#define SHARDS_ENGINE_EXEC_H

#include "shards/engine/command.h"
#include "shards/engine/core.h"
#include "shards/engine/shard.h"

#define ERR_DISK_FULL                                                                              \
    "ERR disk full: the journal has no room for a new segment, writes are refused"
#define ERR_NOT_DURABLE                                                                            \
    "READONLY the journal failed before the write was on disk: it may be lost"
#define ERR_STOPPING "ERR the server is stopping"
#define EXEC_ATTEMPTS_MAX 8 /* fetches for one request before it is refused */
#define EXEC_DEPTH_MAX 64   /* more of them: what is fetched may show what else it takes (rules of series) */

enum exec_result {
    EXEC_DONE,         /* the reply is in ctx->out */
    EXEC_WAIT_LEASE,   /* the shard is leased to a transaction */
    EXEC_WAIT_JOURNAL, /* the open batch is full */
    EXEC_WAIT_MEMORY,  /* over maxmemory, a checkpoint will make clean entries */
    EXEC_NEED,         /* ctx->need says what a helper must fetch */
    EXEC_SHARDS,       /* it has to be run as a transaction: other shards take part, or it takes long */
    EXEC_SLICES,       /* in a transaction: its part of it is read ahead */
};

struct exec_waiter {
    void (*again)(struct exec_waiter *w);
    /* The request is not run again within again(): it keeps the lists of rows that were made for it
     * and what is held in the block cache, and gives them back itself. */
    bool keeps_rows;
    /* A transaction that has leased the shard waits, and touches nothing of it meanwhile: what was
     * fetched may be brought into its memory. */
    bool holds_lease;
    /* Set before again() by a load: something of what was to be fetched is damaged or cannot be read. */
    bool failed;
    struct row_list *rows;
    struct store_hold *held;
    struct shard_waiter lease;
    struct list node; /* in core.journal_waiters */
};

/* ctx->sh is the shard; every key of the request is its own. */
enum exec_result exec_run(struct ctx *c);
/* Only the gates of one command: EXEC_DONE = open. Errors the client must see are appended to out
 * and *ret_refused set. */
enum exec_result exec_gate(struct ctx *c, bool *ret_refused);
/* Must a command that counts keys wait? While a checkpoint runs it is the one that finds out which
 * keys the store has, and changes it. */
bool count_waits_for_checkpoint(const struct shard *sh, uint8_t db, const struct command *cmd);
/* `result` is what exec_run said. */
void exec_wait(struct ctx *c, enum exec_result result, struct exec_waiter *w);
/* The shard's journal or memory made room: lets the waiting requests try again. */
void exec_wake(struct core *core);

/* Fetches from the store on a helper, then calls w->again on the loop of the shard's core. */
void load_start(struct core *core, const struct need *need, struct exec_waiter *w);
/* Looks into what needs no disk: true = the key is in memory or certainly nowhere; false = fetch. */
bool load_key_now(struct shard *sh, uint8_t db, struct slice key, uint64_t hash);
/* The same for who cannot turn back (ctx->reads_through): what has left the block cache since it was
 * looked at is read from the disk at once. False: it is damaged, or cannot be read. */
bool load_key_through(struct shard *sh, uint8_t db, struct slice key, uint64_t hash);
/* Builds the entry of a main row. False: its open blocks are not in the cache, or the row is damaged:
 * who asks for the key gets an error in the end. Taken for absent it would be written anew. */
bool load_install(struct shard *sh, uint8_t db, struct slice key, uint64_t hash, struct slice row,
                  bool cached_only);

/* Field by field: the large part of a ctx (what it needs from the store) only counts when its kind
 * says so, and clearing it would cost as much as a short command. The caller says for whom it runs,
 * on which shard, database and protocol. */
static inline void
ctx_init(struct ctx *c, struct core *core, const struct command *cmd, struct slice *argv,
         uint32_t argc, struct buf *out)
{
    c->core = core;
    c->sh = NULL;
    c->session = NULL;
    c->cmd = cmd;
    c->out = out;
    c->argv = argv;
    c->argc = argc;
    c->in_exec = c->probe = c->hash_known = c->keys_known = c->hold = false;
    c->attempts = 0;
    c->holds = NULL;
    c->leased = NULL;
    c->slices = NULL;
    c->reads_through = false;
    c->spare_ns = 0;
    c->need.kind = NEED_NOTHING;
}

/* In a call that is timed: reads the clock around it. */
void exec_call_timed(struct ctx *c);

/* Calls the handler, and counts that. Where ctx->need is set afterwards, the call was in vain and is
 * not counted. */
static inline void
exec_call(struct ctx *c)
{
    struct stats *stats = &c->core->stats;

    if (unlikely(stats_begin(stats, c->cmd->index)))
        exec_call_timed(c);
    else
        c->cmd->fn(c);
    if (unlikely(c->need.kind != NEED_NOTHING))
        stats_take_back(stats, c->cmd->index);
}

#endif

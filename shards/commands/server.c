/* Commands about the server: time, sizes, flushing, checkpoints, waiting for the disk, stopping. */
#include "shards/commands/handlers.h"

#include "shards/engine/fanout.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/session.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void
cmd_time(struct ctx *c)
{
    int64_t us = ctx_now_us(c);

    resp_array(c->out, 2);
    resp_bulk_int(c->out, us / 1000000);
    resp_bulk_int(c->out, us % 1000000);
}

void
cmd_dbsize(struct ctx *c)
{
    uint64_t keys = 0;

    for (uint32_t i = 0; i < ctx_shards(c); i++)
        keys += keyspace_keys(ctx_shard_at(c, i), c->db);
    resp_int(c->out, (int64_t)keys);
}

/* --- flushing -------------------------------------------------------------------------------------- */

static void
flush(struct ctx *c, int db)
{
    if (c->argc > 2 ||
        (c->argc == 2 && !slice_is(c->argv[1], "async") && !slice_is(c->argv[1], "sync"))) {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    keyspace_flush(c, db);
    resp_ok(c->out);
}

void
cmd_flushdb(struct ctx *c)
{
    flush(c, c->db);
}

void
cmd_flushall(struct ctx *c)
{
    flush(c, -1);
}

/* --- checkpoints ----------------------------------------------------------------------------------- */

struct save_part {
    struct checkpoint_waiter w;
    struct fanout_part *part;
};

static void
save_part_done(struct checkpoint_waiter *w, int rc)
{
    struct save_part *sp = container_of(w, struct save_part, w);
    struct fanout_part *p = sp->part;

    p->rc = rc;
    free(sp);
    fanout_part_done(p);
}

static void
save_each(struct fanout_part *p)
{
    struct save_part *sp = malloc(sizeof(*sp));

    ASSERT(sp);
    sp->w.done = save_part_done;
    sp->part = p;
    checkpoint_wait(&p->core->shard, &sp->w);
}

static int
worst_rc(const struct fanout *f)
{
    for (uint32_t i = 0; i < f->from->ncores; i++)
        if (f->parts[i].rc < 0)
            return f->parts[i].rc;
    return 0;
}

static void
saved(struct fanout *f)
{
    struct session *s = f->arg;
    int rc = worst_rc(f);

    if (rc == 0)
        atomic_store(&f->from->node->last_save_s, clock_wall_us() / 1000000);
    if (s && rc == 0)
        resp_ok(&s->conn.out);
    else if (s)
        resp_errorf(&s->conn.out, "ERR the checkpoint failed: %s", strerror(-rc));
    fanout_free(f);
    if (s)
        session_continue(s);
}

void
cmd_save(struct ctx *c)
{
    session_block(c->session);
    fanout_start(c->core, save_each, saved, c->session);
}

void
cmd_bgsave(struct ctx *c)
{
    if (c->argc > 2 || (c->argc == 2 && !slice_is(c->argv[1], "schedule"))) {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    fanout_start(c->core, save_each, saved, NULL);
    resp_simple(c->out, "Background saving started");
}

void
cmd_lastsave(struct ctx *c)
{
    struct node *node = c->core->node;
    int64_t at = atomic_load(&node->last_save_s);

    resp_int(c->out, at ? at : node->started_ms / 1000);
}

/* --- WAITAOF ----------------------------------------------------------------------------------------- */

/* Durable everywhere: simplest and exact, since a client's writes may lie in any journal. */
struct waitaof {
    struct session *s;
    uint32_t refs; /* the client's reply, and the fanout */
    bool answered;
};

static void
waitaof_put(struct waitaof *w)
{
    if (--w->refs == 0)
        free(w);
}

static void
waitaof_answer(struct waitaof *w, int64_t local)
{
    struct session *s = w->s;

    if (w->answered)
        return;
    w->answered = true;
    timer_cancel(&s->core->reactor.timers, &s->timer);
    s->timer_arg = NULL;
    resp_array(&s->conn.out, 2);
    resp_int(&s->conn.out, local);
    resp_int(&s->conn.out, 0);
    session_continue(s);
    waitaof_put(w);
}

static void
waitaof_timeout(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);

    waitaof_answer(s->timer_arg, 0);
}

struct waitaof_part {
    struct poller poller;
    struct fanout_part *part;
    uint64_t lsn;
};

static unsigned
waitaof_poll(struct poller *poller)
{
    struct waitaof_part *wp = container_of(poller, struct waitaof_part, poller);
    struct fanout_part *p = wp->part;
    struct journal *j = &p->core->shard.journal;

    if (j->synced_lsn < wp->lsn && j->state == JOURNAL_OK)
        return 0;
    p->rc = j->synced_lsn < wp->lsn ? -EIO : 0;
    list_remove(&poller->node);
    free(wp);
    fanout_part_done(p);
    return 1;
}

static void
waitaof_each(struct fanout_part *p)
{
    struct journal *j = &p->core->shard.journal;
    struct waitaof_part *wp = calloc(1, sizeof(*wp));

    ASSERT(wp);
    wp->part = p;
    wp->lsn = journal_last_lsn(j);
    journal_want_durable(j, wp->lsn);
    wp->poller.fn = waitaof_poll;
    reactor_add_poller(&p->core->reactor, &wp->poller);
}

static void
waitaof_done(struct fanout *f)
{
    struct waitaof *w = f->arg;

    waitaof_answer(w, worst_rc(f) == 0);
    fanout_free(f);
    waitaof_put(w);
}

static bool
waitaof_args(struct ctx *c, int64_t *ret_local, int64_t *ret_timeout)
{
    int64_t replicas;

    if (!ctx_int(c, 1, ret_local))
        return false;
    if (*ret_local < 0 || *ret_local > 1) {
        ctx_error(c, "ERR value is out of range, must be between 0 and 1");
        return false;
    }
    if (!parse_int(c->argv[2], &replicas) || replicas < 0) {
        ctx_error(c, "ERR value is out of range, must be positive");
        return false;
    }
    if (!parse_int(c->argv[3], ret_timeout)) {
        ctx_error(c, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (*ret_timeout < 0) {
        ctx_error(c, "ERR timeout is negative");
        return false;
    }
    return true;
}

void
cmd_waitaof(struct ctx *c)
{
    struct session *s = c->session;
    int64_t local, timeout_ms;
    struct waitaof *w;

    if (!waitaof_args(c, &local, &timeout_ms))
        return;
    if (c->in_exec) { /* nothing waits there: what EXEC does is not on disk before it is over */
        resp_array(c->out, 2);
        resp_int(c->out, 0);
        resp_int(c->out, 0);
        return;
    }
    w = calloc(1, sizeof(*w));
    ASSERT(w);
    w->s = s;
    w->refs = 2;
    s->timer_arg = w;
    session_block(s);
    if (timeout_ms > 0) {
        s->timer.fn = waitaof_timeout;
        timer_arm(&c->core->reactor.timers, &s->timer,
                  c->core->reactor.clock.mono_ns + (uint64_t)timeout_ms * 1000000);
    }
    fanout_start(c->core, waitaof_each, waitaof_done, w);
}

/* --- stopping ---------------------------------------------------------------------------------------- */

enum { STOP_SAVE = 1, STOP_NOSAVE = 2, STOP_NOW = 4, STOP_FORCE = 8, STOP_ABORT = 16 };

/* False where a word is no option or two contradict each other. */
static bool
shutdown_options(const struct ctx *c, unsigned *ret)
{
    static const char *const names[] = {"save", "nosave", "now", "force", "abort"};
    unsigned all = 0;

    for (uint32_t i = 1; i < c->argc; i++) {
        size_t k = 0;

        while (k < ARRAY_SIZE(names) && !slice_is(c->argv[i], names[k]))
            k++;
        if (k == ARRAY_SIZE(names))
            return false;
        all |= 1u << k;
    }
    *ret = all;
    return (all & (STOP_SAVE | STOP_NOSAVE)) != (STOP_SAVE | STOP_NOSAVE) &&
           (!(all & STOP_ABORT) || all == STOP_ABORT);
}

void
cmd_shutdown(struct ctx *c)
{
    unsigned options;

    if (!shutdown_options(c, &options)) {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    if (options == STOP_ABORT) {
        ctx_error(c, "ERR No shutdown in progress.");
        return;
    }
    atomic_store(&c->core->node->stop_without_checkpoint, (options & STOP_NOSAVE) != 0);
    kill(getpid(), SIGTERM);
    conn_pause(&c->session->conn); /* as Redis: no reply, the connection ends */
}

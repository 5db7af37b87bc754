/* CONFIG. Settings are read from this core's copy; a change is answered when every core has it. */
#include "shards/commands/handlers.h"

#include "core/log.h"
#include "shards/engine/fanout.h"
#include "shards/engine/session.h"

#include <stdlib.h>

static bool
is_pattern(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '[' || text.p[i] == '*' || text.p[i] == '?')
            return true;
    return false;
}

/* Does CONFIG GET name the setting? Its name in the reply is as in Redis: as the first argument that
 * means it writes it, or its own where that is a pattern. */
static bool
asked_for(const struct ctx *c, const struct config_row *row, struct slice *ret_name)
{
    for (uint32_t a = 2; a < c->argc; a++)
        if (config_matches(row, c->argv[a])) {
            *ret_name = is_pattern(c->argv[a]) ? slice_of(row->name) : c->argv[a];
            return true;
        }
    return false;
}

void
cmd_config_get(struct ctx *c)
{
    const struct config *config = &c->core->config;
    const struct config_row *row;
    struct buf value = {0};
    struct slice name;
    uint64_t n = 0;

    for (size_t i = 0; (row = config_row(i)); i++)
        n += asked_for(c, row, &name);
    resp_map(c->out, c->proto, n);
    for (size_t i = 0; (row = config_row(i)); i++) {
        if (!asked_for(c, row, &name))
            continue;
        value.n = 0;
        config_get(config, row, &value);
        resp_bulk(c->out, name);
        resp_bulk(c->out, (struct slice){value.p ? value.p : "", value.n});
    }
    buf_fini(&value);
}

/* --- changes ----------------------------------------------------------------------------------------
 *
 * Core 0 decides: it checks a change against its own configuration, takes it, and sends the outcome
 * to every core before it looks at the next one. So clients of different cores cannot undo each
 * other's changes, and rules about two settings hold whoever sets which. */

struct config_change {
    struct mesh_msg msg; /* from the client's core to core 0 */
    struct mesh_waiter room;
    struct list node; /* in core 0's config_changes */
    struct session *session;
    struct core *from, *decider;
    struct queued_command *request; /* CONFIG SET name value [name value ...] */
    struct config config;           /* what core 0 made of it */
    struct buf err;                 /* why it did not */
};

/* Back on the client's core. */
static void
change_answer(struct mesh_msg *m)
{
    struct config_change *change = container_of(m, struct config_change, msg);
    struct session *s = change->session;

    if (change->err.n)
        resp_errorf(&s->conn.out, "ERR %.*s", (int)change->err.n, change->err.p);
    else
        resp_ok(&s->conn.out);
    buf_fini(&change->err);
    free(change->request);
    free(change);
    session_continue(s);
}

static void
change_go_home(struct config_change *change)
{
    if (change->from == change->decider)
        change_answer(&change->msg);
    else
        mesh_reply(change->decider->node->mesh, &change->msg);
}

static void decide_next(struct core *decider);

static void
apply_each(struct fanout_part *p)
{
    const struct config_change *change = p->fanout->arg;

    core_apply_config(p->core, &change->config);
    fanout_part_done(p);
}

static void
applied(struct fanout *f)
{
    struct config_change *change = f->arg;
    struct core *decider = change->decider;

    fanout_free(f);
    decider->config_changing = false;
    change_go_home(change);
    decide_next(decider);
}

static int
change_decide(struct config_change *change)
{
    const struct queued_command *q = change->request;
    uint32_t n = (q->argc - 2) / 2;
    struct config_pair *pairs = scratch_alloc(&change->decider->scratch, n * sizeof(*pairs));

    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (struct config_pair){q->argv[2 + 2 * i], q->argv[3 + 2 * i]};
    change->config = change->decider->config;
    return config_set_live(&change->config, pairs, n, &change->err);
}

static void
change_start(struct config_change *change)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARN};

    if (change_decide(change) < 0) {
        change_go_home(change);
        return;
    }
    log_set_level(levels[change->config.loglevel]);
    change->decider->config_changing = true;
    fanout_start(change->decider, apply_each, applied, change);
}

/* An answer may bring the next request of its client at once, hence back here: that is left to the
 * loop that already runs. */
static void
decide_next(struct core *decider)
{
    struct list *node;

    if (decider->config_deciding)
        return;
    decider->config_deciding = true;
    reactor_hand_begin(&decider->reactor);
    while (!decider->config_changing && (node = list_pop_front(&decider->config_changes)))
        change_start(list_entry(node, struct config_change, node));
    reactor_hand_end(&decider->reactor);
    decider->config_deciding = false;
}

/* On core 0. */
static void
change_arrives(struct mesh_msg *m)
{
    struct config_change *change = container_of(m, struct config_change, msg);

    list_push_back(&change->decider->config_changes, &change->node);
    decide_next(change->decider);
}

static void change_send(struct config_change *change);

static void
change_room(struct mesh_waiter *w)
{
    change_send(container_of(w, struct config_change, room));
}

static void
change_send(struct config_change *change)
{
    struct core *from = change->from;

    if (from == change->decider)
        change_arrives(&change->msg);
    else if (!mesh_send(from->node->mesh, from->id, change->decider->id, &change->msg))
        mesh_wait(from->node->mesh, from->id, change->decider->id, &change->room);
}

void
cmd_config_set(struct ctx *c)
{
    struct config_change *change;

    if (c->argc % 2 != 0) {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    change = calloc(1, sizeof(*change));
    ASSERT(change);
    change->msg = (struct mesh_msg){.run = change_arrives, .done = change_answer};
    change->room.room = change_room;
    change->session = c->session;
    change->from = c->core;
    change->decider = &c->core->node->cores[0];
    change->request = queued_command_create(c->cmd, c->argv, c->argc);
    session_block(c->session);
    change_send(change);
}

/* --- RESETSTAT --------------------------------------------------------------------------------------- */

static void
reset_each(struct fanout_part *p)
{
    core_reset_stats(p->core);
    fanout_part_done(p);
}

static void
reset_done(struct fanout *f)
{
    struct session *s = f->arg;

    resp_ok(&s->conn.out);
    fanout_free(f);
    session_continue(s);
}

void
cmd_config_resetstat(struct ctx *c)
{
    session_block(c->session);
    fanout_start(c->core, reset_each, reset_done, c->session);
}

/* --- REWRITE: on a helper, it writes files ------------------------------------------------------------ */

struct rewrite {
    struct offload_job job;
    struct session *session;
    struct config config;
    struct buf err;
    int rc;
};

static void
rewrite_work(struct offload_job *job)
{
    struct rewrite *r = container_of(job, struct rewrite, job);

    r->rc = config_rewrite(&r->config, &r->err);
}

static void
rewrite_done(struct offload_job *job)
{
    struct rewrite *r = container_of(job, struct rewrite, job);
    struct session *s = r->session;

    if (r->rc == 0)
        resp_ok(&s->conn.out);
    else
        resp_errorf(&s->conn.out, "ERR Rewriting config file: %.*s", (int)r->err.n,
                    r->err.p ? r->err.p : "");
    buf_fini(&r->err);
    free(r);
    session_continue(s);
}

void
cmd_config_rewrite(struct ctx *c)
{
    struct rewrite *r;

    if (c->core->config.file[0] == '\0') {
        ctx_error(c, "ERR The server is running without a config file");
        return;
    }
    r = calloc(1, sizeof(*r));
    ASSERT(r);
    r->config = c->core->config;
    r->session = c->session;
    r->job.work = rewrite_work;
    r->job.done = rewrite_done;
    session_block(c->session);
    offload_submit(c->core->reactor.offload, OFFLOAD_FILES, &r->job);
}

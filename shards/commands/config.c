/* CONFIG. Settings are read from this core's copy; a change is checked here, then goes to every core
 * and is answered when all have it. */
#include "shards/commands/handlers.h"

#include "core/log.h"
#include "shards/engine/fanout.h"
#include "shards/engine/session.h"

#include <stdlib.h>

void
cmd_config_get(struct ctx *c)
{
    const struct config *config = &c->core->config;
    const struct config_row *row;
    struct buf value = {0};
    uint64_t n = 0;

    for (size_t i = 0; (row = config_row(i)); i++)
        for (uint32_t a = 2; a < c->argc; a++)
            if (config_matches(row, c->argv[a])) {
                n++;
                break;
            }
    resp_map(c->out, c->proto, n);
    for (size_t i = 0; (row = config_row(i)); i++)
        for (uint32_t a = 2; a < c->argc; a++)
            if (config_matches(row, c->argv[a])) {
                value.n = 0;
                config_get(config, row, &value);
                resp_bulk(c->out, slice_of(row->name));
                resp_bulk(c->out, (struct slice){value.p ? value.p : "", value.n});
                break;
            }
    buf_fini(&value);
}

/* --- changes, on every core ------------------------------------------------------------------------- */

struct config_change {
    struct session *session;
    struct config config;
};

static void
apply_each(struct fanout_part *p)
{
    struct config_change *change = p->fanout->arg;

    core_apply_config(p->core, &change->config);
    fanout_part_done(p);
}

static void
change_done(struct fanout *f)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARN};
    struct config_change *change = f->arg;
    struct session *s = change->session;

    log_set_level(levels[change->config.loglevel]);
    resp_ok(&s->conn.out);
    free(change);
    fanout_free(f);
    session_continue(s);
}

void
cmd_config_set(struct ctx *c)
{
    uint32_t n = (c->argc - 2) / 2;
    struct config_pair *pairs;
    struct config_change *change;
    struct buf err = {0};

    if (c->argc % 2 != 0) {
        ctx_error(c, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    pairs = scratch_alloc(&c->core->scratch, n * sizeof(*pairs));
    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (struct config_pair){c->argv[2 + 2 * i], c->argv[3 + 2 * i]};
    change = malloc(sizeof(*change));
    ASSERT(change);
    change->config = c->core->config;
    change->session = c->session;
    if (config_set_live(&change->config, pairs, n, &err) < 0) {
        resp_errorf(c->out, "ERR %.*s", (int)err.n, err.p);
        buf_fini(&err);
        free(change);
        return;
    }
    buf_fini(&err);
    session_block(c->session);
    fanout_start(c->core, apply_each, change_done, change);
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

/* TS.MGET, TS.MRANGE, TS.MREVRANGE, TS.QUERYINDEX, TS.QUERYLABELS. See ts_multi.h. */
#include "shards/commands/ts_multi_latest.h"

#include "shards/commands/handlers.h"
#include "shards/engine/core.h"
#include "shards/engine/evict.h"
#include "shards/engine/exec.h"
#include "shards/engine/fanout.h"
#include "shards/engine/session.h"

#include <stdlib.h>

#define ERR_TS_GROUP_ROWS \
    "ERR TSDB: GROUPBY finds more than 4000000 rows: give a longer bucket or a narrower FILTER"
static_assert(TS_MULTI_GROUP_ROWS_MAX == 4000000, "the error says so");

/* --- from parts to a reply -------------------------------------------------------------------- */

/* Under way. Starts zeroed but for the parts, which it frees, and bytes_max. */
struct multi_answer {
    struct ts_part *parts;
    uint32_t n;
    uint64_t bytes_max; /* of what is written of groups */
    struct ts_grouping *grouping;
    struct ts_part groups;
    struct ts_counting words;
};

static uint64_t
items_of(const struct multi_answer *x)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < x->n; i++)
        n += x->parts[i].n + x->parts[i].list.n;
    return n;
}

/* Goes on until the clock says until_ns; true: there is a reply, maybe an error. */
static bool
group(struct multi_answer *x, const struct ts_multi *m, int proto, struct buf *out,
      uint64_t until_ns)
{
    int rc;

    if (x->grouping == NULL)
        x->grouping = ts_grouping_create(x->parts, x->n, x->bytes_max);
    if (x->grouping == NULL) {
        resp_error(out, ERR_TS_GROUP_ROWS);
        return true;
    }
    rc = ts_grouping_step(x->grouping, m, proto, &x->groups, until_ns);
    if (rc == -EINPROGRESS)
        return false;
    if (rc == -E2BIG) {
        ts_multi_too_much(out, x->bytes_max, "GROUPBY makes", "select fewer labels or give");
        return true;
    }
    ts_multi_reply(out, proto, m, x->groups.n, &x->groups, 1);
    return true;
}

/* The same. Several cores may have the same words; a key is one core's. */
static bool
answer_step(struct multi_answer *x, const struct ts_multi *m, int proto, struct buf *out,
            uint64_t until_ns)
{
    uint64_t n = items_of(x);

    if (m->grouped)
        return group(x, m, proto, out, until_ns);
    if (m->is_list && m->of != LABEL_SCAN_KEYS && x->n > 1) {
        if (!ts_counting_step(&x->words, x->parts, x->n, until_ns))
            return false;
        n = x->words.n;
    }
    ts_multi_reply(out, proto, m, n, x->parts, x->n);
    return true;
}

/* Frees in slices; true: nothing is left. */
static bool
answer_free_step(struct multi_answer *x, uint64_t until_ns)
{
    ts_counting_fini(&x->words);
    ts_grouping_destroy(&x->grouping);
    if (!ts_part_free_step(&x->groups, until_ns))
        return false;
    for (; x->n > 0; x->n--)
        if (!ts_part_free_step(&x->parts[x->n - 1], until_ns))
            return false;
    free(x->parts);
    x->parts = NULL;
    return true;
}

/* --- in a transaction: all shards are this thread's -------------------------------------------- */

static void
multi_leased(struct ctx *c, const struct ts_multi *m)
{
    struct multi_answer x = {.n = ctx_shards(c), .bytes_max = c->core->limits.multi_bytes};
    struct ts_gather *g = calloc(x.n, sizeof(*g));
    uint64_t until = clock_now_ns() + ts_exec_ns(c);
    enum ts_gathered r = TS_GATHER_DONE;
    bool in_time = true;

    x.parts = calloc(x.n, sizeof(*x.parts));
    ASSERT(g && x.parts);
    for (uint32_t i = 0; i < x.n && r == TS_GATHER_DONE; i++) {
        r = ts_gather_step(&g[i], c, ctx_shard_at(c, i), until);
        ts_gather_leave(&g[i], ctx_shard_at(c, i));
        x.parts[i] = g[i].part;
        g[i].part = (struct ts_part){0};
        ts_gather_fini(&g[i]);
    }
    if (r == TS_GATHER_DONE && !c->probe)
        in_time = answer_step(&x, m, c->proto, c->out, until);
    if (r == TS_GATHER_MORE || !in_time)
        ts_reply_takes_long(c);
    answer_free_step(&x, UINT64_MAX);
    free(g);
}

/* --- else every core is asked ------------------------------------------------------------------ */

struct multi_job {
    struct session *session;
    struct queued_command *q;
    uint64_t client_id;
    uint8_t db, proto;
    /* when all parts are there: */
    struct core *core;
    struct multi_answer answer;
    bool answered;
    struct timer next_slice;
};

/* On the core it runs on. */
struct multi_part {
    struct fanout_part *p;
    struct exec_waiter waiter; /* for a lease that ends, or for what is fetched */
    struct timer next_slice;
    struct ack_waiter ack;
    struct ts_gather g;
    struct ts_asker asker;
    uint32_t attempts;              /* fetches without a step forward */
    uint64_t attempts_at;           /* where it stood then */
};

static void part_step(struct multi_part *x);

static void
part_lease_over(struct shard_waiter *w, struct shard *sh)
{
    part_step(container_of(container_of(w, struct exec_waiter, lease), struct multi_part, waiter));
}

static void
part_fetched(struct exec_waiter *w)
{
    part_step(container_of(w, struct multi_part, waiter));
}

static void
part_slice(struct timer *t)
{
    part_step(container_of(t, struct multi_part, next_slice));
}

static void
part_answered(struct ts_asker *a)
{
    part_step(container_of(a, struct multi_part, asker));
}

static void
part_ask(struct multi_part *x, const struct multi_job *job)
{
    x->asker = (struct ts_asker){.answered = part_answered, .questions = &x->g.questions,
                                 .cmd = job->q->cmd, .argv = job->q->argv, .argc = job->q->argc,
                                 .db = job->db};
    ts_ask(x->p->core, &x->asker);
}

static void
part_acked(struct ack_waiter *w)
{
    fanout_part_done(container_of(w, struct multi_part, ack)->p);
}

/* What was shown may be in any batch that is not acknowledged yet. */
static void
part_end(struct multi_part *x)
{
    struct shard *sh = &x->p->core->shard;

    ts_gather_leave(&x->g, sh);
    x->ack.run = part_acked;
    if (x->p->core->everysec_ack)
        part_acked(&x->ack);
    else
        shard_when_acked(sh, &x->ack, shard_newest_seq(sh));
}

static void
part_fail(struct multi_part *x)
{
    x->p->rc = -EINVAL;
    part_end(x);
}

static void
part_fetch(struct multi_part *x, struct ctx *c)
{
    if (x->attempts_at != x->g.done + x->g.next.steps)
        x->attempts = 0;
    x->attempts_at = x->g.done + x->g.next.steps;
    if (x->attempts++ == EXEC_ATTEMPTS_MAX) {
        resp_errorf(c->out, "ERR what '%s' needs from disk does not stay in the block cache "
                            "(store-block-cache-bytes): ask for less at once", c->cmd->name);
        part_fail(x);
        return;
    }
    if (evict_is_due(c->core, c->sh))
        evict_make_room(c->core, c->sh);
    x->waiter.again = part_fetched;
    load_start(c->core, &c->need, &x->waiter);
}

static void
part_step(struct multi_part *x)
{
    const struct multi_job *job = x->p->fanout->arg;
    struct core *core = x->p->core;
    uint64_t until = clock_now_ns() + core->limits.slice_ns;
    struct ctx c;

    if (!shard_available(&core->shard)) {
        x->waiter.lease.run = part_lease_over;
        shard_wait(&core->shard, &x->waiter.lease);
        return;
    }
    if (unlikely(core_hurries(core))) { /* leaving touches the shard as well */
        resp_error(&x->p->out, ERR_STOPPING);
        part_fail(x);
        return;
    }
    ctx_init(&c, core, job->q->cmd, job->q->argv, job->q->argc, &x->p->out);
    c.sh = &core->shard;
    c.client_id = job->client_id;
    c.db = job->db;
    c.proto = job->proto;
    slices_take_spare(&c);
    switch (ts_gather_step(&x->g, &c, c.sh, until)) {
    case TS_GATHER_MORE:
        x->next_slice.fn = part_slice;
        timer_arm(&core->reactor.timers, &x->next_slice, core->reactor.clock.mono_ns + 1);
        break;
    case TS_GATHER_NEED:
        part_fetch(x, &c);
        break;
    case TS_GATHER_ASK:
        part_ask(x, job);
        break;
    case TS_GATHER_FAILED:
        part_fail(x);
        break;
    case TS_GATHER_DONE:
        part_end(x);
        break;
    }
}

static void
multi_each(struct fanout_part *p)
{
    struct multi_part *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->p = p;
    p->priv = x;
    part_step(x);
}

/* --- back on the client's core ----------------------------------------------------------------- */

static const struct fanout_part *
failed_part(const struct fanout *f)
{
    for (uint32_t i = 0; i < f->from->ncores; i++)
        if (f->parts[i].rc < 0)
            return &f->parts[i];
    return NULL;
}

static void
take_parts(struct fanout *f, struct ts_part *parts)
{
    for (uint32_t i = 0; i < f->from->ncores; i++) {
        struct multi_part *x = f->parts[i].priv;

        parts[i] = x->g.part;
        x->g.part = (struct ts_part){0};
        ts_gather_fini(&x->g);
        free(x);
    }
}

static void job_slice(struct timer *t);

static void
job_go_on(struct multi_job *job)
{
    job->next_slice.fn = job_slice;
    timer_arm(&job->core->reactor.timers, &job->next_slice, job->core->reactor.clock.mono_ns + 1);
}

/* True: there is a reply, or nobody who waits for one. */
static bool
job_answer(struct multi_job *job, uint64_t until_ns)
{
    struct buf *out = &job->session->conn.out;
    bool over = true;
    struct ts_multi m;
    struct ctx c;

    ctx_init(&c, job->core, job->q->cmd, job->q->argv, job->q->argc, out);
    /* False: ts-compat changed meanwhile, and that is the reply. */
    if (!job->session->conn.closing && ts_multi_parse(&c, &m)) {
        over = answer_step(&job->answer, &m, job->proto, out, until_ns);
        ts_multi_fini(&m);
    }
    return over;
}

/* The client goes on once it is answered; what is left over is freed afterwards. */
static void
job_step(struct multi_job *job)
{
    uint64_t until = clock_now_ns() + job->core->limits.slice_ns;

    if (!job->answered) {
        if (!job_answer(job, until)) {
            job_go_on(job);
            return;
        }
        job->answered = true;
        session_continue(job->session);
    }
    if (!answer_free_step(&job->answer, until)) {
        job_go_on(job);
        return;
    }
    job->core->multis--;
    free(job->q);
    free(job);
}

static void
job_slice(struct timer *t)
{
    job_step(container_of(t, struct multi_job, next_slice));
}

static void
multi_done(struct fanout *f)
{
    struct multi_job *job = f->arg;
    const struct fanout_part *failed = failed_part(f);

    job->core = f->from;
    job->answer.n = f->from->ncores;
    job->answer.bytes_max = f->from->limits.multi_bytes;
    job->answer.parts = calloc(job->answer.n, sizeof(*job->answer.parts));
    ASSERT(job->answer.parts);
    take_parts(f, job->answer.parts);
    if (failed && !job->session->conn.closing)
        buf_append(&job->session->conn.out, failed->out.p, failed->out.n);
    fanout_free(f);
    if (failed) {
        job->answered = true;
        session_continue(job->session);
    }
    job_step(job);
}

static void
multi_fanout(struct ctx *c)
{
    struct multi_job *job = calloc(1, sizeof(*job));

    ASSERT(job);
    *job = (struct multi_job){.session = c->session, .client_id = c->client_id, .db = c->db,
                              .proto = c->proto,
                              .q = queued_command_create(c->cmd, c->argv, c->argc)};
    c->core->multis++;
    session_block(c->session);
    fanout_start(c->core, multi_each, multi_done, job);
}

/* --- commands ---------------------------------------------------------------------------------- */

static void
multi_command(struct ctx *c)
{
    struct ts_multi m;

    if (!ts_multi_parse(c, &m))
        return;
    if (c->in_exec)
        multi_leased(c, &m);
    else
        multi_fanout(c);
    ts_multi_fini(&m);
}

void
cmd_ts_mget(struct ctx *c)
{
    multi_command(c);
}

void
cmd_ts_mrange(struct ctx *c)
{
    multi_command(c);
}

void
cmd_ts_queryindex(struct ctx *c)
{
    multi_command(c);
}

void
cmd_ts_mrevrange(struct ctx *c)
{
    multi_command(c);
}

void
cmd_ts_querylabels(struct ctx *c)
{
    multi_command(c);
}

/* Questions for open buckets, and how a core answers them. See ts_multi_latest.h. */
#include "shards/commands/ts_multi_latest.h"

#include "shards/engine/core.h"
#include "shards/engine/evict.h"
#include "shards/engine/exec.h"
#include "shards/engine/fanout.h"
#include "shards/store/row.h"

#include <stdlib.h>

/* --- questions -------------------------------------------------------------------------------- */

bool
ts_is_foreign(const struct ctx *c, const struct entry *e)
{
    const struct series_meta *m = series_key_settings(entry_series(e));

    return m->has_source &&
           !ctx_has_shard(c, shard_slot_owner(key_slot(m->source), c->core->ncores));
}

void
ts_questions_fini(struct ts_questions *q)
{
    buf_fini(&q->names);
    free(q->p);
    *q = (struct ts_questions){0};
}

void
ts_questions_clear(struct ts_questions *q)
{
    buf_cut(&q->names, 0);
    q->n = q->at = 0;
}

bool
ts_questions_add(struct ts_questions *q, struct slice to, struct slice from)
{
    if (q->n == TS_QUESTIONS_MAX)
        return false;
    if (q->n == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 16;
        q->p = realloc(q->p, q->cap * sizeof(*q->p));
        ASSERT(q->p);
    }
    q->p[q->n++] = (struct ts_question){.names = q->names.n, .to_n = (uint32_t)to.n,
                                        .from_n = (uint32_t)from.n};
    buf_append(&q->names, to.p, to.n);
    buf_append(&q->names, from.p, from.n);
    return true;
}

static struct slice
to_of(const struct ts_questions *q, const struct ts_question *one)
{
    return (struct slice){q->names.p + one->names, one->to_n};
}

static struct slice
from_of(const struct ts_questions *q, const struct ts_question *one)
{
    return (struct slice){q->names.p + one->names + one->to_n, one->from_n};
}

const struct ts_question *
ts_questions_find(struct ts_questions *q, struct slice to, struct slice from)
{
    for (uint32_t i = q->at; i < q->n; i++)
        if (slice_equal(to_of(q, &q->p[i]), to)) {
            q->at = i;
            return slice_equal(from_of(q, &q->p[i]), from) ? &q->p[i] : NULL;
        }
    return NULL;
}

/* --- answers ----------------------------------------------------------------------------------- */

/* On a core that is asked. */
struct answering {
    struct fanout_part *p;
    struct exec_waiter waiter; /* for a lease that ends, or for what is fetched */
    struct timer next_slice;
    struct ack_waiter ack;
    uint32_t at;
    uint32_t attempts; /* fetches for question number `at` */
};

static void answer_on(struct answering *x);

static void
answer_lease_over(struct shard_waiter *w, struct shard *sh)
{
    answer_on(container_of(container_of(w, struct exec_waiter, lease), struct answering, waiter));
}

static void
answer_fetched(struct exec_waiter *w)
{
    answer_on(container_of(w, struct answering, waiter));
}

static void
answer_slice(struct timer *t)
{
    answer_on(container_of(t, struct answering, next_slice));
}

static void
answer_acked(struct ack_waiter *w)
{
    struct answering *x = container_of(w, struct answering, ack);
    struct fanout_part *p = x->p;

    free(x);
    fanout_part_done(p);
}

/* What was seen may be in any batch that is not acknowledged yet. */
static void
answer_end(struct answering *x)
{
    struct shard *sh = &x->p->core->shard;

    x->ack.run = answer_acked;
    if (x->p->core->everysec_ack)
        answer_acked(&x->ack);
    else
        shard_when_acked(sh, &x->ack, shard_newest_seq(sh));
}

/* -EAGAIN: c->need is set. */
static int
answer_one(struct ctx *c, struct ts_questions *q, struct ts_question *one)
{
    struct slice from = from_of(q, one);
    uint64_t hash = head_hash(from);
    struct entry *e;
    struct key k;

    if (!load_key_now(c->sh, c->db, from, hash)) {
        c->need = (struct need){.kind = NEED_KEY, .sh = c->sh, .db = c->db, .key = from};
        return -EAGAIN;
    }
    k = key_open(c, from);
    e = key_find(c, &k);
    if (e == NULL || e->type != ENTRY_SERIES)
        return 0;
    return ts_rule_open(c, &k, e, to_of(q, one), &one->sample);
}

/* False: it has been fetched for too often. */
static bool
answer_fetch(struct answering *x, struct ctx *c)
{
    if (x->attempts++ == EXEC_ATTEMPTS_MAX)
        return false;
    if (evict_is_due(c->core, c->sh))
        evict_make_room(c->core, c->sh);
    x->waiter.again = answer_fetched;
    load_start(c->core, &c->need, &x->waiter);
    return true;
}

static bool
is_mine(const struct core *core, const struct ts_questions *q, const struct ts_question *one)
{
    return shard_slot_owner(key_slot(from_of(q, one)), core->ncores) == core->id;
}

static void
answer_all(struct answering *x, struct ctx *c)
{
    const struct ts_asker *a = x->p->fanout->arg;
    struct ts_questions *q = a->questions;
    uint64_t until_ns = clock_now_ns() + c->core->limits.slice_ns;
    bool any = false;

    for (; x->at < q->n; x->at++, x->attempts = 0) {
        struct ts_question *one = &q->p[x->at];

        if (!is_mine(c->core, q, one))
            continue;
        if (any && clock_now_ns() > until_ns) {
            x->next_slice.fn = answer_slice;
            timer_arm(&c->core->reactor.timers, &x->next_slice, c->core->reactor.clock.mono_ns + 1);
            return;
        }
        any = true;
        one->rc = answer_one(c, q, one);
        if (one->rc == -EAGAIN) {
            if (answer_fetch(x, c))
                return;
            one->rc = -EBUSY;
        }
    }
    answer_end(x);
}

static void
answer_on(struct answering *x)
{
    const struct ts_asker *a = x->p->fanout->arg;
    struct core *core = x->p->core;
    struct ctx c;

    if (!shard_available(&core->shard)) {
        x->waiter.lease.run = answer_lease_over;
        shard_wait(&core->shard, &x->waiter.lease);
        return;
    }
    ctx_init(&c, core, a->cmd, a->argv, a->argc, &x->p->out);
    c.sh = &core->shard;
    c.client_id = 0;
    c.db = a->db;
    c.proto = 2;
    answer_all(x, &c);
}

static void
answer_each(struct fanout_part *p)
{
    struct answering *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->p = p;
    answer_on(x);
}

static void
answers_back(struct fanout *f)
{
    struct ts_asker *a = f->arg;

    fanout_free(f);
    a->answered(a);
}

void
ts_ask(struct core *core, struct ts_asker *a)
{
    fanout_start(core, answer_each, answers_back, a);
}

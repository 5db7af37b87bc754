/* A transaction that reads ahead in slices, and makes its reply in slices: see slices.h. */
#include "shards/engine/txn_priv.h"

#include "core/clock.h"
#include "shards/engine/core.h"
#include "shards/engine/evict.h"

static void part_go_on(struct txn_part *p);

static void
part_lease_over(struct shard_waiter *w, struct shard *sh)
{
    part_go_on(container_of(container_of(w, struct exec_waiter, lease), struct txn_part, fetched));
}

static void
part_fetched(struct exec_waiter *w)
{
    part_go_on(container_of(w, struct txn_part, fetched));
}

static void
part_slice(struct timer *t)
{
    part_go_on(container_of(t, struct txn_part, slice));
}

/* What does not come, or does not stay, is the command's to find out: it gets so many tries. */
static void
part_fetch(struct txn_part *p, struct ctx *c)
{
    if (p->slice_fetches++ == EXEC_ATTEMPTS_MAX * NEED_KEYS_MAX) {
        txn_part_notify(p);
        return;
    }
    if (evict_is_due(c->core, c->sh))
        evict_make_room(c->core, c->sh);
    p->fetched.again = part_fetched;
    p->fetched.keeps_rows = p->fetched.holds_lease = false;
    load_start(c->core, &c->need, &p->fetched);
}

static void
part_go_on(struct txn_part *p)
{
    struct txn *t = p->txn;
    const struct queued_command *q = t->commands;
    struct core *core = p->sh->core;
    struct buf out = {0};
    struct ctx c;

    if (unlikely(core_hurries(core))) {
        txn_part_notify(p); /* it is refused then */
        return;
    }
    if (!shard_available(p->sh)) {
        p->fetched.lease.run = part_lease_over;
        shard_wait(p->sh, &p->fetched.lease);
        return;
    }
    metrics_inc(&core->metrics, txn_slices);
    ctx_init(&c, core, q->cmd, q->argv, q->argc, &out);
    c.sh = p->sh;
    c.db = t->first_db;
    c.proto = t->proto;
    c.client_id = t->client_id;
    slices_take_spare(&c);
    switch (t->slices->step(t->slices, &c, p->sh, clock_now_ns() + core->limits.slice_ns)) {
    case SLICES_MORE:
        p->slice.fn = part_slice;
        timer_arm(&core->reactor.timers, &p->slice, core->reactor.clock.mono_ns + 1);
        break;
    case SLICES_NEED:
        part_fetch(p, &c);
        break;
    case SLICES_DONE:
        txn_part_notify(p);
        break;
    }
    buf_fini(&out);
}

void
txn_slices_begin(struct txn_part *p)
{
    p->slice_fetches = 0;
    part_go_on(p);
}

/* --- the reply -------------------------------------------------------------------------------- */

static void
reply_slice(struct timer *timer)
{
    struct txn *t = container_of(timer, struct txn, reply_slice);
    struct ctx c = txn_ctx(t, t->commands);

    if (!t->session->conn.closing &&
        !t->slices->reply(t->slices, &c, clock_now_ns() + t->core->limits.slice_ns)) {
        t->reply_slice.fn = reply_slice;
        timer_arm(&t->core->reactor.timers, &t->reply_slice, t->core->reactor.clock.mono_ns + 1);
        return;
    }
    t->slices->replies = false;
    txn_end(t);
}

void
txn_slices_reply(struct txn *t)
{
    reply_slice(&t->reply_slice);
}

/* Giving the leases back, and the answer: at once, or when every part is durable. */
#include "shards/engine/txn_priv.h"

#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/rows.h"

#include <stdlib.h>

static void
txn_destroy(struct txn *t)
{
    while (t->commands) {
        struct queued_command *q = t->commands;

        t->commands = q->next;
        free(q);
    }
    buf_fini(&t->reply);
    if (t->slices)
        t->slices->destroy(t->slices);
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

    t->session = NULL;
    if (t->answer) {
        t->answer(t->answer_arg, &t->reply);
        return;
    }
    if (!s->conn.closing)
        buf_move(&s->conn.out, &t->reply, 0, t->reply.n);
    if (txn_is_local(t) && t->parts[0].holds && session_must_hold(s, t->parts[0].seq)) {
        s->hold = true;
        s->hold_seq = t->parts[0].seq;
    }
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

static bool
txn_replies_later(const struct txn *t)
{
    return t->slices && t->slices->replies;
}

void
txn_end(struct txn *t)
{
    if (txn_replies_later(t)) {
        txn_slices_reply(t);
        return;
    }
    txn_reply(t);
    txn_destroy(t);
}

static void
part_acked(struct ack_waiter *w)
{
    struct txn_part *p = container_of(w, struct txn_part, ack);

    p->failed = p->failed || w->failed;
    txn_part_notify(p);
}

static void
part_ready(struct shard_group *g)
{
    struct txn_part *p = container_of(g, struct txn_part, group);

    p->failed = p->failed || g->failed;
    txn_part_notify(p);
}

static void
resolved_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    shard_group_resolved(p->sh, &p->group);
    txn_part_reply(p);
}

/* The group will never be whole: nothing after it may be acknowledged here either. */
static void
doomed_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    shard_group_doomed(p->sh, &p->group);
    txn_part_reply(p);
}

/* Every part is ready: whatever happens now, the group is whole after it. Or a journal failed. */
static void
txn_resolve(struct txn *t)
{
    struct reactor *r = &t->core->reactor;
    bool failed = txn_failed(t);

    reactor_hand_begin(r); /* the parts are to hear of it as well */
    txn_reply(t);
    reactor_hand_end(r);
    t->next = txn_destroy;
    t->pending = t->parts_n;
    txn_parts_call(t, failed ? doomed_run : resolved_run);
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
    store_hold_release(&p->fetched.held);
    if (p->txn->slices)
        p->txn->slices->leave(p->txn->slices, p->sh);
    shard_unlease(p->sh);
    if (!group && p->txn->owes_answer && p->holds)
        shard_when_acked(p->sh, &p->ack, p->seq);
    txn_part_reply(p);
}

/* What the reply waits for in the part's journal: everything when the transaction has written, or
 * read in slices, of which nobody knows what they saw; else what its commands have shown. So one
 * that was refused waits for nothing, and what is read does not wait for what others wrote
 * meanwhile. */
static bool
part_holds(const struct txn *t, const struct txn_part *p, uint32_t *ret_seq)
{
    const struct shard_hold *h = &t->holds[p->sh->id];

    if (t->changed || t->shows_all || t->slices) {
        *ret_seq = shard_newest_seq(p->sh);
        return true;
    }
    if (h->any)
        *ret_seq = h->seq;
    return h->any;
}

void
txn_release(struct txn *t)
{
    bool group = t->parts[0].lsn != 0;
    uint32_t n = t->parts_n, holding = 0;

    for (uint32_t i = 0; i < n; i++) {
        t->parts[i].holds = part_holds(t, &t->parts[i], &t->parts[i].seq);
        holding += t->parts[i].holds;
    }
    t->owes_answer = !t->core->everysec_ack && !txn_is_local(t);
    t->next = group ? txn_resolve : txn_end;
    t->pending = n + (group ? n : t->owes_answer ? holding : 0);
    if (!t->owes_answer && !txn_replies_later(t))
        txn_answer(t);
    txn_parts_call(t, release_run);
}

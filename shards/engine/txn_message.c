/* What a transaction's coordinator and the owners of its shards say to each other: stages that run on
 * the owner and come back, and notices when what an owner waited for has come. */
#include "shards/engine/txn_priv.h"

#include "shards/engine/core.h"

#include <stdlib.h>

/* A reply or a notice came. */
void
txn_step(struct txn *t)
{
    ASSERT(t->pending > 0);
    if (--t->pending == 0)
        t->next(t);
}

/* --- messages to the owners ---------------------------------------------------------------------- */

static void
part_room(struct mesh_waiter *w)
{
    txn_part_send(container_of(w, struct txn_part, room));
}

void
txn_part_send(struct txn_part *p)
{
    struct core *core = p->txn->core;

    if (mesh_send(core->node->mesh, core->id, p->sh->id, &p->msg))
        return;
    metrics_inc(&core->metrics, mesh_no_credit);
    p->room.room = part_room;
    mesh_wait(core->node->mesh, core->id, p->sh->id, &p->room);
}

static void part_send_urgent(struct txn_part *p);

static void
part_room_urgent(struct mesh_waiter *w)
{
    part_send_urgent(container_of(w, struct txn_part, room));
}

static void
part_send_urgent(struct txn_part *p)
{
    struct core *core = p->txn->core;

    if (mesh_send_urgent(core->node->mesh, core->id, p->sh->id, &p->msg))
        return;
    metrics_inc(&core->metrics, mesh_no_credit);
    p->room.room = part_room_urgent;
    mesh_wait_urgent(core->node->mesh, core->id, p->sh->id, &p->room);
}

static void
stage_done(struct mesh_msg *m)
{
    txn_step(container_of(m, struct txn_part, msg)->txn);
}

/* Runs the stage on the part's owner, at once when that is this core; txn_step follows when it is
 * over. `run` ends with part_reply. */
void
txn_part_call(struct txn_part *p, void (*run)(struct mesh_msg *))
{
    p->msg.run = run;
    p->msg.done = stage_done;
    if (p->sh->core == p->txn->core)
        run(&p->msg);
    else
        part_send_urgent(p);
}

void
txn_parts_call(struct txn *t, void (*run)(struct mesh_msg *))
{
    struct reactor *r = &t->core->reactor; /* with its last part the transaction may be gone */
    uint32_t n = t->parts_n;

    reactor_hand_begin(r);
    for (uint32_t i = 0; i < n; i++)
        txn_part_call(&t->parts[i], run);
    reactor_hand_end(r);
}

/* On the owner: the stage is over. */
void
txn_part_reply(struct txn_part *p)
{
    if (p->sh->core == p->txn->core)
        p->msg.done(&p->msg);
    else
        mesh_reply(p->sh->core->node->mesh, &p->msg);
}

/* --- notices from the owners --------------------------------------------------------------------- */

/* From the owner to the coordinator: what the part waited for has come. */
struct txn_notice {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct txn_part *part;
    struct core *from;
};

static void
notice_run(struct mesh_msg *m)
{
    struct txn_notice *n = container_of(m, struct txn_notice, msg);
    struct txn *t = n->part->txn;

    mesh_reply(t->core->node->mesh, m);
    txn_step(t);
}

static void
notice_done(struct mesh_msg *m)
{
    free(container_of(m, struct txn_notice, msg));
}

static void
notice_send(struct txn_notice *n)
{
    struct core *to = n->part->txn->core;

    if (!mesh_send_urgent(to->node->mesh, n->from->id, to->id, &n->msg))
        mesh_wait_urgent(to->node->mesh, n->from->id, to->id, &n->room);
}

static void
notice_room(struct mesh_waiter *w)
{
    notice_send(container_of(w, struct txn_notice, room));
}

/* On the owner. */
void
txn_part_notify(struct txn_part *p)
{
    struct txn_notice *n;

    if (p->sh->core == p->txn->core) {
        txn_step(p->txn);
        return;
    }
    n = calloc(1, sizeof(*n));
    ASSERT(n);
    n->msg.run = notice_run;
    n->msg.done = notice_done;
    n->room.room = notice_room;
    n->part = p;
    n->from = p->sh->core;
    notice_send(n);
}

#include "shards/engine/fanout.h"

#include <stdlib.h>

static void part_send(struct fanout_part *p);

static void
part_room(struct mesh_waiter *w)
{
    part_send(container_of(w, struct fanout_part, room));
}

static void
part_send(struct fanout_part *p)
{
    struct core *from = p->fanout->from;

    if (mesh_send(from->node->mesh, from->id, p->core->id, &p->msg))
        return;
    p->room.room = part_room;
    mesh_wait(from->node->mesh, from->id, p->core->id, &p->room);
}

static void
part_run(struct mesh_msg *m)
{
    struct fanout_part *p = container_of(m, struct fanout_part, msg);

    p->fanout->each(p);
}

static void
part_back(struct mesh_msg *m)
{
    struct fanout *f = container_of(m, struct fanout_part, msg)->fanout;

    if (--f->pending == 0)
        f->done(f);
}

void
fanout_part_done(struct fanout_part *p)
{
    if (p->core == p->fanout->from)
        part_back(&p->msg);
    else
        mesh_reply(p->core->node->mesh, &p->msg);
}

void
fanout_start(struct core *from, void (*each)(struct fanout_part *), void (*done)(struct fanout *),
             void *arg)
{
    struct fanout *f = calloc(1, sizeof(*f));
    uint32_t n = from->ncores;

    ASSERT(f);
    f->parts = calloc(n, sizeof(*f->parts));
    ASSERT(f->parts);
    f->from = from;
    f->each = each;
    f->done = done;
    f->arg = arg;
    f->pending = n;
    for (uint32_t i = 0; i < n; i++) {
        struct fanout_part *p = &f->parts[i];

        p->fanout = f;
        p->core = &from->node->cores[i];
        p->msg.run = part_run;
        p->msg.done = part_back;
        if (p->core != from)
            part_send(p);
    }
    each(&f->parts[from->id]);
}

void
fanout_free(struct fanout *f)
{
    for (uint32_t i = 0; i < f->from->ncores; i++)
        buf_fini(&f->parts[i].out);
    free(f->parts);
    free(f);
}

/* Asking every core something and gathering what they append: CLIENT LIST, CONFIG SET, SAVE ...
 * Each core's part runs on its own thread with its own buffer; done runs on the asking core when all
 * are back, in core order. */
#ifndef SHARDS_ENGINE_FANOUT_H
#define SHARDS_ENGINE_FANOUT_H

#include "shards/engine/core.h"

struct fanout;

struct fanout_part {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct fanout *fanout;
    struct core *core;   /* the core it runs on */
    struct buf out;      /* what it has to say */
    int64_t number;      /* or a number */
    int rc;
    void *priv;          /* its own, while it waits for something */
};

struct fanout {
    struct core *from;
    /* On each core; when it is finished (now or later) it calls fanout_part_done. */
    void (*each)(struct fanout_part *p);
    /* On the asking core; frees with fanout_free. */
    void (*done)(struct fanout *f);
    void *arg;
    uint32_t pending;
    struct fanout_part *parts; /* one a core */
};

/* Starts it. `arg` is the caller's, kept until done. */
void fanout_start(struct core *from, void (*each)(struct fanout_part *), void (*done)(struct fanout *),
                  void *arg);
void fanout_part_done(struct fanout_part *p);
void fanout_free(struct fanout *f);

#endif

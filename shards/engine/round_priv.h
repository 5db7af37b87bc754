/* A remote batch, as the core that asks and the core that runs it see it: round.c sends it and puts its
 * replies in order, round_run.c runs it. */
#ifndef SHARDS_ENGINE_ROUND_PRIV_H
#define SHARDS_ENGINE_ROUND_PRIV_H

#include "shards/engine/round.h"

/* How a request stands in a batch: this, argc lengths, then the arguments, padded to 8. */
struct remote_command {
    uint64_t hash;
    const struct command *cmd;
    uint32_t argc;
    uint32_t bytes; /* of the whole, to find the next one */
    uint8_t db;
};

struct remote {
    struct mesh_msg msg;
    struct round *round;
    struct core *sender;
    struct mesh_waiter room;
    struct list pool_node;
    uint16_t target;
    uint8_t proto;
    uint64_t client_id;
    struct buf requests;
    uint32_t requests_n;
    bool writes; /* one of them may */
    /* the target's, while the message is there */
    size_t at;    /* the next request */
    size_t ahead; /* requests before this one have been prefetched */
    struct buf replies;
    struct buf lens; /* uint32 per reply */
    struct exec_waiter waiter;
    struct ack_waiter ack;
    uint32_t attempts;
    bool hold, wrote; /* wrote: a reply acknowledges a write */
    uint32_t hold_seq;
    struct core *runner;
    /* the sender's again: how far stitching has come */
    size_t reply_at;
    uint32_t len_at;
};

/* Runs the batch on its target and answers it: the message of a batch, there. */
void remote_run(struct mesh_msg *msg);
/* The reply of a request stands in m->replies from `before` on. */
void remote_replied(struct remote *m, size_t before);

#endif

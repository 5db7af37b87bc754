/* What the files of the transactions share: txn.c starts one and runs its commands, txn_lease.c leases
 * its shards and starts over, txn_gate.c asks whether it can run, txn_answer.c gives back and
 * answers, txn_message.c carries it all between the cores. */
#ifndef SHARDS_ENGINE_TXN_PRIV_H
#define SHARDS_ENGINE_TXN_PRIV_H

#include "core/mesh.h"
#include "shards/engine/exec.h"
#include "shards/engine/slices.h"
#include "shards/engine/txn.h"

/* One shard's part. Its messages go out one at a time, so one mesh_msg serves all stages. Only the
 * request for the lease is kept by the owner until it is granted; all others are urgent: they end
 * what others wait for, so they must get through whatever waits. What the owner then waits for
 * itself it says with a notice. */
struct txn_part {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct txn *txn;
    struct shard *sh;
    struct shard_waiter lease;  /* on the owner: waits for its turn */
    struct exec_waiter fetched; /* on the owner: waits for what is in the way */
    struct ack_waiter ack;      /* on the owner: what it saw is acknowledged ... */
    struct shard_group group;   /* ... or, in a group, its part is ready */
    bool failed;                /* its journal failed before that */
    bool holds;                 /* the reply waits for ... */
    uint32_t seq;               /* ... this batch */
    uint64_t lsn;               /* of the GROUP record */
    /* why it must be tried again */
    enum exec_result obstacle;
    bool over_memory;
    struct need need;
    struct buf need_bytes; /* its keys, each behind its length: of NEED_KEY and NEED_RANGE several */
    struct need *ranges;   /* NEED_RANGE: need_n of them */
    uint32_t need_n;
    /* on the owner, while it reads ahead */
    struct timer slice;
    uint32_t slice_fetches;
};

/* How it goes on once its commands have run, or could not. */
enum txn_step {
    TXN_GOES_ON,     /* to its answer */
    TXN_STARTS_OVER, /* nothing was done: gives all back, waits for what was noted, leases again */
    TXN_FETCHES,     /* keeps the leases, and goes on at t->at when what was noted is there */
};

struct txn {
    struct session *session;
    struct core *core;
    struct queued_command *commands; /* own list */
    bool exec;                       /* reply is the array of an EXEC */
    bool writes;
    bool grows;                      /* a command of it is CMD_DENYOOM */
    const char *refused_memory;      /* why; NULL: it is not */
    bool changed;                    /* it was not refused */
    bool shows_all; /* who can tell what was seen: its reply waits for all there is */
    bool owes_answer;                /* it waits for the journals */
    bool widens;                     /* a command needs shards that are only in `wanted` */
    uint8_t db, first_db;
    uint32_t queue_n; /* commands of an EXEC */
    uint64_t arguments; /* of all its commands */
    uint32_t parts_n, leased_n;
    uint32_t pending;                /* replies and notices until ... */
    void (*next)(struct txn *t);
    uint32_t attempts;
    uint32_t failed_fetches;   /* that met something that cannot be read */
    bool fetch_failed;         /* so did the last one, for what runs now */
    struct queued_command *at; /* it goes on here once what was fetched has come; and how often */
    uint32_t fetches;          /* that was for this one command */
    uint64_t shards[SHARD_SET_WORDS]; /* the participants */
    uint64_t wanted[SHARD_SET_WORDS];
    txn_answer_fn answer; /* NULL: the reply is the session's next one */
    void *answer_arg;
    struct buf reply;
    struct slices *slices; /* NULL: it reads, and replies, in one go */
    struct timer reply_slice;
    uint64_t client_id;    /* of the session, for other cores */
    uint8_t proto;
    struct shard_hold *holds; /* what its commands have shown, one a core; behind the parts */
    struct txn_part parts[]; /* ascending; room for every core */
};

/* txn.c: every shard is leased; what the command at t->at needed was fetched meanwhile. */
void txn_try(struct txn *t);
void txn_resume(struct txn *t);
/* The context of one of its commands. */
struct ctx txn_ctx(struct txn *t, struct queued_command *q);

/* txn_lease.c: leases the next shard; txn_try when there is none left. */
void txn_lease_next(struct txn *t);
/* A shard more takes part. Nothing may be leased or under way. */
void txn_add_part(struct txn *t, uint32_t core);
/* Gives everything back, waits for the obstacles that were noted, and starts over. */
void txn_retreat(struct txn *t);
struct txn_part *txn_part_of(struct txn *t, const struct shard *sh);
/* Notes what is missing. Keys and ranges are gathered, of everything else the first is taken. */
void txn_part_note_need(struct txn_part *p, const struct need *need);
void txn_part_forget_need(struct txn_part *p);
/* Everything that a handler misses, with their parts; another shard counts as missing. */
void txn_note_needs(struct txn *t, const struct need *need);
void txn_forget_needs(struct txn *t);
/* What was fetched is here: counts whether that met something that cannot be read. Before the needs are
 * forgotten. */
void txn_count_failed(struct txn *t);
/* Would what is noted be fetched in vain? */
bool txn_fetches_in_vain(const struct txn *t);
/* Can what was noted be fetched without giving the leases back? */
bool txn_can_fetch(const struct txn *t);
/* Does so; txn_resume follows. */
void txn_fetch(struct txn *t);

/* txn_gate.c: can it run now? False: the obstacles are noted. */
bool txn_gates(struct txn *t);
/* A journal that cannot take writes, or memory that cannot be had: the whole transaction is refused,
 * the error is its reply. */
bool txn_refused(struct txn *t);

/* txn_answer.c: gives the leases back and answers in its time. */
void txn_release(struct txn *t);
/* It is to be answered, if it was not, and is over. */
void txn_end(struct txn *t);

/* txn_slices.c: on the owner: reads the part ahead; a notice follows when that is done. */
void txn_slices_begin(struct txn_part *p);
/* Makes the reply; txn_end follows. */
void txn_slices_reply(struct txn *t);

/* txn_message.c: a reply or a notice came. */
void txn_step(struct txn *t);
/* Sends the part's message to its owner, or when there is room. */
void txn_part_send(struct txn_part *p);
/* Runs the stage on the part's owner, at once when that is this core; txn_step follows when it is
 * over. `run` ends with txn_part_reply. */
void txn_part_call(struct txn_part *p, void (*run)(struct mesh_msg *));
/* The same of all parts. What comes free with this core's own runs at once, and is not to keep the messages to
 * the others from leaving. */
void txn_parts_call(struct txn *t, void (*run)(struct mesh_msg *));
/* On the owner: the stage is over. */
void txn_part_reply(struct txn_part *p);
/* On the owner: what the part waited for has come; txn_step follows on the coordinator. */
void txn_part_notify(struct txn_part *p);

#endif

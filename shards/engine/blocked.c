#include "shards/engine/blocked.h"

#include "shards/engine/exec.h"
#include "shards/engine/wait.h"

#include <stdlib.h>

#define ERR_BLOCKED_MAX "ERR this core has blocked-clients-max clients that wait already"
#define ERR_UNBLOCKED "UNBLOCKED client unblocked via CLIENT UNBLOCK"

enum question {
    QUESTION_TRY,   /* answer, or park it */
    QUESTION_LAST,  /* answer with what there is */
    QUESTION_LEAVE, /* only take the waiter out */
};

enum outcome {
    OUTCOME_PARKED,
    OUTCOME_ANSWERED,
    OUTCOME_LEFT,
};

struct blocked {
    /* the client's core's */
    struct session *session; /* NULL: over, but a wake is still on its way */
    struct core *core;
    struct timer timer;
    struct mesh_waiter room;
    bool asking;        /* a question is under way */
    bool woken, due, leaves;
    bool unblocked; /* by CLIENT UNBLOCK, which is answered before this is over */
    bool waits;     /* among those of core->waiting_n: its first look has found too little */
    const char *error;  /* to answer when it has left */
    uint64_t deadline_ns; /* 0 = none */
    uint32_t wakes_seen;
    /* lent with a question */
    struct mesh_msg msg;
    struct core *home; /* of the key */
    enum question question;
    enum outcome outcome;
    struct queued_command *request;
    uint64_t client_id, hash;
    uint8_t db, proto;
    struct blocking on;
    struct buf reply;
    uint32_t attempts;
    struct shard_waiter lease;
    struct exec_waiter waiter;
    struct ack_waiter ack;
    uint32_t wakes_sent; /* by home; it stands still while no waiter is registered */
    struct key_waiter kw;
};

/* On its way to the client's core. */
struct wake {
    struct mesh_msg msg;
    struct mesh_waiter room;
    struct core *from;
    struct blocked *b;
};

static void question_back(struct mesh_msg *m);

/* --- on the core of the key ------------------------------------------------------------------- */

static void
question_done(struct blocked *b, enum outcome outcome)
{
    b->outcome = outcome;
    if (b->home == b->core)
        question_back(&b->msg);
    else
        mesh_reply(b->home->node->mesh, &b->msg);
}

/* The journal failed: what the reply shows will never be durable. */
static void
answer_acked(struct ack_waiter *w)
{
    struct blocked *b = container_of(w, struct blocked, ack);

    if (w->failed) {
        buf_cut(&b->reply, 0);
        resp_error(&b->reply, ERR_NOT_DURABLE);
    }
    question_done(b, OUTCOME_ANSWERED);
}

/* As any read that was run here. */
static bool
must_wait(const struct core *home, const struct ctx *c)
{
    return c->hold && !home->everysec_ack && home->shard.journal.state != JOURNAL_FAILED;
}

static void
park(struct blocked *b)
{
    b->kw.from = b->on.from;
    b->kw.missing = b->on.missing;
    b->kw.type = b->on.type;
    b->kw.seen = b->kw.seen || b->on.seen;
    shard_unawait(&b->home->shard, &b->kw);
    shard_await(&b->home->shard, &b->kw, b->db, b->request->argv[1]);
    question_done(b, OUTCOME_PARKED);
}

static void run(struct blocked *b);

static void
run_again(struct exec_waiter *w)
{
    run(container_of(w, struct blocked, waiter));
}

static void
run(struct blocked *b)
{
    struct core *home = b->home;
    enum exec_result r;
    struct ctx c;

    ctx_init(&c, home, b->request->cmd, b->request->argv, b->request->argc, &b->reply);
    c.sh = &home->shard;
    c.db = b->db;
    c.proto = b->proto;
    c.client_id = b->client_id;
    c.hash_known = true;
    c.key_hash = b->hash;
    c.attempts = b->attempts;
    b->on.missing = 0;
    b->on.last = b->question == QUESTION_LAST;
    b->on.gone = b->kw.gone;
    home->blocking = &b->on;
    r = exec_run(&c);
    home->blocking = NULL;
    if (r != EXEC_DONE) {
        b->attempts += r == EXEC_NEED;
        b->waiter.again = run_again;
        exec_wait(&c, r, &b->waiter);
    } else if (b->on.missing > 0) {
        park(b);
    } else {
        shard_unawait(&home->shard, &b->kw);
        if (must_wait(home, &c)) {
            b->ack.run = answer_acked;
            shard_when_acked(&home->shard, &b->ack, c.hold_seq);
        } else {
            question_done(b, OUTCOME_ANSWERED);
        }
    }
}

static void
question_here(struct shard_waiter *w, struct shard *sh)
{
    struct blocked *b = container_of(w, struct blocked, lease);

    if (b->question == QUESTION_LEAVE) {
        shard_unawait(sh, &b->kw);
        question_done(b, OUTCOME_LEFT);
        return;
    }
    b->attempts = 0;
    run(b);
}

static void
question_run(struct mesh_msg *m)
{
    struct blocked *b = container_of(m, struct blocked, msg);

    b->lease.run = question_here;
    shard_wait(&b->home->shard, &b->lease);
}

/* --- waking ----------------------------------------------------------------------------------- */

static void woken(struct blocked *b);

static void
wake_run(struct mesh_msg *m)
{
    struct wake *w = container_of(m, struct wake, msg);
    struct mesh *mesh = w->b->core->node->mesh;

    woken(w->b);
    mesh_reply(mesh, m);
}

static void
wake_done(struct mesh_msg *m)
{
    free(container_of(m, struct wake, msg));
}

static void
wake_send(struct wake *w)
{
    struct core *from = w->from;

    if (!mesh_send(from->node->mesh, from->id, w->b->core->id, &w->msg))
        mesh_wait(from->node->mesh, from->id, w->b->core->id, &w->room);
}

static void
wake_room(struct mesh_waiter *room)
{
    wake_send(container_of(room, struct wake, room));
}

static void
wake(struct core *from, struct blocked *b)
{
    struct wake *w;

    b->wakes_sent++;
    if (b->core == from) {
        woken(b);
        return;
    }
    w = calloc(1, sizeof(*w));
    ASSERT(w);
    w->from = from;
    w->b = b;
    w->msg.run = wake_run;
    w->msg.done = wake_done;
    w->room.room = wake_room;
    wake_send(w);
}

unsigned
blocked_wake(struct shard *sh)
{
    struct list fired, *node;
    unsigned n = 0;

    if (likely(list_empty(&sh->fired)))
        return 0;
    list_init(&fired);
    list_splice(&fired, &sh->fired);
    reactor_hand_begin(&sh->core->reactor);
    while ((node = list_pop_front(&fired))) {
        wake(sh->core, container_of(node, struct blocked, kw.fired));
        n++;
    }
    reactor_hand_end(&sh->core->reactor);
    return n;
}

/* --- on the client's core --------------------------------------------------------------------- */

static void
question_send(struct blocked *b)
{
    struct core *core = b->core;

    if (b->home == core)
        question_run(&b->msg);
    else if (!mesh_send(core->node->mesh, core->id, b->home->id, &b->msg))
        mesh_wait(core->node->mesh, core->id, b->home->id, &b->room);
}

static void
question_room(struct mesh_waiter *room)
{
    question_send(container_of(room, struct blocked, room));
}

static void
ask(struct blocked *b, enum question question)
{
    b->asking = true;
    b->woken = false;
    b->question = question;
    question_send(b);
}

static void time_is_over(struct timer *t);

static void
set_timer(struct blocked *b)
{
    struct reactor *r = &b->core->reactor;

    if (b->on.timeout_ms == 0 || timer_armed(&b->timer))
        return;
    if (b->deadline_ns == 0)
        b->deadline_ns = r->clock.mono_ns + (uint64_t)b->on.timeout_ms * 1000000;
    b->timer.fn = time_is_over;
    timer_arm(&r->timers, &b->timer, b->deadline_ns);
}

/* It is parked and nothing is under way: what now? */
static void
next(struct blocked *b)
{
    if (b->leaves)
        ask(b, QUESTION_LEAVE);
    else if (b->due)
        ask(b, QUESTION_LAST);
    else if (b->woken)
        ask(b, QUESTION_TRY);
    else
        set_timer(b);
}

static void
something_happened(struct blocked *b)
{
    if (!b->asking)
        next(b);
}

static void
time_is_over(struct timer *t)
{
    struct blocked *b = container_of(t, struct blocked, timer);

    b->due = true;
    something_happened(b);
}

static void
free_when_quiet(struct blocked *b)
{
    if (b->session || b->wakes_seen != b->wakes_sent)
        return;
    free(b->request);
    buf_fini(&b->reply);
    free(b);
}

static void
woken(struct blocked *b)
{
    b->wakes_seen++;
    if (b->session == NULL) {
        free_when_quiet(b);
        return;
    }
    b->woken = true;
    something_happened(b);
}

/* The reply, if there is one, stands in the session's output. */
static void
end(struct blocked *b)
{
    struct session *s = b->session;

    timer_cancel(&b->core->reactor.timers, &b->timer);
    b->core->blocked_n--;
    if (b->waits) {
        b->core->waiting_n--;
        metrics_sub(&b->core->metrics, clients_blocked, 1);
    }
    s->waits_in = NULL;
    b->session = NULL;
    free_when_quiet(b);
    session_continue(s);
}

static void
answered(struct blocked *b)
{
    struct session *s = b->session;

    if (!s->conn.closing)
        buf_move(&s->conn.out, &b->reply, 0, b->reply.n);
    end(b);
}

static void
left(struct blocked *b)
{
    struct session *s = b->session;

    if (b->error && !s->conn.closing)
        resp_error(&s->conn.out, b->error);
    end(b);
}

/* Its first look has found too little. */
static void
begin_to_wait(struct blocked *b)
{
    struct core *core = b->core;

    if (core->waiting_n >= core->config.blocked_clients_max) {
        b->error = ERR_BLOCKED_MAX;
        b->leaves = true;
        return;
    }
    b->waits = true;
    core->waiting_n++;
    metrics_inc(&core->metrics, clients_blocked);
}

static void
question_back(struct mesh_msg *m)
{
    struct blocked *b = container_of(m, struct blocked, msg);

    b->asking = false;
    switch (b->outcome) {
    case OUTCOME_ANSWERED:
        answered(b);
        break;
    case OUTCOME_LEFT:
        left(b);
        break;
    case OUTCOME_PARKED:
        if (!b->waits && !b->leaves)
            begin_to_wait(b);
        next(b);
        break;
    }
}

bool
blocked_is_asked(const struct slice *argv, uint32_t argc)
{
    for (uint32_t i = 3; i < argc; i++)
        if (slice_is(argv[i], "block"))
            return true;
    return false;
}

void
blocked_start(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
              uint64_t hash, uint32_t owner)
{
    struct blocked *b = calloc(1, sizeof(*b));
    struct core *core = s->core;

    ASSERT(b);
    b->session = s;
    b->core = core;
    b->home = &core->node->cores[owner];
    b->room.room = question_room;
    b->msg.run = question_run;
    b->msg.done = question_back;
    b->request = queued_command_create(cmd, argv, argc);
    b->client_id = s->id;
    b->hash = hash;
    b->db = s->db;
    b->proto = s->proto;
    b->due = s->conn.eof;
    list_init(&b->kw.node);
    list_init(&b->kw.fired);
    s->waits_in = b;
    core->blocked_n++;
    session_block(s);
    ask(b, QUESTION_TRY);
}

void
blocked_hurry(struct session *s)
{
    struct blocked *b = s->waits_in;

    if (b == NULL)
        return;
    b->due = true;
    something_happened(b);
}

bool
blocked_unblock(struct session *s, bool error)
{
    struct blocked *b = s->waits_in;

    if (b == NULL || b->leaves || b->unblocked)
        return false;
    b->unblocked = true;
    b->error = error ? ERR_UNBLOCKED : NULL;
    b->leaves = error;
    blocked_hurry(s);
    return true;
}

void
blocked_abandon(struct session *s)
{
    struct blocked *b = s->waits_in;

    if (b == NULL)
        return;
    b->leaves = true;
    if (b->asking)
        return;
    b->timer.fn = time_is_over; /* not at once: the session may go with it, and is being closed */
    timer_arm(&b->core->reactor.timers, &b->timer, 0);
}

#include "shards/engine/round_priv.h"

#include "shards/engine/txn.h"

#include <stdlib.h>

#define ROUND_LOCAL 0xffff
#define ROUND_POOL_MAX 1024 /* batches kept by a core when they are not in use */
#define ROUND_POOL_BUF_BYTES (256 * KIB)

/* Requests of the round that follow one another and have the same source of replies: how many, and
 * for local ones the length of their replies. */
struct plan_step {
    size_t bytes;
    uint32_t n;
    uint16_t source;
};

struct round {
    struct session *session;
    struct buf plan; /* plan_step each */
    uint32_t requests_n;
    struct buf local; /* replies of local requests */
    struct remote **remotes; /* by core, NULL = none */
    uint32_t pending;
    bool sent, hold, wrote;
    uint32_t hold_seq;
};

/* --- pool ------------------------------------------------------------------------------------ */

static struct remote *
remote_get(struct core *core)
{
    struct list *node = list_pop_front(&core->round_pool);
    struct remote *m;

    if (node) {
        core->round_pool_n--;
        return list_entry(node, struct remote, pool_node);
    }
    m = calloc(1, sizeof(*m));
    ASSERT(m);
    return m;
}

static void
remote_free(struct remote *m)
{
    buf_fini(&m->requests);
    buf_fini(&m->replies);
    buf_fini(&m->lens);
    free(m);
}

static void
buf_recycle(struct buf *b)
{
    buf_cut(b, 0);
    if (b->cap > ROUND_POOL_BUF_BYTES)
        buf_fini(b);
}

static void
remote_put(struct core *core, struct remote *m)
{
    if (core->round_pool_n >= ROUND_POOL_MAX) {
        remote_free(m);
        return;
    }
    buf_recycle(&m->requests);
    buf_recycle(&m->replies);
    buf_recycle(&m->lens);
    m->round = NULL;
    list_push_back(&core->round_pool, &m->pool_node);
    core->round_pool_n++;
}

void
round_pool_fini(struct core *core)
{
    struct list *node;

    while ((node = list_pop_front(&core->round_pool)))
        remote_free(list_entry(node, struct remote, pool_node));
}

/* --- filling ----------------------------------------------------------------------------------- */

struct round *
round_open(struct session *s)
{
    struct round *r = s->round;

    if (r)
        return r;
    r = calloc(1, sizeof(*r));
    ASSERT(r);
    r->remotes = calloc(s->core->ncores, sizeof(*r->remotes));
    ASSERT(r->remotes);
    r->session = s;
    s->round = r;
    return r;
}

static void
round_plan(struct round *r, uint16_t source, size_t bytes)
{
    struct plan_step step = {.bytes = bytes, .n = 1, .source = source};
    struct plan_step *last = r->plan.n ? (void *)(r->plan.p + r->plan.n - sizeof(step)) : NULL;

    r->requests_n++;
    if (last && last->source == source) {
        last->bytes += bytes;
        last->n++;
    } else {
        buf_append(&r->plan, &step, sizeof(step));
    }
}

bool
round_is_full(const struct round *r)
{
    return r->requests_n >= r->session->round_max;
}

struct buf *
round_local(struct round *r)
{
    return &r->local;
}

void
round_local_end(struct round *r, size_t before)
{
    round_plan(r, ROUND_LOCAL, r->local.n - before);
}

void
round_hold(struct round *r, uint32_t seq, bool wrote)
{
    if (!r->hold || (int32_t)(seq - r->hold_seq) > 0)
        r->hold_seq = seq;
    r->hold = true;
    r->wrote = r->wrote || wrote;
}

static struct remote *
round_remote_to(struct round *r, uint32_t target)
{
    struct remote *m = r->remotes[target];
    struct session *s = r->session;

    if (m)
        return m;
    m = remote_get(s->core);
    m->round = r;
    m->sender = s->core;
    m->target = (uint16_t)target;
    m->proto = s->proto;
    m->client_id = s->id;
    m->requests_n = 0;
    m->writes = false;
    m->at = 0;
    r->remotes[target] = m;
    r->pending++;
    return m;
}

void
round_remote(struct round *r, uint32_t core, const struct command *cmd, uint8_t db,
             uint64_t hash, const struct slice *argv, uint32_t argc)
{
    struct remote *m = round_remote_to(r, core);
    struct remote_command rc = {.hash = hash, .cmd = cmd, .argc = argc, .db = db};
    size_t bytes = sizeof(rc) + argc * sizeof(uint32_t);
    char *p;

    for (uint32_t i = 0; i < argc; i++)
        bytes += argv[i].n;
    bytes = ALIGN_UP(bytes, 8UL);
    rc.bytes = (uint32_t)bytes;
    p = buf_reserve(&m->requests, bytes);
    memcpy(p, &rc, sizeof(rc));
    p += sizeof(rc);
    for (uint32_t i = 0; i < argc; i++, p += 4)
        put_le32(p, (uint32_t)argv[i].n);
    for (uint32_t i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].n);
        p += argv[i].n;
    }
    m->requests.n += bytes;
    m->requests_n++;
    m->writes = m->writes || (cmd->flags & CMD_WRITE);
    round_plan(r, (uint16_t)core, 0);
}

/* --- sending and coming back --------------------------------------------------------------------- */

static void remote_send(struct remote *m);
static void remote_done(struct mesh_msg *msg);

static void
remote_room(struct mesh_waiter *w)
{
    remote_send(container_of(w, struct remote, room));
}

static void
remote_send(struct remote *m)
{
    struct core *core = m->sender;

    m->msg.run = remote_run;
    m->msg.done = remote_done;
    if (mesh_send(core->node->mesh, core->id, m->target, &m->msg)) {
        metrics_add(&core->metrics, commands_remote_sent, m->requests_n);
        core->remote_writes += m->writes;
        return;
    }
    metrics_inc(&core->metrics, mesh_no_credit);
    m->room.room = remote_room;
    mesh_wait(core->node->mesh, core->id, m->target, &m->room);
}

void
round_send(struct session *s)
{
    struct round *r = s->round;

    ASSERT(r && !r->sent);
    r->sent = true;
    s->round_sent = true;
    conn_get(&s->conn);
    conn_pause(&s->conn);
    for (uint32_t i = 0; i < s->core->ncores; i++)
        if (r->remotes[i])
            remote_send(r->remotes[i]);
}

static void
stitch_remote(struct remote *m, uint32_t n, struct buf *out)
{
    size_t bytes = 0;

    while (n-- > 0)
        bytes += get_le32(m->lens.p + 4 * m->len_at++);
    buf_move(out, &m->replies, m->reply_at, bytes);
    m->reply_at += bytes;
}

static void
round_stitch(struct round *r)
{
    struct buf *out = &r->session->conn.out;
    const struct plan_step *steps = (const void *)r->plan.p;
    size_t local_at = 0;

    for (size_t i = 0; i < r->plan.n / sizeof(*steps); i++) {
        if (steps[i].source != ROUND_LOCAL) {
            stitch_remote(r->remotes[steps[i].source], steps[i].n, out);
            continue;
        }
        buf_move(out, &r->local, local_at, steps[i].bytes);
        local_at += steps[i].bytes;
    }
}

static void
round_destroy(struct round *r)
{
    struct core *core = r->session->core;

    for (uint32_t i = 0; i < core->ncores; i++)
        if (r->remotes[i])
            remote_put(core, r->remotes[i]);
    free(r->remotes);
    buf_fini(&r->plan);
    buf_fini(&r->local);
    free(r);
}

void
round_abandon(struct session *s)
{
    if (s->round == NULL || s->round->sent)
        return;
    round_destroy(s->round);
    s->round = NULL;
}

/* Does it acknowledge a local write that will never be durable? */
static bool
round_is_lost(const struct round *r)
{
    const struct core *core = r->session->core;

    return r->wrote && !core->everysec_ack && core->shard.journal.state == JOURNAL_FAILED &&
           shard_seq_pending(&core->shard, r->hold_seq);
}

/* The next round's replies should fit client-output-buffer-soft. */
static void
round_learn(struct session *s, size_t bytes)
{
    uint64_t limit = s->core->config.client_output_buffer_soft;

    if (bytes > limit)
        s->round_max = (uint32_t)MAX(s->round_max * limit / bytes, 1UL);
    else if (bytes < limit / 4)
        s->round_max = MIN(s->round_max * 2, ROUND_REQUESTS_MAX);
}

static void
round_complete(struct round *r)
{
    struct session *s = r->session;
    struct conn *conn = &s->conn;

    s->round = NULL;
    s->round_sent = false;
    if (round_is_lost(r))
        conn_close(conn); /* as conn_set_fail does with all others that wait */
    if (!conn->closing) {
        size_t before = conn->out.n;

        round_stitch(r);
        round_learn(s, conn->out.n - before);
        if (r->hold && session_must_hold(s, r->hold_seq))
            conn_hold(conn, r->hold_seq);
        conn_touch(conn);
    }
    round_destroy(r);
    session_after_round(s);
    session_resume(s);
    conn_put(conn);
}

static void
remote_over(struct remote *m)
{
    struct round *r = m->round;

    m->reply_at = 0;
    m->len_at = 0;
    ASSERT(r->pending > 0);
    if (--r->pending == 0)
        round_complete(r);
}

/* The transaction of the request at m->at is over. */
static void
remote_widened(void *arg, struct buf *reply)
{
    struct remote *m = arg;
    size_t before = m->replies.n;

    buf_move(&m->replies, reply, 0, reply->n);
    remote_replied(m, before);
    m->at += ((const struct remote_command *)(m->requests.p + m->at))->bytes;
    if (m->at < m->requests.n)
        remote_send(m);
    else
        remote_over(m);
}

/* The request at m->at takes more shards than its core has: it is run from here, as a transaction. */
static void
remote_widen(struct remote *m)
{
    const struct remote_command *rc = (const void *)(m->requests.p + m->at);
    struct slice *argv = malloc(rc->argc * sizeof(*argv));

    const char *lens = (const char *)(rc + 1), *bytes = lens + rc->argc * sizeof(uint32_t);

    ASSERT(argv);
    for (uint32_t i = 0; i < rc->argc; i++, bytes += argv[i - 1].n)
        argv[i] = (struct slice){bytes, get_le32(lens + 4 * i)};
    txn_start_for(m->round->session, rc->cmd, argv, rc->argc, rc->db, remote_widened, m);
    free(argv);
}

static void
remote_done(struct mesh_msg *msg)
{
    struct remote *m = container_of(msg, struct remote, msg);

    m->sender->remote_writes -= m->writes;
    if (unlikely(m->at < m->requests.n))
        remote_widen(m);
    else
        remote_over(m);
}

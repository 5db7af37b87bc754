/* A batch of another core's requests, run in their order. One that has to wait keeps those behind it
 * waiting; the batch goes back when all are done and what they show is durable. */
#include "shards/engine/round_priv.h"

#include "shards/engine/prefetch.h"

static void remote_continue(struct remote *m);

/* Argument i, by walking the lengths: for the first few. */
static struct slice
remote_arg(const struct remote_command *rc, uint32_t i)
{
    const char *lens = (const char *)(rc + 1);
    const char *bytes = lens + rc->argc * sizeof(uint32_t);

    for (uint32_t k = 0; k < i; k++)
        bytes += get_le32(lens + 4 * k);
    return (struct slice){(char *)bytes, get_le32(lens + 4 * i)};
}

static void
remote_reply(struct remote *m)
{
    if (m->at == m->requests.n)
        metrics_add(&m->runner->metrics, commands_remote_run, m->requests_n);
    mesh_reply(m->runner->node->mesh, &m->msg);
}

void
remote_replied(struct remote *m, size_t before)
{
    uint32_t len = (uint32_t)(m->replies.n - before);

    buf_append(&m->lens, &len, sizeof(len));
}

/* The journal failed: what the replies say will never be durable. */
static void
remote_fail(struct remote *m)
{
    buf_cut(&m->replies, 0);
    buf_cut(&m->lens, 0);
    m->at = m->requests.n;
    for (uint32_t i = 0; i < m->requests_n; i++) {
        size_t before = m->replies.n;

        resp_error(&m->replies, ERR_NOT_DURABLE);
        remote_replied(m, before);
    }
}

static void
remote_acked(struct ack_waiter *w)
{
    struct remote *m = container_of(w, struct remote, ack);

    if (w->failed)
        remote_fail(m);
    remote_reply(m);
}

static void
remote_again(struct exec_waiter *w)
{
    remote_continue(container_of(w, struct remote, waiter));
}

/* Runs one request; EXEC_DONE when its reply is there. */
static enum exec_result
remote_one(struct remote *m, const struct remote_command *rc, struct ctx *c)
{
    const char *p = (const char *)(rc + 1);
    const char *bytes = p + rc->argc * sizeof(uint32_t);
    struct slice few[16];

    c->argv = rc->argc <= ARRAY_SIZE(few)
                  ? few
                  : scratch_alloc(&m->runner->scratch, rc->argc * sizeof(struct slice));
    c->argc = rc->argc;
    for (uint32_t i = 0; i < rc->argc; i++) {
        c->argv[i] = (struct slice){bytes, get_le32(p + 4 * i)};
        bytes += c->argv[i].n;
    }
    return exec_run(c);
}

static void
remote_count(struct remote *m, const struct ctx *c)
{
    if (!c->hold)
        return;
    if (!m->hold || (int32_t)(c->hold_seq - m->hold_seq) > 0)
        m->hold_seq = c->hold_seq;
    m->hold = true;
    m->wrote = m->wrote || (c->cmd->flags & CMD_WRITE);
}

/* A journal that has failed holds back no reads: nobody could see anything any more. A write that was
 * run before it failed must hear of it. */
static bool
remote_must_wait(const struct remote *m)
{
    return m->hold && !m->runner->everysec_ack &&
           (m->wrote || m->runner->shard.journal.state != JOURNAL_FAILED);
}

/* Touches what the next requests will look at; returns where the first one stands that it left. */
static size_t
remote_prefetch(const struct remote *m, const struct shard *sh)
{
    struct wanted_key keys[PREFETCH_KEYS];
    uint32_t n = 0;
    size_t at = m->at;

    while (at < m->requests.n && n < PREFETCH_KEYS) {
        const struct remote_command *rc = (const void *)(m->requests.p + at);

        if (rc->cmd->key_first == 1 && rc->argc > 1) {
            keys[n++] = (struct wanted_key){.hash = rc->hash, .key = remote_arg(rc, 1),
                                            .db = rc->db,
                                            .series = (rc->cmd->flags & CMD_SERIES) != 0};
            prefetch_bucket(sh, rc->db, rc->hash);
        }
        at += rc->bytes;
    }
    prefetch_keys(sh, keys, n);
    return at;
}

static void
remote_ctx(struct remote *m, const struct remote_command *rc, struct ctx *c)
{
    ctx_init(c, m->runner, rc->cmd, NULL, 0, &m->replies);
    c->sh = &m->runner->shard;
    c->db = rc->db;
    c->proto = m->proto;
    c->client_id = m->client_id;
    c->hash_known = true;
    c->key_hash = rc->hash;
    c->attempts = m->attempts;
}

/* The server stops and has waited long enough: of those that have not run yet. */
static void
remote_refuse(struct remote *m)
{
    while (m->at < m->requests.n) {
        size_t before = m->replies.n;

        resp_error(&m->replies, ERR_STOPPING);
        remote_replied(m, before);
        m->at += ((const struct remote_command *)(m->requests.p + m->at))->bytes;
    }
}

static void
remote_continue(struct remote *m)
{
    struct shard *sh = &m->runner->shard;

    if (unlikely(core_hurries(m->runner)))
        remote_refuse(m);
    while (m->at < m->requests.n) {
        const struct remote_command *rc = (const void *)(m->requests.p + m->at);
        size_t before = m->replies.n;
        enum exec_result r;
        struct ctx c;

        if (m->at >= m->ahead && shard_available(sh))
            m->ahead = remote_prefetch(m, sh);
        remote_ctx(m, rc, &c);
        r = remote_one(m, rc, &c);
        if (r == EXEC_SHARDS)
            break; /* the sender makes a transaction of it and sends the rest again */
        if (r != EXEC_DONE) {
            m->attempts += r == EXEC_NEED;
            m->waiter.again = remote_again;
            exec_wait(&c, r, &m->waiter);
            return;
        }
        remote_count(m, &c);
        m->attempts = 0;
        remote_replied(m, before);
        m->at += rc->bytes;
    }
    if (remote_must_wait(m)) {
        m->ack.run = remote_acked;
        shard_when_acked(sh, &m->ack, m->hold_seq);
    } else {
        remote_reply(m);
    }
}

void
remote_run(struct mesh_msg *msg)
{
    struct remote *m = container_of(msg, struct remote, msg);

    m->runner = &m->sender->node->cores[m->target];
    m->ahead = m->at;
    m->hold = m->wrote = false;
    m->attempts = 0;
    remote_continue(m);
}

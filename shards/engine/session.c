/* Parsing and dispatch of one client's requests. See session.h for the way of a command. */
#include "shards/engine/session.h"

#include "core/log.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/prefetch.h"
#include "shards/engine/round.h"
#include "shards/engine/txn.h"
#include "shards/store/row.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWNER_UNKNOWN UINT32_MAX

/* One parsed request of a run. */
struct request {
    const struct command *cmd; /* NULL = unknown */
    struct slice *argv;
    uint32_t argc;
    uint32_t end;   /* offset in the data just behind it */
    uint32_t owner; /* the core of its only key; OWNER_UNKNOWN: it may have several */
    uint64_t hash;
};

/* --- replies --------------------------------------------------------------------------------- */

struct buf *
session_out(struct session *s)
{
    return s->round ? round_local(s->round) : &s->conn.out;
}

/* A reply was appended to session_out. */
static void
session_replied(struct session *s, size_t before)
{
    if (s->round)
        round_local_end(s->round, before);
}

static void
session_refuse(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
session_refuse(struct session *s, const char *fmt, ...)
{
    struct buf *out = session_out(s);
    size_t before = out->n;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    resp_error(out, text);
    session_replied(s, before);
    s->multi_failed = s->in_multi || s->multi_failed;
    metrics_inc(&s->core->metrics, commands_failed);
}

/* Replies appended in this run wait for the journal batches they showed or made. */
static void
session_note_hold(struct session *s, const struct ctx *c)
{
    if (!c->hold || !session_must_hold(s, c->hold_seq))
        return;
    if (s->round) {
        round_hold(s->round, c->hold_seq, (c->cmd->flags & CMD_WRITE) != 0);
        return;
    }
    if (!s->hold || (int32_t)(c->hold_seq - s->hold_seq) > 0)
        s->hold_seq = c->hold_seq;
    s->hold = true;
}

static void
session_end_run(struct session *s)
{
    if (s->hold && session_must_hold(s, s->hold_seq))
        conn_hold(&s->conn, s->hold_seq);
    s->hold = false;
    if (s->conn.out.n)
        conn_touch(&s->conn);
}

/* --- arguments kept for later ------------------------------------------------------------------ */

struct queued_command *
queued_command_create(const struct command *cmd, const struct slice *argv, uint32_t argc)
{
    size_t bytes = sizeof(struct queued_command) + argc * sizeof(struct slice);
    struct queued_command *q;
    char *p;

    for (uint32_t i = 0; i < argc; i++)
        bytes += argv[i].n;
    q = malloc(bytes);
    ASSERT(q);
    q->cmd = cmd;
    q->argc = argc;
    q->argv = (struct slice *)(q + 1);
    q->next = NULL;
    q->bytes = bytes;
    p = (char *)(q->argv + argc);
    for (uint32_t i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].n);
        q->argv[i] = (struct slice){p, argv[i].n};
        p += argv[i].n;
    }
    return q;
}

/* --- running on this core ------------------------------------------------------------------------ */

static void session_again(struct exec_waiter *w);

static inline void
session_ctx(struct session *s, struct ctx *c, const struct command *cmd, struct slice *argv,
            uint32_t argc)
{
    ctx_init(c, s->core, cmd, argv, argc, session_out(s));
    c->session = s;
    c->client_id = s->id;
    c->db = s->db;
    c->proto = s->proto;
}

/* A command that touches no shard: state of the connection, or of the server. */
static void
run_session_command(struct session *s, const struct command *cmd, struct slice *argv,
                    uint32_t argc)
{
    struct round *round = s->round;
    struct ctx c;
    size_t before;

    session_ctx(s, &c, cmd, argv, argc);
    before = c.out->n;
    cmd->fn(&c);
    if (s->round == round) /* else the command went on as another one, for another core */
        session_replied(s, before);
}

/* Puts the request aside until its waiter calls; the client waits with it. */
static void
session_park(struct session *s, struct ctx *c, enum exec_result r)
{
    if (s->parked == NULL)
        s->parked = queued_command_create(c->cmd, c->argv, c->argc);
    c->argv = s->parked->argv;
    s->stop_run = true;
    s->waiter.again = session_again;
    conn_get(&s->conn);
    conn_pause(&s->conn);
    exec_wait(c, r, &s->waiter);
}

static void
session_forget_parked(struct session *s)
{
    free(s->parked);
    s->parked = NULL;
    s->attempts = 0;
}

static bool
run_local(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
          uint64_t hash, bool hash_known)
{
    enum exec_result r;
    struct ctx c;
    size_t before;

    session_ctx(s, &c, cmd, argv, argc);
    before = c.out->n;
    c.sh = &s->core->shard;
    c.key_hash = hash;
    c.hash_known = hash_known;
    c.attempts = s->attempts;
    r = exec_run(&c);
    if (likely(r == EXEC_DONE)) {
        session_note_hold(s, &c);
        session_replied(s, before);
        return true;
    }
    s->attempts += r == EXEC_NEED;
    session_park(s, &c, r);
    return false;
}

static void
session_again(struct exec_waiter *w)
{
    struct session *s = container_of(w, struct session, waiter);
    struct queued_command *q = s->parked;

    if (s->conn.closing) {
        session_forget_parked(s);
    } else if (run_local(s, q->cmd, q->argv, q->argc, 0, false)) {
        session_forget_parked(s);
        session_end_run(s);
        session_resume(s);
        if (s->round && !s->round_sent && !s->parked && !s->conn.closing)
            round_send(s);
    }
    conn_put(&s->conn);
}

/* --- routing ------------------------------------------------------------------------------------- */

struct owners {
    struct session *s;
    const struct slice *argv;
    uint32_t first;
    bool any, several;
    uint64_t set[MESH_CORES_MAX / 64];
};

static void
owners_add(void *arg, uint32_t index)
{
    struct owners *o = arg;
    uint32_t owner = shard_slot_owner(key_slot(o->argv[index]), o->s->core->ncores);

    if (!o->any)
        o->first = owner;
    else if (owner != o->first)
        o->several = true;
    o->any = true;
    o->set[owner / 64] |= 1ull << (owner % 64);
}

static void
watch_note(struct session *s, const struct command *cmd, const struct owners *o)
{
    if (cmd->flags & CMD_WATCHES) {
        for (unsigned i = 0; i < ARRAY_SIZE(o->set); i++)
            s->watch_shards[i] |= o->set[i];
        s->watching = true;
    }
}

/* A transaction may only start when nothing of this client is under way. False: stop the run, the
 * request will be looked at again. */
static bool
session_alone(struct session *s)
{
    if (s->round == NULL)
        return true;
    s->stop_run = true;
    return false;
}

static void
route_to(struct session *s, uint32_t owner, const struct command *cmd, struct slice *argv,
         uint32_t argc, uint64_t hash, bool hash_known)
{
    struct core *core = s->core;

    if (owner == core->id) {
        metrics_inc(&core->metrics, commands_local);
        run_local(s, cmd, argv, argc, hash, hash_known);
    } else {
        round_open(s);
        round_remote(s->round, owner, cmd, s->db, hash, argv, argc);
    }
}

static bool
route_keys(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
           uint64_t hash, uint32_t owner)
{
    struct core *core = s->core;
    struct owners o;

    if (core->ncores == 1 && likely(!(cmd->flags & CMD_WATCHES))) {
        run_local(s, cmd, argv, argc, hash, true);
        return true;
    }
    if (likely(owner != OWNER_UNKNOWN && !(cmd->flags & CMD_WATCHES))) {
        route_to(s, owner, cmd, argv, argc, hash, true);
        return true;
    }
    o = (struct owners){.s = s, .argv = argv};
    command_keys(cmd, argv, argc, owners_add, &o);
    if (o.several) {
        if (!session_alone(s))
            return false;
        watch_note(s, cmd, &o);
        txn_start_command(s, cmd, argv, argc, o.set);
        return true;
    }
    watch_note(s, cmd, &o);
    route_to(s, o.any ? o.first : core->id, cmd, argv, argc, hash, o.any);
    return true;
}

static bool
route_all(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    uint64_t all[MESH_CORES_MAX / 64] = {0};

    if (s->core->ncores == 1) {
        run_local(s, cmd, argv, argc, 0, false);
        return true;
    }
    if (!session_alone(s))
        return false;
    for (uint32_t i = 0; i < s->core->ncores; i++)
        all[i / 64] |= 1ull << (i % 64);
    txn_start_command(s, cmd, argv, argc, all);
    return true;
}

static bool
route_cursor(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    uint32_t owner = scan_cursor_core(argv[1]) % s->core->ncores;

    if (owner == s->core->id) {
        run_local(s, cmd, argv, argc, 0, false);
        return true;
    }
    round_open(s);
    round_remote(s->round, owner, cmd, s->db, 0, argv, argc);
    return true;
}

/* Gives an accepted request to where it runs. False: not now, stop the run before it. */
static bool
session_route(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
              uint64_t hash, uint32_t owner)
{
    if ((cmd->flags & (CMD_ALONE | CMD_BLOCKING)) && !session_alone(s))
        return false;
    switch (cmd->route) {
    case ROUTE_KEYS:
        return route_keys(s, cmd, argv, argc, hash, owner);
    case ROUTE_ALL:
        return route_all(s, cmd, argv, argc);
    case ROUTE_CURSOR:
        return route_cursor(s, cmd, argv, argc);
    default:
        run_session_command(s, cmd, argv, argc);
        return true;
    }
}

void
session_dispatch(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc)
{
    bool taken = session_route(s, cmd, argv, argc,
                               cmd->key_first ? head_hash(argv[cmd->key_first]) : 0,
                               OWNER_UNKNOWN);

    ASSERT(taken); /* callers are CMD_ALONE: no round is open */
    session_end_run(s);
}

/* --- checks every command passes ------------------------------------------------------------------- */

static void
refuse_unknown(struct session *s, const struct request *rq)
{
    struct buf text = {0};

    for (uint32_t i = 1; i < rq->argc && text.n < 128; i++)
        buf_printf(&text, "'%.*s' ", (int)MIN(rq->argv[i].n, 128 - text.n), rq->argv[i].p);
    session_refuse(s, "ERR unknown command '%.*s', with args beginning with: %.*s",
                   (int)MIN(rq->argv[0].n, 128), rq->argv[0].p, (int)text.n,
                   text.p ? text.p : "");
    buf_fini(&text);
}

static void
refuse_subcommand(struct session *s, const struct request *rq)
{
    char upper[64];
    size_t n = strlen(rq->cmd->name);

    for (size_t i = 0; i <= n && i < sizeof(upper); i++)
        upper[i] = (char)(rq->cmd->name[i] >= 'a' && rq->cmd->name[i] <= 'z'
                              ? rq->cmd->name[i] - 'a' + 'A'
                              : rq->cmd->name[i]);
    session_refuse(s, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                   (int)MIN(rq->argv[1].n, 128), rq->argv[1].p, upper);
}

/* The row that applies to the request, or NULL with the refusal already written. */
static const struct command *
session_admit(struct session *s, struct request *rq)
{
    const struct command *cmd = rq->cmd;

    if (unlikely(cmd == NULL || cmd->flags & CMD_HIDDEN)) {
        if (!s->authenticated)
            session_refuse(s, "NOAUTH Authentication required.");
        else
            refuse_unknown(s, rq);
        return NULL;
    }
    if (unlikely(cmd->sub != NULL) && rq->argc > 1) {
        cmd = command_resolve(cmd, rq->argv, rq->argc);
        if (cmd == NULL) {
            refuse_subcommand(s, rq);
            return NULL;
        }
    }
    if (unlikely(!command_arity_ok(cmd, rq->argc))) {
        session_refuse(s, "ERR wrong number of arguments for '%s' command",
                       cmd->name);
        return NULL;
    }
    if (unlikely(!s->authenticated) && !(cmd->flags & CMD_NO_AUTH)) {
        session_refuse(s, "NOAUTH Authentication required.");
        return NULL;
    }
    return cmd;
}

static bool
key_lengths_ok(struct session *s, const struct command *cmd, const struct request *rq)
{
    if (likely(cmd->key_first == 0 || rq->argc <= (uint32_t)cmd->key_first))
        return true;
    for (uint32_t i = (uint32_t)cmd->key_first; i < rq->argc; i += (uint32_t)cmd->key_step) {
        if (unlikely(rq->argv[i].n > ENTRY_KEY_BYTES_MAX)) {
            session_refuse(s, ERR_KEY_TOO_LONG);
            return false;
        }
        if (cmd->key_last >= 0 && i >= (uint32_t)cmd->key_last)
            break;
    }
    return true;
}

static void
session_queue(struct session *s, const struct command *cmd, const struct request *rq)
{
    struct queued_command *q;
    struct buf *out = session_out(s);
    size_t before = out->n;

    if (cmd->flags & CMD_NO_MULTI) {
        session_refuse(s, "ERR Command not allowed inside a transaction");
        return;
    }
    q = queued_command_create(cmd, rq->argv, rq->argc);
    if (s->queue_n >= SESSION_MULTI_COMMANDS_MAX ||
        s->queue_bytes + q->bytes > s->core->config.client_query_buffer_limit) {
        free(q);
        session_refuse(s, "ERR transaction is longer than %u commands or "
                          "client-query-buffer-limit", SESSION_MULTI_COMMANDS_MAX);
        return;
    }
    *s->queue_tail = q;
    s->queue_tail = &q->next;
    s->queue_n++;
    s->queue_bytes += q->bytes;
    buf_append_lit(out, "+QUEUED\r\n");
    session_replied(s, before);
}

/* Unlike other errors it does not make the transaction fail. */
static void
refuse_watch(struct session *s)
{
    struct buf *out = session_out(s);
    size_t before = out->n;

    resp_error(out, "ERR WATCH inside MULTI is not allowed");
    session_replied(s, before);
}

/* One request. False: it must be looked at again later (nothing was done). */
static bool
session_request(struct session *s, struct request *rq)
{
    const struct command *cmd = session_admit(s, rq);

    if (unlikely(cmd == NULL) || !key_lengths_ok(s, cmd, rq))
        return true;
    if (unlikely(s->in_multi) && !(cmd->flags & CMD_MULTI_CONTROL)) {
        session_queue(s, cmd, rq);
        return true;
    }
    if (unlikely(s->in_multi) && (cmd->flags & CMD_WATCHES)) {
        refuse_watch(s);
        return true;
    }
    if (cmd->key_first != 1)
        rq->hash = cmd->key_first ? head_hash(rq->argv[cmd->key_first]) : 0;
    if (!session_route(s, cmd, rq->argv, rq->argc, rq->hash, rq->owner))
        return false;
    s->last_cmd = cmd;
    metrics_inc(&s->core->metrics, commands_processed);
    return true;
}

/* --- a run: parse, prefetch, dispatch ---------------------------------------------------------------- */

struct run {
    struct request rq[SESSION_RUN];
    struct slice args[SESSION_RUN * 4]; /* most commands have few; longer ones use the scratch */
    uint32_t n, args_n;
    enum resp_status last;
};

static struct slice *
run_keep_args(struct session *s, struct run *run, const struct resp_parser *p)
{
    struct slice *argv;

    if (likely(run->args_n + p->argc <= ARRAY_SIZE(run->args))) {
        argv = run->args + run->args_n;
        run->args_n += p->argc;
    } else {
        argv = scratch_alloc(&s->core->scratch, p->argc * sizeof(*argv));
    }
    for (uint32_t i = 0; i < p->argc; i++)
        argv[i] = p->argv[i];
    return argv;
}

static uint32_t
request_owner(const struct core *core, const struct request *rq)
{
    if (core->ncores == 1)
        return core->id;
    if (rq->cmd->key_last != 1)
        return OWNER_UNKNOWN;
    return shard_slot_owner(key_slot(rq->argv[1]), core->ncores);
}

/* Will its first key be looked up by this core, right after the run is parsed? */
static bool
request_is_near(const struct core *core, const struct request *rq)
{
    return rq->hash && (rq->owner == core->id || rq->owner == OWNER_UNKNOWN) &&
           shard_available(&core->shard);
}

static void
run_add(struct session *s, struct run *run, uint32_t end)
{
    struct resp_parser *p = &s->parser;
    struct request *rq = &run->rq[run->n++];
    const struct command *prev = run->n > 1 ? run->rq[run->n - 2].cmd : s->last_cmd;

    rq->argc = p->argc;
    rq->argv = run_keep_args(s, run, p);
    rq->end = end;
    rq->hash = 0;
    rq->owner = OWNER_UNKNOWN;
    rq->cmd = command_find_near(prev, rq->argv[0]);
    if (rq->cmd && rq->cmd->key_first == 1 && rq->argc > 1) {
        rq->hash = head_hash(rq->argv[1]);
        rq->owner = request_owner(s->core, rq);
        if (request_is_near(s->core, rq))
            prefetch_bucket(&s->core->shard, s->db, rq->hash);
    }
}

/* Parses up to SESSION_RUN requests; an inline one ends the run (its bytes may be rewritten). */
static size_t
run_parse(struct session *s, struct run *run, char *data, size_t n)
{
    size_t at = 0;

    run->n = run->args_n = 0;
    run->last = RESP_MORE;
    while (run->n < SESSION_RUN && at < n) {
        bool is_inline = data[at] != '*';

        run->last = resp_parse(&s->parser, data + at, n - at);
        if (run->last != RESP_COMPLETE)
            break;
        at += s->parser.used;
        if (s->parser.argc > 0)
            run_add(s, run, (uint32_t)at);
        if (is_inline)
            break;
    }
    return at;
}

static void
run_prefetch(struct session *s, const struct run *run)
{
    struct wanted_key keys[SESSION_RUN];
    uint32_t n = 0;

    for (uint32_t i = 0; i < run->n; i++) {
        const struct request *rq = &run->rq[i];

        if (request_is_near(s->core, rq))
            keys[n++] = (struct wanted_key){.hash = rq->hash, .key = rq->argv[1], .db = s->db,
                                            .series = (rq->cmd->flags & CMD_SERIES) != 0};
    }
    prefetch_keys(&s->core->shard, keys, n);
}

static bool
session_over_output(const struct session *s)
{
    return conn_out_bytes(&s->conn) > s->core->config.client_output_buffer_soft;
}

/* Stops reading requests until the client has read what it was sent. */
static void
session_pause_output(struct session *s)
{
    if (s->output_paused)
        return;
    s->output_paused = true;
    metrics_inc(&s->core->metrics, output_paused);
    conn_pause(&s->conn);
}

static void
session_broken(struct session *s)
{
    struct buf *out;

    if (s->round) { /* earlier replies first; the bytes are looked at again afterwards */
        resp_parser_reset(&s->parser);
        s->stop_run = true;
        return;
    }
    out = &s->conn.out;
    resp_errorf(out, "ERR %s", s->parser.error);
    metrics_inc(&s->core->metrics, protocol_errors);
    session_end_run(s);
    conn_close_after_send(&s->conn);
}

static size_t
run_dispatch(struct session *s, struct run *run)
{
    size_t used = 0;

    for (uint32_t i = 0; i < run->n && !s->stop_run; i++) {
        if (unlikely(session_over_output(s))) { /* no round is open: those begin below the limit */
            session_pause_output(s);
            break;
        }
        if (!session_request(s, &run->rq[i])) {
            s->stop_run = true;
            return used;
        }
        used = run->rq[i].end;
        if (s->conn.closing || s->conn.close_after)
            break;
        if (unlikely(s->round && round_is_full(s->round)))
            s->stop_run = true;
    }
    return used;
}

/* Bytes of an unfinished request: tells the connection how much makes progress possible. */
static void
session_want_more(struct session *s, size_t have)
{
    if (s->parser.need > s->core->config.client_query_buffer_limit ||
        have > s->core->config.client_query_buffer_limit) {
        metrics_inc(&s->core->metrics, connections_over_limit);
        log_warn("client %llu closed: its request is longer than client-query-buffer-limit",
                 (unsigned long long)s->id);
        conn_close_after_send(&s->conn);
        return;
    }
    s->conn.in_need = s->parser.need;
}

static size_t
session_on_data(struct conn *conn, char *data, size_t n)
{
    struct session *s = session_of(conn);
    struct run run;
    size_t used = 0;

    s->stop_run = false;
    s->conn.in_need = 0;
    s->last_ms = clock_wall_ms(&s->core->reactor.clock);
    while (used < n && !s->stop_run && !conn->paused && !conn->closing && !conn->close_after) {
        size_t parsed = run_parse(s, &run, data + used, n - used);
        size_t done;

        run_prefetch(s, &run);
        done = run_dispatch(s, &run);
        if (run.n == 0 || done == run.rq[run.n - 1].end)
            done = parsed;
        else
            resp_parser_reset(&s->parser); /* what follows is parsed again */
        used += done;
        if (run.last == RESP_BROKEN && done == parsed && !conn->paused && !conn->closing &&
            !conn->close_after) {
            session_broken(s);
            break;
        }
        if (run.last == RESP_BROKEN)
            resp_parser_reset(&s->parser);
        if (done < parsed || conn->paused || conn->closing || conn->close_after)
            break;
        if (run.last == RESP_MORE && run.n < SESSION_RUN) {
            session_want_more(s, n - used);
            break;
        }
    }
    session_end_run(s);
    if (s->round && !conn->paused && !conn->closing)
        round_send(s);
    return used;
}

/* --- life ------------------------------------------------------------------------------------------- */

static void
session_on_drained(struct conn *conn)
{
    struct session *s = session_of(conn);

    if (!s->output_paused || conn_out_bytes(conn) > s->core->config.client_output_buffer_soft / 2)
        return;
    s->output_paused = false;
    session_resume(s);
}

void
session_resume(struct session *s)
{
    if (core_is_stopping(s->core))
        return;
    if (!s->blocked && !s->parked && !s->output_paused && (s->round == NULL || !s->round_sent))
        conn_resume(&s->conn);
}

void
session_block(struct session *s)
{
    ASSERT(!s->blocked);
    s->blocked = true;
    s->stop_run = true;
    conn_get(&s->conn);
    conn_pause(&s->conn);
}

void
session_continue(struct session *s)
{
    ASSERT(s->blocked);
    s->blocked = false;
    if (!s->conn.closing) {
        session_end_run(s);
        session_resume(s);
    }
    conn_put(&s->conn);
}

void
session_discard_multi(struct session *s)
{
    struct queued_command *q = s->queue;

    while (q) {
        struct queued_command *next = q->next;

        free(q);
        q = next;
    }
    s->queue = NULL;
    s->queue_tail = &s->queue;
    s->queue_n = 0;
    s->queue_bytes = 0;
    s->in_multi = s->multi_failed = false;
}

static void
session_on_close(struct conn *conn)
{
    struct session *s = session_of(conn);

    if (timer_armed(&s->timer)) /* nobody waits for it any more: let it end what it stands for */
        timer_arm(&s->core->reactor.timers, &s->timer, 0);
    round_abandon(s);
    metrics_sub(&s->core->metrics, connections_current, 1);
    atomic_fetch_sub_explicit(&s->core->node->clients, 1, memory_order_relaxed);
}

static void
session_on_free(struct conn *conn)
{
    struct session *s = session_of(conn);

    session_unwatch(s); /* not before: a WATCH of its last round may have been under way */
    session_discard_multi(s);
    session_drop_batch(s);
    free(s->parked);
    resp_parser_fini(&s->parser);
    free(s);
}

static const struct conn_ops session_ops = {
    .on_data = session_on_data,
    .on_drained = session_on_drained,
    .on_close = session_on_close,
    .on_free = session_on_free,
};

static void
format_address(const struct sockaddr_storage *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)a;

        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(in->sin6_port));
    }
}

static void
session_addresses(struct session *s, int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);

    if (getpeername(fd, (struct sockaddr *)&a, &n) == 0)
        format_address(&a, s->peer, sizeof(s->peer));
    n = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        format_address(&a, s->local, sizeof(s->local));
}

static void
socket_options(const struct config *config, int fd)
{
    int on = 1, idle = (int)config->tcp_keepalive_s;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (idle > 0) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    }
}

void
session_create(struct core *core, int fd)
{
    struct session *s = calloc(1, sizeof(*s));

    ASSERT(s);
    socket_options(&core->config, fd);
    s->core = core;
    s->id = ++core->next_client_id * core->ncores + core->id;
    s->proto = 2;
    s->authenticated = core->config.requirepass[0] == '\0';
    s->created_ms = s->last_ms = clock_wall_ms(&core->reactor.clock);
    s->queue_tail = &s->queue;
    s->round_max = ROUND_REQUESTS_FIRST;
    session_addresses(s, fd);
    resp_parser_init(&s->parser, core->config.proto_max_bulk_len);
    s->parser.authenticated = s->authenticated;
    metrics_inc(&core->metrics, connections_accepted);
    metrics_inc(&core->metrics, connections_current);
    conn_open(&s->conn, &core->conns, &session_ops, fd);
}

struct session *
session_find(struct core *core, uint64_t id)
{
    list_each(it, &core->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (s->id == id && !s->conn.closing)
            return s;
    }
    return NULL;
}

/* The bytes of one client: parsed in runs, prefetched, and dispatched request by request. See
 * session.h for the way of a command. */
#include "shards/engine/session_priv.h"

#include "core/log.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/prefetch.h"
#include "shards/engine/round.h"
#include "shards/store/row.h"

/* --- a run: parse, prefetch ------------------------------------------------------------------------- */

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

/* Parses up to SESSION_RUN requests; an inline one ends the run (its arguments may
 * lie in memory of the parser). */
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

/* --- checks every command passes ------------------------------------------------------------------- */

/* The row that applies to the request, or NULL with the refusal already written. */
static const struct command *
session_admit(struct session *s, struct request *rq)
{
    const struct command *cmd = rq->cmd;

    if (unlikely(cmd == NULL || cmd->flags & CMD_HIDDEN)) {
        session_refuse_unknown(s, rq); /* before AUTH as well, as in Redis */
        return NULL;
    }
    if (unlikely(cmd->sub != NULL) && rq->argc > 1) {
        cmd = command_resolve(cmd, rq->argv, rq->argc);
        if (cmd == NULL) {
            session_refuse_subcommand(s, rq);
            return NULL;
        }
    }
    if (unlikely(!command_arity_ok(cmd, rq->argc) && !(cmd->flags & CMD_COUNTS_ARGS))) {
        session_refuse(s, cmd, "ERR wrong number of arguments for '%s' command", cmd->name);
        return NULL;
    }
    if (unlikely(!s->authenticated) && !(cmd->flags & CMD_NO_AUTH) &&
        command_arity_ok(cmd, rq->argc)) { /* else its handler refuses it, as Redis does first */
        session_refuse(s, cmd, "%sNOAUTH Authentication required.",
                       strcmp(cmd->name, "exec") == 0 ? EXEC_REFUSED : "");
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
            session_refuse(s, cmd, ERR_KEY_TOO_LONG);
            return false;
        }
        if (cmd->key_last >= 0 && i >= (uint32_t)cmd->key_last)
            break;
    }
    return true;
}

/* One request. False: it must be looked at again later (nothing was done). */
static bool
session_request(struct session *s, struct request *rq)
{
    const struct command *cmd;

    if (unlikely(rq->cmd == NULL) && session_is_http(rq))
        return session_refuse_http(s);
    cmd = session_admit(s, rq);
    if (unlikely(cmd == NULL) || !key_lengths_ok(s, cmd, rq))
        return true;
    if (unlikely(s->in_multi) && !(cmd->flags & CMD_MULTI_CONTROL)) {
        session_queue(s, cmd, rq);
        return true;
    }
    if (unlikely(s->in_multi) && (cmd->flags & CMD_WATCHES)) {
        session_refuse_watch(s, cmd);
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

/* --- dispatch --------------------------------------------------------------------------------------- */

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

size_t
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
    resp_parser_trim(&s->parser);
    session_end_run(s);
    if (s->round && !conn->paused && !conn->closing)
        round_send(s);
    return used;
}

/* What becomes of a request that does not run now: it is refused, or queued by MULTI. */
#include "shards/engine/session_priv.h"

#include "core/log.h"
#include "shards/engine/round.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- refusals ------------------------------------------------------------------------------------- */

void
session_refuse(struct session *s, const struct command *cmd, const char *fmt, ...)
{
    struct buf *out = session_out(s);
    size_t before = out->n;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    resp_error(out, text);
    stats_refused(&s->core->stats, cmd, buf_from(out, before));
    session_replied(s, before);
    s->multi_failed = s->in_multi || s->multi_failed;
    metrics_inc(&s->core->metrics, commands_failed);
}

void
session_refuse_unknown(struct session *s, const struct request *rq)
{
    struct buf text = {0};

    for (uint32_t i = 1; i < rq->argc && text.n < 128; i++)
        buf_printf(&text, "'%.*s' ", (int)MIN(rq->argv[i].n, 128 - text.n), rq->argv[i].p);
    session_refuse(s, NULL, "ERR unknown command '%.*s', with args beginning with: %.*s",
                   (int)MIN(rq->argv[0].n, 128), rq->argv[0].p, (int)text.n,
                   text.p ? text.p : "");
    buf_fini(&text);
}

void
session_refuse_subcommand(struct session *s, const struct request *rq)
{
    char upper[64];
    size_t n = strlen(rq->cmd->name);

    for (size_t i = 0; i <= n && i < sizeof(upper); i++)
        upper[i] = (char)(rq->cmd->name[i] >= 'a' && rq->cmd->name[i] <= 'z'
                              ? rq->cmd->name[i] - 'a' + 'A'
                              : rq->cmd->name[i]);
    session_refuse(s, NULL, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                   (int)MIN(rq->argv[1].n, 128), rq->argv[1].p, upper);
}

/* --- HTTP ------------------------------------------------------------------------------------------
 *
 * A web page can make its visitor's browser send any text to a port that the visitor's machine can
 * reach, with lines of HTTP before it. Each would be taken for an inline request and get an error,
 * which stops nobody, and then what the page wrote would run. Every request of HTTP/1.1 has a line
 * that begins with `Host:`, and one that carries text begins with `POST`. Neither is a command, so
 * either ends the connection in any state of it: before AUTH, inside MULTI. As in Redis. */

#define HTTP_LOG_NS (60 * 1000000000ULL)

/* As in Redis, a NUL ends the word. */
static bool
is_word(struct slice name, const char *word)
{
    return slice_is((struct slice){name.p, strnlen(name.p, name.n)}, word);
}

bool
session_is_http(const struct request *rq)
{
    return is_word(rq->argv[0], "post") || is_word(rq->argv[0], "host:");
}

/* One line a minute: whoever can connect must not be able to fill the disk with the log. */
static void
log_http(struct session *s)
{
    struct core *core = s->core;
    uint64_t now = core->reactor.clock.mono_ns;

    if (core->http_logged_ns && now - core->http_logged_ns < HTTP_LOG_NS) {
        core->http_unlogged++;
        return;
    }
    log_warn("client %llu from %s sent a request of HTTP and was disconnected, nothing behind it "
             "was run: perhaps a web page that tries to reach this server through a browser (%llu "
             "more on this core since the last such line)",
             (unsigned long long)s->id, s->peer, (unsigned long long)core->http_unlogged);
    core->http_logged_ns = now;
    core->http_unlogged = 0;
}

bool
session_refuse_http(struct session *s)
{
    if (s->round)
        return false;
    log_http(s);
    metrics_inc(&s->core->metrics, protocol_errors);
    session_end_run(s);
    conn_close_after_send(&s->conn);
    return true;
}

/* --- MULTI ------------------------------------------------------------------------------------------ */

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

void
session_queue(struct session *s, const struct command *cmd, const struct request *rq)
{
    struct queued_command *q;
    struct buf *out = session_out(s);
    size_t before = out->n;

    if (cmd->flags & CMD_NO_MULTI) {
        session_refuse(s, cmd, "ERR Command not allowed inside a transaction");
        return;
    }
    q = queued_command_create(cmd, rq->argv, rq->argc);
    if (s->queue_n >= SESSION_MULTI_COMMANDS_MAX ||
        s->queue_bytes + q->bytes > s->core->config.client_query_buffer_limit) {
        free(q);
        session_refuse(s, cmd, "ERR transaction is longer than %u commands or "
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
void
session_refuse_watch(struct session *s, const struct command *cmd)
{
    struct buf *out = session_out(s);
    size_t before = out->n;

    resp_error(out, "ERR WATCH inside MULTI is not allowed");
    stats_refused(&s->core->stats, cmd, buf_from(out, before));
    session_replied(s, before);
}

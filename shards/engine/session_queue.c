/* What becomes of a request that does not run now: it is refused, or queued by MULTI. */
#include "shards/engine/session_priv.h"

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

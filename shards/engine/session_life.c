/* The life of a session: made for a connection, paused and resumed, ended with it. */
#include "shards/engine/session_priv.h"

#include "shards/engine/blocked.h"
#include "shards/engine/round.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

/* --- pausing ----------------------------------------------------------------------------------------- */

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

/* --- the end ----------------------------------------------------------------------------------------- */

static void
session_on_close(struct conn *conn)
{
    struct session *s = session_of(conn);

    if (timer_armed(&s->timer)) /* nobody waits for it any more: let it end what it stands for */
        timer_arm(&s->core->reactor.timers, &s->timer, 0);
    blocked_abandon(s);
    round_abandon(s);
    metrics_sub(&s->core->metrics, connections_current, 1);
    atomic_fetch_sub_explicit(&s->core->node->clients, 1, memory_order_relaxed);
}

/* Whoever waits for what is to come is answered now. */
static void
session_on_eof(struct conn *conn)
{
    blocked_hurry(session_of(conn));
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

/* --- the beginning ----------------------------------------------------------------------------------- */

static const struct conn_ops session_ops = {
    .on_data = session_on_data,
    .on_drained = session_on_drained,
    .on_eof = session_on_eof,
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

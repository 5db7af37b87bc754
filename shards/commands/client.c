/* CLIENT INFO, LIST, KILL and UNBLOCK: about connections, which live on every core. */
#include "shards/commands/handlers.h"

#include "shards/engine/blocked.h"
#include "shards/engine/fanout.h"
#include "shards/engine/session.h"

#include <stdlib.h>

#define CLIENT_IDS_MAX 1024

static void
write_client(struct session *s, struct buf *out)
{
    int64_t now = clock_wall_ms(&s->core->reactor.clock);

    buf_printf(out,
               "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%u sub=0 "
               "psub=0 ssub=0 multi=%d qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu rbs=0 "
               "rbp=0 obl=%zu oll=0 omem=%zu tot-mem=%zu events=r cmd=%s user=default redir=-1 "
               "resp=%u lib-name=%s lib-ver=%s core=%u",
               (unsigned long long)s->id, s->peer, s->local, s->conn.fd, s->name,
               (long long)((now - s->created_ms) / 1000), (long long)((now - s->last_ms) / 1000),
               s->in_multi ? "x" : s->waits_in ? "b" : "N", s->db,
               s->in_multi ? (int)s->queue_n : -1, s->conn.in.n, s->conn.in.cap - s->conn.in.n,
               s->queue_bytes, s->conn.out.n, s->conn.sending.n - s->conn.sent,
               sizeof(*s) + s->conn.in.cap + s->conn.out.cap + s->conn.sending.cap,
               s->last_cmd ? s->last_cmd->name : "NULL", s->proto, s->lib_name, s->lib_ver,
               s->core->id);
}

void
cmd_client_info(struct ctx *c)
{
    struct buf text = {0};

    c->session->last_cmd = c->cmd;
    write_client(c->session, &text);
    buf_append_lit(&text, "\n");
    resp_verbatim(c->out, c->proto, (struct slice){text.p, text.n});
    buf_fini(&text);
}

/* --- which clients ------------------------------------------------------------------------------------- */

struct client_filter {
    struct session *asker;
    uint64_t asker_id;
    uint64_t ids[CLIENT_IDS_MAX];
    uint32_t ids_n;
    bool by_id, by_addr, by_laddr, none, skip_asker, simple;
    char addr[64], laddr[64];
};

static bool
filter_matches(const struct client_filter *f, const struct session *s)
{
    bool found = !f->by_id;

    for (uint32_t i = 0; i < f->ids_n && !found; i++)
        found = f->ids[i] == s->id;
    if (!found || f->none || s->conn.closing)
        return false;
    if (f->skip_asker && s->id == f->asker_id)
        return false;
    if (f->by_addr && strcmp(f->addr, s->peer) != 0)
        return false;
    return !f->by_laddr || strcmp(f->laddr, s->local) == 0;
}

static bool
filter_id(struct ctx *c, struct client_filter *f, uint32_t i)
{
    bool kill = slice_is(slice_of(c->cmd->name), "client|kill");
    int64_t id;

    if (!parse_int(c->argv[i], &id) || (kill && id < 1)) {
        ctx_error(c, kill ? "ERR client-id should be greater than 0" : "ERR Invalid client ID");
        return false;
    }
    if (f->ids_n == CLIENT_IDS_MAX) {
        resp_errorf(c->out, "ERR at most %d client ids at once", CLIENT_IDS_MAX);
        return false;
    }
    f->by_id = true;
    f->ids[f->ids_n++] = (uint64_t)id;
    return true;
}

/* All clients are of type normal. */
static bool
filter_type(struct ctx *c, struct client_filter *f, uint32_t i)
{
    if (slice_is(c->argv[i], "normal"))
        return true;
    if (slice_is(c->argv[i], "master") || slice_is(c->argv[i], "replica") ||
        slice_is(c->argv[i], "slave") || slice_is(c->argv[i], "pubsub")) {
        f->none = true;
        return true;
    }
    resp_errorf(c->out, "ERR Unknown client type '%.*s'", (int)MIN(c->argv[i].n, 64),
                c->argv[i].p);
    return false;
}

static struct client_filter *
filter_create(struct ctx *c)
{
    struct client_filter *f = calloc(1, sizeof(*f));

    ASSERT(f);
    f->asker = c->session;
    f->asker_id = c->session->id;
    return f;
}

static void
copy_text(char *to, size_t size, struct slice from)
{
    size_t n = MIN(from.n, size - 1);

    memcpy(to, from.p, n);
    to[n] = '\0';
}

/* --- LIST ------------------------------------------------------------------------------------------------ */

static void
list_each_client(struct fanout_part *p)
{
    const struct client_filter *f = p->fanout->arg;

    list_each(it, &p->core->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (!filter_matches(f, s))
            continue;
        write_client(s, &p->out);
        buf_append_lit(&p->out, "\n");
    }
    fanout_part_done(p);
}

static void
list_done(struct fanout *f)
{
    struct client_filter *filter = f->arg;
    struct session *s = filter->asker;
    struct buf all = {0};

    for (uint32_t i = 0; i < f->from->ncores; i++)
        if (f->parts[i].out.n)
            buf_append(&all, f->parts[i].out.p, f->parts[i].out.n);
    resp_verbatim(&s->conn.out, s->proto, (struct slice){all.p ? all.p : "", all.n});
    buf_fini(&all);
    free(filter);
    fanout_free(f);
    session_continue(s);
}

static bool
list_args(struct ctx *c, struct client_filter *f)
{
    if (c->argc == 2)
        return true;
    if (c->argc == 4 && slice_is(c->argv[2], "type"))
        return filter_type(c, f, 3);
    if (c->argc > 3 && slice_is(c->argv[2], "id")) {
        for (uint32_t i = 3; i < c->argc; i++)
            if (!filter_id(c, f, i))
                return false;
        return true;
    }
    ctx_error(c, ERR_SYNTAX);
    return false;
}

void
cmd_client_list(struct ctx *c)
{
    struct client_filter *f = filter_create(c);

    if (!list_args(c, f)) {
        free(f);
        return;
    }
    c->session->last_cmd = c->cmd;
    session_block(c->session);
    fanout_start(c->core, list_each_client, list_done, f);
}

/* --- KILL ------------------------------------------------------------------------------------------------ */

static void
kill_each(struct fanout_part *p)
{
    const struct client_filter *f = p->fanout->arg;

    list_each_safe(it, &p->core->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (!filter_matches(f, s))
            continue;
        p->number++;
        if (s == f->asker)
            p->rc = 1; /* after its reply */
        else
            conn_kill(&s->conn); /* who reads the reply finds it done */
    }
    fanout_part_done(p);
}

static void
kill_done(struct fanout *f)
{
    struct client_filter *filter = f->arg;
    struct session *s = filter->asker;
    int64_t killed = 0;
    bool self = false;

    for (uint32_t i = 0; i < f->from->ncores; i++) {
        killed += f->parts[i].number;
        self = self || f->parts[i].rc == 1;
    }
    if (!filter->simple)
        resp_int(&s->conn.out, killed);
    else if (killed)
        resp_ok(&s->conn.out);
    else
        resp_error(&s->conn.out, "ERR No such client");
    if (self)
        conn_close_after_send(&s->conn);
    free(filter);
    fanout_free(f);
    session_continue(s);
}

/* Every client is the user default, the only one there is. */
static bool
kill_user(struct ctx *c, struct slice name)
{
    if (slice_equal(name, SLICE("default")))
        return true;
    resp_errorf(c->out, "ERR No such user '%.*s'", (int)MIN(name.n, 128), name.p);
    return false;
}

static bool
kill_option(struct ctx *c, struct client_filter *f, uint32_t i)
{
    struct slice name = c->argv[i], value = c->argv[i + 1];

    if (slice_is(name, "id"))
        return filter_id(c, f, i + 1);
    if (slice_is(name, "type"))
        return filter_type(c, f, i + 1);
    if (slice_is(name, "addr")) {
        f->by_addr = true;
        copy_text(f->addr, sizeof(f->addr), value);
        return true;
    }
    if (slice_is(name, "laddr")) {
        f->by_laddr = true;
        copy_text(f->laddr, sizeof(f->laddr), value);
        return true;
    }
    if (slice_is(name, "user"))
        return kill_user(c, value);
    if (slice_is(name, "skipme") && (slice_is(value, "yes") || slice_is(value, "no"))) {
        f->skip_asker = slice_is(value, "yes");
        return true;
    }
    ctx_error(c, ERR_SYNTAX);
    return false;
}

static bool
kill_args(struct ctx *c, struct client_filter *f)
{
    if (c->argc == 3) {
        f->simple = f->by_addr = true;
        copy_text(f->addr, sizeof(f->addr), c->argv[2]);
        return true;
    }
    f->skip_asker = true;
    if (c->argc % 2 != 0) {
        ctx_error(c, ERR_SYNTAX);
        return false;
    }
    for (uint32_t i = 2; i < c->argc; i += 2)
        if (!kill_option(c, f, i))
            return false;
    return true;
}

void
cmd_client_kill(struct ctx *c)
{
    struct client_filter *f = filter_create(c);

    if (!kill_args(c, f)) {
        free(f);
        return;
    }
    session_block(c->session);
    fanout_start(c->core, kill_each, kill_done, f);
}

/* --- UNBLOCK --------------------------------------------------------------------------------------------- */

struct unblock {
    struct session *asker;
    uint64_t id;
    bool error;
};

static void
unblock_each(struct fanout_part *p)
{
    const struct unblock *u = p->fanout->arg;
    struct session *s = session_find(p->core, u->id);

    p->number = s && blocked_unblock(s, u->error);
    fanout_part_done(p);
}

static void
unblock_done(struct fanout *f)
{
    struct unblock *u = f->arg;
    struct session *s = u->asker;
    int64_t n = 0;

    for (uint32_t i = 0; i < f->from->ncores; i++)
        n += f->parts[i].number;
    resp_int(&s->conn.out, n);
    free(u);
    fanout_free(f);
    session_continue(s);
}

void
cmd_client_unblock(struct ctx *c)
{
    bool error = c->argc == 4 && slice_is(c->argv[3], "error");
    struct unblock *u;
    int64_t id;

    if (c->argc > 4) {
        resp_errorf(c->out,
                    "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                    "Try CLIENT HELP.",
                    (int)c->argv[1].n, c->argv[1].p);
        return;
    }
    if (c->argc == 4 && !error && !slice_is(c->argv[3], "timeout")) {
        ctx_error(c, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!ctx_int(c, 2, &id))
        return;
    u = calloc(1, sizeof(*u));
    ASSERT(u);
    *u = (struct unblock){.asker = c->session, .id = (uint64_t)id, .error = error};
    session_block(c->session);
    fanout_start(c->core, unblock_each, unblock_done, u);
}

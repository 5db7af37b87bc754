/* Commands about the connection itself. */
#include "shards/commands/handlers.h"

#include "shards/engine/session.h"
#include "shards/engine/txn.h"

#include <stdio.h>

#define SERVER_NAME "redis" /* what clients that look at HELLO expect */

/* --- small ones ---------------------------------------------------------------------------------- */

void
cmd_ping(struct ctx *c)
{
    if (c->argc > 2)
        ctx_error(c, "ERR wrong number of arguments for 'ping' command");
    else if (c->argc == 2)
        resp_bulk(c->out, c->argv[1]);
    else
        buf_append_lit(c->out, "+PONG\r\n");
}

void
cmd_echo(struct ctx *c)
{
    resp_bulk(c->out, c->argv[1]);
}

void
cmd_quit(struct ctx *c)
{
    resp_ok(c->out);
    conn_close_after_send(&c->session->conn);
}

void
cmd_select(struct ctx *c)
{
    int64_t db;

    if (!parse_int(c->argv[1], &db)) {
        ctx_error(c, ERR_NOT_INT);
        return;
    }
    if (db < INT32_MIN || db > INT32_MAX) {
        ctx_error(c, "ERR value is out of range, value must between -2147483648 and 2147483647");
        return;
    }
    if (db < 0 || db >= (int64_t)c->core->config.databases) {
        ctx_error(c, "ERR DB index is out of range");
        return;
    }
    c->session->db = (uint8_t)db;
    resp_ok(c->out);
}

void
session_reset(struct session *s)
{
    session_discard_multi(s);
    session_unwatch(s);
    session_drop_batch(s);
    s->db = 0;
    s->proto = 2;
    s->name[0] = '\0';
    s->no_evict = false;
    s->authenticated = s->core->config.requirepass[0] == '\0';
    s->parser.authenticated = s->authenticated;
}

void
cmd_reset(struct ctx *c)
{
    session_reset(c->session);
    resp_simple(c->out, "RESET");
}

/* --- authentication -------------------------------------------------------------------------------- */

/* Takes the same time wherever the first difference is. */
static bool
same_secret(struct slice given, const char *secret)
{
    size_t n = strlen(secret);
    unsigned char diff = given.n != n;

    for (size_t i = 0; i < given.n; i++)
        diff |= (unsigned char)(given.p[i] ^ secret[n ? i % n : 0]);
    return diff == 0;
}

static bool
authenticate(struct ctx *c, struct slice user, struct slice password)
{
    const char *secret = c->core->config.requirepass;

    if (slice_equal(user, SLICE("default")) &&
        (secret[0] == '\0' || same_secret(password, secret))) {
        c->session->authenticated = true;
        c->session->parser.authenticated = true;
        return true;
    }
    metrics_inc(&c->core->metrics, auth_failures);
    ctx_error(c, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void
cmd_auth(struct ctx *c)
{
    if (c->argc > 3) {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    if (c->argc == 2 && c->core->config.requirepass[0] == '\0') {
        ctx_error(c, "ERR AUTH <password> called without any password configured for the default "
                     "user. Are you sure your configuration is correct?");
        return;
    }
    if (authenticate(c, c->argc == 3 ? c->argv[1] : SLICE("default"), c->argv[c->argc - 1]))
        resp_ok(c->out);
}

/* --- names ------------------------------------------------------------------------------------------ */

static bool
printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '!' || s.p[i] > '~')
            return false;
    return true;
}

static bool
set_name(struct ctx *c, struct slice name)
{
    struct session *s = c->session;

    if (!printable(name)) {
        ctx_error(c, "ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    if (name.n > SESSION_NAME_BYTES_MAX) {
        resp_errorf(c->out, "ERR Client names are at most %d bytes long", SESSION_NAME_BYTES_MAX);
        return false;
    }
    memcpy(s->name, name.p, name.n);
    s->name[name.n] = '\0';
    return true;
}

/* --- HELLO ------------------------------------------------------------------------------------------- */

static void
reply_hello(struct ctx *c)
{
    struct session *s = c->session;

    resp_map(c->out, s->proto, 7);
    resp_bulk(c->out, SLICE("server"));
    resp_bulk(c->out, SLICE(SERVER_NAME));
    resp_bulk(c->out, SLICE("version"));
    resp_bulk(c->out, SLICE("7.0.15"));
    resp_bulk(c->out, SLICE("proto"));
    resp_int(c->out, s->proto);
    resp_bulk(c->out, SLICE("id"));
    resp_int(c->out, (int64_t)s->id);
    resp_bulk(c->out, SLICE("mode"));
    resp_bulk(c->out, c->core->config.core_ports ? SLICE("cluster") : SLICE("standalone"));
    resp_bulk(c->out, SLICE("role"));
    resp_bulk(c->out, SLICE("master"));
    resp_bulk(c->out, SLICE("modules"));
    resp_array(c->out, 0);
}

struct hello {
    int64_t proto;
    bool auth, named;
    struct slice user, password, name;
};

static bool
hello_parse(struct ctx *c, struct hello *h)
{
    if (c->argc > 1) {
        if (!parse_int(c->argv[1], &h->proto)) {
            ctx_error(c, "ERR Protocol version is not an integer or out of range");
            return false;
        }
        if (h->proto < 2 || h->proto > 3) {
            ctx_error(c, "NOPROTO unsupported protocol version");
            return false;
        }
    }
    for (uint32_t i = 2; i < c->argc; i++) {
        uint32_t more = c->argc - 1 - i;

        if (slice_is(c->argv[i], "auth") && more >= 2) {
            h->auth = true;
            h->user = c->argv[++i];
            h->password = c->argv[++i];
        } else if (slice_is(c->argv[i], "setname") && more >= 1) {
            h->named = true;
            h->name = c->argv[++i];
        } else {
            resp_errorf(c->out, "ERR Syntax error in HELLO option '%.*s'",
                        (int)MIN(c->argv[i].n, 128), c->argv[i].p);
            return false;
        }
    }
    return true;
}

void
cmd_hello(struct ctx *c)
{
    struct session *s = c->session;
    struct hello h = {.proto = s->proto};

    if (!hello_parse(c, &h))
        return;
    if (h.auth && !authenticate(c, h.user, h.password))
        return;
    if (!s->authenticated) {
        ctx_error(c, "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                     "the HELLO AUTH <user> <pass> option can be used to authenticate the client and "
                     "select the RESP protocol version at the same time");
        return;
    }
    if (h.named && !set_name(c, h.name))
        return;
    s->proto = (uint8_t)h.proto;
    reply_hello(c);
}

/* --- CLIENT, about this connection -------------------------------------------------------------------- */

void
cmd_client_id(struct ctx *c)
{
    resp_int(c->out, (int64_t)c->session->id);
}

void
cmd_client_setname(struct ctx *c)
{
    if (set_name(c, c->argv[2]))
        resp_ok(c->out);
}

void
cmd_client_getname(struct ctx *c)
{
    if (c->session->name[0])
        resp_bulk(c->out, slice_of(c->session->name));
    else
        resp_null(c->out, c->proto);
}

void
cmd_client_setinfo(struct ctx *c)
{
    struct session *s = c->session;
    struct slice value = c->argv[3];
    char *to;

    if (slice_is(c->argv[2], "lib-name")) {
        to = s->lib_name;
    } else if (slice_is(c->argv[2], "lib-ver")) {
        to = s->lib_ver;
    } else {
        resp_errorf(c->out, "ERR Unrecognized option '%.*s'", (int)MIN(c->argv[2].n, 128),
                    c->argv[2].p);
        return;
    }
    if (!printable(value) || value.n >= sizeof(s->lib_name)) {
        resp_errorf(c->out, "ERR %s cannot contain spaces, newlines or special characters.",
                    to == s->lib_name ? "lib-name" : "lib-ver");
        return;
    }
    memcpy(to, value.p, value.n);
    to[value.n] = '\0';
    resp_ok(c->out);
}

void
cmd_client_noevict(struct ctx *c)
{
    if (slice_is(c->argv[2], "on"))
        c->session->no_evict = true;
    else if (slice_is(c->argv[2], "off"))
        c->session->no_evict = false;
    else {
        ctx_error(c, ERR_SYNTAX);
        return;
    }
    resp_ok(c->out);
}

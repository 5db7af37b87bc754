/* DEBUG, for tests. SLEEP pauses only its own client: nothing ever blocks a core. FAULT makes the
 * journal's next writes fail, for tests of the failure table; LIMIT makes limits smaller. */
#include "shards/commands/handlers.h"

#include "shards/engine/keyspace.h"
#include "shards/engine/session.h"
#include "shards/store/row.h"

#include <stdlib.h>

static bool
debug_allowed(struct ctx *c)
{
    unsigned who = c->core->config.enable_debug_command;

    if (who == CONFIG_DEBUG_YES)
        return true;
    if (who == CONFIG_DEBUG_LOCAL && (strncmp(c->session->peer, "127.", 4) == 0 ||
                                      strncmp(c->session->peer, "[::1]", 5) == 0))
        return true;
    ctx_error(c, "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                 "\"local\", you can run it from a local connection, otherwise you need to set this "
                 "option in the configuration file, and then restart the server.");
    return false;
}

/* --- SLEEP ------------------------------------------------------------------------------------------- */

static void
slept(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);

    resp_ok(&s->conn.out);
    session_continue(s);
}

static void
debug_sleep(struct ctx *c)
{
    struct session *s = c->session;
    double seconds;

    if (!parse_double(c->argv[2], &seconds) ||
        !(seconds >= 0 && seconds <= 1e6)) {
        ctx_error(c, "ERR DEBUG SLEEP takes a number of seconds from 0 to 1000000");
        return;
    }
    session_block(s);
    s->timer.fn = slept;
    timer_arm(&c->core->reactor.timers, &s->timer,
              c->core->reactor.clock.mono_ns + (uint64_t)(seconds * 1e9));
}

/* --- OBJECT: runs where the key lives, as a command of its own ------------------------------------------ */

static void
debug_object(struct ctx *c)
{
    struct slice argv[2] = {SLICE("debug_object"), c->argv[2]};

    session_dispatch(c->session, command_find(argv[0]), argv, 2);
}

void
cmd_debug_object(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e = key_peek(c, &k);

    if (e == NULL) {
        ctx_error(c, ERR_NO_KEY);
        return;
    }
    buf_printf(c->out,
               "+Value at:%p refcount:1 type:%s bytes:%zu core:%u dirty:%d in_store:%d "
                 "lru_seconds_idle:%u\r\n", (void *)e, e->type == ENTRY_STRING ? "string" : "series",
                 entry_bytes(e), k.sh->id, e->dirty_pos != 0, (e->flags & ENTRY_IN_STORE) != 0,
                 k.sh->now_s - e->access_s);
}

/* --- FAULT ----------------------------------------------------------------------------------------------- */

struct fault_state {
    struct io_fault io;
    struct io_fault_plan plan;
    int64_t left;
};

static struct io_fault_plan
fault_on_write(struct io_fault *f, int fd, uint64_t offset, size_t len)
{
    struct fault_state *st = container_of(f, struct fault_state, io);

    if (st->left <= 0)
        return (struct io_fault_plan){IO_FAULT_NONE};
    st->left--;
    return st->plan;
}

/* DEBUG FAULT store times milliseconds: this core's next cold reads and checkpoints take longer. */
static void
debug_slow_store(struct ctx *c)
{
    struct shard *sh = &c->core->shard;
    int64_t times, ms;

    if (c->argc != 5 || !parse_int(c->argv[3], &times) || times < 0 || times > INT32_MAX ||
        !parse_int(c->argv[4], &ms) || ms < 0 || ms > 60000) {
        ctx_error(c, "ERR DEBUG FAULT store times milliseconds (0 to 60000)");
        return;
    }
    atomic_store(&sh->slow_ms, (int32_t)ms);
    atomic_store(&sh->slow_jobs, (int32_t)times);
    resp_ok(c->out);
}

static bool
fault_plan(struct ctx *c, struct io_fault_plan *ret)
{
    int64_t amount = 0;

    if (c->argc > 4 && !parse_int(c->argv[4], &amount))
        return false;
    if (slice_is(c->argv[2], "eio"))
        *ret = (struct io_fault_plan){IO_FAULT_ERROR, .error = EIO};
    else if (slice_is(c->argv[2], "enospc"))
        *ret = (struct io_fault_plan){IO_FAULT_ERROR, .error = ENOSPC};
    else if (slice_is(c->argv[2], "short"))
        *ret = (struct io_fault_plan){IO_FAULT_SHORT, .bytes = (uint32_t)amount};
    else if (slice_is(c->argv[2], "delay"))
        *ret = (struct io_fault_plan){IO_FAULT_DELAY, .delay_ns = (uint64_t)amount * 1000000};
    else
        return false;
    return true;
}

/* DEBUG FAULT eio|enospc|short|delay times [bytes|ms]: this core's next journal writes. */
static void
debug_fault(struct ctx *c)
{
    struct core *core = c->core;
    struct fault_state *st;
    struct io_fault_plan plan;
    int64_t times;

    if (c->argc > 2 && slice_is(c->argv[2], "store")) {
        debug_slow_store(c);
        return;
    }
    if (c->argc < 4 || !fault_plan(c, &plan) || !parse_int(c->argv[3], &times) || times < 0) {
        ctx_error(c, "ERR DEBUG FAULT eio|enospc|short|delay|store times [bytes|milliseconds]");
        return;
    }
    if (core->fault_state == NULL) {
        core->fault_state = calloc(1, sizeof(*st));
        ASSERT(core->fault_state);
    }
    st = core->fault_state;
    st->io.on_write = fault_on_write;
    st->plan = plan;
    st->left = times;
    io_set_fault(core->reactor.io, &st->io);
    resp_ok(c->out);
}

/* --- LIMIT ------------------------------------------------------------------------------------ */

static uint64_t *
limit_named(struct limits *l, struct slice name)
{
#define FIND(field, text, value) \
    if (slice_is(name, text))    \
        return &l->field;
    LIMITS_TABLE(FIND)
#undef FIND
    return NULL;
}

/* DEBUG LIMIT name value: of this core, until it ends. */
static void
debug_limit(struct ctx *c)
{
    struct limits most = LIMITS_DEFAULT;
    uint64_t *limit = limit_named(&c->core->limits, c->argv[2]);
    int64_t v;

    if (limit == NULL)
        ctx_error(c, "ERR DEBUG LIMIT: no limit of this name");
    else if (!parse_int(c->argv[3], &v) || v < 0 || (uint64_t)v > *limit_named(&most, c->argv[2]))
        ctx_error(c, "ERR DEBUG LIMIT: a number from 0 to what the limit is without it");
    else {
        *limit = (uint64_t)v;
        resp_ok(c->out);
    }
}

/* --- choosing --------------------------------------------------------------------------------- */

static void
debug_help(struct ctx *c)
{
    static const char *const lines[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "SLEEP <seconds>",
        "    Pauses this client.",
        "OBJECT <key>",
        "    Shows the entry of a key.",
        "FAULT eio|enospc|short|delay <times> [<bytes>|<milliseconds>]",
        "    Makes the next journal writes of this core fail, fall short or take longer.",
        "FAULT store <times> <milliseconds>",
        "    Makes the next cold reads and checkpoints of this core take longer.",
        "LIMIT <name> <value>",
        "    Makes a limit of this core smaller.",
        "HELP",
        "    Prints this help.",
    };

    resp_array(c->out, ARRAY_SIZE(lines));
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        resp_simple(c->out, lines[i]);
}

void
cmd_debug(struct ctx *c)
{
    if (!debug_allowed(c))
        return;
    if (slice_is(c->argv[1], "sleep") && c->argc == 3)
        debug_sleep(c);
    else if (slice_is(c->argv[1], "object") && c->argc == 3)
        debug_object(c);
    else if (slice_is(c->argv[1], "fault"))
        debug_fault(c);
    else if (slice_is(c->argv[1], "limit") && c->argc == 4)
        debug_limit(c);
    else if (slice_is(c->argv[1], "help") && c->argc == 2)
        debug_help(c);
    else
        resp_errorf(c->out,
                    "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                    "Try DEBUG HELP.",
                    (int)MIN(c->argv[1].n, 128), c->argv[1].p);
}

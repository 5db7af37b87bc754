/* SET, SETNX, SETEX, PSETEX, GETEX: setting values and expiries, with options. The options and what
 * excludes what are Redis's: https://redis.io/commands/set, https://redis.io/commands/getex. */
#include "shards/commands/handlers.h"
#include "shards/commands/string_priv.h"

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEPTTL = 1 << 3,
    SET_PERSIST = 1 << 4,
    SET_EX = 1 << 5,
    SET_PX = 1 << 6,
    SET_EXAT = 1 << 7,
    SET_PXAT = 1 << 8,
};
#define SET_TIMES (SET_EX | SET_PX | SET_EXAT | SET_PXAT)

/* One word of the syntax: in whose syntax it is, what it cannot stand beside. A word may be
 * repeated; of repeated times the last one counts. */
struct set_word {
    const char *name;
    uint32_t flag;
    uint32_t excludes;
    bool in_set, in_getex;
};

static const struct set_word set_words[] = {
    {"ex", SET_EX, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_EX), true, true},
    {"px", SET_PX, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_PX), true, true},
    {"nx", SET_NX, SET_XX, true, false},
    {"xx", SET_XX, SET_NX, true, false},
    {"get", SET_GET, 0, true, false},
    {"keepttl", SET_KEEPTTL, SET_PERSIST | SET_TIMES, true, false},
    {"persist", SET_PERSIST, SET_KEEPTTL | SET_TIMES, false, true},
    {"exat", SET_EXAT, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_EXAT), true, true},
    {"pxat", SET_PXAT, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_PXAT), true, true},
};

struct set_options {
    uint32_t flags;
    struct slice time; /* argument of the SET_TIMES word */
};

static const struct set_word *
set_word_find(struct slice arg, bool getex)
{
    for (size_t i = 0; i < ARRAY_SIZE(set_words); i++)
        if ((getex ? set_words[i].in_getex : set_words[i].in_set) &&
            slice_is(arg, set_words[i].name))
            return &set_words[i];
    return NULL;
}

/* Reads the options from argument `at` on; replies the error when they make no sense. */
static bool
set_parse(struct ctx *c, uint32_t at, bool getex, struct set_options *ret_o)
{
    struct set_options o = {0};

    for (uint32_t i = at; i < c->argc; i++) {
        const struct set_word *w = set_word_find(c->argv[i], getex);

        if (w == NULL || (o.flags & w->excludes) || ((w->flag & SET_TIMES) && i + 1 == c->argc)) {
            ctx_error(c, ERR_SYNTAX);
            return false;
        }
        o.flags |= w->flag;
        if (w->flag & SET_TIMES)
            o.time = c->argv[++i];
    }
    *ret_o = o;
    return true;
}

static bool
bad_time(struct ctx *c)
{
    resp_errorf(c->out, "ERR invalid expire time in '%s' command", c->cmd->name);
    return false;
}

/* The expiry a SET_TIMES word means, ms since the epoch; replies the error when there is none. */
static bool
set_time(struct ctx *c, uint32_t flags, struct slice text, int64_t *ret_ms)
{
    bool relative = flags & (SET_EX | SET_PX);
    int64_t unit = flags & (SET_EX | SET_EXAT) ? 1000 : 1;
    int64_t base = relative ? ctx_now_ms(c) : 0;
    int64_t v;

    if (!parse_int(text, &v)) {
        ctx_error(c, ERR_NOT_INT);
        return false;
    }
    if (v <= 0 || __builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(v, base, &v))
        return bad_time(c);
    *ret_ms = v;
    return true;
}

static void
set_general(struct ctx *c)
{
    struct set_options o;
    struct entry *e;
    struct key k;
    int64_t expire_ms;

    if (!set_parse(c, 3, false, &o))
        return;
    expire_ms = o.flags & SET_KEEPTTL ? KEEP_EXPIRE : 0;
    if ((o.flags & SET_TIMES) && !set_time(c, o.flags, o.time, &expire_ms))
        return;
    k = key_open(c, c->argv[1]);
    if (o.flags & SET_GET) {
        if (!string_reply_value(c, &k, &e))
            return;
    } else {
        e = key_peek(c, &k);
    }
    if (((o.flags & SET_NX) && e) || ((o.flags & SET_XX) && !e)) {
        if (!(o.flags & SET_GET))
            resp_null(c->out, c->proto);
        return;
    }
    key_set_string(c, &k, c->argv[2], expire_ms);
    if (!(o.flags & SET_GET))
        resp_ok(c->out);
}

void
cmd_set(struct ctx *c)
{
    struct key k;

    if (unlikely(c->argc > 3)) {
        set_general(c);
        return;
    }
    k = key_open(c, c->argv[1]);
    key_set_string(c, &k, c->argv[2], 0);
    resp_ok(c->out);
}

void
cmd_setnx(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);

    if (key_peek(c, &k)) {
        resp_int(c->out, 0);
        return;
    }
    key_set_string(c, &k, c->argv[2], 0);
    resp_int(c->out, 1);
}

static void
set_with_time(struct ctx *c, uint32_t flag)
{
    int64_t expire_ms;
    struct key k;

    if (!set_time(c, flag, c->argv[2], &expire_ms))
        return;
    k = key_open(c, c->argv[1]);
    key_set_string(c, &k, c->argv[3], expire_ms);
    resp_ok(c->out);
}

void
cmd_setex(struct ctx *c)
{
    set_with_time(c, SET_EX);
}

void
cmd_psetex(struct ctx *c)
{
    set_with_time(c, SET_PX);
}

void
cmd_getex(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct set_options o;
    struct entry *e;
    int64_t expire_ms = 0;
    bool ok;

    if (!set_parse(c, 2, true, &o))
        return;
    e = key_find_type(c, &k, ENTRY_STRING, &ok);
    if (!ok)
        return;
    if (e == NULL) {
        resp_null(c->out, c->proto);
        return;
    }
    if ((o.flags & SET_TIMES) && !set_time(c, o.flags, o.time, &expire_ms))
        return;
    string_reply(c, e);
    if ((o.flags & SET_TIMES) || ((o.flags & SET_PERSIST) && entry_expire(e)))
        key_set_expire(c, &k, e, expire_ms);
}

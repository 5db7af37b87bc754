/* Expiry: setting, reading, removing. Times inside are ms since the epoch; what lies in the past
 * deletes the key at once. */
#include "shards/commands/handlers.h"
#include "shards/engine/keyspace.h"

enum expire_flag { EXPIRE_NX = 1 << 0, EXPIRE_XX = 1 << 1, EXPIRE_GT = 1 << 2, EXPIRE_LT = 1 << 3 };

/* What an EXPIRE command's number means. */
struct expire_unit {
    int64_t ms;    /* in one of it */
    bool absolute; /* since the epoch, not from now */
};

static bool
expire_parse(struct ctx *c, unsigned *ret_flags)
{
    static const char *const names[] = {"nx", "xx", "gt", "lt"};
    unsigned flags = 0;

    for (uint32_t i = 3; i < c->argc; i++) {
        unsigned w = 0;

        while (w < ARRAY_SIZE(names) && !slice_is(c->argv[i], names[w]))
            w++;
        if (w == ARRAY_SIZE(names)) {
            resp_errorf(c->out, "ERR Unsupported option %.*s", (int)c->argv[i].n, c->argv[i].p);
            return false;
        }
        flags |= 1u << w;
    }
    if ((flags & EXPIRE_NX) && (flags & ~(unsigned)EXPIRE_NX)) {
        ctx_error(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((flags & EXPIRE_GT) && (flags & EXPIRE_LT)) {
        ctx_error(c, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *ret_flags = flags;
    return true;
}

static bool
expire_time(struct ctx *c, struct expire_unit unit, int64_t *ret_ms)
{
    int64_t base = unit.absolute ? 0 : ctx_now_ms(c);
    int64_t v;

    if (!ctx_int(c, 2, &v))
        return false;
    if (__builtin_mul_overflow(v, unit.ms, &v) || __builtin_add_overflow(v, base, &v)) {
        resp_errorf(c->out, "ERR invalid expire time in '%s' command", c->cmd->name);
        return false;
    }
    *ret_ms = v;
    return true;
}

/* A key that never expires counts as one that expires last. */
static bool
expire_wanted(unsigned flags, int64_t now_set, int64_t wanted)
{
    if ((flags & EXPIRE_NX) && now_set)
        return false;
    if ((flags & EXPIRE_XX) && !now_set)
        return false;
    if ((flags & EXPIRE_GT) && (!now_set || wanted <= now_set))
        return false;
    if ((flags & EXPIRE_LT) && now_set && wanted >= now_set)
        return false;
    return true;
}

static void
expire_key(struct ctx *c, struct expire_unit unit)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e;
    unsigned flags;
    int64_t at;

    if (!expire_parse(c, &flags) || !expire_time(c, unit, &at))
        return;
    e = key_peek(c, &k);
    if (e == NULL || !expire_wanted(flags, entry_expire(e), at)) {
        resp_int(c->out, 0);
        return;
    }
    if (at <= ctx_now_ms(c))
        key_delete(c, &k, e);
    else
        key_set_expire(c, &k, e, at);
    resp_int(c->out, 1);
}

void
cmd_expire(struct ctx *c)
{
    expire_key(c, (struct expire_unit){1000, false});
}

void
cmd_pexpire(struct ctx *c)
{
    expire_key(c, (struct expire_unit){1, false});
}

void
cmd_expireat(struct ctx *c)
{
    expire_key(c, (struct expire_unit){1000, true});
}

void
cmd_pexpireat(struct ctx *c)
{
    expire_key(c, (struct expire_unit){1, true});
}

#define TTL_ABSENT (-2)
#define TTL_NEVER (-1)

static void
reply_ttl(struct ctx *c, bool seconds, bool absolute)
{
    struct key k = key_open(c, c->argv[1]);
    const struct entry *e = key_peek(c, &k);
    int64_t ms;

    if (e == NULL || entry_expire(e) == 0) {
        resp_int(c->out, e ? TTL_NEVER : TTL_ABSENT);
        return;
    }
    ms = entry_expire(e) - (absolute ? 0 : ctx_now_ms(c));
    if (seconds)
        ms = ms / 1000 + (ms % 1000 >= 500);
    resp_int(c->out, ms);
}

void
cmd_ttl(struct ctx *c)
{
    reply_ttl(c, true, false);
}

void
cmd_pttl(struct ctx *c)
{
    reply_ttl(c, false, false);
}

void
cmd_expiretime(struct ctx *c)
{
    reply_ttl(c, true, true);
}

void
cmd_pexpiretime(struct ctx *c)
{
    reply_ttl(c, false, true);
}

void
cmd_persist(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct entry *e = key_peek(c, &k);
    bool had = e && entry_expire(e);

    if (had)
        key_set_expire(c, &k, e, 0);
    resp_int(c->out, had);
}

/* RENAME, RENAMENX, COPY: the value of one key under another name.
 *
 * The points of a series may be in the store; they are copied from the block cache, and what is not
 * there is asked for (ctx->need) before anything is changed. The two keys may be on two shards:
 * the copy is written as new blocks, in the journal of the new owner. The rules of a series go with it
 * when it is renamed. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/engine/keyspace.h"

#define ERR_COPY_READ "ERR stored blocks of the series cannot be read, nothing was copied"

struct copy {
    struct key from, to;
    uint8_t to_db;
    bool replace;
};

static bool
same_key(const struct copy *cp)
{
    return cp->from.db == cp->to.db && slice_equal(cp->from.name, cp->to.name);
}

/* Everything the command reads is in memory or in the block cache; else ctx->need says what to
 * fetch. Changes nothing. */
static bool
copy_ready(struct ctx *c, struct copy *cp, bool rename)
{
    struct entry *e = head_find(cp->from.head, cp->from.hash, cp->from.name);

    /* The dispatcher looks for keys in the client's database only. */
    if (cp->to.db != c->db && !load_key_now(cp->to.sh, cp->to.db, cp->to.name, cp->to.hash)) {
        c->need =
            (struct need){.kind = NEED_KEY, .sh = cp->to.sh, .key = cp->to.name, .db = cp->to.db};
        return false;
    }
    if (e == NULL || (e->flags & ENTRY_TOMBSTONE) || same_key(cp))
        return true;
    return (!rename || ts_rules_rename_ready(c, &cp->from, e)) && key_copy_ready(c, &cp->from, e);
}

/* The value, with its expiry, to where `old` (NULL = nothing) is now. False: error replied. */
static bool
copy_to(struct ctx *c, struct copy *cp, struct entry *e, struct entry *old)
{
    struct entry *part;

    if (old && e->type != ENTRY_STRING)
        key_delete(c, &cp->to, old);
    if (key_copy_value(c, &cp->from, e, &cp->to, entry_expire(e)) == 0)
        return true;
    part = key_peek(c, &cp->to);
    if (part && e->type != ENTRY_STRING)
        key_delete(c, &cp->to, part);
    ctx_error(c, ERR_COPY_READ);
    return false;
}

static void
rename_key(struct ctx *c, bool only_if_free)
{
    struct copy cp = {.from = key_open(c, c->argv[1]), .to = key_open(c, c->argv[2])};
    struct entry *e, *old;

    if (!copy_ready(c, &cp, true) || c->probe)
        return;
    e = key_peek(c, &cp.from);
    if (e == NULL) {
        ctx_error(c, ERR_NO_KEY);
        return;
    }
    old = key_peek(c, &cp.to);
    if (only_if_free && old) {
        resp_int(c->out, 0);
        return;
    }
    if (!same_key(&cp)) {
        if (!ts_rules_rename_fits(c, &cp.from, e, cp.to.name) || !copy_to(c, &cp, e, old))
            return;
        ts_rules_renamed(c, &cp.from, e, &cp.to);
        key_delete(c, &cp.from, e);
    }
    if (only_if_free)
        resp_int(c->out, 1);
    else
        resp_ok(c->out);
}

void
cmd_rename(struct ctx *c)
{
    rename_key(c, false);
}

void
cmd_renamenx(struct ctx *c)
{
    rename_key(c, true);
}

static bool
copy_db(struct ctx *c, struct slice text, uint8_t *ret_db)
{
    int64_t db;

    if (!parse_int(text, &db)) {
        ctx_error(c, ERR_NOT_INT);
        return false;
    }
    if (db < INT_MIN || db > INT_MAX) {
        resp_errorf(c->out, "ERR value is out of range, value must between %d and %d", INT_MIN,
                    INT_MAX);
        return false;
    }
    if (db < 0 || db >= (int64_t)c->core->config.databases) {
        ctx_error(c, "ERR DB index is out of range");
        return false;
    }
    *ret_db = (uint8_t)db;
    return true;
}

static bool
copy_parse(struct ctx *c, struct copy *cp)
{
    cp->to_db = c->db;
    for (uint32_t i = 3; i < c->argc; i++) {
        if (slice_is(c->argv[i], "replace")) {
            cp->replace = true;
        } else if (slice_is(c->argv[i], "db") && i + 1 < c->argc) {
            if (!copy_db(c, c->argv[++i], &cp->to_db))
                return false;
        } else {
            ctx_error(c, ERR_SYNTAX);
            return false;
        }
    }
    cp->from = key_open(c, c->argv[1]);
    cp->to = key_open_db(c, c->argv[2], cp->to_db);
    return true;
}

void
cmd_copy(struct ctx *c)
{
    struct copy cp = {.replace = false};
    struct entry *e, *old;

    if (!copy_parse(c, &cp))
        return;
    if (same_key(&cp)) {
        ctx_error(c, "ERR source and destination objects are the same");
        return;
    }
    if (!copy_ready(c, &cp, false) || c->probe)
        return;
    e = key_peek(c, &cp.from);
    old = e ? key_peek(c, &cp.to) : NULL;
    if (e == NULL || (old && !cp.replace)) {
        resp_int(c->out, 0);
        return;
    }
    if (copy_to(c, &cp, e, old))
        resp_int(c->out, 1);
}

/* COMMAND, COMMAND INFO, GETKEYS and GETKEYSANDFLAGS: what a command is and which keys it has, from
 * the rows of handlers.h and facts.h. */
#include "shards/commands/describe_priv.h"
#include "shards/commands/handlers.h"

#include <stdlib.h>

/* --- flags ---------------------------------------------------------------------------------------------- */

/* In the order in which Redis tells them; bit 0: a word of facts.h only. */
static const struct {
    uint32_t bit;
    const char *name;
} flag_names[] = {
    {CMD_WRITE, "write"},
    {CMD_READONLY, "readonly"},
    {CMD_DENYOOM, "denyoom"},
    {CMD_ADMIN, "admin"},
    {0, "noscript"},
    {0, "blocking"},
    {0, "loading"},
    {0, "stale"},
    {0, "skip_slowlog"},
    {CMD_FAST, "fast"},
    {CMD_NO_AUTH, "no_auth"},
    {0, "no_async_loading"},
    {CMD_NO_MULTI, "no_multi"},
    {CMD_NUMKEYS, "movablekeys"},
    {0, "allow_busy"},
};

static bool
has_flag(const struct command *cmd, const struct command_facts *facts, size_t i)
{
    return (cmd->flags & flag_names[i].bit) ||
           has_word(slice_of(facts->flags), slice_of(flag_names[i].name));
}

static void
write_flags(struct ctx *c, const struct command *cmd, const struct command_facts *facts)
{
    uint64_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
        n += has_flag(cmd, facts, i);
    resp_set(c->out, c->proto, n);
    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
        if (has_flag(cmd, facts, i))
            resp_simple(c->out, flag_names[i].name);
}

static void
write_tips(struct ctx *c, struct slice text)
{
    struct slice word;

    resp_set(c->out, c->proto, word_count(text));
    while (next_word(&text, &word))
        resp_bulk(c->out, word);
}

/* --- key specifications ---------------------------------------------------------------------------------- */

/* One text of facts.h: the flags, and where there is a word, those of calls with and without it. */
struct key_use {
    struct slice flags, word, with, without;
};

static struct key_use
key_use_next(struct slice *rest)
{
    struct slice one = slice_cut(rest, '|');
    struct key_use use = {.flags = slice_cut(&one, ';')};

    use.word = slice_cut(&one, ';');
    use.with = slice_cut(&one, ';');
    use.without = one;
    return use;
}

static uint32_t
spec_count(const struct command *cmd, const struct command_facts *facts)
{
    uint32_t n = 1;

    for (const char *p = facts->keys; *p; p++)
        n += *p == '|';
    return cmd->key_first ? n : 0;
}

static void
write_type(struct ctx *c, const char *type, uint64_t pairs)
{
    resp_map(c->out, c->proto, 2);
    resp_bulk(c->out, SLICE("type"));
    resp_bulk(c->out, slice_of(type));
    resp_bulk(c->out, SLICE("spec"));
    resp_map(c->out, c->proto, pairs);
}

static void
write_number(struct ctx *c, const char *name, int64_t v)
{
    resp_bulk(c->out, slice_of(name));
    resp_int(c->out, v);
}

/* Where keys from `first` to `last` begin, or (numkeys) the number of them. */
static void
write_positions(struct ctx *c, const struct command *cmd, int first, int last)
{
    bool numkeys = (cmd->flags & CMD_NUMKEYS) != 0;

    resp_bulk(c->out, SLICE("begin_search"));
    write_type(c, "index", 1);
    write_number(c, "index", numkeys ? first - 1 : first);
    resp_bulk(c->out, SLICE("find_keys"));
    if (numkeys) {
        write_type(c, "keynum", 3);
        write_number(c, "keynumidx", 0);
        write_number(c, "firstkey", 1);
        write_number(c, "keystep", 1);
        return;
    }
    write_type(c, "range", 3);
    write_number(c, "lastkey", last < 0 ? last : last - first);
    write_number(c, "keystep", cmd->key_step);
    write_number(c, "limit", 0);
}

static void
write_key_specs(struct ctx *c, const struct command *cmd, const struct command_facts *facts)
{
    uint32_t n = spec_count(cmd, facts);
    struct slice rest = slice_of(facts->keys);

    resp_set(c->out, c->proto, n);
    for (uint32_t i = 0; i < n; i++) {
        struct key_use use = key_use_next(&rest);
        int first = cmd->key_first + (int)i;

        resp_map(c->out, c->proto, 3 + (facts->note[0] != '\0'));
        if (facts->note[0]) {
            resp_bulk(c->out, SLICE("notes"));
            resp_bulk(c->out, slice_of(facts->note));
        }
        resp_bulk(c->out, SLICE("flags"));
        resp_words(c, use.flags);
        write_positions(c, cmd, first, n > 1 ? first : cmd->key_last);
    }
}

/* --- COMMAND INFO --------------------------------------------------------------------------------------- */

static void
write_info(struct ctx *c, const struct command *cmd)
{
    const struct command_facts *facts = command_facts(cmd->name);
    bool numkeys = (cmd->flags & CMD_NUMKEYS) != 0;
    uint32_t subs = command_sub_count(cmd);

    resp_array(c->out, 10);
    resp_bulk(c->out, slice_of(cmd->name));
    resp_int(c->out, cmd->arity);
    write_flags(c, cmd, facts);
    resp_int(c->out, numkeys ? 0 : cmd->key_first);
    resp_int(c->out, numkeys ? 0 : cmd->key_last);
    resp_int(c->out, numkeys ? 0 : cmd->key_step);
    resp_words(c, slice_of(cmd->acl));
    write_tips(c, slice_of(facts->tips));
    write_key_specs(c, cmd, facts);
    resp_set(c->out, c->proto, subs);
    for (uint32_t i = 0; i < subs; i++)
        write_info(c, &cmd->sub[i]);
}

void
cmd_command(struct ctx *c)
{
    uint32_t n;
    const struct command *t = command_table(&n);

    resp_array(c->out, command_listed());
    for (uint32_t i = 0; i < n; i++)
        if (command_is_listed(&t[i]))
            write_info(c, &t[i]);
}

void
cmd_command_info(struct ctx *c)
{
    if (c->argc == 2) {
        cmd_command(c);
        return;
    }
    resp_array(c->out, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        const struct command *cmd = command_find_listed(c->argv[i]);

        if (cmd)
            write_info(c, cmd);
        else
            resp_null(c->out, c->proto);
    }
}

/* --- COMMAND GETKEYS and GETKEYSANDFLAGS ---------------------------------------------------------------- */

struct keys_reply {
    struct ctx *c;
    const struct command *cmd;
    const struct command_facts *facts; /* NULL: the keys without flags */
};

/* Of the key at `index`, in a call whose words start at argv[2]. */
static struct slice
flags_of_key(const struct keys_reply *r, uint32_t index)
{
    struct slice rest = slice_of(r->facts->keys);
    struct key_use use = key_use_next(&rest);
    char word[16];

    if (spec_count(r->cmd, r->facts) > 1)
        for (uint32_t i = (uint32_t)r->cmd->key_first; i < index; i++)
            use = key_use_next(&rest);
    if (use.word.n == 0)
        return use.flags;
    ASSERT(use.word.n < sizeof(word));
    memcpy(word, use.word.p, use.word.n);
    word[use.word.n] = '\0';
    for (uint32_t i = 2 + (uint32_t)abs(r->cmd->arity); i < r->c->argc; i++)
        if (slice_is(r->c->argv[i], word))
            return use.with;
    return use.without;
}

static void
write_key(void *arg, uint32_t index)
{
    struct keys_reply *r = arg;

    if (r->facts)
        resp_array(r->c->out, 2);
    resp_bulk(r->c->out, r->c->argv[2 + index]);
    if (r->facts)
        resp_words(r->c, flags_of_key(r, index));
}

static void
count_key(void *arg, uint32_t index)
{
}

/* The command whose words start at argv[2], or NULL with the error written. */
static const struct command *
named_with_keys(struct ctx *c)
{
    const struct command *cmd = command_find(c->argv[2]);
    uint32_t argc = c->argc - 2;

    if (cmd && cmd->sub)
        cmd = command_resolve(cmd, c->argv + 2, argc);
    if (cmd == NULL || !command_is_listed(cmd))
        ctx_error(c, "ERR Invalid command specified");
    else if (cmd->key_first == 0)
        ctx_error(c, "ERR The command has no key arguments");
    else if (!command_arity_ok(cmd, argc))
        ctx_error(c, "ERR Invalid number of arguments specified for command");
    else
        return cmd;
    return NULL;
}

static void
reply_keys(struct ctx *c, bool flags)
{
    const struct command *cmd = named_with_keys(c);
    struct keys_reply r = {.c = c, .cmd = cmd};
    uint32_t n;

    if (cmd == NULL)
        return;
    n = command_keys(cmd, c->argv + 2, c->argc - 2, count_key, NULL);
    if (n == 0) {
        ctx_error(c, "ERR Invalid arguments specified for command");
        return;
    }
    if (flags)
        r.facts = command_facts(cmd->name);
    resp_array(c->out, n);
    command_keys(cmd, c->argv + 2, c->argc - 2, write_key, &r);
}

void
cmd_command_getkeys(struct ctx *c)
{
    reply_keys(c, false);
}

void
cmd_command_getkeysandflags(struct ctx *c)
{
    reply_keys(c, true);
}

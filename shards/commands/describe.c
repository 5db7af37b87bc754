/* COMMAND, and the HELP texts of containers: all from the table. */
#include "shards/commands/handlers.h"

#include "core/glob.h"

#include <ctype.h>
#include <stdio.h>

static bool
is_listed(const struct command *cmd)
{
    return !(cmd->flags & CMD_HIDDEN);
}

static uint32_t
listed(void)
{
    uint32_t n, count = 0;
    const struct command *t = command_table(&n);

    for (uint32_t i = 0; i < n; i++)
        count += is_listed(&t[i]);
    return count;
}

/* --- COMMAND INFO -------------------------------------------------------------------------------------- */

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {CMD_WRITE, "write"},       {CMD_READONLY, "readonly"}, {CMD_DENYOOM, "denyoom"},
    {CMD_ADMIN, "admin"},       {CMD_NOSCRIPT, "noscript"}, {CMD_FAST, "fast"},
    {CMD_NO_AUTH, "no_auth"},   {CMD_NO_MULTI, "no_multi"}, {CMD_BLOCKING, "blocking"},
    {CMD_NUMKEYS, "movablekeys"},
};

static void
write_flags(struct ctx *c, const struct command *cmd)
{
    uint64_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
        n += (cmd->flags & flag_names[i].flag) != 0;
    resp_set(c->out, c->proto, n);
    for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
        if (cmd->flags & flag_names[i].flag)
            resp_simple(c->out, flag_names[i].name);
}

/* Words of "a b c". */
static uint32_t
words(const char *text, struct slice *ret, uint32_t most)
{
    uint32_t n = 0;

    while (*text && n < most) {
        size_t len = strcspn(text, " ");

        ret[n++] = (struct slice){text, len};
        text += len + (text[len] == ' ');
    }
    return n;
}

static void
write_categories(struct ctx *c, const struct command *cmd)
{
    struct slice w[16];
    uint32_t n = words(cmd->acl, w, ARRAY_SIZE(w));

    resp_set(c->out, c->proto, n);
    for (uint32_t i = 0; i < n; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%.*s", (int)w[i].n, w[i].p);
        resp_simple(c->out, name);
    }
}

static uint32_t
sub_count(const struct command *cmd)
{
    uint32_t n = 0;

    for (const struct command *s = cmd->sub; s && s->name; s++)
        n++;
    return n;
}

/* Their number, right before them. */
static void
write_keynum(struct ctx *c)
{
    resp_bulk(c->out, SLICE("keynum"));
    resp_bulk(c->out, SLICE("spec"));
    resp_map(c->out, c->proto, 3);
    resp_bulk(c->out, SLICE("keynumidx"));
    resp_int(c->out, 0);
    resp_bulk(c->out, SLICE("firstkey"));
    resp_int(c->out, 1);
    resp_bulk(c->out, SLICE("keystep"));
    resp_int(c->out, 1);
}

static void
write_key_spec(struct ctx *c, const struct command *cmd)
{
    bool write = (cmd->flags & CMD_WRITE) != 0, numkeys = (cmd->flags & CMD_NUMKEYS) != 0;

    resp_map(c->out, c->proto, 3);
    resp_bulk(c->out, SLICE("flags"));
    resp_set(c->out, c->proto, 1);
    resp_simple(c->out, write ? "RW" : "RO");
    resp_bulk(c->out, SLICE("begin_search"));
    resp_map(c->out, c->proto, 2);
    resp_bulk(c->out, SLICE("type"));
    resp_bulk(c->out, SLICE("index"));
    resp_bulk(c->out, SLICE("spec"));
    resp_map(c->out, c->proto, 1);
    resp_bulk(c->out, SLICE("index"));
    resp_int(c->out, numkeys ? cmd->key_first - 1 : cmd->key_first);
    resp_bulk(c->out, SLICE("find_keys"));
    resp_map(c->out, c->proto, 2);
    resp_bulk(c->out, SLICE("type"));
    if (numkeys) {
        write_keynum(c);
        return;
    }
    resp_bulk(c->out, SLICE("range"));
    resp_bulk(c->out, SLICE("spec"));
    resp_map(c->out, c->proto, 3);
    resp_bulk(c->out, SLICE("lastkey"));
    resp_int(c->out, cmd->key_last < 0 ? cmd->key_last : cmd->key_last - cmd->key_first);
    resp_bulk(c->out, SLICE("keystep"));
    resp_int(c->out, cmd->key_step);
    resp_bulk(c->out, SLICE("limit"));
    resp_int(c->out, 0);
}

static void
write_info(struct ctx *c, const struct command *cmd)
{
    bool numkeys = (cmd->flags & CMD_NUMKEYS) != 0;
    uint32_t subs = sub_count(cmd);

    resp_array(c->out, 10);
    resp_bulk(c->out, slice_of(cmd->name));
    resp_int(c->out, cmd->arity);
    write_flags(c, cmd);
    resp_int(c->out, numkeys ? 0 : cmd->key_first);
    resp_int(c->out, numkeys ? 0 : cmd->key_last);
    resp_int(c->out, numkeys ? 0 : cmd->key_step);
    write_categories(c, cmd);
    resp_set(c->out, c->proto, 0); /* tips */
    resp_set(c->out, c->proto, cmd->key_first ? 1 : 0);
    if (cmd->key_first)
        write_key_spec(c, cmd);
    resp_set(c->out, c->proto, subs);
    for (uint32_t i = 0; i < subs; i++)
        write_info(c, &cmd->sub[i]);
}

void
cmd_command(struct ctx *c)
{
    uint32_t n;
    const struct command *t = command_table(&n);

    resp_array(c->out, listed());
    for (uint32_t i = 0; i < n; i++)
        if (is_listed(&t[i]))
            write_info(c, &t[i]);
}

void
cmd_command_count(struct ctx *c)
{
    resp_int(c->out, listed());
}

/* A command by name, or a subcommand as "config|get". */
static const struct command *
find_any(struct slice name)
{
    const char *bar = memchr(name.p, '|', name.n);
    const struct command *cmd;

    if (bar == NULL) {
        cmd = command_find(name);
        return cmd && is_listed(cmd) ? cmd : NULL;
    }
    cmd = command_find((struct slice){name.p, (size_t)(bar - name.p)});
    for (const struct command *s = cmd ? cmd->sub : NULL; s && s->name; s++)
        if (slice_is(name, s->name))
            return s;
    return NULL;
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
        const struct command *cmd = find_any(c->argv[i]);

        if (cmd)
            write_info(c, cmd);
        else
            resp_null(c->out, c->proto);
    }
}

/* --- COMMAND DOCS -------------------------------------------------------------------------------------- */

static void
write_doc_pair(struct ctx *c, struct slice name, const char *value)
{
    resp_bulk(c->out, name);
    resp_bulk(c->out, slice_of(value));
}

static void
write_docs(struct ctx *c, const struct command *cmd)
{
    uint32_t subs = sub_count(cmd);
    bool args = cmd->args[0] != '\0';

    resp_bulk(c->out, slice_of(cmd->name));
    resp_map(c->out, c->proto, 4 + args + (subs > 0));
    write_doc_pair(c, SLICE("summary"), cmd->summary);
    write_doc_pair(c, SLICE("since"), cmd->since);
    write_doc_pair(c, SLICE("group"), cmd->group);
    write_doc_pair(c, SLICE("complexity"), cmd->complexity);
    if (args)
        write_doc_pair(c, SLICE("syntax"), cmd->args);
    if (subs == 0)
        return;
    resp_bulk(c->out, SLICE("subcommands"));
    resp_map(c->out, c->proto, subs);
    for (uint32_t i = 0; i < subs; i++)
        write_docs(c, &cmd->sub[i]);
}

void
cmd_command_docs(struct ctx *c)
{
    uint32_t n, found = 0;
    const struct command *t = command_table(&n);

    if (c->argc == 2) {
        resp_map(c->out, c->proto, listed());
        for (uint32_t i = 0; i < n; i++)
            if (is_listed(&t[i]))
                write_docs(c, &t[i]);
        return;
    }
    for (uint32_t i = 2; i < c->argc; i++)
        found += find_any(c->argv[i]) != NULL;
    resp_map(c->out, c->proto, found);
    for (uint32_t i = 2; i < c->argc; i++)
        if (find_any(c->argv[i]))
            write_docs(c, find_any(c->argv[i]));
}

/* --- COMMAND LIST and GETKEYS ---------------------------------------------------------------------------- */

struct list_filter {
    enum { LIST_ALL, LIST_MODULE, LIST_ACLCAT, LIST_PATTERN } by;
    struct slice value;
};

static bool
in_category(const struct command *cmd, struct slice category)
{
    struct slice w[16];
    uint32_t n = words(cmd->acl, w, ARRAY_SIZE(w));

    for (uint32_t i = 0; i < n; i++)
        if (slice_equal((struct slice){w[i].p + 1, w[i].n - 1}, category))
            return true;
    return false;
}

static bool
filter_takes(const struct list_filter *f, const struct command *cmd)
{
    switch (f->by) {
    case LIST_MODULE:
        return false;
    case LIST_ACLCAT:
        return in_category(cmd, f->value);
    case LIST_PATTERN:
        return glob_match(f->value, slice_of(cmd->name), true);
    default:
        return true;
    }
}

static bool
filter_parse(struct ctx *c, struct list_filter *f)
{
    if (c->argc == 2)
        return true;
    if (c->argc != 5 || !slice_is(c->argv[2], "filterby")) {
        ctx_error(c, ERR_SYNTAX);
        return false;
    }
    f->value = c->argv[4];
    if (slice_is(c->argv[3], "module"))
        f->by = LIST_MODULE;
    else if (slice_is(c->argv[3], "aclcat"))
        f->by = LIST_ACLCAT;
    else if (slice_is(c->argv[3], "pattern"))
        f->by = LIST_PATTERN;
    else {
        ctx_error(c, ERR_SYNTAX);
        return false;
    }
    return true;
}

void
cmd_command_list(struct ctx *c)
{
    struct list_filter f = {LIST_ALL, {NULL, 0}};
    uint32_t n, found = 0;
    const struct command *t = command_table(&n);

    if (!filter_parse(c, &f))
        return;
    for (uint32_t i = 0; i < n; i++)
        found += is_listed(&t[i]) && filter_takes(&f, &t[i]);
    resp_array(c->out, found);
    for (uint32_t i = 0; i < n; i++)
        if (is_listed(&t[i]) && filter_takes(&f, &t[i]))
            resp_bulk(c->out, slice_of(t[i].name));
}

static void
write_key(void *arg, uint32_t index)
{
    struct ctx *c = arg;

    resp_bulk(c->out, c->argv[2 + index]);
}

static void
count_key(void *arg, uint32_t index)
{
}

void
cmd_command_getkeys(struct ctx *c)
{
    const struct command *cmd = command_find(c->argv[2]);
    uint32_t argc = c->argc - 2, n;

    if (cmd && cmd->sub)
        cmd = command_resolve(cmd, c->argv + 2, argc);
    if (cmd == NULL || !is_listed(cmd)) {
        ctx_error(c, "ERR Invalid command specified");
        return;
    }
    if (cmd->key_first == 0) {
        ctx_error(c, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(cmd, argc)) {
        ctx_error(c, "ERR Invalid number of arguments specified for command");
        return;
    }
    n = command_keys(cmd, c->argv + 2, argc, count_key, NULL);
    if (n == 0) {
        ctx_error(c, "ERR Invalid arguments specified for command");
        return;
    }
    resp_array(c->out, n);
    command_keys(cmd, c->argv + 2, argc, write_key, c);
}

/* --- HELP ---------------------------------------------------------------------------------------------------- */

static void
upper(char *out, size_t size, const char *name)
{
    size_t i;

    for (i = 0; name[i] && i + 1 < size; i++)
        out[i] = (char)toupper((unsigned char)name[i]);
    out[i] = '\0';
}

static void
help(struct ctx *c, const char *container)
{
    const struct command *cmd = command_find(slice_of(container));
    char name[64], line[512];

    upper(name, sizeof(name), container);
    resp_array(c->out, 1 + 2 * sub_count(cmd));
    snprintf(line, sizeof(line),
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    resp_simple(c->out, line);
    for (const struct command *s = cmd->sub; s->name; s++) {
        upper(name, sizeof(name), strchr(s->name, '|') + 1);
        snprintf(line, sizeof(line), "%s%s%s", name, s->args[0] ? " " : "", s->args);
        resp_simple(c->out, line);
        snprintf(line, sizeof(line), "    %s", s->summary);
        resp_simple(c->out, line);
    }
}

void
cmd_command_help(struct ctx *c)
{
    help(c, "command");
}

void
cmd_client_help(struct ctx *c)
{
    help(c, "client");
}

void
cmd_config_help(struct ctx *c)
{
    help(c, "config");
}

void
cmd_object_help(struct ctx *c)
{
    help(c, "object");
}

void
cmd_cluster_help(struct ctx *c)
{
    help(c, "cluster");
}

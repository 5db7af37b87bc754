/* COMMAND COUNT, DOCS and LIST, from the table. */
#include "shards/commands/describe_priv.h"
#include "shards/commands/handlers.h"

#include "core/glob.h"

bool
command_is_listed(const struct command *cmd)
{
    return !(cmd->flags & CMD_HIDDEN);
}

uint32_t
command_listed(void)
{
    uint32_t n, count = 0;
    const struct command *t = command_table(&n);

    for (uint32_t i = 0; i < n; i++)
        count += command_is_listed(&t[i]);
    return count;
}

uint32_t
command_sub_count(const struct command *cmd)
{
    uint32_t n = 0;

    for (const struct command *s = cmd->sub; s && s->name; s++)
        n++;
    return n;
}

const struct command *
command_find_listed(struct slice name)
{
    const char *bar = memchr(name.p, '|', name.n);
    const struct command *cmd;

    if (bar == NULL) {
        cmd = command_find(name);
        return cmd && command_is_listed(cmd) ? cmd : NULL;
    }
    cmd = command_find((struct slice){name.p, (size_t)(bar - name.p)});
    for (const struct command *s = cmd ? cmd->sub : NULL; s && s->name; s++)
        if (slice_is(name, s->name))
            return s;
    return NULL;
}

bool
next_word(struct slice *rest, struct slice *ret_word)
{
    const char *end;

    while (rest->n > 0 && rest->p[0] == ' ')
        *rest = (struct slice){rest->p + 1, rest->n - 1};
    if (rest->n == 0)
        return false;
    end = memchr(rest->p, ' ', rest->n);
    *ret_word = (struct slice){rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = (struct slice){rest->p + ret_word->n, rest->n - ret_word->n};
    return true;
}

uint32_t
word_count(struct slice text)
{
    struct slice word;
    uint32_t n = 0;

    while (next_word(&text, &word))
        n++;
    return n;
}

struct slice
slice_cut(struct slice *rest, char end)
{
    const char *p = memchr(rest->p, end, rest->n);
    struct slice head = {rest->p, p ? (size_t)(p - rest->p) : rest->n};
    size_t used = p ? head.n + 1 : head.n;

    *rest = (struct slice){rest->p + used, rest->n - used};
    return head;
}

void
resp_words(struct ctx *c, struct slice text)
{
    struct slice word;

    resp_set(c->out, c->proto, word_count(text));
    while (next_word(&text, &word)) {
        buf_append_lit(c->out, "+");
        buf_append(c->out, word.p, word.n);
        buf_append_lit(c->out, "\r\n");
    }
}

bool
has_word(struct slice text, struct slice word)
{
    struct slice w;

    while (next_word(&text, &w))
        if (slice_equal(w, word))
            return true;
    return false;
}

void
cmd_command_count(struct ctx *c)
{
    resp_int(c->out, command_listed());
}

/* --- COMMAND DOCS -------------------------------------------------------------------------------------- */

static void
write_doc_pair(struct ctx *c, struct slice name, const char *value)
{
    resp_bulk(c->out, name);
    resp_bulk(c->out, slice_of(value));
}

/* Flags, since when it is outdated and what replaces it; the last two only where they are known. */
static void
write_doc_flags(struct ctx *c, struct slice flags, struct slice since, struct slice by)
{
    if (flags.n == 0)
        return;
    resp_bulk(c->out, SLICE("doc_flags"));
    resp_words(c, flags);
    if (since.n == 0)
        return;
    resp_bulk(c->out, SLICE("deprecated_since"));
    resp_bulk(c->out, since);
    resp_bulk(c->out, SLICE("replaced_by"));
    resp_bulk(c->out, by);
}

static void
write_docs(struct ctx *c, const struct command *cmd)
{
    struct slice by = slice_of(command_facts(cmd->name)->docs);
    struct slice flags = slice_cut(&by, ';'), since = slice_cut(&by, ';');
    uint32_t subs = command_sub_count(cmd);
    bool args = cmd->args[0] != '\0';

    resp_bulk(c->out, slice_of(cmd->name));
    resp_map(c->out, c->proto,
             4 + (flags.n > 0) + 2 * (since.n > 0) + args + (subs > 0));
    write_doc_pair(c, SLICE("summary"), cmd->summary);
    write_doc_pair(c, SLICE("since"), cmd->since);
    write_doc_pair(c, SLICE("group"), cmd->group);
    write_doc_pair(c, SLICE("complexity"), cmd->complexity);
    write_doc_flags(c, flags, since, by);
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
        resp_map(c->out, c->proto, command_listed());
        for (uint32_t i = 0; i < n; i++)
            if (command_is_listed(&t[i]))
                write_docs(c, &t[i]);
        return;
    }
    for (uint32_t i = 2; i < c->argc; i++)
        found += command_find_listed(c->argv[i]) != NULL;
    resp_map(c->out, c->proto, found);
    for (uint32_t i = 2; i < c->argc; i++)
        if (command_find_listed(c->argv[i]))
            write_docs(c, command_find_listed(c->argv[i]));
}

/* --- COMMAND LIST -------------------------------------------------------------------------------------- */

struct list_filter {
    enum { LIST_ALL, LIST_MODULE, LIST_ACLCAT, LIST_PATTERN } by;
    struct slice value;
};

/* Is `name` the word, in any case? */
static bool
is_name_of(struct slice name, struct slice word)
{
    if (name.n != word.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (ascii_lower(name.p[i]) != word.p[i])
            return false;
    return true;
}

static bool
in_category(const struct command *cmd, struct slice category)
{
    struct slice rest = slice_of(cmd->acl), word;

    while (next_word(&rest, &word))
        if (is_name_of(category, (struct slice){word.p + 1, word.n - 1}))
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

/* Names of what the filter takes of one command and its subcommands, into `out` unless it is NULL.
 * Returns how many. */
static uint32_t
list_one(const struct list_filter *f, const struct command *cmd, struct buf *out)
{
    uint32_t n = 0;

    if (filter_takes(f, cmd)) {
        if (out)
            resp_bulk(out, slice_of(cmd->name));
        n++;
    }
    for (const struct command *s = cmd->sub; s && s->name; s++)
        n += list_one(f, s, out);
    return n;
}

static uint32_t
list(const struct list_filter *f, struct buf *out)
{
    uint32_t n, found = 0;
    const struct command *t = command_table(&n);

    for (uint32_t i = 0; i < n; i++)
        if (command_is_listed(&t[i]))
            found += list_one(f, &t[i], out);
    return found;
}

void
cmd_command_list(struct ctx *c)
{
    struct list_filter f = {LIST_ALL, {NULL, 0}};

    if (!filter_parse(c, &f))
        return;
    resp_array(c->out, list(&f, NULL));
    list(&f, c->out);
}

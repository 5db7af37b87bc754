/* Writes docs/COMMANDS.md to standard output: a table a group, a line a command or subcommand, all
 * from the command table. A check of the test suite compares it with what is in the repository. */
#include "core/buf.h"
#include "shards/engine/command.h"

#include <ctype.h>
#include <stdio.h>

/* Order and headings of the groups; a command of any other group is an error. */
static const struct {
    const char *name, *title;
} groups[] = {
    {"timeseries", "Time series"},    {"string", "Strings"},         {"generic", "Keys"},
    {"transactions", "Transactions"}, {"connection", "Connections"}, {"server", "Server"},
    {"cluster", "Cluster of cores"},
};

static const struct {
    uint32_t flag;
    const char *text;
} notes[] = {
    {CMD_WRITE, "writes"},           {CMD_DENYOOM, "needs memory"},  {CMD_ADMIN, "admin"},
    {CMD_BLOCKING, "answers later"}, {CMD_NO_MULTI, "not in MULTI"}, {CMD_NO_AUTH, "before AUTH"},
};

/* clang-format off */
static const char intro[] =
    "# Commands\n\n"
    "Made from `shards/commands/handlers.h` by `gen-commands`; a test compares them. The same\n"
    "rows make `COMMAND`, `COMMAND DOCS` and the `HELP` of containers. A command that Redis\n"
    "7.0 has behaves as it does there; [COMPATIBILITY.md](COMPATIBILITY.md) lists what\n"
    "differs, and [TIMESERIES.md](TIMESERIES.md) tells more of the time series commands.\n\n"
    "*where*: **key** runs on the core that owns the key, and is a transaction when its keys\n"
    "belong to several cores; **all** is a transaction over every core; **cursor** runs on\n"
    "the core that the cursor names; **own** runs on the core of the connection.\n\n"
    "*notes*: **writes** may change data, and so is refused while the journal cannot write;\n"
    "**needs memory** waits, or is refused, at `maxmemory`; **answers later** keeps its\n"
    "connection waiting, and nobody else; **not in MULTI** is refused there; **before AUTH**\n"
    "needs no password; **admin** is for operators.\n\n"
    "*since* is the version of Redis that first had the command; time series commands and\n"
    "CLUSTER_INFO are Pinstripe's own, and theirs is a version of Pinstripe.\n";
/* clang-format on */

static const char *
where(const struct command *c)
{
    switch (c->route) {
    case ROUTE_KEYS:
        return "key";
    case ROUTE_ALL:
        return "all";
    case ROUTE_CURSOR:
        return "cursor";
    default:
        return "own";
    }
}

/* "config|get" becomes "CONFIG GET". */
static void
write_name(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_printf(out, "%c", *name == '|' ? ' ' : toupper((unsigned char)*name));
}

/* In a table a bar must be escaped, also between backquotes. */
static void
write_args(struct buf *out, const char *args)
{
    if (*args)
        buf_append_lit(out, " ");
    for (; *args; args++)
        buf_printf(out, *args == '|' ? "\\|" : "%c", *args);
}

static void
write_row(struct buf *out, const struct command *c)
{
    const char *between = "";

    buf_append_lit(out, "| `");
    write_name(out, c->name);
    write_args(out, c->args);
    buf_printf(out, "` | %s | %s | %s | ", c->summary, c->complexity, where(c));
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
        if (c->flags & notes[i].flag) {
            buf_printf(out, "%s%s", between, notes[i].text);
            between = ", ";
        }
    buf_printf(out, " | %s |\n", c->since);
}

/* A container has no row of its own: it does nothing without a subcommand, COMMAND excepted. */
static void
write_command(struct buf *out, const struct command *c)
{
    if (c->fn)
        write_row(out, c);
    for (const struct command *s = c->sub; s && s->name; s++)
        write_row(out, s);
}

static uint32_t
write_group(struct buf *out, const char *name, const char *title)
{
    uint32_t n, written = 0;
    const struct command *t = command_table(&n);

    buf_printf(out, "\n## %s\n\n", title);
    buf_append_lit(out, "| command | what it does | cost | where | notes | since |\n"
                        "|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(t[i].group, name) != 0 || (t[i].flags & CMD_HIDDEN))
            continue;
        write_command(out, &t[i]);
        written++;
    }
    return written;
}

static uint32_t
visible_commands(void)
{
    uint32_t n, visible = 0;
    const struct command *t = command_table(&n);

    for (uint32_t i = 0; i < n; i++)
        visible += !(t[i].flags & CMD_HIDDEN);
    return visible;
}

int
main(void)
{
    struct buf out = {0};
    uint32_t written = 0;
    bool ok;

    buf_append_lit(&out, intro);
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        written += write_group(&out, groups[i].name, groups[i].title);
    if (written != visible_commands()) {
        fprintf(stderr, "gen-commands: a command is of a group that is not listed here\n");
        return 1;
    }
    ok = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_fini(&out);
    return ok ? 0 : 1;
}

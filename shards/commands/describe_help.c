/* HELP of the containers: from the table. */
#include "shards/commands/describe_priv.h"
#include "shards/commands/handlers.h"

#include <ctype.h>
#include <stdio.h>

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
    resp_array(c->out, 1 + 2 * command_sub_count(cmd));
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

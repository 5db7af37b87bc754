#include "shards/commands/handlers.h"

#define W CMD_WRITE
#define R CMD_READONLY
#define F CMD_FAST
#define M CMD_DENYOOM

/* clang-format off */
/* Each row takes the next number. */
enum { ROWS_FIRST = __COUNTER__ + 1 };
#define ROW(nm, fn_, ar, rt, fl, k1, k2, ks, acl_, gr, si, co, ar_, su)                              \
    {.name = nm, .fn = fn_, .arity = ar, .route = ROUTE_##rt, .flags = (fl), .key_first = k1,      \
     .index = __COUNTER__ - ROWS_FIRST, .key_last = k2, .key_step = ks, .acl = acl_, .group = gr, .since = si, .complexity = co,      \
     .args = ar_, .summary = su},
/* clang-format on */

static const struct command client_table[] = {CLIENT_TABLE(ROW){.name = NULL}};
static const struct command config_table[] = {CONFIG_COMMAND_TABLE(ROW){.name = NULL}};
static const struct command command_command_table[] = {COMMAND_COMMAND_TABLE(ROW){.name = NULL}};
static const struct command object_table[] = {OBJECT_TABLE(ROW){.name = NULL}};
static const struct command cluster_table[] = {CLUSTER_TABLE(ROW){.name = NULL}};

static struct command table[] = {COMMAND_TABLE(ROW)};

enum { ROWS = __COUNTER__ - ROWS_FIRST };

/* Containers and their subcommands. */
static const struct {
    const char *name;
    const struct command *sub;
} containers[] = {
    {"client", client_table}, {"config", config_table},   {"command", command_command_table},
    {"object", object_table}, {"cluster", cluster_table},
};

__attribute__((constructor)) static void
link_containers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        for (size_t k = 0; k < ARRAY_SIZE(containers); k++)
            if (strcmp(table[i].name, containers[k].name) == 0)
                table[i].sub = containers[k].sub;
}

const struct command *
command_table(uint32_t *ret_n)
{
    *ret_n = ARRAY_SIZE(table);
    return table;
}

uint32_t
command_rows(void)
{
    return ROWS;
}

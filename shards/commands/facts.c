#include "shards/commands/facts.h"

#include "core/base.h"

#define ROW(name_, flags_, keys_, tips_, note_, docs_)                                             \
    {.name = name_, .flags = flags_, .keys = keys_, .tips = tips_, .note = note_,     \
     .docs = docs_},

static const struct command_facts table[] = {COMMAND_FACTS(ROW)};
static const struct command_facts nothing = {"", "", "", "", "", ""};

const struct command_facts *
command_facts(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return &nothing;
}

const struct command_facts *
command_facts_table(unsigned *ret_n)
{
    *ret_n = ARRAY_SIZE(table);
    return table;
}

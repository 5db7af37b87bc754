/* What the files that describe commands to clients share. */
#ifndef SHARDS_COMMANDS_DESCRIBE_PRIV_H
#define SHARDS_COMMANDS_DESCRIBE_PRIV_H

#include "shards/commands/facts.h"
#include "shards/engine/command.h"

/* May clients name it? */
bool command_is_listed(const struct command *cmd);
/* How many commands clients may name, without subcommands. */
uint32_t command_listed(void);
uint32_t command_sub_count(const struct command *cmd);
/* A command by name, or a subcommand as "config|get"; NULL where clients may name none such. */
const struct command *command_find_listed(struct slice name);
/* The next word of `*rest`, which ends at a blank or its end; false: there is none. */
bool next_word(struct slice *rest, struct slice *ret_word);
uint32_t word_count(struct slice text);
/* Appends the words as a set of simple strings. */
void resp_words(struct ctx *c, struct slice text);
/* What stands before the first `end`, or all; takes that and the `end` off the rest. */
struct slice slice_cut(struct slice *rest, char end);
bool has_word(struct slice text, struct slice word);

#endif

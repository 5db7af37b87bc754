/* What the files about keys of any type share. */
#ifndef SHARDS_COMMANDS_GENERIC_PRIV_H
#define SHARDS_COMMANDS_GENERIC_PRIV_H

#include "shards/engine/keyspace.h"

/* Name of an entry type as TYPE has it. */
const char *type_name(uint8_t type);
/* Is that the type's name, in any case? */
bool type_is(struct slice name, uint8_t type);

#endif

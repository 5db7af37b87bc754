/* What the files about strings share. */
#ifndef SHARDS_COMMANDS_STRING_PRIV_H
#define SHARDS_COMMANDS_STRING_PRIV_H

#include "shards/engine/keyspace.h"

/* May a string be `at` + `more` bytes long (proto-max-bulk-len)? Replies the error when not. */
bool string_length_ok(struct ctx *c, uint64_t at, uint64_t more);
/* Replies the value of a string entry: a long one piece by piece while the client takes it, as it is
 * now. */
#define STRING_PIECES_BYTES_MIN (256 * KIB)
void string_reply(struct ctx *c, const struct entry *e);
/* Replies the value of a string, null when the key is absent (*ret_e NULL then). False: another
 * type; WRONGTYPE was replied and *ret_e is untouched. */
bool string_reply_value(struct ctx *c, struct key *k, struct entry **ret_e);

#endif

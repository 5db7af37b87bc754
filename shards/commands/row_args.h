/* Options that TSDB_ROWS and TSDB_CANDLE share. False: the error is replied. */
#ifndef SHARDS_COMMANDS_ROW_ARGS_H
#define SHARDS_COMMANDS_ROW_ARGS_H

#include "shards/commands/ts_range.h"

/* Argument i as the limit of rows; `allowed` says what else might stand there. Once only. */
bool row_arg_limit(struct ctx *c, uint32_t i, const char *allowed, struct ts_range *r);
/* REV, once. */
bool row_arg_rev(struct ctx *c, struct ts_range *r);
/* The name of a field. */
bool row_arg_field(struct ctx *c, uint32_t i, const struct field **ret);

#endif

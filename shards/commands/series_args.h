/* Arguments and small questions that the TSDB_* and BATCH_* commands share. The readers of an
 * argument say false when it is refused; the error has been replied then. */
#ifndef SHARDS_COMMANDS_SERIES_ARGS_H
#define SHARDS_COMMANDS_SERIES_ARGS_H

#include "shards/engine/keyspace.h"

/* Now, in the instance's timestamp-unit. */
int64_t series_now(const struct ctx *c);

/* Replies "<what> '<argument i>' is not <allowed>"; always false. */
bool series_arg_refused(struct ctx *c, const char *what, uint32_t i, const char *allowed);
bool series_arg_timestamp(struct ctx *c, uint32_t i, int64_t *ret_ts); /* or * for now */
bool series_arg_value(struct ctx *c, uint32_t i, double *ret_v);       /* finite */
bool series_arg_type(struct ctx *c, uint32_t i, uint8_t *ret_type);    /* two hex digits */
bool series_arg_quality(struct ctx *c, uint32_t i, uint8_t *ret_q);

/* Where the stored blocks of the key are; NULL: its database was flushed, there are none. */
struct store *series_visible_store(const struct key *k);
/* Is there a point at ts, in memory or stored? False and ctx->need set when a helper must look. */
bool series_point_exists(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts,
                         bool *ret);
/* Refuses a point under duplicate-policy BLOCK. */
void series_reply_blocked(struct ctx *c, int64_t ts);

#endif

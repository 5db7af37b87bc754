/* Transactions: requests that touch several shards at once, or several commands as one.
 *
 * The coordinator is the client's core. It leases the shards in ascending order (so two
 * transactions cannot wait for each other), which makes it the only one to touch their data; passes
 * the gates for all of them (memory, journal room, keys to fetch: when one is shut it gives all back,
 * waits, and starts over, nothing having been done); runs the commands to their end as if everything
 * were local; gives the leases back; and answers when every shard's part is durable. A command that
 * misses something of the store although the gates were passed has it fetched where the transaction
 * stands: the leases stay, and a leased shard's open batch is not written (core.c).
 *
 * Crash: with more than one shard each journal gets a GROUP record first, in the same batch as what
 * follows, that names every participant and the LSN of its part. Recovery takes a part only if every
 * part is there (recovery.c). Until all parts are known to be durable no participant acknowledges
 * anything later (shard.groups), and no checkpoint takes rows of it. */
#ifndef SHARDS_ENGINE_TXN_H
#define SHARDS_ENGINE_TXN_H

#include "shards/engine/session.h"

#define TXN_ATTEMPTS_MAX 10000 /* fetches before it is refused */
/* Fetches that met something damaged or unreadable, before what then still misses something is refused;
 * the first will do when the client has gone. */
#define TXN_FAILED_FETCHES_MAX 4

struct txn;

/* One command over the shards in `set` (a bit a core). The session is paused until it is answered. */
void txn_start_command(struct session *s, const struct command *cmd, const struct slice *argv,
                       uint32_t argc, const uint64_t *set);
/* The same for a command of the session that another core was to run, in database db: the reply goes
 * to `answer`, which takes it out of the buffer. The session is not touched, and must not go. */
typedef void (*txn_answer_fn)(void *arg, struct buf *reply);
void txn_start_for(struct session *s, const struct command *cmd, const struct slice *argv,
                   uint32_t argc, uint8_t db, txn_answer_fn answer, void *arg);
/* EXEC of the session's queue. Answers, or pauses the session and answers later. */
void txn_exec(struct session *s);

#endif

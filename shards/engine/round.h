/* A round: the run of a client's requests that is answered together because at least one of them
 * belongs to another core.
 *
 * Requests for one core travel as one message (remote batch), run there in order and come back as
 * one. Local requests of the round ran meanwhile; their replies wait in `local`. When every batch is
 * back the replies are stitched in the order of the requests. A session has at most one round.
 *
 * A remote batch's memory is the sender's, lent to the target with the message and kept in a pool
 * of the sending core afterwards. */
#ifndef SHARDS_ENGINE_ROUND_H
#define SHARDS_ENGINE_ROUND_H

#include "shards/engine/exec.h"
#include "shards/engine/session.h"

struct round;

/* Requests of one round: what bounds the replies that wait for the slowest core. A session begins
 * with few and gets more while its replies are small. */
#define ROUND_REQUESTS_MAX 512
#define ROUND_REQUESTS_FIRST 32

/* Must it be sent before another request can be added? */
bool round_is_full(const struct round *r);
/* The round being filled, opened when there is none. */
struct round *round_open(struct session *s);
/* Where a local reply goes while the round is open; call round_local_end after appending it. */
struct buf *round_local(struct round *r);
void round_local_end(struct round *r, size_t before);
/* A local reply of the round waits for journal batch seq; `wrote`: it acknowledges a write. */
void round_hold(struct round *r, uint32_t seq, bool wrote);
/* Adds a request for another core. */
void round_remote(struct round *r, uint32_t core, const struct command *cmd, uint8_t db,
                  uint64_t hash, const struct slice *argv, uint32_t argc);
/* The run is over: sends the batches and pauses the session until they are back. */
void round_send(struct session *s);
/* The client went away before the round was sent: forgets it. */
void round_abandon(struct session *s);
/* Frees the pool of a core. */
void round_pool_fini(struct core *core);

#endif

/* A request whose answer may take until its key has what it asks for: TS.READ with BLOCK.
 *
 * The client waits on its own core, the request is run on the core of its key. A run that finds too
 * little leaves a waiter there (wait.h) and says so; when enough has come the core of the key wakes
 * the client's core, which has the request run again. So a run is like that of any read: it passes
 * the gates, fetches from the store, and its reply leaves when what it shows is durable. When the
 * time is over it is run once more and answers with what there is.
 *
 *     client's core                                core of the key
 *     blocked_start: TRY   ------------------->    not enough: waiter in the table
 *                          <-------------------    parked
 *                                                  a write: the waiter fires
 *                          <-------------------    wake
 *     TRY (time over: LAST) ------------------>    enough: waits until durable
 *     reply to the client  <-------------------    answered
 *
 * One question of a client is under way at a time. To leave (its connection closed, CLIENT UNBLOCK)
 * it sends LEAVE, which takes the waiter out. A wake that crosses a question is harmless: it only
 * makes it look again.
 *
 * A core keeps at most blocked-clients-max of its clients waiting; who finds enough at once is none of
 * them. A server that stops answers all of them with what there is. */
#ifndef SHARDS_ENGINE_BLOCKED_H
#define SHARDS_ENGINE_BLOCKED_H

#include "shards/engine/session.h"

/* What a handler that may block finds in core->blocking while it runs; NULL there: it must answer now
 * (EXEC). With too little at hand it replies nothing and sets `missing`. */
struct blocking {
    bool resolved;      /* `from` is set: by the first run, for all later ones */
    bool last;          /* answer with what there is */
    bool gone;          /* the series was there and went while the client waited */
    bool seen;          /* set with missing: the series is there */
    uint8_t type;       /* set with missing: the data type of the points */
    int64_t from;       /* first time that counts */
    bool at_end;        /* it would be one behind the last there is: no point counts */
    int64_t timeout_ms; /* set by the first run; 0 = for ever */
    uint64_t missing;   /* points that it lacks */
};

/* Does a request of a CMD_WAITS command ask to wait? */
bool blocked_is_asked(const struct slice *argv, uint32_t argc);
/* Runs it, and pauses the session until it is answered. The key is argument 1, `owner` its core. No
 * round of the session is open. */
void blocked_start(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
                   uint64_t hash, uint32_t owner);
/* CLIENT UNBLOCK: with an error, or as if its time were over. False: it does not wait. */
bool blocked_unblock(struct session *s, bool error);
/* The connection closes. */
void blocked_abandon(struct session *s);
/* It is answered with what there is: the server stops, or the client will send no more. Nothing where
 * it does not wait. */
void blocked_hurry(struct session *s);
/* Every turn, with the shard at hand: wakes those whose waiters fired. */
unsigned blocked_wake(struct shard *sh);

#endif

/* What the files of a session share: session.c takes its bytes apart and checks each request,
 * session_route.c runs it or sends it where it runs, session_queue.c refuses it or keeps it for EXEC,
 * session_life.c begins, pauses and ends the session. */
#ifndef SHARDS_ENGINE_SESSION_PRIV_H
#define SHARDS_ENGINE_SESSION_PRIV_H

#include "shards/engine/round.h"
#include "shards/engine/session.h"

#define OWNER_UNKNOWN UINT32_MAX

/* One parsed request of a run. */
struct request {
    const struct command *cmd; /* NULL = unknown */
    struct slice *argv;
    uint32_t argc;
    uint32_t end;   /* offset in the data just behind it */
    uint32_t owner; /* the core of its only key; OWNER_UNKNOWN: it may have several */
    uint64_t hash;
};

/* session.c: conn_ops.on_data. */
size_t session_on_data(struct conn *conn, char *data, size_t n);

/* session_route.c: gives an accepted request to where it runs. False: not now, stop the run before
 * it. */
bool session_route(struct session *s, const struct command *cmd, struct slice *argv, uint32_t argc,
                   uint64_t hash, uint32_t owner);
/* The replies appended so far may leave, or are held for the journal. */
void session_end_run(struct session *s);

/* session_queue.c: queues the request for EXEC, or refuses that. */
void session_queue(struct session *s, const struct command *cmd, const struct request *rq);
/* Answers with an error, which makes the transaction fail that is being queued. */
void session_refuse(struct session *s, const struct command *cmd, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void session_refuse_unknown(struct session *s, const struct request *rq);
void session_refuse_subcommand(struct session *s, const struct request *rq);
/* A line of HTTP, `POST / HTTP/1.1` or `Host: ...`? A browser was made to talk to us. */
bool session_is_http(const struct request *rq);
/* Closes the connection of such a one: what was asked before is answered, nothing behind it is run.
 * False: earlier replies are on their way, stop the run before it. */
bool session_refuse_http(struct session *s);
/* WATCH inside MULTI: unlike other errors it does not make the transaction fail. */
void session_refuse_watch(struct session *s, const struct command *cmd);

/* A reply was appended to session_out. */
static inline void
session_replied(struct session *s, size_t before)
{
    if (s->round)
        round_local_end(s->round, before);
}

#endif

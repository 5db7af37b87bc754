/* A blocking client for the small talk of programs: connect, log in, ask one thing, read one
 * answer.
 *
 * What is sent in bulk goes over the same sockets by other means (bench/load_conn.h,
 * tools/load/lane.h). Every function that fails writes a sentence for people to `error`. */
#ifndef TOOLS_LIB_CLIENT_H
#define TOOLS_LIB_CLIENT_H

#include "core/base.h"
#include "core/buf.h"

/* How long a connect, and each wait for bytes of an answer, may take. */
#define CLIENT_SETUP_SECONDS 10
/* The longest answer that is read: a million points of TSDB_GET stay well below. */
#define CLIENT_REPLY_BYTES_MAX (256 * MIB)
#define CLIENT_ERROR_MAX 320

struct client_target {
    const char *host;
    unsigned port;
    const char *user;     /* NULL: only the password */
    const char *password; /* NULL: no AUTH */
};

/* A connected, logged-in, blocking socket in *ret_fd, or a negative errno. */
int client_open(const struct client_target *t, int *ret_fd, char *error, size_t error_size);

/* Appends a command of `argc` arguments. */
void client_command(struct buf *b, unsigned argc, const struct slice *argv);
/* Appends one argument of a command whose "*<count>" stands there. */
void client_argument(struct buf *b, struct slice text);

/* Sends `command` and reads one whole reply into `reply`, which is emptied first. An error reply is
 * -EPROTO with the reply there; other failures are a negative errno. */
int client_ask(int fd, const struct buf *command, struct buf *reply);

/* The same with a sentence in `error`: "NAME at HOST:PORT: what came". `name` is what was asked. */
int client_ask_or_say(const struct client_target *t, int fd, const char *name,
                      const struct buf *command, struct buf *reply, char *error, size_t error_size);

/* A reader of one whole reply of RESP2 that client_ask has found to be well formed. */
struct reply_walk {
    const char *p, *end;
};

static inline struct reply_walk
reply_walk_start(const struct buf *reply)
{
    return (struct reply_walk){reply->p, reply->p + reply->n};
}

/* Takes one element's header. Returns its number: the length of a string or an array (-1: null),
 * the value of an integer; *ret_type is its first byte ('\0' at the end), *ret_text the bytes of a
 * string or of a line. The elements of an array follow one by one. */
int64_t reply_walk_next(struct reply_walk *w, char *ret_type, struct slice *ret_text);
/* Passes so many elements with all they contain. */
void reply_walk_skip(struct reply_walk *w, int64_t elements);

#endif

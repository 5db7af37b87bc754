/* One client connection: bytes in, bytes out. Knows nothing of commands.
 *
 * In: a multishot receive into the reactor's provided buffers. Bytes go straight from there to
 * ops->on_data; what it does not consume is kept in `in`. A paused connection (conn_pause) keeps
 * what arrives in `in`, and stops receiving when that is more than CONN_IN_PAUSED_BYTES.
 *
 * Out: replies are appended to `out`. At the end of the turn conn_set_flush sends what may go: one
 * send in flight, from a second buffer that is swapped in. Bytes may be held: conn_hold says that
 * everything appended so far must not leave before journal batch `seq` is durable; conn_set_release
 * is told how far durability got. Text of sources (core/buf.h) is made when its turn to be sent has
 * come, CONN_PIECE_BYTES at a time.
 *
 * Life: created on accept, conn_close ends it: nothing is received or executed any more, what is in
 * flight completes, references (conn_get/conn_put) go, then ops->on_free is called and memory is
 * given back. Thread: the reactor that accepted it. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "alloc/blob.h"
#include "core/buf.h"
#include "core/reactor.h"

#define CONN_HOLDS 4
#define CONN_IN_PAUSED_BYTES (256 * KIB)
#define CONN_IN_KEEP_BYTES (256 * KIB)
#define CONN_OUT_KEEP_BYTES (256 * KIB)
#define CONN_IN_GUESS 8             /* `in` gets room for so many times what has come ... */
#define CONN_IN_SPARE_BYTES (64 * KIB) /* ... but not for more than is announced, and this */
#define CONN_PIECE_BYTES (64 * KIB) /* of a source's text made for one send */

struct conn;
struct conn_ops {
    /* Looks at data[0..n) and returns how many bytes it is done with; data is writable. */
    size_t (*on_data)(struct conn *c, char *data, size_t n);
    /* After a send completed, or what a source held is gone without one. */
    void (*on_drained)(struct conn *c);
    /* The client will send no more while the connection is paused. May be NULL. */
    void (*on_eof)(struct conn *c);
    /* The connection is closing: drop what refers to it. Called once. */
    void (*on_close)(struct conn *c);
    /* Last call: free the structure it is embedded in. */
    void (*on_free)(struct conn *c);
};

/* Connections of one reactor; owned by the engine's core. */
struct conn_set {
    struct reactor *reactor;
    struct list all;
    struct list ready;   /* have something to send this turn */
    struct list held;    /* have held output */
    struct list starved; /* receive ended with ENOBUFS: arm again when buffers are back */
    struct list left;    /* their last output is gone without a send: told at the next turn */
    struct timer left_timer;
    uint32_t count;
    /* counters, for INFO */
    uint64_t bytes_in, bytes_out, nobufs;
};

struct conn_hold_mark {
    size_t end;   /* bytes of `out` up to here ... */
    uint32_t seq; /* ... wait for this journal batch */
};

struct conn {
    /* hot */
    struct conn_set *set;
    const struct conn_ops *ops;
    struct buf out;     /* replies being built */
    struct buf sending; /* replies in flight */
    size_t sent;        /* bytes of `sending` already gone */
    struct buf in;      /* bytes not consumed yet */
    struct blob *lent;  /* inside on_data: what they lie in, if the owner keeps a part of them */
    uint32_t nholds;
    struct conn_hold_mark holds[CONN_HOLDS];
    size_t released;    /* bytes of `out` before the first that are held, while any is */
    int fd;
    uint32_t refs;
    bool in_ready, in_held, in_starved;
    bool paused;       /* on_data is not called */
    bool closing;      /* conn_close was called */
    bool close_after;  /* close when all output is sent */
    bool eof;          /* the client will send no more */
    bool in_data;      /* inside on_data */
    bool freeing;
    struct io_op recv_op, send_op;
    struct list all_node, ready_node, held_node, starved_node, left_node;
    size_t in_need; /* bytes that make progress possible (a big argument is on its way) */
};

void conn_set_init(struct conn_set *s, struct reactor *r);
/* Takes over fd, a connected socket, and begins to read from it. */
void conn_open(struct conn *c, struct conn_set *s, const struct conn_ops *ops, int fd);
/* No more calls but the one that says it is gone, once what is in flight is done. */
void conn_close(struct conn *c);
/* conn_close whose end the peer sees before this returns, not only when what is in flight is done. */
void conn_kill(struct conn *c);
/* Closes once all output has been sent (held output included); no more input is looked at. */
void conn_close_after_send(struct conn *c);
static inline void
conn_get(struct conn *c)
{
    c->refs++;
}
void conn_put(struct conn *c);

/* Bytes were appended to c->out: it will be flushed at the end of the turn. */
static inline void
conn_touch(struct conn *c)
{
    if (!c->in_ready && !c->closing) {
        c->in_ready = true;
        list_push_back(&c->set->ready, &c->ready_node);
    }
}
/* Everything in `out` so far waits for journal batch seq. */
void conn_hold(struct conn *c, uint32_t seq);
/* Durable up to batch `seq`: lets go what waited for it, on every connection of the set. */
void conn_set_release(struct conn_set *s, uint32_t seq);
/* What is held will never be durable: closes the connections that wait, unanswered. */
void conn_set_fail(struct conn_set *s);
/* Would conn_set_flush begin to send or to receive, or is there an owner to be told that his output has
 * left? */
static inline bool
conn_set_wants_flush(const struct conn_set *s)
{
    return !list_empty(&s->ready) || !list_empty(&s->starved) || !list_empty(&s->left);
}
/* End of turn: submits a send for every connection that has something to send. */
void conn_set_flush(struct conn_set *s);

/* Inside on_data: the memory that `part` lies in, held for the owner to keep it instead of a copy; the
 * connection goes on with a copy of what follows. NULL: the part is not in `in`, or is less than half of
 * its memory. */
struct blob *conn_lend_in(struct conn *c, struct slice part);

/* Stops and restarts on_data. Resuming looks at what has gathered meanwhile. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Has the peer gone, of a connection that receives nothing because too much waits in `in`? Asks the
 * kernel. */
bool conn_has_left(const struct conn *c);

/* Memory of replies that have not left yet. */
static inline size_t
conn_out_bytes(const struct conn *c)
{
    size_t bytes = c->out.n + c->sending.n - c->sent;

    return likely(c->out.sources == NULL) ? bytes : bytes + buf_source_bytes(&c->out);
}

#endif

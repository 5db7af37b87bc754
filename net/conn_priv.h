/* What the three parts of a connection have of each other: life (conn.c), bytes in (conn_in.c), bytes
 * out (conn_out.c). */
#ifndef NET_CONN_PRIV_H
#define NET_CONN_PRIV_H

#include "net/conn.h"

/* Arms the receive again unless the connection ends, reads too far ahead, or buffers are short. */
void conn_arm_recv(struct conn *c);
void conn_on_recv(struct io_op *op, int res, int buf, bool more);

/* Nothing waits to leave and nothing is leaving. */
bool conn_is_empty(const struct conn *c);
/* Starts the send of what may go, unless one is under way. */
void conn_send(struct conn *c);
void conn_on_send(struct io_op *op, int res, int buf, bool more);
/* Tells the owners of those whose last output is gone without a send. */
void conn_set_tell_left(struct timer *t);

/* Gives the memory back once nothing refers to it any more. */
void conn_maybe_free(struct conn *c);

#endif

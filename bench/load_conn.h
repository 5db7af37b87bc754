/* One connection under load: a non-blocking socket, the bytes that wait to leave, the scanner of
 * what comes back, and a queue of what is in flight with the time each command was due. */
#ifndef BENCH_LOAD_CONN_H
#define BENCH_LOAD_CONN_H

#include "tools/lib/reply_scan.h"
#include "bench/load_workload.h"
#include "core/base.h"
#include "core/buf.h"

#include <sys/types.h>

/* The closed loop encodes no further commands while so much waits to leave. */
#define LOAD_CONN_OUT_BYTES_MAX (256 * KIB)

/* Commands of one kind that were due at one time, next to each other in the pipeline. */
struct load_flight {
    uint64_t due_ns;
    uint32_t n;
    uint32_t kind;
};

struct load_conn {
    int fd;
    bool want_write; /* EPOLLOUT is armed */
    unsigned node;
    uint64_t outstanding; /* commands in flight or encoded */
    struct load_source source;
    struct reply_scan scan;
    struct buf out;
    size_t out_at; /* bytes of out that have left */

    /* A ring with room for one entry per command of the pipeline. */
    struct load_flight *flights;
    uint32_t flight_mask, flight_head, flight_tail;
};

/* What a reply is told to. */
typedef void load_answered_fn(void *arg, const struct load_flight *flight, uint64_t n);

/* Takes over `fd` and makes it non-blocking; the source has been set up by the caller. 0, -ENOMEM
 * or the errno of fcntl; the fd is the connection's in any case. */
int load_conn_init(struct load_conn *c, int fd, unsigned node, uint64_t pipeline);
void load_conn_fini(struct load_conn *c);

/* Encodes n commands that are due at due_ns, fewer once `bytes_max` bytes wait to leave. Returns
 * how many. The caller sees to it that the pipeline has room for them. */
uint64_t load_conn_emit(struct load_conn *c, const struct load_workload *w, uint64_t n,
                        uint64_t due_ns, size_t bytes_max);
/* Sends what waits. Bytes sent (0: the socket is full) or a negative errno. */
ssize_t load_conn_send(struct load_conn *c);
/* Reads once into `room` and reports every answered flight. Bytes read (0: nothing there) or a
 * negative errno: -ECONNRESET for an end, -EPROTO for bytes that are no reply or answer nothing. */
ssize_t load_conn_receive(struct load_conn *c, char *room, size_t room_bytes,
                          load_answered_fn *answered, void *arg);

static inline bool
load_conn_has_unsent(const struct load_conn *c)
{
    return c->out_at < c->out.n;
}

#endif

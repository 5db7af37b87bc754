/* The segments of one open journal: those with live records, those released, spares.
 *
 * The loop takes a spare when it needs one and never waits: files are made, recycled and removed by
 * one helper job at a time (lane OFFLOAD_FILES). Released segments go through one queue, oldest
 * first, and each is gone for good before the next is touched: a hole in the chain of segments
 * would look like damage. Beside the spares there always are,
 * as many are kept as the last release brought, since the next round will need about as many; the
 * rest is deleted.
 *
 * A spare has its number from the start. Numbers rise in the order of use, with gaps: a segment
 * made for a huge batch overtakes spares that were ready, which then go back into the queue.
 *
 * Loop thread only, except for the job. */
#ifndef SHARDS_JOURNAL_JOURNAL_SEGMENTS_H
#define SHARDS_JOURNAL_JOURNAL_SEGMENTS_H

#include "shards/journal/journal_dir.h"
#include "shards/journal/journal_file.h"

#define JOURNAL_SPARES_MAX 64
#define JOURNAL_RETRY_NS (1000 * 1000 * 1000ULL) /* between attempts to make a segment */

/* A full segment whose records may still be needed, or one on its way out. */
struct journal_old {
    uint64_t number;
    uint64_t capacity; /* 0: unknown, do not recycle */
    uint64_t first_lsn, last_lsn;
    uint64_t bytes; /* that a recovery would read */
};

struct journal_olds { /* a queue */
    struct journal_old *items;
    size_t first, n, cap; /* items[first, n) */
};

struct journal_segments_job {
    struct offload_job job;
    const struct journal_place *place;
    bool busy;
    bool make;               /* make a spare `number` ... */
    struct journal_old from; /* ... out of this one, or only remove it; number 0: out of nothing */
    uint64_t number, capacity;
    /* results */
    struct journal_file file;
    bool made, removed;
    int err;
};

struct journal_segments {
    struct journal_place place;
    struct journal_file ready[JOURNAL_SPARES_MAX + 1]; /* ascending numbers; one may be large */
    unsigned nready;
    unsigned spares_min;      /* make new ones below this */
    unsigned spares_keep;     /* recycle up to this */
    struct journal_olds live; /* ascending */
    struct journal_olds released;
    uint64_t live_bytes;
    uint64_t segment_bytes;
    uint64_t next_number;
    uint64_t wanted;   /* capacity somebody waits for, 0 = nobody does */
    int err;           /* why the last attempt to make a segment failed, 0 = it did not */
    unsigned failures; /* such attempts in a row */
    bool closing;      /* the helper gets no more to do */
    bool front_failed; /* the oldest released segment could not be removed */
    uint64_t created, recycled, errors;
    struct journal_segments_job job;
    struct timer retry;
    struct reactor *reactor;
    void (*changed)(struct journal_segments *s); /* a segment was made, or could not be */
};

/* Takes over the directory: removes left-overs, takes the segments in use as live up to next_lsn,
 * queues the others for recycling, and makes the first segment, still a spare, for the caller.
 * Blocking. The directory's descriptor becomes its own, and is closed on failure too. 0 or a
 * negative errno. */
int journal_segments_open(struct journal_segments *s, struct reactor *r,
                          const struct journal_dir *d, int dir_fd,
                          const struct journal_options *opt, uint64_t next_lsn, bool drop_old,
                          struct journal_file *ret_first, struct journal_error *err);
/* Waits for the helper, closes what is open. */
void journal_segments_close(struct journal_segments *s);

/* A spare that holds `capacity` bytes. False: none is there, `changed` will be called. */
bool journal_segments_take(struct journal_segments *s, uint64_t capacity,
                           struct journal_file *ret_f);
/* A segment is full: its descriptors are closed, its records are live until released. */
void journal_segments_put(struct journal_segments *s, struct journal_file *f, uint64_t first_lsn,
                          uint64_t last_lsn, uint64_t bytes);
/* Lets go of all that hold nothing but records up to lsn. */
void journal_segments_release(struct journal_segments *s, uint64_t lsn);
/* Bytes in full segments that stand after lsn, a share of the one that lsn is in. */
uint64_t journal_segments_bytes_after(const struct journal_segments *s, uint64_t lsn);
/* The part of `bytes`, evenly filled with the records first_lsn to last_lsn, that stands after lsn.
 */
uint64_t journal_share_after(uint64_t bytes, uint64_t first_lsn, uint64_t last_lsn, uint64_t lsn);
/* Gives the helper something to do if there is anything. */
void journal_segments_kick(struct journal_segments *s);

#endif

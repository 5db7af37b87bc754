/* How often each command ran, failed and was refused, how long it took, and which errors there were:
 * INFO commandstats, errorstats and latencystats.
 *
 * Each core counts by itself what it runs, in a row a command; INFO adds the rows of all cores up.
 * Counting costs a few instructions a command. Reading the clock would cost more than a short command
 * may, so a command that has shown to be quick is timed once in STATS_TIMED_EVERY calls, and that one
 * stands for those before it; a command that takes long is timed each time. So `calls` is exact and
 * `usec` of quick commands an estimate.
 *
 * What is timed is the handler, once everything it needs is in memory and its shard is free: not the
 * waiting for the disk, for other cores or for the journal. A handler that is run again, because a
 * client waits in TS.READ, counts each time. */
#ifndef SHARDS_ENGINE_STATS_H
#define SHARDS_ENGINE_STATS_H

#include "core/base.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/metrics.h"

struct core;
struct command;
struct node;

#define STATS_TIMED_EVERY 512   /* calls of a quick command for one that is timed */
#define STATS_QUICK_NS 20000    /* what takes no longer is quick */
#define STATS_FIRST_NS 64ULL    /* shorter times are not told apart */
#define STATS_BUCKETS 112       /* of times: four for each power of two from STATS_FIRST_NS on */

/* First words of error replies, : written as _; the last row is for words that have none. */
#define STATS_ERRORS(E)                                                                            \
    E("ERR") E("WRONGTYPE") E("NOAUTH") E("WRONGPASS") E("NOPROTO") E("OOM") E("EXECABORT")        \
    E("READONLY") E("BUSYKEY") E("UNBLOCKED") E("TSDB_") E("OTHER")
#define STATS_ERRORS_N 12

/* Written by the core that owns it, read by all. */
struct command_stats {
    _Atomic uint64_t calls, failed, rejected, time_ns;
    uint64_t timed_last, timed_next; /* numbers of calls; the owner's own */
} __attribute__((aligned(CACHE_LINE)));

struct stats {
    struct command_stats *commands; /* by command.index */
    _Atomic uint64_t (*buckets)[STATS_BUCKETS]; /* the same; calls by how long they took */
    uint32_t n;
    _Atomic uint64_t errors[STATS_ERRORS_N];
};

void stats_init(struct stats *s);
void stats_fini(struct stats *s);
/* Everything to zero. Own thread. */
void stats_reset(struct stats *s);

/* Counts a call of the command with this index, before its handler is run; true: it is to be timed
 * (stats_timed). Own thread, as all below. */
static inline bool
stats_begin(struct stats *s, uint32_t command)
{
    struct command_stats *row = &s->commands[command];
    uint64_t calls = metrics_load(&row->calls);

    metrics_store(&row->calls, calls + 1);
    return unlikely(calls >= row->timed_next);
}

/* The call came to nothing: it will be made again. */
void stats_take_back(struct stats *s, uint32_t command);
/* What the call took that was counted last. */
void stats_timed(struct stats *s, uint32_t command, uint64_t ns);
/* For stats_end only. */
void stats_failed(struct stats *s, uint32_t command, struct slice reply);

/* The call is over: its reply, if there is one yet, stands in `out` from `before` on. */
static inline void
stats_end(struct stats *s, uint32_t command, const struct buf *out, size_t before)
{
    if (unlikely(out->n > before && out->p[before] == '-'))
        stats_failed(s, command, buf_from(out, before));
}

/* A command (NULL: an unknown one) was refused before it ran, with this error. */
void stats_refused(struct stats *s, const struct command *cmd, struct slice reply);

/* Lines of INFO for all cores of the node. Any thread. */
void stats_write_commands(const struct node *node, struct buf *out);
void stats_write_errors(const struct node *node, struct buf *out);
void stats_write_latencies(const struct node *node, struct buf *out);
uint64_t stats_errors_total(const struct node *node);

#endif

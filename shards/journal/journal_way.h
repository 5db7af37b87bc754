/* Two ways to make a write with O_DIRECT durable, and which one to take now.
 *
 * O_DSYNC: one operation. Without FUA the kernel finishes it (the device's cache must be flushed)
 * on a kernel worker of the CPU that took the disk's interrupt. If that CPU is kept busy by a loop
 * or a client, the worker waits for its turn, milliseconds. Flush: write, then fdatasync, which an
 * io_uring worker does on the background CPUs. One more step, but no waiting behind a busy loop.
 * Which is faster depends on the device, on where its interrupts go and on what keeps that CPU
 * busy, so it is measured: both have a smoothed latency, the lower one is used, and every now and
 * then one write goes the other way to see (docs/decisions/0002). */
#ifndef SHARDS_JOURNAL_JOURNAL_WAY_H
#define SHARDS_JOURNAL_JOURNAL_WAY_H

#include "core/base.h"

#define JOURNAL_PROBE_NS (2 * 1000 * 1000 * 1000ULL) /* between writes by the other way */

enum journal_way_kind { JOURNAL_WAY_DSYNC, JOURNAL_WAY_FLUSH };

struct journal_way {
    enum journal_way_kind current;
    uint64_t ns[2];    /* smoothed latency by kind, 0 = not known yet */
    uint64_t probe_ns; /* time of the next probe */
};

/* The way for a write that begins now. */
enum journal_way_kind journal_way_choose(struct journal_way *w, uint64_t now_ns);
/* A write took this long from beginning to durable. May change the current way. */
void journal_way_note(struct journal_way *w, enum journal_way_kind kind, uint64_t ns);

#endif

#include "shards/engine/checkpoint_priv.h"

#include "core/log.h"
#include "shards/engine/aside.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"

#include <stdio.h>
#include <stdlib.h>

/* What outlives single checkpoints; one a shard. */
struct checkpoint_control {
    bool requested;
    uint64_t retry_ns;
    uint64_t failed_in_a_row;
    bool told_unreadable; /* the log says it once */
    bool is_full;         /* nothing goes into the store any more; that, too */
    struct list waiters; /* of the next one */
    struct checkpoint_stats stats;
};

static struct checkpoint_control *
control(struct shard *sh)
{
    if (sh->checkpoint_control == NULL) {
        sh->checkpoint_control = calloc(1, sizeof(struct checkpoint_control));
        ASSERT(sh->checkpoint_control);
        list_init(&sh->checkpoint_control->waiters);
    }
    return sh->checkpoint_control;
}

void
checkpoint_request(struct shard *sh)
{
    control(sh)->requested = true;
}

void
checkpoint_wait(struct shard *sh, struct checkpoint_waiter *w)
{
    list_push_back(&control(sh)->waiters, &w->node);
    checkpoint_request(sh);
}

bool
checkpoint_wait_running(struct shard *sh, struct checkpoint_waiter *w)
{
    if (sh->checkpoint == NULL)
        return false;
    list_push_back(&sh->checkpoint->waiters, &w->node);
    return true;
}

bool
checkpoint_fails(const struct shard *sh)
{
    const struct checkpoint_control *ctl = sh->checkpoint_control;

    return ctl && (ctl->failed_in_a_row >= CHECKPOINT_FAILURES_MAX || ctl->is_full);
}

const struct checkpoint_stats *
checkpoint_stats(const struct shard *sh)
{
    return &control((struct shard *)sh)->stats;
}

/* --- start --------------------------------------------------------------------------------------- */

static struct checkpoint *
checkpoint_begin(struct shard *sh)
{
    struct checkpoint *c = calloc(1, sizeof(*c));

    ASSERT(c);
    c->sh = sh;
    c->stage = GATHER;
    c->started_ns = clock_now_ns();
    c->started_ms = clock_wall_ms(&sh->core->reactor.clock);
    c->start_lsn = sh->recovering ? sh->replayed_lsn : journal_last_lsn(&sh->journal);
    c->tail = &c->items;
    scratch_init(&c->memory);
    list_init(&c->waiters);
    list_splice(&c->waiters, &control(sh)->waiters);
    control(sh)->requested = false;
    control(sh)->stats.running = true;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        c->purge_db[i] = sh->db[i].hidden;
        c->flushes[i] = sh->db[i].flushes;
        c->keys[i] = sh->db[i].hidden ? 0 : sh->db[i].stored_keys;
        head_flush_begin(&sh->db[i].head);
    }
    sh->checkpoint = c;
    return c;
}

static bool
anything_dirty(const struct shard *sh, uint64_t *ret_bytes)
{
    bool any = false;

    *ret_bytes = 0;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        any = any || sh->db[i].head.dirty_count > 0 || sh->db[i].hidden;
        *ret_bytes += sh->db[i].head.dirty_bytes;
    }
    return any;
}

static void
waiters_done(struct shard *sh, struct list *waiters, int rc)
{
    struct list told, *node;

    list_init(&told); /* who is told may wait again */
    list_splice(&told, waiters);
    if (list_empty(&told))
        return;
    reactor_hand_begin(&sh->core->reactor);
    while ((node = list_pop_front(&told))) {
        struct checkpoint_waiter *w = list_entry(node, struct checkpoint_waiter, node);

        w->done(w, rc);
    }
    reactor_hand_end(&sh->core->reactor);
}

static void
nothing_to_do(struct shard *sh)
{
    struct checkpoint_control *ctl = control(sh);

    ctl->requested = false;
    ctl->stats.last_unix_s = clock_wall_us() / 1000000;
    waiters_done(sh, &ctl->waiters, 0);
}

/* It has as many tables as it may keep without compactions (store_keeps_tables): that does not pass. */
static void
nothing_goes_in(struct shard *sh)
{
    struct checkpoint_control *ctl = control(sh);
    struct store_error why;

    if (!store_keeps_tables(sh->store, &why))
        return;
    if (!ctl->is_full)
        log_error("core %u: the store has as many tables as it can keep without compactions: no checkpoint "
                  "is made any more and the journal grows; put the file back from a copy while the server "
                  "is stopped: %s", sh->id, why.text);
    ctl->is_full = true;
    waiters_done(sh, &ctl->waiters, -EIO);
}

/* Replay could not apply the records of some keys: the journal must keep them. */
static void
keys_are_aside(struct shard *sh)
{
    struct checkpoint_control *ctl = control(sh);

    ctl->requested = false;
    ctl->retry_ns = clock_now_ns() + CHECKPOINT_RETRY_NS;
    ctl->stats.failures++;
    ctl->failed_in_a_row++;
    ctl->stats.last_error = -EIO;
    log_error("core %u: checkpoint failed, tried again in a second: the start has set %llu keys aside that the "
              "store cannot read, see above", sh->id, (unsigned long long)aside_keys(sh));
    waiters_done(sh, &ctl->waiters, -EIO);
    exec_wake(sh->core);
}

static bool
should_begin(struct shard *sh)
{
    const struct config *config = &sh->core->config;
    struct checkpoint_control *ctl = control(sh);
    uint64_t dirty_bytes;
    bool any = anything_dirty(sh, &dirty_bytes);

    if (ctl->requested && !any && aside_keys(sh) == 0) {
        nothing_to_do(sh);
        return false;
    }
    /* It could not end: what it gathers is in a journal that cannot write. */
    if (unlikely(sh->journal.state == JOURNAL_FULL)) {
        waiters_done(sh, &ctl->waiters, -ENOSPC);
        return false;
    }
    if (ctl->retry_ns > sh->core->reactor.clock.mono_ns)
        return false;
    if (unlikely(store_is_stalled(sh->store))) {
        nothing_goes_in(sh);
        return false;
    }
    if (!ctl->requested && dirty_bytes <= config->checkpoint_dirty_bytes &&
        (!any || journal_live_bytes(&sh->journal) <= config->checkpoint_journal_bytes))
        return false;
    if (likely(aside_keys(sh) == 0))
        return true;
    keys_are_aside(sh);
    return false;
}

/* --- end ----------------------------------------------------------------------------------------- */

static void
release_journal(struct checkpoint *c)
{
    struct shard *sh = c->sh;

    for (unsigned i = 0; i < SHARD_DBS; i++)
        ASSERT(sh->db[i].flushes != c->flushes[i] || sh->db[i].stored_keys == c->keys[i]);
    sh->checkpoint_lsn = c->start_lsn;
    atomic_store_explicit(&sh->stored_ms, c->started_ms, memory_order_relaxed);
    if (!sh->recovering)
        journal_release(&sh->journal, c->start_lsn);
}

/* Once: it stays so until the next start. */
static void
tell_unreadable(struct checkpoint *c, struct checkpoint_control *ctl)
{
    struct store_error why;

    if (ctl->told_unreadable || likely(!store_keeps_tables(c->sh->store, &why)))
        return;
    ctl->told_unreadable = true;
    log_error("core %u: a table of the store cannot be read and so not be compacted; writes and "
              "checkpoints go on, reads get slower: put the file back from a copy while the server is "
              "stopped: %s", c->sh->id, why.text);
}

static void
record_result(struct checkpoint *c)
{
    struct checkpoint_control *ctl = control(c->sh);
    struct checkpoint_stats *st = &ctl->stats;

    st->running = false;
    st->last_error = c->rc;
    tell_unreadable(c, ctl);
    if (c->rc < 0) {
        st->failures++;
        ctl->failed_in_a_row++;
        ctl->retry_ns = clock_now_ns() + CHECKPOINT_RETRY_NS;
        log_error("core %u: checkpoint failed, tried again in a second: %s", c->sh->id,
                  c->error.text);
        return;
    }
    ctl->failed_in_a_row = 0;
    st->count++;
    st->rows += c->rows;
    st->bytes += c->bytes;
    st->last_ns = clock_now_ns() - c->started_ns;
    st->last_unix_s = clock_wall_us() / 1000000;
}

static void
forget(struct offload_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);

    for (struct item *it = c->items; it; it = it->next)
        for (uint32_t i = 0; i < it->flushes_n; i++)
            series_flush_fini(&it->flushes[i]);
    scratch_fini(&c->memory);
    buf_fini(&c->labels);
}

static void
forgotten(struct offload_job *job)
{
    free(container_of(job, struct checkpoint, job));
}

/* To give back the copies of a hundred thousand keys takes many milliseconds: the helper does it. */
static void
forget_later(struct checkpoint *c)
{
    c->job.work = forget;
    c->job.done = forgotten;
    offload_submit(c->sh->core->reactor.offload, OFFLOAD_CHECKPOINT, &c->job);
}

/* Everything that others see of its end; what it took is still to be forgotten. */
static void
checkpoint_end(struct checkpoint *c)
{
    struct shard *sh = c->sh;
    struct list waiters;
    int rc = c->rc;

    if (rc == 0)
        release_journal(c);
    record_result(c);
    sh->checkpoint = NULL;
    checkpoint_release_orphans(c);
    list_init(&waiters);
    list_splice(&waiters, &c->waiters);
    waiters_done(sh, &waiters, rc);
    if (sh->core && !sh->recovering)
        exec_wake(sh->core);
}

/* --- driving it ------------------------------------------------------------------------------------ */

static void
write_done(struct offload_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);

    c->stage = SETTLE;
    c->at = c->items;
}

static bool
all_durable(const struct checkpoint *c)
{
    const struct shard *sh = c->sh;

    if (sh->journal.synced_lsn < c->need_lsn)
        return false;
    return list_empty(&sh->groups) ||
           list_entry(sh->groups.next, struct shard_group, node)->lsn > c->need_lsn;
}

/* Is there a group that waits for the journal of another core, which has no room? */
static bool
group_is_stuck(const struct shard *sh)
{
    const struct node *node = sh->core->node;

    for (uint32_t i = 0; i < node->ncores && !list_empty(&sh->groups); i++)
        if (atomic_load_explicit(&node->cores[i].published.journal_state, memory_order_relaxed) ==
            JOURNAL_FULL)
            return true;
    return false;
}

/* Nobody knows when: who waits for this one or the next need not. */
static void
tell_disk_full(struct checkpoint *c)
{
    waiters_done(c->sh, &c->waiters, -ENOSPC);
    waiters_done(c->sh, &control(c->sh)->waiters, -ENOSPC);
}

/* The records of what was gathered will never be on disk, or only when the disk has room again:
 * nothing of it may reach the store. */
static unsigned
give_up(struct checkpoint *c, int rc, const char *why)
{
    c->rc = rc;
    snprintf(c->error.text, sizeof(c->error.text), "%s", why);
    c->stage = SETTLE;
    c->at = c->items;
    return 1;
}

static const struct checkpoint_slice everything = {UINT32_MAX, UINT64_MAX};

/* A moment, or half as long as this turn has taken so far: the busier the loop, the longer its turns,
 * and a checkpoint must keep up with what is written. */
static struct checkpoint_slice
slice_of_turn(const struct shard *sh)
{
    uint64_t now = clock_now_ns(), began = sh->core->reactor.clock.mono_ns;
    uint64_t turn_ns = now > began ? now - began : 0;

    return (struct checkpoint_slice){
        .entries = CHECKPOINT_SLICE_ENTRIES,
        .until_ns = now + MAX(CHECKPOINT_SLICE_NS, turn_ns / 2),
    };
}

static unsigned
checkpoint_waits(struct checkpoint *c)
{
    if (unlikely(c->sh->journal.state == JOURNAL_FULL))
        return give_up(c, -ENOSPC, "the journal has no room");
    if (unlikely(group_is_stuck(c->sh)))
        tell_disk_full(c);
    return 0;
}

static unsigned
checkpoint_step(struct checkpoint *c)
{
    struct shard *sh = c->sh;

    switch (c->stage) {
    case GATHER:
        if (checkpoint_gather(c, slice_of_turn(sh))) {
            c->need_lsn = journal_last_lsn(&sh->journal);
            journal_want_durable(&sh->journal, c->need_lsn);
            c->stage = WAIT;
        }
        return 1;
    case WAIT:
        if (sh->journal.state == JOURNAL_FAILED)
            return give_up(c, -EIO, "the journal failed");
        if (!all_durable(c))
            return checkpoint_waits(c);
        c->stage = WRITE;
        c->job.work = checkpoint_write;
        c->job.done = write_done;
        offload_submit(sh->core->reactor.offload, OFFLOAD_CHECKPOINT, &c->job);
        return 1;
    case WRITE:
        return 0;
    case SETTLE:
        if (checkpoint_settle(c, slice_of_turn(sh))) {
            checkpoint_end(c);
            forget_later(c);
        }
        return 1;
    }
    return 0;
}

unsigned
checkpoint_poll(struct shard *sh)
{
    if (!shard_available(sh))
        return 0;
    if (sh->checkpoint)
        return checkpoint_step(sh->checkpoint);
    if (!should_begin(sh))
        return 0;
    checkpoint_begin(sh);
    return 1;
}

int
checkpoint_now(struct shard *sh, struct store_error *err)
{
    struct checkpoint *c = checkpoint_begin(sh);
    int rc;

    while (!checkpoint_gather(c, everything))
        ;
    checkpoint_write(&c->job);
    write_done(&c->job);
    while (!checkpoint_settle(c, everything))
        ;
    rc = c->rc;
    *err = c->error;
    checkpoint_end(c);
    forget(&c->job);
    forgotten(&c->job);
    return rc;
}

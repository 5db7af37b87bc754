/* How a core stops: step by step, each at its own pace, in step where they depend on each other.
 *
 *   DRAIN       Nothing is accepted or read any more; what is under way comes to its end. After
 *               LIMIT_STOP_DRAIN_NS the cores hurry: connections are closed unanswered, what has not
 *               begun is refused instead of run, and reading in slices ends where it is.
 *   DRAINED     Waits for the others: what they had under way may have been about this core's shard.
 *   CHECKPOINT  The last one. Not where something is still under way: it may have leased the shard for
 *               good, and the journal has everything.
 *   CLOSING     The connections go, then the loop ends.
 *
 * Hurrying makes what is left short: a request takes a millisecond or two once it has begun. What is
 * still there CORE_HURRY_NS later waits for a disk that does not answer. It is given up: when the loops
 * have ended the process does, with status 1 and without closing what is still in use (node.c). */
#include "shards/engine/core.h"

#include "core/log.h"
#include "shards/engine/blocked.h"
#include "shards/engine/exec.h"
#include "shards/engine/listener.h"
#include "shards/engine/session.h"

enum stop_step { STOP_NOT, STOP_DRAIN, STOP_DRAINED, STOP_CHECKPOINT, STOP_DONE, STOP_CLOSING };

static void
stop_listening(struct core *c)
{
    log_debug("core %u: stopping", c->id);
    listener_close_all(c);
    list_each_safe(it, &c->conns.all) conn_pause(list_entry(it, struct conn, all_node));
}

/* Nobody has to wait any more: those who do are answered with what there is. */
static void
stop_waiting(struct core *c)
{
    list_each_safe(it, &c->conns.all) blocked_hurry(session_of(list_entry(it, struct conn, all_node)));
}

static void
close_all(struct core *c)
{
    list_each_safe(it, &c->conns.all) conn_close(list_entry(it, struct conn, all_node));
}

static bool
is_drained(struct core *c)
{
    list_each(it, &c->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (s->round || s->parked || (s->blocked && !timer_armed(&s->timer)))
            return false;
    }
    return c->txns == 0 && c->multis == 0 && shard_available(&c->shard) &&
           journal_idle(&c->shard.journal) && list_empty(&c->shard.groups) &&
           list_empty(&c->shard.ack_waiters);
}

static bool
time_is_over(const struct core *c)
{
    return c->reactor.clock.mono_ns >= c->stop_deadline_ns;
}

static void
set_time(struct core *c, uint64_t ns)
{
    c->stop_deadline_ns = c->reactor.clock.mono_ns + ns;
}

/* --- draining --------------------------------------------------------------------------------------- */

static void
begin(struct core *c)
{
    stop_listening(c);
    set_time(c, c->limits.stop_drain_ns);
    c->stop_step = STOP_DRAIN;
    stop_waiting(c);
}

/* Who waits for memory or the journal is run again, and refused. */
static void
hurry(struct core *c)
{
    c->stop_hurries = true;
    close_all(c);
    exec_wake(c);
    set_time(c, CORE_HURRY_NS);
}

static void
hurry_when_due(struct core *c)
{
    struct node *node = c->node;

    if (time_is_over(c) && !atomic_exchange(&node->hurrying, true))
        log_warn("core %u: requests under way take too long, those that have not begun are refused",
                 c->id);
    if (!c->stop_hurries && core_hurries(c))
        hurry(c);
}

static void
drain(struct core *c)
{
    if (!is_drained(c)) {
        hurry_when_due(c);
        if (shard_available(&c->shard))
            journal_want_durable(&c->shard.journal, journal_last_lsn(&c->shard.journal));
        if (!c->stop_hurries || !time_is_over(c))
            return;
        log_warn("core %u: gives up what is still under way", c->id);
        atomic_store(&c->node->gave_up, true);
    }
    atomic_fetch_add(&c->node->drained, 1);
    c->stop_step = STOP_DRAINED;
}

/* --- the last checkpoint ---------------------------------------------------------------------------- */

static void
checkpointed(struct checkpoint_waiter *w, int rc)
{
    struct core *c = container_of(w, struct core, stop_waiter);

    if (rc < 0)
        log_warn("core %u: the last checkpoint failed; the journal holds what it would have stored",
                 c->id);
    c->stop_step = STOP_DONE;
    reactor_wake(&c->reactor); /* the turn that found nothing to store would fall asleep */
}

static void
checkpoint_when_all_are_drained(struct core *c)
{
    struct node *node = c->node;

    if (!c->stop_hurries && core_hurries(c)) /* what others wait for may wait here */
        hurry(c);
    if (atomic_load(&node->drained) < node->ncores)
        return;
    c->stop_step = STOP_CHECKPOINT;
    c->stop_waiter.done = checkpointed;
    if (atomic_load(&node->stop_without_checkpoint) || atomic_load(&node->gave_up) ||
        c->shard.journal.state != JOURNAL_OK)
        c->stop_step = STOP_DONE;
    else
        checkpoint_wait(&c->shard, &c->stop_waiter);
}

/* --- closing ---------------------------------------------------------------------------------------- */

static bool
journal_has_more(struct core *c)
{
    struct shard *sh = &c->shard;

    return !journal_idle(&sh->journal) && sh->journal.state == JOURNAL_OK &&
           (shard_available(sh) || !time_is_over(c));
}

/* What the kernel still holds of the connections comes back within a few turns. */
static unsigned
close_down(struct core *c)
{
    if (c->conns.count > 0 && !time_is_over(c))
        return 1;
    if (journal_has_more(c)) {
        journal_want_durable(&c->shard.journal, journal_last_lsn(&c->shard.journal));
        return 1;
    }
    reactor_stop(&c->reactor);
    return 0;
}

unsigned
core_stop_poll(struct core *c)
{
    if (likely(!atomic_load_explicit(&c->node->stopping, memory_order_relaxed)))
        return 0;
    switch (c->stop_step) {
    case STOP_NOT:
        begin(c);
        return 1;
    case STOP_DRAIN:
        drain(c);
        return 1;
    case STOP_DRAINED:
        checkpoint_when_all_are_drained(c);
        return 1;
    case STOP_CHECKPOINT:
        return 0; /* asleep: the helper that writes it may have no other CPU than this */
    case STOP_DONE:
        close_all(c);
        set_time(c, CORE_CLOSE_NS);
        c->stop_step = STOP_CLOSING;
        return 1;
    case STOP_CLOSING:
        return close_down(c);
    }
    return 0;
}

#include "shards/engine/shard.h"

#include "shards/engine/aside.h"
#include "shards/engine/checkpoint.h"
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/wait.h"
#include "shards/engine/watch.h"
#include "shards/labels/labels.h"

#include <stdlib.h>
#include <time.h>

static bool
seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void
free_series_value(struct head *h, struct entry *e)
{
    struct shard_db *db = container_of(h, struct shard_db, head);
    struct series_key *sk = entry_ptr(e);

    db->sh->series_keys--;
    if (!checkpoint_keep(db->sh, e))
        series_key_destroy(h->arena, &sk);
}

void
shard_init(struct shard *sh, uint16_t id, struct core *core)
{
    *sh = (struct shard){.id = id, .core = core};
    ASSERT(arena_create(&sh->arena) == 0);
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        sh->db[i].sh = sh;
        head_init(&sh->db[i].head, sh->arena, free_series_value);
    }
    list_init(&sh->detached);
    list_init(&sh->waiters);
    list_init(&sh->groups);
    list_init(&sh->ack_waiters);
    list_init(&sh->fired);
}

void
shard_fini(struct shard *sh)
{
    while (keyspace_release_detached(sh, UINT32_MAX))
        ;
    for (unsigned i = 0; i < SHARD_DBS; i++) {
        labels_destroy(&sh->db[i].labels);
        aside_clear(&sh->db[i]);
        head_fini(&sh->db[i].head);
    }
    watch_table_destroy(&sh->watches);
    wait_table_destroy(&sh->waits);
    free(sh->checkpoint_control);
    arena_destroy(&sh->arena);
}

void
shard_slow_down(struct shard *sh)
{
    int32_t ms = atomic_load_explicit(&sh->slow_ms, memory_order_relaxed);

    if (likely(atomic_load_explicit(&sh->slow_jobs, memory_order_relaxed) <= 0))
        return;
    atomic_fetch_sub_explicit(&sh->slow_jobs, 1, memory_order_relaxed);
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

size_t
shard_memory(const struct shard *sh)
{
    size_t bytes = arena_bytes(sh->arena);

    for (unsigned i = 0; i < SHARD_DBS; i++) {
        bytes += head_table_bytes(&sh->db[i].head);
        bytes += sh->db[i].labels ? labels_outer_bytes(sh->db[i].labels) : 0;
    }
    return bytes;
}

/* --- lease ----------------------------------------------------------------------------------- */

void
shard_wait(struct shard *sh, struct shard_waiter *w)
{
    if (!sh->leased && list_empty(&sh->waiters)) {
        w->run(w, sh);
        return;
    }
    list_push_back(&sh->waiters, &w->node);
}

void
shard_lease(struct shard *sh)
{
    ASSERT(!sh->leased);
    sh->leased = true;
}

void
shard_unlease(struct shard *sh)
{
    struct list *node;

    ASSERT(sh->leased);
    sh->leased = false;
    while (!sh->leased && (node = list_pop_front(&sh->waiters))) {
        struct shard_waiter *w = list_entry(node, struct shard_waiter, node);

        w->run(w, sh);
    }
}

/* --- acknowledgement ------------------------------------------------------------------------- */

/* Inserts by seq. Almost always the newest: looks for the place from the end. */
static void
waiter_insert(struct list *l, struct ack_waiter *w, uint32_t seq)
{
    struct list *at = l->prev;

    w->seq = seq;
    while (at != l && seq_after(list_entry(at, struct ack_waiter, node)->seq, seq))
        at = at->prev;
    list_push_back(at->next, &w->node);
}

static void
waiters_run(struct list *l, uint32_t seq)
{
    while (!list_empty(l)) {
        struct ack_waiter *w = list_entry(l->next, struct ack_waiter, node);

        if (seq_after(w->seq, seq))
            return;
        list_remove(&w->node);
        w->run(w);
    }
}

void
shard_when_acked(struct shard *sh, struct ack_waiter *w, uint32_t seq)
{
    w->failed = shard_seq_pending(sh, seq) && sh->journal.state == JOURNAL_FAILED;
    if (shard_seq_pending(sh, seq) && !w->failed)
        waiter_insert(&sh->ack_waiters, w, seq);
    else
        w->run(w);
}

/* --- groups ----------------------------------------------------------------------------------
 *
 * After a crash a journal ends before its first group that is not whole (recovery.h), so a group is
 * only safe when every group before it is, in each of its journals. The owners say "ready", and all
 * of them saying so makes it safe: a part is ready when it is durable and each group before it in
 * this journal is either resolved, that is safe, or has no participant that the later one does not
 * have. The latter stands before it in all those journals and so is durable there, too. */

static bool
set_within(const uint64_t *inner, const uint64_t *outer)
{
    uint64_t outside = 0;

    for (unsigned i = 0; i < SHARD_SET_WORDS; i++)
        outside |= inner[i] & ~outer[i];
    return outside == 0;
}

static void
group_tell(struct shard_group *g, struct list *told)
{
    g->told = true;
    list_push_back(told, &g->ready_node);
}

/* What is told may change the list of groups: first all are chosen, then all are called. */
static void
groups_run(struct list *told)
{
    struct list *node;

    while ((node = list_pop_front(told))) {
        struct shard_group *g = list_entry(node, struct shard_group, ready_node);

        g->ready(g);
    }
}

static void
groups_progress(struct shard *sh)
{
    uint64_t before[SHARD_SET_WORDS] = {0};
    struct list told;

    list_init(&told);
    list_each(it, &sh->groups)
    {
        struct shard_group *g = list_entry(it, struct shard_group, node);

        if (seq_after(g->seq, sh->journal.durable_seq))
            break;
        if (!g->told && set_within(before, g->shards))
            group_tell(g, &told);
        for (unsigned i = 0; i < SHARD_SET_WORDS; i++)
            before[i] |= g->shards[i];
    }
    groups_run(&told);
}

static void
groups_fail(struct shard *sh)
{
    struct list told;

    list_init(&told);
    list_each(it, &sh->groups)
    {
        struct shard_group *g = list_entry(it, struct shard_group, node);

        if (g->told)
            continue;
        g->failed = true;
        group_tell(g, &told);
    }
    groups_run(&told);
}

void
shard_group_add(struct shard *sh, struct shard_group *g)
{
    g->told = g->failed = false;
    list_push_back(&sh->groups, &g->node);
    if (unlikely(sh->journal.state == JOURNAL_FAILED))
        groups_fail(sh);
}

void
shard_group_resolved(struct shard *sh, struct shard_group *g)
{
    list_remove(&g->node);
    shard_progress(sh);
}

void
shard_group_doomed(struct shard *sh, struct shard_group *g)
{
    journal_give_up(&sh->journal, EIO);
    list_remove(&g->node);
}

/* The last batch whose replies may leave: the durable one, or the one before the oldest group that
 * is not known to be durable everywhere. */
static uint32_t
shard_ackable(const struct shard *sh)
{
    uint32_t seq = sh->journal.durable_seq;

    if (!list_empty(&sh->groups)) {
        uint32_t before = list_entry(sh->groups.next, struct shard_group, node)->seq - 1;

        if (seq_after(seq, before))
            seq = before;
    }
    return seq;
}

void
shard_progress(struct shard *sh)
{
    uint32_t seq;

    reactor_hand_begin(&sh->core->reactor);
    groups_progress(sh);
    seq = shard_ackable(sh);
    if (seq != sh->acked_seq) {
        sh->acked_seq = seq;
        conn_set_release(&sh->core->conns, seq);
        waiters_run(&sh->ack_waiters, seq);
    }
    reactor_hand_end(&sh->core->reactor);
}

static void
waiters_fail(struct list *l)
{
    struct list *node;

    while ((node = list_pop_front(l))) {
        struct ack_waiter *w = list_entry(node, struct ack_waiter, node);

        w->failed = true;
        w->run(w);
    }
}

void
shard_fail(struct shard *sh)
{
    reactor_hand_begin(&sh->core->reactor);
    conn_set_fail(&sh->core->conns);
    groups_fail(sh);
    waiters_fail(&sh->ack_waiters);
    reactor_hand_end(&sh->core->reactor);
}

/* --- those who watch and wait ---------------------------------------------------------------- */

static void
observe(struct shard *sh)
{
    sh->observed = sh->watches || sh->waits;
}

void
shard_watch(struct shard *sh, uint64_t client, uint8_t db, struct slice key)
{
    watch_add(&sh->watches, client, db, key);
    observe(sh);
}

void
shard_unwatch(struct shard *sh, uint64_t client)
{
    watch_remove(&sh->watches, client);
    observe(sh);
}

void
shard_await(struct shard *sh, struct key_waiter *w, uint8_t db, struct slice key)
{
    wait_add(&sh->waits, w, db, key);
    observe(sh);
}

void
shard_unawait(struct shard *sh, struct key_waiter *w)
{
    wait_remove(&sh->waits, w);
    observe(sh);
}

void
shard_key_touched(struct shard *sh, uint8_t db, struct slice key)
{
    if (sh->watches)
        watch_touch(sh->watches, db, key);
}

void
shard_series_changed(struct shard *sh, uint8_t db, struct slice key)
{
    shard_key_touched(sh, db, key);
    if (sh->waits)
        wait_changed(sh->waits, db, key, &sh->fired);
}

/* One that takes the place of another makes no more points: nobody waits for it. */
void
shard_point_replaced(struct shard *sh, uint8_t db, struct slice key, int64_t ts)
{
    if (sh->watches)
        watch_touch_point(sh->watches, db, key, ts);
}

void
shard_hidden_gone(struct shard *sh, uint8_t db, struct slice key, int64_t kept_from)
{
    if (sh->watches)
        watch_touch_hidden(sh->watches, db, key, kept_from);
}

void
shard_series_point(struct shard *sh, uint8_t db, struct slice key, uint8_t type, int64_t ts)
{
    shard_point_replaced(sh, db, key, ts);
    if (sh->waits)
        wait_point(sh->waits, db, key, type, ts, &sh->fired);
}

void
shard_series_gone(struct shard *sh, uint8_t db, struct slice key)
{
    if (sh->waits)
        wait_gone(sh->waits, db, key, &sh->fired);
}

void
shard_db_gone(struct shard *sh, uint8_t db)
{
    if (sh->waits)
        wait_gone_db(sh->waits, db, &sh->fired);
}

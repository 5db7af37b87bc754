/* What a core does besides running commands: the end of each turn, periodic work. For its end see
 * core_stop.c. */
#include "shards/engine/core.h"

#include "core/log.h"
#include "shards/engine/blocked.h"
#include "shards/engine/checkpoint.h"
#include "shards/engine/evict.h"
#include "shards/engine/exec.h"
#include "shards/engine/expire.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/listener.h"
#include "shards/engine/round.h"
#include "shards/engine/session.h"

#include <stdlib.h>

#define RELEASE_BUCKETS_PER_TURN 256
#define REHASH_BUCKETS_PER_TURN 128
#define CORE_PATIENCE_MAX 16 /* completions waited for, at most ... */
#define CORE_PATIENCE_SHARE 4 /* ... and one for so many clients */
#define CORE_PATIENCE_NS 50000ULL

/* --- end of turn --------------------------------------------------------------------------------- */

static void
publish(struct core *c)
{
    struct shard *sh = &c->shard;
    struct core_published *p = &c->published;
    uint64_t dirty = 0;

    for (unsigned i = 0; i < SHARD_DBS; i++) {
        metrics_store(&p->keys[i], keyspace_keys(sh, (uint8_t)i));
        metrics_store(&p->expires[i], sh->db[i].head.expires);
        dirty += sh->db[i].head.dirty_count;
    }
    metrics_store(&p->dirty_keys, dirty);
    metrics_store(&p->memory_bytes, shard_memory(sh));
    metrics_store(&p->journal_lsn, journal_last_lsn(&sh->journal));
    metrics_store(&p->durable_lsn, sh->journal.durable_lsn);
    metrics_store(&p->series, sh->series_keys);
    atomic_store_explicit(&p->clients, c->conns.count, memory_order_relaxed);
    atomic_store_explicit(&p->journal_state, sh->journal.state, memory_order_relaxed);
}

/* What costs more to find out, a few times a second. */
static void
publish_slow(struct core *c)
{
    const struct checkpoint_stats *cp = checkpoint_stats(&c->shard);
    struct core_published *p = &c->published;
    struct metrics *m = &c->metrics;
    struct store_stats store;

    store_get_stats(c->shard.store, &store);
    metrics_store(&p->store_bytes, store.sst_bytes);
    metrics_store(&p->journal_live_bytes, journal_live_bytes(&c->shard.journal));
    metrics_store(&p->checkpoints_running, cp->running);
    metrics_store(&p->checkpoint_failing, cp->last_error != 0);
    metrics_set(m, checkpoint_count, cp->count);
    metrics_set(m, checkpoint_rows, cp->rows);
    metrics_set(m, checkpoint_bytes, cp->bytes);
    metrics_set(m, checkpoint_failures, cp->failures);
    if (cp->last_unix_s > atomic_load(&c->node->last_save_s))
        atomic_store(&c->node->last_save_s, cp->last_unix_s);
}

static void
publish_metrics(struct core *c)
{
    struct shard *sh = &c->shard;
    struct metrics *m = &c->metrics;

    metrics_set(m, keyspace_hits, sh->hits);
    metrics_set(m, keyspace_misses, sh->misses);
    metrics_set(m, expired_keys, sh->expired);
    metrics_set(m, evicted_keys, sh->evicted);
    metrics_set(m, points_written, sh->points);
    metrics_set(m, points_read, c->points_read);
    metrics_set(m, net_input_bytes, c->conns.bytes_in);
    metrics_set(m, net_output_bytes, c->conns.bytes_out);
    metrics_set(m, recv_nobufs, c->conns.nobufs);
    metrics_set(m, journal_batches, sh->journal.stats.batches);
    metrics_set(m, journal_records, sh->journal.stats.records);
    metrics_set(m, journal_bytes, sh->journal.stats.bytes);
    metrics_set(m, journal_write_ns, sh->journal.stats.write_ns);
    metrics_set(m, journal_errors, sh->journal.stats.errors);
    metrics_set(m, loop_turns, atomic_load_explicit(&c->reactor.stats.turns, memory_order_relaxed));
}

void
core_reset_stats(struct core *c)
{
    struct shard *sh = &c->shard;
    uint64_t clients = metrics_get(&c->metrics, connections_current);
    uint64_t blocked = metrics_get(&c->metrics, clients_blocked);

    memset(&c->metrics, 0, sizeof(c->metrics));
    metrics_set(&c->metrics, connections_current, clients);
    metrics_set(&c->metrics, clients_blocked, blocked);
    sh->hits = sh->misses = sh->expired = sh->evicted = sh->points = 0;
    c->conns.bytes_in = c->conns.bytes_out = c->conns.nobufs = 0;
    c->points_read = 0;
    memset(&sh->journal.stats, 0, sizeof(sh->journal.stats));
    stats_reset(&c->stats);
}

/* A reply that waits for a disk, here or on another core, is not worth looking for all the time.
 *
 * While a journal write is in flight, what clients send meanwhile goes into the next batch and its
 * replies wait for that: waking for every single request would only cost CPU time. Not with several
 * cores: their messages should not wait. */
static void
be_patient(struct core *c)
{
    c->reactor.waits_long =
        !c->everysec_ack && (!journal_idle(&c->shard.journal) || c->remote_writes > 0);
    if (c->ncores > 1 || c->everysec_ack || journal_idle(&c->shard.journal) ||
        list_empty(&c->conns.held))
        return;
    c->reactor.patience = MIN(c->conns.count / CORE_PATIENCE_SHARE, CORE_PATIENCE_MAX);
    c->reactor.patience_ns = CORE_PATIENCE_NS;
}

static void
end_of_turn(void *arg)
{
    struct core *c = arg;
    struct shard *sh = &c->shard;

    if (shard_available(sh)) {
        journal_flush(&sh->journal);
        publish(c);
    }
    conn_set_flush(&c->conns);
    be_patient(c);
    scratch_reset(&c->scratch);
}

/* --- who waits ---------------------------------------------------------------------------------- */

/* WAITAOF looks at the journal once a turn. */
static bool
somebody_polls(const struct core *c)
{
    return c->reactor.pollers.next != &c->poller.node || c->reactor.pollers.prev != &c->poller.node;
}

/* While the shard is leased its owner leaves the journal and those who wait alone. */
static bool
shard_is_wanted(const struct core *c)
{
    const struct shard *sh = &c->shard;

    return !shard_available(sh) || !list_empty(&sh->waiters) || !list_empty(&sh->fired) ||
           journal_wants_flush(&sh->journal);
}

bool
core_is_wanted(const struct core *c, uint64_t now_ns)
{
    return atomic_load_explicit(&c->node->stopping, memory_order_relaxed) ||
           reactor_is_wanted(&c->reactor, now_ns, &c->cron) || conn_set_wants_flush(&c->conns) ||
           !list_empty(&c->journal_waiters) || shard_is_wanted(c) || somebody_polls(c);
}

/* --- every turn ---------------------------------------------------------------------------------- */

static unsigned
rehash(struct shard *sh)
{
    unsigned work = 0;

    for (unsigned i = 0; i < SHARD_DBS; i++)
        if (sh->db[i].head.table[1].buckets)
            work += head_rehash_step(&sh->db[i].head, REHASH_BUCKETS_PER_TURN);
    return work;
}

static void
expire_more(struct timer *t)
{
    container_of(t, struct core, expire_more)->expire_due = true;
}

static void
expire_some(struct core *c, uint64_t budget_ns)
{
    c->expire_due = false;
    c->expire_more.fn = expire_more;
    if (expire_cycle(&c->shard, budget_ns))
        timer_arm(&c->reactor.timers, &c->expire_more, clock_now_ns() + EXPIRE_PAUSE_NS);
}

static unsigned
shard_turn(struct core *c)
{
    struct shard *sh = &c->shard;
    unsigned work = 0;

    sh->now_s = (uint32_t)(c->reactor.clock.wall_us / 1000000);
    if (c->cron_due && !core_is_stopping(c)) {
        c->cron_due = false;
        expire_some(c, EXPIRE_CYCLE_NS * c->config.active_expire_effort);
        if (evict_make_room(c, sh) == EVICT_ROOM)
            expire_sweep_tick(c);
    } else if (c->expire_due && !core_is_stopping(c)) {
        expire_some(c, EXPIRE_CYCLE_NS);
    }
    work += checkpoint_poll(sh);
    work += keyspace_release_detached(sh, RELEASE_BUCKETS_PER_TURN);
    work += rehash(sh);
    work += blocked_wake(sh);
    return work;
}

static void
turn_came(struct shard_waiter *w, struct shard *sh)
{
    struct core *c = container_of(w, struct core, turn);

    c->turn_waiting = false;
    shard_turn(c);
    journal_flush(&sh->journal);
    publish(c);
}

/* While transactions queue for the shard it may be leased at the end of every turn: the owner queues
 * with them, or nothing would ever be written. */
static unsigned
every_turn(struct poller *p)
{
    struct core *c = container_of(p, struct core, poller);
    unsigned work = core_stop_poll(c);

    if (shard_available(&c->shard))
        return work + shard_turn(c);
    if (!c->turn_waiting) {
        c->turn_waiting = true;
        c->turn.run = turn_came;
        shard_wait(&c->shard, &c->turn);
    }
    return work;
}

/* --- periodic -------------------------------------------------------------------------------------- */

/* A client that waits and has sent more than is kept for it is not received from: so nobody hears when
 * it goes. */
static void
close_the_gone(struct core *c)
{
    if (c->blocked_n == 0)
        return;
    list_each_safe(it, &c->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (s->waits_in && conn_has_left(&s->conn))
            conn_close(&s->conn);
    }
}

static void
close_idle(struct core *c)
{
    int64_t limit_ms = (int64_t)c->config.timeout_s * 1000;
    int64_t now = clock_wall_ms(&c->reactor.clock);

    if (limit_ms == 0)
        return;
    list_each_safe(it, &c->conns.all)
    {
        struct session *s = session_of(list_entry(it, struct conn, all_node));

        if (s->blocked || s->parked || s->round || s->conn.closing || now - s->last_ms < limit_ms)
            continue;
        metrics_inc(&c->metrics, connections_timed_out);
        conn_close(&s->conn);
    }
}

static void
cron(struct timer *t)
{
    struct core *c = container_of(t, struct core, cron);

    publish_metrics(c);
    publish_slow(c);
    c->cron_due = true;
    close_idle(c);
    close_the_gone(c);
    listener_rearm_all(c);
    if (!list_empty(&c->journal_waiters))
        exec_wake(c);
    timer_arm(&c->reactor.timers, t, c->reactor.clock.mono_ns + 1000000000ULL / c->config.hz);
}

/* --- journal --------------------------------------------------------------------------------------- */

static void
journal_moved(void *arg)
{
    struct core *c = arg;
    struct shard *sh = &c->shard;

    if (sh->journal.state != c->journal_state_seen) {
        c->journal_state_seen = sh->journal.state;
        if (sh->journal.state == JOURNAL_OK)
            log_info("core %u: the journal writes again", c->id);
        else
            log_error("core %u: journal %s: %s; writes are refused", c->id,
                      sh->journal.state == JOURNAL_FULL ? "has no room for a new segment" : "failed",
                      strerror(sh->journal.error));
    }
    shard_progress(sh);
    if (sh->journal.state == JOURNAL_FAILED)
        shard_fail(sh);
    if (!list_empty(&c->journal_waiters) &&
        (sh->journal.state != JOURNAL_OK || journal_has_room(&sh->journal)))
        exec_wake(c);
}

static enum journal_mode
journal_mode_of(const struct config *config)
{
    switch (config->appendfsync) {
    case CONFIG_FSYNC_ALWAYS:
        return JOURNAL_ALWAYS;
    case CONFIG_FSYNC_EVERYSEC:
        return JOURNAL_EVERYSEC;
    default:
        return JOURNAL_NO;
    }
}

void
core_apply_config(struct core *c, const struct config *config)
{
    enum journal_mode mode = journal_mode_of(config);

    c->config = *config;
    c->everysec_ack = mode != JOURNAL_ALWAYS;
    c->shard.lru_touch = true;
    c->reactor.opt.busy_poll_ns = config->busy_poll_us * 1000;
    if (c->shard.journal.w && mode != c->shard.journal.mode)
        journal_set_mode(&c->shard.journal, mode);
}

int
core_open_journal(struct core *c, const char *dir, const struct journal_tail *tail,
                  uint64_t next_lsn, struct journal_error *err)
{
    struct shard *sh = &c->shard;
    struct journal_options opt = {
        .dir = dir,
        .segment_bytes = ALIGN_UP(c->config.journal_segment_bytes, 4096UL),
        .batch_bytes = c->config.journal_batch_bytes,
        .spare_segments = (unsigned)c->config.journal_spare_segments,
        .mode = journal_mode_of(&c->config),
    };
    int rc = journal_open(&sh->journal, &c->reactor, &opt, tail, next_lsn, err);

    if (rc < 0)
        return rc;
    sh->journal.on_progress = journal_moved;
    sh->journal.arg = c;
    sh->acked_seq = sh->journal.durable_seq;
    return 0;
}

/* --- start and end ---------------------------------------------------------------------------------- */

void
core_init(struct core *c, struct node *node, unsigned id)
{
    const struct config *config = &node->config;
    int64_t unit = config->timestamp_unit == CONFIG_TIME_S    ? 1
                   : config->timestamp_unit == CONFIG_TIME_MS ? 1000
                   : config->timestamp_unit == CONFIG_TIME_US ? 1000000
                                                              : 1000000000;

    c->node = node;
    c->id = id;
    c->ncores = node->ncores;
    c->limits = LIMITS_DEFAULT;
    shard_init(&c->shard, (uint16_t)id, c);
    c->shard.series_limits = (struct series_limits){
        .block_points = (uint32_t)config->block_points,
        .block_points_max = (uint32_t)config->block_points_max,
        .block_span = (int64_t)config->block_seconds * unit,
        .same_ts_max = SERIES_SAME_TS_MAX,
    };
    scratch_init(&c->scratch);
    stats_init(&c->stats);
    list_init(&c->round_pool);
    list_init(&c->journal_waiters);
    list_init(&c->config_changes);
    core_apply_config(c, config);
}

void
core_start(struct core *c)
{
    struct reactor *r = &c->reactor;

    conn_set_init(&c->conns, r);
    clock_update(&r->clock);
    c->shard.now_s = (uint32_t)(r->clock.wall_us / 1000000);
    c->poller.fn = every_turn;
    reactor_add_poller(r, &c->poller);
    reactor_add_flush(r, end_of_turn, c);
    c->cron.fn = cron;
    timer_arm(&r->timers, &c->cron, r->clock.mono_ns);
    publish(c);
}

void
core_fini(struct core *c)
{
    listener_free_all(c);
    round_pool_fini(c);
    scratch_fini(&c->scratch);
    stats_fini(&c->stats);
    shard_fini(&c->shard);
    expire_sweep_destroy(&c->sweep);
    free(c->fault_state);
}

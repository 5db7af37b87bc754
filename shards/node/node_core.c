/* The start of one core: its store first, by whichever thread, then on its own thread and CPU its io_uring,
 * what the journal has to add to the store, and its listeners. All cores have recovered before one serves. */
#include "shards/node/node_priv.h"

#include "core/log.h"
#include "shards/engine/aside.h"
#include "shards/engine/listener.h"
#include "shards/node/node.h"

#include <stdio.h>

enum store_compression
node_compression(const struct config *config)
{
    switch (config->store_compression) {
    case CONFIG_COMPRESSION_NONE:
        return STORE_COMPRESSION_NONE;
    case CONFIG_COMPRESSION_LZ4:
        return STORE_COMPRESSION_LZ4;
    default:
        return STORE_COMPRESSION_ZSTD;
    }
}

static int
open_store(struct starter *s)
{
    struct running *r = s->running;
    struct store_options opt = {.dir = s->store_dir,
                                .compression = node_compression(&r->node.config),
                                .filter = checkpoint_filter,
                                .filter_arg = &s->core->shard,
                                .kept_tables = r->kept_tables};
    struct store_error err = {""};
    int rc;

    rc = store_open(&s->core->shard.store, r->node.store_env, &opt, &err);
    if (rc == 0)
        rc = recovery_begin(&s->recovery, &err);
    if (rc < 0)
        buf_printf(&s->error, "core %u: %s", s->core->id, err.text);
    return rc;
}

int
starter_prepare(struct starter *s, unsigned id)
{
    struct running *r = s->running;
    const struct config *config = &r->node.config;
    struct reactor_options opt = {
        .id = id,
        .cpu = cpu_set_at(&r->cpus, id),
        .mesh = r->node.ncores > 1 ? r->node.mesh : NULL,
        .background = &r->background,
        .busy_poll_ns = config->busy_poll_us * 1000,
        .io = {.sq_entries = (unsigned)config->io_uring_entries,
               .cq_entries = (unsigned)config->io_uring_entries * 8,
               .recv_buffers = (unsigned)config->io_recv_buffers,
               .recv_buffer_bytes = (unsigned)config->io_recv_buffer_bytes,
               .worker_cpus = &r->background},
    };
    int rc;

    s->core = &r->node.cores[id];
    s->recovery.sh = &s->core->shard;
    core_init(s->core, &r->node, id);
    rc = reactor_init(&s->core->reactor, &opt);
    if (rc < 0) {
        buf_printf(&s->error, "core %u: cannot create its threads: %s", id, strerror(-rc));
        return rc;
    }
    datadir_core_path(&r->dir, r->dir.generation, id, "store", s->store_dir);
    datadir_core_path(&r->dir, r->dir.generation, id, "journal", s->recovery.dir);
    return open_store(s);
}

static int
attach_core(struct starter *s)
{
    struct core *c = s->core;
    const char *why = "";
    int rc = reactor_attach(&c->reactor, &why);

    if (rc < 0)
        buf_printf(&s->error, "core %u: io_uring: %s: %s", c->id, strerror(-rc), why);
    return rc;
}

static int
recover_core(struct starter *s)
{
    struct core *c = s->core;
    struct journal_error err = {.text = ""};
    int rc;

    clock_update(&c->reactor.clock);
    rc = recovery_replay(&s->recovery, &err);
    if (rc == 0) {
        recovery_end(&s->recovery);
        rc = core_open_journal(c, s->recovery.dir, &s->recovery.tail,
                               recovery_next_lsn(&s->recovery), &err);
    }
    if (rc < 0) {
        buf_printf(&s->error, "core %u: %s%s%s", c->id, err.text, err.text[0] ? ": " : "",
                   strerror(-rc));
        return rc;
    }
    aside_tell(&c->shard);
    if (s->recovery.tail.torn_bytes)
        log_warn("core %u: a torn tail of %llu bytes was cut from the journal (segment %llu, "
                 "offset %llu): it was never acknowledged", c->id,
                 (unsigned long long)s->recovery.tail.torn_bytes,
                 (unsigned long long)s->recovery.tail.torn_segment,
                 (unsigned long long)s->recovery.tail.torn_offset);
    if (s->recovery.groups_dropped)
        log_warn("core %u: %llu unfinished groups of writes were dropped whole", c->id,
                 (unsigned long long)s->recovery.groups_dropped);
    log_info("core %u: CPU %d, %s, journal %s, %llu records replayed in %.2f s", c->id,
             c->reactor.opt.cpu, io_describe(c->reactor.io), journal_describe(&c->shard.journal),
             (unsigned long long)s->recovery.applied, s->recovery.seconds);
    return listener_open_all(c, &s->error);
}

void *
starter_thread(void *arg)
{
    struct starter *s = arg;
    struct running *r = s->running;
    struct core *c = s->core;
    char name[16];

    snprintf(name, sizeof(name), "core-%u", c->id);
    pthread_setname_np(pthread_self(), name);
    s->rc = attach_core(s);
    if (s->rc == 0)
        s->rc = recover_core(s);
    if (s->rc < 0)
        atomic_store(&r->failed, true);
    pthread_barrier_wait(&r->recovered);
    pthread_barrier_wait(&r->admitted);
    if (!atomic_load(&r->failed)) {
        core_start(c);
        listener_start_all(c);
        pthread_barrier_wait(&r->listening);
        reactor_run(&c->reactor);
    }
    if (c->shard.journal.w && !atomic_load(&c->node->gave_up))
        journal_close(&c->shard.journal);
    return NULL;
}

#include "shards/node/node.h"

#include "core/log.h"
#include "core/reaper.h"
#include "shards/engine/listener.h"
#include "shards/node/file_limit.h"
#include "shards/node/memory_limit.h"
#include "shards/node/node_priv.h"
#include "shards/node/reshard.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* --- CPUs and limits ----------------------------------------------------------------------------- */

/* May the process run on all CPUs that the setting `name` lists? */
static int
check_allowed(const char *name, const struct cpu_set *set, const struct cpu_set *allowed,
              struct buf *err)
{
    char text[4096];

    for (unsigned i = 0; i < set->n; i++)
        if (!cpu_set_has(allowed, cpu_set_at(set, i))) {
            cpu_set_format(allowed, text, sizeof(text));
            buf_printf(err, "%s names CPU %d, which this process may not run on; it may run on %s",
                       name, cpu_set_at(set, i), text);
            return -EINVAL;
        }
    return 0;
}

/* Every core has a port of its own behind the common one. */
static int
check_core_ports(const struct config *config, uint32_t cores, struct buf *err)
{
    if (!config->core_ports || config->port + cores <= UINT16_MAX)
        return 0;
    buf_printf(err,
               "core-ports yes takes a port for each of the %u cores behind port %u, which ends at "
               "%u: port must be at most %u here",
               cores, (unsigned)config->port, UINT16_MAX, UINT16_MAX - cores);
    return -EINVAL;
}

static int
choose_cpus(struct running *r, struct buf *err)
{
    const struct config *config = &r->node.config;
    struct cpu_set allowed;

    if (cpu_set_allowed(&allowed) < 0)
        return -errno;
    r->cpus = config->cpus.n ? config->cpus : allowed;
    if (check_allowed("cpus", &r->cpus, &allowed, err) < 0 ||
        check_allowed("background-cpus", &config->background_cpus, &allowed, err) < 0)
        return -EINVAL;
    if (r->cpus.n > DATADIR_CORES_MAX) {
        buf_printf(err, "cpus names %u CPUs; at most %u are supported", r->cpus.n,
                   DATADIR_CORES_MAX);
        return -EINVAL;
    }
    r->background = config->background_cpus;
    if (r->background.n == 0) {
        for (unsigned i = 0; i < allowed.n; i++)
            if (!cpu_set_has(&r->cpus, cpu_set_at(&allowed, i))) {
                CPU_SET(cpu_set_at(&allowed, i), &r->background.set);
                r->background.n++;
            }
        if (r->background.n == 0)
            r->background = allowed;
    }
    return 0;
}

/* The id of this run, and the secret of the hash tables: clients cannot choose colliding keys. */
static void
make_run_id(struct node *node)
{
    unsigned char raw[20];
    uint64_t seed;

    ASSERT(getrandom(raw, sizeof(raw), 0) == sizeof(raw));
    ASSERT(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
    head_hash_seed(seed);
    for (size_t i = 0; i < sizeof(raw); i++)
        snprintf(node->run_id + 2 * i, 3, "%02x", raw[i]);
}

static int
check_protected(const struct config *config, struct buf *err)
{
    if (!config->protected_mode || config->requirepass[0] || listener_is_local_only(config))
        return 0;
    buf_printf(err, "bind '%s' is reachable from other hosts and no password is set: set "
                    "requirepass, bind a loopback address, or say protected-mode no",
               config->bind);
    return -EPERM;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int
scan_groups(struct running *r)
{
    struct recovery_shard *all = calloc(r->node.ncores, sizeof(*all));
    struct journal_error err = {.text = ""};
    int rc = 0;

    ASSERT(all);
    for (uint32_t i = 0; i < r->node.ncores && rc == 0; i++) {
        rc = recovery_scan(&r->starters[i].recovery, &err);
        if (rc < 0)
            buf_printf(&r->starters[i].error, "core %u: %s", i, err.text);
        all[i] = r->starters[i].recovery;
    }
    if (rc == 0) {
        recovery_decide(all, r->node.ncores);
        for (uint32_t i = 0; i < r->node.ncores; i++)
            r->starters[i].recovery = all[i];
    }
    free(all);
    return rc;
}

static int
prepare_all(struct running *r)
{
    int rc = 0;

    for (uint32_t i = 0; i < r->node.ncores && rc == 0; i++) {
        r->starters[i].running = r;
        rc = starter_prepare(&r->starters[i], i);
    }
    if (rc == 0 && r->node.ncores > 1)
        rc = scan_groups(r);
    for (uint32_t i = 0; i < r->node.ncores; i++)
        if (r->starters[i].core)
            r->starters[i].core->reactor.peers = r->node.peers;
    return rc;
}

static void
log_errors(struct running *r)
{
    for (uint32_t i = 0; i < r->node.ncores; i++)
        if (r->starters[i].error.n)
            log_error("%.*s", (int)r->starters[i].error.n, r->starters[i].error.p);
}

static void
describe_recovery(struct running *r)
{
    uint64_t records = 0;
    double seconds = 0;

    for (uint32_t i = 0; i < r->node.ncores; i++) {
        records += r->starters[i].recovery.applied;
        seconds = MAX(seconds, r->starters[i].recovery.seconds);
    }
    r->node.recovered_records = records;
    r->node.recovery_seconds = seconds;
}

static void
wait_for_signal(const sigset_t *signals)
{
    int sig;

    for (;;) {
        sigwait(signals, &sig);
        if (sig == SIGTERM || sig == SIGINT)
            return;
    }
}

static int
serve(struct running *r, const sigset_t *signals, uint64_t began)
{
    struct node *node = &r->node;

    pthread_barrier_wait(&r->listening);
    describe_recovery(r);
    node->started_ns = clock_now_ns();
    log_info("ready to accept connections on %s port %u: %u core%s, appendfsync %s, started in "
             "%.2f s", node->config.bind, (unsigned)node->config.port, node->ncores,
             node->ncores == 1 ? "" : "s",
             node->config.appendfsync == CONFIG_FSYNC_ALWAYS     ? "always"
             : node->config.appendfsync == CONFIG_FSYNC_EVERYSEC ? "everysec"
                                                                 : "no",
             (double)(clock_now_ns() - began) / 1e9);
    wait_for_signal(signals);
    log_info("stopping");
    atomic_store(&node->stopping, true);
    for (uint32_t i = 0; i < node->ncores; i++)
        reactor_wake(&node->cores[i].reactor);
    return 0;
}

/* All journals are open, or some core failed. */
static int
admit(struct running *r, struct buf *err)
{
    int rc = atomic_load(&r->failed) ? -EIO : datadir_commit_used(&r->dir, err);

    if (rc < 0)
        atomic_store(&r->failed, true);
    return rc;
}

/* What was given up still has leases, iterators and writes in flight: there is no order in which to
 * release them. No loop runs any more, so nothing is answered; the next start finds what a crash would
 * have left. */
static _Noreturn void
end_at_once(void)
{
    log_error("stopped without closing journals and stores: requests that waited for a disk were "
              "given up, unanswered; the next start recovers from the journals");
    log_stop();
    _exit(1);
}

static int
run_cores(struct running *r, const sigset_t *signals, uint64_t began, struct buf *err)
{
    uint32_t n = r->node.ncores;
    int rc;

    pthread_barrier_init(&r->recovered, NULL, n + 1);
    pthread_barrier_init(&r->admitted, NULL, n + 1);
    pthread_barrier_init(&r->listening, NULL, n + 1);
    for (uint32_t i = 0; i < n; i++)
        ASSERT(pthread_create(&r->starters[i].thread, NULL, starter_thread, &r->starters[i]) == 0);
    pthread_barrier_wait(&r->recovered);
    rc = admit(r, err);
    pthread_barrier_wait(&r->admitted);
    rc = rc < 0 ? rc : serve(r, signals, began);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(r->starters[i].thread, NULL);
    if (atomic_load(&r->node.gave_up))
        end_at_once();
    return rc;
}

static void
release_all(struct running *r)
{
    for (uint32_t i = 0; i < r->node.ncores; i++) {
        struct starter *s = &r->starters[i];

        if (s->core == NULL)
            continue;
        reactor_fini(&s->core->reactor);
        core_fini(s->core);
        if (s->core->shard.store)
            store_close(&s->core->shard.store);
        buf_fini(&s->error);
    }
    store_env_destroy(&r->node.store_env);
    mesh_destroy(&r->node.mesh);
    free(r->node.cores);
    free(r->node.peers);
    free(r->starters);
    reaper_stop();
}

static int
create_parts(struct running *r, struct buf *err)
{
    struct node *node = &r->node;
    const struct config *config = &node->config;
    struct store_env_options env = {.block_cache_bytes = config->store_block_cache_bytes,
                                    .compaction_rate_bytes = config->store_compaction_rate_bytes,
                                    .background_threads = MAX(r->background.n, 2u)};

    node->ncores = r->cpus.n;
    node->cores = aligned_alloc(CACHE_LINE, ALIGN_UP(node->ncores * sizeof(struct core), 64UL));
    node->peers = calloc(node->ncores, sizeof(*node->peers));
    r->starters = calloc(node->ncores, sizeof(*r->starters));
    node->mesh = mesh_create(node->ncores);
    cpu_bind(&r->background);
    node->store_env = store_env_create(&env);
    if (arena_background_start() < 0)
        log_warn("the allocator's background thread did not start: frees may take longer");
    if (reaper_start() < 0)
        log_warn("the thread that frees large values did not start: frees keep the loops");
    if (!node->cores || !node->peers || !r->starters || !node->mesh || !node->store_env) {
        buf_printf(err, "out of memory");
        return -ENOMEM;
    }
    memset(node->cores, 0, node->ncores * sizeof(struct core));
    for (uint32_t i = 0; i < node->ncores; i++)
        node->peers[i] = &node->cores[i].reactor;
    return 0;
}

static int
make_generation(struct datadir *d, uint32_t cores, uint32_t generation, struct buf *err)
{
    int rc = datadir_make_parts(d, cores, generation, err);

    return rc < 0 ? rc : datadir_commit(d, cores, generation, err);
}

/* The generation to start on: the present one, a new one, or one made for this number of cores. */
static int
choose_generation(struct running *r, struct buf *err)
{
    struct datadir *d = &r->dir;
    int rc = 0;

    if (d->cores == 0)
        rc = make_generation(d, r->node.ncores, 1, err);
    else if (d->instance == 0) /* format 1: what is there is taken for what was there */
        rc = make_generation(d, d->cores, d->generation, err);
    else
        rc = datadir_check_parts(d, err);
    if (rc == 0 && d->cores != r->node.ncores)
        rc = reshard(d, &r->node, err);
    if (rc == 0)
        datadir_remove_leftovers(d);
    return rc;
}

static int
start(struct running *r, const sigset_t *signals, struct buf *err)
{
    uint64_t began = clock_now_ns();
    int rc = check_protected(&r->node.config, err);

    if (rc == 0)
        rc = choose_cpus(r, err);
    if (rc == 0)
        rc = check_core_ports(&r->node.config, r->cpus.n, err);
    if (rc == 0)
        rc = listener_probe_all(&r->node.config, r->cpus.n, err);
    if (rc == 0)
        rc = datadir_open(&r->dir, r->node.config.dir, err);
    if (rc < 0)
        return rc;
    rc = memory_limit_check(r->cpus.n, err);
    if (rc == 0)
        rc = file_limit_raise(r->cpus.n, &r->node.config.maxclients, &r->kept_tables, err);
    if (rc == 0)
        rc = create_parts(r, err);
    if (rc == 0)
        rc = choose_generation(r, err);
    if (rc == 0)
        rc = prepare_all(r);
    if (rc == 0)
        rc = run_cores(r, signals, began, err);
    log_errors(r);
    release_all(r);
    datadir_close(&r->dir);
    return rc;
}

static void
log_start_line(const struct running *r)
{
    const struct config *config = &r->node.config;

    log_info("pinstripe %s, pid %d, data in '%s', core ports %s", PINSTRIPE_VERSION, getpid(),
             config->dir, config->core_ports ? "yes" : "no");
}

int
node_run(const struct config *config)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARN};
    struct running *r = calloc(1, sizeof(*r));
    struct buf err = {0};
    sigset_t signals;
    int rc;

    ASSERT(r);
    r->node.config = *config;
    r->node.started_ms = clock_wall_us() / 1000;
    make_run_id(&r->node);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* ulimit -f: an error of the write that goes beyond */
    rc = log_start(config->logfile, levels[config->loglevel]);
    if (rc < 0) {
        fprintf(stderr, "pinstripe-server: logfile '%s' cannot be opened: %s\n", config->logfile,
                strerror(-rc));
        free(r);
        return 1;
    }
    log_start_line(r);
    rc = start(r, &signals, &err);
    if (err.n)
        log_error("%.*s", (int)err.n, err.p);
    log_info(rc < 0 ? "not started" : "stopped");
    log_stop();
    buf_fini(&err);
    free(r);
    return rc < 0 ? 1 : 0;
}

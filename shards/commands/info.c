/* INFO: sections as Redis has them, built from the metrics table, the cores' published numbers and
 * the configuration; and one of our own, `pinstripe`, with a line per core. */
#include "shards/commands/handlers.h"

#include "shards/engine/core.h"
#include "shards/engine/session.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

struct info {
    struct ctx *c;
    struct buf *out;
    struct metrics_sum sum;
};

static void
sum_metrics(struct info *in)
{
    struct node *node = in->c->core->node;

    for (uint32_t i = 0; i < node->ncores; i++)
        metrics_sum_add(&in->sum, &node->cores[i].metrics);
}

static uint64_t
total(const struct info *in, size_t offset)
{
    struct node *node = in->c->core->node;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < node->ncores; i++)
        sum += metrics_load((const _Atomic uint64_t *)((const char *)&node->cores[i].published +
                                                       offset));
    return sum;
}

#define TOTAL(in, field) total((in), offsetof(struct core_published, field))

static void
human_bytes(char out[32], uint64_t n)
{
    static const char units[] = "BKMGTP";
    double v = (double)n;
    unsigned u = 0;

    while (v >= 1024 && u + 1 < sizeof(units) - 1) {
        v /= 1024;
        u++;
    }
    snprintf(out, 32, u ? "%.2f%c" : "%.0f%c", v, units[u]);
}

static void
line_u64(struct info *in, const char *name, uint64_t v)
{
    buf_printf(in->out, "%s:%llu\r\n", name, (unsigned long long)v);
}

/* --- sections ---------------------------------------------------------------------------------------- */

static void
info_server(struct info *in)
{
    struct core *core = in->c->core;
    struct node *node = core->node;
    uint64_t up = (clock_now_ns() - node->started_ns) / 1000000000;
    struct utsname u;

    uname(&u);
    buf_printf(in->out,
               "redis_version:7.0.15\r\npinstripe_version:%s\r\nredis_mode:%s\r\nos:%s %s %s\r\n"
               "arch_bits:64\r\nmultiplexing_api:io_uring\r\natomicvar_api:c11-builtin\r\n"
               "gcc_version:%d.%d.%d\r\nprocess_id:%d\r\nrun_id:%s\r\ntcp_port:%u\r\n"
               "server_time_usec:%lld\r\nuptime_in_seconds:%llu\r\nuptime_in_days:%llu\r\n"
               "hz:%u\r\nconfigured_hz:%u\r\nexecutable:pinstripe-server\r\nconfig_file:%s\r\n",
               PINSTRIPE_VERSION, core->config.core_ports ? "cluster" : "standalone", u.sysname,
               u.release, u.machine, __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__, getpid(),
               node->run_id, (unsigned)core->config.port, (long long)core->reactor.clock.wall_us,
               (unsigned long long)up, (unsigned long long)(up / 86400), (unsigned)core->config.hz,
               (unsigned)core->config.hz, core->config.file);
}

static void
info_clients(struct info *in)
{
    metrics_write_info(&in->sum, METRICS_SECTION_CLIENTS, in->out);
    line_u64(in, "maxclients", in->c->core->config.maxclients);
}

static uint64_t
resident_bytes(void)
{
    unsigned long long pages = 0, rss = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%llu %llu", &pages, &rss) != 2)
            rss = 0;
        fclose(f);
    }
    return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
info_memory(struct info *in)
{
    uint64_t used = TOTAL(in, memory_bytes), rss = resident_bytes();
    uint64_t limit = in->c->core->config.maxmemory;
    char text[32];

    line_u64(in, "used_memory", used);
    human_bytes(text, used);
    buf_printf(in->out, "used_memory_human:%s\r\n", text);
    line_u64(in, "used_memory_dataset", used);
    line_u64(in, "used_memory_rss", rss);
    human_bytes(text, rss);
    buf_printf(in->out, "used_memory_rss_human:%s\r\n", text);
    line_u64(in, "maxmemory", limit);
    human_bytes(text, limit);
    buf_printf(in->out, "maxmemory_human:%s\r\nmaxmemory_policy:store\r\nmem_allocator:%s\r\n",
               text,
#ifdef PINSTRIPE_JEMALLOC
               "jemalloc-5.3"
#else
               "libc"
#endif
    );
}

static const char *
journal_state_name(uint32_t state)
{
    static const char *const names[] = {"ok", "full", "failed"};

    return names[state];
}

static void
info_persistence(struct info *in)
{
    struct node *node = in->c->core->node;
    uint32_t worst = 0;

    for (uint32_t i = 0; i < node->ncores; i++)
        worst = MAX(worst, atomic_load_explicit(&node->cores[i].published.journal_state,
                                                memory_order_relaxed));
    buf_printf(in->out,
               "loading:0\r\naof_enabled:1\r\naof_last_write_status:%s\r\njournal_state:%s\r\n"
               "rdb_bgsave_in_progress:%d\r\nrdb_last_bgsave_status:%s\r\n"
               "recovery_records:%llu\r\nrecovery_seconds:%.3f\r\n",
               worst ? "err" : "ok", journal_state_name(worst),
               TOTAL(in, checkpoints_running) > 0, TOTAL(in, checkpoint_failing) ? "err" : "ok",
               (unsigned long long)node->recovered_records, node->recovery_seconds);
    line_u64(in, "rdb_changes_since_last_save", TOTAL(in, dirty_keys));
    line_u64(in, "rdb_last_save_time",
             (uint64_t)MAX(atomic_load(&node->last_save_s), node->started_ms / 1000));
    line_u64(in, "journal_live_bytes", TOTAL(in, journal_live_bytes));
    line_u64(in, "store_bytes", TOTAL(in, store_bytes));
    metrics_write_info(&in->sum, METRICS_SECTION_PERSISTENCE, in->out);
}

static void
info_stats(struct info *in)
{
    metrics_write_info(&in->sum, METRICS_SECTION_STATS, in->out);
    line_u64(in, "total_error_replies", stats_errors_total(in->c->core->node));
    metrics_write_info(&in->sum, METRICS_SECTION_SERIES, in->out);
}

static double
seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void
info_commandstats(struct info *in)
{
    stats_write_commands(in->c->core->node, in->out);
}

static void
info_errorstats(struct info *in)
{
    stats_write_errors(in->c->core->node, in->out);
}

static void
info_latencystats(struct info *in)
{
    stats_write_latencies(in->c->core->node, in->out);
}

/* There are none; clients that look for one find the section. */
static void
info_modules(struct info *in)
{
}

static void
info_cpu(struct info *in)
{
    struct rusage self;

    getrusage(RUSAGE_SELF, &self);
    buf_printf(in->out, "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", seconds(self.ru_stime),
               seconds(self.ru_utime));
}

/* Cluster clients look at this before they ask for slots. */
static void
info_cluster(struct info *in)
{
    line_u64(in, "cluster_enabled", in->c->core->config.core_ports);
}

static void
info_keyspace(struct info *in)
{
    for (unsigned db = 0; db < SHARD_DBS; db++) {
        uint64_t keys = TOTAL(in, keys[db]);

        if (keys)
            buf_printf(in->out, "db%u:keys=%llu,expires=%llu,avg_ttl=0\r\n", db,
                       (unsigned long long)keys, (unsigned long long)TOTAL(in, expires[db]));
    }
}

static void
info_replication(struct info *in)
{
    buf_printf(in->out, "role:master\r\nconnected_slaves:0\r\nmaster_replid:%s\r\n",
               in->c->core->node->run_id);
}

static void
core_line(struct info *in, struct core *c)
{
    const struct core_published *p = &c->published;
    const struct reactor_stats *r = &c->reactor.stats;
    uint64_t busy = metrics_load(&r->busy_ns), idle = metrics_load(&r->idle_ns), keys = 0;

    for (unsigned db = 0; db < SHARD_DBS; db++)
        keys += metrics_load(&p->keys[db]);
    buf_printf(in->out,
               "core%u:cpu=%d,keys=%llu,memory=%llu,clients=%u,busy=%.1f%%,lsn=%llu,durable_lsn=%llu,"
               "journal=%s,local=%llu,remote_sent=%llu,remote_run=%llu\r\n",
               c->id, c->reactor.opt.cpu, (unsigned long long)keys,
               (unsigned long long)metrics_load(&p->memory_bytes),
               atomic_load_explicit(&p->clients, memory_order_relaxed),
               busy + idle ? 100.0 * (double)busy / (double)(busy + idle) : 0.0,
               (unsigned long long)metrics_load(&p->journal_lsn),
               (unsigned long long)metrics_load(&p->durable_lsn),
               journal_state_name(atomic_load_explicit(&p->journal_state, memory_order_relaxed)),
               (unsigned long long)metrics_get(&c->metrics, commands_local),
               (unsigned long long)metrics_get(&c->metrics, commands_remote_sent),
               (unsigned long long)metrics_get(&c->metrics, commands_remote_run));
}

static void
info_pinstripe(struct info *in)
{
    struct node *node = in->c->core->node;

    buf_printf(in->out, "cores:%u\r\nio_uring:%s\r\njournal:%s\r\n", node->ncores,
               io_describe(in->c->core->reactor.io), journal_describe(&in->c->core->shard.journal));
    for (uint32_t i = 0; i < node->ncores; i++)
        core_line(in, &node->cores[i]);
    metrics_write_info(&in->sum, METRICS_SECTION_CORES, in->out);
}

/* --- choosing ------------------------------------------------------------------------------------------ */

/* In Redis's order; no word at all stands for "default". */
static const struct {
    const char *name, *title;
    void (*write)(struct info *in);
    bool by_default;
} sections[] = {
    {"server", "Server", info_server, true},
    {"clients", "Clients", info_clients, true},
    {"memory", "Memory", info_memory, true},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", info_stats, true},
    {"replication", "Replication", info_replication, true},
    {"cpu", "CPU", info_cpu, true},
    {"modules", "Modules", info_modules, true},
    {"commandstats", "Commandstats", info_commandstats, false},
    {"errorstats", "Errorstats", info_errorstats, true},
    {"latencystats", "Latencystats", info_latencystats, false},
    {"cluster", "Cluster", info_cluster, true},
    {"keyspace", "Keyspace", info_keyspace, true},
    {"pinstripe", "Pinstripe", info_pinstripe, true},
};

/* Does one word of the request stand for the i-th section? */
static bool
names_section(struct slice word, size_t i)
{
    return slice_is(word, sections[i].name) || slice_is(word, "everything") ||
           slice_is(word, "all") ||
           (slice_is(word, "default") && sections[i].by_default);
}

static bool
wanted(const struct ctx *c, size_t section)
{
    for (uint32_t i = 1; i < c->argc; i++)
        if (names_section(c->argv[i], section))
            return true;
    return c->argc == 1 && sections[section].by_default;
}

void
cmd_info(struct ctx *c)
{
    struct buf text = {0};
    struct info in = {.c = c, .out = &text};

    sum_metrics(&in);
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (!wanted(c, i))
            continue;
        buf_printf(&text, "%s# %s\r\n", text.n ? "\r\n" : "", sections[i].title);
        sections[i].write(&in);
    }
    resp_verbatim(c->out, c->proto, (struct slice){text.p ? text.p : "", text.n});
    buf_fini(&text);
}

#include "shards/engine/stats.h"

#include "shards/engine/command.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define STATS_ERROR_TEXT(word) word,
static const char *const errors[] = {STATS_ERRORS(STATS_ERROR_TEXT)};

static_assert(ARRAY_SIZE(errors) == STATS_ERRORS_N, "one counter a row");

void
stats_init(struct stats *s)
{
    uint32_t n = command_rows();

    *s = (struct stats){.n = n};
    s->commands = aligned_alloc(CACHE_LINE, n * sizeof(*s->commands));
    s->buckets = calloc(n, sizeof(*s->buckets)); /* pages that nobody touches are not there */
    ASSERT(s->commands != NULL && s->buckets != NULL);
    memset(s->commands, 0, n * sizeof(*s->commands));
}

void
stats_fini(struct stats *s)
{
    free(s->commands);
    free(s->buckets);
    *s = (struct stats){0};
}

static void
add(_Atomic uint64_t *field, uint64_t by)
{
    metrics_store(field, metrics_load(field) + by);
}

void
stats_reset(struct stats *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct command_stats *row = &s->commands[i];

        if (metrics_load(&row->calls) > 0)
            for (unsigned b = 0; b < STATS_BUCKETS; b++)
                metrics_store(&s->buckets[i][b], 0);
        metrics_store(&row->calls, 0);
        metrics_store(&row->failed, 0);
        metrics_store(&row->rejected, 0);
        metrics_store(&row->time_ns, 0);
        row->timed_last = row->timed_next = 0;
    }
    for (unsigned i = 0; i < STATS_ERRORS_N; i++)
        metrics_store(&s->errors[i], 0);
}

/* --- times ---------------------------------------------------------------------------------------------- */

/* Four buckets for each power of two; the first takes all below STATS_FIRST_NS. */
static unsigned
bucket_of(uint64_t ns)
{
    unsigned log = 63 - (unsigned)__builtin_clzll(ns | STATS_FIRST_NS);
    unsigned quarter = ns < STATS_FIRST_NS ? 0 : (unsigned)(ns >> (log - 2)) & 3;
    unsigned first = 63 - (unsigned)__builtin_clzll(STATS_FIRST_NS);

    return MIN((log - first) * 4 + quarter, STATS_BUCKETS - 1);
}

/* The middle of a bucket, in microseconds. */
static double
bucket_us(unsigned b)
{
    double base = (double)(STATS_FIRST_NS << b / 4);

    return base * (1 + (b % 4 + 0.5) / 4) / 1000;
}

void
stats_take_back(struct stats *s, uint32_t command)
{
    struct command_stats *row = &s->commands[command];

    metrics_store(&row->calls, metrics_load(&row->calls) - 1);
}

void
stats_timed(struct stats *s, uint32_t command, uint64_t ns)
{
    struct command_stats *row = &s->commands[command];
    uint64_t calls = metrics_load(&row->calls);
    uint64_t stands_for = calls - row->timed_last;

    add(&row->time_ns, ns * stands_for);
    add(&s->buckets[command][bucket_of(ns)], stands_for);
    row->timed_last = calls;
    row->timed_next = calls + (ns > STATS_QUICK_NS || calls < STATS_TIMED_EVERY
                                   ? 0 : STATS_TIMED_EVERY - 1);
}

/* --- errors --------------------------------------------------------------------------------------------- */

/* Names in INFO hold no colon. */
static bool
is_error(const char *name, const char *word, size_t n)
{
    size_t i;

    for (i = 0; i < n && name[i]; i++)
        if (name[i] != (word[i] == ':' ? '_' : word[i]))
            return false;
    return i == n && name[i] == '\0';
}

static void
count_error(struct stats *s, struct slice reply)
{
    size_t n = 1;
    unsigned i;

    while (n < reply.n && reply.p[n] != ' ' && reply.p[n] != '\r')
        n++;
    for (i = 0; i + 1 < STATS_ERRORS_N; i++)
        if (is_error(errors[i], reply.p + 1, n - 1))
            break;
    add(&s->errors[i], 1);
}

void
stats_failed(struct stats *s, uint32_t command, struct slice reply)
{
    add(&s->commands[command].failed, 1);
    count_error(s, reply);
}

void
stats_refused(struct stats *s, const struct command *cmd, struct slice reply)
{
    if (cmd)
        add(&s->commands[cmd->index].rejected, 1);
    count_error(s, reply);
}

/* --- INFO ----------------------------------------------------------------------------------------------- */

/* The rows of all cores added up. */
struct stats_sum {
    uint64_t calls, failed, rejected, time_ns;
    uint64_t buckets[STATS_BUCKETS];
};

static void
sum_command(const struct node *node, const struct command *cmd, struct stats_sum *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < node->ncores; i++) {
        const struct stats *s = &node->cores[i].stats;
        const struct command_stats *row = &s->commands[cmd->index];

        sum->calls += metrics_load(&row->calls);
        sum->failed += metrics_load(&row->failed);
        sum->rejected += metrics_load(&row->rejected);
        sum->time_ns += metrics_load(&row->time_ns);
        for (unsigned b = 0; b < STATS_BUCKETS; b++)
            sum->buckets[b] += metrics_load(&s->buckets[cmd->index][b]);
    }
}

typedef void (*write_fn)(const struct node *node, const struct command *cmd, struct buf *out);

/* Commands and subcommands that clients can name; a container runs nothing itself. */
static void
for_each_command(const struct node *node, struct buf *out, write_fn write)
{
    uint32_t n;
    const struct command *table = command_table(&n);

    for (uint32_t i = 0; i < n; i++) {
        if (!(table[i].flags & CMD_HIDDEN))
            write(node, &table[i], out);
        for (const struct command *c = table[i].sub; c && c->name; c++)
            write(node, c, out);
    }
}

static void
write_command(const struct node *node, const struct command *cmd, struct buf *out)
{
    struct stats_sum sum;
    uint64_t us;

    sum_command(node, cmd, &sum);
    if (sum.calls + sum.rejected == 0)
        return;
    us = sum.time_ns / 1000;
    buf_printf(out,
               "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
               "failed_calls=%llu\r\n",
               cmd->name, (unsigned long long)sum.calls, (unsigned long long)us,
               sum.calls ? (double)sum.time_ns / 1000 / (double)sum.calls : 0.0,
               (unsigned long long)sum.rejected, (unsigned long long)sum.failed);
}

void
stats_write_commands(const struct node *node, struct buf *out)
{
    for_each_command(node, out, write_command);
}

/* Microseconds that `share` of the calls were not above. */
static double
percentile(const struct stats_sum *sum, uint64_t total, double share)
{
    uint64_t seen = 0;
    unsigned b;

    for (b = 0; b + 1 < STATS_BUCKETS; b++) {
        seen += sum->buckets[b];
        if ((double)seen >= share * (double)total)
            break;
    }
    return bucket_us(b);
}

static void
write_latency(const struct node *node, const struct command *cmd, struct buf *out)
{
    struct stats_sum sum;
    uint64_t total = 0;

    sum_command(node, cmd, &sum);
    for (unsigned b = 0; b < STATS_BUCKETS; b++)
        total += sum.buckets[b];
    if (total > 0)
        buf_printf(out, "latency_percentiles_usec_%s:p50=%.3f,p99=%.3f,p99.9=%.3f\r\n", cmd->name,
                   percentile(&sum, total, 0.5), percentile(&sum, total, 0.99),
                   percentile(&sum, total, 0.999));
}

void
stats_write_latencies(const struct node *node, struct buf *out)
{
    for_each_command(node, out, write_latency);
}

static uint64_t
error_count(const struct node *node, unsigned error)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < node->ncores; i++)
        n += metrics_load(&node->cores[i].stats.errors[error]);
    return n;
}

void
stats_write_errors(const struct node *node, struct buf *out)
{
    for (unsigned i = 0; i < STATS_ERRORS_N; i++)
        if (error_count(node, i) > 0)
            buf_printf(out, "errorstat_%s:count=%llu\r\n", errors[i],
                       (unsigned long long)error_count(node, i));
}

uint64_t
stats_errors_total(const struct node *node)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < STATS_ERRORS_N; i++)
        n += error_count(node, i);
    return n;
}

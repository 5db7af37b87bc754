/* load: a load generator for servers that speak the Redis protocol.
 *
 * main -> options -> workload (encoded commands, keys) -> connections, spread over threads ->
 * workers run -> results are added up and reported.
 *
 * Exit status: 0; 1 with --check-errors when there was an error reply; 2 when the run could not
 * start or broke off. */
#include "bench/load_client.h"
#include "bench/load_options.h"
#include "bench/load_report.h"
#include "bench/load_worker.h"
#include "bench/load_workload.h"
#include "core/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_ERRORS 1
#define EXIT_BROKEN 2
/* All threads have started and wait by then. */
#define START_DELAY_NS (20 * 1000 * 1000ULL)
/* Beside the connections: standard streams, an epoll per thread, the JSON file. */
#define SPARE_FILES (LOAD_THREADS_MAX + 16)

struct load_run {
    struct load_options options;
    struct load_map map;
    struct load_workload workload;
    struct load_conn *conns; /* the first thread's, then the second's ... */
    unsigned conns_n;        /* opened so far */
    struct load_worker *workers[LOAD_THREADS_MAX];
    unsigned workers_n;
    char error[LOAD_ERROR_MAX];
};

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
    stop = 1;
}

static int
allow_files(struct load_run *run)
{
    struct rlimit limit;
    rlim_t need = run->options.connections + SPARE_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < need) {
        snprintf(run->error, sizeof(run->error),
                 "%llu connections need %llu open files, the limit is %llu (ulimit -Hn)",
                 (unsigned long long)run->options.connections, (unsigned long long)need,
                 (unsigned long long)limit.rlim_max);
        return -EMFILE;
    }
    limit.rlim_cur = MAX(limit.rlim_cur, need);
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* Connection `index` goes to node index % nodes. */
static int
open_connection(struct load_run *run, unsigned index)
{
    const struct load_options *o = &run->options;
    struct load_conn *c = &run->conns[run->conns_n];
    unsigned nodes = run->map.nodes, node = index % nodes;
    unsigned parts = (unsigned)o->connections / nodes + (node < o->connections % nodes);
    int rc, fd;

    rc = load_source_init(&c->source, &run->workload, o, index, node, index / nodes, parts);
    if (rc < 0) {
        snprintf(run->error, sizeof(run->error),
                 "connection %u has no key of its own: ordered or late times and --order "
                 "sequential need at least as many keys or series as connections",
                 index);
        return rc;
    }
    rc = load_client_open(o, &run->map.node[node], &fd, run->error, sizeof(run->error));
    if (rc < 0)
        return rc;
    run->conns_n++;
    rc = load_conn_init(c, fd, node, o->pipeline);
    if (rc < 0)
        snprintf(run->error, sizeof(run->error), "connection %u: %s", index, strerror(-rc));
    return rc;
}

/* Thread t gets the connections t, t + threads, ... */
static int
start_worker(struct load_run *run, unsigned t)
{
    const struct load_options *o = &run->options;
    unsigned first = run->conns_n, index;
    struct load_worker *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return -ENOMEM;
    w->epoll_fd = -1;
    w->stop = &stop;
    run->workers[run->workers_n++] = w;
    for (index = t; index < o->connections; index += (unsigned)o->threads) {
        rc = open_connection(run, index);
        if (rc < 0)
            return rc;
    }
    return load_worker_init(w, o, &run->workload, t, run->conns + first, run->conns_n - first);
}

static int
prepare(struct load_run *run)
{
    const struct load_options *o = &run->options;
    unsigned t;
    int rc;

    rc = allow_files(run);
    if (rc == 0)
        rc = load_client_map(o, &run->map, run->error, sizeof(run->error));
    if (rc < 0)
        return rc;
    if (o->connections < run->map.nodes) {
        snprintf(run->error, sizeof(run->error),
                 "the cluster has %u nodes: --connections must be "
                 "at least that",
                 run->map.nodes);
        return -EINVAL;
    }
    rc = load_workload_init(&run->workload, o, o->cluster ? run->map.node_of_slot : NULL,
                            run->map.nodes, run->error, sizeof(run->error));
    if (rc < 0)
        return rc;
    run->conns = calloc(o->connections, sizeof(*run->conns));
    if (!run->conns)
        return -ENOMEM;
    for (t = 0; rc == 0 && t < o->threads; t++)
        rc = start_worker(run, t);
    return rc;
}

static int
execute(struct load_run *run)
{
    const struct load_options *o = &run->options;
    uint64_t start = clock_now_ns() + START_DELAY_NS;
    unsigned t;
    int rc = 0;

    for (t = 0; t < run->workers_n && rc == 0; t++) {
        struct load_worker *w = run->workers[t];

        w->start_ns = start;
        w->measure_ns = start + (uint64_t)(o->warmup_s * 1e9);
        w->end_ns = o->requests ? UINT64_MAX : w->measure_ns + (uint64_t)(o->duration_s * 1e9);
        rc = -pthread_create(&w->thread, NULL, load_worker_run, w);
    }
    if (rc < 0) {
        stop = 1;
        t--;
    }
    while (t-- > 0)
        pthread_join(run->workers[t]->thread, NULL);
    return rc;
}

static int
report(struct load_run *run)
{
    const struct load_options *o = &run->options;
    struct load_result *r = malloc(sizeof(*r));
    int status, rc;

    if (!r)
        return EXIT_BROKEN;
    load_result_collect(r, o, run->workers, run->workers_n);
    r->nodes = run->map.nodes;
    if (!o->quiet)
        load_report_text(r, o);
    status = r->failure[0] ? EXIT_BROKEN : o->check_errors && r->errors ? EXIT_ERRORS : 0;
    rc = o->json ? load_report_json(r, o, o->json) : 0;
    if (rc < 0) {
        fprintf(stderr, "load: cannot write %s: %s\n", o->json, strerror(-rc));
        status = EXIT_BROKEN;
    }
    if (o->quiet && r->failure[0])
        fprintf(stderr, "load: %s\n", r->failure);
    free(r);
    return status;
}

static void
clean_up(struct load_run *run)
{
    unsigned i;

    for (i = 0; i < run->workers_n; i++) {
        load_worker_fini(run->workers[i]);
        free(run->workers[i]);
    }
    for (i = 0; i < run->conns_n; i++)
        load_conn_fini(&run->conns[i]);
    free(run->conns);
    load_workload_fini(&run->workload);
    free(run);
}

static int
run_load(struct load_run *run)
{
    struct sigaction sa = {.sa_handler = on_signal};
    int rc;

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    rc = prepare(run);
    if (rc == 0)
        rc = execute(run);
    if (rc < 0) {
        fprintf(stderr, "load: %s\n", run->error[0] ? run->error : strerror(-rc));
        return EXIT_BROKEN;
    }
    return report(run);
}

int
main(int argc, char **argv)
{
    struct load_run *run = calloc(1, sizeof(*run));
    int status;

    if (!run)
        return EXIT_BROKEN;
    if (load_options_parse(&run->options, argc, (const char *const *)argv, run->error,
                           sizeof(run->error)) < 0) {
        fprintf(stderr, "load: %s\n", run->error);
        free(run);
        return EXIT_BROKEN;
    }
    if (run->options.help) {
        load_options_help();
        free(run);
        return 0;
    }
    status = run_load(run);
    clean_up(run);
    return status;
}

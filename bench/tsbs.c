/* tsbs: loads the data of tsbs.h into a server, asks its fifteen questions one after the other on one
 * connection, and prints a table: the rate of loading, and of each question how long it took.
 *
 * Exit status: 0; 1 when a question was answered with an error; 2 when the run broke off. */
#include "bench/tsbs.h"
#include "bench/load_hist.h"
#include "core/clock.h"
#include "tools/lib/client.h"
#include "tools/lib/options.h"
#include "tools/lib/reply_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_ERRORS 1
#define EXIT_BROKEN 2
#define RECEIVE_BYTES (256 * KIB)
#define ERROR_BYTES 400

struct tsbs_options {
    const char *host, *password;
    uint64_t port, hosts, hours, rounds, seed, window;
    bool no_load, no_ask, help;
};

#define AT(field) offsetof(struct tsbs_options, field)
static const struct option_row option_rows[] = {
    {"host", OPTION_TEXT, AT(host), 0, 0, "HOST", "server (127.0.0.1)"},
    {"port", OPTION_UNSIGNED, AT(port), 1, 65535, "N", "port (6379)"},
    {"password", OPTION_TEXT, AT(password), 0, 0, "TEXT", "password for AUTH"},
    {"hosts", OPTION_UNSIGNED, AT(hosts), 1, TSBS_HOSTS_MAX, "N", "hosts of ten series (100)"},
    {"hours", OPTION_UNSIGNED, AT(hours), 1, 8760, "N", "hours of data (24)"},
    {"rounds", OPTION_UNSIGNED, AT(rounds), 1, 1000000, "N", "times each question is asked (200)"},
    {"window", OPTION_UNSIGNED, AT(window), 1, 1000, "N",
     "loading: TS.MADD of ten points sent at once, twice as many in flight (100)"},
    {"seed", OPTION_UNSIGNED, AT(seed), 0, UINT64_MAX, "N", "seed of data and questions (123)"},
    {"no-load", OPTION_FLAG, AT(no_load), 0, 0, NULL, "the data are there already"},
    {"no-ask", OPTION_FLAG, AT(no_ask), 0, 0, NULL, "load only"},
    {"help", OPTION_FLAG, AT(help), 0, 0, NULL, "this text"},
};
static const struct option_table option_table = {option_rows, ARRAY_SIZE(option_rows)};

struct tsbs {
    struct tsbs_options o;
    struct client_target target;
    struct tsbs_data data;
    int fd;
    struct reply_scan scan;
    uint64_t sent; /* commands */
    struct buf in;
    char error[ERROR_BYTES];
};

/* --- the wire --------------------------------------------------------------------------------- */

static int
broken(struct tsbs *x, const char *what, int rc)
{
    snprintf(x->error, sizeof(x->error), "%s: %s", what, strerror(-rc));
    return rc;
}

static int
send_all(struct tsbs *x, const struct buf *b)
{
    for (size_t at = 0; at < b->n;) {
        ssize_t n = send(x->fd, b->p + at, b->n - at, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return broken(x, "sending", -errno);
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Reads until only `left` commands are unanswered. */
static int
receive(struct tsbs *x, uint64_t left)
{
    while (x->sent - x->scan.replies > left) {
        ssize_t n = recv(x->fd, buf_reserve(&x->in, RECEIVE_BYTES), RECEIVE_BYTES, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return broken(x, "receiving", n < 0 ? -errno : -ECONNRESET);
        if (reply_scan_feed(&x->scan, x->in.p, (size_t)n) < 0)
            return broken(x, "receiving", -EPROTO);
    }
    return 0;
}

static int
exchange(struct tsbs *x, struct buf *batch, uint64_t commands)
{
    int rc = send_all(x, batch);

    batch->n = 0;
    x->sent += commands;
    return rc < 0 ? rc : receive(x, commands);
}

/* --- loading ---------------------------------------------------------------------------------- */

static int
make_series(struct tsbs *x)
{
    struct buf batch = {0};
    int rc = 0;

    for (uint64_t h = 0; h < x->o.hosts && rc == 0; h++) {
        tsbs_put_series(&x->data, h, &batch);
        rc = exchange(x, &batch, TSBS_FIELDS);
    }
    buf_fini(&batch);
    return rc < 0 ? rc : receive(x, 0);
}

static int
add_points(struct tsbs *x, double *values)
{
    uint64_t steps = x->o.hours * (uint64_t)(TSBS_HOUR_MS / TSBS_STEP_MS), n = 0;
    struct buf batch = {0};
    int rc = 0;

    for (uint64_t i = 0; i < steps && rc == 0; i++)
        for (uint64_t h = 0; h < x->o.hosts && rc == 0; h++) {
            tsbs_put_points(&x->data, h, TSBS_START_MS + (int64_t)i * TSBS_STEP_MS,
                            values + h * TSBS_FIELDS, &batch);
            if (++n % x->o.window == 0)
                rc = exchange(x, &batch, x->o.window);
        }
    if (rc == 0)
        rc = exchange(x, &batch, n % x->o.window);
    buf_fini(&batch);
    return rc < 0 ? rc : receive(x, 0);
}

static int
load(struct tsbs *x)
{
    double *values = malloc(x->o.hosts * TSBS_FIELDS * sizeof(*values)), seconds;
    double points = (double)(x->o.hosts * TSBS_FIELDS * x->o.hours * 360);
    uint64_t started;
    int rc;

    ASSERT(values);
    for (uint64_t i = 0; i < x->o.hosts * TSBS_FIELDS; i++)
        values[i] = 100 * load_rng_unit(&x->data.rng);
    rc = make_series(x);
    started = clock_now_ns();
    if (rc == 0)
        rc = add_points(x, values);
    seconds = (double)(clock_now_ns() - started) / 1e9;
    free(values);
    if (rc == 0 && x->scan.errors) {
        snprintf(x->error, sizeof(x->error), "loading: %s", x->scan.error_text);
        rc = -EPROTO;
    }
    if (rc == 0)
        printf("load: %.0f points of %llu series in %.2f s, %.2f M points/s\n\n", points,
               (unsigned long long)(x->o.hosts * TSBS_FIELDS), seconds, points / seconds / 1e6);
    return rc;
}

/* --- questions -------------------------------------------------------------------------------- */

struct answers {
    struct load_hist hist;
    uint64_t bytes, errors;
};

static int
ask(struct tsbs *x, const struct tsbs_query *q, struct answers *a)
{
    struct buf command = {0}, reply = {0};
    int rc = 0;

    load_hist_init(&a->hist);
    for (uint64_t i = 0; i < x->o.rounds; i++) {
        uint64_t started;

        command.n = 0;
        tsbs_put_query(&x->data, q, &command);
        started = clock_now_ns();
        rc = client_ask(x->fd, &command, &reply);
        load_hist_add(&a->hist, clock_now_ns() - started, 1);
        a->bytes += reply.n;
        if (rc < 0)
            break;
    }
    if (rc == -EPROTO) {
        a->errors = 1;
        snprintf(x->error, sizeof(x->error), "%.*s", (int)strcspn(reply.p, "\r\n"), reply.p);
        rc = 0;
    } else if (rc < 0) {
        broken(x, q->name, rc);
    }
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

static void
print_row(const struct tsbs *x, const struct tsbs_query *q, const struct answers *a)
{
    if (a->errors)
        printf("| %s | %.60s | | |\n", q->name, x->error + 1);
    else
        printf("| %s | %.3f | %.3f | %.1f |\n", q->name,
               (double)load_hist_quantile(&a->hist, 0.5) / 1e6,
               (double)load_hist_quantile(&a->hist, 0.99) / 1e6,
               (double)a->bytes / (double)x->o.rounds / 1024);
}

/* How many were answered with an error, or a negative errno. */
static int
ask_all(struct tsbs *x)
{
    struct answers *a = malloc(sizeof(*a));
    const struct tsbs_query *q;
    int rc = 0, errors = 0;

    ASSERT(a);
    printf("| question | p50 ms | p99 ms | KiB a reply |\n|---|---|---|---|\n");
    for (unsigned i = 0; rc == 0 && (q = tsbs_query(i)) != NULL; i++) {
        a->bytes = a->errors = 0;
        rc = ask(x, q, a);
        if (rc == 0)
            print_row(x, q, a);
        errors += a->errors > 0;
    }
    free(a);
    return rc < 0 ? rc : errors;
}

static int
run(struct tsbs *x)
{
    int rc = client_open(&x->target, &x->fd, x->error, sizeof(x->error));

    if (rc == 0 && !x->o.no_load)
        rc = load(x);
    if (rc == 0 && !x->o.no_ask)
        rc = ask_all(x);
    if (rc < 0)
        fprintf(stderr, "tsbs: %s\n", x->error);
    return rc;
}

int
main(int argc, char **argv)
{
    struct tsbs x = {.o = {.host = "127.0.0.1", .port = 6379, .hosts = 100, .hours = 24,
                           .rounds = 200, .window = 100, .seed = 123}};
    int rc;

    if (options_parse(&option_table, &x.o, argc, (const char *const *)argv, NULL, NULL, x.error,
                      sizeof(x.error)) < 0) {
        fprintf(stderr, "tsbs: %s\n", x.error);
        return EXIT_BROKEN;
    }
    if (x.o.help) {
        options_help(&option_table);
        return 0;
    }
    x.target = (struct client_target){x.o.host, (unsigned)x.o.port, NULL, x.o.password};
    x.data = (struct tsbs_data){x.o.hosts, x.o.hours, {x.o.seed}};
    reply_scan_init(&x.scan);
    rc = run(&x);
    buf_fini(&x.in);
    return rc < 0 ? EXIT_BROKEN : rc > 0 ? EXIT_ERRORS : 0;
}

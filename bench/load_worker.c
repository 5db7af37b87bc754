#include "bench/load_worker.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ULL
/* A signal is noticed within this time. */
#define WAIT_NS_MAX (100 * 1000 * 1000ULL)
/* Sleeping is not exact to less than this; the timetable's last stretch is spun. */
#define SPIN_NS (60 * 1000ULL)
#define EVENTS_MAX 256

int
load_worker_init(struct load_worker *w, const struct load_options *o,
                 const struct load_workload *workload, unsigned index, struct load_conn *conns,
                 unsigned conns_n)
{
    struct epoll_event ev = {.events = EPOLLIN};
    unsigned i;

    w->options = o;
    w->workload = workload;
    w->index = index;
    w->conns = conns;
    w->conns_n = conns_n;
    for (i = 0; i <= LOAD_KINDS; i++)
        load_hist_init(&w->hist[i]);
    if (o->rate)
        w->interval_ns = (double)NS_PER_SECOND * (double)(o->burst * o->threads) / (double)o->rate;
    w->budget = o->requests / o->threads + (index < o->requests % o->threads);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll_fd < 0)
        return -errno;
    w->room = malloc(LOAD_RECEIVE_BYTES);
    w->touched = calloc(conns_n, sizeof(*w->touched));
    if (!w->room || !w->touched)
        return -ENOMEM;
    for (i = 0; i < conns_n; i++) {
        ev.data.ptr = &conns[i];
        if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, conns[i].fd, &ev) < 0)
            return -errno;
    }
    return 0;
}

void
load_worker_fini(struct load_worker *w)
{
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
    w->epoll_fd = -1;
    free(w->room);
    free(w->touched);
}

static void
fail(struct load_worker *w, const struct load_conn *c, const char *doing, int rc)
{
    const char *why = rc == -EPROTO       ? "the server sent something that is no answer"
                      : rc == -ECONNRESET ? "the server closed the connection"
                                          : strerror(-rc);

    if (w->failure[0] == '\0')
        snprintf(w->failure, sizeof(w->failure), "connection %u of thread %u, %s: %s",
                 (unsigned)(c - w->conns), w->index, doing, why);
}

static bool
failed(const struct load_worker *w)
{
    return w->failure[0] != '\0';
}

static bool
in_window(const struct load_worker *w)
{
    return w->now_ns >= w->measure_ns && w->now_ns < w->end_ns;
}

static void
on_answered(void *arg, const struct load_flight *f, uint64_t n)
{
    struct load_worker *w = arg;
    bool measured = f->due_ns >= w->measure_ns;

    if (measured)
        load_hist_add(&w->hist[f->kind], w->now_ns > f->due_ns ? w->now_ns - f->due_ns : 0, n);
    if (w->options->requests ? measured : in_window(w))
        w->done[f->kind] += n;
    w->last_answer_ns = w->now_ns;
}

static void
want_write(struct load_worker *w, struct load_conn *c, bool on)
{
    struct epoll_event ev = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c};

    if (c->want_write == on)
        return;
    c->want_write = on;
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) < 0)
        fail(w, c, "waiting", -errno);
}

/* Sends until nothing waits or the socket is full. */
static void
flush(struct load_worker *w, struct load_conn *c)
{
    ssize_t sent;

    while (load_conn_has_unsent(c)) {
        sent = load_conn_send(c);
        if (sent < 0) {
            fail(w, c, "sending", (int)sent);
            return;
        }
        if (sent == 0)
            break;
        if (in_window(w))
            w->bytes_sent += (uint64_t)sent;
    }
    want_write(w, c, load_conn_has_unsent(c));
}

/* How many more commands may be sent now; takes them from the budget of --requests. */
static uint64_t
take_budget(struct load_worker *w, uint64_t n)
{
    if (w->options->requests == 0 || w->now_ns < w->measure_ns)
        return n;
    n = MIN(n, w->budget);
    w->budget -= n;
    return n;
}

static void
refill(struct load_worker *w, struct load_conn *c)
{
    uint64_t room = w->options->pipeline - c->outstanding, n, emitted;

    if (w->draining || (c->outstanding > 0 && room < w->options->refill))
        return;
    w->now_ns = clock_now_ns();
    if (w->now_ns >= w->end_ns)
        return;
    n = take_budget(w, room);
    while (n > 0 && !load_conn_has_unsent(c) && !failed(w)) {
        emitted = load_conn_emit(c, w->workload, n, w->now_ns, LOAD_CONN_OUT_BYTES_MAX);
        n -= emitted;
        flush(w, c);
    }
    if (w->options->requests && w->now_ns >= w->measure_ns)
        w->budget += n;
}

static void
on_event(struct load_worker *w, struct load_conn *c, uint32_t events)
{
    ssize_t got;

    if (events & EPOLLOUT)
        flush(w, c);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        w->now_ns = clock_now_ns();
        got = load_conn_receive(c, w->room, LOAD_RECEIVE_BYTES, on_answered, w);
        if (got < 0) {
            fail(w, c, "receiving", (int)got);
            return;
        }
        if (in_window(w))
            w->bytes_received += (uint64_t)got;
    }
    if (w->options->rate == 0)
        refill(w, c);
}

static uint64_t
burst_due(const struct load_worker *w)
{
    double stagger = w->interval_ns * w->index / (double)w->options->threads;

    return w->start_ns + (uint64_t)(stagger + w->interval_ns * (double)w->bursts_done);
}

/* The next connection, in turn, that has room for a burst. */
static struct load_conn *
next_open(struct load_worker *w)
{
    unsigned i;

    for (i = 0; i < w->conns_n; i++) {
        struct load_conn *c = &w->conns[w->turn];

        w->turn = w->turn + 1 == w->conns_n ? 0 : w->turn + 1;
        if (c->outstanding + w->options->burst <= w->options->pipeline && !c->want_write)
            return c;
    }
    return NULL;
}

/* Sends everything that is due. Returns when to come back: the next due time, or end_ns if there is
 * none or no connection has room. */
static uint64_t
keep_timetable(struct load_worker *w)
{
    uint64_t due, n, wake = w->end_ns;
    struct load_conn *c;

    while ((due = burst_due(w)) < w->end_ns) {
        wake = due;
        if (due > w->now_ns)
            break;
        wake = w->end_ns;
        if (w->options->requests && due >= w->measure_ns && w->budget == 0)
            break;
        c = next_open(w);
        if (!c)
            break;
        n = due >= w->measure_ns ? take_budget(w, w->options->burst) : w->options->burst;
        if (!load_conn_has_unsent(c))
            w->touched[w->touched_n++] = c;
        load_conn_emit(c, w->workload, n, due, SIZE_MAX);
        w->bursts_done++;
    }
    while (w->touched_n > 0)
        flush(w, w->touched[--w->touched_n]);
    return wake;
}

static void
wait_until(struct load_worker *w, uint64_t wake_ns)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t ns = wake_ns > w->now_ns ? MIN(wake_ns - w->now_ns, WAIT_NS_MAX) : 0;
    struct timespec ts;
    int i, n;

    ns = ns > SPIN_NS ? ns - SPIN_NS : 0;
    ts = (struct timespec){.tv_nsec = (long)ns};
    n = epoll_pwait2(w->epoll_fd, events, EVENTS_MAX, &ts, NULL);
    if (n < 0 && errno != EINTR)
        fail(w, w->conns, "epoll", -errno);
    for (i = 0; i < n && !failed(w); i++)
        on_event(w, events[i].data.ptr, events[i].events);
    w->now_ns = clock_now_ns();
}

static uint64_t
outstanding(const struct load_worker *w)
{
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < w->conns_n; i++)
        sum += w->conns[i].outstanding;
    return sum;
}

static void
send_phase(struct load_worker *w)
{
    uint64_t wake = w->end_ns;
    unsigned i;

    for (i = 0; i < w->conns_n && w->options->rate == 0; i++)
        refill(w, &w->conns[i]);
    for (;;) {
        if (w->options->rate)
            wake = keep_timetable(w);
        if (w->now_ns >= w->end_ns || failed(w) || *w->stop)
            return;
        if (w->options->requests && w->budget == 0)
            return;
        wait_until(w, wake);
    }
}

/* What was due but could not be sent has waited until now. */
static void
count_unsent(struct load_worker *w)
{
    uint64_t due, n = w->options->burst;

    if (w->options->rate == 0)
        return;
    for (; (due = burst_due(w)) < w->now_ns && due < w->end_ns; w->bursts_done++) {
        if (w->options->requests && due >= w->measure_ns)
            n = take_budget(w, w->options->burst);
        if (n == 0)
            return;
        if (due >= w->measure_ns)
            load_hist_add(&w->hist[LOAD_KINDS], w->now_ns - due, n);
    }
}

static void
drain_phase(struct load_worker *w)
{
    uint64_t give_up = w->now_ns + LOAD_DRAIN_SECONDS * NS_PER_SECOND;

    w->draining = true;
    while (!failed(w) && outstanding(w) > 0 && w->now_ns < give_up)
        wait_until(w, w->now_ns + WAIT_NS_MAX);
    w->unanswered = outstanding(w);
    if (w->unanswered && !failed(w))
        snprintf(w->failure, sizeof(w->failure), "%llu commands were not answered within %d s",
                 (unsigned long long)w->unanswered, LOAD_DRAIN_SECONDS);
}

static void
collect(struct load_worker *w)
{
    unsigned i;

    for (i = 0; i < w->conns_n; i++) {
        struct reply_scan *s = &w->conns[i].scan;

        if (s->errors && w->errors == 0)
            memcpy(w->first_error, s->error_text, sizeof(w->first_error));
        w->errors += s->errors;
        w->nulls += s->nulls;
    }
}

void *
load_worker_run(void *arg)
{
    struct load_worker *w = arg;

    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    while ((w->now_ns = clock_now_ns()) < w->start_ns)
        usleep(100);
    send_phase(w);
    count_unsent(w);
    drain_phase(w);
    collect(w);
    return NULL;
}

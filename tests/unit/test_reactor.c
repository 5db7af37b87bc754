#include "core/reactor.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000ull
#define SLOW_NS (60000 * MS) /* a wake-up that takes longer is taken for lost */

static struct reactor_options
small_options(unsigned id)
{
    return (struct reactor_options){
        .id = id, .cpu = -1, .io = {.recv_buffers = 8, .recv_buffer_bytes = 256}};
}

static void
start(struct reactor *r, const struct reactor_options *opt)
{
    const char *why = "none given";

    cr_assert_eq(reactor_init(r, opt), 0);
    cr_assert_eq(reactor_attach(r, &why), 0, "%s", why);
}

/* ---- one core, driven by the test ---- */

static char trace[64];
static unsigned ntrace;

static void
note(char c)
{
    trace[ntrace++] = c;
}

struct everything {
    struct reactor r;
    struct io_op op;
    struct timer timer;
    struct mesh_msg msg;
    struct offload_job job, next_job;
    struct poller poller;
};

static void
io_came(struct io_op *op, int res, int buf, bool more)
{
    note('i');
}

static void
timer_came(struct timer *t)
{
    note('t');
}

static void
msg_came(struct mesh_msg *m)
{
    struct everything *e = container_of(m, struct everything, msg);

    note('m');
    mesh_reply(e->r.mesh, m);
}

static void
msg_back(struct mesh_msg *m)
{
    note('M');
}

static void
job_work(struct offload_job *j)
{
}

static _Atomic bool job_before_is_over;

static void
next_job_work(struct offload_job *j)
{
    atomic_store(&job_before_is_over, true);
}

static void
job_back(struct offload_job *j)
{
    note('o');
}

static void
next_job_back(struct offload_job *j)
{
}

static unsigned
poller_came(struct poller *p)
{
    note('p');
    return 0;
}

static void
hook_a(void *arg)
{
    note('a');
}

static void
hook_b(void *arg)
{
    note('b');
}

Test(reactor, a_turn_does_everything_in_its_order)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);
    struct reactor *peers[1] = {&e.r};
    int fds[2];

    opt.mesh = mesh_create(1);
    start(&e.r, &opt);
    e.r.peers = peers;
    cr_assert_eq(reactor_current(), &e.r);
    reactor_turn(&e.r, false);
    e.op.fn = io_came;
    e.timer.fn = timer_came;
    e.msg = (struct mesh_msg){.run = msg_came, .done = msg_back};
    e.job = (struct offload_job){.work = job_work, .done = job_back};
    e.next_job = (struct offload_job){.work = next_job_work, .done = next_job_back};
    e.poller.fn = poller_came;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    reactor_add_poller(&e.r, &e.poller);
    reactor_add_flush(&e.r, hook_a, NULL);
    reactor_add_flush(&e.r, hook_b, NULL);
    io_poll_in(e.r.io, &e.op, fds[0]);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    timer_arm(&e.r.timers, &e.timer, e.r.clock.mono_ns);
    offload_submit(e.r.offload, OFFLOAD_FILES, &e.job);
    offload_submit(e.r.offload, OFFLOAD_FILES, &e.next_job);
    mesh_send(opt.mesh, 0, 0, &e.msg);
    mesh_flush(opt.mesh, 0, NULL, NULL);
    while (!atomic_load(&job_before_is_over)) /* this lane has one thread: the job is finished */
        usleep(100);
    reactor_turn(&e.r, false);
    cr_assert_str_eq(trace, "itmopab");
    reactor_turn(&e.r, false);
    cr_assert_str_eq(trace, "itmopabMpab");
    reactor_fini(&e.r);
    mesh_destroy(&opt.mesh);
    cr_assert_null(reactor_current());
}

/* ---- who waits ---- */

struct waiting {
    struct io_op op;
    struct waiting *of; /* the first, which has the rest */
    struct reactor r;
    struct timer tick, timer;
    struct offload_job job;
    unsigned seen; /* by what came, a digit each */
};

static bool
is_wanted(const struct waiting *w)
{
    return reactor_is_wanted(&w->r, w->r.clock.mono_ns, &w->tick);
}

static void
look_who_waits(struct io_op *op, int res, int buf, bool more)
{
    struct waiting *w = container_of(op, struct waiting, op)->of;

    w->seen = 10 * w->seen + is_wanted(w);
}

/* Within DEFER_TASKRUN nothing comes before the ring is entered: so that it is seen at all. */
static void
wait_until_wanted(const struct waiting *w)
{
    for (unsigned i = 0; i < 10000 && !is_wanted(w); i++)
        usleep(100);
    cr_assert(is_wanted(w));
}

static void
watch(struct waiting *w, struct waiting *of, int fds[2])
{
    w->of = of;
    w->op.fn = look_who_waits;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    io_poll_in(of->r.io, &w->op, fds[0]);
}

Test(reactor, who_waits_is_seen_before_the_turn_ends)
{
    static struct waiting w, other;
    struct reactor_options opt = small_options(0);
    int fds[2][2];

    start(&w.r, &opt);
    reactor_turn(&w.r, false);
    cr_assert_not(is_wanted(&w));

    watch(&w, &w, fds[0]);
    watch(&other, &w, fds[1]);
    cr_assert(is_wanted(&w), "nobody has told the kernel yet");
    reactor_turn(&w.r, false);
    cr_assert_not(is_wanted(&w));
    cr_assert_eq(write(fds[0][1], "x", 1), 1);
    wait_until_wanted(&w);
    cr_assert_eq(write(fds[1][1], "x", 1), 1);
    while (w.seen < 10)
        reactor_turn(&w.r, false);
    cr_assert_eq(w.seen, 10, "while the first of two ran, and not while the second did");
    cr_assert_not(is_wanted(&w));

    w.tick.fn = w.timer.fn = timer_came;
    timer_arm(&w.r.timers, &w.tick, w.r.clock.mono_ns);
    timer_arm(&w.r.timers, &w.timer, w.r.clock.mono_ns + 1);
    cr_assert_not(is_wanted(&w));
    timer_arm(&w.r.timers, &w.timer, w.r.clock.mono_ns);
    cr_assert(is_wanted(&w));
    timer_cancel(&w.r.timers, &w.timer);
    timer_cancel(&w.r.timers, &w.tick);

    reactor_hand_begin(&w.r);
    cr_assert(is_wanted(&w));
    reactor_hand_end(&w.r);

    w.job = (struct offload_job){.work = job_work, .done = job_back};
    offload_submit(w.r.offload, OFFLOAD_FILES, &w.job);
    wait_until_wanted(&w);
    while (offload_pending(w.r.offload))
        reactor_turn(&w.r, false);
    reactor_turn(&w.r, false); /* its wake-up */
    cr_assert_not(is_wanted(&w));

    reactor_stop(&w.r);
    cr_assert(is_wanted(&w));
    reactor_fini(&w.r);
    for (unsigned i = 0; i < 4; i++)
        close(fds[i / 2][i % 2]);
}

Test(reactor, a_fake_clock_drives_the_timers)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);

    start(&e.r, &opt);
    e.r.clock = (struct clock){.mono_ns = 1000, .wall_us = 5, .fake = true};
    e.timer.fn = timer_came;
    timer_arm(&e.r.timers, &e.timer, 2000);
    reactor_turn(&e.r, false);
    cr_assert_eq(ntrace, 0);
    e.r.clock.mono_ns = 2000;
    cr_assert_eq(reactor_turn(&e.r, false), 1);
    cr_assert_str_eq(trace, "t");
    cr_assert_eq(e.r.clock.wall_us, 5);
    reactor_fini(&e.r);
}

static uint64_t
stat_of(const _Atomic uint64_t *s)
{
    return atomic_load_explicit(s, memory_order_relaxed);
}

Test(reactor, an_idle_core_sleeps_until_its_next_timer)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);
    uint64_t begun_ns = clock_now_ns(), start_ns;

    start(&e.r, &opt);
    e.timer.fn = timer_came;
    reactor_turn(&e.r, false);
    start_ns = clock_now_ns();
    timer_arm(&e.r.timers, &e.timer, start_ns + 50 * MS);
    while (!ntrace)
        reactor_turn(&e.r, true);
    cr_assert_geq(clock_now_ns() - start_ns, 50 * MS);
    cr_assert_lt(clock_now_ns() - start_ns, SLOW_NS);
    cr_assert_leq(stat_of(&e.r.stats.sleeps), 3);
    cr_assert_leq(stat_of(&e.r.stats.turns), 10);
    reactor_turn(&e.r, false);
    cr_assert_gt(stat_of(&e.r.stats.idle_ns), 0);
    cr_assert_leq(stat_of(&e.r.stats.idle_ns) + stat_of(&e.r.stats.busy_ns),
                  clock_now_ns() - begun_ns, "no time is booked twice");
    reactor_fini(&e.r);
}

static bool
polls_and_then_sleeps(struct everything *e)
{
    uint64_t turns = stat_of(&e->r.stats.turns), sleeps = stat_of(&e->r.stats.sleeps);
    unsigned before = ntrace;

    timer_arm(&e->r.timers, &e->timer, clock_now_ns() + 60 * MS);
    while (ntrace == before)
        reactor_turn(&e->r, true);
    turns = stat_of(&e->r.stats.turns) - turns;
    sleeps = stat_of(&e->r.stats.sleeps) - sleeps;
    return turns > 1000 && sleeps >= 1 && sleeps <= 3;
}

/* It takes a machine that lets the loop run meanwhile: not every attempt meets one. */
Test(reactor, busy_polling_comes_before_sleeping)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);

    opt.busy_poll_ns = 30 * MS;
    start(&e.r, &opt);
    e.timer.fn = timer_came;
    while (!polls_and_then_sleeps(&e))
        cr_assert_lt(ntrace, sizeof(trace) / 2, "%llu turns, %llu sleeps",
                     (unsigned long long)stat_of(&e.r.stats.turns),
                     (unsigned long long)stat_of(&e.r.stats.sleeps));
    reactor_fini(&e.r);
}

static void
says_it_takes_long(void *arg)
{
    struct reactor *r = arg;

    r->waits_long = true;
}

/* Turns until a timer 30 ms from now fires, with busy polling for as long. */
static uint64_t
turns_while_waiting(struct everything *e)
{
    uint64_t turns = stat_of(&e->r.stats.turns);
    unsigned before = ntrace;

    timer_arm(&e->r.timers, &e->timer, clock_now_ns() + 30 * MS);
    while (ntrace == before)
        reactor_turn(&e->r, true);
    return stat_of(&e->r.stats.turns) - turns;
}

Test(reactor, what_takes_long_is_not_polled_for)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);

    opt.busy_poll_ns = 60000 * MS;
    start(&e.r, &opt);
    e.timer.fn = timer_came;
    reactor_add_flush(&e.r, says_it_takes_long, &e.r);
    cr_assert_leq(turns_while_waiting(&e), 10);
    reactor_fini(&e.r);
}

static void
job_takes_a_while(struct offload_job *j)
{
    usleep(50000);
}

static void
job_ended(struct offload_job *j)
{
    note('j');
}

Test(reactor, a_helper_on_the_same_cpu_is_not_kept_from_it)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);

    opt.busy_poll_ns = 60000 * MS;
    start(&e.r, &opt);
    e.job = (struct offload_job){.work = job_takes_a_while, .done = job_ended};
    offload_submit(e.r.offload, OFFLOAD_FILES, &e.job);
    while (ntrace == 0)
        reactor_turn(&e.r, true);
    cr_assert_leq(stat_of(&e.r.stats.turns), 10);
    reactor_fini(&e.r);
}

static unsigned
poller_spins(struct poller *p)
{
    uint64_t until = clock_now_ns() + 1 * MS;

    while (clock_now_ns() < until)
        ;
    return 1;
}

Test(reactor, busy_time_is_booked_as_busy)
{
    static struct everything e;
    struct reactor_options opt = small_options(0);
    unsigned i;

    start(&e.r, &opt);
    e.poller.fn = poller_spins;
    reactor_add_poller(&e.r, &e.poller);
    for (i = 0; i < 20; i++)
        cr_assert_geq(reactor_turn(&e.r, true), 1);
    cr_assert_geq(stat_of(&e.r.stats.busy_ns), 18 * MS);
    cr_assert_eq(stat_of(&e.r.stats.sleeps), 0);
    reactor_fini(&e.r);
}

Test(reactor, a_cpu_that_is_not_there_is_explained)
{
    static struct reactor r;
    struct reactor_options opt = small_options(0);
    const char *why = NULL;

    opt.cpu = 1023;
    cr_assert_eq(reactor_init(&r, &opt), 0);
    cr_assert_eq(reactor_attach(&r, &why), -EINVAL);
    cr_assert(strstr(why, "pin"));
    reactor_fini(&r);
}

/* ---- threads ---- */

static void *
run_thread(void *arg)
{
    struct reactor *r = arg;
    const char *why = "none given";

    ASSERT(reactor_attach(r, &why) == 0);
    reactor_run(r);
    return NULL;
}

static void
wait_for_sleep(struct reactor *r)
{
    uint64_t deadline = clock_now_ns() + SLOW_NS;

    while (!stat_of(&r->stats.sleeps) && clock_now_ns() < deadline)
        usleep(1000);
    usleep(5000);
    cr_assert_gt(stat_of(&r->stats.sleeps), 0);
}

Test(reactor, stop_ends_a_sleeping_core)
{
    static struct reactor r;
    struct reactor_options opt = small_options(0);
    uint64_t start_ns;
    pthread_t t;

    cr_assert_eq(reactor_init(&r, &opt), 0);
    pthread_create(&t, NULL, run_thread, &r);
    wait_for_sleep(&r);
    start_ns = clock_now_ns();
    reactor_stop(&r);
    pthread_join(t, NULL);
    cr_assert_lt(clock_now_ns() - start_ns, SLOW_NS);
    reactor_fini(&r);
}

static struct reactor *stopped_by_signal;

static void
on_signal(int sig)
{
    reactor_stop(stopped_by_signal);
}

Test(reactor, stop_from_a_signal_handler_ends_the_core_it_interrupts)
{
    static struct reactor r;
    struct reactor_options opt = small_options(0);

    start(&r, &opt);
    stopped_by_signal = &r;
    signal(SIGALRM, on_signal);
    alarm(1);
    reactor_run(&r);
    reactor_fini(&r);
}

/* A job's completion must reach a core that sleeps. */
struct sleeper {
    struct reactor r;
    struct offload_job job;
    unsigned rounds;
};

static void
sleeper_again(struct offload_job *j)
{
    struct sleeper *s = container_of(j, struct sleeper, job);

    if (--s->rounds)
        offload_submit(s->r.offload, OFFLOAD_READS, j);
    else
        reactor_stop(&s->r);
}

static void
sleeper_work(struct offload_job *j)
{
    usleep(200);
}

Test(reactor, helper_completions_wake_it, .timeout = 300)
{
    static struct sleeper s;
    struct reactor_options opt = small_options(0);

    start(&s.r, &opt);
    s.job = (struct offload_job){.work = sleeper_work, .done = sleeper_again};
    s.rounds = 500;
    offload_submit(s.r.offload, OFFLOAD_READS, &s.job);
    reactor_run(&s.r);
    cr_assert_eq(s.rounds, 0);
    cr_assert_gt(stat_of(&s.r.stats.sleeps), 100);
    reactor_fini(&s.r);
}

/* Two cores play ping-pong and sleep over every ball; a lost wake-up ends in the test's timeout. */
struct player {
    struct reactor r;
    struct mesh_msg ball;
    uint64_t left;
};

static struct player players[2];

static void
ball_run(struct mesh_msg *m)
{
    mesh_reply(players[0].r.mesh, m);
}

static void
ball_done(struct mesh_msg *m)
{
    struct player *p = container_of(m, struct player, ball);

    if (--p->left) {
        ASSERT(mesh_send(p->r.mesh, m->from, m->to, m));
    } else {
        reactor_stop(&players[0].r);
        reactor_stop(&players[1].r);
    }
}

static void
serve(void *arg)
{
    struct player *p = arg;

    if (p->left && !p->ball.run) {
        p->ball = (struct mesh_msg){.run = ball_run, .done = ball_done};
        ASSERT(mesh_send(p->r.mesh, p->r.id, !p->r.id, &p->ball));
    }
}

Test(reactor, cores_wake_each_other_for_every_message, .timeout = 300)
{
    struct mesh *m = mesh_create(2);
    struct reactor *peers[2] = {&players[0].r, &players[1].r};
    struct reactor_options opt;
    uint64_t sent, received;
    pthread_t t[2];
    unsigned i;

    players[0].left = 20000;
    for (i = 0; i < 2; i++) {
        opt = small_options(i);
        opt.mesh = m;
        cr_assert_eq(reactor_init(&players[i].r, &opt), 0);
        players[i].r.peers = peers;
    }
    reactor_add_flush(&players[0].r, serve, &players[0]);
    for (i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, run_thread, &players[i].r);
    for (i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    cr_assert_eq(players[0].left, 0);
    sent = stat_of(&players[0].r.stats.wakes_sent) + stat_of(&players[1].r.stats.wakes_sent);
    received =
        stat_of(&players[0].r.stats.wakes_received) + stat_of(&players[1].r.stats.wakes_received);
    cr_assert_gt(sent, 1000, "%llu bells", (unsigned long long)sent);
    cr_assert_leq(received, sent + 2); /* two more from reactor_stop */
    for (i = 0; i < 2; i++)
        reactor_fini(&players[i].r);
    mesh_destroy(&m);
}

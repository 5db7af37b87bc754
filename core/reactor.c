/* The loop. One clock read a turn serves timers, statistics and everybody who asks for the time.
 *
 * A turn that found work is followed by another at once; what its flush hooks prepared goes to the
 * kernel with the next io_poll. A turn that found none submits and waits in one system call. */
#include "core/reactor.h"

#include "core/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What one turn does at most of each kind, so that none keeps the others waiting. */
#define REACTOR_IO_BUDGET 512
#define REACTOR_TIMER_BUDGET 128
#define REACTOR_MESH_BUDGET 512
#define REACTOR_OFFLOAD_BUDGET 64

static _Thread_local struct reactor *current;

struct reactor *
reactor_current(void)
{
    return current;
}

/* Only the owner writes: a plain add, made atomic for the readers' sake. */
static void
stat_add(_Atomic uint64_t *s, uint64_t n)
{
    atomic_store_explicit(s, atomic_load_explicit(s, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* ---- waking ---- */

/* The one place that knows how a sleeping reactor is reached. */
void
reactor_wake(struct reactor *r)
{
    static const uint64_t one = 1;
    int saved = errno;

    /* EAGAIN: the counter is full of wake-ups that are still to be read. */
    if (write(r->wake_fd, &one, sizeof(one)) < 0)
        ASSERT(errno == EAGAIN || errno == EINTR);
    errno = saved;
}

static void
ring_bell(void *arg, unsigned target)
{
    struct reactor *r = arg;

    ASSERT(r->peers && r->peers[target]);
    reactor_wake(r->peers[target]);
    stat_add(&r->stats.wakes_sent, 1);
}

static void
wake_received(struct io_op *op, int res, int buf, bool more)
{
    struct reactor *r = container_of(op, struct reactor, wake_op);
    uint64_t count;

    if (read(r->wake_fd, &count, sizeof(count)) == sizeof(count))
        stat_add(&r->stats.wakes_received, 1);
    if (!more)
        io_poll_in(r->io, op, r->wake_fd);
}

void
reactor_stop(struct reactor *r)
{
    /* Release pairs with the acquire in reactor_run: what the stopper wrote before is seen. */
    atomic_store_explicit(&r->stopping, true, memory_order_release);
    reactor_wake(r);
}

static bool
is_stopping(struct reactor *r)
{
    return atomic_load_explicit(&r->stopping, memory_order_acquire);
}

/* ---- starting and ending ---- */

int
reactor_init(struct reactor *r, const struct reactor_options *opt)
{
    char name[16];
    int err;

    *r = (struct reactor){.id = opt->id, .opt = *opt, .mesh = opt->mesh};
    list_init(&r->pollers);
    timer_heap_init(&r->timers);
    busy_poll_init(&r->busy_poll);
    r->shares_cpu = opt->cpu < 0 || !opt->background || cpu_set_has(opt->background, opt->cpu);
    clock_update(&r->clock);
    r->wake_op.fn = wake_received;
    r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->wake_fd < 0)
        return -errno;
    snprintf(name, sizeof(name), "core%u", opt->id);
    err = offload_create(&r->offload, r->wake_fd, opt->background, name);
    if (err)
        close(r->wake_fd);
    return err;
}

int
reactor_attach(struct reactor *r, const char **ret_why)
{
    struct io_options io = r->opt.io;
    int err;

    if (r->opt.cpu >= 0) {
        err = cpu_pin(r->opt.cpu);
        if (err) {
            *ret_why = "cannot pin the thread: the CPU is not one this process may run on";
            return err;
        }
    }
    if (!io.worker_cpus)
        io.worker_cpus = r->opt.background;
    err = io_create(&r->io, &io, ret_why);
    if (err)
        return err;
    current = r;
    clock_update(&r->clock);
    r->turn_ns = r->work_ns = r->clock.mono_ns;
    io_poll_in(r->io, &r->wake_op, r->wake_fd);
    return 0;
}

void
reactor_fini(struct reactor *r)
{
    /* Helpers first: their last completions may still use timers and ring. */
    offload_destroy(&r->offload);
    io_destroy(&r->io);
    timer_heap_fini(&r->timers);
    close(r->wake_fd);
    if (current == r)
        current = NULL;
}

void
reactor_add_poller(struct reactor *r, struct poller *p)
{
    ASSERT(p->fn);
    list_push_back(&r->pollers, &p->node);
}

void
reactor_add_flush(struct reactor *r, void (*fn)(void *arg), void *arg)
{
    ASSERT(fn && r->nhooks < REACTOR_HOOKS_MAX);
    r->hooks[r->nhooks++] = (struct flush_hook){fn, arg};
}

/* ---- the loop ---- */

/* Reads the clock and books the time since the last reading by what that turn found to do. */
static void
begin_turn(struct reactor *r)
{
    uint64_t passed_ns;

    clock_update(&r->clock);
    passed_ns = r->clock.mono_ns - r->turn_ns;
    r->turn_ns = r->clock.mono_ns;
    stat_add(r->worked ? &r->stats.busy_ns : &r->stats.idle_ns, passed_ns);
    stat_add(&r->stats.turns, 1);
}

static unsigned
run_pollers(struct reactor *r)
{
    unsigned n = 0;

    list_each_safe(it, &r->pollers)
    {
        struct poller *p = list_entry(it, struct poller, node);

        n += p->fn(p);
    }
    return n;
}

static void
run_hooks(struct reactor *r)
{
    unsigned i;

    r->patience = 0;
    r->waits_long = false;
    for (i = 0; i < r->nhooks; i++)
        r->hooks[i].fn(r->hooks[i].arg);
}

/* Helpers that have something to do on this CPU are not kept from it. */
static bool
must_not_poll(const struct reactor *r)
{
    return !r->opt.busy_poll_ns || r->waits_long ||
           (r->shares_cpu && offload_pending(r->offload) > 0);
}

/* Whether this turn, which found no work, is to be followed by another at once. */
static bool
polls_on(struct reactor *r)
{
    if (must_not_poll(r)) {
        busy_poll_cancel(&r->busy_poll);
        return false;
    }
    /* Two turns may read the same time: only the first of them begins. */
    if (r->idle_ns == r->turn_ns && !r->busy_poll.polling && !busy_poll_begin(&r->busy_poll))
        return false;
    if (r->busy_poll.polling && r->turn_ns - r->idle_ns >= r->opt.busy_poll_ns)
        busy_poll_end(&r->busy_poll, false);
    return r->busy_poll.polling;
}

/* How long it may sleep: until the next timer. */
static uint64_t
sleep_ns(const struct reactor *r)
{
    uint64_t now = r->clock.mono_ns, next = timer_next(&r->timers);

    if (next == UINT64_MAX)
        return UINT64_MAX;
    return next > now ? next - now : 0;
}

static void
reactor_sleep(struct reactor *r)
{
    uint64_t timeout_ns = sleep_ns(r);

    if (timeout_ns == 0 || is_stopping(r))
        return;
    if (r->mesh && !mesh_sleep_begin(r->mesh, r->id))
        return;
    stat_add(&r->stats.sleeps, 1);
    if (r->patience > 1 && r->work_ns != r->patient_after_ns) {
        r->patient_after_ns = r->work_ns;
        io_wait_for(r->io, r->patience, MIN(timeout_ns, r->patience_ns));
    } else {
        io_wait(r->io, timeout_ns);
    }
    if (r->mesh)
        mesh_sleep_end(r->mesh, r->id);
}

static void
note_work(struct reactor *r, bool worked)
{
    if (worked) {
        r->work_ns = r->turn_ns;
        busy_poll_end(&r->busy_poll, true);
    } else if (r->worked) {
        r->idle_ns = r->turn_ns;
    }
    r->worked = worked;
}

bool
reactor_is_wanted(const struct reactor *r, uint64_t now_ns, const struct timer *patient)
{
    return r->handing > 0 || atomic_load_explicit(&r->stopping, memory_order_relaxed) ||
           io_has_news(r->io, now_ns) || (r->mesh && mesh_has_news(r->mesh, r->id)) ||
           timer_next_but(&r->timers, patient) <= now_ns || offload_has_finished(r->offload);
}

unsigned
reactor_turn(struct reactor *r, bool may_sleep)
{
    unsigned work;

    begin_turn(r);
    work = io_poll(r->io, REACTOR_IO_BUDGET);
    work += timer_run(&r->timers, r->clock.mono_ns, REACTOR_TIMER_BUDGET);
    if (r->mesh)
        work += mesh_poll(r->mesh, r->id, REACTOR_MESH_BUDGET);
    work += offload_poll(r->offload, REACTOR_OFFLOAD_BUDGET);
    work += run_pollers(r);
    run_hooks(r);
    if (r->mesh)
        mesh_flush(r->mesh, r->id, ring_bell, r);
    note_work(r, work > 0);
    if (!r->worked && may_sleep && !polls_on(r))
        reactor_sleep(r);
    return work;
}

void
reactor_run(struct reactor *r)
{
    while (!is_stopping(r))
        reactor_turn(r, true);
}

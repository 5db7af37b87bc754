#include "core/offload.h"

#include "core/clock.h"
#include "core/cpu.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOBS 1000
#define WAIT_MS_MAX 60000

struct job {
    struct offload_job job;
    struct offload *o;
    unsigned number;
    pthread_t worked_by;
    unsigned worked, done;
    char thread_name[16];
    struct cpu_set cpus;
    bool signals_blocked;
    int nice;
    struct job *submits; /* from done() */
};

static int wake_fd;
static unsigned done_order[JOBS], ndone;
static _Atomic bool gate_open;

static void
job_work(struct offload_job *j)
{
    struct job *x = container_of(j, struct job, job);
    sigset_t mask;

    x->worked++;
    x->worked_by = pthread_self();
    pthread_getname_np(pthread_self(), x->thread_name, sizeof(x->thread_name));
    cpu_set_allowed(&x->cpus);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    x->signals_blocked = sigismember(&mask, SIGTERM);
    x->nice = getpriority(PRIO_PROCESS, 0);
}

static void
job_wait_for_gate(struct offload_job *j)
{
    while (!atomic_load(&gate_open))
        usleep(100);
    job_work(j);
}

static void
job_done(struct offload_job *j)
{
    struct job *x = container_of(j, struct job, job);

    cr_assert_eq(x->worked, ++x->done);
    done_order[ndone++] = x->number;
    if (x->submits)
        offload_submit(x->o, OFFLOAD_FILES, &x->submits->job);
}

static struct job
make_job(struct offload *o, unsigned number)
{
    return (struct job){.job = {.work = job_work, .done = job_done}, .o = o, .number = number};
}

static struct offload *
make_offload(const struct cpu_set *cpus)
{
    struct offload *o = NULL;

    wake_fd = eventfd(0, EFD_NONBLOCK);
    cr_assert_eq(offload_create(&o, wake_fd, cpus, "core7"), 0);
    return o;
}

/* Sleeps on the eventfd as a reactor would; a completion that does not wake is lost. */
static void
poll_until_done(struct offload *o, unsigned n)
{
    struct pollfd pfd = {.fd = wake_fd, .events = POLLIN};
    eventfd_t v;

    while (offload_poll(o, 16), ndone < n) {
        if (offload_poll(o, 16))
            continue;
        cr_assert_eq(poll(&pfd, 1, WAIT_MS_MAX), 1, "%u of %u done", ndone, n);
        eventfd_read(wake_fd, &v);
    }
}

Test(offload, work_runs_on_a_helper_and_done_on_the_caller)
{
    struct offload *o = make_offload(NULL);
    struct job j = make_job(o, 1);

    offload_submit(o, OFFLOAD_READS, &j.job);
    cr_assert_eq(offload_pending(o), 1);
    cr_assert_eq(j.done, 0);
    poll_until_done(o, 1);
    cr_assert_eq(offload_pending(o), 0);
    cr_assert_not(pthread_equal(j.worked_by, pthread_self()));
    cr_assert_str_eq(j.thread_name, "core7/reads");
    cr_assert(j.signals_blocked);
    offload_destroy(&o);
    cr_assert_null(o);
}

Test(offload, a_lane_keeps_the_order_of_submission)
{
    static struct job jobs[JOBS];
    struct offload *o = make_offload(NULL);
    unsigned i;

    for (i = 0; i < JOBS; i++) {
        jobs[i] = make_job(o, i);
        offload_submit(o, OFFLOAD_FILES, &jobs[i].job);
        if (i % 100 == 0)
            offload_poll(o, 3);
    }
    poll_until_done(o, JOBS);
    for (i = 0; i < JOBS; i++)
        cr_assert_eq(done_order[i], i);
    offload_destroy(&o);
}

Test(offload, a_long_job_holds_up_no_other_lane)
{
    struct offload *o = make_offload(NULL);
    struct job slow = make_job(o, 1), quick = make_job(o, 2);

    slow.job.work = job_wait_for_gate;
    offload_submit(o, OFFLOAD_CHECKPOINT, &slow.job);
    offload_submit(o, OFFLOAD_READS, &quick.job);
    poll_until_done(o, 1);
    cr_assert_eq(quick.done, 1);
    cr_assert_eq(offload_pending(o), 1);
    atomic_store(&gate_open, true);
    poll_until_done(o, 2);
    cr_assert_eq(slow.done, 1);
    offload_destroy(&o);
}

static pthread_barrier_t all_reading;

static void
job_meet(struct offload_job *j)
{
    pthread_barrier_wait(&all_reading);
    job_work(j);
}

Test(offload, reads_run_several_at_a_time, .timeout = 300)
{
    struct offload *o = make_offload(NULL);
    struct job jobs[OFFLOAD_READERS];

    pthread_barrier_init(&all_reading, NULL, OFFLOAD_READERS);
    for (unsigned i = 0; i < OFFLOAD_READERS; i++) {
        jobs[i] = make_job(o, i);
        jobs[i].job.work = job_meet;
        offload_submit(o, OFFLOAD_READS, &jobs[i].job);
    }
    poll_until_done(o, OFFLOAD_READERS);
    for (unsigned i = 0; i < OFFLOAD_READERS; i++)
        cr_assert_eq(jobs[i].done, 1);
    offload_destroy(&o);
    pthread_barrier_destroy(&all_reading);
}

static _Atomic bool at_the_gate;

static void
job_tells_and_waits_for_gate(struct offload_job *j)
{
    atomic_store(&at_the_gate, true);
    job_wait_for_gate(j);
}

Test(offload, poll_obeys_its_budget)
{
    struct offload *o = make_offload(NULL);
    struct job jobs[10], last = make_job(o, 10);
    unsigned i;

    for (i = 0; i < 10; i++) {
        jobs[i] = make_job(o, i);
        offload_submit(o, OFFLOAD_FILES, &jobs[i].job);
    }
    last.job.work = job_tells_and_waits_for_gate;
    offload_submit(o, OFFLOAD_FILES, &last.job);
    while (!atomic_load(&at_the_gate)) /* the lane has one thread: those before are finished */
        usleep(100);
    cr_assert_eq(offload_poll(o, 4), 4);
    cr_assert_eq(offload_poll(o, 4), 4);
    cr_assert_eq(offload_poll(o, 4), 2);
    atomic_store(&gate_open, true);
    offload_destroy(&o);
}

Test(offload, destroy_finishes_what_is_queued_and_what_that_submits)
{
    struct offload *o = make_offload(NULL);
    struct job first = make_job(o, 1), second = make_job(o, 2), other = make_job(o, 3);

    first.submits = &second;
    offload_submit(o, OFFLOAD_READS, &first.job);
    offload_submit(o, OFFLOAD_CHECKPOINT, &other.job);
    offload_destroy(&o);
    cr_assert_eq(first.done + second.done + other.done, 3);
}

Test(offload, helpers_run_on_the_given_cpus)
{
    struct cpu_set allowed, last = {.n = 1};
    struct offload *o;
    struct job j;

    cr_assert_eq(cpu_set_allowed(&allowed), 0);
    CPU_SET(cpu_set_at(&allowed, allowed.n - 1), &last.set);
    o = make_offload(&last);
    j = make_job(o, 1);
    offload_submit(o, OFFLOAD_CHECKPOINT, &j.job);
    poll_until_done(o, 1);
    cr_assert_eq(j.cpus.n, 1);
    cr_assert(CPU_EQUAL(&j.cpus.set, &last.set));
    offload_destroy(&o);
}

/* Somebody waits for what the other lanes do. */
Test(offload, only_checkpoints_yield_to_loops)
{
    struct offload *o = make_offload(NULL);
    struct job jobs[OFFLOAD_LANES];
    int mine = getpriority(PRIO_PROCESS, 0);

    for (unsigned i = 0; i < OFFLOAD_LANES; i++) {
        jobs[i] = make_job(o, i);
        offload_submit(o, (enum offload_lane)i, &jobs[i].job);
    }
    poll_until_done(o, OFFLOAD_LANES);
    for (unsigned i = 0; i < OFFLOAD_LANES; i++)
        cr_assert_eq(jobs[i].nice, i == OFFLOAD_CHECKPOINT ? MIN(mine + 5, 19) : mine);
    cr_assert_eq(getpriority(PRIO_PROCESS, 0), mine);
    offload_destroy(&o);
}

Test(offload, cpus_that_do_not_exist_are_an_error)
{
    struct cpu_set none = {.n = 1};
    struct offload *o = NULL;

    CPU_SET(1000, &none.set);
    cr_assert_eq(offload_create(&o, eventfd(0, EFD_NONBLOCK), &none, "x"), -EINVAL);
    cr_assert_null(o);
}

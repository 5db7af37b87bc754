/* Two threads that race: millions of messages over full rings, and the handshake between a sender
 * and a core that goes to sleep, at every distance. All of it also where membarrier is refused. */
#include "core/mesh.h"

#include "core/clock.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAKE_MS_MAX 60000 /* a wake-up that takes longer is lost */

#define FLOOD_NOTES 200 /* more than there are credits */

struct core {
    struct mesh *mesh;
    struct core *cores;
    unsigned id;
    int bell_fd;
    bool sleeps; /* sleeps whenever it has nothing to do */
    unsigned seed;
    uint64_t to_send, sent, done, refused, sleeps_done, lost;
    _Atomic unsigned *running;
    /* Everybody's messages, each on its way or free. */
    struct packet {
        struct mesh_msg msg;
        struct core *home;
        struct mesh_waiter w;
        uint64_t value, answer;
    } packets[FLOOD_NOTES];
};

static void packet_send(struct packet *p);

static void
packet_run(struct mesh_msg *m)
{
    struct packet *p = container_of(m, struct packet, msg);

    p->answer = ~p->value;
    mesh_reply(p->home->mesh, m);
}

static void
packet_done(struct mesh_msg *m)
{
    struct packet *p = container_of(m, struct packet, msg);

    cr_assert_eq(p->answer, ~p->value);
    p->home->done++;
    packet_send(p);
}

static void
packet_room(struct mesh_waiter *w)
{
    packet_send(container_of(w, struct packet, w));
}

static void
packet_send(struct packet *p)
{
    struct core *c = p->home;

    if (c->sent == c->to_send)
        return;
    p->value = c->sent;
    if (mesh_send(c->mesh, c->id, !c->id, &p->msg)) {
        c->sent++;
    } else {
        c->refused++;
        mesh_wait(c->mesh, c->id, !c->id, &p->w);
    }
}

static void
core_bell(void *arg, unsigned target)
{
    struct core *c = arg;

    cr_assert_eq(eventfd_write(c->cores[target].bell_fd, 1), 0);
}

/* A wait that times out although there was news is a lost wake-up. */
static void
core_sleep(struct core *c)
{
    struct pollfd pfd = {.fd = c->bell_fd, .events = POLLIN};
    eventfd_t v;

    if (!mesh_sleep_begin(c->mesh, c->id))
        return;
    c->sleeps_done++;
    if (poll(&pfd, 1, WAKE_MS_MAX) == 0)
        c->lost++;
    else
        eventfd_read(c->bell_fd, &v);
    mesh_sleep_end(c->mesh, c->id);
}

/* Moves the two threads against each other, so that every window is met. */
static void
core_jitter(struct core *c)
{
    unsigned spins = (unsigned)rand_r(&c->seed) % 64;

    while (spins--)
        __asm__ volatile("" ::: "memory");
}

static void *
core_main(void *arg)
{
    struct core *c = arg;
    bool finished = false;
    unsigned i, work;

    for (i = 0; i < ARRAY_SIZE(c->packets); i++)
        packet_send(&c->packets[i]);
    while (atomic_load(c->running) || !finished) {
        work = mesh_poll(c->mesh, c->id, 64);
        mesh_flush(c->mesh, c->id, core_bell, c);
        if (!finished && c->done == c->to_send) {
            finished = true;
            /* The last one to finish wakes the other for good. */
            if (atomic_fetch_sub(c->running, 1) == 1)
                eventfd_write(c->cores[!c->id].bell_fd, 1);
            continue;
        }
        if (!work && c->sleeps) {
            core_jitter(c);
            if (atomic_load(c->running))
                core_sleep(c);
        } else if (!work) {
            sched_yield();
        }
    }
    return NULL;
}

static void
init_core(struct core *c, struct core *cores, struct mesh *m, unsigned id, uint64_t to_send,
          _Atomic unsigned *running)
{
    unsigned i;

    *c = (struct core){.mesh = m, .cores = cores, .id = id, .seed = id + 1, .running = running};
    c->to_send = to_send;
    c->bell_fd = eventfd(0, EFD_NONBLOCK);
    for (i = 0; i < ARRAY_SIZE(c->packets); i++) {
        c->packets[i].msg = (struct mesh_msg){.run = packet_run, .done = packet_done};
        c->packets[i].w.room = packet_room;
        c->packets[i].home = c;
    }
}

static struct core *
race(uint64_t n0, uint64_t n1, bool sleeps)
{
    static struct core cores[2];
    static _Atomic unsigned running;
    struct mesh *m = mesh_create(2);
    pthread_t t[2];
    unsigned i;

    atomic_store(&running, 2);
    init_core(&cores[0], cores, m, 0, n0, &running);
    init_core(&cores[1], cores, m, 1, n1, &running);
    cores[0].sleeps = cores[1].sleeps = sleeps;
    for (i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, core_main, &cores[i]);
    for (i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    cr_assert_eq(cores[0].done, n0);
    cr_assert_eq(cores[1].done, n1);
    cr_assert_eq(cores[0].lost + cores[1].lost, 0);
    mesh_destroy(&m);
    return cores;
}

Test(mesh_race, two_threads_exchange_millions_over_full_rings, .timeout = 300)
{
    struct core *c = race(2000000, 2000000, false);

    cr_assert_gt(c[0].refused, 0);
    cr_assert_gt(c[1].refused, 0);
}

Test(mesh_race, no_wake_up_is_lost_when_both_sleep_all_the_time, .timeout = 300)
{
    struct core *c = race(1000000, 100000, true);

    cr_assert_gt(c[0].sleeps_done, 100);
    cr_assert_gt(c[1].sleeps_done, 100);
}

/* One message at a time: both sleep once per message. */
Test(mesh_race, no_wake_up_is_lost_in_a_ping_pong, .timeout = 300)
{
    struct core *c = race(1, 0, true);
    unsigned i;

    for (i = 0; i < 300; i++)
        c = race(20, i % 3, true);
    cr_assert_eq(c[0].done, 20);
}

static void
forbid_membarrier(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {ARRAY_SIZE(code), code};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

Test(mesh_race, no_wake_up_is_lost_without_membarrier, .timeout = 300)
{
    struct core *c;

    forbid_membarrier();
    c = race(500000, 50000, true);
    cr_assert_gt(c[0].sleeps_done, 100);
}

/* ---- the handshake ---- */

#define HANDSHAKES 150000
#define HANDSHAKES_NS_MAX 8000000000ull /* on a machine that is busy with other things */

/* Both threads arrive before either goes on. */
struct meeting_point {
    _Atomic unsigned arrived;
};

static void
meet_at(struct meeting_point *p, unsigned round)
{
    unsigned spins = 0;

    atomic_fetch_add(&p->arrived, 1);
    while (atomic_load(&p->arrived) < 2 * round)
        if (++spins % 512 == 0)
            sched_yield();
}

struct handshake {
    struct mesh *mesh;
    struct mesh_msg msg;
    struct meeting_point before, between, after;
    _Atomic bool rung, over;
    unsigned sender_seed, sleeper_seed;
    unsigned both_blind; /* neither the sleeper saw the news nor the sender the sleeper */
    unsigned slept, stayed;
};

static void
handshake_bell(void *arg, unsigned target)
{
    atomic_store(&((struct handshake *)arg)->rung, true);
}

static void
handshake_run(struct mesh_msg *m)
{
    mesh_reply(container_of(m, struct handshake, msg)->mesh, m);
}

static void
handshake_done(struct mesh_msg *m)
{
}

static void
no_bell(void *arg, unsigned target)
{
    ASSERT(!"core 0 does not sleep");
}

static void
jitter(unsigned *seed)
{
    volatile unsigned spins = (unsigned)rand_r(seed) % 64;

    while (spins)
        spins--;
}

static void *
handshake_sender(void *arg)
{
    struct handshake *h = arg;
    unsigned round;

    for (round = 1; !atomic_load(&h->over); round++) {
        atomic_store(&h->rung, false);
        ASSERT(mesh_send(h->mesh, 0, 1, &h->msg));
        meet_at(&h->before, round);
        jitter(&h->sender_seed);
        mesh_flush(h->mesh, 0, handshake_bell, h);
        meet_at(&h->between, round);
        meet_at(&h->after, round);
        ASSERT(mesh_poll(h->mesh, 0, 1) == 1);
    }
    return NULL;
}

static void
handshake_sleeper(struct handshake *h, unsigned round, bool last)
{
    bool sleeps;

    meet_at(&h->before, round);
    jitter(&h->sleeper_seed);
    sleeps = mesh_sleep_begin(h->mesh, 1);
    meet_at(&h->between, round);
    h->both_blind += sleeps && !atomic_load(&h->rung);
    h->slept += sleeps;
    h->stayed += !sleeps;
    mesh_sleep_end(h->mesh, 1);
    ASSERT(mesh_poll(h->mesh, 1, 1) == 1);
    mesh_flush(h->mesh, 1, no_bell, NULL);
    atomic_store(&h->over, last);
    meet_at(&h->after, round);
}

/* Sender and sleeper cross each other at every distance: one of the two must see the other. */
static void
check_handshakes(void)
{
    static struct handshake h;
    uint64_t deadline = clock_now_ns() + HANDSHAKES_NS_MAX;
    unsigned round = 0;
    bool last = false;
    pthread_t sender;

    h = (struct handshake){.mesh = mesh_create(2), .sender_seed = 1, .sleeper_seed = 2};
    h.msg = (struct mesh_msg){.run = handshake_run, .done = handshake_done};
    pthread_create(&sender, NULL, handshake_sender, &h);
    while (!last) {
        last = ++round == HANDSHAKES || clock_now_ns() > deadline;
        handshake_sleeper(&h, round, last);
    }
    pthread_join(sender, NULL);
    cr_assert_eq(h.both_blind, 0, "%u of %u", h.both_blind, round);
    cr_assert_gt(h.slept, 0);
    cr_assert_gt(h.stayed, 0);
    mesh_destroy(&h.mesh);
}

Test(mesh_race, sender_or_sleeper_sees_the_other, .timeout = 300)
{
    check_handshakes();
}

Test(mesh_race, sender_or_sleeper_sees_the_other_without_membarrier, .timeout = 300)
{
    forbid_membarrier();
    check_handshakes();
}

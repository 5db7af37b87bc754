/* The mesh in two ways: many cores driven by one thread, where every step is chosen by the test,
 * and two threads that race. */
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

#define WAKE_MS_MAX 5000 /* a wake-up that takes longer is lost */

struct note {
    struct mesh_msg msg;
    struct mesh *mesh;
    unsigned ran, done;
    bool keep; /* run does not reply */
};

static void
note_run(struct mesh_msg *m)
{
    struct note *n = container_of(m, struct note, msg);

    n->ran++;
    if (!n->keep)
        mesh_reply(n->mesh, m);
}

static void
note_done(struct mesh_msg *m)
{
    container_of(m, struct note, msg)->done++;
}

static struct note
make_note(struct mesh *m)
{
    return (struct note){.msg = {.run = note_run, .done = note_done}, .mesh = m};
}

static void
count_bell(void *arg, unsigned target)
{
    unsigned *bells = arg;

    bells[target]++;
}

static void
no_bell(void *arg, unsigned target)
{
    cr_assert_fail("nobody sleeps, yet core %u was rung", target);
}

Test(mesh, a_message_runs_there_and_is_done_here)
{
    struct mesh *m = mesh_create(3);
    struct note n = make_note(m);

    cr_assert(mesh_send(m, 0, 2, &n.msg));
    cr_assert_eq(n.msg.from, 0);
    cr_assert_eq(n.msg.to, 2);
    cr_assert_eq(mesh_poll(m, 2, 10), 0, "not published yet");
    mesh_flush(m, 0, no_bell, NULL);
    cr_assert_eq(mesh_depth(m, 0, 2), 1);
    cr_assert_eq(mesh_poll(m, 1, 10), 0);
    cr_assert_eq(mesh_poll(m, 2, 10), 1);
    cr_assert_eq(n.ran, 1);
    cr_assert_eq(mesh_poll(m, 0, 10), 0, "the reply is not published yet");
    mesh_flush(m, 2, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 0, 10), 1);
    cr_assert_eq(n.done, 1);
    cr_assert_eq(mesh_depth(m, 0, 2), 0);
    mesh_destroy(&m);
    cr_assert_null(m);
}

Test(mesh, a_core_may_send_to_itself)
{
    struct mesh *m = mesh_create(1);
    struct note n = make_note(m);

    cr_assert(mesh_send(m, 0, 0, &n.msg));
    mesh_flush(m, 0, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 0, 10), 1);
    cr_assert_eq(n.ran, 1);
    mesh_flush(m, 0, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 0, 10), 1);
    cr_assert_eq(n.done, 1);
    mesh_destroy(&m);
}

/* One more than the credits is refused; exactly as many come back as were completed, however long
 * the target keeps its messages. */
Test(mesh, credits_are_exact)
{
    static struct note notes[MESH_CREDITS + 1];
    struct mesh *m = mesh_create(2);
    unsigned i, round;

    for (i = 0; i <= MESH_CREDITS; i++)
        notes[i] = make_note(m);
    for (i = 0; i < MESH_CREDITS; i++) {
        notes[i].keep = i % 2;
        cr_assert(mesh_send(m, 0, 1, &notes[i].msg));
    }
    cr_assert_not(mesh_send(m, 0, 1, &notes[MESH_CREDITS].msg));
    mesh_flush(m, 0, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 1, UINT_MAX), MESH_CREDITS);
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_not(mesh_send(m, 0, 1, &notes[MESH_CREDITS].msg), "replied, not yet completed");
    cr_assert_eq(mesh_poll(m, 0, 5), 5);
    for (round = 0; round < 5; round++)
        cr_assert(mesh_send(m, 0, 1, &notes[2 * round].msg));
    cr_assert_not(mesh_send(m, 0, 1, &notes[MESH_CREDITS].msg));
    cr_assert_eq(mesh_poll(m, 0, UINT_MAX), MESH_CREDITS / 2 - 5);
    for (i = 1; i < MESH_CREDITS; i += 2)
        mesh_reply(m, &notes[i].msg);
    mesh_flush(m, 0, no_bell, NULL);
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 1, UINT_MAX), 5);
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 0, UINT_MAX), MESH_CREDITS / 2 + 5);
    for (i = 0; i < MESH_CREDITS; i++)
        cr_assert_eq(notes[i].done, i % 2 == 0 && i < 10 ? 2 : 1);
    mesh_destroy(&m);
}

/* A full pair must not hold up replies of the other direction. */
Test(mesh, full_both_ways_still_completes)
{
    static struct note there[MESH_CREDITS], back[MESH_CREDITS];
    struct mesh *m = mesh_create(2);
    unsigned i;

    for (i = 0; i < MESH_CREDITS; i++) {
        there[i] = make_note(m);
        back[i] = make_note(m);
        cr_assert(mesh_send(m, 0, 1, &there[i].msg));
        cr_assert(mesh_send(m, 1, 0, &back[i].msg));
    }
    for (i = 0; i < 2; i++) {
        mesh_flush(m, 0, no_bell, NULL);
        mesh_flush(m, 1, no_bell, NULL);
        cr_assert_eq(mesh_poll(m, 0, UINT_MAX), MESH_CREDITS);
        cr_assert_eq(mesh_poll(m, 1, UINT_MAX), MESH_CREDITS);
    }
    for (i = 0; i < MESH_CREDITS; i++)
        cr_assert(there[i].done == 1 && back[i].done == 1);
    mesh_destroy(&m);
}

struct waiting {
    struct mesh_waiter w;
    struct note note;
    unsigned called;
    unsigned order;
    bool refuses; /* takes no credit when called */
};

static unsigned next_order;

static void
waiting_room(struct mesh_waiter *w)
{
    struct waiting *x = container_of(w, struct waiting, w);

    x->called++;
    x->order = ++next_order;
    if (x->refuses)
        return;
    cr_assert(mesh_send(x->note.mesh, 0, 1, &x->note.msg));
}

static void
turn(struct mesh *m, unsigned core, unsigned budget)
{
    mesh_poll(m, core, budget);
    mesh_flush(m, core, no_bell, NULL);
}

Test(mesh, waiters_are_called_in_order_while_there_is_credit)
{
    static struct note notes[MESH_CREDITS];
    struct mesh *m = mesh_create(2);
    struct waiting w[6] = {0};
    unsigned i;

    for (i = 0; i < MESH_CREDITS; i++) {
        notes[i] = make_note(m);
        cr_assert(mesh_send(m, 0, 1, &notes[i].msg));
    }
    for (i = 0; i < 6; i++) {
        w[i] = (struct waiting){.w.room = waiting_room, .note = make_note(m), .refuses = i == 1};
        mesh_wait(m, 0, 1, &w[i].w);
    }
    list_remove(&w[2].w.node); /* gave up */
    turn(m, 0, 100);
    turn(m, 1, UINT_MAX);
    cr_assert_eq(next_order, 0);
    turn(m, 0, 2); /* two completions: two credits for 0 and 3; 1 takes none */
    cr_assert_eq(w[0].order, 1);
    cr_assert_eq(w[1].order, 2);
    cr_assert_eq(w[2].called, 0);
    cr_assert_eq(w[3].order, 3);
    cr_assert_eq(w[4].called, 0);
    turn(m, 0, UINT_MAX);
    cr_assert_eq(w[4].order, 4);
    cr_assert_eq(w[5].order, 5);
    turn(m, 1, UINT_MAX);
    turn(m, 0, UINT_MAX);
    for (i = 0; i < 6; i++) {
        cr_assert_eq(w[i].called, i != 2);
        cr_assert_eq(w[i].note.done, i != 1 && i != 2);
    }
    mesh_destroy(&m);
}

Test(mesh, only_sleepers_are_rung_and_once)
{
    const unsigned n = 70; /* more than one word of targets */
    unsigned bells[70] = {0}, i;
    struct mesh *m = mesh_create(n);
    struct note notes[4];

    for (i = 0; i < 4; i++)
        notes[i] = make_note(m);
    cr_assert(mesh_sleep_begin(m, 5));
    cr_assert(mesh_sleep_begin(m, 69));
    mesh_send(m, 0, 5, &notes[0].msg);
    mesh_send(m, 0, 5, &notes[1].msg);
    mesh_send(m, 0, 69, &notes[2].msg);
    mesh_send(m, 0, 6, &notes[3].msg);
    mesh_flush(m, 0, count_bell, bells);
    cr_assert_eq(bells[5], 1);
    cr_assert_eq(bells[69], 1);
    cr_assert_eq(bells[6], 0);
    mesh_send(m, 1, 5, &notes[0].msg);
    mesh_flush(m, 1, count_bell, bells);
    cr_assert_eq(bells[5], 1, "somebody else has rung already");
    mesh_sleep_end(m, 5);
    cr_assert_not(mesh_sleep_begin(m, 5), "there is news");
    cr_assert_eq(mesh_poll(m, 5, 100), 3);
    mesh_destroy(&m);
}

/* A reply is news for the one that sleeps over its request. */
Test(mesh, a_completion_wakes_its_sender)
{
    struct mesh *m = mesh_create(2);
    struct note n = make_note(m);
    unsigned bells[2] = {0};

    mesh_send(m, 0, 1, &n.msg);
    mesh_flush(m, 0, count_bell, bells);
    cr_assert(mesh_sleep_begin(m, 0));
    mesh_poll(m, 1, 10);
    mesh_flush(m, 1, count_bell, bells);
    cr_assert_eq(bells[0], 1);
    cr_assert_eq(bells[1], 0);
    mesh_sleep_end(m, 0);
    cr_assert_not(mesh_sleep_begin(m, 0));
    mesh_destroy(&m);
}

/* With a budget smaller than what one neighbour offers the next poll begins at another one. */
Test(mesh, a_loud_neighbour_starves_nobody)
{
    struct mesh *m = mesh_create(3);
    static struct note loud[100];
    struct note quiet = make_note(m);
    unsigned i;

    for (i = 0; i < 100; i++) {
        loud[i] = make_note(m);
        mesh_send(m, 0, 2, &loud[i].msg);
    }
    mesh_send(m, 1, 2, &quiet.msg);
    mesh_flush(m, 0, no_bell, NULL);
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 2, 10), 10);
    cr_assert_eq(mesh_poll(m, 2, 10), 10);
    cr_assert_eq(quiet.ran, 1);
    mesh_destroy(&m);
}

Test(mesh, the_largest_mesh_reaches_its_last_core)
{
    struct mesh *m = mesh_create(MESH_CORES_MAX);
    struct note n = make_note(m);

    cr_assert_not_null(m);
    cr_assert(mesh_send(m, 3, MESH_CORES_MAX - 1, &n.msg));
    mesh_flush(m, 3, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, MESH_CORES_MAX - 1, 1), 1);
    mesh_destroy(&m);
}

/* ---- two threads ---- */

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

Test(mesh, two_threads_exchange_millions_over_full_rings, .timeout = 60)
{
    struct core *c = race(2000000, 2000000, false);

    cr_assert_gt(c[0].refused, 0);
    cr_assert_gt(c[1].refused, 0);
}

Test(mesh, no_wake_up_is_lost_when_both_sleep_all_the_time, .timeout = 60)
{
    struct core *c = race(1000000, 100000, true);

    cr_assert_gt(c[0].sleeps_done, 100);
    cr_assert_gt(c[1].sleeps_done, 100);
}

/* One message at a time: both sleep once per message. */
Test(mesh, no_wake_up_is_lost_in_a_ping_pong, .timeout = 60)
{
    struct core *c = race(1, 0, true);
    unsigned i;

    for (i = 0; i < 300; i++)
        c = race(20, i % 3, true);
    cr_assert_eq(c[0].done, 20);
}

/* ---- the handshake ---- */

#define HANDSHAKES 150000

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
        if (++spins % 4096 == 0)
            sched_yield();
}

struct handshake {
    struct mesh *mesh;
    struct note note;
    struct meeting_point before, between, after;
    _Atomic bool rung;
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

    for (round = 1; round <= HANDSHAKES; round++) {
        atomic_store(&h->rung, false);
        ASSERT(mesh_send(h->mesh, 0, 1, &h->note.msg));
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
handshake_sleeper(struct handshake *h, unsigned round)
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
    meet_at(&h->after, round);
}

/* Sender and sleeper cross each other at every distance: one of the two must see the other. */
static void
check_handshakes(void)
{
    static struct handshake h;
    pthread_t sender;
    unsigned round;

    h = (struct handshake){.mesh = mesh_create(2), .sender_seed = 1, .sleeper_seed = 2};
    h.note = make_note(h.mesh);
    pthread_create(&sender, NULL, handshake_sender, &h);
    for (round = 1; round <= HANDSHAKES; round++)
        handshake_sleeper(&h, round);
    pthread_join(sender, NULL);
    cr_assert_eq(h.both_blind, 0, "%u of %u", h.both_blind, HANDSHAKES);
    cr_assert_gt(h.slept, 100);
    cr_assert_gt(h.stayed, 100);
    mesh_destroy(&h.mesh);
}

Test(mesh, sender_or_sleeper_sees_the_other, .timeout = 60)
{
    check_handshakes();
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

Test(mesh, no_wake_up_is_lost_without_membarrier, .timeout = 60)
{
    struct core *c;

    forbid_membarrier();
    c = race(500000, 50000, true);
    cr_assert_gt(c[0].sleeps_done, 100);
}

Test(mesh, sender_or_sleeper_sees_the_other_without_membarrier, .timeout = 60)
{
    forbid_membarrier();
    check_handshakes();
}

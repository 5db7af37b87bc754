/* Rings, credits and waking.
 *
 * For the ordered pair (from, to):
 *
 *     from --requests-->    to     producer from, consumer to
 *     from <--completions-- to     producer to, consumer from
 *
 * A credit is taken by mesh_send and given back when the completion has been popped, so at most
 * MESH_CREDITS + MESH_CREDITS_URGENT messages of a pair are in its two rings together. Both rings
 * hold that many: once there is a credit neither ring can be full, and that is asserted instead of
 * handled.
 *
 * Waking is an asymmetric Dekker handshake. The sleeper stores `sleeping`, then looks at its rings;
 * the sender publishes, then looks at `sleeping`. One of the two must see the other's store, which
 * takes a full barrier between the store and the load on both sides. The sleeper executes both of
 * them: membarrier(PRIVATE_EXPEDITED) interrupts every CPU that runs a thread of ours and puts a
 * full barrier there, so the sender's side needs only to keep the compiler from reordering. Where
 * the kernel refuses membarrier both sides pass through one atomic read-modify-write of the
 * sleeper's `meeting`: whoever comes second sees what the first one stored before. */
#include "core/mesh.h"

#include "core/ring.h"

#include <linux/membarrier.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MESH_BATCH 32 /* messages copied out of a ring at a time */
#define NEWS_WORDS (MESH_CORES_MAX / 64)

#define RING_SLOTS (MESH_CREDITS + MESH_CREDITS_URGENT)

static_assert((RING_SLOTS & (RING_SLOTS - 1)) == 0, "rings hold a power of two");

struct mesh_pair {
    struct ring requests, completions;
};

struct mesh_lane {
    struct list waiters;
    unsigned credits; /* requests that may still be sent there */
};

/* What core `me` knows of one other core. */
struct mesh_peer {
    struct mesh_lane lanes[2]; /* [urgent] */
};

/* One core. Used by its own thread only, but for the last line. */
struct mesh_end {
    struct mesh_peer *peers;   /* [ncores] */
    uint64_t news[NEWS_WORDS]; /* targets for which something is staged */
    unsigned next_peer;        /* where the next poll begins, so nobody starves */
    unsigned in_hand;          /* messages, or waiters, taken and not called yet */
    alignas(CACHE_LINE) _Atomic bool sleeping;
    _Atomic unsigned meeting; /* without membarrier only */
};

struct mesh {
    unsigned ncores;
    bool membarrier; /* the kernel pays the sender's barrier */
    struct mesh_end *ends;
    struct mesh_pair *pairs; /* [from * ncores + to] */
};

static struct mesh_pair *
mesh_pair(const struct mesh *m, unsigned from, unsigned to)
{
    return &m->pairs[from * m->ncores + to];
}

/* ---- creating ---- */

static bool
membarrier_register(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static void *
alloc_lines(size_t n, size_t size)
{
    void *p = aligned_alloc(CACHE_LINE, n * size);

    if (p)
        memset(p, 0, n * size);
    return p;
}

static bool
mesh_init_ends(struct mesh *m)
{
    unsigned i, j;

    m->ends = alloc_lines(m->ncores, sizeof(*m->ends));
    if (!m->ends)
        return false;
    for (i = 0; i < m->ncores; i++) {
        m->ends[i].peers =
            alloc_lines(1, ALIGN_UP(m->ncores * sizeof(struct mesh_peer), (size_t)CACHE_LINE));
        if (!m->ends[i].peers)
            return false;
        for (j = 0; j < m->ncores; j++) {
            struct mesh_lane *lanes = m->ends[i].peers[j].lanes;

            lanes[false] = (struct mesh_lane){.credits = MESH_CREDITS};
            lanes[true] = (struct mesh_lane){.credits = MESH_CREDITS_URGENT};
            list_init(&lanes[false].waiters);
            list_init(&lanes[true].waiters);
        }
    }
    return true;
}

static bool
mesh_init_pairs(struct mesh *m)
{
    unsigned i, n = m->ncores * m->ncores;

    m->pairs = alloc_lines(n, sizeof(*m->pairs));
    if (!m->pairs)
        return false;
    for (i = 0; i < n; i++)
        if (ring_init(&m->pairs[i].requests, RING_SLOTS) ||
            ring_init(&m->pairs[i].completions, RING_SLOTS))
            return false;
    return true;
}

struct mesh *
mesh_create(unsigned ncores)
{
    struct mesh *m;

    ASSERT(ncores > 0 && ncores <= MESH_CORES_MAX);
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->ncores = ncores;
    m->membarrier = membarrier_register();
    if (!mesh_init_ends(m) || !mesh_init_pairs(m))
        mesh_destroy(&m);
    return m;
}

void
mesh_destroy(struct mesh **mp)
{
    struct mesh *m = *mp;
    unsigned i;

    if (!m)
        return;
    for (i = 0; m->pairs && i < m->ncores * m->ncores; i++) {
        ring_fini(&m->pairs[i].requests);
        ring_fini(&m->pairs[i].completions);
    }
    for (i = 0; m->ends && i < m->ncores; i++)
        free(m->ends[i].peers);
    free(m->pairs);
    free(m->ends);
    free(m);
    *mp = NULL;
}

/* ---- sending ---- */

static void
note_news(struct mesh_end *e, unsigned target)
{
    e->news[target / 64] |= 1ull << target % 64;
}

static bool
send_in(struct mesh *m, unsigned from, unsigned to, struct mesh_msg *msg, bool urgent)
{
    struct mesh_end *e = &m->ends[from];
    struct mesh_lane *lane;
    bool staged;

    ASSERT(from < m->ncores && to < m->ncores && msg->run && msg->done);
    lane = &e->peers[to].lanes[urgent];
    if (!lane->credits)
        return false;
    lane->credits--;
    msg->from = (uint16_t)from;
    msg->to = (uint16_t)to;
    msg->urgent = urgent;
    staged = ring_stage(&mesh_pair(m, from, to)->requests, msg);
    ASSERT(staged);
    note_news(e, to);
    return true;
}

bool
mesh_send(struct mesh *m, unsigned from, unsigned to, struct mesh_msg *msg)
{
    return send_in(m, from, to, msg, false);
}

bool
mesh_send_urgent(struct mesh *m, unsigned from, unsigned to, struct mesh_msg *msg)
{
    return send_in(m, from, to, msg, true);
}

void
mesh_reply(struct mesh *m, struct mesh_msg *msg)
{
    bool staged = ring_stage(&mesh_pair(m, msg->from, msg->to)->completions, msg);

    ASSERT(staged);
    note_news(&m->ends[msg->to], msg->from);
}

static void
wait_in(struct mesh *m, unsigned from, unsigned to, struct mesh_waiter *w, bool urgent)
{
    ASSERT(from < m->ncores && to < m->ncores && w->room);
    list_push_back(&m->ends[from].peers[to].lanes[urgent].waiters, &w->node);
}

void
mesh_wait(struct mesh *m, unsigned from, unsigned to, struct mesh_waiter *w)
{
    wait_in(m, from, to, w, false);
}

void
mesh_wait_urgent(struct mesh *m, unsigned from, unsigned to, struct mesh_waiter *w)
{
    wait_in(m, from, to, w, true);
}

/* ---- receiving ---- */

static bool
lane_can_go_on(const struct mesh_lane *l)
{
    return unlikely(!list_empty(&l->waiters)) && l->credits;
}

static bool
can_call_waiters(const struct mesh_peer *p)
{
    return lane_can_go_on(&p->lanes[true]) || lane_can_go_on(&p->lanes[false]);
}

/* Only those who wait now are called: one that finds the credits gone and waits again has its turn
 * at the next poll. */
static void
call_waiters(struct mesh_end *e, struct mesh_lane *l)
{
    struct list now, *node;

    list_init(&now);
    list_splice(&now, &l->waiters);
    while (l->credits && (node = list_pop_front(&now))) {
        struct mesh_waiter *w = list_entry(node, struct mesh_waiter, node);

        e->in_hand = !list_empty(&now);
        w->room(w);
    }
    e->in_hand = 0;
    /* Who was not called stays before who came meanwhile. */
    list_splice(&now, &l->waiters);
    list_splice(&l->waiters, &now);
}

static unsigned
take_batch(struct ring *r, struct mesh_msg **ret_msgs, unsigned budget)
{
    unsigned i, n = ring_pop_batch(r, (void **)ret_msgs, MIN(budget, (unsigned)MESH_BATCH));

    for (i = 0; i < n; i++)
        __builtin_prefetch(ret_msgs[i], 1);
    return n;
}

static unsigned
poll_completions(struct mesh *m, unsigned me, unsigned other, unsigned budget)
{
    struct ring *r = &mesh_pair(m, me, other)->completions;
    struct mesh_end *e = &m->ends[me];
    struct mesh_peer *p = &e->peers[other];
    struct mesh_msg *msgs[MESH_BATCH];
    unsigned i, got, n = 0;

    while (n < budget && (got = take_batch(r, msgs, budget - n))) {
        for (i = 0; i < got; i++)
            p->lanes[msgs[i]->urgent].credits++;
        for (i = 0; i < got; i++) {
            e->in_hand = got - i - 1;
            msgs[i]->done(msgs[i]);
        }
        n += got;
    }
    if (lane_can_go_on(&p->lanes[true]))
        call_waiters(e, &p->lanes[true]);
    if (lane_can_go_on(&p->lanes[false]))
        call_waiters(e, &p->lanes[false]);
    return n;
}

static unsigned
poll_requests(struct mesh *m, unsigned me, unsigned other, unsigned budget)
{
    struct ring *r = &mesh_pair(m, other, me)->requests;
    struct mesh_msg *msgs[MESH_BATCH];
    unsigned i, got, n = 0;

    while (n < budget && (got = take_batch(r, msgs, budget - n))) {
        for (i = 0; i < got; i++) {
            m->ends[me].in_hand = got - i - 1;
            msgs[i]->run(msgs[i]);
        }
        n += got;
    }
    return n;
}

unsigned
mesh_poll(struct mesh *m, unsigned me, unsigned budget)
{
    struct mesh_end *e = &m->ends[me];
    unsigned i, other, n = 0;

    for (i = 0; i < m->ncores && n < budget; i++) {
        other = e->next_peer;
        e->next_peer = other + 1 == m->ncores ? 0 : other + 1;
        n += poll_completions(m, me, other, budget - n);
        n += poll_requests(m, me, other, budget - n);
    }
    return n;
}

/* ---- waking ---- */

/* Acquire and release on one location: the two sides' passages have an order, and the later one
 * sees everything the earlier one did before. */
static void
meet(struct mesh_end *sleeper)
{
    atomic_fetch_add_explicit(&sleeper->meeting, 1, memory_order_acq_rel);
}

static void
sleeper_barrier(const struct mesh *m, unsigned me)
{
    if (m->membarrier)
        ASSERT(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    else
        meet(&m->ends[me]);
}

/* True for one sender only, so a sleeper gets one bell however many have news for it. */
static bool
claim_bell(struct mesh_end *target)
{
    return atomic_load_explicit(&target->sleeping, memory_order_relaxed) &&
           atomic_exchange_explicit(&target->sleeping, false, memory_order_relaxed);
}

/* A store, even of the same value, would take the line from the consumer for nothing. */
static void
publish_if_staged(struct ring *r)
{
    if (ring_unpublished(r))
        ring_publish(r);
}

static void
flush_word(struct mesh *m, unsigned me, unsigned word, void (*ring_bell)(void *, unsigned),
           void *arg)
{
    uint64_t bits = m->ends[me].news[word];
    unsigned to;

    for (; bits; bits &= bits - 1) {
        to = word * 64 + (unsigned)__builtin_ctzll(bits);
        publish_if_staged(&mesh_pair(m, me, to)->requests);
        publish_if_staged(&mesh_pair(m, to, me)->completions);
    }
    /* The sender's half of the handshake: nothing for the CPU to do, see the head of this file. */
    atomic_signal_fence(memory_order_seq_cst);
    for (bits = m->ends[me].news[word]; bits; bits &= bits - 1) {
        to = word * 64 + (unsigned)__builtin_ctzll(bits);
        if (unlikely(!m->membarrier))
            meet(&m->ends[to]);
        if (claim_bell(&m->ends[to]))
            ring_bell(arg, to);
    }
    m->ends[me].news[word] = 0;
}

void
mesh_flush(struct mesh *m, unsigned me, void (*ring_bell)(void *arg, unsigned target), void *arg)
{
    unsigned word, words = (m->ncores + 63) / 64;

    for (word = 0; word < words; word++)
        if (m->ends[me].news[word])
            flush_word(m, me, word, ring_bell, arg);
}

static bool
have_news(const struct mesh *m, unsigned me)
{
    unsigned i;

    for (i = 0; i < m->ncores; i++)
        if (ring_depth(&mesh_pair(m, i, me)->requests) ||
            ring_depth(&mesh_pair(m, me, i)->completions) ||
            can_call_waiters(&m->ends[me].peers[i]))
            return true;
    return false;
}

static bool
has_staged(const struct mesh *m, unsigned me)
{
    unsigned word, words = (m->ncores + 63) / 64;
    uint64_t any = 0;

    for (word = 0; word < words; word++)
        any |= m->ends[me].news[word];
    return any != 0;
}

bool
mesh_has_news(const struct mesh *m, unsigned me)
{
    return m->ends[me].in_hand > 0 || has_staged(m, me) || have_news(m, me);
}

bool
mesh_sleep_begin(struct mesh *m, unsigned me)
{
    if (have_news(m, me))
        return false;
    atomic_store_explicit(&m->ends[me].sleeping, true, memory_order_relaxed);
    sleeper_barrier(m, me);
    if (!have_news(m, me))
        return true;
    mesh_sleep_end(m, me);
    return false;
}

void
mesh_sleep_end(struct mesh *m, unsigned me)
{
    atomic_store_explicit(&m->ends[me].sleeping, false, memory_order_relaxed);
}

unsigned
mesh_depth(const struct mesh *m, unsigned from, unsigned to)
{
    return ring_depth(&mesh_pair(m, from, to)->requests);
}

/* Many cores driven by one thread: every step is chosen by the test. */
#include "core/mesh.h"

#include <criterion/criterion.h>

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

static unsigned news_seen; /* by the messages that ran, a digit each */

static void
look_for_news(struct mesh_msg *m)
{
    struct note *n = container_of(m, struct note, msg);

    news_seen = 10 * news_seen + mesh_has_news(n->mesh, m->to);
}

Test(mesh, what_is_under_way_is_news)
{
    struct mesh *m = mesh_create(2);
    struct note n[2] = {make_note(m), make_note(m)};

    cr_assert_not(mesh_has_news(m, 0));
    for (unsigned i = 0; i < 2; i++) {
        n[i].msg.run = look_for_news;
        cr_assert(mesh_send(m, 0, 1, &n[i].msg));
    }
    cr_assert(mesh_has_news(m, 0), "staged, and to be flushed");
    cr_assert_not(mesh_has_news(m, 1));
    mesh_flush(m, 0, no_bell, NULL);
    cr_assert_not(mesh_has_news(m, 0));
    cr_assert(mesh_has_news(m, 1));
    cr_assert_eq(mesh_poll(m, 1, 10), 2);
    cr_assert_eq(news_seen, 10, "while the first of two ran, and not while the second did");
    mesh_reply(m, &n[0].msg);
    cr_assert(mesh_has_news(m, 1));
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_not(mesh_has_news(m, 1));
    cr_assert(mesh_has_news(m, 0));
    cr_assert_eq(mesh_poll(m, 0, 10), 1);
    cr_assert_not(mesh_has_news(m, 0));
    mesh_destroy(&m);
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

/* With every other credit held by messages the target keeps, urgent ones pass to and fro; their
 * waiters are called for their own credits only. */
Test(mesh, urgent_messages_pass_those_that_wait)
{
    static struct note kept[MESH_CREDITS], urgent[MESH_CREDITS_URGENT + 1];
    struct mesh *m = mesh_create(2);
    unsigned i, round;

    for (i = 0; i < MESH_CREDITS; i++) {
        kept[i] = make_note(m);
        kept[i].keep = true;
        cr_assert(mesh_send(m, 0, 1, &kept[i].msg));
    }
    for (round = 0; round < 3; round++) {
        for (i = 0; i <= MESH_CREDITS_URGENT; i++)
            urgent[i] = make_note(m);
        for (i = 0; i < MESH_CREDITS_URGENT; i++)
            cr_assert(mesh_send_urgent(m, 0, 1, &urgent[i].msg));
        cr_assert_not(mesh_send_urgent(m, 0, 1, &urgent[MESH_CREDITS_URGENT].msg));
        mesh_flush(m, 0, no_bell, NULL);
        cr_assert_eq(mesh_poll(m, 1, UINT_MAX), MESH_CREDITS_URGENT + (round ? 0 : MESH_CREDITS));
        mesh_flush(m, 1, no_bell, NULL);
        cr_assert_eq(mesh_poll(m, 0, UINT_MAX), MESH_CREDITS_URGENT);
        cr_assert_not(mesh_send(m, 0, 1, &urgent[MESH_CREDITS_URGENT].msg));
    }
    for (i = 0; i < MESH_CREDITS; i++)
        mesh_reply(m, &kept[i].msg);
    mesh_flush(m, 1, no_bell, NULL);
    cr_assert_eq(mesh_poll(m, 0, UINT_MAX), MESH_CREDITS);
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

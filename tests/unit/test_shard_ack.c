/* When a batch counts as acknowledged: order, groups that hold back, numbers that wrap, failure.
 * The journal is a struct whose progress the tests move by hand. */
#include "shards/engine/core.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct fixture {
    struct core *core;
    struct shard *sh;
};

/* The shard as if batch `seq` were the last durable one. */
static void
setup(struct fixture *f, uint32_t seq)
{
    f->core = calloc(1, sizeof(*f->core));
    cr_assert(f->core);
    conn_set_init(&f->core->conns, &f->core->reactor);
    f->sh = &f->core->shard;
    shard_init(f->sh, 0, f->core);
    f->sh->journal.durable_seq = f->sh->acked_seq = seq;
    f->sh->journal.open_seq = seq + 1;
    f->sh->journal.open_first_lsn = f->sh->journal.next_lsn = 1;
}

static void
teardown(struct fixture *f)
{
    shard_fini(f->sh);
    free(f->core);
}

/* A record into the open batch; returns the batch. */
static uint32_t
write_record(struct fixture *f)
{
    f->sh->journal.next_lsn++;
    return f->sh->journal.open_seq;
}

static uint32_t
seal(struct fixture *f)
{
    f->sh->journal.open_first_lsn = f->sh->journal.next_lsn;
    return f->sh->journal.open_seq++;
}

static void
durable(struct fixture *f, uint32_t seq)
{
    f->sh->journal.durable_seq = seq;
    shard_progress(f->sh);
}

static void
journal_fails(struct fixture *f)
{
    f->sh->journal.state = JOURNAL_FAILED;
    shard_fail(f->sh);
}

static char events[256];

static void
note(char c)
{
    size_t n = strlen(events);

    cr_assert_lt(n, sizeof(events) - 1);
    events[n] = c;
    events[n + 1] = '\0';
}

struct waiter {
    struct ack_waiter ack;
    char name;
};

static void
waiter_run(struct ack_waiter *w)
{
    note(container_of(w, struct waiter, ack)->name);
    if (w->failed)
        note('!');
}

static struct waiter
waiter(char name)
{
    return (struct waiter){.ack.run = waiter_run, .name = name};
}

struct group {
    struct shard_group g;
    uint64_t set[SHARD_SET_WORDS];
    char name;
};

static void
group_ready(struct shard_group *g)
{
    note(container_of(g, struct group, g)->name);
    if (g->failed)
        note('!');
}

/* Participants as bits. */
static void
group_add(struct fixture *f, struct group *g, char name, uint64_t shards)
{
    *g = (struct group){.set = {shards}, .name = name};
    g->g = (struct shard_group){
        .lsn = f->sh->journal.next_lsn, .shards = g->set, .ready = group_ready};
    g->g.seq = write_record(f);
    shard_group_add(f->sh, &g->g);
}

Test(shard_ack, waiters_run_in_the_order_of_their_batches)
{
    struct fixture f;
    struct waiter a = waiter('a'), b = waiter('b'), c = waiter('c');
    uint32_t one, two;

    setup(&f, 10);
    one = write_record(&f);
    seal(&f);
    two = write_record(&f);
    seal(&f);
    shard_when_acked(f.sh, &b.ack, two);
    shard_when_acked(f.sh, &a.ack, one);
    shard_when_acked(f.sh, &c.ack, two);
    cr_assert_str_eq(events, "");
    durable(&f, one);
    cr_assert_str_eq(events, "a");
    durable(&f, two);
    cr_assert_str_eq(events, "abc");
    teardown(&f);
}

Test(shard_ack, what_is_acknowledged_runs_at_once)
{
    struct fixture f;
    struct waiter a = waiter('a');
    uint32_t one;

    setup(&f, 10);
    one = write_record(&f);
    seal(&f);
    durable(&f, one);
    shard_when_acked(f.sh, &a.ack, one);
    cr_assert_str_eq(events, "a");
    teardown(&f);
}

Test(shard_ack, pending_is_what_lies_between_acknowledged_and_open)
{
    static const uint32_t starts[] = {0, 1, 77, INT32_MAX - 2, UINT32_MAX - 3, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        uint32_t acked = starts[i];
        struct fixture f;

        setup(&f, acked);
        cr_assert(!shard_seq_pending(f.sh, acked));
        cr_assert(!shard_seq_pending(f.sh, acked - 1));
        cr_assert(!shard_seq_pending(f.sh, acked - 1000000));
        cr_assert(!shard_seq_pending(f.sh, acked + 2), "a number of long ago that wrapped");
        write_record(&f);
        cr_assert(shard_seq_pending(f.sh, acked + 1));
        seal(&f);
        write_record(&f);
        cr_assert(shard_seq_pending(f.sh, acked + 1));
        cr_assert(shard_seq_pending(f.sh, acked + 2));
        durable(&f, acked + 1);
        cr_assert(!shard_seq_pending(f.sh, acked + 1));
        cr_assert(shard_seq_pending(f.sh, acked + 2));
        teardown(&f);
    }
}

/* It may never be written: who waited for it would wait for ever. */
Test(shard_ack, an_empty_open_batch_is_not_pending)
{
    struct fixture f;

    setup(&f, UINT32_MAX);
    cr_assert_eq(f.sh->journal.open_seq, 0);
    cr_assert(!shard_seq_pending(f.sh, 0), "0 is what keys have that were never written");
    write_record(&f);
    cr_assert(shard_seq_pending(f.sh, 0));
    teardown(&f);
}

Test(shard_ack, numbers_wrap_without_a_reply_leaving_early_or_never)
{
    struct waiter w[8];
    struct fixture f;

    setup(&f, UINT32_MAX - 4);
    for (unsigned i = 0; i < 8; i++) {
        w[i] = waiter((char)('a' + i));
        write_record(&f);
        shard_when_acked(f.sh, &w[i].ack, seal(&f));
    }
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(strlen(events), i);
        durable(&f, UINT32_MAX - 3 + i);
    }
    cr_assert_str_eq(events, "abcdefgh");
    teardown(&f);
}

Test(shard_ack, a_group_holds_back_itself_and_what_follows)
{
    struct waiter before = waiter('b'), with = waiter('w'), after = waiter('a');
    struct group g;
    struct fixture f;
    uint32_t first, second, third;

    setup(&f, 3);
    write_record(&f);
    first = seal(&f);
    group_add(&f, &g, 'G', 3);
    second = seal(&f);
    write_record(&f);
    third = seal(&f);
    shard_when_acked(f.sh, &before.ack, first);
    shard_when_acked(f.sh, &with.ack, second);
    shard_when_acked(f.sh, &after.ack, third);
    durable(&f, third);
    cr_assert_str_eq(events, "Gb", "ready, but not known to be so everywhere");
    cr_assert_eq(f.sh->acked_seq, first);
    cr_assert(shard_seq_pending(f.sh, second) && shard_seq_pending(f.sh, third));
    shard_group_resolved(f.sh, &g.g);
    cr_assert_str_eq(events, "Gbwa");
    cr_assert_eq(f.sh->acked_seq, third);
    teardown(&f);
}

Test(shard_ack, groups_resolved_out_of_order_still_hold_back_in_order)
{
    struct waiter one = waiter('1'), two = waiter('2');
    struct group g, h;
    struct fixture f;

    setup(&f, 0);
    group_add(&f, &g, 'G', 3);
    shard_when_acked(f.sh, &one.ack, seal(&f));
    group_add(&f, &h, 'H', 3);
    shard_when_acked(f.sh, &two.ack, seal(&f));
    durable(&f, 2);
    cr_assert_str_eq(events, "GH");
    shard_group_resolved(f.sh, &h.g);
    cr_assert_str_eq(events, "GH");
    shard_group_resolved(f.sh, &g.g);
    cr_assert_str_eq(events, "GH12");
    teardown(&f);
}

/* This journal is shard 0. G also lies in shard 2, of which H knows nothing: were G's part missing
 * there after a crash, this journal would be cut before G, and H would go with it. */
Test(shard_ack, a_part_is_not_ready_while_a_group_before_it_may_be_cut_off)
{
    struct group g, h;
    struct fixture f;

    setup(&f, 0);
    group_add(&f, &g, 'G', 1 << 0 | 1 << 2);
    group_add(&f, &h, 'H', 1 << 0 | 1 << 1);
    durable(&f, seal(&f));
    cr_assert_str_eq(events, "G");
    shard_group_resolved(f.sh, &g.g);
    cr_assert_str_eq(events, "GH");
    teardown(&f);
}

Test(shard_ack, a_part_need_not_wait_for_groups_of_the_same_journals)
{
    struct group g, h, i;
    struct fixture f;

    setup(&f, 0);
    group_add(&f, &g, 'G', 1 << 0 | 1 << 1);
    group_add(&f, &h, 'H', 1 << 0 | 1 << 1 | 1 << 2);
    group_add(&f, &i, 'I', 1 << 0 | 1 << 1);
    durable(&f, seal(&f));
    cr_assert_str_eq(events, "GH", "I does not lie in shard 2, where H may be missing");
    shard_group_resolved(f.sh, &h.g);
    cr_assert_str_eq(events, "GHI");
    teardown(&f);
}

Test(shard_ack, a_part_is_not_ready_before_it_is_durable)
{
    struct group g, h;
    struct fixture f;

    setup(&f, UINT32_MAX - 1);
    group_add(&f, &g, 'G', 3);
    seal(&f);
    group_add(&f, &h, 'H', 3);
    seal(&f);
    shard_progress(f.sh);
    cr_assert_str_eq(events, "");
    durable(&f, UINT32_MAX);
    cr_assert_str_eq(events, "G");
    durable(&f, 0);
    cr_assert_str_eq(events, "GH");
    teardown(&f);
}

static struct fixture *nested;

static void
resolve_at_once(struct shard_group *g)
{
    group_ready(g);
    shard_group_resolved(nested->sh, g);
}

Test(shard_ack, groups_may_be_resolved_while_they_are_told)
{
    struct group g[16];
    struct fixture f;

    nested = &f;
    setup(&f, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(g); i++) {
        group_add(&f, &g[i], (char)('a' + i), i % 3 ? 3 : 5);
        g[i].g.ready = resolve_at_once;
    }
    durable(&f, seal(&f));
    cr_assert_eq(strlen(events), ARRAY_SIZE(g), "%s", events);
    cr_assert(list_empty(&f.sh->groups));
    cr_assert_eq(f.sh->acked_seq, 1);
    teardown(&f);
}

Test(shard_ack, a_failed_journal_fails_who_waits_and_who_comes_later)
{
    struct waiter done = waiter('d'), one = waiter('1'), late = waiter('l');
    struct group g, h, i;
    struct fixture f;
    uint32_t first;

    setup(&f, 0);
    write_record(&f);
    first = seal(&f);
    group_add(&f, &g, 'G', 3);
    seal(&f);
    durable(&f, 2);
    cr_assert_str_eq(events, "G");
    group_add(&f, &h, 'H', 3);
    shard_when_acked(f.sh, &one.ack, seal(&f));
    journal_fails(&f);
    cr_assert_str_eq(events, "GH!1!", "G was told already");
    shard_when_acked(f.sh, &late.ack, 3);
    group_add(&f, &i, 'I', 3);
    cr_assert_str_eq(events, "GH!1!l!I!");
    shard_when_acked(f.sh, &done.ack, first);
    cr_assert_str_eq(events, "GH!1!l!I!d", "was on disk before");
    teardown(&f);
}

/* Waiting for a lease: in order, one at a time. */
struct lease_waiter {
    struct shard_waiter w;
    char name;
    bool takes;
};

static void
lease_run(struct shard_waiter *w, struct shard *sh)
{
    struct lease_waiter *l = container_of(w, struct lease_waiter, w);

    note(l->name);
    if (l->takes)
        shard_lease(sh);
}

Test(shard_ack, who_waits_for_a_lease_is_served_in_order)
{
    struct lease_waiter a = {{.run = lease_run}, 'a', false}, b = {{.run = lease_run}, 'b', true},
                        c = {{.run = lease_run}, 'c', false}, d = {{.run = lease_run}, 'd', true};
    struct fixture f;

    setup(&f, 0);
    shard_wait(f.sh, &d.w);
    cr_assert_str_eq(events, "d", "free: at once");
    shard_wait(f.sh, &a.w);
    shard_wait(f.sh, &b.w);
    shard_wait(f.sh, &c.w);
    cr_assert_str_eq(events, "d");
    shard_unlease(f.sh);
    cr_assert_str_eq(events, "dab", "b took it: c waits on");
    shard_unlease(f.sh);
    cr_assert_str_eq(events, "dabc");
    cr_assert(shard_available(f.sh));
    teardown(&f);
}

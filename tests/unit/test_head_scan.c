/* Ways through the head: SCAN, RANDOMKEY, the clock of eviction. */
#include "tests/unit/head_fixture.h"

struct seen {
    uint8_t *count;
    unsigned in_call;
};

static void
note(void *arg, struct entry *e)
{
    struct seen *s = arg;

    s->count[get_le32(entry_inline(e))]++;
    s->in_call++;
}

/* Keys [0, stay) are there all the time, the others come and go between the calls. */
static unsigned
scan_while_changing(unsigned stay, unsigned extra, bool grow, unsigned per_call)
{
    struct fixture f;
    struct seen s = {.count = calloc(stay + extra, 1)};
    unsigned i, at = 0, rehashed = 0, j;
    uint64_t cursor = 0;

    setup(&f);
    for (i = 0; i < stay; i++)
        insert(&f.head, i);
    for (i = 0; !grow && i < extra; i++)
        insert(&f.head, stay + i);
    do {
        s.in_call = 0;
        cursor = head_scan(&f.head, cursor, note, &s);
        cr_assert_lt(cursor, 1UL << HEAD_BUCKETS_LOG2_MAX);
        cr_assert_lt(s.in_call, 200u);
        rehashed += f.head.table[1].bytes != 0;
        for (j = 0; j < per_call && at < extra; j++, at++) {
            if (grow)
                insert(&f.head, stay + at);
            else
                head_remove(&f.head, hash_of(find(&f.head, stay + at)), find(&f.head, stay + at));
        }
    } while (cursor);
    for (i = 0; i < stay; i++)
        cr_assert_geq(s.count[i], 1, "key %u of %u was not seen", i, stay);
    free(s.count);
    teardown(&f);
    return rehashed;
}

Test(head_scan, scan_sees_every_key_that_stays)
{
    static const unsigned stay[] = {1, 50, 700, 3000};
    unsigned i, per_call, grown = 0, shrunk = 0;

    for (i = 0; i < ARRAY_SIZE(stay); i++)
        for (per_call = 3; per_call < 400; per_call = per_call * 3 + 1) {
            grown += scan_while_changing(stay[i], 30000, true, per_call) > 0;
            shrunk += scan_while_changing(stay[i], 30000, false, per_call) > 0;
        }
    cr_assert_geq(grown, 12u); /* of 20: the rehash fell into the scan */
    cr_assert_geq(shrunk, 12u);
}

Test(head_scan, scan_of_an_unchanging_head_sees_each_key_once)
{
    enum { N = 5000 };
    struct fixture f;
    struct seen s = {.count = calloc(N, 1)};
    uint64_t cursor = 0;
    unsigned i;

    setup(&f);
    for (i = 0; i < N; i++)
        insert(&f.head, i);
    do {
        cursor = head_scan(&f.head, cursor, note, &s);
    } while (cursor);
    for (i = 0; i < N; i++)
        cr_assert_eq(s.count[i], 1);
    free(s.count);
    teardown(&f);
}

Test(head_scan, random_reaches_every_live_key_and_no_grave)
{
    enum { N = 300 };
    static const unsigned sizes[] = {1, 2, 10, N};
    struct fixture f;
    unsigned count[N], i, k;
    struct entry *e;

    for (k = 0; k < ARRAY_SIZE(sizes); k++) {
        memset(count, 0, sizeof(count));
        setup(&f);
        for (i = 0; i < 3 * sizes[k]; i++) {
            e = insert(&f.head, i);
            if (i >= sizes[k])
                head_bury(&f.head, hash_of(e), e);
        }
        for (i = 0; i < 100 * sizes[k]; i++) {
            e = head_random(&f.head, i);
            cr_assert(e && !(e->flags & ENTRY_TOMBSTONE));
            count[get_le32(entry_inline(e))]++;
        }
        for (i = 0; i < sizes[k]; i++)
            cr_assert(count[i] > 30 && count[i] < 300, "key %u of %u: %u times", i, sizes[k],
                      count[i]);
        teardown(&f);
    }
}

struct evictor {
    struct head *h;
    unsigned offered;
    bool decline;
};

static bool
evict(void *arg, struct entry *e)
{
    struct evictor *v = arg;

    v->offered++;
    if (v->decline)
        return false;
    head_remove(v->h, hash_of(e), e);
    return true;
}

/* Of 2000 keys: i % 4 == 0 dirty, 1 referenced, 2 in a checkpoint, 3 free to go. */
Test(head_scan, clock_spares_dirty_and_recently_used)
{
    enum { N = 2000 };
    struct fixture f;
    struct evictor v = {.h = &f.head};
    unsigned i, n;

    setup(&f);
    for (i = 0; i < N; i++) {
        struct entry *e = insert(&f.head, i);
        if (i % 4 == 0)
            head_mark_dirty(&f.head, e);
        else if (i % 4 < 3)
            e->flags |= i % 4 == 1 ? ENTRY_REFERENCED : ENTRY_FLUSHING;
    }
    while (head_rehash_step(&f.head, 100) > 0)
        ;
    v.decline = true;
    cr_assert_eq(head_clock(&f.head, 10000, evict, &v), 0u);
    cr_assert_gt(v.offered, 0u);
    for (i = 1; i < N; i += 4) { /* that pass took the bits */
        cr_assert(!(find(&f.head, i)->flags & ENTRY_REFERENCED));
        find(&f.head, i)->flags |= ENTRY_REFERENCED;
    }
    v.decline = false;
    f.head.clock_hand = 0;
    n = head_clock(&f.head, (unsigned)f.head.table[0].mask + 1, evict, &v);
    cr_assert_eq(n, N / 4);
    for (i = 0; i < N; i++)
        cr_assert_eq(find(&f.head, i) == NULL, i % 4 == 3, "key %u", i);
    head_check(&f.head);
    cr_assert_gt(head_clock(&f.head, 100000, evict, &v), 0u); /* bits are gone now */
    cr_assert_eq(f.head.keys, N / 2);
    teardown(&f);
}

Test(head_scan, clock_empties_a_clean_head_while_it_shrinks)
{
    struct fixture f;
    struct evictor v = {.h = &f.head};
    unsigned i, calls;

    setup(&f);
    for (i = 0; i < 100000; i++)
        insert(&f.head, i);
    for (calls = 0; f.head.used > 0; calls++) {
        cr_assert_lt(calls, 100000u);
        head_clock(&f.head, 16, evict, &v);
    }
    cr_assert_eq(v.offered, 100000u);
    teardown(&f);
}

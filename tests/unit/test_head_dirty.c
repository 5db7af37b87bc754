/* What is dirty, and what a round of a checkpoint takes of it. */
#include "tests/unit/head_fixture.h"

Test(head_dirty, dirty_list_survives_removal_in_any_order)
{
    enum { N = 3000 };
    struct fixture f;
    uint64_t seed = 5;
    uint32_t i, left = 0;

    setup(&f);
    for (i = 0; i < N; i++)
        head_mark_dirty(&f.head, insert(&f.head, i));
    cr_assert_eq(f.head.dirty_count, (uint64_t)N);
    for (i = 0; i < N; i++) {
        struct entry *e = find(&f.head, i);
        switch (next_random(&seed) % 3) {
        case 0:
            head_remove(&f.head, hash_of(e), e);
            break;
        case 1:
            head_mark_clean(&f.head, e);
            break;
        default:
            left++;
        }
    }
    head_check(&f.head);
    cr_assert_eq(f.head.dirty_count, left);
    teardown(&f);
}

/* Three keys in four change while the round runs: some before their turn, some after it. */
Test(head_dirty, flush_round_takes_what_was_dirty_and_leaves_what_came_after)
{
    enum { N = 10000 };
    struct fixture f;
    struct entry *e;
    unsigned i, popped = 0, second = 0;
    static uint8_t count[2 * N];

    setup(&f);
    cr_assert_null(head_flush_pop(&f.head));
    for (i = 0; i < N; i++)
        head_mark_dirty(&f.head, insert(&f.head, i));
    head_flush_begin(&f.head);
    cr_assert_eq(f.head.dirty_count, (uint64_t)N);
    for (i = 0; (e = head_flush_pop(&f.head)); i++) {
        count[get_le32(entry_inline(e))]++;
        popped++;
        head_mark_dirty(&f.head, insert(&f.head, N + i));
        e = find(&f.head, i); /* popped or not */
        e = head_reshape(&f.head, hash_of(e), e, ENTRY_STRING, 100, 0);
        head_mark_dirty(&f.head, e);
    }
    cr_assert_eq(popped, (unsigned)N);
    for (i = 0; i < 2 * N; i++)
        cr_assert_eq(count[i], i < N, "key %u", i);
    head_check(&f.head);
    head_flush_begin(&f.head);
    while (head_flush_pop(&f.head))
        second++;
    cr_assert(second > N && second < 2 * N, "%u", second);
    cr_assert_eq(f.head.dirty_count, 0u);
    cr_assert_eq(f.head.dirty_bytes, 0u);
    teardown(&f);
}

static size_t
resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long total, resident;

    cr_assert_eq(fscanf(f, "%lu %lu", &total, &resident), 2);
    fclose(f);
    return resident * 4096;
}

/* A list of a million goes back while it is popped, not at the end. */
Test(head_dirty, popped_dirty_list_gives_its_memory_back)
{
    enum { N = 1000000 };
    struct fixture f;
    unsigned i;
    size_t full;

    setup(&f);
    for (i = 0; i < N; i++)
        head_mark_dirty(&f.head, insert(&f.head, i));
    full = resident_bytes();
    head_flush_begin(&f.head);
    for (i = 0; i < N / 10 * 9; i++)
        cr_assert_not_null(head_flush_pop(&f.head));
    cr_assert_leq(resident_bytes() + 4 * MIB, full);
    while (head_flush_pop(&f.head))
        ;
    cr_assert_eq(f.head.dirty[!f.head.dirty_now].cap, 0u);
    teardown(&f);
}

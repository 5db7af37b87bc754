/* The directory of the head: growing, shrinking, equal hashes. */
#include "tests/unit/head_fixture.h"

Test(head, finds_nothing_when_empty)
{
    struct fixture f;

    setup(&f);
    cr_assert_null(find(&f.head, 1));
    cr_assert_null(head_random(&f.head, 1));
    cr_assert_eq(head_rehash_step(&f.head, 10), 0u);
    head_check(&f.head);
    teardown(&f);
}

/* Up to a million and down again, looking on the way. */
Test(head, keeps_a_million_keys_through_growth_and_shrink)
{
    enum { N = 1000000 };
    struct fixture f;
    unsigned i, j;

    setup(&f);
    for (i = 0; i < N; i++) {
        insert(&f.head, i);
        if (i % 1000 == 0) {
            j = i / 1000 * 617 % (i + 1);
            cr_assert_eq(get_le32(entry_inline(find(&f.head, j))), j);
        }
    }
    cr_assert_eq(f.head.keys, (uint64_t)N);
    head_check(&f.head);
    for (i = 0; i < N; i++)
        cr_assert(find(&f.head, i) && get_le32(entry_inline(find(&f.head, i))) == i);
    for (i = N; i < N + 10000; i++)
        cr_assert_null(find(&f.head, i));
    for (i = 0; i < N; i++) {
        struct entry *e = find(&f.head, i);
        head_remove(&f.head, hash_of(e), e);
        cr_assert_null(find(&f.head, i));
    }
    while (head_rehash_step(&f.head, 1000) > 0)
        ;
    head_check(&f.head);
    cr_assert_leq(head_table_bytes(&f.head), 4 * KIB);
    teardown(&f);
}

/* Grows from 2^15 to 2^17 buckets: entries read for the next bit, then the tag. */
Test(head, growth_needs_no_entry_once_the_tag_has_the_bit)
{
    struct fixture f;
    unsigned i, tables = 0;
    uint64_t mask = 0;

    setup(&f);
    for (i = 0; tables < 13; i++) {
        insert(&f.head, i);
        if (f.head.table[0].mask != mask && f.head.table[1].bytes == 0) {
            mask = f.head.table[0].mask;
            tables++;
            head_check(&f.head);
        }
    }
    cr_assert_eq(mask, (1u << 18) - 1);
    teardown(&f);
}

Test(head, no_call_moves_more_than_its_share)
{
    enum { N = 300000 };
    struct fixture f;
    uint64_t moved, rehashes = 0, old;
    unsigned i;

    setup(&f);
    for (i = 0; i < 2 * N; i++) {
        old = f.head.table[0].mask;
        moved = f.head.moved;
        if (i < N)
            insert(&f.head, i);
        else
            head_remove(&f.head, hash_of(find(&f.head, i - N)), find(&f.head, i - N));
        if (f.head.table[0].mask == old) {
            cr_assert_leq(f.head.moved - moved, (uint64_t)HEAD_SHRINK_PER_CALL);
        } else if (old) {
            cr_assert_leq(old + 1 - moved, (uint64_t)HEAD_SHRINK_PER_CALL);
            rehashes++;
        }
        /* The target never fills up before the source is empty. */
        if (f.head.table[1].bytes)
            cr_assert_leq(f.head.used, (f.head.table[1].mask + 1) * HEAD_GROW_HALVES / 2);
    }
    cr_assert_geq(rehashes, 14u);
    teardown(&f);
}

Test(head, poller_finishes_a_rehash_without_writes)
{
    struct fixture f;
    unsigned i, moved, total = 0;

    setup(&f);
    for (i = 0; !f.head.table[1].bytes; i++)
        insert(&f.head, i);
    while ((moved = head_rehash_step(&f.head, 7)) > 0) {
        cr_assert_leq(moved, 7u);
        total += moved;
        head_check(&f.head);
    }
    cr_assert_eq(total, 64u);
    cr_assert_eq(f.head.table[1].bytes, 0u);
    teardown(&f);
}

/* All keys in one bucket: slow, but right. */
Test(head, survives_equal_hashes)
{
    enum { N = 500 };
    struct fixture f;
    char buf[KEY_BYTES_MAX];
    struct slice key;
    unsigned i;

    setup(&f);
    for (i = 0; i < N; i++) {
        key = key_of(buf, i);
        put_le32(entry_inline(head_insert(&f.head, 0, key, ENTRY_STRING, 4, 0)), i);
    }
    for (i = 0; i < N; i++) {
        key = key_of(buf, i);
        cr_assert_eq(get_le32(entry_inline(head_find(&f.head, 0, key))), i);
    }
    cr_assert_null(head_find(&f.head, 0, SLICE("not there")));
    for (i = 0; i < N; i += 2) {
        key = key_of(buf, i);
        head_remove(&f.head, 0, head_find(&f.head, 0, key));
    }
    for (i = 0; i < N; i++) {
        key = key_of(buf, i);
        cr_assert_eq(head_find(&f.head, 0, key) != NULL, i % 2 == 1);
    }
    teardown(&f);
}

Test(head, detached_head_is_released_in_slices)
{
    struct fixture f;
    struct head old;
    unsigned i, slices = 1;
    uint64_t used;

    setup(&f);
    for (i = 0; i < 50000 || !f.head.table[1].bytes; i++)
        head_mark_dirty(&f.head, insert(&f.head, i));
    old = f.head;
    head_init(&f.head, f.arena, free_blob);
    insert(&f.head, 1);
    for (used = old.used; !head_release_slice(&old, 10); used = old.used) {
        cr_assert_lt(used - old.used, 10u * 40);
        slices++;
    }
    cr_assert_gt(slices, 500u);
    cr_assert_eq(f.head.keys, 1u);
    teardown(&f);
}

Test(head, bucket_match_names_exactly_the_slots_with_the_tag)
{
    struct head_bucket b;
    uint64_t seed = 3, r;
    unsigned i, round, expect;
    uint32_t hash_hi;

    for (round = 0; round < 100000; round++) {
        hash_hi = (uint32_t)next_random(&seed) << 14;
        expect = 0;
        for (i = 0; i < HEAD_BUCKET_SLOTS; i++) {
            r = next_random(&seed);
            b.slot[i] = r << 31 ^ next_random(&seed);
            if (r % 3 == 0)
                b.slot[i] = b.slot[i] << 16 >> 16 | (uint64_t)(hash_hi >> 16) << 48;
            expect |= (unsigned)(b.slot[i] >> 48 == hash_hi >> 16) << i;
        }
        b.next = (void *)(uintptr_t)((uint64_t)(hash_hi >> 16) << 48); /* is no slot */
        cr_assert_eq(head_bucket_match(&b, hash_hi), expect);
    }
}

Test(head, hash_seed_changes_every_hash)
{
    struct fixture f;
    uint64_t before[100];
    char buf[KEY_BYTES_MAX];
    unsigned i;

    for (i = 0; i < 100; i++)
        before[i] = head_hash(key_of(buf, i));
    head_hash_seed(12345);
    for (i = 0; i < 100; i++)
        cr_assert_neq(head_hash(key_of(buf, i)), before[i]);
    setup(&f);
    for (i = 0; i < 1000; i++)
        insert(&f.head, i);
    head_check(&f.head);
    teardown(&f);
}

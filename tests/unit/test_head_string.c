/* Strings of the head: growth, sharing, memory given back. */
#include "tests/unit/head_fixture.h"

Test(head_string, appending_is_amortised)
{
    struct fixture f;
    struct entry *e;
    const void *buffer = NULL;
    unsigned i, moves = 0;
    uint64_t hash;

    setup(&f);
    e = insert(&f.head, 1);
    hash = hash_of(e);
    for (i = 0; i < 300000; i++) {
        e = head_string_patch(&f.head, hash, e, entry_string(e).n, SLICE("0123456789"));
        if (e->flags & ENTRY_EXTERNAL && entry_string(e).p != buffer) {
            buffer = entry_string(e).p;
            moves++;
        }
    }
    cr_assert_eq(entry_string(e).n, 3000004u);
    cr_assert_leq(moves, 20u);
    /* A short value gives the room back. */
    e = head_string_set(&f.head, hash, e, SLICE("x"));
    cr_assert_lt(arena_bytes(f.arena), 4096u);
    teardown(&f);
}

/* What a reply or a checkpoint was shown stays as it was, whatever is done to the string. */
Test(head_string, a_shared_string_is_not_changed_under_those_who_hold_it)
{
    static char want[100001]; /* no size class: there is room behind it */
    struct fixture f;
    struct entry *e, *copy;

    setup(&f);
    memset(want, 'a', sizeof(want));
    for (unsigned what = 0; what < 6; what++) {
        struct blob *held;
        const char *shown;

        e = insert(&f.head, 2 * what);
        copy = insert(&f.head, 2 * what + 1);
        e = head_string_set(&f.head, hash_of(e), e, (struct slice){want, sizeof(want)});
        held = blob_get(entry_blob(e));
        shown = entry_string(e).p;
        copy = head_string_share(&f.head, hash_of(copy), copy, blob_get(held), entry_string(e));
        head_mark_dirty(&f.head, e);
        head_mark_dirty(&f.head, copy);
        if (what == 0)
            e = head_string_patch(&f.head, hash_of(e), e, 5, SLICE("b"));
        else if (what == 1)
            e = head_string_patch(&f.head, hash_of(e), e, sizeof(want), SLICE("b"));
        else if (what == 2)
            copy = head_string_patch(&f.head, hash_of(copy), copy, sizeof(want), SLICE("b"));
        else if (what == 3)
            e = head_string_set(&f.head, hash_of(e), e, (struct slice){want + 1, sizeof(want) - 1});
        else if (what == 4)
            e = head_string_patch(&f.head, hash_of(e), e, sizeof(want) - 1, SLICE("bb"));
        else
            head_remove(&f.head, hash_of(e), e);
        cr_assert(memcmp(shown, want, sizeof(want)) == 0, "case %u", what);
        if (what != 2)
            cr_assert(slice_equal(entry_string(copy), (struct slice){want, sizeof(want)}));
        if (what == 1)
            cr_assert(entry_string(e).p == shown, "behind what was shown nothing is copied");
        head_check(&f.head);
        blob_put(&held);
    }
    teardown(&f);
}

Test(head_string, a_shorter_long_value_gives_memory_back)
{
    static char big[1000000];
    struct fixture f;
    struct entry *e;

    setup(&f);
    e = insert(&f.head, 1);
    e = head_string_set(&f.head, hash_of(e), e, (struct slice){big, sizeof(big)});
    head_mark_dirty(&f.head, e);
    e = head_string_set(&f.head, hash_of(e), e, (struct slice){big, 5000});
    cr_assert_lt(arena_bytes(f.arena), 10000u);
    cr_assert_lt(f.head.dirty_bytes, 10000u);
    head_check(&f.head);
    teardown(&f);
}

Test(head_string, reshape_in_the_same_size_class_keeps_the_address)
{
    struct fixture f;
    struct entry *e, *moved;
    uint32_t len, room;

    setup(&f);
    e = insert(&f.head, 1);
    len = 200;
    e = head_reshape(&f.head, hash_of(e), e, ENTRY_STRING, len, 0);
    room = (uint32_t)(arena_usable(entry_bytes(e)) - entry_bytes(e));
    moved = head_reshape(&f.head, hash_of(e), e, ENTRY_STRING, len + room, 0);
    cr_assert_eq(moved, e);
    cr_assert_eq(get_le32(entry_inline(e)), 1u);
    teardown(&f);
}

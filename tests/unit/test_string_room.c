/* Long strings that are patched: what lies between, where the memory comes from, and what it costs. */
#include "shards/head/head.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct fixture {
    struct arena *arena;
    struct head head;
    uint64_t hash;
};

static void
setup(struct fixture *f)
{
    cr_assert_eq(arena_create(&f->arena), 0);
    head_init(&f->head, f->arena, NULL);
    f->hash = head_hash(SLICE("key"));
}

static void
teardown(struct fixture *f)
{
    head_fini(&f->head);
    cr_assert_eq(arena_bytes(f->arena), 0u, "%zu bytes lost", arena_bytes(f->arena));
    arena_destroy(&f->arena);
}

static struct entry *
make(struct fixture *f, struct slice value)
{
    struct entry *e = head_insert(&f->head, f->hash, SLICE("key"), ENTRY_STRING, 0, 0);

    e = head_string_set(&f->head, f->hash, e, value);
    head_mark_dirty(&f->head, e);
    return e;
}

#define MODEL_BYTES (12 * MIB)

/* Patches near the end, far behind it and within, and sets, while somebody holds the value or not. */
Test(string_room, patches_agree_with_a_model)
{
    static const uint64_t gaps[] = {0, 1, 5000, MIB - 1, MIB, 3 * MIB};
    char *model = malloc(MODEL_BYTES), bytes[3000];

    cr_assert(model);
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct blob *held = NULL;
        uint64_t len = seed % 3 ? seed * 1000 : 2 * MIB;
        struct fixture f;
        struct entry *e;

        srand(seed);
        setup(&f);
        memset(model, 'a', len);
        e = make(&f, (struct slice){model, len});
        for (unsigned i = 0; i < 12; i++) {
            uint64_t at = rand() % 4 ? len + gaps[(size_t)rand() % ARRAY_SIZE(gaps)]
                                     : (uint64_t)rand() % len;
            size_t n = 1 + (size_t)rand() % sizeof(bytes);

            if (at + n > MODEL_BYTES)
                break;
            if (rand() % 3 == 0 && entry_blob(e) && !held)
                held = blob_get(entry_blob(e));
            else
                blob_put(&held);
            memset(bytes, 'b' + (int)i, n);
            if (at > len)
                memset(model + len, 0, at - len);
            memcpy(model + at, bytes, n);
            len = MAX(len, at + n);
            e = head_string_patch(&f.head, f.hash, e, at, (struct slice){bytes, n});
            cr_assert(slice_equal(entry_string(e), (struct slice){model, len}), "seed %u step %u",
                      seed, i);
            head_check(&f.head);
        }
        blob_put(&held);
        teardown(&f);
    }
    free(model);
}

Test(string_room, the_cost_is_what_a_patch_would_copy_or_clear)
{
    uint64_t n = 8 * MIB, cap = 0;
    char *value = calloc(n, 1);
    struct blob *held;
    struct fixture f;
    struct entry *e;

    cr_assert(value);
    setup(&f);
    e = make(&f, (struct slice){value, n});
    cr_assert_eq(head_string_patch_cost(e, 5, 10, &cap), 0, "in place");
    cr_assert_eq(head_string_patch_cost(e, n, 0, &cap), 0, "nothing");
    cr_assert_eq(head_string_patch_cost(e, n, 2 * MIB, &cap), n, "it must grow");
    cr_assert_geq(cap, n + 2 * MIB);
    held = blob_get(entry_blob(e));
    cr_assert_eq(head_string_patch_cost(e, 5, 10, &cap), n, "somebody else holds it");
    cr_assert_geq(cap, n);
    blob_put(&held);
    e = head_string_patch(&f.head, f.hash, e, n + 3 * MIB / 2, SLICE("x"));
    cr_assert_eq(head_string_patch_cost(e, n + 3 * MIB / 2 + 1000, 10, &cap), 0, "zeros already");
    e = head_string_set(&f.head, f.hash, e, (struct slice){value, n});
    cr_assert_eq(head_string_patch_cost(e, n + 1000, 10, &cap), 1000, "to be cleared");
    e = head_string_set(&f.head, f.hash, e, SLICE("short"));
    cr_assert_eq(head_string_patch_cost(e, 2, 10, &cap), 0);
    teardown(&f);
    free(value);
}

/* Memory that was filled elsewhere meanwhile, also while something was appended. */
Test(string_room, a_string_moves_to_memory_that_was_filled_for_it)
{
    uint64_t n = 2 * MIB;
    char *value = malloc(n);
    struct fixture f;
    struct blob *held, *made;
    struct entry *e;

    cr_assert(value);
    memset(value, 'v', n);
    setup(&f);
    e = make(&f, (struct slice){value, n - 4});
    held = blob_get(entry_blob(e));
    made = blob_create_zero(3 * MIB);
    memcpy(made->p, value, n - 4);
    e = head_string_patch(&f.head, f.hash, e, n - 4, SLICE("vvvv"));
    head_string_adopt(&f.head, e, made, n - 4);
    head_check(&f.head);
    cr_assert(entry_string(e).p == made->p && slice_equal(entry_string(e), (struct slice){value, n}));
    e = head_string_patch(&f.head, f.hash, e, 0, SLICE("w"));
    e = head_string_patch(&f.head, f.hash, e, 3 * MIB - 1, SLICE("w"));
    cr_assert(entry_string(e).p == made->p, "it is all its own");
    cr_assert(entry_string(e).n == 3 * MIB && entry_string(e).p[n] == 0);
    cr_assert(held->p[0] == 'v');
    blob_put(&held);
    teardown(&f);
    free(value);
}

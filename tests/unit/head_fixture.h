/* What the tests of the head share: a head on an arena of its own, keys by number. */
#ifndef TESTS_UNIT_HEAD_FIXTURE_H
#define TESTS_UNIT_HEAD_FIXTURE_H

#include "shards/head/head_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t
next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005 + 1442695040888963407;
    return *s >> 33;
}

#define KEY_BYTES_MAX 48

static inline struct slice
key_of(char *buf, unsigned i)
{
    static const char pad[] = "................................";
    int n = snprintf(buf, KEY_BYTES_MAX, "%u", i);

    /* Lengths from 1 to 39, and number 7 is the empty key. */
    memcpy(buf + n, pad, i % 31);
    return (struct slice){buf, i == 7 ? 0 : (size_t)n + i % 31};
}

/* --- a head on an arena of its own ------------------------------------------------------------ */

struct fixture {
    struct arena *arena;
    struct head head;
};

static inline void
free_blob(struct head *h, struct entry *e)
{
    arena_free(h->arena, entry_ptr(e), 100);
}

static inline void
setup(struct fixture *f)
{
    cr_assert_eq(arena_create(&f->arena), 0);
    head_init(&f->head, f->arena, free_blob);
}

static inline void
teardown(struct fixture *f)
{
    head_fini(&f->head);
    cr_assert_eq(f->head.used, 0u);
    cr_assert_eq(head_table_bytes(&f->head), 0u);
    cr_assert_eq(arena_bytes(f->arena), 0u, "%zu bytes lost", arena_bytes(f->arena));
    arena_destroy(&f->arena);
}

static inline struct entry *
insert(struct head *h, unsigned i)
{
    char buf[KEY_BYTES_MAX];
    struct slice key = key_of(buf, i);
    struct entry *e = head_insert(h, head_hash(key), key, ENTRY_STRING, 4, 0);

    put_le32(entry_inline(e), i);
    return e;
}

static inline struct entry *
find(const struct head *h, unsigned i)
{
    char buf[KEY_BYTES_MAX];
    struct slice key = key_of(buf, i);

    return head_find(h, head_hash(key), key);
}

static inline uint64_t
hash_of(const struct entry *e)
{
    return head_hash(entry_key(e));
}

#endif

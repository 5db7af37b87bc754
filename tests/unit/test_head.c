/* The head against a model that is an array: key number i is either absent or has the state the
 * model says. Every sequence is named by its seed. */
#include "shards/head/head_priv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t
next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005 + 1442695040888963407;
    return *s >> 33;
}

#define KEY_BYTES_MAX 48

static struct slice
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

static void
free_blob(struct head *h, struct entry *e)
{
    arena_free(h->arena, entry_ptr(e), 100);
}

static void
setup(struct fixture *f)
{
    cr_assert_eq(arena_create(&f->arena), 0);
    head_init(&f->head, f->arena, free_blob);
}

static void
teardown(struct fixture *f)
{
    head_fini(&f->head);
    cr_assert_eq(f->head.used, 0u);
    cr_assert_eq(head_table_bytes(&f->head), 0u);
    cr_assert_eq(arena_bytes(f->arena), 0u, "%zu bytes lost", arena_bytes(f->arena));
    arena_destroy(&f->arena);
}

static struct entry *
insert(struct head *h, unsigned i)
{
    char buf[KEY_BYTES_MAX];
    struct slice key = key_of(buf, i);
    struct entry *e = head_insert(h, head_hash(key), key, ENTRY_STRING, 4, 0);

    put_le32(entry_inline(e), i);
    return e;
}

static struct entry *
find(const struct head *h, unsigned i)
{
    char buf[KEY_BYTES_MAX];
    struct slice key = key_of(buf, i);

    return head_find(h, head_hash(key), key);
}

static uint64_t
hash_of(const struct entry *e)
{
    return head_hash(entry_key(e));
}

/* --- model -------------------------------------------------------------------------------------
 */

#define MODEL_KEYS 900
#define MODEL_VALUE_MAX 20000

struct model_key {
    bool present, dead, dirty;
    enum entry_type type;
    int64_t expire;
    unsigned store;
    size_t n;
    char *value; /* MODEL_VALUE_MAX bytes */
};

struct model {
    struct fixture f;
    uint64_t seed;
    struct model_key key[MODEL_KEYS];
};

static void
fill(uint64_t *seed, char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        p[i] = (char)next_random(seed);
}

static size_t
random_length(uint64_t *seed)
{
    switch (next_random(seed) % 8) {
    case 0:
        return 0;
    case 1:
        return ENTRY_INLINE_MAX - 2 + next_random(seed) % 5;
    case 2:
        return next_random(seed) % MODEL_VALUE_MAX;
    default:
        return next_random(seed) % 100;
    }
}

static struct slice
random_value(struct model *m, struct model_key *k)
{
    k->n = random_length(&m->seed);
    fill(&m->seed, k->value, k->n);
    return (struct slice){k->value, k->n};
}

static void
compare(const struct head *h, unsigned i, const struct model_key *k)
{
    const struct entry *e = find(h, i);
    struct slice v;

    cr_assert_eq(e != NULL, k->present, "key %u", i);
    if (!e)
        return;
    cr_assert_eq((e->flags & ENTRY_TOMBSTONE) != 0, k->dead, "key %u", i);
    cr_assert_eq(e->type, k->type);
    cr_assert_eq(entry_expire(e), k->expire);
    cr_assert_eq(e->dirty_pos != 0, k->dirty);
    cr_assert_eq(e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE), k->store);
    cr_assert_eq(e->seq, i);
    cr_assert_eq(e->access_s, ~i);
    if (k->type == ENTRY_SERIES)
        v = (struct slice){entry_ptr(e), 100};
    else
        v = entry_string(e);
    cr_assert_eq(v.n, k->n, "key %u: %zu for %zu", i, v.n, k->n);
    cr_assert(v.n == 0 || memcmp(v.p, k->value, v.n) == 0, "key %u", i);
}

static void
put_blob(struct model *m, struct entry *e, struct model_key *k)
{
    char *p = arena_alloc(m->f.arena, 100);

    k->n = 100;
    fill(&m->seed, k->value, k->n);
    memcpy(p, k->value, k->n);
    entry_set_ptr(e, p);
}

static int64_t
random_expire(struct model *m)
{
    return next_random(&m->seed) % 2 ? (int64_t)next_random(&m->seed) + 1 : 0;
}

static void
step_create(struct model *m, unsigned i, struct model_key *k)
{
    struct head *h = &m->f.head;
    struct entry *e = find(h, i);
    char buf[KEY_BYTES_MAX];
    struct slice key = key_of(buf, i);

    k->type = next_random(&m->seed) % 4 == 0 ? ENTRY_SERIES : ENTRY_STRING;
    k->expire = random_expire(m);
    if (k->present) {
        e = head_revive(h, head_hash(key), e, k->type, k->type == ENTRY_SERIES ? 8 : 0, k->expire);
    } else {
        e = head_insert(h, head_hash(key), key, k->type, k->type == ENTRY_SERIES ? 8 : 0,
                        k->expire);
        k->dirty = false;
        k->store = 0;
    }
    e->seq = i;
    e->access_s = ~i;
    if (k->type == ENTRY_SERIES)
        put_blob(m, e, k);
    else
        e = head_string_set(h, head_hash(key), e, random_value(m, k));
    k->present = true;
    k->dead = false;
}

static void
step_patch(struct model *m, unsigned i, struct model_key *k)
{
    struct entry *e = find(&m->f.head, i);
    size_t at = next_random(&m->seed) % 2 ? k->n : random_length(&m->seed);
    size_t n = random_length(&m->seed), end;

    at = MIN(at, MODEL_VALUE_MAX - 1u);
    n = MIN(n, MODEL_VALUE_MAX - at);
    end = at + n;
    if (n > 0) {
        if (at > k->n)
            memset(k->value + k->n, 0, at - k->n);
        fill(&m->seed, k->value + at, n);
        k->n = MAX(k->n, end);
    }
    head_string_patch(&m->f.head, hash_of(e), e, at, (struct slice){k->value + at, n});
}

/* Changes expiry only, or turns one type into the other. */
static void
step_reshape(struct model *m, unsigned i, struct model_key *k)
{
    struct head *h = &m->f.head;
    struct entry *e = find(h, i);

    k->expire = random_expire(m);
    if (next_random(&m->seed) % 2) {
        head_reshape(h, hash_of(e), e, k->type, e->len, k->expire);
        return;
    }
    head_drop_value(h, e);
    if (k->type == ENTRY_SERIES) {
        k->type = ENTRY_STRING;
        e = head_reshape(h, hash_of(e), e, k->type, 0, k->expire);
        head_string_set(h, hash_of(e), e, random_value(m, k));
    } else {
        k->type = ENTRY_SERIES;
        e = head_reshape(h, hash_of(e), e, k->type, 8, k->expire);
        put_blob(m, e, k);
    }
}

static void
step_flags(struct model *m, unsigned i, struct model_key *k)
{
    static const unsigned store[] = {0, ENTRY_IN_STORE, ENTRY_MAYBE_STORE};
    struct head *h = &m->f.head;
    struct entry *e = find(h, i);

    switch (next_random(&m->seed) % 3) {
    case 0:
        k->store = store[next_random(&m->seed) % 3];
        head_set_store(h, e, k->store);
        break;
    case 1:
        k->dirty = false;
        head_mark_clean(h, e);
        break;
    default:
        k->dirty = true;
        head_mark_dirty(h, e);
    }
}

static void
step_live(struct model *m, unsigned i, struct model_key *k)
{
    struct head *h = &m->f.head;
    struct entry *e = find(h, i);

    switch (next_random(&m->seed) % 6) {
    case 0:
        if (k->type == ENTRY_STRING)
            head_string_set(h, hash_of(e), e, random_value(m, k));
        break;
    case 1:
        if (k->type == ENTRY_STRING)
            step_patch(m, i, k);
        break;
    case 2:
        step_reshape(m, i, k);
        break;
    case 3:
        head_bury(h, hash_of(e), e);
        k->dead = true;
        k->n = 0;
        k->expire = 0;
        k->type = ENTRY_STRING;
        break;
    case 4:
        head_remove(h, hash_of(e), e);
        k->present = k->dirty = false;
        break;
    default:
        step_flags(m, i, k);
    }
}

/* A checkpoint in the middle of everything: every entry dirty at its start comes once. */
static void
flush_some(struct model *m, unsigned *ret_popped)
{
    struct head *h = &m->f.head;
    struct entry *e;
    unsigned n = 1 + (unsigned)(next_random(&m->seed) % 50);

    while (n-- > 0 && (e = head_flush_pop(h))) {
        cr_assert_eq(e->dirty_pos, 0u);
        cr_assert(m->key[e->seq].present && m->key[e->seq].dirty);
        m->key[e->seq].dirty = false;
        ++*ret_popped;
    }
    if (h->dirty[!h->dirty_now].n == 0) {
        cr_assert_null(head_flush_pop(h));
        head_flush_begin(h);
        cr_assert_eq(h->dirty[h->dirty_now].n, 0u);
    }
}

static void
model_step(struct model *m, unsigned keys)
{
    unsigned i = (unsigned)(next_random(&m->seed) % keys);
    struct model_key *k = &m->key[i];

    if (!k->present || k->dead) {
        if (k->present && next_random(&m->seed) % 4 == 0) {
            head_remove(&m->f.head, hash_of(find(&m->f.head, i)), find(&m->f.head, i));
            k->present = k->dead = k->dirty = false;
            return;
        }
        step_create(m, i, k);
    } else {
        step_live(m, i, k);
    }
    if (k->present && next_random(&m->seed) % 2) {
        head_mark_dirty(&m->f.head, find(&m->f.head, i));
        k->dirty = true;
    }
    compare(&m->f.head, i, k);
}

Test(head, agrees_with_a_model_over_random_sequences)
{
    static char values[MODEL_KEYS][MODEL_VALUE_MAX];
    static struct model m;
    unsigned i, step, keys, popped;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        memset(&m, 0, sizeof(m));
        popped = 0;
        m.seed = seed;
        for (i = 0; i < MODEL_KEYS; i++)
            m.key[i].value = values[i];
        setup(&m.f);
        keys = seed % 3 == 0 ? 20 : MODEL_KEYS;
        for (step = 0; step < 12000; step++) {
            model_step(&m, keys);
            if (step % 1000 == 999) {
                for (i = 0; i < keys; i++)
                    compare(&m.f.head, i, &m.key[i]);
                head_check(&m.f.head);
            }
            if (step % 40 == 39)
                flush_some(&m, &popped);
        }
        cr_assert_geq(popped, 1000u);
        teardown(&m.f);
    }
}

/* --- directory ----------------------------------------------------------------------------------
 */

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

/* --- scan, random, clock ------------------------------------------------------------------------
 */

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

Test(head, scan_sees_every_key_that_stays)
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

Test(head, scan_of_an_unchanging_head_sees_each_key_once)
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

Test(head, random_reaches_every_live_key_and_no_grave)
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
Test(head, clock_spares_dirty_and_recently_used)
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

Test(head, clock_empties_a_clean_head_while_it_shrinks)
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

/* --- strings and dirty list ---------------------------------------------------------------------
 */

Test(head, appending_is_amortised)
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
Test(head, a_shared_string_is_not_changed_under_those_who_hold_it)
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

Test(head, a_shorter_long_value_gives_memory_back)
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

Test(head, reshape_in_the_same_size_class_keeps_the_address)
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

Test(head, dirty_list_survives_removal_in_any_order)
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
Test(head, flush_round_takes_what_was_dirty_and_leaves_what_came_after)
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
Test(head, popped_dirty_list_gives_its_memory_back)
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

/* The head against a model that is an array: key number i is either absent or has the state the
 * model says. Every sequence is named by its seed. */
#include "tests/unit/head_fixture.h"

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

Test(head_model, agrees_with_a_model_over_random_sequences)
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

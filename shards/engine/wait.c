#include "shards/engine/wait.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKETS_FIRST 64 /* doubles with the keys; a power of two */

/* A key that somebody waits for. */
struct wait_key {
    struct list node; /* in its bucket */
    struct list waiters;
    uint64_t hash;
    uint8_t db;
    uint32_t name_n;
    char name[];
};

struct wait_table {
    struct list *buckets;
    uint64_t buckets_n, keys_n;
};

/* --- keys ------------------------------------------------------------------------------------- */

static struct list *
bucket_of(struct wait_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->buckets_n - 1)];
}

static struct wait_table *
table_create(void)
{
    struct wait_table *t = calloc(1, sizeof(*t));

    ASSERT(t);
    t->buckets_n = BUCKETS_FIRST;
    t->buckets = list_array_create(t->buckets_n);
    return t;
}

/* All at once: there are never more keys than clients. */
static void
table_grow(struct wait_table *t)
{
    struct list *old = t->buckets, *node;
    uint64_t n = t->buckets_n;

    t->buckets_n = 2 * n;
    t->buckets = list_array_create(t->buckets_n);
    for (uint64_t i = 0; i < n; i++)
        while ((node = list_pop_front(&old[i])))
            list_push_back(bucket_of(t, list_entry(node, struct wait_key, node)->hash), node);
    free(old);
}

static struct wait_key *
key_find_in(struct wait_table *t, uint8_t db, struct slice name, uint64_t hash)
{
    list_each(it, bucket_of(t, hash))
    {
        struct wait_key *k = list_entry(it, struct wait_key, node);

        if (k->hash == hash && k->db == db && slice_equal((struct slice){k->name, k->name_n}, name))
            return k;
    }
    return NULL;
}

static uint64_t
hash_of(uint8_t db, struct slice name)
{
    return XXH3_64bits_withSeed(name.p, name.n, db);
}

static struct wait_key *
key_create(struct wait_table *t, uint8_t db, struct slice name, uint64_t hash)
{
    struct wait_key *k = malloc(sizeof(*k) + name.n);

    ASSERT(k);
    if (t->keys_n++ == t->buckets_n)
        table_grow(t);
    list_init(&k->waiters);
    k->hash = hash;
    k->db = db;
    k->name_n = (uint32_t)name.n;
    memcpy(k->name, name.p, name.n);
    list_push_back(bucket_of(t, hash), &k->node);
    return k;
}

static void
table_free(struct wait_table **t)
{
    free((*t)->buckets);
    free(*t);
    *t = NULL;
}

/* The last waiter takes the key along, the last key the table. */
static void
key_left(struct wait_table **t, struct wait_key *k)
{
    if (!list_empty(&k->waiters))
        return;
    list_remove(&k->node);
    free(k);
    if (--(*t)->keys_n == 0)
        table_free(t);
}

/* --- waiters ---------------------------------------------------------------------------------- */

void
wait_add(struct wait_table **t, struct key_waiter *w, uint8_t db, struct slice key)
{
    uint64_t hash = hash_of(db, key);
    struct wait_key *k;

    ASSERT(w->key == NULL && w->missing > 0);
    if (*t == NULL)
        *t = table_create();
    k = key_find_in(*t, db, key, hash);
    if (k == NULL)
        k = key_create(*t, db, key, hash);
    w->key = k;
    w->has_fired = false;
    list_push_back(&k->waiters, &w->node);
}

void
wait_remove(struct wait_table **t, struct key_waiter *w)
{
    struct wait_key *k = w->key;

    list_remove(&w->node);
    list_remove(&w->fired);
    w->key = NULL;
    if (k)
        key_left(t, k);
}

static void
fire(struct key_waiter *w, struct list *fired)
{
    if (w->has_fired)
        return;
    w->has_fired = true;
    list_push_back(fired, &w->fired);
}

/* --- what happens to keys --------------------------------------------------------------------- */

void
wait_point(struct wait_table *t, uint8_t db, struct slice key, uint8_t type, int64_t ts,
           struct list *fired)
{
    struct wait_key *k = key_find_in(t, db, key, hash_of(db, key));

    if (k == NULL)
        return;
    list_each(it, &k->waiters)
    {
        struct key_waiter *w = list_entry(it, struct key_waiter, node);

        w->seen = true;
        if (w->type == type && ts >= w->from && w->missing > 0 && --w->missing == 0)
            fire(w, fired);
    }
}

void
wait_changed(struct wait_table *t, uint8_t db, struct slice key, struct list *fired)
{
    struct wait_key *k = key_find_in(t, db, key, hash_of(db, key));

    if (k == NULL)
        return;
    list_each(it, &k->waiters)
    {
        struct key_waiter *w = list_entry(it, struct key_waiter, node);

        w->seen = true;
        fire(w, fired);
    }
}

static void
gone(struct wait_key *k, struct list *fired)
{
    list_each(it, &k->waiters)
    {
        struct key_waiter *w = list_entry(it, struct key_waiter, node);

        if (!w->seen)
            continue;
        w->gone = true;
        fire(w, fired);
    }
}

void
wait_gone(struct wait_table *t, uint8_t db, struct slice key, struct list *fired)
{
    struct wait_key *k = key_find_in(t, db, key, hash_of(db, key));

    if (k)
        gone(k, fired);
}

void
wait_gone_db(struct wait_table *t, uint8_t db, struct list *fired)
{
    for (uint64_t i = 0; i < t->buckets_n; i++)
        list_each(it, &t->buckets[i])
        {
            struct wait_key *k = list_entry(it, struct wait_key, node);

            if (k->db == db)
                gone(k, fired);
        }
}

void
wait_table_destroy(struct wait_table **t)
{
    struct list *node;
    uint64_t n;

    if (*t == NULL)
        return;
    n = (*t)->buckets_n;
    for (uint64_t i = 0; i < n; i++)
        while ((node = list_pop_front(&(*t)->buckets[i]))) {
            struct wait_key *k = list_entry(node, struct wait_key, node);
            struct list *w;

            while ((w = list_pop_front(&k->waiters)))
                list_entry(w, struct key_waiter, node)->key = NULL;
            free(k);
        }
    table_free(t);
}

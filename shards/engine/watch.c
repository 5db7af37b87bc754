#include "shards/engine/watch.h"

#include "core/list.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CLIENT_BUCKETS 1024
#define KEY_BUCKETS_FIRST 1024 /* doubles with the watched keys; a power of two */

struct watched {
    struct list by_key;    /* in its bucket */
    uint64_t hash;
    struct list by_client; /* in its watcher */
    struct watcher *watcher;
    uint8_t db;
    uint32_t key_n;
    char key[];
};

struct watcher {
    struct list node; /* in its client bucket */
    struct list keys;
    uint64_t client;
    bool touched;
    struct watch_times times; /* when touched: at which something changed */
};

struct watch_table {
    struct list *keys;
    uint64_t key_buckets, keys_n;
    struct list clients[CLIENT_BUCKETS];
    uint64_t watchers;
};

static uint64_t
key_hash(uint8_t db, struct slice key)
{
    return XXH3_64bits_withSeed(key.p, key.n, db);
}

static struct list *
key_bucket(struct watch_table *t, uint64_t hash)
{
    return &t->keys[hash & (t->key_buckets - 1)];
}

static struct watcher *
watcher_find(const struct watch_table *t, uint64_t client)
{
    if (t == NULL)
        return NULL;
    list_each(it, &t->clients[client % CLIENT_BUCKETS])
    {
        struct watcher *w = list_entry(it, struct watcher, node);

        if (w->client == client)
            return w;
    }
    return NULL;
}

static struct watch_table *
watch_table_create(void)
{
    struct watch_table *t = calloc(1, sizeof(*t));

    ASSERT(t);
    t->key_buckets = KEY_BUCKETS_FIRST;
    t->keys = list_array_create(t->key_buckets);
    for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
        list_init(&t->clients[i]);
    return t;
}

/* Twice as many buckets. All at once: a watched key is as old as a transaction, so there are few. */
static void
watch_table_grow(struct watch_table *t)
{
    struct list *old = t->keys, *node;
    uint64_t n = t->key_buckets;

    t->key_buckets = 2 * n;
    t->keys = list_array_create(t->key_buckets);
    for (uint64_t i = 0; i < n; i++)
        while ((node = list_pop_front(&old[i])))
            list_push_back(key_bucket(t, list_entry(node, struct watched, by_key)->hash), node);
    free(old);
}

static struct watcher *
watcher_create(struct watch_table *t, uint64_t client)
{
    struct watcher *w = calloc(1, sizeof(*w));

    ASSERT(w);
    w->client = client;
    list_init(&w->keys);
    list_push_back(&t->clients[client % CLIENT_BUCKETS], &w->node);
    t->watchers++;
    return w;
}

static bool
watched_is(const struct watched *k, uint64_t hash, uint8_t db, struct slice key)
{
    return k->hash == hash && k->db == db && slice_equal((struct slice){k->key, k->key_n}, key);
}

static bool
watcher_has(struct watch_table *t, const struct watcher *w, uint64_t hash, uint8_t db,
            struct slice key)
{
    list_each(it, key_bucket(t, hash))
    {
        const struct watched *k = list_entry(it, struct watched, by_key);

        if (k->watcher == w && watched_is(k, hash, db, key))
            return true;
    }
    return false;
}

void
watch_add(struct watch_table **t, uint64_t client, uint8_t db, struct slice key)
{
    uint64_t hash = key_hash(db, key);
    struct watcher *w;
    struct watched *k;

    if (*t == NULL)
        *t = watch_table_create();
    w = watcher_find(*t, client);
    if (w == NULL)
        w = watcher_create(*t, client);
    if (watcher_has(*t, w, hash, db, key))
        return;
    if ((*t)->keys_n++ == (*t)->key_buckets)
        watch_table_grow(*t);
    k = malloc(sizeof(*k) + key.n);
    ASSERT(k);
    k->watcher = w;
    k->hash = hash;
    k->db = db;
    k->key_n = (uint32_t)key.n;
    memcpy(k->key, key.p, key.n);
    list_push_back(&w->keys, &k->by_client);
    list_push_back(key_bucket(*t, hash), &k->by_key);
}

static void
watcher_destroy(struct watch_table *t, struct watcher *w)
{
    struct list *node;

    while ((node = list_pop_front(&w->keys))) {
        struct watched *k = list_entry(node, struct watched, by_client);

        list_remove(&k->by_key);
        free(k);
        t->keys_n--;
    }
    list_remove(&w->node);
    free(w);
    t->watchers--;
}

void
watch_remove(struct watch_table **t, uint64_t client)
{
    struct watcher *w = watcher_find(*t, client);

    if (w == NULL)
        return;
    watcher_destroy(*t, w);
    if ((*t)->watchers == 0)
        watch_table_destroy(t);
}

static const struct watch_times no_times = {INT64_MAX, INT64_MIN, INT64_MIN};

static void
watcher_touch(struct watcher *w, const struct watch_times *at)
{
    const struct watch_times was = w->touched ? w->times : no_times;

    w->times = (struct watch_times){MIN(was.from, at->from), MAX(was.to, at->to), MAX(was.kept_from, at->kept_from)};
    w->touched = true;
}

/* Watchers whose number has all bits of `kind`. */
static void
touch(struct watch_table *t, uint8_t db, struct slice key, const struct watch_times *at, uint64_t kind)
{
    uint64_t hash = key_hash(db, key);

    list_each(it, key_bucket(t, hash))
    {
        struct watched *k = list_entry(it, struct watched, by_key);

        if (watched_is(k, hash, db, key) && (k->watcher->client & kind) == kind)
            watcher_touch(k->watcher, at);
    }
}

static const struct watch_times all_times = {INT64_MIN, INT64_MAX, INT64_MIN};

void
watch_touch(struct watch_table *t, uint8_t db, struct slice key)
{
    touch(t, db, key, &all_times, 0);
}

void
watch_touch_point(struct watch_table *t, uint8_t db, struct slice key, int64_t ts)
{
    touch(t, db, key, &(struct watch_times){ts, ts, INT64_MIN}, 0);
}

void
watch_touch_hidden(struct watch_table *t, uint8_t db, struct slice key, int64_t kept_from)
{
    touch(t, db, key, &(struct watch_times){no_times.from, no_times.to, kept_from}, WATCH_READING);
}

void
watch_touch_db(struct watch_table *t, uint8_t db, bool (*there)(void *arg, struct slice key),
               void *arg)
{
    for (uint64_t i = 0; i < t->key_buckets; i++)
        list_each(it, &t->keys[i])
        {
            struct watched *k = list_entry(it, struct watched, by_key);

            if (k->db == db && there(arg, (struct slice){k->key, k->key_n}))
                watcher_touch(k->watcher, &all_times);
        }
}

bool
watch_is_touched(const struct watch_table *t, uint64_t client)
{
    const struct watcher *w = watcher_find(t, client);

    return w && w->touched;
}

bool
watch_times(const struct watch_table *t, uint64_t client, struct watch_times *ret)
{
    const struct watcher *w = watcher_find(t, client);

    if (w == NULL || !w->touched)
        return false;
    *ret = w->times;
    return true;
}

void
watch_forget_times(struct watch_table *t, uint64_t client)
{
    struct watcher *w = watcher_find(t, client);

    if (w)
        w->touched = false;
}

void
watch_each(const struct watch_table *t, uint64_t client,
           void (*fn)(void *arg, uint8_t db, struct slice key), void *arg)
{
    const struct watcher *w = watcher_find(t, client);

    if (w == NULL)
        return;
    list_each_safe(it, &((struct watcher *)w)->keys)
    {
        struct watched *k = list_entry(it, struct watched, by_client);

        fn(arg, k->db, (struct slice){k->key, k->key_n});
    }
}

void
watch_table_destroy(struct watch_table **t)
{
    if (*t == NULL)
        return;
    for (unsigned i = 0; i < CLIENT_BUCKETS; i++) {
        struct list *node;

        while ((node = (*t)->clients[i].next) != &(*t)->clients[i])
            watcher_destroy(*t, list_entry(node, struct watcher, node));
    }
    free((*t)->keys);
    free(*t);
    *t = NULL;
}

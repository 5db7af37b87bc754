/* Range iteration. The bounds belong to the iterator: RocksDB keeps pointers to them. */
#include "shards/store/store_priv.h"

#include <stdlib.h>

struct store_iter {
    struct store *s;
    rocksdb_iterator_t *it; /* NULL: no database to look at, `error` says why */
    int error;
    rocksdb_readoptions_t *how;
    char bounds[]; /* lower, then upper */
};

static void
set_bounds(struct store_iter *it, struct slice lower, struct slice upper)
{
    char *upper_p = it->bounds + lower.n;

    if (lower.n) {
        memcpy(it->bounds, lower.p, lower.n);
        rocksdb_readoptions_set_iterate_lower_bound(it->how, it->bounds, lower.n);
    }
    if (upper.n) {
        memcpy(upper_p, upper.p, upper.n);
        rocksdb_readoptions_set_iterate_upper_bound(it->how, upper_p, upper.n);
    }
}

/* Why there is nothing to iterate over; 0 when there is, and then we count as a reader. */
static int
enter(struct store *s, bool cached_only)
{
    if (!store_enter(s, !cached_only))
        return -EAGAIN;
    if (likely(s->db))
        return 0;
    store_leave(s);
    return -EIO;
}

static struct store_iter *
iter_open(struct store *s, struct slice lower, struct slice upper, bool cached_only)
{
    struct store_iter *it = calloc(1, sizeof(*it) + lower.n + upper.n);

    ASSERT(it);
    it->s = s;
    it->error = enter(s, cached_only);
    if (it->error)
        return it;
    it->how = rocksdb_readoptions_create();
    set_bounds(it, lower, upper);
    if (cached_only)
        rocksdb_readoptions_set_read_tier(it->how, STORE_READ_TIER_CACHE);
    return it;
}

/* store_ranges.c says why it reads what is not cached. */
static void
heed_ranges(struct store_iter *it)
{
    rocksdb_readoptions_set_ignore_range_deletions(it->how, 0);
    rocksdb_readoptions_set_read_tier(it->how, STORE_READ_TIER_ALL);
}

static struct store_iter *
iter_begin_unheeding(struct store_iter *it)
{
    if (it->error)
        return it;
    rocksdb_readoptions_set_ignore_range_deletions(it->how, 1);
    it->it = rocksdb_create_iterator(it->s->db, it->how);
    return it;
}

/* Range tombstones that come later are not what the iterator sees; those that may have come meanwhile are. */
static struct store_iter *
iter_begin(struct store_iter *it)
{
    if (it->error)
        return it;
    if (likely(!store_has_ranges(it->s))) {
        iter_begin_unheeding(it);
        if (likely(!store_has_ranges(it->s)))
            return it;
        rocksdb_iter_destroy(it->it);
    }
    heed_ranges(it);
    it->it = rocksdb_create_iterator(it->s->db, it->how);
    return it;
}

struct store_iter *
store_iter_open(struct store *s, struct slice lower, struct slice upper, bool cached_only,
                bool fill_cache)
{
    struct store_iter *it = iter_open(s, lower, upper, cached_only);

    if (!it->error)
        rocksdb_readoptions_set_fill_cache(it->how, fill_cache);
    return iter_begin(it);
}

struct store_iter *
store_iter_open_to_delete(struct store *s, struct slice lower, struct slice upper)
{
    struct store_iter *it = iter_open(s, lower, upper, false);

    if (!it->error)
        rocksdb_readoptions_set_fill_cache(it->how, 0);
    return iter_begin_unheeding(it);
}

struct store_iter *
store_iter_open_holding(struct store *s, struct slice lower, struct slice upper)
{
    struct store_iter *it = iter_open(s, lower, upper, false);

    if (!it->error)
        rocksdb_readoptions_set_pin_data(it->how, 1);
    return iter_begin(it);
}

void
store_iter_close(struct store_iter **it)
{
    if (!*it)
        return;
    if ((*it)->it) {
        rocksdb_iter_destroy((*it)->it);
        rocksdb_readoptions_destroy((*it)->how);
        store_leave((*it)->s);
    }
    free(*it);
    *it = NULL;
}

void
store_iter_seek(struct store_iter *it, struct slice key)
{
    if (it->it)
        rocksdb_iter_seek(it->it, key.p, key.n);
}

void
store_iter_seek_back(struct store_iter *it, struct slice key)
{
    if (it->it)
        rocksdb_iter_seek_for_prev(it->it, key.p, key.n);
}

void
store_iter_first(struct store_iter *it)
{
    if (it->it)
        rocksdb_iter_seek_to_first(it->it);
}

void
store_iter_last(struct store_iter *it)
{
    if (it->it)
        rocksdb_iter_seek_to_last(it->it);
}

void
store_iter_next(struct store_iter *it)
{
    rocksdb_iter_next(it->it);
}

void
store_iter_prev(struct store_iter *it)
{
    rocksdb_iter_prev(it->it);
}

bool
store_iter_valid(const struct store_iter *it)
{
    return it->it && rocksdb_iter_valid(it->it);
}

int
store_iter_status(const struct store_iter *it, struct store_error *err)
{
    char *message = NULL;

    if (it->error)
        return store_error_errno(err, "the store is being reopened", -it->error);
    rocksdb_iter_get_error(it->it, &message);
    return message ? store_error_take(err, message) : 0;
}

struct slice
store_iter_key(const struct store_iter *it)
{
    struct slice key;

    key.p = rocksdb_iter_key(it->it, &key.n);
    return key;
}

struct slice
store_iter_value(const struct store_iter *it)
{
    struct slice value;

    value.p = rocksdb_iter_value(it->it, &value.n);
    return value;
}

/* WATCH: which clients watch which keys of one shard. A client's watches on a shard are one
 * watcher; a change of any of its keys marks it, and EXEC asks for the mark. The table of keys
 * grows with them; nobody pays while nobody watches (it is NULL then).
 * Owner: the shard's owner. */
#ifndef SHARDS_ENGINE_WATCH_H
#define SHARDS_ENGINE_WATCH_H

#include "core/base.h"

/* In the number of a watcher that is no client: a command that reads in slices (commands/series_ahead.h). */
#define WATCH_READING (1ULL << 63)

struct watch_table;

/* Registers the client for a key; once is enough. */
void watch_add(struct watch_table **t, uint64_t client, uint8_t db, struct slice key);
/* Forgets every watch of the client; frees the table when it was the last. */
void watch_remove(struct watch_table **t, uint64_t client);
/* The key changed. */
void watch_touch(struct watch_table *t, uint8_t db, struct slice key);
/* Of the key, a series, only a point of this time changed, or was added. */
void watch_touch_point(struct watch_table *t, uint8_t db, struct slice key, int64_t ts);
/* Of the key, a series, points older than kept_from go, which retention hides. No client sees a change in that,
 * but a reading may have begun when they still showed. */
void watch_touch_hidden(struct watch_table *t, uint8_t db, struct slice key, int64_t kept_from);
/* Every key of the database that is there changed: `there` says whether a watched one is. */
void watch_touch_db(struct watch_table *t, uint8_t db, bool (*there)(void *arg, struct slice key),
                    void *arg);
/* Has one of the client's keys on this shard changed since it was watched? */
bool watch_is_touched(const struct watch_table *t, uint64_t client);
/* What changed of a client's keys since they were watched, or since watch_forget_times. */
struct watch_times {
    int64_t from, to;  /* points between these, from > to: none; all times when more than points did */
    int64_t kept_from; /* and older points, which retention hides, go; INT64_MIN: none does */
};
/* False: nothing changed. */
bool watch_times(const struct watch_table *t, uint64_t client, struct watch_times *ret);
/* Are these all times? Then a reading that goes on would go on in something else. */
static inline bool
watch_times_all(const struct watch_times *w)
{
    return w->from == INT64_MIN && w->to == INT64_MAX;
}
static inline bool
watch_times_none(const struct watch_times *w)
{
    return w->from > w->to;
}
void watch_forget_times(struct watch_table *t, uint64_t client);
/* Calls fn for each key the client watches here (to see expiries before EXEC). */
void watch_each(const struct watch_table *t, uint64_t client,
                void (*fn)(void *arg, uint8_t db, struct slice key), void *arg);
void watch_table_destroy(struct watch_table **t);

#endif

/* The label index of one database of one shard: which series bear which labels.
 *
 * A series with labels has a record, whether its points are in memory or only in the store: its
 * key, a number (id), and its labels in the order they were given. For every label (name and value)
 * and every name there is the set of ids that bear it (posting_priv.h). A filter is answered from
 * these sets alone (label_filter.h, label_select.h), without a look at the series.
 *
 * Names, values and records stand in three hash directories of the kind the head uses (head.h), so
 * that nothing ever stops for a resize, and their memory is the shard's.
 *
 * The store has a row for each series with labels (row.h, ROW_LABELS), beside its main row, so that
 * a start reads labels and nothing else. Each record knows whether its row is what it says:
 * labels_capture and labels_settle are the two ends of a checkpoint. A record whose labels or key are
 * gone stays, empty, until its row is. Owner: the shard's owner. */
#ifndef SHARDS_LABELS_LABELS_H
#define SHARDS_LABELS_LABELS_H

#include "alloc/arena.h"
#include "core/buf.h"
#include "shards/series/series_meta.h"

#define LABEL_ROW_VERSION 1

struct labels;

/* An empty index, its memory from the arena. */
struct labels *labels_create(struct arena *a);
/* Linear; for big ones labels_release_slice. */
void labels_destroy(struct labels **x);
/* Frees up to `budget` pieces of an index that nobody asks any more; true: it is gone. */
bool labels_release_slice(struct labels **x, uint32_t budget);

/* The labels of a key from now on: n of them, none = it is forgotten. Copies; they may point into
 * the index where they are what the key has, or what another key bears. A label may be named twice.
 * `hash` is head_hash(key). O(n). */
void labels_set(struct labels *x, struct slice key, uint64_t hash, const struct series_label *l,
                uint32_t n);
static inline void
labels_remove(struct labels *x, struct slice key, uint64_t hash)
{
    labels_set(x, key, hash, NULL, 0);
}

/* Series with labels; labels (name and value) that are borne; bytes of memory that are not in the
 * arena's count. */
uint64_t labels_series(const struct labels *x);
uint64_t labels_pairs(const struct labels *x);
size_t labels_outer_bytes(const struct labels *x);

/* --- reading ----------------------------------------------------------------------------------- */

/* A series that was found. */
struct label_hit {
    struct slice key; /* in the index: until it is changed */
    uint32_t id;
};

/* Its labels, in the order they were given. */
uint32_t labels_of(const struct labels *x, uint32_t id);
struct series_label labels_at(const struct labels *x, uint32_t id, uint32_t i);
/* The value of the first label with this name; false: it has none. */
bool labels_value(const struct labels *x, uint32_t id, struct slice name, struct slice *ret_value);
/* The same for a key; its id; false: it has no labels. */
bool labels_find(const struct labels *x, struct slice key, uint64_t hash, uint32_t *ret_id);

/* All labels of a key, in the order they were given, into `ret_l` where that is not NULL; how many.
 * `x` may be NULL: none. They point into the index until it is changed. */
uint32_t labels_list(const struct labels *x, struct slice key, uint64_t hash,
                     struct series_label *ret_l);

/* --- the store's rows ------------------------------------------------------------------------- */

/* On the owner, when a checkpoint captures the key: true = its row must change; ret_row is appended
 * the new value, nothing = the row must go. labels_settle follows. */
bool labels_capture(struct labels *x, struct slice key, uint64_t hash, struct buf *ret_row);
/* The checkpoint is over; ok: the row is on disk. */
void labels_settle(struct labels *x, struct slice key, uint64_t hash, bool ok);
/* At the start: brings into the cache what labels_load of this row will look at. */
void labels_prefetch(const struct labels *x, uint64_t hash, struct slice row);
/* At the start: a row of the store. False: it is damaged. */
bool labels_load(struct labels *x, struct slice key, uint64_t hash, struct slice row);

/* Takes a row apart: up to SERIES_LABELS_MAX labels, which point into it. False: damaged. */
bool label_row_parse(struct slice row, struct series_label *ret_l, uint32_t *ret_n);

/* Walks everything and asserts the invariants; for tests. */
void labels_check(const struct labels *x);

#endif

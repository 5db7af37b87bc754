/* Inside of the label index, for the files of its folder. */
#ifndef SHARDS_LABELS_LABELS_PRIV_H
#define SHARDS_LABELS_LABELS_PRIV_H

#include "shards/head/head.h"
#include "shards/labels/label_filter.h"
#include "shards/labels/labels.h"
#include "shards/labels/posting_priv.h"

#define LABEL_NONE UINT32_MAX
#define ID_CHUNK 1024 /* items that are allocated together */

/* Items by number; numbers of removed ones are given again, the last one first. */
struct id_table {
    size_t item_bytes;
    char **chunks;
    uint32_t chunks_n, chunks_cap;
    uint32_t used; /* numbers given so far, free ones included */
    uint32_t live;
    uint32_t free; /* the next free one, LABEL_NONE = none */
};

void *id_at(const struct id_table *t, uint32_t id);
uint32_t id_take(struct arena *a, struct id_table *t);
/* The last one takes the table's memory along. */
void id_give(struct arena *a, struct id_table *t, uint32_t id);
bool id_is_live(const struct id_table *t, uint32_t id);
/* Frees one chunk, the last; true: there was one. */
bool id_chunk_drop(struct arena *a, struct id_table *t);

struct label_name {
    struct entry *e; /* in names, its number in seq; NULL: the number is free */
    struct posting has;
    uint32_t first; /* of its labels, a list; LABEL_NONE = none */
    uint32_t values;
};

struct label_pair {
    struct entry *e; /* in pairs, the same; its key = name number, value */
    struct posting has;
    uint32_t name;
    uint32_t prev, next;
};

enum record_flag {
    RECORD_STORED = 1 << 0,    /* the store may have a row */
    RECORD_CHANGED = 1 << 1,   /* the row is not what the record says */
    RECORD_CAPTURED = 1 << 2,  /* a checkpoint has taken it ... */
    RECORD_UNTOUCHED = 1 << 3, /* ... and it has not changed since */
};

struct labels {
    struct posting_memory memory;
    struct head names, pairs, series;
    struct id_table name, pair, record; /* label_name, label_pair, struct entry * */
    uint64_t with_labels;
    uint64_t changes; /* goes up with each; begins where no index before it has been */
};

/* A record: an entry of `series`. Its value is the numbers of its labels; its own number and its
 * flags stand in fields of the header that only the keyspace has a use for. */
#define RECORD_LABEL_BYTES 4

static inline uint32_t
record_id(const struct entry *e)
{
    return e->seq;
}

static inline uint32_t
record_n(const struct entry *e)
{
    return e->len / RECORD_LABEL_BYTES;
}

static inline uint32_t
record_pair(const struct entry *e, uint32_t i)
{
    return get_le32(entry_inline(e) + RECORD_LABEL_BYTES * (size_t)i);
}

static inline unsigned
record_flags(const struct entry *e)
{
    return e->access_s;
}

static inline void
record_set_flags(struct entry *e, unsigned flags)
{
    e->access_s = flags;
}

static inline const struct entry *
record_at(const struct labels *x, uint32_t id)
{
    return *(struct entry *const *)id_at(&x->record, id);
}

static inline const struct label_name *
name_at(const struct labels *x, uint32_t id)
{
    return id_at(&x->name, id);
}

static inline const struct label_pair *
pair_at(const struct labels *x, uint32_t id)
{
    return id_at(&x->pair, id);
}

/* The key of a label is the number of its name, most often one byte, and its value: a label that few
 * series bear should take little. */
#define PAIR_KEY_BYTES_MAX (5 + SERIES_LABEL_BYTES_MAX)

static inline uint32_t
pair_key_name_bytes(uint32_t name)
{
    return name < 1 << 7 ? 1 : name < 1 << 14 ? 2 : name < 1 << 21 ? 3 : name < 1 << 28 ? 4 : 5;
}

/* The value of a label, in the index. */
static inline struct slice
pair_value(const struct label_pair *p)
{
    struct slice key = entry_key(p->e);
    uint32_t n = pair_key_name_bytes(p->name);

    return (struct slice){key.p + n, key.n - n};
}

/* LABEL_NONE: nobody bears it. */
uint32_t name_find(const struct labels *x, struct slice name);
uint32_t pair_find(const struct labels *x, uint32_t name, struct slice value);
/* Brings what pair_find or pair_get will look at into the cache. */
void pair_prefetch(const struct labels *x, const struct series_label *l);
/* The number of a label, made where nobody bears it; somebody will. */
uint32_t pair_get(struct labels *x, const struct series_label *l);
/* Nobody bears the label any more; nobody any label of the name. */
void pair_drop(struct labels *x, uint32_t id);
void name_drop(struct labels *x, uint32_t id);

/* What a filter finds, by number, malloc'd; errors as labels_select has them. */
int labels_select_ids(const struct labels *x, const struct label_filter *f, uint32_t limit,
                      uint32_t **ret_ids, uint32_t *ret_n, char *ret_err);

/* A record without labels goes. */
void record_destroy(struct labels *x, uint64_t hash, struct entry *e);

/* Eight bytes of a key behind `from`, so that comparing them as numbers compares the keys that far. */
static inline uint64_t
label_order(struct slice key, size_t from)
{
    uint64_t order = 0;

    for (size_t i = 0; i < 8; i++)
        order = order << 8 | (from + i < key.n ? (uint8_t)key.p[from + i] : 0);
    return order;
}

#endif

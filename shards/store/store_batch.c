/* A batch: operations in the order they came, in one run of bytes, and an index that commit sorts.
 *
 *   bytes: [struct record][key][value] [struct record][key][value] ...
 *   index: one entry an operation: the first eight bytes of its key, where its record is
 *
 * Most comparisons of the sort are settled by the eight bytes. Checkpoints mostly append in key
 * order already; then there is nothing to sort. Of operations on the same key the last one counts,
 * but deletes that store_batch_delete_rows found by reading only count if nothing else was said.
 *
 * Where store_batch_delete_rows cannot read the rows it is to delete, the range goes as a range tombstone
 * of the table file, which spares the rows of the file itself:
 *
 *   ranges: [struct range][lower][upper] ...
 *
 * A batch that is spilled begins its table file early; what it holds is then always above what the file
 * has. */
#include "shards/store/store_priv.h"

#include <stdlib.h>

#define INDEX_FIRST 256
#define PREFETCH_ENTRIES 8

enum op { OP_PUT, OP_DELETE, OP_DELETE_FOUND };

struct record {
    uint32_t key_n, value_n;
    uint32_t op;
};

struct range {
    uint32_t lower_n, upper_n;
};

struct store_batch {
    struct store *s;
    struct buf bytes;
    struct buf ranges;
    struct store_entry *index;
    size_t n, cap;
    bool ascending; /* every key is above the one before it */
    struct store_sst sst; /* spilled: has everything below what is here */
    bool spilled;
    bool broken; /* what was spilled is lost */
};

struct store_batch *
store_batch_create(struct store *s)
{
    struct store_batch *b = calloc(1, sizeof(*b));

    ASSERT(b);
    b->s = s;
    b->ascending = true;
    return b;
}

void
store_batch_destroy(struct store_batch **b)
{
    if (!*b)
        return;
    store_sst_close(&(*b)->sst);
    buf_fini(&(*b)->bytes);
    buf_fini(&(*b)->ranges);
    free((*b)->index);
    free(*b);
    *b = NULL;
}

static struct record
record_at(const char *bytes, uint64_t at)
{
    struct record rec;

    memcpy(&rec, bytes + at, sizeof(rec)); /* not aligned */
    return rec;
}

static struct slice
key_at(const char *bytes, uint64_t at)
{
    return (struct slice){bytes + at + sizeof(struct record), record_at(bytes, at).key_n};
}

static uint64_t
prefix_of(struct slice key)
{
    char first[8] = {0};

    if (key.n >= 8)
        return get_be64(key.p);
    memcpy(first, key.p, key.n);
    return get_be64(first);
}

/* -1, 0, 1 by key alone. */
static int
compare_entries(const char *bytes, const struct store_entry *a, const struct store_entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return store_compare_keys(key_at(bytes, a->at), key_at(bytes, b->at));
}

static int
compare_for_sort(const void *a, const void *b, void *bytes)
{
    const struct store_entry *x = a, *y = b;
    int c = compare_entries(bytes, x, y);

    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static void
index_append(struct store_batch *b, struct store_entry e)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : INDEX_FIRST;
        b->index = realloc(b->index, b->cap * sizeof(*b->index));
        ASSERT(b->index);
    }
    if (b->ascending && b->n)
        b->ascending = compare_entries(b->bytes.p, &b->index[b->n - 1], &e) < 0;
    b->index[b->n++] = e;
}

static void
append(struct store_batch *b, enum op op, struct slice key, struct slice value, struct slice then)
{
    struct record rec = {(uint32_t)key.n, (uint32_t)(value.n + then.n), op};
    uint64_t at = b->bytes.n;

    ASSERT(key.n > 0 && key.n <= UINT32_MAX && value.n + then.n <= STORE_VALUE_BYTES_MAX);
    buf_reserve(&b->bytes, sizeof(rec) + key.n + value.n + then.n);
    buf_append(&b->bytes, &rec, sizeof(rec));
    buf_append(&b->bytes, key.p, key.n);
    buf_append(&b->bytes, value.p, value.n);
    buf_append(&b->bytes, then.p, then.n);
    index_append(b, (struct store_entry){prefix_of(key), at});
}

void
store_batch_put(struct store_batch *b, struct slice key, struct slice value)
{
    append(b, OP_PUT, key, value, (struct slice){0});
}

void
store_batch_put_joined(struct store_batch *b, struct slice key, struct slice first,
                       struct slice then)
{
    append(b, OP_PUT, key, first, then);
}

void
store_batch_delete(struct store_batch *b, struct slice key)
{
    append(b, OP_DELETE, key, (struct slice){0}, (struct slice){0});
}

void
store_batch_delete_range(struct store_batch *b, struct slice lower, struct slice upper)
{
    struct range range = {(uint32_t)lower.n, (uint32_t)upper.n};

    buf_append(&b->ranges, &range, sizeof(range));
    buf_append(&b->ranges, lower.p, lower.n);
    buf_append(&b->ranges, upper.p, upper.n);
}

int
store_batch_delete_rows(struct store_batch *b, struct slice lower, struct slice upper,
                        struct store_error *err)
{
    struct store_iter *it = store_iter_open_to_delete(b->s, lower, upper);
    int r;

    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
        append(b, OP_DELETE_FOUND, store_iter_key(it), (struct slice){0}, (struct slice){0});
    r = store_iter_status(it, err);
    store_iter_close(&it);
    if (r != -EIO)
        return r;
    store_batch_delete_range(b, lower, upper);
    return 0;
}

size_t
store_batch_rows(const struct store_batch *b)
{
    return b->n;
}

size_t
store_batch_bytes(const struct store_batch *b)
{
    return b->bytes.n;
}

/* The operation that counts among the equal keys [first, end): the last that is not a found
 * delete. */
static const struct store_entry *
winner(const struct store_batch *b, size_t first, size_t end)
{
    for (size_t i = end; i-- > first;)
        if (record_at(b->bytes.p, b->index[i].at).op != OP_DELETE_FOUND)
            return &b->index[i];
    return &b->index[first];
}

static int
write_entry(const struct store_batch *b, const struct store_entry *e, struct store_sst *sst,
            struct store_error *err)
{
    struct record rec = record_at(b->bytes.p, e->at);
    struct slice key = key_at(b->bytes.p, e->at);

    if (rec.op == OP_PUT)
        return store_sst_put(sst, key, (struct slice){key.p + key.n, rec.value_n}, err);
    return store_sst_delete(sst, key, err);
}

/* Shuffled rows are read in an order the processor cannot guess. */
static void
prefetch_record(const struct store_batch *b, size_t i)
{
    const char *at;

    if (i >= b->n)
        return;
    at = b->bytes.p + b->index[i].at;
    __builtin_prefetch(at);
    __builtin_prefetch(at + CACHE_LINE);
}

static int
write_rows(const struct store_batch *b, struct store_sst *sst, struct store_error *err)
{
    size_t first = 0, end;
    int r = 0;

    for (; r == 0 && first < b->n; first = end) {
        for (end = first + 1; end < b->n; end++)
            if (compare_entries(b->bytes.p, &b->index[first], &b->index[end]) != 0)
                break;
        prefetch_record(b, end + PREFETCH_ENTRIES);
        r = write_entry(b, winner(b, first, end), sst, err);
    }
    return r;
}

static int
write_ranges(const struct store_batch *b, struct store_sst *sst, struct store_error *err)
{
    struct range range;
    int r = 0;

    for (size_t at = 0; r == 0 && at < b->ranges.n; at += range.lower_n + range.upper_n) {
        memcpy(&range, b->ranges.p + at, sizeof(range)); /* not aligned */
        at += sizeof(range);
        r = store_sst_delete_range(sst, (struct slice){b->ranges.p + at, range.lower_n},
                                   (struct slice){b->ranges.p + at + range.lower_n, range.upper_n},
                                   err);
    }
    return r;
}

static void
batch_clear(struct store_batch *b)
{
    b->bytes.n = 0;
    b->ranges.n = 0;
    b->n = 0;
    b->ascending = true;
}

/* To the table file, which is begun if there is none yet: that asks for the database's health. What is
 * written later asks again, for much can happen until a large batch is committed. */
static int
write_out(struct store_batch *b, struct store_error *err)
{
    int r;

    ASSERT(!b->broken);
    if (!b->ascending)
        store_sort(b->index, b->n, compare_for_sort, b->bytes.p);
    r = b->spilled ? store_check_health(b->s, b->bytes.n, err)
                   : store_sst_open(&b->sst, b->s, b->bytes.n, err);
    if (r == 0)
        r = write_ranges(b, &b->sst, err);
    return r == 0 ? write_rows(b, &b->sst, err) : r;
}

static bool
is_empty(const struct store_batch *b)
{
    return b->n == 0 && b->ranges.n == 0;
}

int
store_batch_spill(struct store_batch *b, struct store_error *err)
{
    int r;

    if (is_empty(b))
        return 0;
    r = write_out(b, err);
    b->spilled = true;
    b->broken = r < 0;
    if (r == 0)
        batch_clear(b);
    return r;
}

int
store_batch_commit(struct store_batch *b, struct store_error *err)
{
    int r;

    if (is_empty(b) && !b->spilled)
        return 0;
    r = write_out(b, err);
    if (r == 0)
        r = store_sst_ingest(&b->sst, err);
    store_sst_close(&b->sst);
    b->broken = r < 0 && b->spilled;
    b->spilled = false;
    if (r == 0)
        batch_clear(b);
    return r;
}

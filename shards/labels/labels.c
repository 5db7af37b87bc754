/* Records of series, and the index as a whole. */
#include "core/clock.h"
#include "shards/labels/labels_priv.h"

/* --- records ---------------------------------------------------------------------------------- */

static struct entry *
record_create(struct labels *x, struct slice key, uint64_t hash)
{
    uint32_t id = id_take(x->memory.arena, &x->record);
    struct entry *e = head_insert(&x->series, hash, key, ENTRY_STRING, 0, 0);

    e->seq = id;
    e->access_s = 0;
    *(struct entry **)id_at(&x->record, id) = e;
    return e;
}

void
record_destroy(struct labels *x, uint64_t hash, struct entry *e)
{
    uint32_t id = record_id(e);

    head_remove(&x->series, hash, e);
    id_give(x->memory.arena, &x->record, id);
}

/* Room for n labels. */
static struct entry *
record_shape(struct labels *x, uint64_t hash, struct entry *e, uint32_t n)
{
    uint32_t bytes = RECORD_LABEL_BYTES * n;

    if (e->len != bytes)
        e = head_reshape(&x->series, hash, e, ENTRY_STRING, bytes, 0);
    *(struct entry **)id_at(&x->record, record_id(e)) = e;
    return e;
}

static void
drop_labels(struct labels *x, struct entry *e)
{
    uint32_t id = record_id(e), n = record_n(e), i;

    for (i = 0; i < n; i++) {
        struct label_name *name;
        struct label_pair *p;
        uint32_t of;

        if (!id_is_live(&x->pair, record_pair(e, i))) /* named twice */
            continue;
        p = id_at(&x->pair, record_pair(e, i));
        of = p->name;
        name = id_at(&x->name, of);
        posting_remove(&x->memory, &p->has, id);
        posting_remove(&x->memory, &name->has, id);
        if (p->has.n == 0)
            pair_drop(x, record_pair(e, i));
        if (name->values == 0)
            name_drop(x, of);
    }
    x->with_labels -= n > 0;
}

static void
add_labels(struct labels *x, struct entry *e, const struct series_label *l, uint32_t n)
{
    uint32_t id = record_id(e), i;

    for (i = 0; i < n; i++) {
        uint32_t pair = pair_get(x, &l[i]);
        struct label_pair *p = id_at(&x->pair, pair);
        struct label_name *name = id_at(&x->name, p->name);

        posting_add(&x->memory, &p->has, id);
        posting_add(&x->memory, &name->has, id);
        put_le32(entry_inline(e) + RECORD_LABEL_BYTES * (size_t)i, pair);
    }
    x->with_labels += n > 0;
}

static bool
same_labels(const struct labels *x, const struct entry *e, const struct series_label *l, uint32_t n)
{
    if (record_n(e) != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct label_pair *p = pair_at(x, record_pair(e, i));

        if (!slice_equal(pair_value(p), l[i].value) ||
            !slice_equal(entry_key(name_at(x, p->name)->e), l[i].name))
            return false;
    }
    return true;
}

void
labels_set(struct labels *x, struct slice key, uint64_t hash, const struct series_label *l,
           uint32_t n)
{
    struct entry *e = head_find(&x->series, hash, key);

    ASSERT(n <= SERIES_LABELS_MAX);
    if (e == NULL && n == 0)
        return;
    if (e == NULL)
        e = record_create(x, key, hash);
    else if (same_labels(x, e, l, n))
        return;
    x->changes++;
    drop_labels(x, e);
    record_set_flags(e, (record_flags(e) | RECORD_CHANGED) & ~(unsigned)RECORD_UNTOUCHED);
    if (n == 0 && !(record_flags(e) & (RECORD_STORED | RECORD_CAPTURED))) {
        record_destroy(x, hash, e);
        return;
    }
    e = record_shape(x, hash, e, n);
    add_labels(x, e, l, n);
}

/* --- life ------------------------------------------------------------------------------------- */

struct labels *
labels_create(struct arena *a)
{
    struct labels *x = arena_alloc(a, sizeof(*x));

    *x = (struct labels){
        .memory.arena = a,
        .changes = clock_now_ns(), /* more than one made a change each nanosecond until now */
        .name = {.item_bytes = sizeof(struct label_name), .free = LABEL_NONE},
        .pair = {.item_bytes = sizeof(struct label_pair), .free = LABEL_NONE},
        .record = {.item_bytes = sizeof(struct entry *), .free = LABEL_NONE},
    };
    head_init(&x->names, a, NULL);
    head_init(&x->pairs, a, NULL);
    head_init(&x->series, a, NULL);
    return x;
}

static bool
release_postings(struct labels *x, struct id_table *t, size_t at, uint32_t budget)
{
    for (; budget > 0 && t->used > 0; budget--, t->used--)
        if (id_is_live(t, t->used - 1))
            posting_fini(&x->memory, (struct posting *)((char *)id_at(t, t->used - 1) + at));
    return t->used == 0;
}

static bool
release_chunks(struct labels *x, struct id_table *t, uint32_t budget)
{
    while (budget-- > 0)
        if (!id_chunk_drop(x->memory.arena, t))
            return true;
    return false;
}

bool
labels_release_slice(struct labels **ret_x, uint32_t budget)
{
    struct labels *x = *ret_x;

    if (!release_postings(x, &x->pair, offsetof(struct label_pair, has), budget) ||
        !release_postings(x, &x->name, offsetof(struct label_name, has), budget) ||
        !release_chunks(x, &x->pair, budget) || !release_chunks(x, &x->name, budget) ||
        !release_chunks(x, &x->record, budget) || !head_release_slice(&x->series, budget) ||
        !head_release_slice(&x->pairs, budget) || !head_release_slice(&x->names, budget))
        return false;
    arena_free(x->memory.arena, x, sizeof(*x));
    *ret_x = NULL;
    return true;
}

void
labels_destroy(struct labels **x)
{
    while (*x && !labels_release_slice(x, UINT32_MAX))
        ;
}

/* --- reading ---------------------------------------------------------------------------------- */

uint64_t
labels_series(const struct labels *x)
{
    return x->with_labels;
}

uint64_t
labels_pairs(const struct labels *x)
{
    return x->pair.live;
}

size_t
labels_outer_bytes(const struct labels *x)
{
    return head_table_bytes(&x->names) + head_table_bytes(&x->pairs) +
           head_table_bytes(&x->series) + x->memory.big_bytes;
}

uint32_t
labels_of(const struct labels *x, uint32_t id)
{
    return record_n(record_at(x, id));
}

struct series_label
labels_at(const struct labels *x, uint32_t id, uint32_t i)
{
    const struct label_pair *p = pair_at(x, record_pair(record_at(x, id), i));

    return (struct series_label){entry_key(name_at(x, p->name)->e), pair_value(p)};
}

bool
labels_value(const struct labels *x, uint32_t id, struct slice name, struct slice *ret_value)
{
    const struct entry *e = record_at(x, id);
    uint32_t of = name_find(x, name);

    for (uint32_t i = 0; of != LABEL_NONE && i < record_n(e); i++) {
        const struct label_pair *p = pair_at(x, record_pair(e, i));

        if (p->name != of)
            continue;
        *ret_value = pair_value(p);
        return true;
    }
    return false;
}

bool
labels_find(const struct labels *x, struct slice key, uint64_t hash, uint32_t *ret_id)
{
    const struct entry *e = head_find(&x->series, hash, key);

    if (e == NULL || record_n(e) == 0)
        return false;
    *ret_id = record_id(e);
    return true;
}

uint32_t
labels_list(const struct labels *x, struct slice key, uint64_t hash, struct series_label *ret_l)
{
    uint32_t id, n;

    if (x == NULL || !labels_find(x, key, hash, &id))
        return 0;
    n = labels_of(x, id);
    for (uint32_t i = 0; ret_l && i < n; i++)
        ret_l[i] = labels_at(x, id, i);
    return n;
}

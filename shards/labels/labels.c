#include "shards/labels/labels_priv.h"

#include "shards/series/varint.h"

/* --- numbers ---------------------------------------------------------------------------------- */

void *
id_at(const struct id_table *t, uint32_t id)
{
    return t->chunks[id / ID_CHUNK] + (size_t)(id % ID_CHUNK) * t->item_bytes;
}

static void
id_chunk_add(struct arena *a, struct id_table *t)
{
    if (t->chunks_n == t->chunks_cap) {
        uint32_t cap = t->chunks_cap ? t->chunks_cap * 2 : 16;
        char **chunks = arena_alloc(a, cap * sizeof(*chunks));

        if (t->chunks_n) {
            memcpy(chunks, t->chunks, t->chunks_n * sizeof(*chunks));
            arena_free(a, t->chunks, t->chunks_cap * sizeof(*chunks));
        }
        t->chunks = chunks;
        t->chunks_cap = cap;
    }
    t->chunks[t->chunks_n++] = arena_alloc(a, ID_CHUNK * t->item_bytes);
}

/* A free item: its first eight bytes, which of a live one are an address, are 2 * next free + 1. */
static uint32_t
id_take(struct arena *a, struct id_table *t)
{
    uint32_t id = t->free;
    uint64_t word;

    t->live++;
    if (id == LABEL_NONE) {
        ASSERT(t->used < LABEL_NONE);
        if (t->used == t->chunks_n * (uint64_t)ID_CHUNK)
            id_chunk_add(a, t);
        return t->used++;
    }
    memcpy(&word, id_at(t, id), sizeof(word));
    ASSERT(word & 1);
    t->free = (uint32_t)(word >> 1);
    return id;
}

static void
id_give(struct id_table *t, uint32_t id)
{
    uint64_t word = (uint64_t)t->free << 1 | 1;

    memcpy(id_at(t, id), &word, sizeof(word));
    t->free = id;
    t->live--;
}

static bool
id_is_live(const struct id_table *t, uint32_t id)
{
    uint64_t word;

    memcpy(&word, id_at(t, id), sizeof(word));
    return !(word & 1);
}

/* Frees one chunk, the last; true: there was one. */
static bool
id_chunk_drop(struct arena *a, struct id_table *t)
{
    if (t->chunks_n == 0) {
        if (t->chunks)
            arena_free(a, t->chunks, t->chunks_cap * sizeof(*t->chunks));
        t->chunks = NULL;
        return false;
    }
    arena_free(a, t->chunks[--t->chunks_n], ID_CHUNK * t->item_bytes);
    return true;
}

/* --- names and labels ------------------------------------------------------------------------- */

uint32_t
name_find(const struct labels *x, struct slice name)
{
    const struct entry *e;

    if (name.n > SERIES_LABEL_BYTES_MAX)
        return LABEL_NONE;
    e = head_find(&x->names, head_hash(name), name);
    return e ? get_le32(entry_inline(e)) : LABEL_NONE;
}

static uint32_t
name_get(struct labels *x, struct slice name)
{
    uint32_t id = name_find(x, name);
    struct label_name *made;
    struct entry *e;

    if (id != LABEL_NONE)
        return id;
    id = id_take(x->memory.arena, &x->name);
    e = head_insert(&x->names, head_hash(name), name, ENTRY_STRING, 4, 0);
    put_le32(entry_inline(e), id);
    made = id_at(&x->name, id);
    *made = (struct label_name){.e = e, .first = LABEL_NONE};
    return id;
}

static void
name_drop(struct labels *x, uint32_t id)
{
    struct label_name *name = id_at(&x->name, id);

    ASSERT(name->values == 0 && name->has.n == 0);
    posting_fini(&x->memory, &name->has);
    head_remove(&x->names, head_hash(entry_key(name->e)), name->e);
    id_give(&x->name, id);
}

/* The key of a label: the number of its name, then its value. */
static struct slice
pair_key(char *bytes, uint32_t name, struct slice value)
{
    put_le32(bytes, name);
    if (value.n)
        memcpy(bytes + 4, value.p, value.n);
    return (struct slice){bytes, 4 + value.n};
}

uint32_t
pair_find(const struct labels *x, uint32_t name, struct slice value)
{
    char bytes[4 + SERIES_LABEL_BYTES_MAX];
    const struct entry *e;
    struct slice key;

    if (value.n > SERIES_LABEL_BYTES_MAX)
        return LABEL_NONE;
    key = pair_key(bytes, name, value);
    e = head_find(&x->pairs, head_hash(key), key);
    return e ? get_le32(entry_inline(e)) : LABEL_NONE;
}

static void
pair_prefetch(const struct labels *x, const struct series_label *l)
{
    uint32_t name = name_find(x, l->name);
    char bytes[4 + SERIES_LABEL_BYTES_MAX];

    if (name != LABEL_NONE)
        head_prefetch(&x->pairs, head_hash(pair_key(bytes, name, l->value)));
}

static void
pair_link(struct labels *x, struct label_pair *p, uint32_t id)
{
    struct label_name *name = id_at(&x->name, p->name);

    p->prev = LABEL_NONE;
    p->next = name->first;
    if (p->next != LABEL_NONE)
        ((struct label_pair *)id_at(&x->pair, p->next))->prev = id;
    name->first = id;
    name->values++;
}

static void
pair_unlink(struct labels *x, const struct label_pair *p)
{
    struct label_name *name = id_at(&x->name, p->name);

    if (p->prev != LABEL_NONE)
        ((struct label_pair *)id_at(&x->pair, p->prev))->next = p->next;
    else
        name->first = p->next;
    if (p->next != LABEL_NONE)
        ((struct label_pair *)id_at(&x->pair, p->next))->prev = p->prev;
    name->values--;
}

static uint32_t
pair_get(struct labels *x, const struct series_label *l)
{
    uint32_t name = name_get(x, l->name), id = pair_find(x, name, l->value);
    char bytes[4 + SERIES_LABEL_BYTES_MAX];
    struct label_pair *p;
    struct slice key;

    if (id != LABEL_NONE)
        return id;
    key = pair_key(bytes, name, l->value);
    id = id_take(x->memory.arena, &x->pair);
    p = id_at(&x->pair, id);
    *p = (struct label_pair){.name = name};
    p->e = head_insert(&x->pairs, head_hash(key), key, ENTRY_STRING, 4, 0);
    put_le32(entry_inline(p->e), id);
    pair_link(x, p, id);
    return id;
}

static void
pair_drop(struct labels *x, uint32_t id)
{
    struct label_pair *p = id_at(&x->pair, id);

    posting_fini(&x->memory, &p->has);
    pair_unlink(x, p);
    head_remove(&x->pairs, head_hash(entry_key(p->e)), p->e);
    id_give(&x->pair, id);
}

/* --- records ---------------------------------------------------------------------------------- */

static uint8_t
record_flags(const struct entry *e)
{
    return (uint8_t)entry_inline(e)[8];
}

static void
record_set_flags(struct entry *e, uint8_t flags)
{
    entry_inline(e)[8] = (char)flags;
}

static struct entry *
record_create(struct labels *x, struct slice key, uint64_t hash)
{
    uint32_t id = id_take(x->memory.arena, &x->record);
    struct entry *e = head_insert(&x->series, hash, key, ENTRY_STRING, RECORD_HEAD_BYTES, 0);

    put_le32(entry_inline(e), id);
    put_le32(entry_inline(e) + 4, 0);
    record_set_flags(e, 0);
    *(struct entry **)id_at(&x->record, id) = e;
    return e;
}

static void
record_destroy(struct labels *x, uint64_t hash, struct entry *e)
{
    uint32_t id = record_id(e);

    ASSERT(record_n(e) == 0);
    head_remove(&x->series, hash, e);
    id_give(&x->record, id);
}

/* Room for n labels. */
static struct entry *
record_shape(struct labels *x, uint64_t hash, struct entry *e, uint32_t n)
{
    uint32_t bytes = RECORD_HEAD_BYTES + 4 * n;

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
        struct label_pair *p = id_at(&x->pair, record_pair(e, i));
        struct label_name *name;
        uint32_t of;

        if (!id_is_live(&x->pair, record_pair(e, i))) /* named twice */
            continue;
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
    put_le32(entry_inline(e) + 4, 0);
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
        put_le32(entry_inline(e) + RECORD_HEAD_BYTES + 4 * (size_t)i, pair);
    }
    x->with_labels += n > 0;
    put_le32(entry_inline(e) + 4, n);
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
    drop_labels(x, e);
    record_set_flags(e, (uint8_t)((record_flags(e) | RECORD_CHANGED) & ~RECORD_UNTOUCHED));
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
    for (; budget > 0 && t->used > 0; budget--) {
        t->used--;
        if (id_is_live(t, t->used))
            posting_fini(&x->memory, (struct posting *)((char *)id_at(t, t->used) + at));
    }
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

void
labels_each_name(const struct labels *x, void (*fn)(void *arg, struct slice name), void *arg)
{
    for (uint32_t i = 0; i < x->name.used; i++)
        if (id_is_live(&x->name, i))
            fn(arg, entry_key(name_at(x, i)->e));
}

void
labels_each_value(const struct labels *x, struct slice name,
                  void (*fn)(void *arg, struct slice value), void *arg)
{
    uint32_t of = name_find(x, name), at;

    if (of == LABEL_NONE)
        return;
    for (at = name_at(x, of)->first; at != LABEL_NONE; at = pair_at(x, at)->next)
        fn(arg, pair_value(pair_at(x, at)));
}

/* --- the store's rows -------------------------------------------------------------------------
 *
 *   [version:1][labels varint] labels x ([length varint][name][length varint][value]) */

static void
put_text(struct buf *out, struct slice s)
{
    varint_put(out, s.n);
    if (s.n)
        buf_append(out, s.p, s.n);
}

static void
row_write(const struct labels *x, const struct entry *e, struct buf *out)
{
    buf_put_u8(out, LABEL_ROW_VERSION);
    varint_put(out, record_n(e));
    for (uint32_t i = 0; i < record_n(e); i++) {
        struct series_label l = labels_at(x, record_id(e), i);

        put_text(out, l.name);
        put_text(out, l.value);
    }
}

static bool
get_text(struct cursor *c, struct slice *ret)
{
    const uint8_t *p;
    uint64_t n;

    if (!varint_get(c, &n) || n > SERIES_LABEL_BYTES_MAX || (p = cursor_take(c, n)) == NULL)
        return false;
    *ret = (struct slice){(const char *)p, n};
    return true;
}

bool
label_row_parse(struct slice row, struct series_label *ret_l, uint32_t *ret_n)
{
    struct cursor c = cursor_of(row);
    uint8_t version;
    uint64_t n;

    if (!cursor_u8(&c, &version) || version != LABEL_ROW_VERSION || !varint_get(&c, &n) ||
        n == 0 || n > SERIES_LABELS_MAX)
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (!get_text(&c, &ret_l[i].name) || !get_text(&c, &ret_l[i].value))
            return false;
    *ret_n = (uint32_t)n;
    return c.p == c.end;
}

void
labels_prefetch(const struct labels *x, uint64_t hash, struct slice row)
{
    struct series_label l[SERIES_LABELS_MAX];
    uint32_t n;

    head_prefetch(&x->series, hash);
    if (!label_row_parse(row, l, &n))
        return;
    for (uint32_t i = 0; i < n; i++)
        pair_prefetch(x, &l[i]);
}

bool
labels_load(struct labels *x, struct slice key, uint64_t hash, struct slice row)
{
    struct series_label l[SERIES_LABELS_MAX];
    struct entry *e;
    uint32_t n;

    if (!label_row_parse(row, l, &n))
        return false;
    labels_set(x, key, hash, l, n);
    e = head_find(&x->series, hash, key);
    record_set_flags(e, RECORD_STORED);
    return true;
}

bool
labels_capture(struct labels *x, struct slice key, uint64_t hash, struct buf *ret_row)
{
    struct entry *e = head_find(&x->series, hash, key);

    if (e == NULL || !(record_flags(e) & RECORD_CHANGED))
        return false;
    ASSERT(!(record_flags(e) & RECORD_CAPTURED));
    record_set_flags(e, record_flags(e) | RECORD_CAPTURED | RECORD_UNTOUCHED);
    if (record_n(e) == 0)
        return true;
    row_write(x, e, ret_row);
    return true;
}

void
labels_settle(struct labels *x, struct slice key, uint64_t hash, bool ok)
{
    struct entry *e = head_find(&x->series, hash, key);
    uint8_t flags = e ? record_flags(e) : 0;

    if (!(flags & RECORD_CAPTURED))
        return;
    if (ok && (flags & RECORD_UNTOUCHED)) {
        flags &= (uint8_t)~(RECORD_CHANGED | RECORD_STORED);
        flags |= record_n(e) ? RECORD_STORED : 0;
    } else if (ok) {
        flags |= RECORD_STORED; /* what was captured, which is not what it says now */
    }
    flags &= (uint8_t)~(RECORD_CAPTURED | RECORD_UNTOUCHED);
    record_set_flags(e, flags);
    if (record_n(e) == 0 && !(flags & RECORD_STORED))
        record_destroy(x, hash, e);
}

/* --- checks ----------------------------------------------------------------------------------- */

static void
check_record(const struct labels *x, uint32_t id)
{
    const struct entry *e = record_at(x, id);

    ASSERT(record_id(e) == id);
    ASSERT(record_n(e) > 0 || record_flags(e) & (RECORD_STORED | RECORD_CAPTURED));
    for (uint32_t i = 0; i < record_n(e); i++) {
        const struct label_pair *p = pair_at(x, record_pair(e, i));

        ASSERT(id_is_live(&x->pair, record_pair(e, i)));
        ASSERT(posting_has(&p->has, id) && posting_has(&name_at(x, p->name)->has, id));
    }
}

static void
check_name(const struct labels *x, uint32_t id)
{
    const struct label_name *name = name_at(x, id);
    uint32_t prev = LABEL_NONE, n = 0;

    ASSERT(name_find(x, entry_key(name->e)) == id);
    for (uint32_t at = name->first; at != LABEL_NONE; at = pair_at(x, at)->next, n++) {
        ASSERT(pair_at(x, at)->name == id && pair_at(x, at)->prev == prev);
        ASSERT(pair_at(x, at)->has.n > 0 && pair_at(x, at)->has.n <= name->has.n);
        ASSERT(pair_find(x, id, pair_value(pair_at(x, at))) == at);
        prev = at;
    }
    ASSERT(n == name->values && n > 0);
}

void
labels_check(const struct labels *x)
{
    uint64_t with_labels = 0;

    for (uint32_t i = 0; i < x->record.used; i++)
        if (id_is_live(&x->record, i)) {
            check_record(x, i);
            with_labels += record_n(record_at(x, i)) > 0;
        }
    for (uint32_t i = 0; i < x->name.used; i++)
        if (id_is_live(&x->name, i))
            check_name(x, i);
    ASSERT(with_labels == x->with_labels);
    ASSERT(x->record.live == x->series.keys && x->pair.live == x->pairs.keys);
}

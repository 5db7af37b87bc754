/* Names and labels, each once however many series bear it: what a series' record has is numbers of
 * labels. A name lives as long as it has labels, a label as long as a series bears it. */
#include "shards/labels/labels_priv.h"

uint32_t
name_find(const struct labels *x, struct slice name)
{
    const struct entry *e;

    if (name.n > SERIES_LABEL_BYTES_MAX)
        return LABEL_NONE;
    e = head_find(&x->names, head_hash(name), name);
    return e ? e->seq : LABEL_NONE;
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
    e = head_insert(&x->names, head_hash(name), name, ENTRY_STRING, 0, 0);
    e->seq = id;
    made = id_at(&x->name, id);
    *made = (struct label_name){.e = e, .first = LABEL_NONE};
    return id;
}

void
name_drop(struct labels *x, uint32_t id)
{
    struct label_name *name = id_at(&x->name, id);

    ASSERT(name->values == 0 && name->has.n == 0);
    posting_fini(&x->memory, &name->has);
    head_remove(&x->names, head_hash(entry_key(name->e)), name->e);
    id_give(x->memory.arena, &x->name, id);
}

static struct slice
pair_key(char *bytes, uint32_t name, struct slice value)
{
    uint32_t n = pair_key_name_bytes(name);

    for (uint32_t i = 0; i < n; i++, name >>= 7)
        bytes[i] = (char)(name & 0x7f) | (char)(i + 1 < n ? 0x80 : 0);
    if (value.n)
        memcpy(bytes + n, value.p, value.n);
    return (struct slice){bytes, n + value.n};
}

uint32_t
pair_find(const struct labels *x, uint32_t name, struct slice value)
{
    char bytes[PAIR_KEY_BYTES_MAX];
    const struct entry *e;
    struct slice key;

    if (value.n > SERIES_LABEL_BYTES_MAX)
        return LABEL_NONE;
    key = pair_key(bytes, name, value);
    e = head_find(&x->pairs, head_hash(key), key);
    return e ? e->seq : LABEL_NONE;
}

void
pair_prefetch(const struct labels *x, const struct series_label *l)
{
    uint32_t name = name_find(x, l->name);
    char bytes[PAIR_KEY_BYTES_MAX];

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

uint32_t
pair_get(struct labels *x, const struct series_label *l)
{
    uint32_t name = name_get(x, l->name), id = pair_find(x, name, l->value);
    char bytes[PAIR_KEY_BYTES_MAX];
    struct label_pair *p;
    struct slice key;

    if (id != LABEL_NONE)
        return id;
    key = pair_key(bytes, name, l->value);
    id = id_take(x->memory.arena, &x->pair);
    p = id_at(&x->pair, id);
    *p = (struct label_pair){.name = name};
    p->e = head_insert(&x->pairs, head_hash(key), key, ENTRY_STRING, 0, 0);
    p->e->seq = id;
    pair_link(x, p, id);
    return id;
}

void
pair_drop(struct labels *x, uint32_t id)
{
    struct label_pair *p = id_at(&x->pair, id);

    posting_fini(&x->memory, &p->has);
    pair_unlink(x, p);
    head_remove(&x->pairs, head_hash(entry_key(p->e)), p->e);
    id_give(x->memory.arena, &x->pair, id);
}

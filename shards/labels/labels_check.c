#include "shards/labels/labels_priv.h"

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

#include "shards/engine/load_string.h"

#include "shards/engine/shard.h"

/* Bytes appended while the helper copied, which the loop carries over. */
#define STRING_LATE_BYTES_MAX (1 * MIB)

static struct entry *
long_string(const struct need *need)
{
    struct head *h = &need->sh->db[need->db].head;
    struct entry *e = head_find(h, head_hash(need->key), need->key);

    return e && (e->flags & (ENTRY_EXTERNAL | ENTRY_TOMBSTONE)) == ENTRY_EXTERNAL ? e : NULL;
}

void
string_load_begin(struct string_load *l, const struct need *need)
{
    const struct entry *e = long_string(need);
    const struct bigval *v;

    if (e == NULL)
        return;
    v = entry_ptr(e);
    *l = (struct string_load){.from = blob_get(v->blob), .value = {v->p, v->len},
                              .cap = MAX(need->limit, v->len)};
}

void
string_load_work(struct string_load *l)
{
    if (l->from == NULL)
        return;
    l->made = blob_create_zero(l->cap);
    memcpy(l->made->p, l->value.p, l->value.n);
}

/* Is the string what was copied, but for what was appended? While its memory is held nobody writes into
 * the part that was there. */
static bool
is_still(const struct string_load *l, const struct entry *e)
{
    const struct bigval *v = entry_ptr(e);

    return v->blob == l->from && v->p == l->value.p && v->len >= l->value.n &&
           v->len - l->value.n <= STRING_LATE_BYTES_MAX && v->len <= l->made->bytes;
}

void
string_load_finish(struct string_load *l, const struct need *need)
{
    struct entry *e = l->made ? long_string(need) : NULL;

    if (e && is_still(l, e)) {
        head_string_adopt(&need->sh->db[need->db].head, e, l->made, l->value.n);
        l->made = NULL;
    }
    blob_put(&l->made);
    blob_put(&l->from);
}

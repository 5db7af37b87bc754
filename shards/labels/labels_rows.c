/* The store's rows of labels:
 *
 *   [version:1][labels varint] labels x ([length varint][name][length varint][value]) */
#include "shards/labels/labels_priv.h"

#include "shards/series/varint.h"


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
    unsigned flags = e ? record_flags(e) : 0;

    if (!(flags & RECORD_CAPTURED))
        return;
    if (ok && (flags & RECORD_UNTOUCHED)) {
        flags &= ~(unsigned)(RECORD_CHANGED | RECORD_STORED);
        flags |= record_n(e) ? RECORD_STORED : 0U;
    } else if (ok) {
        flags |= RECORD_STORED; /* what was captured, which is not what it says now */
    }
    flags &= ~(unsigned)(RECORD_CAPTURED | RECORD_UNTOUCHED);
    record_set_flags(e, flags);
    if (record_n(e) == 0 && !(flags & RECORD_STORED))
        record_destroy(x, hash, e);
}

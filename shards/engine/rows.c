#include "shards/engine/rows.h"

#include <stdlib.h>

/* --- the store ------------------------------------------------------------------------------- */

void
rows_open(struct rows *r, struct store *s, uint8_t db, uint32_t first, uint32_t last,
          bool cached_only)
{
    char from[ROW_PREFIX_BYTES], to[ROW_PREFIX_BYTES];
    struct slice lower = {from, row_slot_lower(from, db, (uint16_t)first)};
    struct slice upper = {to, row_slot_lower(to, db, (uint16_t)(last + 1))};

    ASSERT(first <= last && last < ROW_SLOTS);
    *r = (struct rows){.it = store_iter_open(s, lower, upper, cached_only, !cached_only)};
    ASSERT(r->it);
}

void
rows_open_passing(struct rows *r, struct store *s, uint8_t db, struct slice from)
{
    char lowest[ROW_PREFIX_BYTES], to[ROW_PREFIX_BYTES];
    struct slice lower = {lowest, row_slot_lower(lowest, db, 0)};
    struct slice upper = {to, row_slot_lower(to, db, ROW_SLOTS)};

    *r = (struct rows){.it = store_iter_open(s, from.n ? from : lower, upper, false, false)};
    ASSERT(r->it);
}

/* Behind the block rows of a key, however many there are. */
static void
skip_key(struct rows *r, const struct row_parts *parts)
{
    char upper[ROW_KEY_BYTES_MAX];
    struct slice to = {upper, row_key_upper(upper, parts->db, parts->slot, parts->key)};

    store_iter_seek(r->it, to);
}

static bool
store_next(struct rows *r)
{
    struct row_parts parts;
    struct slice payload;

    if (r->started)
        store_iter_next(r->it);
    else
        store_iter_first(r->it);
    r->started = true;
    for (; store_iter_valid(r->it); store_iter_next(r->it)) {
        while (store_iter_valid(r->it) && row_parse(store_iter_key(r->it), &parts) &&
               parts.kind != ROW_MAIN)
            skip_key(r, &parts);
        if (!store_iter_valid(r->it))
            return false;
        if (!row_parse(store_iter_key(r->it), &parts) ||
            !row_head_parse(store_iter_value(r->it), &r->head, &payload))
            continue;
        r->slot = parts.slot;
        r->key = parts.key;
        return true;
    }
    return false;
}

/* --- lists ----------------------------------------------------------------------------------- */

/* A row of a list; the bytes of the key follow. */
struct listed_row {
    int64_t expire_ms;
    uint16_t slot, key_len;
    uint8_t type;
};

struct row_list *
row_list_create(struct shard *sh, uint8_t db, uint32_t first, uint32_t last)
{
    struct row_list *l = calloc(1, sizeof(*l));

    ASSERT(l);
    *l = (struct row_list){
        .sh = sh, .db = db, .first = first, .last = last, .flush_epoch = sh->flush_epoch};
    sh->walks++;
    return l;
}

void
row_list_fill(struct row_list *l, uint64_t rows)
{
    uint32_t slot = l->first;
    struct rows r;

    rows_open(&r, l->sh->store, l->db, l->first, l->last, false);
    for (uint64_t n = 0; !l->cut && rows_next(&r); n++) {
        struct listed_row row = {r.head.expire_ms, r.slot, (uint16_t)r.key.n, r.head.type};

        buf_append(&l->rows, &row, sizeof(row));
        buf_append(&l->rows, r.key.p, r.key.n);
        l->cut = r.slot != slot && n >= rows;
        slot = r.slot;
    }
    l->rc = rows_close(&r);
}

void
row_list_offer(struct row_list *l)
{
    l->next = l->sh->row_lists;
    l->sh->row_lists = l;
}

static void
row_list_withdraw(struct row_list *l)
{
    struct row_list **at = &l->sh->row_lists;

    while (*at && *at != l)
        at = &(*at)->next;
    if (*at)
        *at = l->next;
}

void
row_list_destroy(struct row_list **l)
{
    while (*l) {
        struct row_list *first = *l;

        *l = first->owned;
        row_list_withdraw(first);
        first->sh->walks--;
        buf_fini(&first->rows);
        free(first);
    }
}

static bool
list_next(struct rows *r)
{
    struct listed_row row;

    if (r->at == r->list->rows.n)
        return false;
    memcpy(&row, r->list->rows.p + r->at, sizeof(row));
    r->at += sizeof(row);
    r->key = (struct slice){r->list->rows.p + r->at, row.key_len};
    r->at += row.key_len;
    r->slot = row.slot;
    r->head.type = row.type;
    r->head.expire_ms = row.expire_ms;
    return true;
}

/* What rows_close says of a walk that ended where it is. */
static int
list_status(const struct rows *r)
{
    if (r->at < r->list->rows.n)
        return 0;
    return r->list->cut ? -EAGAIN : r->list->rc;
}

/* --- both ------------------------------------------------------------------------------------ */

void
rows_open_shard(struct rows *r, const struct shard *sh, uint8_t db, uint32_t first, uint32_t last)
{
    for (const struct row_list *l = sh->row_lists; l; l = l->next)
        if (l->db == db && l->first == first && l->last == last &&
            l->flush_epoch == sh->flush_epoch) {
            *r = (struct rows){.list = l};
            return;
        }
    rows_open(r, sh->store, db, first, last, true);
}

bool
rows_next(struct rows *r)
{
    return r->list ? list_next(r) : store_next(r);
}

int
rows_close(struct rows *r)
{
    struct store_error err;
    int rc;

    if (r->list)
        return list_status(r);
    rc = store_iter_valid(r->it) ? 0 : store_iter_status(r->it, &err);
    store_iter_close(&r->it);
    return rc;
}

int
rows_warm(struct store *s, uint8_t db, uint32_t first, uint32_t last, uint64_t rows)
{
    struct rows r;
    uint32_t slot = first;

    rows_open(&r, s, db, first, last, false);
    for (uint64_t n = 0; rows_next(&r); n++) {
        if (r.slot != slot && n >= rows)
            break;
        slot = r.slot;
    }
    return rows_close(&r);
}

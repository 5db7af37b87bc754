#include "shards/engine/rows.h"

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

bool
rows_next(struct rows *r)
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

int
rows_close(struct rows *r)
{
    struct store_error err;
    int rc = store_iter_valid(r->it) ? 0 : store_iter_status(r->it, &err);

    store_iter_close(&r->it);
    return rc;
}

void
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
    rows_close(&r);
}

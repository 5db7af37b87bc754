#include "shards/series/series_rows.h"

#include "shards/series/series_row.h"

#include <stdlib.h>

static struct slice
block_name(struct series_rows *r, int64_t ts)
{
    const struct series_id *id = &r->id;

    return (struct slice){r->name, row_block(r->name, id->db, id->slot, id->key, id->type, ts)};
}

/* The bounds lie in r->name until it is used for something else. */
static void
prepare(struct series_rows *r, const struct series_id *id, struct slice *ret_from,
        struct slice *ret_to)
{
    size_t room = row_key_room(id->key);
    char *upper;

    *r = (struct series_rows){.id = *id, .name = malloc(2 * room)};
    ASSERT(r->name);
    upper = r->name + room;
    *ret_from = (struct slice){r->name, row_key_lower(r->name, id->db, id->slot, id->key)};
    *ret_to = (struct slice){upper, row_key_upper(upper, id->db, id->slot, id->key)};
}

void
series_rows_open(struct series_rows *r, struct store *s, const struct series_id *id,
                 bool cached_only, bool fill_cache)
{
    struct slice from, to;

    prepare(r, id, &from, &to);
    r->it = store_iter_open(s, from, to, cached_only, fill_cache);
}

void
series_rows_open_holding(struct series_rows *r, struct store *s, const struct series_id *id)
{
    struct slice from, to;

    prepare(r, id, &from, &to);
    r->it = store_iter_open_holding(s, from, to);
}

void
series_rows_detach(struct series_rows *r, struct store_hold **held)
{
    store_hold_iter(held, r->it);
    r->it = NULL;
    series_rows_close(r);
}

void
series_rows_close(struct series_rows *r)
{
    store_iter_close(&r->it);
    free(r->name);
    *r = (struct series_rows){0};
}

/* After a move: is this a block row of ours? */
static int
arrived(struct series_rows *r)
{
    struct row_parts parts;

    if (!store_iter_valid(r->it))
        return store_iter_status(r->it, &r->why);
    if (!row_parse(store_iter_key(r->it), &parts))
        return -EBADMSG;
    if (parts.kind != ROW_BLOCK || parts.data_type != r->id.type)
        return 0;
    r->ts = parts.ts;
    r->block = store_iter_value(r->it);
    if (!block_read_info(r->block, &r->info) || r->info.first_ts != r->ts)
        return -EBADMSG;
    return 1;
}

int
series_rows_at(struct series_rows *r, int64_t ts)
{
    store_iter_seek_back(r->it, block_name(r, ts));
    return arrived(r);
}

int
series_rows_first(struct series_rows *r)
{
    store_iter_seek(r->it, block_name(r, INT64_MIN));
    return arrived(r);
}

int
series_rows_next(struct series_rows *r)
{
    store_iter_next(r->it);
    return arrived(r);
}

int
series_rows_prev(struct series_rows *r)
{
    store_iter_prev(r->it);
    return arrived(r);
}

static int
late_gen_of(struct slice row, uint8_t type, uint32_t *ret_gen)
{
    struct series_row_type types[SERIES_TYPES_MAX];
    struct row_head head;
    struct slice payload;
    uint32_t i, n;

    if (!row_head_parse(row, &head, &payload) || !series_row_parse(payload, types, &n))
        return -EBADMSG;
    for (i = 0; i < n; i++)
        if (types[i].type == type)
            *ret_gen = types[i].late_gen;
    return 0;
}

int
series_rows_late_gen(struct series_rows *r, uint32_t *ret_gen)
{
    const struct series_id *id = &r->id;
    struct slice name = {r->name, row_main(r->name, id->db, id->slot, id->key)};
    uint32_t gen = 0;
    int rc = 0;

    store_iter_seek(r->it, name);
    if (!store_iter_valid(r->it))
        rc = store_iter_status(r->it, &r->why);
    else if (slice_equal(store_iter_key(r->it), name))
        rc = late_gen_of(store_iter_value(r->it), id->type, &gen);
    if (rc == 0)
        *ret_gen = gen;
    return rc;
}

int
series_rows_decode(const struct series_rows *r, struct samples *buffer)
{
    uint32_t n = r->info.count;

    buffer->p = realloc(buffer->p, n * sizeof(*buffer->p));
    buffer->quality = realloc(buffer->quality, n);
    ASSERT(buffer->p && buffer->quality);
    buffer->n = n;
    return block_decode(r->block, buffer->p, buffer->quality) ? 0 : -EBADMSG;
}

/* Bringing a series key back into memory. See series_store.h. */
#include "shards/series/series_row.h"
#include "shards/series/series_rows.h"
#include "shards/series/series_store.h"

#include <stdlib.h>

struct loader {
    struct store *s;
    bool cached_only;
    struct series_id id;
    struct slice meta; /* as in the main row */
    struct series_row_type types[SERIES_TYPES_MAX];
    uint32_t n;
};

static bool
parse(struct loader *l, struct slice main_row)
{
    struct row_head head;
    struct slice payload;

    if (!row_head_parse(main_row, &head, &payload) ||
        !series_row_parse(payload, l->types, &l->n))
        return false;
    l->meta = head.meta;
    return true;
}

/* 1 found, 0 not there, or a negative errno. */
static int
get_open(struct loader *l, const struct series_row_type *t, struct store_value *ret_v)
{
    struct series_id *id = &l->id;
    char *name = malloc(row_key_room(id->key));
    struct slice k = {name, 0};
    int rc;

    ASSERT(name);
    k.n = row_block(name, id->db, id->slot, id->key, t->type, t->open_ts);
    rc = l->cached_only ? store_get_cached(l->s, k, ret_v)
                        : store_get(l->s, k, ret_v, &(struct store_error){0});
    free(name);
    return rc;
}

/* The block must be the one the main row speaks of. */
static bool
is_open_block(const struct block_info *b, const struct series_row_type *t)
{
    return b->first_ts == t->open_ts && b->last_ts == t->last.ts &&
           memcmp(&b->last, &t->last.value, sizeof(b->last)) == 0;
}

static int
restore(struct arena *a, struct series_key *k, struct series *s, struct slice block,
        const struct series_row_type *t)
{
    struct samples in = {0};
    struct block_info b;
    int rc = -EBADMSG;

    if (!block_read_info(block, &b) || !is_open_block(&b, t))
        return rc;
    in = (struct samples){malloc(b.count * sizeof(*in.p)), malloc(b.count), b.count};
    ASSERT(in.p && in.quality);
    if (block_decode(block, in.p, in.quality)) {
        series_restore_open(a, k, s, &in);
        rc = 0;
    }
    free(in.p);
    free(in.quality);
    return rc;
}

static int
load_type(struct loader *l, struct arena *a, struct series_key *k, const struct series_row_type *t)
{
    struct series *s = series_get(a, k, t->type);
    struct store_value v;
    int rc;

    s->as_of_lsn = t->as_of_lsn;
    s->late_gen = t->late_gen;
    s->has_stored_blocks = t->has_blocks;
    s->has_stored_tail = t->has_blocks;
    s->run_max = MIN(t->run_max, (uint32_t)BLOCK_POINTS_MAX);
    if (!t->has_open)
        return 0;
    s->has_stored_open = true;
    s->stored_open_ts = t->open_ts;
    rc = get_open(l, t, &v);
    if (rc != 1)
        return rc < 0 ? rc : -EBADMSG;
    rc = restore(a, k, s, v.v, t);
    store_value_put(&v);
    return rc;
}

static int
load_meta(struct loader *l, struct arena *a, struct series_key *k)
{
    struct series_meta m;

    if (l->meta.n == 0)
        return 0;
    if (!series_meta_parse(l->meta, &m))
        return -EBADMSG;
    series_set_meta(a, k, &m);
    series_meta_parsed_fini(&m);
    return 0;
}

int
series_load(struct store *s, bool cached_only, uint8_t db, uint16_t slot, struct slice key,
            struct slice main_row, struct arena *a, struct series_key **ret_k)
{
    struct loader *l = malloc(sizeof(*l));
    struct series_key *k;
    uint32_t i;
    int rc = 0;

    ASSERT(l);
    l->s = s;
    l->cached_only = cached_only;
    l->id = (struct series_id){.db = db, .slot = slot, .key = key};
    if (!parse(l, main_row)) {
        free(l);
        return -EBADMSG;
    }
    k = series_key_create(a);
    rc = load_meta(l, a, k);
    for (i = 0; i < l->n && rc == 0; i++)
        rc = load_type(l, a, k, &l->types[i]);
    free(l);
    if (rc < 0)
        series_key_destroy(a, &k);
    else
        *ret_k = k;
    return rc;
}

int
series_warm_open(struct store *s, uint8_t db, uint16_t slot, struct slice key,
                 struct slice main_row, struct store_hold **held)
{
    struct loader *l = malloc(sizeof(*l));
    struct store_value v;
    uint32_t i;
    int rc = 0;

    ASSERT(l);
    l->s = s;
    l->cached_only = false;
    l->id = (struct series_id){.db = db, .slot = slot, .key = key};
    if (!parse(l, main_row)) {
        free(l);
        return 0;
    }
    for (i = 0; i < l->n && rc >= 0; i++) {
        if (!l->types[i].has_open)
            continue;
        rc = get_open(l, &l->types[i], &v);
        if (rc == 1)
            store_hold_value(held, v);
    }
    free(l);
    return MIN(rc, 0);
}

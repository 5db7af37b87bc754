/* A value under another name, for COPY and RENAME.
 *
 * A series goes block by block, wherever its points are. A stored block that is long enough, and that no
 * late point or deletion meets, goes into the journal of the destination as it is; all other points are
 * gathered into runs of a block's size, which are encoded, quickly, once. The destination's memory gets the
 * points themselves. That is some 20 ns a point, all within one call: it takes as long as the series is. */
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

static const struct series_query all_points = {
    .start = INT64_MIN, .end = INT64_MAX, .limit = UINT64_MAX};

static struct store *
store_of(const struct key *k)
{
    return k->sh->db[k->db].hidden ? NULL : k->sh->store;
}

/* --- blocks of a series ---------------------------------------------------------------------- */

struct gathering {
    struct slice whole; /* the stored block whose points come next; or none */
    uint32_t whole_n;
    struct samples points; /* room for `cap` */
    struct buf block;
    key_block_fn fn;
    void *arg;
    uint32_t cap;
    uint8_t type;
};

static int
hand_over(struct gathering *g)
{
    int rc = 0;

    if (g->points.n > 0) {
        g->block.n = 0;
        block_encode(&g->points, BLOCK_QUICK, &g->block);
        rc = g->fn(g->arg, g->type, &g->points, (struct slice){g->block.p, g->block.n});
    }
    g->points.n = 0;
    return rc;
}

/* A shorter stored block goes together with its neighbours. */
#define WHOLE_BLOCK_DIVISOR 8

static int
offer_whole(void *arg, const struct block_info *info)
{
    struct gathering *g = arg;

    if (info->count >= g->cap / WHOLE_BLOCK_DIVISOR && info->count <= g->cap) {
        g->whole = (struct slice){info->encoded, info->bytes};
        g->whole_n = info->count;
    }
    return SERIES_BLOCK_READ;
}

static int
pass_whole(struct gathering *g, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct samples points = {(struct sample *)p, (uint8_t *)quality, n};
    int rc = hand_over(g);

    return rc < 0 ? rc : g->fn(g->arg, g->type, &points, g->whole);
}

static int
gather(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct gathering *g = arg;
    bool whole = g->whole.n > 0 && n == g->whole_n;
    int rc = whole ? pass_whole(g, p, quality, n) : 0;

    g->whole.n = 0;
    if (whole)
        return rc;
    for (uint32_t i = 0, k; i < n && rc == 0; i += k) {
        uint32_t at = g->points.n;

        k = MIN(n - i, g->cap - at);
        memcpy(g->points.p + at, p + i, k * sizeof(*p));
        if (quality)
            memcpy(g->points.quality + at, quality + i, k);
        else
            memset(g->points.quality + at, 0, k);
        g->points.n += k;
        if (g->points.n == g->cap)
            rc = hand_over(g);
    }
    return rc;
}

int
key_each_block(struct key *k, const struct series_key *sk, key_block_fn fn, void *arg)
{
    struct gathering g = {.fn = fn, .arg = arg, .cap = k->sh->series_limits.block_points_max};
    struct series_query all = all_points;
    int rc = 0;

    all.block = offer_whole;
    g.points = (struct samples){malloc(g.cap * sizeof(*g.points.p)), malloc(g.cap), 0};
    ASSERT(g.points.p && g.points.quality);
    for (uint32_t i = 0; i < sk->n && rc == 0; i++) {
        g.type = series_at(sk, i)->type;
        rc = series_read(store_of(k), false, k->db, key_slot(k->name), k->name, series_at(sk, i),
                         &all, gather, &g);
        if (rc == 0)
            rc = hand_over(&g);
    }
    samples_fini(&g.points);
    buf_fini(&g.block);
    return rc;
}

/* --- copying --------------------------------------------------------------------------------- */

struct copying {
    struct ctx *c;
    struct key *to;
};

static int
copy_block(void *arg, uint8_t type, const struct samples *points, struct slice block)
{
    struct copying *cp = arg;
    struct entry *e = head_find(cp->to->head, cp->to->hash, cp->to->name);

    return key_add_block(cp->c, cp->to, e, type, points, block) ? 0 : -EIO;
}

static int
copy_series(struct ctx *c, struct key *from, struct entry *e, struct key *to, int64_t expire_ms)
{
    struct copying cp = {c, to};
    struct series_meta meta;
    struct entry *made;

    key_series_meta(c, from, e, &meta);
    meta.rules_n = 0; /* those stay with the key they were made for */
    meta.has_source = false;
    made = key_create_series(c, to, &meta);
    if (key_each_block(from, entry_series(e), copy_block, &cp) < 0)
        return -EIO;
    if (expire_ms)
        key_set_expire(c, to, made, expire_ms);
    return 0;
}

int
key_copy_value(struct ctx *c, struct key *from, struct entry *e, struct key *to,
               int64_t expire_ms)
{
    if (e->type == ENTRY_SERIES)
        return copy_series(c, from, e, to, expire_ms);
    key_share_string(c, to, e, expire_ms);
    return 0;
}

static int
pass_points(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    return 0;
}

static int
pass_block(void *arg, const struct block_info *info)
{
    return SERIES_BLOCK_TAKEN;
}

bool
key_copy_ready(struct ctx *c, struct key *from, struct entry *e)
{
    struct series_query look = all_points;
    struct series_key *sk;

    if (e->type != ENTRY_SERIES)
        return true;
    look.block = pass_block;
    sk = entry_series(e);
    for (uint32_t i = 0; i < sk->n; i++) {
        struct series_query fetch = all_points;

        if (series_read(store_of(from), true, from->db, key_slot(from->name), from->name,
                        series_at(sk, i), &look, pass_points, NULL) != -EAGAIN)
            continue;
        series_query_fetch(series_at(sk, i), &fetch);
        ctx_need_range(c, &(struct need){.kind = NEED_RANGE, .sh = from->sh, .key = from->name,
                                         .db = from->db, .type = series_at(sk, i)->type,
                                         .start = fetch.start, .end = fetch.end,
                                         .limit = fetch.limit});
    }
    return c->need.kind == NEED_NOTHING;
}

/* Series: their points, what is known of them, and the label index, which follows every change. */
#include "shards/engine/checkpoint.h"
#include "shards/engine/keyspace_priv.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

void
key_relabel_any(struct key *k, const struct series_meta *meta)
{
    struct shard_db *db = &k->sh->db[k->db];
    bool any = meta && meta->labels_n > 0;

    if (db->labels == NULL)
        db->labels = labels_create(k->sh->arena);
    labels_set(db->labels, k->name, k->hash, any ? meta->labels : NULL, any ? meta->labels_n : 0);
}

void
key_series_meta(struct ctx *c, const struct key *k, const struct entry *e,
                struct series_meta *ret_meta)
{
    const struct labels *x = k->sh->db[k->db].labels;
    uint32_t n = labels_list(x, k->name, k->hash, NULL);
    struct series_label *l = n ? scratch_alloc(&c->core->scratch, n * sizeof(*l)) : NULL;

    *ret_meta = *series_key_settings(entry_series(e));
    ret_meta->labels_n = labels_list(x, k->name, k->hash, l);
    ret_meta->labels = l;
}

static struct entry *
series_make(struct key *k)
{
    struct entry *e = head_find(k->head, k->hash, k->name);

    if (e)
        e = head_revive(k->head, k->hash, e, ENTRY_SERIES, sizeof(void *), 0);
    else
        e = key_new_entry(k, ENTRY_SERIES, sizeof(void *), 0);
    entry_set_ptr(e, series_key_create(k->sh->arena));
    k->sh->series_keys++;
    return e;
}

static void
record_meta(struct key *k, const struct series_meta *meta)
{
    struct buf bytes = {0};

    if (k->sh->recovering)
        return;
    series_meta_write(&bytes, meta);
    record_series_meta(&k->sh->journal, k->db, k->name, (struct slice){bytes.p, bytes.n});
    buf_fini(&bytes);
}

struct entry *
key_create_series(struct ctx *c, struct key *k, const struct series_meta *meta)
{
    struct entry *e = series_make(k);

    record_meta(k, meta);
    key_relabel(k, meta);
    series_set_meta(k->sh->arena, entry_series(e), meta);
    key_used(k, e);
    key_changed(c, k, e);
    return e;
}

void
key_set_series_meta(struct ctx *c, struct key *k, struct entry *e, const struct series_meta *meta)
{
    record_meta(k, meta);
    key_relabel(k, meta);
    series_set_meta(k->sh->arena, entry_series(e), meta);
    key_used(k, e);
    key_changed(c, k, e);
}

static void
tell_point(struct key *k, enum series_result r, uint8_t type, int64_t ts)
{
    if (r == SERIES_REPLACED)
        shard_point_replaced(k->sh, k->db, k->name, ts);
    else
        shard_series_point(k->sh, k->db, k->name, type, ts);
}

enum series_result
key_add_point(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts, double value,
              uint8_t quality, enum duplicate_policy policy)
{
    struct shard *sh = k->sh;
    struct series_key *sk;
    struct series *s;
    enum series_result r;

    if (unlikely(e == NULL))
        e = series_make(k);
    sk = entry_series(e);
    s = series_get(sh->arena, sk, type);
    r = series_add(sh->arena, sk, s, &sh->series_limits, ts, value, quality, policy);
    if (r == SERIES_ADDED || r == SERIES_REPLACED || r == SERIES_LATE) {
        if (likely(!sh->recovering))
            record_point(&sh->journal, k->db, k->name, type, ts, value, quality, policy);
        if (unlikely(key_marked(c, k, e)))
            tell_point(k, r, type, ts);
        sh->points++;
    }
    return r;
}

bool
key_add_block(struct ctx *c, struct key *k, struct entry *e, uint8_t type,
              const struct samples *points, struct slice block)
{
    struct shard *sh = k->sh;
    struct series_key *sk;
    bool all;

    if (e == NULL)
        e = series_make(k);
    sk = entry_series(e);
    all = series_append(sh->arena, sk, series_get(sh->arena, sk, type), &sh->series_limits, points);
    if (likely(!sh->recovering))
        record_block(&sh->journal, k->db, k->name, type, block);
    key_changed(c, k, e);
    sh->points += points->n;
    return all;
}

/* What of the store the deletion has to know must be fetched first. */
static void
need_newest_before(struct ctx *c, const struct key *k, const struct series *s, int64_t to)
{
    struct series_query q = {.start = INT64_MIN, .end = to - 1, .limit = 1, .reverse = true};

    series_query_fetch(s, &q);
    ctx_need_range(c, &(struct need){.kind = NEED_RANGE,
                                     .sh = k->sh,
                                     .key = k->name,
                                     .db = k->db,
                                     .type = s->type,
                                     .reverse = true,
                                     .start = q.start,
                                     .end = q.end,
                                     .limit = q.limit});
}

int
key_delete_points(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t from,
                  int64_t to)
{
    struct shard *sh = k->sh;
    struct series_key *sk = entry_series(e);
    struct series *s = series_find(sk, type);
    struct series_place at = {.store = sh->db[k->db].hidden ? NULL : sh->store,
                              .key = k->name,
                              .slot = key_slot(k->name),
                              .db = k->db,
                              .cached_only = !sh->recovering && !c->reads_through};
    struct series_deletion d;
    int rc;

    if (at.cached_only && series_dead_ranges(s) >= SERIES_DEAD_MAX) {
        checkpoint_request(sh);
        return -EBUSY;
    }
    rc = series_delete_plan(&at, s, from, to, &d);
    if (rc == -EAGAIN)
        need_newest_before(c, k, s, from);
    if (rc < 0)
        return rc;
    if (!c->probe) {
        if (likely(!sh->recovering))
            record_delete(&sh->journal, k->db, k->name, type, from, to);
        series_delete(sh->arena, sk, s, &d);
        key_changed(c, k, e);
    }
    series_deletion_fini(&d);
    return 0;
}

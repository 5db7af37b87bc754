/* Gather: what is dirty is copied as the rows it will be. */
#include "shards/engine/checkpoint_priv.h"

#include "core/clock.h"
#include "shards/engine/expire.h"
#include "shards/labels/labels.h"
#include "shards/series/series_row.h"

static struct item *
item_new(struct checkpoint *c, struct entry *e)
{
    struct slice key = entry_key(e);
    struct item *it = scratch_alloc(&c->memory, sizeof(*it) + key.n);

    *it = (struct item){.key_n = (uint16_t)key.n, .db = c->db};
    memcpy(it->key, key.p, key.n);
    it->was = e->flags & (ENTRY_IN_STORE | ENTRY_MAYBE_STORE);
    it->purge = (e->flags & ENTRY_PURGE) != 0;
    *c->tail = it;
    c->tail = &it->next;
    c->rows++;
    return it;
}

static void
item_row(struct checkpoint *c, struct item *it, const struct buf *row)
{
    it->row = scratch_alloc(&c->memory, row->n);
    it->row_n = (uint32_t)row->n;
    memcpy(it->row, row->p, row->n);
    c->bytes += row->n;
}

/* With what the key is now: main row and row of labels always tell the same moment. */
static void
capture_labels(struct checkpoint *c, struct item *it, struct buf *row)
{
    struct labels *x = c->sh->db[it->db].labels;
    struct slice key = {it->key, it->key_n};

    row->n = 0;
    it->labels = x && labels_capture(x, key, head_hash(key), row);
    if (!it->labels || row->n == 0)
        return;
    it->labels_row = scratch_alloc(&c->memory, row->n);
    it->labels_n = (uint32_t)row->n;
    memcpy(it->labels_row, row->p, row->n);
    c->bytes += row->n;
}

static void
write_series_head(struct checkpoint *c, const struct item *it, const struct entry *e,
                  struct buf *row)
{
    const struct labels *x = c->sh->db[it->db].labels;
    struct series_meta m = *series_key_settings(entry_ptr(e));
    struct slice key = {it->key, it->key_n};
    uint64_t hash = x ? head_hash(key) : 0;
    uint32_t n = labels_list(x, key, hash, NULL);

    c->labels.n = 0;
    m.labels = n ? (void *)buf_reserve(&c->labels, n * sizeof(*m.labels)) : NULL;
    m.labels_n = labels_list(x, key, hash, (struct series_label *)m.labels);
    series_row_head_write(row, entry_expire(e), &m);
}

/* What retention hides leaves memory now and the store with this checkpoint. Who reads the series is told only
 * when there is something that does: mostly no whole chunk or block is old enough. */
static void
flush_series(struct checkpoint *c, struct entry *e, struct series *s, uint64_t as_of, struct series_flush *f)
{
    struct shard *sh = c->sh;
    struct series_key *sk = entry_ptr(e);
    int64_t kept_from = series_stored_from(s, series_key_settings(sk));
    bool gone = series_expire(sh->arena, sk, s, kept_from);

    series_flush_begin(s, &sh->series_limits, as_of, kept_from, f);
    if ((gone || series_flush_expires(f)) && sh->observed)
        shard_hidden_gone(sh, c->db, entry_key(e), kept_from);
    c->bytes += f->open.n * sizeof(struct sample);
}

static void
capture_series(struct checkpoint *c, struct item *it, struct entry *e, struct buf *row)
{
    struct shard *sh = c->sh;
    struct series_key *sk = entry_ptr(e);
    uint64_t as_of = sh->recovering ? sh->replayed_lsn : journal_last_lsn(&sh->journal);

    it->series = sk;
    it->flushes_n = sk->n;
    it->flushes = scratch_alloc(&c->memory, MAX(sk->n, 1u) * sizeof(*it->flushes));
    for (uint32_t i = 0; i < sk->n; i++)
        flush_series(c, e, series_at(sk, i), as_of, &it->flushes[i]);
    series_row_write(row, sk, as_of);
}

/* A long string is not copied: whoever changes it meanwhile leaves these bytes alone. */
static void
capture_string(struct checkpoint *c, struct item *it, const struct entry *e, struct buf *row)
{
    struct slice value = entry_string(e);
    struct blob *b = entry_blob(e);

    if (likely(b == NULL)) {
        buf_append(row, value.p, value.n);
        return;
    }
    it->blob = blob_get(b);
    it->tail = value;
    c->bytes += value.n;
}

static void
capture(struct checkpoint *c, struct entry *e, struct buf *row)
{
    struct item *it = item_new(c, e);

    e->flags &= (uint8_t)~ENTRY_PURGE;
    e->flags |= ENTRY_FLUSHING;
    capture_labels(c, it, row);
    if (e->flags & ENTRY_TOMBSTONE)
        return;
    row->n = 0;
    expire_sweep_note(c->sh, entry_expire(e));
    if (e->type == ENTRY_STRING) {
        row_head_write(row, e->type, entry_expire(e));
        capture_string(c, it, e, row);
    } else {
        write_series_head(c, it, e, row);
        capture_series(c, it, e, row);
    }
    item_row(c, it, row);
}

bool
checkpoint_gather(struct checkpoint *c, struct checkpoint_slice slice)
{
    struct buf row = {0};

    while (c->db < SHARD_DBS) {
        struct entry *e = head_flush_pop(&c->sh->db[c->db].head);

        if (e == NULL) {
            c->db++;
            continue;
        }
        capture(c, e, &row);
        if (--slice.entries == 0 || clock_now_ns() >= slice.until_ns)
            break;
    }
    buf_fini(&row);
    return c->db == SHARD_DBS;
}

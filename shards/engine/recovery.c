#include "shards/engine/recovery.h"

#include "core/clock.h"
#include "shards/engine/aside.h"
#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/engine/keyspace_priv.h"
#include "shards/engine/record.h"
#include "shards/labels/labels.h"
#include "shards/series/series_row.h"
#include "shards/store/row.h"

#include <stdio.h>
#include <stdlib.h>

struct recovery_group {
    uint64_t lsn;
    uint32_t n;
    char *parts; /* as in the record */
};

int
recovery_begin(struct recovery_shard *r, struct store_error *err)
{
    struct shard *sh = r->sh;
    int rc = checkpoint_read_state(sh->store, &r->state, err);

    if (rc < 0)
        return rc;
    sh->recovering = true;
    sh->series_limits.accepted = true;
    sh->checkpoint_lsn = sh->replayed_lsn = r->state.lsn;
    for (unsigned i = 0; i < SHARD_DBS; i++)
        sh->db[i].stored_keys = r->state.keys[i];
    r->cut_lsn = UINT64_MAX;
    return 0;
}

/* --- groups -------------------------------------------------------------------------------------- */

static void
group_add(struct recovery_shard *r, uint64_t lsn, const struct record *rec)
{
    struct recovery_group *g;

    if (r->groups_n == r->groups_cap) {
        r->groups_cap = r->groups_cap ? r->groups_cap * 2 : 64;
        r->groups = realloc(r->groups, r->groups_cap * sizeof(*r->groups));
        ASSERT(r->groups);
    }
    g = &r->groups[r->groups_n++];
    g->lsn = lsn;
    g->n = rec->parts_n;
    g->parts = malloc(rec->parts_n * 10u + 1);
    ASSERT(g->parts);
    memcpy(g->parts, rec->parts, rec->parts_n * 10u);
}

int
recovery_check_end(const char *dir, uint64_t store_lsn, const struct journal_tail *tail,
                   struct journal_error *err)
{
    if (tail->segments == 0 || tail->last_lsn >= store_lsn || journal_was_cut(dir))
        return 0;
    snprintf(err->text, sizeof(err->text),
             "the journal ends at LSN %llu, but the store has changes up to %llu: the end of the "
             "journal is missing, or one of both is a copy of another time (in %.75s)",
             (unsigned long long)tail->last_lsn, (unsigned long long)store_lsn, dir);
    return -EBADMSG;
}

static int
scan_record(void *arg, uint64_t lsn, struct slice payload)
{
    struct recovery_shard *r = arg;
    struct record rec;

    if (payload.n && payload.p[0] != RECORD_GROUP)
        return 0;
    if (record_parse(payload, &rec))
        group_add(r, lsn, &rec);
    return 0;
}

int
recovery_scan(struct recovery_shard *r, struct journal_error *err)
{
    int rc = journal_scan(r->dir, r->state.lsn, scan_record, r, &r->tail, err);

    if (rc == 0)
        rc = recovery_check_end(r->dir, r->state.lsn, &r->tail, err);
    if (rc < 0)
        return rc;
    r->scanned = true;
    r->cut_lsn = MAX(r->tail.last_lsn, r->state.lsn);
    return 0;
}

static bool
group_is_whole(const struct recovery_group *g, const struct recovery_shard *all, uint32_t n)
{
    struct record rec = {.parts_n = g->n, .parts = g->parts};

    for (uint32_t i = 0; i < g->n; i++) {
        uint16_t shard;
        uint64_t lsn;

        record_group_part(&rec, i, &shard, &lsn);
        if (shard >= n || lsn > all[shard].cut_lsn)
            return false;
    }
    return true;
}

static bool
cut_once(struct recovery_shard *all, uint32_t n, struct recovery_shard *r)
{
    for (uint32_t i = 0; i < r->groups_n; i++) {
        struct recovery_group *g = &r->groups[i];

        if (g->lsn > r->cut_lsn)
            return false;
        if (group_is_whole(g, all, n))
            continue;
        r->cut_lsn = g->lsn - 1;
        r->groups_dropped++;
        return true;
    }
    return false;
}

void
recovery_decide(struct recovery_shard *all, uint32_t n)
{
    bool again = true;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < n; i++)
            again = cut_once(all, n, &all[i]) || again;
    }
}

/* --- replay -------------------------------------------------------------------------------------- */

/* The live entry or NULL; from the store if need be. 0, or -EIO: the store cannot be read. Then
 * nothing may go on with this key: taken for absent, it would be written anew and what the store has
 * of it be purged. */
static int
live_entry(struct key *k, struct entry **ret_e)
{
    struct entry *e;

    if (!load_key_now(k->sh, k->db, k->name, k->hash))
        return -EIO;
    e = head_find(k->head, k->hash, k->name);
    *ret_e = e && !(e->flags & ENTRY_TOMBSTONE) ? e : NULL;
    return 0;
}

static int
entry_of_type(struct ctx *c, struct key *k, enum entry_type type, struct entry **ret_e)
{
    int rc = live_entry(k, ret_e);

    if (rc < 0 || *ret_e == NULL || (*ret_e)->type == type)
        return rc;
    /* A later state is in the store already; records that follow lead to it. */
    key_delete(c, k, *ret_e);
    *ret_e = NULL;
    return 0;
}

/* Do the stored rows of the series have what the record says? */
static bool
is_in_rows(const struct entry *e, uint64_t lsn, const struct record *r)
{
    const struct series *s = e ? series_find(entry_series(e), r->type) : NULL;

    return s && lsn <= s->as_of_lsn;
}

static int
apply_point(struct ctx *c, struct key *k, uint64_t lsn, const struct record *r)
{
    struct entry *e;
    int rc = entry_of_type(c, k, ENTRY_SERIES, &e);

    if (rc < 0)
        return rc;
    if (!is_in_rows(e, lsn, r))
        key_add_point(c, k, e, r->type, r->ts, r->value, r->quality, r->policy);
    return 0;
}

static int
apply_delete(struct ctx *c, struct key *k, uint64_t lsn, const struct record *r)
{
    struct series *s;
    struct entry *e;
    int rc = entry_of_type(c, k, ENTRY_SERIES, &e);

    if (rc < 0 || e == NULL)
        return rc;
    s = series_find(entry_series(e), r->type);
    if (s == NULL || lsn <= s->as_of_lsn)
        return 0;
    return key_delete_points(c, k, e, r->type, r->ts, r->to) < 0 ? -EIO : 0;
}

static int
apply_meta(struct ctx *c, struct key *k, const struct record *r)
{
    struct series_meta m;
    struct entry *e;
    int rc = entry_of_type(c, k, ENTRY_SERIES, &e);

    if (rc < 0)
        return rc;
    if (!series_meta_parse(r->bytes, &m))
        return -EBADMSG;
    if (e)
        key_set_series_meta(c, k, e, &m);
    else
        key_create_series(c, k, &m);
    series_meta_parsed_fini(&m);
    return 0;
}

static int
apply_block(struct ctx *c, struct key *k, uint64_t lsn, const struct record *r)
{
    struct samples points;
    struct entry *e;
    int rc = entry_of_type(c, k, ENTRY_SERIES, &e);

    if (rc < 0 || is_in_rows(e, lsn, r))
        return MIN(rc, 0);
    rc = block_decode_samples(r->bytes, &points);
    if (rc < 0)
        return rc;
    key_add_block(c, k, e, r->type, &points, r->bytes);
    samples_fini(&points);
    return 0;
}

/* 1: the store has the key; 0: it has not; or its main row cannot be read: -EIO, -EBADMSG. */
static int
stored_kind(const struct key *k, bool *ret_is_series)
{
    char row[ROW_KEY_BYTES_MAX];
    struct store_value v;
    struct row_head head;
    struct slice payload;
    int rc = store_get(k->sh->store, (struct slice){row, row_main(row, k->db, key_slot(k->name), k->name)}, &v,
                       &(struct store_error){0});

    if (rc != 1)
        return rc;
    if (!row_head_parse(v.v, &head, &payload))
        rc = -EBADMSG;
    else
        *ret_is_series = head.type == ENTRY_SERIES;
    store_value_put(&v);
    return rc;
}

/* A key that memory has nothing of: a main row that cannot be read goes as well, and so does what is below
 * it. */
static void
delete_cold(struct ctx *c, struct key *k)
{
    bool is_series;
    int rc = aside_has(&k->sh->db[k->db], k->name, k->hash) ? -EIO : stored_kind(k, &is_series);

    if (rc == 1)
        key_delete_stored(c, k, is_series);
    else if (rc < 0)
        key_delete_unread(c, k);
}

static void
apply_del(struct ctx *c, struct key *k)
{
    struct entry *e = head_find(k->head, k->hash, k->name);

    if (e == NULL && shard_db_has_cold(&k->sh->db[k->db]))
        delete_cold(c, k);
    else if (e && !(e->flags & ENTRY_TOMBSTONE))
        key_delete(c, k, e);
}

static int
apply_to_key(struct ctx *c, struct key *k, uint64_t lsn, const struct record *r)
{
    struct entry *e;
    int rc = 0;

    switch (r->op) {
    case RECORD_SET:
        key_set_string(c, k, r->bytes, r->expire_ms);
        break;
    case RECORD_PATCH:
        if ((rc = entry_of_type(c, k, ENTRY_STRING, &e)) == 0)
            key_patch_string(c, k, r->offset, r->bytes);
        break;
    case RECORD_DEL:
        apply_del(c, k);
        break;
    case RECORD_EXPIRE:
        if ((rc = live_entry(k, &e)) == 0 && e)
            key_set_expire(c, k, e, r->expire_ms);
        break;
    case RECORD_POINT:
        rc = apply_point(c, k, lsn, r);
        break;
    case RECORD_DELETE:
        rc = apply_delete(c, k, lsn, r);
        break;
    case RECORD_BLOCK:
        rc = apply_block(c, k, lsn, r);
        break;
    case RECORD_SERIES_META:
        rc = apply_meta(c, k, r);
        break;
    default:
        break;
    }
    return rc;
}

/* The index is not the store's: it follows. */
static int
relabel_aside(struct key *k, const struct record *r)
{
    struct series_meta m;

    if (r->op != RECORD_SERIES_META)
        return 0;
    if (!series_meta_parse(r->bytes, &m))
        return -EBADMSG;
    key_relabel(k, &m);
    series_meta_parsed_fini(&m);
    return 0;
}

/* A key that cannot be read is set aside, until a record comes that needs no look at it. */
static int
apply_or_set_aside(struct ctx *c, struct key *k, uint64_t lsn, const struct record *r)
{
    int rc = apply_to_key(c, k, lsn, r);

    if (likely(rc != -EIO))
        return rc;
    if (!aside_has(&k->sh->db[k->db], k->name, k->hash))
        aside_add(k, r->op);
    return relabel_aside(k, r);
}

static int
apply(struct shard *sh, uint64_t lsn, const struct record *r)
{
    static const struct command none = {.name = "replay"};
    struct ctx c = {.core = sh->core, .sh = sh, .cmd = &none, .db = r->db};
    struct key k;

    if (r->op == RECORD_GROUP)
        return 0;
    if (r->op == RECORD_FLUSH) {
        keyspace_flush(&c, r->db == RECORD_DB_ALL ? -1 : r->db);
        return 0;
    }
    k = key_open_db(&c, r->key, r->db);
    return apply_or_set_aside(&c, &k, lsn, r);
}

/* What a record says must be something that this version has. */
static bool
record_fits(const struct record *r)
{
    return (r->db < SHARD_DBS || (r->op == RECORD_FLUSH && r->db == RECORD_DB_ALL)) &&
           r->policy <= DUPLICATE_KEEP;
}

struct replay {
    struct recovery_shard *r;
    struct journal_error *err;
};

static int
replay_record(void *arg, uint64_t lsn, struct slice payload)
{
    struct replay *rp = arg;
    struct recovery_shard *r = rp->r;
    struct record rec;
    int rc;

    if (lsn > r->cut_lsn)
        return 1;
    if (!record_parse(payload, &rec) || !record_fits(&rec)) {
        snprintf(rp->err->text, sizeof(rp->err->text),
                 "%.100s: record %llu has an unknown form (operation %d, %zu bytes): written by a "
                 "newer version?", r->dir, (unsigned long long)lsn, payload.n ? payload.p[0] : -1,
                 payload.n);
        return -EBADMSG;
    }
    rc = apply(r->sh, lsn, &rec);
    if (rc < 0) {
        snprintf(rp->err->text, sizeof(rp->err->text),
                 "%.100s: record %llu is about key '%.*s', whose metadata or block has a form this version "
                 "does not know", r->dir, (unsigned long long)lsn, (int)MIN(rec.key.n, 64), rec.key.p);
        return rc;
    }
    r->sh->replayed_lsn = lsn;
    r->applied++;
    return 0;
}

/* --- labels -------------------------------------------------------------------------------------- */

/* Rows read ahead: what the index looks at for one of them comes from memory while others are read. */
#define LABEL_ROWS_AHEAD 32

struct label_rows {
    struct buf bytes; /* each its key, then its value */
    struct {
        size_t at;
        uint32_t key_n, value_n;
    } rows[LABEL_ROWS_AHEAD];
    uint32_t n;
};

static void
label_rows_add(struct label_rows *r, struct slice key, struct slice value)
{
    r->rows[r->n].at = r->bytes.n;
    r->rows[r->n].key_n = (uint32_t)key.n;
    r->rows[r->n++].value_n = (uint32_t)value.n;
    buf_append(&r->bytes, key.p, key.n);
    buf_append(&r->bytes, value.p, value.n);
}

/* NULL: not a row of ours. */
static struct labels *
labels_of_row(struct shard *sh, struct slice row, struct row_parts *ret_parts)
{
    struct shard_db *db;

    if (!row_parse(row, ret_parts) || ret_parts->db >= SHARD_DBS)
        return NULL;
    db = &sh->db[ret_parts->db];
    if (db->labels == NULL)
        db->labels = labels_create(sh->arena);
    return db->labels;
}

static int
load_labels_row(struct shard *sh, struct slice row, struct slice value, struct journal_error *err)
{
    struct row_parts parts;
    struct labels *x = labels_of_row(sh, row, &parts);

    if (x == NULL || labels_load(x, parts.key, head_hash(parts.key), value))
        return 0;
    snprintf(err->text, sizeof(err->text),
             "core %u: the row with the labels of key '%.*s' is damaged, or of a newer version",
             sh->id, (int)MIN(parts.key.n, 64), parts.key.p);
    return -EBADMSG;
}

static int
load_label_rows(struct shard *sh, struct label_rows *r, struct journal_error *err)
{
    int rc = 0;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < r->n && rc == 0; i++) {
            struct slice row = {r->bytes.p + r->rows[i].at, r->rows[i].key_n};
            struct slice value = {row.p + row.n, r->rows[i].value_n};
            struct row_parts parts;
            struct labels *x = pass == 0 ? labels_of_row(sh, row, &parts) : NULL;

            if (x)
                labels_prefetch(x, head_hash(parts.key), value);
            else if (pass == 1)
                rc = load_labels_row(sh, row, value, err);
        }
    r->n = 0;
    r->bytes.n = 0;
    return rc;
}

/* The index as of the checkpoint, from the rows that tell nothing but labels. */
static int
load_labels(struct shard *sh, struct journal_error *err)
{
    char lower[8], upper[8];
    struct slice from = {lower, row_labels_lower(lower, 0)};
    struct slice to = {upper, row_labels_lower(upper, SHARD_DBS)};
    struct store_iter *it = store_iter_open(sh->store, from, to, false, false);
    struct store_error why = {.text = ""};
    struct label_rows ahead = {.n = 0};
    int rc = 0;

    for (store_iter_first(it); rc == 0 && store_iter_valid(it); store_iter_next(it)) {
        label_rows_add(&ahead, store_iter_key(it), store_iter_value(it));
        if (ahead.n == LABEL_ROWS_AHEAD)
            rc = load_label_rows(sh, &ahead, err);
    }
    if (rc == 0)
        rc = load_label_rows(sh, &ahead, err);
    if (rc == 0 && (rc = store_iter_status(it, &why)) < 0)
        snprintf(err->text, sizeof(err->text), "core %u: %.150s", sh->id, why.text);
    buf_fini(&ahead.bytes);
    store_iter_close(&it);
    return rc;
}

int
recovery_replay(struct recovery_shard *r, struct journal_error *err)
{
    struct replay rp = {r, err};
    struct journal_tail tail;
    uint64_t began = clock_now_ns();
    int rc = load_labels(r->sh, err);

    if (rc == 0)
        rc = journal_scan(r->dir, r->state.lsn, replay_record, &rp, &tail, err);
    if (rc == 0)
        rc = recovery_check_end(r->dir, r->state.lsn, &tail, err);
    if (rc < 0)
        return rc;
    if (!r->scanned)
        r->tail = tail;
    r->seconds = (double)(clock_now_ns() - began) / 1e9;
    return 0;
}

uint64_t
recovery_next_lsn(const struct recovery_shard *r)
{
    uint64_t last = r->scanned ? MIN(r->cut_lsn, r->tail.last_lsn) : r->tail.last_lsn;

    return MAX(last, r->state.lsn) + 1;
}

void
recovery_end(struct recovery_shard *r)
{
    for (uint32_t i = 0; i < r->groups_n; i++)
        free(r->groups[i].parts);
    free(r->groups);
    r->groups = NULL;
    r->groups_n = r->groups_cap = 0;
    r->sh->recovering = false;
    r->sh->series_limits.accepted = false;
}

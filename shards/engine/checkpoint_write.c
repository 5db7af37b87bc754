/* Write: what was captured goes into the store, in the order of its rows, each megabyte of them as soon as it
 * is made: what is encoded is still in the processor's cache, and no memory is needed for all of it. On
 * the helper; and the rows of the store that are the checkpoint's own. */
#include "shards/engine/checkpoint_priv.h"

#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdio.h>

#define SPILL_BYTES (1 * MIB)

/* --- the captured entries ------------------------------------------------------------------------- */

/* Looks up a key nobody looked up before: is there a row, and are there blocks below it? One whose row is
 * damaged is taken for such a one; if it was counted it is counted twice from now on. */
static int
look_up(struct checkpoint *c, struct item *it, struct slice row_key)
{
    struct store_value v;
    struct row_head head;
    struct slice payload;
    int rc = store_get(c->sh->store, row_key, &v, &c->error);

    if (unlikely(rc < 0 && store_error_is_of_reading(c->error.text))) {
        it->was = 0;
        it->purge = true;
        return 0;
    }
    if (rc < 0)
        return rc;
    it->was = rc ? ENTRY_IN_STORE : 0;
    if (rc) {
        if (!row_head_parse(v.v, &head, &payload) || head.type == ENTRY_SERIES)
            it->purge = true;
        store_value_put(&v);
    }
    return 0;
}

static void
write_labels(struct store_batch *b, const struct item *it)
{
    char name[ROW_KEY_BYTES_MAX];
    struct slice row = {name, 0};

    if (!it->labels)
        return;
    row.n = row_labels(name, it->db, it->slot, (struct slice){it->key, it->key_n});
    if (it->labels_n)
        store_batch_put(b, row, (struct slice){it->labels_row, it->labels_n});
    else
        store_batch_delete(b, row);
}

static int
write_item(struct checkpoint *c, struct store_batch *b, struct item *it)
{
    char lower[ROW_KEY_BYTES_MAX], upper[ROW_KEY_BYTES_MAX];
    struct slice key = {it->key, it->key_n};
    uint16_t slot = it->slot;
    struct slice main_row = {lower, row_main(lower, it->db, slot, key)};
    bool was = it->was != 0;
    int rc = 0;

    if (it->was & ENTRY_MAYBE_STORE && !c->purge_db[it->db]) {
        rc = look_up(c, it, main_row);
        was = it->was != 0;
    }
    if (rc == 0 && it->purge) {
        struct slice to = {upper, row_key_upper(upper, it->db, slot, key)};
        struct slice from = {lower, row_key_lower(lower, it->db, slot, key)};

        rc = store_batch_delete_rows(b, from, to, &c->error);
        main_row.n = row_main(lower, it->db, slot, key);
    }
    if (rc < 0)
        return rc;
    if (it->row_n)
        store_batch_put_joined(b, main_row, (struct slice){it->row, it->row_n}, it->tail);
    else if (was || it->purge)
        store_batch_delete(b, main_row);
    for (uint32_t i = 0; i < it->flushes_n && rc == 0; i++)
        rc = series_flush_write(c->sh->store, b, it->db, slot, key, &it->flushes[i], &c->error);
    c->keys[it->db] += (uint64_t)(it->row_n != 0) - (uint64_t)was;
    return rc;
}

static int
purge_database(struct checkpoint *c, uint8_t db)
{
    char lower[8], upper[8];
    struct slice from = {lower, row_db_lower(lower, db)};
    struct slice to = {upper, row_db_lower(upper, db + 1)};
    int rc = store_delete_range(c->sh->store, from, to, &c->error);

    if (rc < 0)
        return rc;
    from.n = row_labels_lower(lower, db);
    to.n = row_labels_lower(upper, db + 1);
    return store_delete_range(c->sh->store, from, to, &c->error);
}

static int
purge_databases(struct checkpoint *c)
{
    int rc = 0;

    for (unsigned i = 0; i < SHARD_DBS && rc == 0; i++)
        if (c->purge_db[i])
            rc = purge_database(c, (uint8_t)i);
    return rc;
}

static int
spill_if_large(struct checkpoint *c, struct store_batch *b)
{
    return store_batch_bytes(b) < SPILL_BYTES ? 0 : store_batch_spill(b, &c->error);
}

/* All rows of keys, then all rows of labels, which stand behind those of every database. */
static int
write_items(struct checkpoint *c, struct store_batch *b)
{
    int rc = 0;

    for (struct item *it = c->items; it && rc == 0; it = it->next) {
        rc = write_item(c, b, it);
        if (rc == 0)
            rc = spill_if_large(c, b);
    }
    for (struct item *it = c->items; it && rc == 0; it = it->next) {
        write_labels(b, it);
        rc = spill_if_large(c, b);
    }
    return rc;
}

void
checkpoint_write(struct offload_job *job)
{
    struct checkpoint *c = container_of(job, struct checkpoint, job);
    struct store_batch *b = store_batch_create(c->sh->store);
    int rc;

    shard_slow_down(c->sh);
    checkpoint_sort(c);
    rc = store_check_health(c->sh->store, 0, &c->error); /* what is looked up takes an open database */
    if (rc == 0)
        rc = purge_databases(c);
    if (rc == 0)
        rc = write_items(c, b);
    if (rc == 0) {
        checkpoint_put_state(b, c->start_lsn, c->keys);
        rc = store_batch_commit(b, &c->error);
    }
    c->rc = rc;
    store_batch_destroy(&b);
}

/* --- the row that says how far the store is ------------------------------------------------------- */

static const char state_row_key[] = {(char)ROW_DB_META, 'c', 'k', 'p', 't'};

void
checkpoint_put_state(struct store_batch *b, uint64_t lsn, const uint64_t *keys)
{
    char value[1 + 8 + 8 * SHARD_DBS];

    value[0] = CHECKPOINT_FORMAT_VERSION;
    put_le64(value + 1, lsn);
    for (unsigned i = 0; i < SHARD_DBS; i++)
        put_le64(value + 9 + 8 * i, keys[i]);
    store_batch_put(b, (struct slice){state_row_key, sizeof(state_row_key)},
                    (struct slice){value, sizeof(value)});
}

static int
parse_state(struct slice value, struct checkpoint_state *ret_state, struct store_error *err)
{
    if (value.n != 1 + 8 + 8 * SHARD_DBS || value.p[0] != CHECKPOINT_FORMAT_VERSION) {
        snprintf(err->text, sizeof(err->text),
                 "the checkpoint row has version %d and %zu bytes; this server reads version %d",
                 value.n ? (uint8_t)value.p[0] : -1, value.n, CHECKPOINT_FORMAT_VERSION);
        return -EBADMSG;
    }
    ret_state->lsn = get_le64(value.p + 1);
    for (unsigned i = 0; i < SHARD_DBS; i++)
        ret_state->keys[i] = get_le64(value.p + 9 + 8 * i);
    return 0;
}

int
checkpoint_read_state(struct store *s, struct checkpoint_state *ret_state, struct store_error *err)
{
    struct store_value v;
    int rc = store_get(s, (struct slice){state_row_key, sizeof(state_row_key)}, &v, err);

    if (rc == 0)
        *ret_state = (struct checkpoint_state){0};
    if (rc <= 0)
        return rc;
    rc = parse_state(v.v, ret_state, err);
    store_value_put(&v);
    return rc;
}

int
checkpoint_peek_state(const char *dir, struct checkpoint_state *ret_state, struct store_error *err)
{
    struct buf value = {0};
    int rc = store_peek(dir, (struct slice){state_row_key, sizeof(state_row_key)}, &value, err);

    if (rc == 0)
        *ret_state = (struct checkpoint_state){0};
    else if (rc == 1)
        rc = parse_state((struct slice){value.p, value.n}, ret_state, err);
    buf_fini(&value);
    return rc;
}

/* --- compaction ------------------------------------------------------------------------------------ */

int
checkpoint_filter(void *arg, struct slice key, struct slice value, char *ret_value, size_t *ret_n)
{
    const struct shard *sh = arg;
    int64_t stored_ms = atomic_load_explicit(&sh->stored_ms, memory_order_relaxed);
    struct row_head head;
    struct slice payload;
    struct row_parts parts;
    struct buf out = {0};

    if (!row_parse(key, &parts) || parts.kind != ROW_MAIN ||
        !row_head_parse(value, &head, &payload) || head.type != ENTRY_STRING || payload.n == 0 ||
        head.expire_ms == 0 || head.expire_ms > stored_ms - EXPIRED_VALUE_KEPT_MS)
        return 0;
    row_head_write(&out, ENTRY_STRING, head.expire_ms);
    memcpy(ret_value, out.p, out.n);
    *ret_n = out.n;
    buf_fini(&out);
    return 1;
}

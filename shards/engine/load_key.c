/* The entry of a key that only the store has, built on the loop from its main row. The rows were read
 * before by a helper (load.c) and are found in the block cache; while a shard recovers, and where
 * there is no way to wait, they are read from the disk here. */
#include "shards/engine/exec.h"

#include "core/log.h"
#include "shards/engine/aside.h"
#include "shards/engine/core.h"
#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

bool
load_install(struct shard *sh, uint8_t db, struct slice key, uint64_t hash, struct slice row,
             bool cached_only)
{
    struct head *h = &sh->db[db].head;
    struct row_head head;
    struct slice value;
    struct entry *e;

    if (!row_head_parse(row, &head, &value)) {
        log_error("core %u: the row of key '%.*s' is damaged", sh->id, (int)MIN(key.n, 64), key.p);
        return false;
    }
    if (head.type == ENTRY_STRING) {
        e = head_insert(h, hash, key, ENTRY_STRING, 0, head.expire_ms);
        e = head_string_set(h, hash, e, value);
    } else {
        struct series_key *sk;

        if (series_load(sh->store, cached_only, db, key_slot(key), key, row, sh->arena, &sk))
            return false;
        e = head_insert(h, hash, key, ENTRY_SERIES, sizeof(void *), head.expire_ms);
        entry_set_ptr(e, sk);
        sh->series_keys++;
    }
    head_set_store(h, e, ENTRY_IN_STORE);
    /* Somebody waits for it: what his other keys displace should be something else. */
    e->flags |= ENTRY_REFERENCED;
    e->access_s = sh->now_s;
    e->seq = sh->acked_seq;
    return true;
}

static bool
load_key(struct shard *sh, uint8_t db, struct slice key, uint64_t hash, bool cached_only)
{
    char row_key[ROW_KEY_BYTES_MAX];
    struct shard_db *d = &sh->db[db];
    struct store_value v;
    struct slice k = {row_key, 0};
    bool ok;
    int rc;

    if (!shard_db_has_cold(d) || head_find(&d->head, hash, key))
        return true;
    if (aside_has(d, key, hash))
        return false;
    k.n = row_main(row_key, db, key_slot(key), key);
    rc = cached_only ? store_get_cached(sh->store, k, &v)
                     : store_get(sh->store, k, &v, &(struct store_error){0});
    if (rc == 0)
        return true;
    if (rc < 0)
        return false;
    ok = load_install(sh, db, key, hash, v.v, cached_only);
    store_value_put(&v);
    return ok;
}

bool
load_key_now(struct shard *sh, uint8_t db, struct slice key, uint64_t hash)
{
    return load_key(sh, db, key, hash, !sh->recovering);
}

bool
load_key_through(struct shard *sh, uint8_t db, struct slice key, uint64_t hash)
{
    return load_key(sh, db, key, hash, false);
}

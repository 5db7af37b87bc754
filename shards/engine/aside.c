#include "shards/engine/aside.h"

#include "core/log.h"
#include "shards/engine/record.h"
#include "shards/store/row.h"

#include <stdio.h>

#define KEYS_TOLD_MAX 16 /* of a shard: a start reads their rows again, to name the file */

void
aside_add(struct key *k, uint8_t op)
{
    struct shard_db *d = &k->sh->db[k->db];
    struct entry *e = head_find(k->head, k->hash, k->name);

    if (e)
        head_remove(k->head, k->hash, e);
    if (d->aside == NULL) {
        d->aside = arena_alloc(k->sh->arena, sizeof(*d->aside));
        head_init(d->aside, k->sh->arena, NULL);
    }
    e = head_insert(d->aside, k->hash, k->name, ENTRY_STRING, 1, 0);
    *entry_inline(e) = (char)op;
}

bool
aside_find(const struct shard_db *d, struct slice key, uint64_t hash)
{
    return head_find(d->aside, hash, key) != NULL;
}

void
aside_clear(struct shard_db *d)
{
    struct arena *a;

    if (d->aside == NULL)
        return;
    a = d->aside->arena;
    head_fini(d->aside);
    arena_free(a, d->aside, sizeof(*d->aside));
    d->aside = NULL;
}

void
aside_remove(struct shard_db *d, struct slice key, uint64_t hash)
{
    head_remove(d->aside, hash, head_find(d->aside, hash, key));
    if (d->aside->used == 0)
        aside_clear(d);
}

uint64_t
aside_keys(const struct shard *sh)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < SHARD_DBS; i++)
        n += sh->db[i].aside ? sh->db[i].aside->keys : 0;
    return n;
}

/* --- the log -------------------------------------------------------------------------------------- */

struct telling {
    struct shard *sh;
    uint8_t db;
    uint32_t told;
};

/* What is wrong with the rows of a key; it names the file. */
static void
read_rows(struct shard *sh, uint8_t db, struct slice key, struct store_error *ret_err)
{
    char lower[ROW_KEY_BYTES_MAX], upper[ROW_KEY_BYTES_MAX];
    struct slice from = {lower, row_key_lower(lower, db, key_slot(key), key)};
    struct slice to = {upper, row_key_upper(upper, db, key_slot(key), key)};
    struct store_iter *it = store_iter_open(sh->store, from, to, false, false);

    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
        ;
    if (store_iter_status(it, ret_err) == 0)
        snprintf(ret_err->text, sizeof(ret_err->text), "one of its rows is damaged");
    store_iter_close(&it);
}

static const char *
what_changes(uint8_t op)
{
    switch (op) {
    case RECORD_EXPIRE:
        return "its time to live";
    case RECORD_PATCH:
        return "a string, in part";
    case RECORD_SERIES_META:
        return "a series, its settings";
    case RECORD_DELETE:
        return "a series, points deleted";
    default:
        return "a series, points";
    }
}

static void
tell_key(void *arg, struct entry *e)
{
    struct telling *t = arg;
    struct slice key = entry_key(e);
    struct store_error why = {.text = ""};

    if (t->told++ >= KEYS_TOLD_MAX)
        return;
    read_rows(t->sh, t->db, key, &why);
    log_error("core %u: key '%.*s' of database %u is set aside: the journal changes it (%s), and the store "
              "cannot read it: %s", t->sh->id, (int)MIN(key.n, 64), key.p, t->db,
              what_changes((uint8_t)*entry_inline(e)), why.text);
}

void
aside_tell(struct shard *sh)
{
    struct telling t = {.sh = sh};

    for (t.db = 0; t.db < SHARD_DBS; t.db++) {
        uint64_t cursor = 0;

        if (sh->db[t.db].aside)
            do
                cursor = head_scan(sh->db[t.db].aside, cursor, tell_key, &t);
            while (cursor != 0);
    }
    if (t.told > 0)
        log_error("core %u: %llu keys are set aside, commands that need them get an error, and no checkpoint "
                  "is made, the journal grows: overwrite them (SET; then DEL, if they are to go), or stop the "
                  "server, put the file back from a copy and start it again", sh->id,
                  (unsigned long long)aside_keys(sh));
}

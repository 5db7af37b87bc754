#include "shards/engine/expire.h"

#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"

struct expire_found {
    int64_t now_ms;
    uint64_t looked, over; /* at keys with an expiry; of these */
    uint32_t n;
    struct entry *e[EXPIRE_FOUND_MAX];
};

static void
look(void *arg, struct entry *e)
{
    struct expire_found *f = arg;
    int64_t at = entry_expire(e);

    if (at == 0 || (e->flags & ENTRY_TOMBSTONE))
        return;
    f->looked++;
    if (at <= f->now_ms && f->n < EXPIRE_FOUND_MAX)
        f->e[f->n++] = e;
}

void
expire_entry(struct shard *sh, uint8_t db, struct entry *e)
{
    static const struct command none = {.name = "expire"};
    struct ctx c = {.core = sh->core, .sh = sh, .cmd = &none, .db = db};
    struct slice name = entry_key(e);
    char *copy = scratch_alloc(&sh->core->scratch, name.n); /* outlives the entry */
    struct key k;

    memcpy(copy, name.p, name.n);
    k = key_open_db(&c, (struct slice){copy, name.n}, db);
    key_delete(&c, &k, e);
    sh->expired++;
}

void
expire_stored(struct shard *sh, uint8_t db, struct slice name, bool is_series)
{
    static const struct command none = {.name = "expire"};
    struct ctx c = {.core = sh->core, .sh = sh, .cmd = &none, .db = db};
    struct key k = key_open_db(&c, name, db);

    key_delete_stored(&c, &k, is_series);
    sh->expired++;
}

/* Removing one entry may move others' places, never the entries themselves. */
static void
remove_found(struct shard *sh, uint8_t db, struct expire_found *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        expire_entry(sh, db, f->e[i]);
    f->over += f->n;
    f->n = 0;
}

/* Walks on. False: the time is over, or the journal full. */
static bool
expire_db(struct shard *sh, uint8_t db, uint64_t until_ns, struct expire_found *f)
{
    struct head *h = &sh->db[db].head;

    if (h->expires == 0)
        return true;
    do {
        for (unsigned i = 0; i < 16 && f->n < EXPIRE_FOUND_MAX / 2; i++) {
            sh->expire_cursor[db] = head_scan(h, sh->expire_cursor[db], look, f);
            if (sh->expire_cursor[db] == 0)
                break;
        }
        remove_found(sh, db, f);
        if (!journal_has_room(&sh->journal) || clock_now_ns() > until_ns)
            return false;
    } while (sh->expire_cursor[db] != 0);
    return true;
}

bool
expire_cycle(struct shard *sh, uint64_t budget_ns)
{
    struct expire_found f = {.now_ms = clock_wall_ms(&sh->core->reactor.clock)};
    uint64_t until = clock_now_ns() + budget_ns;

    if (!journal_has_room(&sh->journal))
        return false;
    for (unsigned i = 0; i < SHARD_DBS; i++)
        if (!expire_db(sh, (uint8_t)((sh->expire_db + i) % SHARD_DBS), until, &f)) {
            sh->expire_db = (uint8_t)((sh->expire_db + i) % SHARD_DBS);
            break;
        }
    return f.over * EXPIRE_MANY_SHARE > f.looked;
}

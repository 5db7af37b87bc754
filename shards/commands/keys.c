/* KEYS and RANDOMKEY. Both look at every shard at once: with several cores they run as a
 * transaction, asked first (ctx->probe) what of the store must be fetched. */
#include "shards/commands/handlers.h"
#include "shards/commands/walk_priv.h"
#include "shards/engine/core.h"

/* --- KEYS --------------------------------------------------------------------------------------
 */

static void
show_live(void *arg, struct entry *e)
{
    if (!(e->flags & ENTRY_TOMBSTONE))
        walk_show_entry(arg, e);
}

static void
keys_of_head(struct walk *w)
{
    const struct head *h = &w->sh->db[w->c->db].head;
    uint64_t cursor = 0;

    do
        cursor = head_scan(h, cursor, show_live, w);
    while (cursor);
}

/* Keys that are only in the store. False: ctx->need is set, or an error replied. */
static bool
keys_of_store(struct walk *w)
{
    struct rows r;
    int rc;

    if (!walk_store_has_more(w))
        return true;
    rows_open_shard(&r, w->sh, w->c->db, 0, ROW_SLOTS - 1);
    while (rows_next(&r))
        walk_show_row(w, &r, false);
    rc = rows_close(&r);
    if (rc == -EAGAIN)
        return walk_need(w, 0, ROW_SLOTS - 1, UINT64_MAX);
    return rc == 0 || walk_failed(w);
}

void
cmd_keys(struct ctx *c)
{
    struct walk w = {.c = c, .pattern = c->argv[1]};
    bool ok = true;

    for (uint32_t i = 0; i < ctx_shards(c) && ok; i++) {
        walk_at(&w, ctx_shard_at(c, i));
        if (!c->probe)
            keys_of_head(&w);
        ok = keys_of_store(&w);
    }
    if (ok && !c->probe)
        walk_reply(&w);
    walk_fini(&w);
}

/* --- RANDOMKEY ---------------------------------------------------------------------------------
 *
 * First a shard, and memory or store in it, each as likely as it has keys. In memory head_random
 * chooses. In the store a few slots are tried that chance names, as far as they are in the block
 * cache; when none of them has a key to offer, the window of the moment has: a stretch of rows that
 * stays the same for some seconds, so that a request that had it fetched finds it when it is run
 * again. */

#define RANDOM_TRIES_MAX 100 /* keys that turn out to have expired */
#define RANDOM_SLOT_TRIES 8
#define RANDOM_WINDOW_ROWS 64
#define RANDOM_WINDOW_MS 4096

struct random_pick {
    struct walk w;
    uint64_t state;
    struct buf key; /* what was found last */
    bool found;
};

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t
random_next(struct random_pick *p)
{
    return mix(p->state += 0x9e3779b97f4a7c15);
}

static void
pick_key(struct random_pick *p, struct slice key)
{
    p->key.n = 0;
    buf_append(&p->key, key.p, key.n);
    p->found = true;
}

/* One of the first rows from slot `first` on that are only in the store. 0 (found or not), or what
 * rows_close says. */
static int
pick_row(struct random_pick *p, uint32_t first, uint32_t last)
{
    uint64_t before = p->w.seen;
    struct rows r;

    rows_open_shard(&r, p->w.sh, p->w.c->db, first, last);
    for (uint32_t n = 0; n < RANDOM_WINDOW_ROWS && rows_next(&r); n++) {
        uint64_t seen = p->w.seen;

        walk_show_row(&p->w, &r, false);
        if (p->w.seen > seen && random_next(p) % (p->w.seen - before) == 0)
            pick_key(p, r.key);
    }
    return rows_close(&r);
}

/* The slots of a shard. */
static void
shard_slots(const struct shard *sh, uint32_t *ret_first, uint32_t *ret_n)
{
    uint32_t ncores = sh->core->ncores;
    uint32_t first = (sh->id * ROW_SLOTS + ncores - 1) / ncores;

    *ret_first = first;
    *ret_n = ((sh->id + 1u) * ROW_SLOTS + ncores - 1) / ncores - first;
}

/* The window: from its slot to the shard's last, and from the first slot when nothing is there.
 * False: ctx->need is set, or an error replied. */
static bool
pick_from_window(struct random_pick *p)
{
    uint64_t moment = (uint64_t)ctx_now_ms(p->w.c) / RANDOM_WINDOW_MS + p->w.sh->id;
    uint32_t first, n, slot;
    int rc;

    shard_slots(p->w.sh, &first, &n);
    slot = first + (uint32_t)(mix(moment) % n);
    rc = pick_row(p, slot, first + n - 1);
    if (rc == -EAGAIN && !p->found)
        return walk_need(&p->w, slot, first + n - 1, RANDOM_WINDOW_ROWS);
    if (rc == 0 && !p->found && slot > first) {
        rc = pick_row(p, first, slot - 1);
        if (rc == -EAGAIN && !p->found)
            return walk_need(&p->w, first, slot - 1, RANDOM_WINDOW_ROWS);
    }
    return rc != -EIO || walk_failed(&p->w);
}

static bool
pick_from_store(struct random_pick *p)
{
    uint32_t first, n;

    shard_slots(p->w.sh, &first, &n);
    for (unsigned i = 0; i < RANDOM_SLOT_TRIES && !p->found; i++)
        if (pick_row(p, first + (uint32_t)(random_next(p) % n), first + n - 1) == -EIO)
            return walk_failed(&p->w);
    return p->found || pick_from_window(p);
}

static void
pick_from_head(struct random_pick *p)
{
    const struct entry *e = head_random(&p->w.sh->db[p->w.c->db].head, random_next(p));
    int64_t at = e ? entry_expire(e) : 0;

    if (e == NULL || (at != 0 && at <= ctx_now_ms(p->w.c)))
        return;
    ctx_hold_entry(p->w.c, p->w.sh, e);
    pick_key(p, entry_key(e));
}

static uint64_t
keys_everywhere(const struct ctx *c)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < ctx_shards(c); i++)
        n += keyspace_keys(ctx_shard_at(c, i), c->db);
    return n;
}

/* Key number `at`, counted through the shards: from memory or from the store of that shard. */
static bool
pick_at(struct random_pick *p, uint64_t at)
{
    struct ctx *c = p->w.c;
    uint32_t i = 0;

    for (; at >= keyspace_keys(ctx_shard_at(c, i), c->db); i++)
        at -= keyspace_keys(ctx_shard_at(c, i), c->db);
    walk_at(&p->w, ctx_shard_at(c, i));
    if (at >= p->w.sh->db[c->db].head.keys)
        return pick_from_store(p);
    pick_from_head(p);
    return true;
}

/* Every shard's window must be at hand, whichever it will be. */
static void
probe_windows(struct random_pick *p)
{
    struct ctx *c = p->w.c;

    for (uint32_t i = 0; i < ctx_shards(c) && c->need.kind == NEED_NOTHING; i++) {
        walk_at(&p->w, ctx_shard_at(c, i));
        p->found = false;
        if (walk_store_has_more(&p->w))
            pick_from_window(p);
    }
}

void
cmd_randomkey(struct ctx *c)
{
    struct random_pick p = {.w = {.c = c}, .state = clock_now_ns() ^ c->client_id << 48};
    uint64_t n = keys_everywhere(c);
    bool ok = true;

    if (c->probe)
        probe_windows(&p);
    for (unsigned i = 0; n > 0 && !c->probe && ok && !p.found && i < RANDOM_TRIES_MAX; i++)
        ok = pick_at(&p, random_next(&p) % n);
    if (ok && p.found && !c->probe)
        resp_bulk(c->out, (struct slice){p.key.p, p.key.n});
    else if (ok && !c->probe)
        resp_null(c->out, c->proto);
    buf_fini(&p.key);
    walk_fini(&p.w);
}

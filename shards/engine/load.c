/* Fetching what only the store has. Helpers read the rows, which brings their blocks into the block
 * cache and keeps the main row pinned; the loop then builds the entry from cached reads, so that the
 * shard's memory is only ever touched by its owner. What is needed of many keys is read in pieces,
 * several at a time. */
#include "shards/engine/exec.h"

#include "shards/engine/aside.h"
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/load_string.h"
#include "shards/engine/rows.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

struct load_key {
    char *key;
    uint32_t n;
    /* NEED_COUNT: what was found: ENTRY_IN_STORE or 0; as it was when the store cannot be read */
    uint8_t flag;
    bool series; /* or damaged: block rows must go, since the key was written without a look at it */
    struct store_value pinned; /* NEED_KEY: its row */
};

struct load_range {
    struct need need;
    char *key; /* own copy of need.key */
};

/* What one job reads: keys or ranges [from, to). */
struct load_piece {
    struct offload_job job;
    struct load *load;
    uint32_t from, to;
    struct store_hold *held;
    uint64_t held_room; /* bytes that may still be held */
    bool failed;        /* some of it cannot be read */
};

#define PIECE_KEYS 4
#define PIECE_RANGES 2
#define PIECES_MAX 128

struct load {
    struct load_piece *pieces;
    uint32_t pending; /* pieces that are being read */
    bool failed;      /* something of it is damaged or cannot be read */
    struct need need;
    struct core *core;
    struct exec_waiter *waiter;
    char *key; /* own copy of need.key */
    uint32_t flush_epoch, store_epoch;
    /* NEED_KEY: those to bring, NEED_COUNT: those to look up */
    struct load_key *keys;
    uint32_t keys_n;
    struct load_range *ranges; /* NEED_RANGE: all of them */
    uint32_t ranges_n;
    struct checkpoint_waiter settled;
    struct row_list *list; /* NEED_ROWS, listed */
    struct string_load string; /* NEED_BYTES */
    /* what is to be found in the block cache when the request runs again */
    struct store_hold *held;
};

/* A transaction comes back for its count only after messages to and fro. */
#define COUNT_EXACT_NS 100000000ULL

/* --- on the helper ----------------------------------------------------------------------------- */

/* The row stays pinned until it is installed; the open blocks of a series must be in the cache. */
static void
warm_key(struct load_piece *p, struct load_key *k)
{
    const struct load *l = p->load;
    struct store *s = l->need.sh->store;
    struct slice key = {k->key, k->n};
    char row_key[ROW_KEY_BYTES_MAX];
    struct slice row = {row_key, row_main(row_key, l->need.db, key_slot(key), key)};

    int rc = store_get(s, row, &k->pinned, &(struct store_error){0});

    if (rc == 1)
        rc = series_warm_open(s, l->need.db, key_slot(key), key, k->pinned.v, &p->held);
    p->failed = p->failed || rc < 0;
}

static void
warm_range(struct load_piece *p, const struct load_range *r)
{
    const struct need *need = &r->need;
    struct series_query q = {.start = need->start, .end = need->end, .limit = need->limit,
                             .reverse = need->reverse};
    struct slice key = {r->key, need->key.n};

    if (series_warm_range(need->sh->store, need->db, key_slot(key), key, need->type, &q,
                          &p->held_room, &p->held) < 0)
        p->failed = true;
}

static void
look_up_maybes(const struct load_piece *p)
{
    const struct load *l = p->load;
    char row_key[ROW_KEY_BYTES_MAX];

    for (uint32_t i = p->from; i < p->to; i++) {
        struct load_key *m = &l->keys[i];
        struct slice key = {m->key, m->n};
        struct slice k = {row_key, row_main(row_key, l->need.db, key_slot(key), key)};
        struct store_value v;
        struct row_head head;
        struct slice payload;
        int rc = store_get(l->need.sh->store, k, &v, &(struct store_error){0});

        if (rc == 0)
            m->flag = 0;
        if (rc != 1)
            continue;
        m->flag = ENTRY_IN_STORE;
        m->series = !row_head_parse(v.v, &head, &payload) || head.type == ENTRY_SERIES;
        store_value_put(&v);
    }
}

static void
load_work(struct offload_job *job)
{
    struct load_piece *p = container_of(job, struct load_piece, job);
    struct load *l = p->load;

    if (p->from == 0)
        shard_slow_down(l->need.sh);
    switch (l->need.kind) {
    case NEED_KEY:
        for (uint32_t i = p->from; i < p->to; i++)
            warm_key(p, &l->keys[i]);
        break;
    case NEED_RANGE:
        for (uint32_t i = p->from; i < p->to; i++)
            warm_range(p, &l->ranges[i]);
        break;
    case NEED_COUNT:
        look_up_maybes(p);
        break;
    case NEED_ROWS:
        if (l->list)
            row_list_fill(l->list, l->need.limit);
        else
            p->failed = rows_warm(l->need.sh->store, l->need.db, (uint32_t)l->need.start,
                                  (uint32_t)l->need.end, l->need.limit) < 0;
        break;
    case NEED_BYTES:
        string_load_work(&l->string);
        break;
    case NEED_SHARD:
    case NEED_SLICES:
    case NEED_NOTHING:
        break;
    }
}

/* --- completion -------------------------------------------------------------------------------- */

static void
apply_maybe(struct head *h, struct entry *e, const struct load_key *m)
{
    head_set_store(h, e, m->flag);
    if (m->series)
        e->flags |= ENTRY_PURGE;
}

/* What was seen counts while the store is as it was: a key may have come and gone meanwhile. */
static void
apply_maybes(struct load *l)
{
    struct shard *sh = l->need.sh;
    struct head *h = &sh->db[l->need.db].head;
    bool valid = sh->flush_epoch == l->flush_epoch && sh->store_epoch == l->store_epoch;
    uint64_t unread = 0;

    for (uint32_t i = 0; i < l->keys_n; i++) {
        struct load_key *m = &l->keys[i];
        struct slice key = {m->key, m->n};
        struct entry *e = head_find(h, head_hash(key), key);

        if (valid && e && (e->flags & ENTRY_MAYBE_STORE) && !(e->flags & ENTRY_FLUSHING))
            apply_maybe(h, e, m);
        unread += m->flag == ENTRY_MAYBE_STORE;
        free(m->key);
    }
    free(l->keys);
    if (valid)
        sh->db[l->need.db].unread_maybes = unread;
}

static bool
install_key(struct load *l, struct load_key *k, struct slice key, uint64_t hash)
{
    struct shard *sh = l->need.sh;

    if (aside_has(&sh->db[l->need.db], key, hash))
        return false;
    return k->pinned.pin == NULL || load_install(sh, l->need.db, key, hash, k->pinned.v, true);
}

/* The rows that were read are still what the store has, unless it was written meanwhile. */
static void
install_keys(struct load *l)
{
    struct shard *sh = l->need.sh;
    bool valid = sh->flush_epoch == l->flush_epoch && sh->store_epoch == l->store_epoch;

    for (uint32_t i = 0; i < l->keys_n; i++) {
        struct load_key *k = &l->keys[i];
        struct slice key = {k->key, k->n};
        uint64_t hash = head_hash(key);

        if (valid && !head_find(&sh->db[l->need.db].head, hash, key) && !install_key(l, k, key, hash))
            l->failed = true;
        if (k->pinned.pin)
            store_value_put(&k->pinned);
        free(k->key);
    }
    free(l->keys);
}

static void
run_again(struct exec_waiter *w, struct row_list *list, struct store_hold *held)
{
    if (list)
        row_list_offer(list);
    if (w->keeps_rows)
        store_hold_join(&w->held, &held);
    if (list && w->keeps_rows) {
        list->owned = w->rows;
        w->rows = list;
        list = NULL;
    }
    w->again(w);
    row_list_destroy(&list);
    store_hold_release(&held);
}

static void
load_finish(struct load *l)
{
    struct exec_waiter *w = l->waiter;
    struct row_list *list = l->list;
    struct store_hold *held = l->held;
    struct shard *sh = l->need.sh;

    if (l->need.kind == NEED_COUNT) {
        apply_maybes(l);
        sh->counts_pending--;
        sh->exact_until_ns = l->core->reactor.clock.mono_ns + COUNT_EXACT_NS;
    } else if (l->need.kind == NEED_KEY) {
        install_keys(l);
    } else if (l->need.kind == NEED_BYTES) {
        string_load_finish(&l->string, &l->need);
    }
    w->failed = l->failed;
    for (uint32_t i = 0; i < l->ranges_n; i++)
        free(l->ranges[i].key);
    free(l->ranges);
    free(l->pieces);
    free(l->key);
    free(l);
    run_again(w, list, held);
}

struct load_lease {
    struct shard_waiter w;
    struct load *l;
};

static void
load_lease_over(struct shard_waiter *w, struct shard *sh)
{
    struct load_lease *ll = container_of(w, struct load_lease, w);
    struct load *l = ll->l;

    free(ll);
    load_finish(l);
}

/* The entry may only be built while the shard is ours, or lies still. */
static void
load_done(struct offload_job *job)
{
    struct load_piece *p = container_of(job, struct load_piece, job);
    struct load *l = p->load;
    struct load_lease *ll;

    store_hold_join(&p->held, &l->held);
    l->held = p->held;
    l->failed = l->failed || p->failed;
    if (--l->pending > 0)
        return;
    if (l->waiter->holds_lease || shard_available(l->need.sh)) {
        load_finish(l);
        return;
    }
    ll = malloc(sizeof(*ll));
    ASSERT(ll);
    ll->w.run = load_lease_over;
    ll->l = l;
    shard_wait(l->need.sh, &ll->w);
}

/* What is being checkpointed changes in the store meanwhile: that it is settled says more than any
 * look. */
static void
load_settled(struct checkpoint_waiter *w, int rc)
{
    load_finish(container_of(w, struct load, settled));
}

/* --- start ------------------------------------------------------------------------------------- */

/* Entries nobody looked up are always dirty: the dirty lists are all there is to search. */
static void
collect_maybes(struct load *l)
{
    struct head *h = &l->need.sh->db[l->need.db].head;
    uint64_t n = h->maybe_store;

    l->keys = malloc((n + 1) * sizeof(*l->keys));
    ASSERT(l->keys);
    for (uint32_t list = 0; list < HEAD_DIRTY_LISTS; list++)
        for (uint32_t i = 0; i < h->dirty[list].n && l->keys_n < n; i++) {
            struct entry *e = head_dirty_at(h, list, i);
            struct load_key *m = &l->keys[l->keys_n];
            struct slice key;

            if (e == NULL || (e->flags & (ENTRY_MAYBE_STORE | ENTRY_FLUSHING)) != ENTRY_MAYBE_STORE)
                continue;
            key = entry_key(e);
            m->key = malloc(key.n + 1);
            ASSERT(m->key);
            memcpy(m->key, key.p, key.n);
            m->n = (uint32_t)key.n;
            m->flag = ENTRY_MAYBE_STORE;
            m->series = false;
            l->keys_n++;
        }
}

static void
copy_key(struct load *l, struct slice key)
{
    struct load_key *k = &l->keys[l->keys_n++];

    ASSERT(key.n <= ENTRY_KEY_BYTES_MAX); /* the session saw to it */
    *k = (struct load_key){.key = malloc(key.n + 1), .n = (uint32_t)key.n};
    ASSERT(k->key);
    memcpy(k->key, key.p, key.n);
}

static void
copy_keys(struct load *l, const struct need *need)
{
    ASSERT(need->more_n < NEED_KEYS_MAX);
    l->keys = malloc((need->more_n + 1) * sizeof(*l->keys));
    ASSERT(l->keys);
    copy_key(l, need->key);
    for (uint32_t i = 0; i < need->more_n; i++)
        copy_key(l, need->more[i]);
}

static void
copy_ranges(struct load *l, const struct need *need)
{
    l->ranges = malloc((need->next_n + 1) * sizeof(*l->ranges));
    ASSERT(l->ranges);
    for (; need; need = need->next) {
        struct load_range *r = &l->ranges[l->ranges_n++];

        *r = (struct load_range){.need = *need, .key = malloc(need->key.n + 1)};
        ASSERT(r->key);
        memcpy(r->key, need->key.p, need->key.n);
    }
}

/* False: there is nothing to look up now, the checkpoint under way will tell. */
static bool
start_count(struct load *l)
{
    struct shard *sh = l->need.sh;

    collect_maybes(l);
    sh->counts_pending++;
    l->settled.done = load_settled;
    return l->keys_n > 0 || !checkpoint_wait_running(sh, &l->settled);
}

/* One job reads so many things, more when there are very many; the bytes that may be held are
 * divided. */
static void
start_pieces(struct load *l, uint32_t things, uint32_t of_piece)
{
    uint32_t n;

    of_piece = MAX(of_piece, (things + PIECES_MAX - 1) / PIECES_MAX);
    n = MAX((things + of_piece - 1) / of_piece, 1u);
    l->pieces = calloc(n, sizeof(*l->pieces));
    ASSERT(l->pieces);
    l->pending = n;
    for (uint32_t i = 0; i < n; i++) {
        struct load_piece *p = &l->pieces[i];

        *p = (struct load_piece){.job = {.work = load_work, .done = load_done}, .load = l,
                                 .from = i * of_piece, .to = MIN((i + 1) * of_piece, things),
                                 .held_room = SERIES_HELD_BYTES_MAX / n};
        offload_submit(l->core->reactor.offload, OFFLOAD_READS, &p->job);
    }
}

void
load_start(struct core *core, const struct need *need, struct exec_waiter *w)
{
    struct load *l = calloc(1, sizeof(*l));

    ASSERT(l);
    /* Its own thread fetches for a core, and only what can be fetched. */
    ASSERT(need->sh->core == core && reactor_current() == &core->reactor);
    ASSERT(need->kind != NEED_NOTHING && need->kind != NEED_SHARD && need->kind != NEED_SLICES);
    l->core = core;
    l->need = *need;
    l->need.more = NULL;
    l->need.next = NULL;
    l->waiter = w;
    l->flush_epoch = need->sh->flush_epoch;
    l->store_epoch = need->sh->store_epoch;
    if (need->kind == NEED_KEY) {
        copy_keys(l, need);
    } else if (need->kind == NEED_RANGE) {
        copy_ranges(l, need);
    } else if (need->kind == NEED_COUNT) {
        if (!start_count(l))
            return;
    } else {
        l->key = malloc(need->key.n + 1);
        ASSERT(l->key);
        memcpy(l->key, need->key.p, need->key.n);
        l->need.key.p = l->key;
    }
    if (need->kind == NEED_BYTES && (w->holds_lease || shard_available(need->sh)))
        string_load_begin(&l->string, need);
    if (need->kind == NEED_ROWS && need->listed)
        l->list = row_list_create(need->sh, need->db, (uint32_t)need->start, (uint32_t)need->end);
    if (need->kind != NEED_BYTES)
        metrics_add(&core->metrics, cold_reads, 1);
    if (need->kind == NEED_RANGE)
        start_pieces(l, l->ranges_n, PIECE_RANGES);
    else
        start_pieces(l, l->keys_n, PIECE_KEYS);
}

/* Fetching what only the store has. The helper reads the rows, which brings their blocks into the
 * block cache and keeps the main row pinned; the loop then builds the entry from cached reads, so
 * that the shard's memory is only ever touched by its owner. */
#include "shards/engine/exec.h"

#include "core/log.h"
#include "shards/engine/core.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/rows.h"
#include "shards/series/series_row.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <stdlib.h>

struct load_key {
    char *key;
    uint32_t n;
    uint8_t flag; /* what was found: ENTRY_IN_STORE or 0 */
};

struct load {
    struct offload_job job;
    struct need need;
    struct core *core;
    struct exec_waiter *waiter;
    char *key; /* own copy of need.key */
    struct store_value pinned;
    uint32_t flush_epoch, store_epoch;
    /* NEED_COUNT */
    struct load_key *maybes;
    uint32_t maybes_n;
    struct checkpoint_waiter settled;
};

/* A transaction comes back for its count only after messages to and fro. */
#define COUNT_EXACT_NS 100000000ULL

/* --- on the loop: what needs no disk ----------------------------------------------------------- */

/* Builds the entry of a main row. False: its open blocks are not in the cache. */
static bool
install(struct shard *sh, uint8_t db, struct slice key, uint64_t hash, struct slice row)
{
    struct head *h = &sh->db[db].head;
    struct row_head head;
    struct slice value;
    struct entry *e;

    if (!row_head_parse(row, &head, &value)) {
        log_error("core %u: a row of key '%.*s' is damaged; the key is treated as absent", sh->id,
                  (int)MIN(key.n, 64), key.p);
        return true;
    }
    if (head.type == ENTRY_STRING) {
        e = head_insert(h, hash, key, ENTRY_STRING, 0, head.expire_ms);
        e = head_string_set(h, hash, e, value);
    } else {
        struct series_key *sk;

        if (series_load(sh->store, !sh->recovering, db, key_slot(key), key, row, sh->arena, &sk))
            return false;
        e = head_insert(h, hash, key, ENTRY_SERIES, sizeof(void *), head.expire_ms);
        entry_set_ptr(e, sk);
        sh->series_keys++;
    }
    head_set_store(h, e, ENTRY_IN_STORE);
    e->access_s = sh->now_s;
    e->seq = sh->acked_seq;
    return true;
}

bool
load_key_now(struct shard *sh, uint8_t db, struct slice key, uint64_t hash)
{
    char row_key[ROW_KEY_BYTES_MAX];
    struct shard_db *d = &sh->db[db];
    struct store_value v;
    struct slice k = {row_key, 0};
    bool ok;
    int rc;

    if (d->hidden || d->stored_keys <= d->head.in_store || head_find(&d->head, hash, key))
        return true;
    k.n = row_main(row_key, db, key_slot(key), key);
    rc = sh->recovering ? store_get(sh->store, k, &v, &(struct store_error){0})
                        : store_get_cached(sh->store, k, &v);
    if (rc == 0)
        return true;
    if (rc < 0)
        return false;
    ok = install(sh, db, key, hash, v.v);
    store_value_put(&v);
    return ok;
}

/* --- on the helper ----------------------------------------------------------------------------- */

static void
warm_key(struct load *l)
{
    struct store *s = l->need.sh->store;
    struct slice key = {l->key, l->need.key.n};
    char row_key[ROW_KEY_BYTES_MAX];
    struct slice k = {row_key, row_main(row_key, l->need.db, key_slot(key), key)};

    if (store_get(s, k, &l->pinned, &(struct store_error){0}) == 1)
        series_warm_open(s, l->need.db, key_slot(key), key, l->pinned.v);
}

static void
warm_range(struct load *l)
{
    struct series_query q = {.start = l->need.start, .end = l->need.end, .limit = l->need.limit,
                             .reverse = l->need.reverse};
    struct slice key = {l->key, l->need.key.n};

    series_warm_range(l->need.sh->store, l->need.db, key_slot(key), key, l->need.type, &q);
}

static void
look_up_maybes(struct load *l)
{
    char row_key[ROW_KEY_BYTES_MAX];

    for (uint32_t i = 0; i < l->maybes_n; i++) {
        struct load_key *m = &l->maybes[i];
        struct slice key = {m->key, m->n};
        struct slice k = {row_key, row_main(row_key, l->need.db, key_slot(key), key)};
        struct store_value v;

        if (store_get(l->need.sh->store, k, &v, &(struct store_error){0}) == 1) {
            m->flag = ENTRY_IN_STORE;
            store_value_put(&v);
        }
    }
}

static void
load_work(struct offload_job *job)
{
    struct load *l = container_of(job, struct load, job);

    shard_slow_down(l->need.sh);
    switch (l->need.kind) {
    case NEED_KEY:
        warm_key(l);
        break;
    case NEED_RANGE:
        warm_range(l);
        break;
    case NEED_COUNT:
        look_up_maybes(l);
        break;
    case NEED_ROWS:
        rows_warm(l->need.sh->store, l->need.db, (uint32_t)l->need.start, (uint32_t)l->need.end,
                  l->need.limit);
        break;
    case NEED_NOTHING:
        break;
    }
}

/* --- completion -------------------------------------------------------------------------------- */

/* What was seen counts while the store is as it was: a key may have come and gone meanwhile. */
static void
apply_maybes(struct load *l)
{
    struct shard *sh = l->need.sh;
    struct head *h = &sh->db[l->need.db].head;
    bool valid = sh->flush_epoch == l->flush_epoch && sh->store_epoch == l->store_epoch;

    for (uint32_t i = 0; i < l->maybes_n; i++) {
        struct load_key *m = &l->maybes[i];
        struct slice key = {m->key, m->n};
        struct entry *e = head_find(h, head_hash(key), key);

        if (valid && e && (e->flags & ENTRY_MAYBE_STORE) && !(e->flags & ENTRY_FLUSHING))
            head_set_store(h, e, m->flag);
        free(m->key);
    }
    free(l->maybes);
}

static void
load_finish(struct load *l)
{
    struct exec_waiter *w = l->waiter;
    struct shard *sh = l->need.sh;

    if (l->need.kind == NEED_COUNT) {
        apply_maybes(l);
        sh->counts_pending--;
        sh->exact_until_ns = l->core->reactor.clock.mono_ns + COUNT_EXACT_NS;
    } else if (l->need.kind == NEED_KEY && sh->flush_epoch == l->flush_epoch)
        load_key_now(sh, l->need.db, (struct slice){l->key, l->need.key.n},
                     head_hash((struct slice){l->key, l->need.key.n}));
    if (l->pinned.pin)
        store_value_put(&l->pinned);
    free(l->key);
    free(l);
    w->again(w);
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

/* The entry may only be built while the shard is ours. */
static void
load_done(struct offload_job *job)
{
    struct load *l = container_of(job, struct load, job);
    struct load_lease *ll;

    if (shard_available(l->need.sh)) {
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

    l->maybes = malloc((n + 1) * sizeof(*l->maybes));
    ASSERT(l->maybes);
    for (uint32_t list = 0; list < HEAD_DIRTY_LISTS; list++)
        for (uint32_t i = 0; i < h->dirty[list].n && l->maybes_n < n; i++) {
            struct entry *e = h->dirty[list].p[i];
            struct load_key *m = &l->maybes[l->maybes_n];
            struct slice key;

            if (e == NULL || (e->flags & (ENTRY_MAYBE_STORE | ENTRY_FLUSHING)) != ENTRY_MAYBE_STORE)
                continue;
            key = entry_key(e);
            m->key = malloc(key.n + 1);
            ASSERT(m->key);
            memcpy(m->key, key.p, key.n);
            m->n = (uint32_t)key.n;
            m->flag = 0;
            l->maybes_n++;
        }
}

void
load_start(struct core *core, const struct need *need, struct exec_waiter *w)
{
    struct load *l = calloc(1, sizeof(*l));

    ASSERT(l);
    l->job.work = load_work;
    l->job.done = load_done;
    l->core = core;
    l->need = *need;
    l->waiter = w;
    l->flush_epoch = need->sh->flush_epoch;
    l->store_epoch = need->sh->store_epoch;
    if (need->kind == NEED_COUNT) {
        collect_maybes(l);
        need->sh->counts_pending++;
        l->settled.done = load_settled;
        if (l->maybes_n == 0 && checkpoint_wait_running(need->sh, &l->settled))
            return;
    } else {
        l->key = malloc(need->key.n + 1);
        ASSERT(l->key);
        memcpy(l->key, need->key.p, need->key.n);
    }
    metrics_add(&core->metrics, cold_reads, 1);
    offload_submit(core->reactor.offload, OFFLOAD_READS, &l->job);
}

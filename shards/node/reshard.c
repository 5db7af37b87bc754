#include "shards/node/reshard.h"

#include "core/log.h"
#include "shards/engine/aside.h"
#include "shards/engine/recovery.h"
#include "shards/node/node.h"
#include "shards/store/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RESHARD_BATCH_BYTES (32 * MIB)
#define RESHARD_PROGRESS_NS 2000000000ULL

/* One side: the shards of a layout, without loops. */
struct layout {
    struct node node; /* only what shards look at */
    struct recovery_shard *shards;
    uint32_t n;
    uint32_t generation;
};

struct target {
    struct store_batch *batch;
    uint64_t keys[SHARD_DBS];
};

static int
open_layout(struct layout *l, const struct datadir *d, const struct node *like, uint32_t n,
            uint32_t generation, struct buf *err)
{
    struct store_error serr = {.text = ""};

    l->node = *like;
    l->node.ncores = l->n = n;
    l->generation = generation;
    l->node.cores = aligned_alloc(CACHE_LINE, ALIGN_UP(n * sizeof(struct core), 64UL));
    l->shards = calloc(n, sizeof(*l->shards));
    ASSERT(l->node.cores && l->shards);
    memset(l->node.cores, 0, n * sizeof(struct core));
    for (uint32_t i = 0; i < n; i++) {
        struct store_options opt = {.compression = node_compression(&like->config)};
        char store_dir[DATADIR_PATH_MAX];
        int rc;

        core_init(&l->node.cores[i], &l->node, i);
        clock_update(&l->node.cores[i].reactor.clock);
        l->shards[i].sh = &l->node.cores[i].shard;
        datadir_core_path(d, generation, i, "store", store_dir);
        datadir_core_path(d, generation, i, "journal", l->shards[i].dir);
        opt.dir = store_dir;
        rc = store_open(&l->shards[i].sh->store, like->store_env, &opt, &serr);
        if (rc == 0)
            rc = recovery_begin(&l->shards[i], &serr);
        if (rc < 0) {
            buf_printf(err, "core %u of generation %u: %s", i, generation, serr.text);
            return rc;
        }
    }
    return 0;
}

static void
close_layout(struct layout *l)
{
    for (uint32_t i = 0; l->shards && i < l->n; i++) {
        struct shard *sh = l->shards[i].sh;

        if (sh == NULL)
            continue;
        recovery_end(&l->shards[i]);
        if (sh->store)
            store_close(&sh->store);
        core_fini(&l->node.cores[i]);
    }
    free(l->shards);
    free(l->node.cores);
    *l = (struct layout){0};
}

/* What would be moved of a key that cannot be read is not what it was. */
static int
none_aside(struct layout *old, uint32_t i, struct journal_error *err)
{
    struct shard *sh = old->shards[i].sh;

    if (aside_keys(sh) == 0)
        return 0;
    aside_tell(sh);
    snprintf(err->text, sizeof(err->text),
             "the store of core %u cannot read keys that its journal changes: start it with cpus for %u cores, as "
             "before", i, old->n);
    return -EIO;
}

/* Everything that only the old journals hold goes into the old stores. */
static int
bring_to_rest(struct layout *old, struct buf *err)
{
    struct journal_error jerr = {.text = ""};
    struct store_error serr = {.text = ""};
    int rc = 0;

    for (uint32_t i = 0; i < old->n && rc == 0; i++)
        rc = recovery_scan(&old->shards[i], &jerr);
    if (rc == 0)
        recovery_decide(old->shards, old->n);
    for (uint32_t i = 0; i < old->n && rc == 0; i++) {
        rc = recovery_replay(&old->shards[i], &jerr);
        if (rc < 0)
            break;
        log_info("changing the number of cores: journal of core %u of %u replayed, %" PRIu64
                 " records", i, old->n, old->shards[i].applied);
        rc = none_aside(old, i, &jerr);
        if (rc == 0)
            rc = checkpoint_now(old->shards[i].sh, &serr);
    }
    if (rc < 0)
        buf_printf(err, "changing the number of cores: %s%s", jerr.text, serr.text);
    return rc;
}

static int
commit_target(struct layout *new, struct target *t, uint32_t i, struct store_error *err)
{
    int rc = store_batch_commit(t[i].batch, err);

    store_batch_destroy(&t[i].batch);
    t[i].batch = store_batch_create(new->shards[i].sh->store);
    return rc;
}

/* The first main row of a key counts it; expired ones too, as keyspace counts do. */
static int
copy_row(struct layout *new, struct target *targets, struct slice key, struct slice value,
         struct store_error *err)
{
    struct row_parts parts;
    uint32_t to;

    if (!row_parse(key, &parts))
        return 0; /* rows about the old shard itself */
    to = shard_slot_owner(parts.slot, new->n);
    store_batch_put(targets[to].batch, key, value);
    if (parts.kind == ROW_MAIN && parts.db < SHARD_DBS)
        targets[to].keys[parts.db]++;
    if (store_batch_bytes(targets[to].batch) < RESHARD_BATCH_BYTES)
        return 0;
    return commit_target(new, targets, to, err);
}

static int
copy_shard(struct layout *old, struct layout *new, uint32_t from, struct target *targets,
           struct store_error *err)
{
    struct shard *sh = old->shards[from].sh;
    struct store_iter *it =
        store_iter_open(sh->store, SLICE(""), (struct slice){"\xff\xff", 2}, false, false);
    uint64_t rows = 0, said = clock_now_ns();
    int rc = 0;

    for (store_iter_first(it); store_iter_valid(it) && rc == 0; store_iter_next(it)) {
        rc = copy_row(new, targets, store_iter_key(it), store_iter_value(it), err);
        rows++;
        if (rows % 4096 == 0 && clock_now_ns() - said > RESHARD_PROGRESS_NS) {
            said = clock_now_ns();
            log_info("changing the number of cores: %" PRIu64 " rows of core %u of %u moved", rows,
                     from, old->n);
        }
    }
    if (rc == 0)
        rc = store_iter_status(it, err);
    store_iter_close(&it);
    if (rc == 0)
        log_info("changing the number of cores: core %u of %u done, %" PRIu64 " rows", from,
                 old->n, rows);
    return rc;
}

/* Rows of series carry LSNs of the journals they come from; new journals go on above all of them. */
static uint64_t
highest_lsn(const struct layout *old)
{
    uint64_t lsn = 0;

    for (uint32_t i = 0; i < old->n; i++)
        lsn = MAX(lsn, recovery_next_lsn(&old->shards[i]));
    return lsn;
}

static int
copy_all(struct layout *old, struct layout *new, struct buf *err)
{
    struct target *targets = calloc(new->n, sizeof(*targets));
    struct store_error serr = {.text = ""};
    int rc = 0;

    ASSERT(targets);
    for (uint32_t i = 0; i < new->n; i++)
        targets[i].batch = store_batch_create(new->shards[i].sh->store);
    for (uint32_t i = 0; i < old->n && rc == 0; i++)
        rc = copy_shard(old, new, i, targets, &serr);
    for (uint32_t i = 0; i < new->n; i++) {
        if (rc == 0)
            checkpoint_put_state(targets[i].batch, highest_lsn(old), targets[i].keys);
        if (rc == 0)
            rc = commit_target(new, targets, i, &serr);
        store_batch_destroy(&targets[i].batch);
    }
    free(targets);
    if (rc < 0)
        buf_printf(err, "changing the number of cores: %s", serr.text);
    return rc;
}

int
reshard(struct datadir *d, struct node *node, struct buf *err)
{
    struct layout old = {0}, new = {0};
    uint32_t generation = d->generation + 1;
    uint64_t began = clock_now_ns();
    int rc;

    log_info("changing the number of cores from %u to %u: data moves to generation %u", d->cores,
             node->ncores, generation);
    datadir_remove_leftovers(d);
    rc = open_layout(&old, d, node, d->cores, d->generation, err);
    if (rc == 0)
        rc = bring_to_rest(&old, err);
    if (rc == 0)
        rc = datadir_make_parts(d, node->ncores, generation, err);
    if (rc == 0)
        rc = open_layout(&new, d, node, node->ncores, generation, err);
    if (rc == 0)
        rc = copy_all(&old, &new, err);
    close_layout(&old);
    close_layout(&new);
    if (rc == 0)
        rc = datadir_commit(d, node->ncores, generation, err);
    if (rc == 0)
        log_info("changing the number of cores took %.2f s",
                 (double)(clock_now_ns() - began) / 1e9);
    return rc;
}

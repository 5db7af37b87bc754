#include "shards/commands/series_ahead.h"

#include "shards/commands/ts.h"
#include "shards/engine/exec.h"
#include "shards/engine/keyspace.h"
#include "shards/engine/watch.h"
#include "shards/store/row.h"

#include <stdlib.h>

#define RANGES_AHEAD 32 /* keys whose blocks are fetched together */

static uint64_t
time_in_one_go(const struct ctx *c)
{
    return SLICES_AT_ONCE * c->core->limits.slice_ns;
}

/* Nobody else's shard is kept from its owner in spare time. What has had to be fetched may have to be once
 * more: each time it would be read from the beginning. */
static bool
may_take_spare(const struct ctx *c)
{
    return c->sh == &c->core->shard && c->leased == NULL && c->attempts == 0;
}

uint64_t
ahead_until(struct ctx *c, uint32_t keys_n)
{
    if (c->in_exec || keys_n > AHEAD_KEYS_MAX)
        return UINT64_MAX;
    if (may_take_spare(c))
        slices_take_spare_at_first(c);
    if (keys_n > 1) /* how far it is can only be told of one */
        c->spare_ns = MIN(c->spare_ns, time_in_one_go(c));
    return clock_now_ns() + time_in_one_go(c);
}

bool
ahead_is_late(const struct ctx *c, uint64_t began_ns)
{
    return c->in_exec && clock_now_ns() > began_ns + ts_exec_ns(c);
}

/* --- life ------------------------------------------------------------------------------------- */

static uint16_t
owner_of(const struct ahead *a, struct ctx *c, uint32_t i)
{
    return (uint16_t)shard_slot_owner(key_slot(a->name[i]), c->core->ncores);
}

/* Keys by core, in their order. */
static void
order_keys(struct ahead *a, struct ctx *c)
{
    uint32_t cores = c->core->ncores, *at = calloc(cores + 1, sizeof(*at));

    ASSERT(at);
    for (uint32_t i = 0; i < a->n; i++)
        at[owner_of(a, c, i) + 1]++;
    for (uint32_t i = 1; i < cores; i++)
        at[i] += at[i - 1];
    for (uint32_t i = 0; i < a->n; i++)
        a->order[at[owner_of(a, c, i)]++] = i;
    free(at);
}

static void
make_units(struct ahead *a, struct ctx *c)
{
    uint32_t most = a->n / AHEAD_UNITS_MAX + 1;
    struct ahead_unit *u = NULL;

    for (uint32_t i = 0; i < a->n; i++) {
        uint16_t owner = owner_of(a, c, a->order[i]);

        if (u == NULL || u->owner != owner || u->n == most || a->chained) {
            u = &a->units[a->units_n++];
            *u = (struct ahead_unit){.first = i, .owner = owner};
        }
        u->n++;
    }
}

/* With so many behind it that none other has. */
uint64_t
ahead_watcher(struct core *core)
{
    uint64_t serial = ++core->next_ahead * core->ncores + core->id;

    return WATCH_READING | serial * 2 * (AHEAD_UNITS_MAX + MESH_CORES_MAX);
}

void
ahead_init(struct ahead *a, struct ctx *c, const struct slice *name, uint32_t n)
{
    a->name = name;
    a->n = n;
    a->db = c->db;
    a->watcher = ahead_watcher(c->core);
    a->order = malloc(n * sizeof(*a->order));
    a->units = malloc(MIN(n, AHEAD_UNITS_MAX + (uint32_t)MESH_CORES_MAX) * sizeof(*a->units));
    ASSERT(a->order && a->units && (!a->chained || n <= AHEAD_UNITS_MAX));
    for (uint32_t i = 0; i < n && a->chained; i++)
        a->order[i] = i;
    if (!a->chained)
        order_keys(a, c);
    make_units(a, c);
    a->round = a->turns = 1;
}

void
ahead_fini(struct ahead *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        a->keys->drop(a, i);
    free(a->order);
    free(a->units);
}

/* --- units ------------------------------------------------------------------------------------ */

static uint64_t
watcher_of(const struct ahead *a, const struct ahead_unit *u)
{
    return a->watcher + (uint64_t)(u - a->units);
}

static void
unwatch(struct ahead *a, struct ahead_unit *u, struct shard *sh)
{
    if (u->watches)
        shard_unwatch(sh, watcher_of(a, u));
    u->watches = false;
}

static void
forget_values(struct ahead *a, uint32_t key)
{
    atomic_fetch_sub_explicit(&a->values, a->keys->values(a, key), memory_order_relaxed);
}

/* From now on it watches, and has read nothing. */
static void
unit_begin(struct ahead *a, struct ahead_unit *u, struct shard *sh)
{
    unwatch(a, u, sh);
    for (uint32_t i = 0; i < u->n; i++) {
        uint32_t key = a->order[u->first + i];

        if (i < u->done)
            forget_values(a, key);
        a->keys->drop(a, key);
        shard_watch(sh, watcher_of(a, u), a->db, a->name[key]);
    }
    u->watches = true;
    u->done = 0;
}

/* Reads on behind what it has read. */
static void
unit_go_on(struct ahead *a, struct ahead_unit *u)
{
    for (uint32_t i = 0; i < u->done; i++)
        forget_values(a, a->order[u->first + i]);
    u->done = 0;
}

static bool
key_stands(struct ahead *a, uint32_t key, const struct watch_times *at)
{
    if (watch_times_all(at) || at->kept_from > a->keys->wants_from(a, key))
        return false;
    return watch_times_none(at) || a->keys->stands(a, key, at->from, at->to);
}

/* Of one key, and points of it have changed that were not read yet: they will be. */
static void
unit_catch_up(struct ahead *a, struct ahead_unit *u, struct shard *sh)
{
    uint32_t key = a->order[u->first];
    struct watch_times at;

    if (u->n > 1 || !u->watches || !watch_times(sh->watches, watcher_of(a, u), &at) || !key_stands(a, key, &at))
        return;
    watch_forget_times(sh->watches, watcher_of(a, u));
    unit_go_on(a, u);
}

/* Does what it has read stand? */
static bool
unit_stands(struct ahead *a, struct ahead_unit *u, struct shard *sh)
{
    unit_catch_up(a, u, sh);
    return u->watches && !watch_is_touched(sh->watches, watcher_of(a, u));
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The key at `at`, which is not in memory, and those behind it that are not. */
static void
need_keys(struct ahead *a, struct ctx *c, struct shard *sh, uint32_t at)
{
    struct slice *missing = scratch_alloc(&c->core->scratch, NEED_KEYS_MAX * sizeof(*missing));
    uint32_t n = 0;

    missing[n++] = a->name[a->order[at++]];
    for (; at < a->n && n < NEED_KEYS_MAX && owner_of(a, c, a->order[at]) == sh->id; at++) {
        struct slice key = a->name[a->order[at]];

        if (!load_key_now(sh, a->db, key, head_hash(key)))
            missing[n++] = key;
    }
    c->need = (struct need){.kind = NEED_KEY, .sh = sh, .db = a->db, .key = missing[0],
                            .more = missing + 1, .more_n = n - 1};
}

/* Blocks of the key at `at` are missing: probably of the next ones in that time as well. */
static void
need_more(struct ahead *a, struct ctx *c, struct shard *sh, uint32_t at)
{
    struct need need = c->need;

    if (need.kind != NEED_RANGE || !slice_equal(need.key, a->name[a->order[at]]))
        return;
    for (uint32_t i = 1; i < RANGES_AHEAD && at + i < a->n; i++) {
        if (owner_of(a, c, a->order[at + i]) != sh->id)
            return;
        need.key = a->name[a->order[at + i]];
        ctx_need_range(c, &need);
    }
}

static enum slices_result
read_key(struct ahead *a, struct ctx *c, struct shard *sh, const void *asked, uint32_t at,
         uint64_t until_ns)
{
    uint32_t key = a->order[at];
    int rc;

    if (!load_key_now(sh, a->db, a->name[key], head_hash(a->name[key]))) {
        need_keys(a, c, sh, at);
        return SLICES_NEED;
    }
    rc = a->keys->read(a, c, asked, key, until_ns);
    if (rc == -EINPROGRESS)
        return SLICES_MORE;
    if (rc == -EAGAIN) {
        need_more(a, c, sh, at);
        return SLICES_NEED;
    }
    atomic_fetch_add_explicit(&a->values, a->keys->values(a, key), memory_order_relaxed);
    return SLICES_DONE;
}

static bool
is_too_much(struct ahead *a)
{
    return atomic_load_explicit(&a->values, memory_order_relaxed) > a->values_max;
}

static enum slices_result
unit_read(struct ahead *a, struct ahead_unit *u, struct ctx *c, struct shard *sh,
          const void *asked, uint64_t until_ns)
{
    while (u->done < u->n && !is_too_much(a)) {
        enum slices_result r = read_key(a, c, sh, asked, u->first + u->done, until_ns);

        if (r != SLICES_DONE)
            return r;
        u->done++;
        if (slices_time_is_over(c, until_ns, 0))
            return SLICES_MORE;
    }
    return SLICES_DONE;
}

/* In a new round what has changed is read anew. Within one it is not, or that might go on for ever. */
static enum slices_result
unit_step(struct ahead *a, struct ahead_unit *u, struct ctx *c, struct shard *sh, const void *asked,
          uint64_t until_ns)
{
    bool stands;

    if (u->round == a->round && u->done == u->n)
        return SLICES_DONE;
    stands = unit_stands(a, u, sh);
    if (u->round != a->round && !stands)
        unit_begin(a, u, sh);
    else if (u->n == 1 && !stands)
        return SLICES_DONE;
    u->round = a->round;
    return unit_read(a, u, c, sh, asked, until_ns);
}

/* A unit that is read, or may be: then so are the chained ones behind it. */
static enum slices_result
chain_unit(struct ahead *a, uint32_t i, struct ctx *c, struct shard *sh, const void *asked,
           uint64_t until_ns)
{
    struct ahead_unit *u = &a->units[i];

    if (u->round == a->round && u->done == u->n)
        return SLICES_DONE;
    for (uint32_t k = i + 1; k < a->units_n; k++)
        unit_go_on(a, &a->units[k]);
    return unit_step(a, u, c, sh, asked, until_ns);
}

/* From the unit whose turn it is on, those of this core. */
static enum slices_result
chain_step(struct ahead *a, struct ctx *c, struct shard *sh, const void *asked, uint64_t until_ns)
{
    enum slices_result r = SLICES_DONE;

    for (uint32_t i = a->turn; i < a->units_n && r == SLICES_DONE; i++) {
        if (a->units[i].owner != sh->id)
            break;
        r = chain_unit(a, i, c, sh, asked, until_ns);
        if (a->units[i].done < a->units[i].n)
            break;
    }
    return r;
}

enum slices_result
ahead_step(struct ahead *a, struct ctx *c, struct shard *sh, const void *asked, uint64_t until_ns)
{
    enum slices_result r = SLICES_DONE;

    if (a->chained)
        return chain_step(a, c, sh, asked, until_ns);
    for (uint32_t i = 0; i < a->units_n && r == SLICES_DONE; i++) {
        struct ahead_unit *u = &a->units[i];

        if (u->owner == sh->id)
            r = unit_step(a, u, c, sh, asked, until_ns);
    }
    return is_too_much(a) ? SLICES_DONE : r;
}

void
ahead_leave(struct ahead *a, struct shard *sh)
{
    for (uint32_t i = 0; i < a->units_n; i++)
        if (a->units[i].owner == sh->id)
            unwatch(a, &a->units[i], sh);
}

/* --- all of one moment ------------------------------------------------------------------------ */

static enum slices_result
step_all(struct ahead *a, struct ctx *c, const void *asked, uint64_t until_ns)
{
    enum slices_result r = SLICES_DONE;

    for (uint32_t i = 0; i < ctx_shards(c) && r == SLICES_DONE; i++)
        r = ahead_step(a, c, ctx_shard_at(c, i), asked, until_ns);
    return r;
}

/* All of the chain, as if it were of one core. */
static enum slices_result
chain_all(struct ahead *a, struct ctx *c, const void *asked, uint64_t until_ns)
{
    enum slices_result r = SLICES_DONE;

    for (uint32_t i = 0; i < a->units_n && r == SLICES_DONE; i++) {
        struct shard *sh = c->sh ? c->sh : ctx_shard_at(c, a->units[i].owner);

        a->turn = i;
        r = chain_unit(a, i, c, sh, asked, until_ns);
    }
    return r;
}

int
ahead_all(struct ahead *a, struct ctx *c, const void *asked)
{
    uint64_t until = a->turns == AHEAD_TURNS_MAX ? UINT64_MAX : clock_now_ns() + time_in_one_go(c);
    enum slices_result r;

    a->round++;
    a->leased = true;
    r = a->chained ? chain_all(a, c, asked, until) : step_all(a, c, asked, until);
    a->leased = false;
    if (is_too_much(a))
        return -E2BIG;
    if (r == SLICES_MORE) {
        a->turns++;
        c->need = (struct need){.kind = NEED_SLICES};
    }
    return r == SLICES_DONE ? 0 : -EAGAIN;
}

/* Leasing the shards of a transaction one after the other; and starting over: everything is given
 * back, each owner waits for what was in the way, and the leases are taken again. */
#include "shards/engine/txn_priv.h"

#include "shards/engine/core.h"
#include "shards/engine/evict.h"

#include <stdlib.h>

/* --- leasing --------------------------------------------------------------------------------------- */

static void
lease_granted(struct shard_waiter *w, struct shard *sh)
{
    struct txn_part *p = container_of(w, struct txn_part, lease);

    shard_lease(sh);
    txn_part_reply(p);
}

static void
lease_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    p->lease.run = lease_granted;
    shard_wait(p->sh, &p->lease);
}

static void
lease_done(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);

    p->txn->leased_n++;
    txn_lease_next(p->txn);
}

void
txn_lease_next(struct txn *t)
{
    struct txn_part *p = &t->parts[t->leased_n];

    if (t->leased_n == t->parts_n) {
        txn_try(t);
        return;
    }
    p->msg.run = lease_run;
    p->msg.done = lease_done;
    if (p->sh->core == t->core)
        lease_run(&p->msg);
    else
        txn_part_send(p);
}

/* --- what was in the way ---------------------------------------------------------------------------- */

struct txn_part *
txn_part_of(struct txn *t, const struct shard *sh)
{
    for (uint32_t i = 0; i < t->parts_n; i++)
        if (t->parts[i].sh == sh)
            return &t->parts[i];
    ASSERT(!"a command named a shard outside its transaction");
    return NULL;
}

static void
part_note_key(struct txn_part *p, struct slice key)
{
    char n[4];

    ASSERT(key.n <= ENTRY_KEY_BYTES_MAX); /* the session saw to it */
    if (p->need_n == NEED_KEYS_MAX)
        return;
    put_le32(n, (uint32_t)key.n);
    buf_append(&p->need_bytes, n, sizeof(n));
    buf_append(&p->need_bytes, key.p, key.n);
    p->need_n++;
}

static void
part_note_range(struct txn_part *p, const struct need *need)
{
    if (p->need_n == NEED_KEYS_MAX)
        return;
    p->ranges = realloc(p->ranges, (p->need_n + 1) * sizeof(*p->ranges));
    ASSERT(p->ranges);
    p->ranges[p->need_n] = *need;
    part_note_key(p, need->key);
}

/* May it join what was noted before? */
static bool
part_gathers(const struct txn_part *p, const struct need *need)
{
    return p->obstacle == EXEC_NEED && p->need.kind == need->kind &&
           (need->kind == NEED_RANGE || (need->kind == NEED_KEY && p->need.db == need->db));
}

/* Keys and ranges are gathered, of everything else the first is taken. */
void
txn_part_note_need(struct txn_part *p, const struct need *need)
{
    if (p->obstacle == EXEC_DONE) {
        p->obstacle = EXEC_NEED;
        p->need = *need;
    } else if (!part_gathers(p, need)) {
        return;
    }
    if (need->kind == NEED_RANGE) {
        part_note_range(p, need);
        return;
    }
    part_note_key(p, need->key);
    for (uint32_t i = 0; i < need->more_n; i++)
        part_note_key(p, need->more[i]);
}

static const struct need *
next_need(const struct need *need)
{
    return need->kind == NEED_RANGE ? need->next : NULL;
}

void
txn_note_needs(struct txn *t, const struct need *need)
{
    if (need->kind == NEED_SHARD) {
        t->wanted[need->sh->id / 64] |= 1ull << (need->sh->id % 64);
        t->widens = true;
        return;
    }
    if (need->kind == NEED_SLICES) {
        ASSERT(t->slices);
        for (uint32_t i = 0; i < t->parts_n; i++)
            t->parts[i].obstacle = EXEC_SLICES;
        return;
    }
    for (; need; need = next_need(need))
        txn_part_note_need(txn_part_of(t, need->sh), need);
}

void
txn_forget_needs(struct txn *t)
{
    for (uint32_t i = 0; i < t->parts_n; i++)
        txn_part_forget_need(&t->parts[i]);
    t->widens = false;
}

/* --- what cannot be read ---------------------------------------------------------------------------- */

static bool
part_fetches(const struct txn_part *p)
{
    return p->obstacle == EXEC_NEED;
}

void
txn_count_failed(struct txn *t)
{
    t->fetch_failed = false;
    for (uint32_t i = 0; i < t->parts_n; i++)
        if (part_fetches(&t->parts[i]) && t->parts[i].fetched.failed)
            t->fetch_failed = true;
    t->failed_fetches += t->fetch_failed;
}

bool
txn_fetches_in_vain(const struct txn *t)
{
    uint32_t max = t->session->conn.closing ? 1 : TXN_FAILED_FETCHES_MAX;
    bool any = false;

    for (uint32_t i = 0; i < t->parts_n; i++)
        any = any || part_fetches(&t->parts[i]);
    return any && t->fetch_failed && t->failed_fetches >= max;
}

/* --- starting over: give back, wait for what is missing, lease again ------------------------------- */

static void
obstacle_gone(struct exec_waiter *w)
{
    txn_part_notify(container_of(w, struct txn_part, fetched));
}

/* What was noted, with its keys in `keys`. */
static struct need
part_need(const struct txn_part *p, struct slice keys[NEED_KEYS_MAX])
{
    struct need need = p->need;
    const char *at = p->need_bytes.p;

    for (uint32_t i = 0; i < p->need_n; i++) {
        keys[i] = (struct slice){at + 4, get_le32(at)};
        at += 4 + keys[i].n;
    }
    if (need.kind == NEED_RANGE) {
        for (uint32_t i = 0; i < p->need_n; i++) {
            p->ranges[i].key = keys[i];
            p->ranges[i].next = i + 1 < p->need_n ? &p->ranges[i + 1] : NULL;
        }
        p->ranges[0].next_n = p->need_n - 1;
        return p->ranges[0];
    }
    if (p->need_n > 0) {
        need.key = keys[0];
        need.more = keys + 1;
        need.more_n = p->need_n - 1;
    }
    return need;
}

static void
retreat_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);
    struct ctx c = {.core = p->sh->core, .sh = p->sh};
    struct slice keys[NEED_KEYS_MAX];

    if (p->over_memory)
        evict_want_checkpoint(p->sh);
    shard_unlease(p->sh);
    p->fetched.again = obstacle_gone;
    p->fetched.keeps_rows = true;
    p->fetched.holds_lease = false;
    p->fetched.failed = false;
    c.need = part_need(p, keys);
    if (p->obstacle == EXEC_SLICES)
        txn_slices_begin(p);
    else if (p->obstacle != EXEC_DONE && core_hurries(p->sh->core))
        txn_part_notify(p); /* it is refused then; who waits is not woken a second time */
    else if (p->obstacle != EXEC_DONE)
        exec_wait(&c, p->obstacle, &p->fetched);
    txn_part_reply(p);
}

void
txn_part_forget_need(struct txn_part *p)
{
    buf_fini(&p->need_bytes);
    free(p->ranges);
    p->ranges = NULL;
    p->need_n = 0;
    p->need = (struct need){0};
    p->obstacle = EXEC_DONE;
    p->over_memory = false;
}

void
txn_add_part(struct txn *t, uint32_t core)
{
    uint32_t at = t->parts_n;

    while (at > 0 && t->parts[at - 1].sh->id > core)
        at--;
    memmove(&t->parts[at + 1], &t->parts[at], (t->parts_n - at) * sizeof(t->parts[0]));
    t->parts[at] = (struct txn_part){.txn = t, .sh = core_shard(t->core, core)};
    t->parts_n++;
    t->shards[core / 64] |= 1ull << (core % 64);
}

static void
txn_widen(struct txn *t)
{
    if (t->parts_n == 1)
        metrics_inc(&t->core->metrics, txn_cross_core);
    for (uint32_t i = 0; i < t->core->ncores; i++)
        if ((t->wanted[i / 64] & ~t->shards[i / 64]) >> (i % 64) & 1)
            txn_add_part(t, i);
    t->widens = false;
}

static void
retreat_over(struct txn *t)
{
    txn_count_failed(t);
    if (t->widens)
        txn_widen(t);
    txn_forget_needs(t);
    t->leased_n = 0;
    txn_lease_next(t);
}

void
txn_retreat(struct txn *t)
{
    uint32_t n = t->parts_n;
    bool fetches = false;

    t->next = retreat_over;
    t->pending = n;
    for (uint32_t i = 0; i < n; i++) {
        t->pending += t->parts[i].obstacle != EXEC_DONE;
        fetches = fetches || t->parts[i].obstacle == EXEC_NEED;
    }
    t->attempts += fetches;
    txn_parts_call(t, retreat_run);
}

/* --- fetching with everything leased ---------------------------------------------------------------- */

/* A count may wait for a checkpoint, and that for the lease. */
bool
txn_can_fetch(const struct txn *t)
{
    bool any = false;

    for (uint32_t i = 0; i < t->parts_n; i++) {
        const struct txn_part *p = &t->parts[i];

        any = any || part_fetches(p);
        if (part_fetches(p) && p->need.kind != NEED_RANGE && p->need.kind != NEED_KEY &&
            p->need.kind != NEED_ROWS && p->need.kind != NEED_BYTES)
            return false;
    }
    return any && !t->widens;
}

static void
fetch_run(struct mesh_msg *m)
{
    struct txn_part *p = container_of(m, struct txn_part, msg);
    struct slice keys[NEED_KEYS_MAX];
    struct need need = part_need(p, keys);

    p->fetched.again = obstacle_gone;
    p->fetched.keeps_rows = true;
    p->fetched.holds_lease = true;
    load_start(p->sh->core, &need, &p->fetched);
    txn_part_reply(p);
}

void
txn_fetch(struct txn *t)
{
    uint32_t n = t->parts_n;

    t->next = txn_resume;
    t->pending = 0;
    for (uint32_t i = 0; i < n; i++)
        t->pending += 2 * part_fetches(&t->parts[i]);
    metrics_inc(&t->core->metrics, txn_fetches);
    for (uint32_t i = 0; i < n; i++)
        if (part_fetches(&t->parts[i]))
            txn_part_call(&t->parts[i], fetch_run);
}

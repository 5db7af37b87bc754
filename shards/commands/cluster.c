/* The cores as nodes of a cluster. With core-ports, core n also listens on port + 1 + n and owns the
 * slots of its shard, so a cluster-aware client reaches each key's core without a hop; any key still
 * works on any port, so MOVED is never needed. */
#include "shards/commands/handlers.h"
#include "shards/commands/walk_priv.h"

#include "shards/engine/keyspace.h"
#include "shards/engine/listener.h"
#include "shards/engine/session.h"
#include "shards/store/row.h"

#include <stdio.h>
#include <stdlib.h>

static bool
cluster_enabled(struct ctx *c)
{
    if (c->core->config.core_ports)
        return true;
    ctx_error(c, "ERR This instance has cluster support disabled");
    return false;
}

/* READONLY, READWRITE, ASKING: any connection may read and write any key at any time. */
void
cmd_cluster_state(struct ctx *c)
{
    if (cluster_enabled(c))
        resp_ok(c->out);
}

/* Slots of a core: the contiguous range that shard_slot_owner gives it. */
static void
core_slots(const struct ctx *c, uint32_t core, uint32_t *ret_first, uint32_t *ret_last)
{
    uint32_t n = c->core->ncores;

    *ret_first = (core * ROW_SLOTS + n - 1) / n;
    *ret_last = ((core + 1) * ROW_SLOTS + n - 1) / n - 1;
}

/* 40 hex digits, stable while the server runs. */
static void
core_node_id(const struct ctx *c, uint32_t core, char out[41])
{
    memcpy(out, c->core->node->run_id, 41);
    snprintf(out + 32, 9, "%08x", core);
}

static void
core_host(const struct ctx *c, char *out, size_t size)
{
    const char *local = c->session->local;
    const char *colon = strrchr(local, ':');
    size_t n = colon ? (size_t)(colon - local) : strlen(local);

    if (n > 1 && local[0] == '[') {
        local++;
        n -= 2;
    }
    snprintf(out, size, "%.*s", (int)n, local);
}

static unsigned
core_port(const struct ctx *c, uint32_t core)
{
    return (unsigned)c->core->config.port + 1 + core;
}

void
cmd_cluster_slots(struct ctx *c)
{
    char host[64], id[41];

    if (!cluster_enabled(c))
        return;
    core_host(c, host, sizeof(host));
    resp_array(c->out, c->core->ncores);
    for (uint32_t i = 0; i < c->core->ncores; i++) {
        uint32_t first, last;

        core_slots(c, i, &first, &last);
        core_node_id(c, i, id);
        resp_array(c->out, 3);
        resp_int(c->out, first);
        resp_int(c->out, last);
        resp_array(c->out, 4);
        resp_bulk(c->out, slice_of(host));
        resp_int(c->out, core_port(c, i));
        resp_bulk(c->out, slice_of(id));
        resp_array(c->out, 0);
    }
}

static void
write_shard_node(struct ctx *c, uint32_t core, const char *host)
{
    char id[41];

    core_node_id(c, core, id);
    resp_array(c->out, 1);
    resp_map(c->out, c->proto, 7);
    resp_bulk(c->out, SLICE("id"));
    resp_bulk(c->out, slice_of(id));
    resp_bulk(c->out, SLICE("port"));
    resp_int(c->out, core_port(c, core));
    resp_bulk(c->out, SLICE("ip"));
    resp_bulk(c->out, slice_of(host));
    resp_bulk(c->out, SLICE("endpoint"));
    resp_bulk(c->out, slice_of(host));
    resp_bulk(c->out, SLICE("role"));
    resp_bulk(c->out, SLICE("master"));
    resp_bulk(c->out, SLICE("replication-offset"));
    resp_int(c->out, 0);
    resp_bulk(c->out, SLICE("health"));
    resp_bulk(c->out, SLICE("online"));
}

void
cmd_cluster_shards(struct ctx *c)
{
    char host[64];

    if (!cluster_enabled(c))
        return;
    core_host(c, host, sizeof(host));
    resp_array(c->out, c->core->ncores);
    for (uint32_t i = 0; i < c->core->ncores; i++) {
        uint32_t first, last;

        core_slots(c, i, &first, &last);
        resp_map(c->out, c->proto, 2);
        resp_bulk(c->out, SLICE("slots"));
        resp_array(c->out, 2);
        resp_int(c->out, first);
        resp_int(c->out, last);
        resp_bulk(c->out, SLICE("nodes"));
        write_shard_node(c, i, host);
    }
}

/* The core whose port this connection came in on; its own core on the main port. */
static uint32_t
my_core(const struct ctx *c)
{
    const char *colon = strrchr(c->session->local, ':');
    unsigned port = colon ? (unsigned)atoi(colon + 1) : 0;

    return port > c->core->config.port ? port - (unsigned)c->core->config.port - 1 : c->core->id;
}

void
cmd_cluster_nodes(struct ctx *c)
{
    struct buf text = {0};
    char host[64], id[41];

    if (!cluster_enabled(c))
        return;
    core_host(c, host, sizeof(host));
    for (uint32_t i = 0; i < c->core->ncores; i++) {
        uint32_t first, last;

        core_slots(c, i, &first, &last);
        core_node_id(c, i, id);
        buf_printf(&text, "%s %s:%u@%u %smaster - 0 0 %u connected %u-%u\n", id, host,
                   core_port(c, i), core_port(c, i), i == my_core(c) ? "myself," : "", i + 1,
                   first, last);
    }
    resp_verbatim(c->out, c->proto, (struct slice){text.p, text.n});
    buf_fini(&text);
}

void
cmd_cluster_info_redis(struct ctx *c)
{
    struct buf text = {0};

    if (!cluster_enabled(c))
        return;
    buf_printf(&text,
               "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
               "cluster_slots_ok:16384\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
               "cluster_known_nodes:%u\r\ncluster_size:%u\r\ncluster_current_epoch:%u\r\n"
               "cluster_my_epoch:%u\r\n",
               c->core->ncores, c->core->ncores, c->core->ncores, my_core(c) + 1);
    resp_verbatim(c->out, c->proto, (struct slice){text.p, text.n});
    buf_fini(&text);
}

void
cmd_cluster_myid(struct ctx *c)
{
    char id[41];

    if (!cluster_enabled(c))
        return;
    core_node_id(c, my_core(c), id);
    resp_bulk(c->out, slice_of(id));
}

void
cmd_cluster_keyslot(struct ctx *c)
{
    resp_int(c->out, key_slot(c->argv[2]));
}

/* --- COUNTKEYSINSLOT ----------------------------------------------------------------------------------- */

struct slot_count {
    uint16_t slot;
    uint64_t keys;
};

static void
count_entry(void *arg, struct entry *e)
{
    struct slot_count *n = arg;

    n->keys += !(e->flags & ENTRY_TOMBSTONE) && key_slot(entry_key(e)) == n->slot;
}

static void
count_in_memory(const struct walk *w, struct slot_count *n)
{
    const struct head *h = &w->sh->db[w->c->db].head;
    uint64_t cursor = 0;

    do
        cursor = head_scan(h, cursor, count_entry, n);
    while (cursor != 0);
}

/* Rows whose keys are not in memory. False: ctx->need is set, or an error replied. */
static bool
count_in_store(struct walk *w, struct slot_count *n)
{
    const struct head *h = &w->sh->db[w->c->db].head;
    struct rows r;
    int rc;

    if (w->sh->db[w->c->db].hidden || !walk_store_has_more(w))
        return true;
    rows_open_shard(&r, w->sh, w->c->db, n->slot, n->slot);
    while (rows_next(&r))
        n->keys += head_find(h, head_hash(r.key), r.key) == NULL;
    rc = rows_close(&r);
    if (rc == -EAGAIN)
        return walk_need(w, n->slot, n->slot, UINT64_MAX);
    return rc == 0 || walk_failed(w);
}

void
cmd_cluster_countkeysinslot(struct ctx *c)
{
    struct walk w = {.c = c};
    struct slot_count n = {0};
    int64_t slot;

    if (!ctx_int(c, 2, &slot))
        return;
    if (slot < 0 || slot >= ROW_SLOTS) {
        ctx_error(c, "ERR Invalid slot");
        return;
    }
    n.slot = (uint16_t)slot;
    w.sh = c->sh ? c->sh : ctx_shard_at(c, shard_slot_owner(n.slot, c->core->ncores));
    if (!count_in_store(&w, &n) || c->probe)
        return;
    count_in_memory(&w, &n);
    resp_int(c->out, (int64_t)n.keys);
}

/* --- CLUSTER_INFO: ours ------------------------------------------------------------------------------------ */

static void
core_info(struct ctx *c, struct core *core, struct buf *text)
{
    const struct core_published *p = &core->published;
    uint32_t first, last, rings = 0;
    uint64_t keys = 0;

    core_slots(c, core->id, &first, &last);
    for (unsigned db = 0; db < SHARD_DBS; db++)
        keys += metrics_load(&p->keys[db]);
    for (uint32_t i = 0; i < c->core->ncores; i++)
        if (i != core->id)
            rings += mesh_depth(c->core->node->mesh, i, core->id);
    buf_printf(text,
               "core%u:cpu=%d,slots=%u-%u,keys=%llu,series=%llu,journal_lsn=%llu,durable_lsn=%llu,"
               "ring_depth=%u,journal=%s\r\n",
               core->id, core->reactor.opt.cpu, first, last, (unsigned long long)keys,
               (unsigned long long)metrics_load(&p->series),
               (unsigned long long)metrics_load(&p->journal_lsn),
               (unsigned long long)metrics_load(&p->durable_lsn), rings,
               atomic_load_explicit(&p->journal_state, memory_order_relaxed) == JOURNAL_OK
                   ? "ok"
                   : "refusing writes");
}

void
cmd_cluster_info(struct ctx *c)
{
    struct node *node = c->core->node;
    struct buf text = {0};
    bool ok = true;

    for (uint32_t i = 0; i < node->ncores; i++)
        ok = ok && atomic_load_explicit(&node->cores[i].published.journal_state,
                                        memory_order_relaxed) == JOURNAL_OK;
    buf_printf(&text, "state:%s\r\ncores:%u\r\n", ok ? "ok" : "degraded", node->ncores);
    for (uint32_t i = 0; i < node->ncores; i++)
        core_info(c, &node->cores[i], &text);
    resp_verbatim(c->out, c->proto, (struct slice){text.p, text.n});
    buf_fini(&text);
}

/* RENAME of a series that has rules, or is the destination of one: they go with it. What names the series
 * by its old name is said anew, at the other end of each rule. */
#include "shards/commands/ts_rule_priv.h"

#include "core/log.h"
#include "shards/engine/core.h"

#define LENGTH_BYTES_MAX 10 /* of a name, before it */

static const struct series_meta *
meta_of(const struct entry *e)
{
    return series_key_settings(entry_series(e));
}

static bool
is_linked(const struct entry *e)
{
    const struct series_meta *m = e->type == ENTRY_SERIES ? meta_of(e) : &series_meta_default;

    return m->rules_n > 0 || m->has_source;
}

/* The series whose rule writes to `k`; *ret_e NULL = there is none. False: ctx->need is set. */
static bool
source_finds(struct ctx *c, const struct key *k, const struct entry *e, struct key *ret_k,
             struct entry **ret_e)
{
    *ret_e = NULL;
    if (!meta_of(e)->has_source)
        return true;
    if (!ts_rule_peer(c, meta_of(e)->source, ret_k, ret_e))
        return false;
    if (*ret_e && series_meta_rule(meta_of(*ret_e), k->name) < 0)
        *ret_e = NULL;
    return true;
}

/* What follows in the transaction may write to the series by its new name, which nobody can ask for its rules
 * before. */
bool
ts_rules_rename_ready(struct ctx *c, const struct key *from, const struct entry *e)
{
    struct entry *peer;
    struct key peer_key;
    bool ready = true;

    if (!is_linked(e))
        return true;
    for (uint32_t i = 0; i < meta_of(e)->rules_n; i++)
        ready = rule_finds(c, from, &meta_of(e)->rules[i], &peer_key, &peer) && ready;
    if (c->probe && c->in_exec)
        ready = ts_rules_all_ready(c, from, e) && ready;
    return source_finds(c, from, e, &peer_key, &peer) && ready;
}

/* The same behind the point of no return; NULL as well, which is logged, where it cannot be read. */
static struct entry *
source_still_finds(struct ctx *c, const struct key *k, const struct entry *e, struct key *ret_k)
{
    bool was = c->reads_through, found;
    struct entry *source;

    c->reads_through = true;
    found = source_finds(c, k, e, ret_k, &source);
    c->reads_through = was;
    if (found)
        return source;
    ASSERT(c->need.kind != NEED_SHARD); /* its shard takes part */
    c->need.kind = NEED_NOTHING;      /* else the command would be run a second time */
    log_error("core %u: the source of series '%.*s' cannot be read", c->core->id,
              (int)MIN(k->name.n, 64), k->name.p);
    return NULL;
}

/* Has the other end room for the new name in place of the old one? */
static bool
has_room(struct ctx *c, const struct key *k, const struct entry *e, const struct key *from, struct slice to)
{
    struct series_meta m;

    key_series_meta(c, k, e, &m);
    if (series_meta_size(&m) + to.n + LENGTH_BYTES_MAX <= SERIES_META_BYTES_MAX + from->name.n)
        return true;
    resp_errorf(c->out, "ERR TSDB: labels and rules of a series can take at most %d bytes: with this name those of one "
                        "that it has a rule with would take more", (int)SERIES_META_BYTES_MAX);
    return false;
}

bool
ts_rules_rename_fits(struct ctx *c, const struct key *from, const struct entry *e, struct slice to)
{
    struct entry *peer;
    struct key peer_key;

    if (!is_linked(e))
        return true;
    for (uint32_t i = 0; i < meta_of(e)->rules_n; i++)
        if (rule_still_finds(c, from, &meta_of(e)->rules[i], &peer_key, &peer) && !has_room(c, &peer_key, peer, from, to))
            return false;
    peer = source_still_finds(c, from, e, &peer_key);
    return peer == NULL || has_room(c, &peer_key, peer, from, to);
}

/* The destination of a rule gets its source's new name. */
static void
tell_destination(struct ctx *c, struct key *k, struct entry *e, struct slice source)
{
    struct series_meta m;

    key_series_meta(c, k, e, &m);
    m.source = source;
    key_set_series_meta(c, k, e, &m);
}

/* The rule of `old` writes to `name`. One that wrote there before is void: that series is gone. */
static void
tell_source(struct ctx *c, struct key *k, struct entry *e, struct slice old, struct slice name)
{
    struct series_rule *rules;
    struct series_meta m;
    uint32_t n = 0;

    key_series_meta(c, k, e, &m);
    rules = scratch_alloc(&c->core->scratch, m.rules_n * sizeof(*rules));
    for (uint32_t i = 0; i < m.rules_n; i++) {
        if (slice_equal(m.rules[i].to, name))
            continue;
        rules[n] = m.rules[i];
        if (slice_equal(rules[n].to, old))
            rules[n].to = name;
        n++;
    }
    m.rules = rules;
    m.rules_n = n;
    key_set_series_meta(c, k, e, &m);
}

/* The rules of `from` that live on, their destinations told; `to` was none of them, or is gone. */
static uint32_t
move_rules(struct ctx *c, const struct key *from, const struct entry *e, const struct key *to,
           struct series_rule *rules)
{
    const struct series_meta *m = meta_of(e);
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *peer;
        struct key peer_key;

        if (slice_equal(m->rules[i].to, to->name) ||
            !rule_still_finds(c, from, &m->rules[i], &peer_key, &peer))
            continue;
        tell_destination(c, &peer_key, peer, to->name);
        rules[n++] = m->rules[i];
    }
    return n;
}

void
ts_rules_renamed(struct ctx *c, const struct key *from, const struct entry *e, struct key *to)
{
    struct entry *made, *peer;
    struct series_rule *rules;
    struct series_meta m;
    struct key peer_key;
    uint32_t rules_n;

    if (!is_linked(e))
        return;
    rules = scratch_alloc(&c->core->scratch, meta_of(e)->rules_n * sizeof(*rules));
    rules_n = move_rules(c, from, e, to, rules);
    peer = source_still_finds(c, from, e, &peer_key);
    if (peer && slice_equal(peer_key.name, to->name))
        peer = NULL;
    if (peer)
        tell_source(c, &peer_key, peer, from->name, to->name);
    made = head_find(to->head, to->hash, to->name);
    key_series_meta(c, to, made, &m);
    m.rules = rules;
    m.rules_n = rules_n;
    m.has_source = peer != NULL;
    m.source = peer ? peer_key.name : (struct slice){NULL, 0};
    if (rules_n > 0 || peer)
        key_set_series_meta(c, to, made, &m);
}

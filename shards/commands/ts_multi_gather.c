/* Reading the series of one shard that a filter finds. See ts_multi.h.
 *
 * The keys are copied from the index and sorted first (label_scan.h). What has become of a series
 * meanwhile is seen when its turn comes: one that is gone, or does not fit the filter any more, is
 * passed over. */
#include "shards/commands/ts_multi_latest.h"

#include "shards/engine/core.h"
#include "shards/engine/exec.h"
#include "shards/labels/labels.h"

#include <stdlib.h>

#define RANGES_AHEAD 32 /* series whose blocks are fetched together */
#define ASK_AHEAD 8192  /* series among which open buckets are looked for together */
#define CLOCK_EVERY 16  /* newest points between two looks at the clock */

/* --- labels ------------------------------------------------------------------------------------ */

void
ts_put_labels_head(struct buf *out, int proto, uint32_t n)
{
    if (proto >= 3)
        resp_map(out, proto, n);
    else
        resp_array(out, n);
}

void
ts_put_label(struct buf *out, int proto, struct slice name, struct slice value)
{
    if (proto < 3)
        resp_array(out, 2);
    resp_bulk(out, name);
    if (value.p)
        resp_bulk(out, value);
    else
        resp_null(out, proto);
}

static void
put_labels(struct buf *out, int proto, const struct labels *x, uint32_t id,
           const struct ts_multi *m)
{
    uint32_t n = m->with == TS_LABELS_ALL ? labels_of(x, id) : m->selected_n;

    ts_put_labels_head(out, proto, n);
    for (uint32_t i = 0; i < n; i++) {
        struct series_label l = {.name = m->with == TS_LABELS_ALL ? SLICE("") : m->selected[i]};

        if (m->with == TS_LABELS_ALL)
            l = labels_at(x, id, i);
        else
            labels_value(x, id, l.name, &l.value);
        ts_put_label(out, proto, l.name, l.value);
    }
}

/* RESP3: which functions the columns are. */
static void
put_functions(struct buf *out, const struct ts_range *r)
{
    uint32_t n = r->columns_n ? r->columns[0].n : 0;

    resp_map(out, 3, 1);
    resp_bulk(out, SLICE("aggregators"));
    resp_array(out, n);
    for (uint32_t i = 0; i < n; i++)
        resp_bulk(out, slice_of(aggregate_name(r->columns[0].fn[i], false)));
}

/* --- needs ------------------------------------------------------------------------------------- */

static struct slice
keep(struct ctx *c, struct slice s)
{
    char *p = scratch_alloc(&c->core->scratch, s.n + 1);

    memcpy(p, s.p, s.n);
    return (struct slice){p, s.n};
}

/* May something be fetched for later series as well? Not when this one was waited for before: what came
 * for the others then displaced what it needs. */
static bool
look_ahead(struct ts_gather *g)
{
    bool ahead = g->waited != g->done + 1;

    g->waited = g->done + 1;
    return ahead;
}

/* The next key is not in memory: with it those of the next ones that are not. */
static void
need_keys(struct ts_gather *g, struct ctx *c, struct shard *sh)
{
    uint32_t max = look_ahead(g) ? NEED_KEYS_MAX : 1, n = 0;
    struct slice *missing = scratch_alloc(&c->core->scratch, max * sizeof(*missing));

    missing[n++] = keep(c, label_list_at(&g->found.list, g->done));
    for (uint32_t i = g->done + 1; i < g->found.list.n && n < max; i++) {
        struct slice key = label_list_at(&g->found.list, i);

        if (!load_key_now(sh, c->db, key, head_hash(key)))
            missing[n++] = keep(c, key);
    }
    c->need = (struct need){.kind = NEED_KEY, .sh = sh, .db = c->db, .key = missing[0],
                            .more = missing + 1, .more_n = n - 1};
}

/* Something of the next key is missing, or of the source of its open bucket. Are it blocks of its
 * own, those of the next ones in that time are probably missing as well. */
static void
need_more(struct ts_gather *g, struct ctx *c)
{
    bool own = c->need.kind == NEED_RANGE &&
               slice_equal(c->need.key, label_list_at(&g->found.list, g->done));
    uint32_t more = look_ahead(g) && own ? RANGES_AHEAD : 0;
    struct need need = c->need;

    for (struct need *n = &c->need; n; n = n->kind == NEED_RANGE ? n->next : NULL)
        n->key = keep(c, n->key);
    for (uint32_t i = g->done + 1; i < g->found.list.n && more > 0; i++, more--) {
        need.key = keep(c, label_list_at(&g->found.list, i));
        ctx_need_range(c, &need);
    }
}

/* --- one series -------------------------------------------------------------------------------- */

struct reading {
    struct ts_gather *g;
    struct ctx *c;
    struct shard *sh;
    const struct labels *labels;
    const struct ts_multi *m;
    uint64_t until_ns; /* when it must stop, be it within a series; UINT64_MAX: it reads each to its end */
};

/* With the next series, some behind it whose open buckets have to be asked for as well. What is
 * not in memory is passed over: its turn comes. */
static enum ts_gathered
ask(struct reading *x)
{
    struct ts_gather *g = x->g;

    ts_questions_clear(&g->questions);
    for (uint32_t i = g->done; i < g->found.list.n && i - g->done < ASK_AHEAD; i++) {
        struct slice name = label_list_at(&g->found.list, i);
        struct entry *e = head_find(&x->sh->db[x->c->db].head, head_hash(name), name);

        if (e && e->type == ENTRY_SERIES && !(e->flags & ENTRY_TOMBSTONE) && ts_is_foreign(x->c, e) &&
            !ts_questions_add(&g->questions, name, series_key_settings(entry_series(e))->source))
            break;
    }
    return TS_GATHER_ASK;
}

static enum ts_gathered
fail(struct reading *x, int rc)
{
    if (rc == -EINPROGRESS)
        return TS_GATHER_MORE;
    if (rc == -EAGAIN) {
        need_more(x->g, x->c);
        return TS_GATHER_NEED;
    }
    if (rc == -EBUSY)
        resp_errorf(x->c->out, "ERR what '%s' needs from disk does not stay in the block cache "
                               "(store-block-cache-bytes): ask for less at once", x->c->cmd->name);
    else
        ctx_error(x->c, ts_range_error(rc));
    return TS_GATHER_FAILED;
}

/* The open bucket, where the source is another core's: TS_GATHER_DONE, *ret_open NULL = it is not. */
static enum ts_gathered
find_open(struct reading *x, struct slice name, const struct entry *e, struct ts_open *open,
          const struct ts_open **ret_open)
{
    const struct ts_question *q;

    *ret_open = NULL;
    if (!x->m->latest || !ts_is_foreign(x->c, e))
        return TS_GATHER_DONE;
    q = ts_questions_find(&x->g->questions, name, series_key_settings(entry_series(e))->source);
    if (q == NULL)
        return ask(x);
    if (q->rc < 0)
        return fail(x, q->rc);
    *open = (struct ts_open){.has = q->rc == 1, .sample = q->sample};
    *ret_open = open;
    return TS_GATHER_DONE;
}

static enum ts_gathered
add_newest(struct reading *x, const struct key *k, uint32_t id, const struct entry *e,
           const struct ts_open *open)
{
    struct sample last;
    struct buf *out;
    int rc = ts_rule_newest(x->c, k, e, x->m->latest, open, &last);

    if (rc < 0)
        return fail(x, rc);
    out = &ts_part_add(&x->g->part, k->name)->bytes;
    put_labels(out, x->c->proto, x->labels, id, x->m);
    if (rc == 1) {
        resp_array(out, 2);
        resp_int(out, last.ts);
        resp_sample_value(out, x->c->proto, last.value);
    } else {
        resp_array(out, 0);
    }
    ts_part_close(&x->g->part, x->c->proto, NULL);
    return TS_GATHER_DONE;
}

/* The rows stay a table: they are reduced with those of others. */
static void
add_to_group(struct reading *x, struct slice key, struct slice group, struct series_table *t)
{
    struct ts_page *g = ts_part_add(&x->g->part, key);
    struct ts_item *it = ts_page_last(g);

    it->group = (uint32_t)g->bytes.n;
    it->group_n = (uint32_t)group.n;
    buf_append(&g->bytes, group.p, group.n);
    ts_part_keep_rows(&x->g->part, t);
}

static void
add_rows(struct reading *x, struct slice key, uint32_t id, struct series_table *t)
{
    struct buf *out = &ts_part_add(&x->g->part, key)->bytes;

    put_labels(out, x->c->proto, x->labels, id, x->m);
    if (x->c->proto >= 3)
        put_functions(out, &x->m->r);
    ts_part_close(&x->g->part, x->c->proto, t);
}

/* RedisTimeSeries groups what it read forward, also for TS.MREVRANGE: sums depend on it in their last
 * digit. With a COUNT reading stops where it is reached, from the newest on. */
static int
read_member(struct reading *x, const struct key *k, const struct entry *e,
            const struct ts_open *open)
{
    struct ts_range r = x->m->r;
    bool turn = x->m->grouped && r.reverse && r.columns_n && r.count == UINT64_MAX;
    int rc;

    r.reverse = r.reverse && !turn;
    r.count_times = x->m->grouped && !r.columns_n && r.count < UINT64_MAX;
    r.latest = r.latest && series_key_settings(entry_series(e))->has_source; /* or it is not sliced */
    r.open = open;
    rc = ts_watched_go(&x->g->next, x->c, k, e, &r, r.latest ? UINT64_MAX : x->until_ns);
    if (rc == 0 && turn)
        series_table_reverse(&x->g->next.rows);
    return rc;
}

static enum ts_gathered
read_range(struct reading *x, const struct key *k, uint32_t id, const struct entry *e,
           const struct ts_open *open)
{
    struct series_table *t = &x->g->next.rows;
    struct slice group;
    int rc;

    if (x->m->grouped && !labels_value(x->labels, id, x->m->group_by, &group))
        return TS_GATHER_DONE;
    rc = read_member(x, k, e, open);
    if (rc < 0)
        return fail(x, rc);
    x->c->core->points_read += t->n;
    if (x->m->grouped)
        add_to_group(x, k->name, group, t);
    else if (!(x->m->exclude_empty && t->n == 0))
        add_rows(x, k->name, id, t);
    return TS_GATHER_DONE;
}

static enum ts_gathered
read_series(struct reading *x, struct slice name)
{
    const struct ts_open *open;
    uint64_t hash = head_hash(name);
    enum ts_gathered r;
    struct ts_open found;
    struct entry *e;
    struct key k;
    uint32_t id;

    if (!load_key_now(x->sh, x->c->db, name, hash)) {
        need_keys(x->g, x->c, x->sh);
        return TS_GATHER_NEED;
    }
    k = key_open(x->c, name);
    e = key_find(x->c, &k);
    if (e == NULL || e->type != ENTRY_SERIES || x->labels == NULL ||
        !labels_find(x->labels, name, hash, &id) ||
        !label_scan_still_fits(&x->g->found, x->labels, id, x->m->filter))
        return TS_GATHER_DONE;
    r = find_open(x, name, e, &found, &open);
    if (r != TS_GATHER_DONE)
        return r;
    return x->m->is_range ? read_range(x, &k, id, e, open) : add_newest(x, &k, id, e, open);
}

/* --- all of them ------------------------------------------------------------------------------- */

/* What is over although nobody has removed it yet is left out of lists; what only the store has is
 * not looked up. */
static bool
is_live(void *arg, struct slice key)
{
    const struct reading *x = arg;
    const struct head *h = &x->sh->db[x->c->db].head;
    const struct entry *e = head_find(h, head_hash(key), key);

    return e == NULL || entry_expire(e) == 0 || entry_expire(e) > ctx_now_ms(x->c);
}

static struct label_ask
ask_of(struct reading *x)
{
    bool looks = x->m->is_list && x->sh->db[x->c->db].head.expires > 0;

    return (struct label_ask){.of = x->m->of,
                              .name = x->m->name,
                              .filter = x->m->filter,
                              .series_max = TS_HITS_MAX,
                              .bytes_max = x->c->core->limits.list_bytes,
                              .is_live = looks ? is_live : NULL,
                              .arg = x};
}

static enum ts_gathered
too_much(struct ctx *c, uint64_t limit)
{
    ts_multi_too_much(c->out, limit, "a core finds", "give a COUNT, a longer bucket or");
    return TS_GATHER_FAILED;
}

/* Looks into the index. */
static enum ts_gathered
list_on(struct reading *x, uint64_t until_ns)
{
    struct ts_gather *g = x->g;
    struct label_ask ask = ask_of(x);
    char err[LABEL_FILTER_ERROR_BYTES];

    if (!g->begun && label_scan_begin(&g->found, x->labels, &ask, err) < 0) {
        ctx_error(x->c, err);
        return TS_GATHER_FAILED;
    }
    g->begun = true;
    g->listed = label_scan_step(&g->found, x->labels, &ask, until_ns);
    if (g->listed && g->found.too_long)
        return too_much(x->c, ask.bytes_max);
    return g->listed ? TS_GATHER_DONE : TS_GATHER_MORE;
}

static enum ts_gathered
read_on(struct reading *x, uint64_t until_ns)
{
    struct ts_gather *g = x->g;

    while (g->done < g->found.list.n) {
        enum ts_gathered r = read_series(x, label_list_at(&g->found.list, g->done));

        if (r != TS_GATHER_DONE)
            return r;
        if (x->m->is_range)
            ts_watched_drop(&g->next, x->sh);
        g->done++;
        if (ts_part_bytes(&g->part) > x->c->core->limits.multi_bytes)
            return too_much(x->c, x->c->core->limits.multi_bytes);
        if ((x->m->is_range || g->done % CLOCK_EVERY == 0) &&
            slices_time_is_over(x->c, until_ns, 0))
            return TS_GATHER_MORE;
    }
    return TS_GATHER_DONE;
}

/* The list is all there is to be said. */
static enum ts_gathered
take_list(struct ts_gather *g)
{
    g->part.list = g->found.list;
    g->found.list = (struct label_list){0};
    return TS_GATHER_DONE;
}

enum ts_gathered
ts_gather_step(struct ts_gather *g, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    enum ts_gathered r = TS_GATHER_DONE;
    struct reading x;
    struct ts_multi m;

    if (!ts_multi_parse(c, &m))
        return TS_GATHER_FAILED;
    x = (struct reading){g, c, sh, sh->db[c->db].labels, &m, c->in_exec ? UINT64_MAX : until_ns};
    ctx_hold_newest(c, sh);
    if (!g->listed)
        r = list_on(&x, until_ns);
    if (r == TS_GATHER_DONE)
        r = m.is_list ? take_list(g) : read_on(&x, until_ns);
    ts_multi_fini(&m);
    return r;
}

void
ts_gather_leave(struct ts_gather *g, struct shard *sh)
{
    ts_watched_drop(&g->next, sh);
}

void
ts_gather_fini(struct ts_gather *g)
{
    ASSERT(g->next.watcher == 0);
    label_scan_fini(&g->found);
    ts_questions_fini(&g->questions);
    ts_part_fini(&g->part);
}

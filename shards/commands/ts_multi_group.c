/* GROUPBY: the series that bear the same value of a label become one, whose row at each time is the
 * reducer's value of theirs.
 *
 * Groups are in byte order of the value. Their rows are merged by time with a heap, of equal times
 * the series with the lower key first: sums depend on the order, in their last digits. */
#include "shards/commands/ts_multi.h"

#include <math.h>
#include <stdlib.h>

/* One series of a group, and how far it is merged. */
struct member {
    const struct ts_part *part;
    const struct ts_item *item;
    uint32_t at;
};

static int
compare_bytes(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, MIN(a.n, b.n));

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int
compare_members(const void *pa, const void *pb)
{
    const struct member *a = pa, *b = pb;
    int c = compare_bytes(ts_item_group(a->part, a->item), ts_item_group(b->part, b->item));

    return c ? c : compare_bytes(ts_item_key(a->part, a->item), ts_item_key(b->part, b->item));
}

/* --- merging by time --------------------------------------------------------------------------- */

/* A heap of places in `m`: the next row on top. */
struct merge {
    struct member *m;
    uint32_t *heap, n;
    bool reverse;
};

static int64_t
time_of(const struct merge *g, uint32_t i)
{
    return g->m[i].item->t.ts[g->m[i].at];
}

static bool
comes_before(const struct merge *g, uint32_t a, uint32_t b)
{
    int64_t x = time_of(g, a), y = time_of(g, b);

    if (x != y)
        return g->reverse ? x > y : x < y;
    return a < b;
}

static void
sift_down(struct merge *g, uint32_t at)
{
    uint32_t i = g->heap[at], child;

    for (; (child = 2 * at + 1) < g->n; at = child) {
        if (child + 1 < g->n && comes_before(g, g->heap[child + 1], g->heap[child]))
            child++;
        if (comes_before(g, i, g->heap[child]))
            break;
        g->heap[at] = g->heap[child];
    }
    g->heap[at] = i;
}

static void
merge_begin(struct merge *g, struct member *m, uint32_t n, bool reverse)
{
    *g = (struct merge){.m = m, .heap = malloc((n + 1) * sizeof(*g->heap)), .reverse = reverse};
    ASSERT(g->heap);
    for (uint32_t i = 0; i < n; i++)
        if (m[i].item->t.n > 0)
            g->heap[g->n++] = i;
    for (uint32_t i = g->n / 2; i-- > 0;)
        sift_down(g, i);
}

/* The next row's time and value. False: there is none. */
static bool
merge_next(struct merge *g, int64_t *ret_ts, double *ret_v)
{
    struct member *m;

    if (g->n == 0)
        return false;
    m = &g->m[g->heap[0]];
    *ret_ts = m->item->t.ts[m->at];
    *ret_v = m->item->t.v[m->at];
    if (++m->at == m->item->t.n)
        g->heap[0] = g->heap[--g->n];
    if (g->n > 0)
        sift_down(g, 0);
    return true;
}

/* Unlike an empty bucket, a time at which the group has only NaN has no sum. */
static double
reduced(const struct sums *s, enum aggregate fn)
{
    return fn == AGGREGATE_SUM && s->n == 0 ? NAN : sums_value(s, fn);
}

static void
reduce(const struct ts_multi *m, struct member *members, uint32_t n, struct series_table *t)
{
    struct merge g;
    struct sums s;
    int64_t ts, at;
    double v;
    bool any;

    merge_begin(&g, members, n, m->r.reverse);
    any = merge_next(&g, &ts, &v);
    while (any && t->n < m->r.count) {
        at = ts;
        for (s = sums_none; any && ts == at; any = merge_next(&g, &ts, &v))
            sums_add(&s, v);
        *series_table_push(t, at) = reduced(&s, m->reducer);
    }
    free(g.heap);
}

/* --- text -------------------------------------------------------------------------------------- */

/* The keys, with commas between them. */
static void
join_sources(struct buf *out, const struct member *m, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct slice key = ts_item_key(m[i].part, m[i].item);

        if (i > 0)
            buf_append_lit(out, ",");
        buf_append(out, key.p, key.n);
    }
}

static void
put_group_label(struct buf *out, int proto, struct slice name, const struct series_label *l,
                uint32_t n)
{
    struct slice value = {0};

    for (uint32_t i = 0; i < n && value.p == NULL; i++)
        if (slice_equal(l[i].name, name))
            value = l[i].value;
    ts_put_label(out, proto, name, value);
}

/* The label of the group; in RESP2 also the reducer and the keys. */
static void
put_labels(struct buf *out, int proto, const struct ts_multi *m, const struct member *members,
           uint32_t n)
{
    struct buf sources = {0};
    struct series_label l[3] = {{m->group_by, ts_item_group(members->part, members->item)}};
    uint32_t have = proto < 3 ? 3 : 1;
    uint32_t shown = m->with == TS_LABELS_ALL ? have : m->selected_n;

    if (proto < 3 && m->with != TS_LABELS_NONE)
        join_sources(&sources, members, n);
    l[1] = (struct series_label){SLICE("__reducer__"), slice_of(aggregate_name(m->reducer, false))};
    l[2] = (struct series_label){SLICE("__source__"), {sources.p, sources.n}};
    ts_put_labels_head(out, proto, shown);
    for (uint32_t i = 0; i < shown; i++)
        put_group_label(out, proto, m->with == TS_LABELS_ALL ? l[i].name : m->selected[i], l, have);
    buf_fini(&sources);
}

/* RESP3: the reducer and the keys. */
static void
put_origin(struct buf *out, const struct ts_multi *m, const struct member *members, uint32_t n)
{
    resp_map(out, 3, 1);
    resp_bulk(out, SLICE("reducers"));
    resp_array(out, 1);
    resp_bulk(out, slice_of(aggregate_name(m->reducer, false)));
    resp_map(out, 3, 1);
    resp_bulk(out, SLICE("sources"));
    resp_array(out, n);
    for (uint32_t i = 0; i < n; i++)
        resp_bulk(out, ts_item_key(members[i].part, members[i].item));
}

static void
add_group(struct ts_part *p, int proto, const struct ts_multi *m, struct member *members,
          uint32_t n)
{
    struct slice group = ts_item_group(members->part, members->item);
    struct series_table t = {.cols = 1};
    struct buf name = {0};
    struct ts_item *it;

    buf_append(&name, m->group_by.p, m->group_by.n);
    buf_append_lit(&name, "=");
    buf_append(&name, group.p, group.n);
    it = ts_part_add(p, (struct slice){name.p, name.n});
    buf_fini(&name);
    put_labels(&p->bytes, proto, m, members, n);
    if (proto >= 3)
        put_origin(&p->bytes, m, members, n);
    reduce(m, members, n, &t);
    ts_part_close(p, it, proto, &t);
    series_table_fini(&t);
}

/* --- the whole --------------------------------------------------------------------------------- */

/* NULL: more rows than may be reduced. */
static struct member *
collect(struct ts_part *parts, uint32_t n, uint32_t *ret_n)
{
    uint64_t rows = 0, items = 0;
    struct member *m;

    for (uint32_t i = 0; i < n; i++)
        items += parts[i].n;
    m = malloc((items + 1) * sizeof(*m));
    ASSERT(m);
    *ret_n = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < parts[i].n; k++) {
            m[(*ret_n)++] = (struct member){.part = &parts[i], .item = &parts[i].items[k]};
            rows += parts[i].items[k].t.n;
        }
    if (rows <= TS_MULTI_GROUP_ROWS_MAX)
        return m;
    free(m);
    return NULL;
}

bool
ts_multi_group(const struct ts_multi *m, int proto, struct ts_part *parts, uint32_t n,
               struct ts_part *ret_part)
{
    uint32_t members_n, from, to;
    struct member *members = collect(parts, n, &members_n);

    if (members == NULL)
        return false;
    qsort(members, members_n, sizeof(*members), compare_members);
    for (from = 0; from < members_n; from = to) {
        struct slice group = ts_item_group(members[from].part, members[from].item);

        for (to = from + 1; to < members_n; to++)
            if (!slice_equal(ts_item_group(members[to].part, members[to].item), group))
                break;
        add_group(ret_part, proto, m, members + from, to - from);
    }
    free(members);
    return true;
}

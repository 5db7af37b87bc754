/* GROUPBY: the series that bear the same value of a label become one, whose row at each time is the
 * reducer's value of theirs.
 *
 * Groups are in byte order of the value. Their rows are merged by time with a heap, of equal times
 * the series with the lower key first: sums depend on the order, in their last digits.
 *
 * Four million rows take half a second: all this goes in steps (ts_grouping_step). */
#include "shards/commands/ts_multi.h"

#include "core/clock.h"
#include "core/sort_steps.h"

#include <math.h>
#include <stdlib.h>

/* One series of a group, and how far it is merged. */
struct member {
    const struct ts_page *page;
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
compare_members(const void *pa, const void *pb, void *arg)
{
    const struct member *a = pa, *b = pb;
    int c = compare_bytes(ts_item_group(a->page, a->item), ts_item_group(b->page, b->item));

    return c ? c : compare_bytes(ts_item_key(a->page, a->item), ts_item_key(b->page, b->item));
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

/* Then the heap's places from n / 2 down are sifted. */
static void
merge_begin(struct merge *g, struct member *m, uint32_t n, bool reverse)
{
    *g = (struct merge){.m = m, .heap = malloc((n + 1) * sizeof(*g->heap)), .reverse = reverse};
    ASSERT(g->heap);
    for (uint32_t i = 0; i < n; i++)
        if (m[i].item->t.n > 0)
            g->heap[g->n++] = i;
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

/* --- text -------------------------------------------------------------------------------------- */

/* The keys, with commas between them. */
static void
join_sources(struct buf *out, const struct member *m, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct slice key = ts_item_key(m[i].page, m[i].item);

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
    struct series_label l[3] = {{m->group_by, ts_item_group(members->page, members->item)}};
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
        resp_bulk(out, ts_item_key(members[i].page, members[i].item));
}

/* --- the whole --------------------------------------------------------------------------------- */

#define ITEMS_AT_ONCE 1024 /* members or rows between two looks at the clock */

enum grouping_stage {
    GROUPING_COLLECT,
    GROUPING_SORT,
    GROUPING_FIND, /* where the members of the next group end */
    GROUPING_HEAP,
    GROUPING_ROWS,
    GROUPING_DONE,
};

struct ts_grouping {
    enum grouping_stage stage;
    const struct ts_part *parts;
    uint32_t parts_n, part; /* whose items are collected; and where that stands: */
    struct ts_place at;
    struct sort_steps sort;
    struct member *members;
    uint32_t n, from, to; /* members of this group: from up to to */
    struct merge merge;
    uint32_t sifted;       /* places of the heap behind are in order */
    bool has_row;          /* of which all so far is in sums */
    int64_t row_ts;
    struct sums sums;
    struct series_table t; /* the group's rows */
};

struct ts_grouping *
ts_grouping_create(const struct ts_part *parts, uint32_t n)
{
    struct ts_grouping *g;
    uint64_t rows = 0, items = 0;

    for (uint32_t i = 0; i < n; i++) {
        items += parts[i].n;
        rows += parts[i].rows;
    }
    if (rows > TS_MULTI_GROUP_ROWS_MAX)
        return NULL;
    g = calloc(1, sizeof(*g));
    ASSERT(g);
    g->parts = parts;
    g->parts_n = n;
    g->t.cols = 1;
    g->members = malloc((items + 1) * sizeof(*g->members));
    ASSERT(g->members);
    return g;
}

void
ts_grouping_destroy(struct ts_grouping **g)
{
    if (!*g)
        return;
    if ((*g)->stage == GROUPING_COLLECT)
        free((*g)->members);
    sort_steps_fini(&(*g)->sort);
    free((*g)->merge.heap);
    series_table_fini(&(*g)->t);
    free(*g);
    *g = NULL;
}

static void
collect(struct ts_grouping *g)
{
    for (uint32_t i = 0; i < ITEMS_AT_ONCE && g->part < g->parts_n; i++) {
        const struct ts_part *p = &g->parts[g->part];

        if (!ts_place_is_there(p, g->at)) {
            g->part++;
            g->at = (struct ts_place){0};
            continue;
        }
        g->members[g->n++] = (struct member){.page = &p->pages[g->at.page],
                                             .item = &p->pages[g->at.page].items[g->at.item]};
        ts_place_next(p, &g->at);
    }
    if (g->part < g->parts_n)
        return;
    sort_steps_begin(&g->sort, g->members, g->n, sizeof(*g->members), compare_members, NULL);
    g->stage = GROUPING_SORT;
}

static void
sort(struct ts_grouping *g)
{
    if (!sort_steps_step(&g->sort))
        return;
    g->members = (struct member *)g->sort.items;
    g->stage = g->n ? GROUPING_FIND : GROUPING_DONE;
}

/* The group up to its rows. */
static void
begin_group(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    struct member *members = g->members + g->from;
    struct slice group = ts_item_group(members->page, members->item);
    uint32_t n = g->to - g->from;
    struct buf name = {0}, *out;

    buf_append(&name, m->group_by.p, m->group_by.n);
    buf_append_lit(&name, "=");
    buf_append(&name, group.p, group.n);
    out = &ts_part_add(p, (struct slice){name.p, name.n})->bytes;
    buf_fini(&name);
    put_labels(out, proto, m, members, n);
    if (proto >= 3)
        put_origin(out, m, members, n);
    merge_begin(&g->merge, members, n, m->r.reverse);
    g->sifted = g->merge.n / 2;
    g->stage = GROUPING_HEAP;
}

static void
find_group(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    struct slice group = ts_item_group(g->members[g->from].page, g->members[g->from].item);

    for (uint32_t i = 0; i < ITEMS_AT_ONCE && g->to < g->n; i++, g->to++)
        if (!slice_equal(ts_item_group(g->members[g->to].page, g->members[g->to].item), group)) {
            begin_group(g, m, proto, p);
            return;
        }
    if (g->to == g->n)
        begin_group(g, m, proto, p);
}

static void
end_group(struct ts_grouping *g, int proto, struct ts_part *p)
{
    ts_part_close(p, proto, &g->t);
    series_table_fini(&g->t);
    free(g->merge.heap);
    g->merge = (struct merge){0};
    g->from = g->to;
    g->stage = g->from < g->n ? GROUPING_FIND : GROUPING_DONE;
}

static void
sift(struct ts_grouping *g)
{
    for (uint32_t i = 0; i < ITEMS_AT_ONCE && g->sifted > 0; i++)
        sift_down(&g->merge, --g->sifted);
    if (g->sifted == 0)
        g->stage = GROUPING_ROWS;
}

static void
end_row(struct ts_grouping *g, const struct ts_multi *m)
{
    if (g->has_row)
        *series_table_push(&g->t, g->row_ts) = reduced(&g->sums, m->reducer);
    g->has_row = false;
}

static void
add_rows(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    for (uint32_t i = 0; i < ITEMS_AT_ONCE; i++) {
        int64_t ts;
        double v;
        bool any = merge_next(&g->merge, &ts, &v);

        if (!any || (g->has_row && ts != g->row_ts))
            end_row(g, m);
        if (!any || g->t.n >= m->r.count) {
            end_group(g, proto, p);
            return;
        }
        if (!g->has_row)
            g->sums = sums_none;
        g->has_row = true;
        g->row_ts = ts;
        sums_add(&g->sums, v);
    }
}

bool
ts_grouping_step(struct ts_grouping *g, const struct ts_multi *m, int proto,
                 struct ts_part *ret_part, uint64_t until_ns)
{
    while (g->stage != GROUPING_DONE) {
        if (g->stage == GROUPING_COLLECT)
            collect(g);
        else if (g->stage == GROUPING_SORT)
            sort(g);
        else if (g->stage == GROUPING_FIND)
            find_group(g, m, proto, ret_part);
        else if (g->stage == GROUPING_HEAP)
            sift(g);
        else
            add_rows(g, m, proto, ret_part);
        if (g->stage != GROUPING_DONE && clock_now_ns() > until_ns)
            return false;
    }
    return true;
}

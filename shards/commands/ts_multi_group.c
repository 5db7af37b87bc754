/* GROUPBY: the series that bear the same value of a label become one, whose row at each time is the
 * reducer's value of theirs.
 *
 * Groups are in byte order of the value. Their rows are merged by time with a heap, of equal times
 * the series with the lower key first: sums depend on the order, in their last digits.
 *
 * Four million rows take half a second: all this goes in steps (ts_grouping_step). */
#include "shards/commands/ts_group_text.h"

#include "core/clock.h"
#include "core/sort_steps.h"

#include <math.h>
#include <stdlib.h>

static int
compare_bytes(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, MIN(a.n, b.n));

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int
compare_members(const void *pa, const void *pb, void *arg)
{
    const struct group_member *a = pa, *b = pb;
    int c = compare_bytes(ts_item_group(a->page, a->item), ts_item_group(b->page, b->item));

    return c ? c : compare_bytes(ts_item_key(a->page, a->item), ts_item_key(b->page, b->item));
}

/* --- merging by time --------------------------------------------------------------------------- */

/* A heap of places in `m`: the next row on top. */
struct merge {
    struct group_member *m;
    uint32_t *heap, n;
    uint32_t looked_at; /* of m: they are in the heap if they have rows */
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

/* Then they are looked at, and the heap's places from n / 2 down are sifted. */
static void
merge_begin(struct merge *g, struct group_member *m, uint32_t n, bool reverse)
{
    *g = (struct merge){.m = m, .heap = malloc((n + 1) * sizeof(*g->heap)), .reverse = reverse};
    ASSERT(g->heap);
}

static void
merge_look_at_next(struct merge *g)
{
    if (g->m[g->looked_at].item->t.n > 0)
        g->heap[g->n++] = g->looked_at;
    g->looked_at++;
}

/* The next row's time and value. False: there is none. */
static bool
merge_next(struct merge *g, int64_t *ret_ts, double *ret_v)
{
    struct group_member *m;

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

/* --- the whole --------------------------------------------------------------------------------- */

#define ITEMS_AT_ONCE 1024 /* members or rows between two looks at the clock */

enum grouping_stage {
    GROUPING_COLLECT,
    GROUPING_SORT,
    GROUPING_FIND, /* where the members of the next group end */
    GROUPING_TEXT, /* of the group up to its rows */
    GROUPING_COLLECT_ROWS,
    GROUPING_HEAP,
    GROUPING_ROWS,
    GROUPING_DONE,
};

struct ts_grouping {
    enum grouping_stage stage;
    uint64_t bytes_max, text_bytes; /* of what is written of the groups besides their rows */
    const struct ts_part *parts;
    uint32_t parts_n, part; /* whose items are collected; and where that stands: */
    struct ts_place at;
    struct sort_steps sort;
    struct group_member *members;
    uint32_t n, from, to; /* members of this group: from up to to */
    uint64_t keys_bytes;  /* of them */
    struct group_text text;
    struct merge merge;
    uint32_t sifted;       /* places of the heap behind are in order */
    bool has_row;          /* of which all so far is in sums */
    int64_t row_ts;
    struct sums sums;
    struct series_table t; /* the group's rows */
};

struct ts_grouping *
ts_grouping_create(const struct ts_part *parts, uint32_t n, uint64_t bytes_max)
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
    g->bytes_max = bytes_max;
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
        g->members[g->n++] = (struct group_member){.page = &p->pages[g->at.page],
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
    g->members = (struct group_member *)g->sort.items;
    g->stage = g->n ? GROUPING_FIND : GROUPING_DONE;
}

/* -E2BIG: its text would be too much. */
static int
begin_group(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    struct group_member *members = g->members + g->from;
    struct slice group = ts_item_group(members->page, members->item);
    uint64_t bytes;
    struct buf name = {0};

    g->text = (struct group_text){.members = members, .n = g->to - g->from,
                                  .keys_bytes = g->keys_bytes};
    bytes = group_text_bytes(&g->text, m, proto);
    g->text_bytes += bytes;
    if (g->text_bytes > g->bytes_max)
        return -E2BIG;
    buf_append(&name, m->group_by.p, m->group_by.n);
    buf_append_lit(&name, "=");
    buf_append(&name, group.p, group.n);
    buf_reserve(&ts_part_add(p, (struct slice){name.p, name.n})->bytes, bytes);
    buf_fini(&name);
    g->stage = GROUPING_TEXT;
    return 0;
}

static bool
is_of_group(const struct group_member *a, const struct group_member *b)
{
    return slice_equal(ts_item_group(a->page, a->item), ts_item_group(b->page, b->item));
}

static int
find_group(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    for (uint32_t i = 0; i < ITEMS_AT_ONCE && g->to < g->n; i++, g->to++) {
        if (!is_of_group(&g->members[g->to], &g->members[g->from]))
            return begin_group(g, m, proto, p);
        g->keys_bytes += g->members[g->to].item->key_n;
    }
    return g->to == g->n ? begin_group(g, m, proto, p) : 0;
}

static void
write_text(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    if (!group_text_step(&g->text, m, proto, &p->pages[p->pages_n - 1].bytes))
        return;
    merge_begin(&g->merge, g->members + g->from, g->to - g->from, m->r.reverse);
    g->stage = GROUPING_COLLECT_ROWS;
}

static void
collect_rows(struct ts_grouping *g)
{
    for (uint32_t i = 0; i < ITEMS_AT_ONCE && g->merge.looked_at < g->to - g->from; i++)
        merge_look_at_next(&g->merge);
    if (g->merge.looked_at < g->to - g->from)
        return;
    g->sifted = g->merge.n / 2;
    g->stage = GROUPING_HEAP;
}

static void
end_group(struct ts_grouping *g, int proto, struct ts_part *p)
{
    ts_part_close(p, proto, &g->t);
    series_table_fini(&g->t);
    free(g->merge.heap);
    g->merge = (struct merge){0};
    g->from = g->to;
    g->keys_bytes = 0;
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

static int
next_step(struct ts_grouping *g, const struct ts_multi *m, int proto, struct ts_part *p)
{
    switch (g->stage) {
    case GROUPING_COLLECT:
        collect(g);
        break;
    case GROUPING_SORT:
        sort(g);
        break;
    case GROUPING_FIND:
        return find_group(g, m, proto, p);
    case GROUPING_TEXT:
        write_text(g, m, proto, p);
        break;
    case GROUPING_COLLECT_ROWS:
        collect_rows(g);
        break;
    case GROUPING_HEAP:
        sift(g);
        break;
    case GROUPING_ROWS:
        add_rows(g, m, proto, p);
        break;
    case GROUPING_DONE:
        break;
    }
    return 0;
}

int
ts_grouping_step(struct ts_grouping *g, const struct ts_multi *m, int proto,
                 struct ts_part *ret_part, uint64_t until_ns)
{
    while (g->stage != GROUPING_DONE) {
        int rc = next_step(g, m, proto, ret_part);

        if (rc < 0)
            return rc;
        if (g->stage != GROUPING_DONE && clock_now_ns() > until_ns)
            return -EINPROGRESS;
    }
    return 0;
}

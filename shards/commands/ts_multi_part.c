/* What a core found for a command over many series. See ts_multi.h.
 *
 * Pages are full at PAGE_BYTES or PAGE_ITEMS: growing one copies no more than that, and a part of a
 * hundred megabytes is freed page by page. */
#include "shards/commands/ts_multi.h"

#include "core/clock.h"

#include <stdlib.h>

#define PAGE_BYTES (256 * KIB)
#define PAGE_ITEMS 4096
#define PAGE_ITEMS_FIRST 16
#define ROWS_AS_TEXT_VALUES 512 /* that become text at once */
#define FREED_AT_ONCE 512       /* items between two looks at the clock */
#define COUNTED_AT_ONCE 512

/* --- freeing ---------------------------------------------------------------------------------- */

/* Items from `from` on, at most so many; returns where it stopped. */
static uint32_t
free_tables(struct ts_page *g, uint32_t from, uint32_t most)
{
    uint32_t stop = g->n - from > most ? from + most : g->n;

    for (uint32_t i = from; i < stop; i++)
        series_table_fini(&g->items[i].t);
    return stop;
}

static void
free_page(struct ts_page *g)
{
    free(g->items);
    buf_fini(&g->bytes);
    *g = (struct ts_page){0};
}

void
ts_page_fini(struct ts_page *g)
{
    free_tables(g, 0, UINT32_MAX);
    free_page(g);
}

bool
ts_part_free_step(struct ts_part *p, uint64_t until_ns)
{
    while (p->freed < p->pages_n) {
        struct ts_page *g = &p->pages[p->freed];

        p->freed_items = free_tables(g, p->freed_items, FREED_AT_ONCE);
        if (p->freed_items == g->n) {
            free_page(g);
            p->freed++;
            p->freed_items = 0;
        }
        if (clock_now_ns() > until_ns)
            return false;
    }
    label_list_fini(&p->list);
    free(p->pages);
    *p = (struct ts_part){0};
    return true;
}

void
ts_part_fini(struct ts_part *p)
{
    ts_part_free_step(p, UINT64_MAX);
}

/* --- adding ----------------------------------------------------------------------------------- */

size_t
ts_page_bytes(const struct ts_page *g)
{
    return g->bytes.n + g->n * sizeof(*g->items);
}

static struct ts_page *
last_page(const struct ts_part *p)
{
    return &p->pages[p->pages_n - 1];
}

size_t
ts_part_bytes(const struct ts_part *p)
{
    return p->list.bytes + p->bytes + (p->pages_n ? ts_page_bytes(last_page(p)) : 0);
}

static struct ts_page *
page_add(struct ts_part *p)
{
    if (p->pages_n)
        p->bytes += ts_page_bytes(last_page(p));
    if (p->pages_n == p->pages_cap) {
        p->pages_cap = p->pages_cap ? 2 * p->pages_cap : 4;
        p->pages = realloc(p->pages, p->pages_cap * sizeof(*p->pages));
        ASSERT(p->pages);
    }
    p->pages[p->pages_n++] = (struct ts_page){0};
    return last_page(p);
}

struct ts_page *
ts_part_add(struct ts_part *p, struct slice key)
{
    struct ts_page *g = p->pages_n ? last_page(p) : page_add(p);
    struct ts_item *it;

    if (g->n == PAGE_ITEMS || g->bytes.n >= PAGE_BYTES)
        g = page_add(p);
    if (g->n == g->cap) {
        g->cap = g->cap ? 2 * g->cap : PAGE_ITEMS_FIRST;
        g->items = realloc(g->items, g->cap * sizeof(*g->items));
        ASSERT(g->items);
    }
    it = &g->items[g->n++];
    *it = (struct ts_item){.key = (uint32_t)g->bytes.n, .key_n = (uint32_t)key.n};
    buf_append(&g->bytes, key.p, key.n);
    it->text = (uint32_t)g->bytes.n;
    p->n++;
    return g;
}

void
ts_part_keep_rows(struct ts_part *p, struct series_table *t)
{
    series_table_trim(t);
    ts_page_last(last_page(p))->t = *t;
    p->bytes += series_table_bytes(t);
    p->rows += t->n;
    *t = (struct series_table){.cols = t->cols};
}

void
ts_part_close(struct ts_part *p, int proto, struct series_table *t)
{
    struct ts_page *g = last_page(p);
    struct ts_item *it = ts_page_last(g);

    if (t) {
        resp_array(&g->bytes, t->n);
        if ((uint64_t)t->n * t->cols <= ROWS_AS_TEXT_VALUES) {
            ts_write_rows(&g->bytes, proto, t, 0, t->n);
            series_table_fini(t);
        } else {
            ts_part_keep_rows(p, t);
        }
    }
    ASSERT(g->bytes.n <= UINT32_MAX);
    it->text_n = (uint32_t)(g->bytes.n - it->text);
}

/* --- going through it ------------------------------------------------------------------------- */

bool
ts_place_is_there(const struct ts_part *p, struct ts_place at)
{
    return at.item < p->list.n || at.page < p->pages_n;
}

struct slice
ts_place_key(const struct ts_part *p, struct ts_place at)
{
    const struct ts_page *g;

    if (p->list.n)
        return label_list_at(&p->list, at.item);
    g = &p->pages[at.page];
    return ts_item_key(g, &g->items[at.item]);
}

void
ts_place_next(const struct ts_part *p, struct ts_place *at)
{
    at->item++;
    if (p->list.n == 0 && at->item == p->pages[at->page].n)
        *at = (struct ts_place){.page = at->page + 1};
}

/* --- counting --------------------------------------------------------------------------------- */

static int
compare_keys(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, MIN(a.n, b.n));

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

uint32_t
ts_lowest(const struct ts_part *parts, uint32_t n, const struct ts_place *at)
{
    struct slice low = {0}, key;
    uint32_t lowest = n;

    for (uint32_t i = 0; i < n; i++) {
        if (!ts_place_is_there(&parts[i], at[i]))
            continue;
        key = ts_place_key(&parts[i], at[i]);
        if (lowest == n || compare_keys(key, low) < 0) {
            lowest = i;
            low = key;
        }
    }
    return lowest;
}

void
ts_pass_over(const struct ts_part *parts, uint32_t n, struct ts_place *at, uint32_t lowest)
{
    struct slice word = ts_place_key(&parts[lowest], at[lowest]);

    for (uint32_t i = lowest; i < n; i++)
        if (ts_place_is_there(&parts[i], at[i]) &&
            slice_equal(ts_place_key(&parts[i], at[i]), word))
            ts_place_next(&parts[i], &at[i]);
}

bool
ts_counting_step(struct ts_counting *x, const struct ts_part *parts, uint32_t n, uint64_t until_ns)
{
    if (x->at == NULL) {
        x->at = calloc(n, sizeof(*x->at));
        ASSERT(x->at);
    }
    for (;;) {
        for (uint32_t i = 0; i < COUNTED_AT_ONCE; i++, x->n++) {
            uint32_t low = ts_lowest(parts, n, x->at);

            if (low == n)
                return true;
            ts_pass_over(parts, n, x->at, low);
        }
        if (clock_now_ns() > until_ns)
            return false;
    }
}

void
ts_counting_fini(struct ts_counting *x)
{
    free(x->at);
    *x = (struct ts_counting){0};
}

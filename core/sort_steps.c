#include "core/sort_steps.h"

#include <stdlib.h>

#define RUN_ITEMS 1024
#define MERGED_AT_ONCE 4096

void
sort_steps_begin(struct sort_steps *s, void *items, uint32_t n, size_t item_bytes,
                 int (*compare)(const void *a, const void *b, void *arg), void *arg)
{
    *s = (struct sort_steps){.items = items, .n = n, .item_bytes = item_bytes, .compare = compare,
                             .arg = arg};
}

void
sort_steps_fini(struct sort_steps *s)
{
    free(s->items);
    free(s->other);
    *s = (struct sort_steps){0};
}

static char *
item_at(const struct sort_steps *s, uint32_t i)
{
    return s->items + i * s->item_bytes;
}

static void
begin_merging(struct sort_steps *s)
{
    s->done = s->n <= RUN_ITEMS;
    if (s->done)
        return;
    s->merging = true;
    s->width = RUN_ITEMS;
    s->merged = s->low = s->left = 0;
    s->right = RUN_ITEMS;
    s->other = malloc(s->n * s->item_bytes);
    ASSERT(s->other);
}

static void
sort_run(struct sort_steps *s)
{
    uint32_t n = MIN((uint32_t)RUN_ITEMS, s->n - s->merged);

    if (n > 0)
        qsort_r(item_at(s, s->merged), n, s->item_bytes, s->compare, s->arg);
    s->merged += n;
    if (s->merged == s->n)
        begin_merging(s);
}

/* The runs that begin at `low` are next; behind the last ones the next pass begins. */
static void
next_pair(struct sort_steps *s, uint32_t low)
{
    char *filled = s->other;

    if (low == s->n) {
        s->other = s->items;
        s->items = filled;
        s->done = s->width >= s->n - s->width;
        s->width = s->done ? s->n : 2 * s->width;
        s->merged = low = 0;
    }
    s->low = s->left = low;
    s->right = s->n - low > s->width ? low + s->width : s->n;
}

static void
merge(struct sort_steps *s)
{
    for (uint32_t i = 0; i < MERGED_AT_ONCE && !s->done; i++) {
        uint32_t middle = s->n - s->low > s->width ? s->low + s->width : s->n;
        uint32_t end = s->n - middle > s->width ? middle + s->width : s->n;
        bool left = s->left < middle &&
                    (s->right == end ||
                     s->compare(item_at(s, s->left), item_at(s, s->right), s->arg) <= 0);

        memcpy(s->other + s->merged++ * s->item_bytes, item_at(s, left ? s->left++ : s->right++),
               s->item_bytes);
        if (s->merged == end)
            next_pair(s, end);
    }
}

bool
sort_steps_step(struct sort_steps *s)
{
    if (s->done)
        return true;
    if (s->merging)
        merge(s);
    else
        sort_run(s);
    return s->done;
}

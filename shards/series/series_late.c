/* Late points, and how points of one timestamp meet. */
#include "shards/series/series_priv.h"

#include <stdlib.h>

#define LATE_CAP_FIRST 4
#define LATE_SHIFT_MAX 256 /* points moved to make room for one in its place */
#define LATE_TAIL_MAX 1024 /* unsorted points before the list is sorted again */

static int
late_compare(const void *a, const void *b)
{
    const struct late_point *x = a, *y = b;

    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* First index of the sorted part whose ts is > ts. */
static uint32_t
late_upper(const struct late_list *l, int64_t ts)
{
    uint32_t at = 0, n = l->sorted;

    while (n > 0) {
        uint32_t half = n / 2;
        if (l->p[at + half].ts <= ts) {
            at += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return at;
}

/* Merges the sorted tail into the sorted front, from the back. */
static void
merge_tail(struct late_list *l, const struct late_point *tail, uint32_t tail_n)
{
    uint32_t front = l->sorted, to = l->n;

    while (tail_n > 0) {
        if (front > 0 && l->p[front - 1].ts > tail[tail_n - 1].ts)
            l->p[--to] = l->p[--front];
        else
            l->p[--to] = tail[--tail_n];
    }
}

void
late_settle(struct late_list *l)
{
    uint32_t i, tail_n = l->n - l->sorted;
    struct late_point *tail;

    if (tail_n == 0)
        return;
    for (i = l->sorted; i < l->n; i++)
        l->p[i].order = i;
    tail = malloc(tail_n * sizeof(*tail));
    ASSERT(tail);
    memcpy(tail, l->p + l->sorted, tail_n * sizeof(*tail));
    qsort(tail, tail_n, sizeof(*tail), late_compare);
    merge_tail(l, tail, tail_n);
    free(tail);
    l->sorted = l->n;
}

static void
late_reserve(struct arena *a, struct series_key *k, struct late_list *l, uint32_t n)
{
    uint32_t cap = l->cap ? l->cap : LATE_CAP_FIRST;

    if (n <= l->cap)
        return;
    while (cap < n)
        cap *= 2;
    l->p = series_realloc(a, k, l->p, l->cap * sizeof(*l->p), cap * sizeof(*l->p));
    l->cap = cap;
}

void
late_add(struct arena *a, struct series_key *k, struct late_list *l, const struct late_point *p)
{
    uint32_t at;

    late_reserve(a, k, l, l->n + 1);
    if (l->sorted == l->n && (at = late_upper(l, p->ts), l->n - at <= LATE_SHIFT_MAX)) {
        memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof(*p));
        l->p[at] = *p;
        l->n++;
        l->sorted++;
        return;
    }
    l->p[l->n++] = *p;
    if (l->n - l->sorted > LATE_TAIL_MAX)
        late_settle(l);
}

bool
late_has(const struct late_list *l, int64_t ts)
{
    uint32_t i, at = late_upper(l, ts);

    if (at > 0 && l->p[at - 1].ts == ts)
        return true;
    for (i = l->sorted; i < l->n; i++)
        if (l->p[i].ts == ts)
            return true;
    return false;
}

uint32_t
late_count(const struct late_list *l, int64_t ts)
{
    uint32_t i, n = late_upper(l, ts) - (ts == INT64_MIN ? 0 : late_upper(l, ts - 1));

    for (i = l->sorted; i < l->n; i++)
        n += l->p[i].ts == ts;
    return n;
}

uint32_t
late_run(const struct late_list *l)
{
    uint32_t i, run = 0, longest = 0;

    ASSERT(l->sorted == l->n);
    for (i = 0; i < l->n; i++) {
        run = i > 0 && l->p[i].ts == l->p[i - 1].ts ? run + 1 : 1;
        longest = MAX(longest, run);
    }
    return longest;
}

void
late_cut(struct late_list *l, struct time_range r)
{
    uint32_t lo = r.from == INT64_MIN ? 0 : late_upper(l, r.from - 1), hi = late_upper(l, r.to);
    uint32_t sorted = lo + (l->sorted - hi), n = sorted, i;

    if (hi > lo)
        memmove(l->p + lo, l->p + hi, (l->sorted - hi) * sizeof(*l->p));
    for (i = l->sorted; i < l->n; i++)
        if (l->p[i].ts < r.from || l->p[i].ts > r.to)
            l->p[n++] = l->p[i];
    l->sorted = sorted;
    l->n = n;
}

void
late_free(struct arena *a, struct series_key *k, struct late_list *l)
{
    series_free(a, k, l->p, l->cap * sizeof(*l->p));
    *l = (struct late_list){0};
}

void
late_prepend(struct arena *a, struct series_key *k, struct late_list *l, struct late_list *earlier)
{
    ASSERT(earlier->sorted == earlier->n);
    if (earlier->n == 0) {
        late_free(a, k, earlier);
        return;
    }
    late_reserve(a, k, earlier, earlier->n + l->n);
    if (l->n)
        memcpy(earlier->p + earlier->n, l->p, l->n * sizeof(*l->p));
    earlier->n += l->n;
    late_settle(earlier);
    late_free(a, k, l);
    *l = *earlier;
    *earlier = (struct late_list){0};
}

/* --- meeting ---------------------------------------------------------------------------------- */

static enum series_result
take_new(double *old, uint8_t *old_quality, double value, uint8_t quality)
{
    *old = value;
    *old_quality = quality;
    return SERIES_REPLACED;
}

/* At least one of the two is NaN. */
static enum series_result
meet_nan(double *old, uint8_t *old_quality, double value, uint8_t quality,
         enum duplicate_policy policy)
{
    bool old_nan = *old != *old, new_nan = value != value;

    if (old_nan && new_nan)
        return policy == DUPLICATE_LAST ? take_new(old, old_quality, value, quality)
                                        : SERIES_UNCHANGED;
    if (policy == DUPLICATE_MIN || policy == DUPLICATE_MAX || policy == DUPLICATE_SUM)
        return SERIES_BLOCKED;
    return old_nan ? take_new(old, old_quality, value, quality) : SERIES_UNCHANGED;
}

enum series_result
series_meet(double *old, uint8_t *old_quality, double value, uint8_t quality,
           enum duplicate_policy policy)
{
    ASSERT(policy != DUPLICATE_KEEP);
    if (policy == DUPLICATE_BLOCK)
        return SERIES_BLOCKED;
    if (*old != *old || value != value)
        return meet_nan(old, old_quality, value, quality, policy);
    if (policy == DUPLICATE_SUM)
        return take_new(old, old_quality, *old + value, quality);
    if (policy == DUPLICATE_LAST || (policy == DUPLICATE_MIN && value < *old) ||
        (policy == DUPLICATE_MAX && value > *old))
        return take_new(old, old_quality, value, quality);
    return SERIES_UNCHANGED;
}

/* --- merging ---------------------------------------------------------------------------------- */

static void
copy_base(struct samples *out, const struct samples *base, uint32_t from, uint32_t n)
{
    memcpy(out->p + out->n, base->p + from, n * sizeof(*out->p));
    if (base->quality)
        memcpy(out->quality + out->n, base->quality + from, n);
    else
        memset(out->quality + out->n, 0, n);
    out->n += n;
}

/* `out` ends with all points of that timestamp so far. */
static void
merge_one(struct samples *out, const struct late_point *l)
{
    uint32_t last = out->n - 1;

    if (out->n > 0 && out->p[last].ts == l->ts && l->policy != DUPLICATE_KEEP) {
        series_meet(&out->p[last].value, &out->quality[last], l->value, l->quality, l->policy);
        return;
    }
    out->p[out->n] = (struct sample){l->ts, l->value};
    out->quality[out->n++] = l->quality;
}

int
series_merge_late(const struct samples *base, const struct late_point *late, uint32_t late_n,
                  struct samples *out)
{
    size_t room = MAX((size_t)base->n + late_n, 1);
    struct samples o = {.p = malloc(room * sizeof(*o.p)), .quality = malloc(room)};
    uint32_t from = 0, i;

    if (!o.p || !o.quality) {
        free(o.p);
        free(o.quality);
        return -ENOMEM;
    }
    for (i = 0; i < late_n; i++) {
        uint32_t until = from + samples_upper(base->p + from, base->n - from, late[i].ts);
        if (until > from)
            copy_base(&o, base, from, until - from);
        from = until;
        merge_one(&o, &late[i]);
    }
    if (base->n > from)
        copy_base(&o, base, from, base->n - from);
    *out = o;
    return 0;
}

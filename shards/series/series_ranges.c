/* Ranges of time, both ends included: sorted, disjoint, never adjacent. */
#include "shards/series/series_priv.h"

#define RANGES_CAP_FIRST 4

/* The first range that ends at or after ts. */
static uint32_t
ranges_at(const struct range_list *l, int64_t ts)
{
    uint32_t lo = 0, hi = l->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (l->p[mid].to < ts)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void
ranges_reserve(struct arena *a, struct series_key *k, struct range_list *l)
{
    uint32_t cap = l->cap ? 2 * l->cap : RANGES_CAP_FIRST;

    if (l->n < l->cap)
        return;
    l->p = series_realloc(a, k, l->p, l->cap * sizeof(*l->p), cap * sizeof(*l->p));
    l->cap = cap;
}

void
ranges_add(struct arena *a, struct series_key *k, struct range_list *l, struct time_range r)
{
    uint32_t at = ranges_at(l, r.from == INT64_MIN ? r.from : r.from - 1), end = at;

    while (end < l->n && (r.to == INT64_MAX || l->p[end].from <= r.to + 1)) {
        r.from = MIN(r.from, l->p[end].from);
        r.to = MAX(r.to, l->p[end].to);
        end++;
    }
    if (end == at)
        ranges_reserve(a, k, l);
    memmove(l->p + at + 1, l->p + end, (l->n - end) * sizeof(*l->p));
    l->p[at] = r;
    l->n = l->n + 1 - (end - at);
}

void
ranges_free(struct arena *a, struct series_key *k, struct range_list *l)
{
    series_free(a, k, l->p, l->cap * sizeof(*l->p));
    *l = (struct range_list){0};
}

const struct time_range *
ranges_meet(const struct range_list *l, int64_t from, int64_t to)
{
    uint32_t at = ranges_at(l, from);

    return at < l->n && l->p[at].from <= to ? &l->p[at] : NULL;
}

bool
ranges_cover(const struct range_list *l, int64_t from, int64_t to)
{
    const struct time_range *r = ranges_meet(l, from, to);

    return r && r->from <= from && r->to >= to;
}

void
samples_cut(struct samples *in, int64_t from, int64_t to)
{
    uint32_t lo = samples_lower(in->p, in->n, from), hi = samples_upper(in->p, in->n, to);

    if (hi <= lo)
        return;
    memmove(in->p + lo, in->p + hi, (in->n - hi) * sizeof(*in->p));
    if (in->quality)
        memmove(in->quality + lo, in->quality + hi, in->n - hi);
    in->n -= hi - lo;
}

void
samples_cut_ranges(struct samples *in, const struct range_list *l)
{
    uint32_t at = in->n ? ranges_at(l, in->p[0].ts) : 0, n = 0;

    if (in->n == 0 || at == l->n)
        return;
    for (uint32_t i = 0; i < in->n; i++) {
        int64_t ts = in->p[i].ts;

        while (at < l->n && l->p[at].to < ts)
            at++;
        if (at < l->n && l->p[at].from <= ts)
            continue;
        in->p[n] = in->p[i];
        if (in->quality)
            in->quality[n] = in->quality[i];
        n++;
    }
    in->n = n;
}

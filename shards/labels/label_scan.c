#include "shards/labels/label_scan.h"

#include "core/clock.h"
#include "shards/labels/label_filter_priv.h"
#include "shards/labels/labels_priv.h"

#include <stdlib.h>

/* Between two looks at the clock: 0.1 ms or so. */
#define KEYS_AT_ONCE 512
#define ORDERED_AT_ONCE 4096

#define AHEAD 8 /* records brought into the cache before they are copied */

enum scan_stage { SCAN_COLLECT, SCAN_ORDER, SCAN_SORT, SCAN_DONE };

int
label_scan_begin(struct label_scan *s, const struct labels *x, const struct label_filter *f,
                 uint32_t limit, char *ret_err)
{
    uint32_t *ids, n;
    int rc = labels_select_ids(x, f, limit, &ids, &n, ret_err);

    if (rc < 0)
        return rc;
    *s = (struct label_scan){.ids = ids, .ids_n = n, .x = x, .changes = x ? x->changes : 0};
    s->place = malloc((n + 1UL) * sizeof(*s->place));
    ASSERT(s->place);
    return 0;
}

struct slice
label_scan_key(const struct label_scan *s, uint32_t i)
{
    const char *p = s->keys.p + s->place[i].at;

    return (struct slice){p + 4, get_le32(p)};
}

void
label_scan_fini(struct label_scan *s)
{
    buf_fini(&s->keys);
    free(s->ids);
    if (s->sort.items)
        sort_steps_fini(&s->sort);
    else
        free(s->place);
    *s = (struct label_scan){0};
}

/* --- copying ---------------------------------------------------------------------------------- */

/* The index has changed since the number was found: does it still stand for a series to be found? */
static bool
still_fits(const struct labels *x, uint32_t id, const struct label_filter *f)
{
    struct series_label l[SERIES_LABELS_MAX];
    uint32_t n;

    if (!id_is_live(&x->record, id))
        return false;
    n = labels_of(x, id);
    for (uint32_t i = 0; i < n; i++)
        l[i] = labels_at(x, id, i);
    return n > 0 && label_filter_matches(f, l, n);
}

static size_t
common_bytes(struct slice a, struct slice b, size_t most)
{
    size_t n = 0;

    most = MIN(most, MIN(a.n, b.n));
    while (n < most && a.p[n] == b.p[n])
        n++;
    return n;
}

static void
copy_key(struct label_scan *s, struct slice key)
{
    char n[4];

    put_le32(n, (uint32_t)key.n);
    s->place[s->n++] = (struct label_place){.at = s->keys.n};
    buf_append(&s->keys, n, sizeof(n));
    buf_append(&s->keys, key.p, key.n);
    s->common = s->n == 1 ? key.n : common_bytes(label_scan_key(s, 0), key, s->common);
}

static void
collect(struct label_scan *s, const struct labels *x, const struct label_filter *f)
{
    bool same = x == s->x && x && x->changes == s->changes;
    uint32_t stop = MIN(s->ids_at + KEYS_AT_ONCE, s->ids_n);

    if (x == NULL)
        stop = s->ids_at = s->ids_n;
    for (; s->ids_at < stop; s->ids_at++) {
        uint32_t id = s->ids[s->ids_at];

        if (same && s->ids_at + AHEAD < s->ids_n)
            __builtin_prefetch(record_at(x, s->ids[s->ids_at + AHEAD]));
        if (same || still_fits(x, id, f))
            copy_key(s, entry_key(record_at(x, id)));
    }
    s->too_long = s->keys.n > LABEL_SCAN_BYTES_MAX;
    if (s->ids_at < s->ids_n && !s->too_long)
        return;
    free(s->ids);
    s->ids = NULL;
    s->n = s->too_long ? 0 : s->n;
    s->stage = s->too_long ? SCAN_DONE : SCAN_ORDER;
}

/* --- sorting ---------------------------------------------------------------------------------- */

static int
compare_places(const void *pa, const void *pb, void *keys)
{
    const struct label_place *a = pa, *b = pb;
    const char *x = (char *)keys + a->at, *y = (char *)keys + b->at;
    uint32_t n, m;
    int c;

    if (likely(a->order != b->order))
        return a->order < b->order ? -1 : 1;
    n = get_le32(x);
    m = get_le32(y);
    c = memcmp(x + 4, y + 4, MIN(n, m));
    return c ? c : (n > m) - (n < m);
}

static void
order(struct label_scan *s)
{
    uint32_t stop = MIN(s->ordered + ORDERED_AT_ONCE, s->n);

    for (; s->ordered < stop; s->ordered++)
        s->place[s->ordered].order = label_order(label_scan_key(s, s->ordered), s->common);
    if (s->ordered < s->n)
        return;
    sort_steps_begin(&s->sort, s->place, s->n, sizeof(*s->place), compare_places, s->keys.p);
    s->stage = SCAN_SORT;
}

static void
sort(struct label_scan *s)
{
    if (!sort_steps_step(&s->sort))
        return;
    s->place = (struct label_place *)s->sort.items;
    s->stage = SCAN_DONE;
}

bool
label_scan_step(struct label_scan *s, const struct labels *x, const struct label_filter *f,
                uint64_t until_ns)
{
    while (s->stage != SCAN_DONE) {
        if (s->stage == SCAN_COLLECT)
            collect(s, x, f);
        else if (s->stage == SCAN_ORDER)
            order(s);
        else
            sort(s);
        if (s->stage != SCAN_DONE && clock_now_ns() > until_ns)
            return false;
    }
    return true;
}

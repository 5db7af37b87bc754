#include "shards/labels/label_scan.h"

#include "core/clock.h"
#include "shards/labels/label_filter_priv.h"
#include "shards/labels/labels_priv.h"

#include <stdlib.h>

/* Between two looks at the clock: 0.1 ms or so. */
#define AT_ONCE 512 /* series or labels */
#define BYTES_AT_ONCE (64 * KIB)

#define AHEAD 8 /* records brought into the cache before they are copied */

enum scan_stage { SCAN_SERIES, SCAN_NAMES, SCAN_VALUES, SCAN_SORT, SCAN_UNITE, SCAN_DONE };

static enum scan_stage
first_stage(const struct label_ask *ask)
{
    if (ask->filter)
        return SCAN_SERIES;
    return ask->of == LABEL_SCAN_NAMES ? SCAN_NAMES : SCAN_VALUES;
}

/* The first label of the name whose values are asked for; LABEL_NONE: nobody bears it. */
static uint32_t
first_value(const struct labels *x, const struct label_ask *ask)
{
    uint32_t name = x ? name_find(x, ask->name) : LABEL_NONE;

    return name == LABEL_NONE ? LABEL_NONE : name_at(x, name)->first;
}

int
label_scan_begin(struct label_scan *s, const struct labels *x, const struct label_ask *ask,
                 char *ret_err)
{
    uint32_t *ids = NULL, n = 0;
    int rc = 0;

    ASSERT(ask->filter || ask->of != LABEL_SCAN_KEYS);
    if (ask->filter)
        rc = labels_select_ids(x, ask->filter, ask->series_max, &ids, &n, ret_err);
    if (rc < 0)
        return rc;
    *s = (struct label_scan){
        .stage = first_stage(ask), .ids = ids, .ids_n = n, .x = x, .changes = x ? x->changes : 0};
    if (ask->of == LABEL_SCAN_KEYS)
        label_list_reserve(&s->list, n);
    if (s->stage == SCAN_VALUES)
        s->at = first_value(x, ask);
    return 0;
}

void
label_scan_fini(struct label_scan *s)
{
    label_list_fini(&s->list);
    free(s->ids);
    free(s->seen);
    *s = (struct label_scan){0};
}

/* What may be done before the next look at the clock. */
struct share {
    const struct label_scan *s;
    size_t bytes; /* of the list, when it began */
    uint32_t n;
};

static struct share
share_of(const struct label_scan *s)
{
    return (struct share){s, s->list.bytes, 0};
}

static bool
is_left(struct share *x, uint32_t labels)
{
    x->n += 1 + labels;
    return x->n <= AT_ONCE && x->s->list.bytes - x->bytes < BYTES_AT_ONCE;
}

static bool
is_unchanged(const struct label_scan *s, const struct labels *x)
{
    return x && x == s->x && x->changes == s->changes;
}

/* --- of the series that a filter found -------------------------------------------------------- */

/* Does the number stand for a series that the filter finds? */
static bool
fits(const struct labels *x, uint32_t id, const struct label_filter *f)
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

bool
label_scan_still_fits(const struct label_scan *s, const struct labels *x, uint32_t id,
                      const struct label_filter *f)
{
    return is_unchanged(s, x) || fits(x, id, f);
}

/* Where the list has what this number stands for, 0 = nowhere yet. */
static uint32_t *
seen_at(struct label_scan *s, const struct id_table *t, uint32_t id)
{
    uint32_t n = s->seen_n;

    if (id >= n) {
        s->seen_n = MAX(t->used, 2 * n);
        s->seen = realloc(s->seen, s->seen_n * sizeof(*s->seen));
        ASSERT(s->seen);
        memset(s->seen + n, 0, (s->seen_n - n) * sizeof(*s->seen));
    }
    return &s->seen[id];
}

/* Each number once. One that has come to stand for something else since the index changed is taken
 * again. */
static void
add_word(struct label_scan *s, const struct labels *x, const struct id_table *t, uint32_t id,
         struct slice word)
{
    uint32_t *seen = seen_at(s, t, id);

    if (*seen && (is_unchanged(s, x) || slice_equal(label_list_at(&s->list, *seen - 1), word)))
        return;
    label_list_add(&s->list, word);
    *seen = s->list.n;
}

static void
add_words(struct label_scan *s, const struct labels *x, const struct label_ask *ask,
          const struct entry *e, uint32_t value_of)
{
    for (uint32_t i = 0; i < record_n(e); i++) {
        uint32_t pair = record_pair(e, i);
        const struct label_pair *p = pair_at(x, pair);

        if (ask->of == LABEL_SCAN_NAMES)
            add_word(s, x, &x->name, p->name, entry_key(name_at(x, p->name)->e));
        else if (p->name == value_of)
            add_word(s, x, &x->pair, pair, pair_value(p));
    }
}

/* One series; returns how many labels were looked at. */
static uint32_t
add_series(struct label_scan *s, const struct labels *x, const struct label_ask *ask, uint32_t id,
           uint32_t value_of)
{
    const struct entry *e;

    if (!label_scan_still_fits(s, x, id, ask->filter))
        return 0;
    e = record_at(x, id);
    if (ask->is_live && !ask->is_live(ask->arg, entry_key(e)))
        return 0;
    if (ask->of == LABEL_SCAN_KEYS) {
        label_list_add(&s->list, entry_key(e));
        return 0;
    }
    add_words(s, x, ask, e, value_of);
    return record_n(e);
}

static void
scan_series(struct label_scan *s, const struct labels *x, const struct label_ask *ask)
{
    bool same = is_unchanged(s, x);
    uint32_t value_of = x && ask->of == LABEL_SCAN_VALUES ? name_find(x, ask->name) : LABEL_NONE;
    struct share share = share_of(s);
    uint32_t labels = 0;

    if (x == NULL)
        s->at = s->ids_n;
    for (; s->at < s->ids_n && is_left(&share, labels); s->at++) {
        if (same && s->at + AHEAD < s->ids_n)
            __builtin_prefetch(record_at(x, s->ids[s->at + AHEAD]));
        labels = add_series(s, x, ask, s->ids[s->at], value_of);
    }
    if (s->at == s->ids_n)
        s->stage = SCAN_SORT;
}

/* --- of all series ---------------------------------------------------------------------------- */

static void
scan_names(struct label_scan *s, const struct labels *x)
{
    struct share share = share_of(s);
    uint32_t used = x ? x->name.used : 0;

    for (; s->at < used && is_left(&share, 0); s->at++)
        if (id_is_live(&x->name, s->at))
            label_list_add(&s->list, entry_key(name_at(x, s->at)->e));
    if (s->at >= used)
        s->stage = SCAN_SORT;
}

/* Once the index has changed the label that is next may be gone, and with it the way to the others:
 * then all labels are looked at, by number, which those that stay keep. */
static void
scan_by_number(struct label_scan *s, const struct labels *x, const struct label_ask *ask)
{
    uint32_t name = x ? name_find(x, ask->name) : LABEL_NONE;
    uint32_t used = name == LABEL_NONE ? 0 : x->pair.used;
    struct share share = share_of(s);

    for (; s->at < used && is_left(&share, 0); s->at++)
        if (id_is_live(&x->pair, s->at) && pair_at(x, s->at)->name == name)
            label_list_add(&s->list, pair_value(pair_at(x, s->at)));
    if (s->at >= used)
        s->stage = SCAN_SORT;
}

static void
scan_linked(struct label_scan *s, const struct labels *x)
{
    struct share share = share_of(s);

    while (s->at != LABEL_NONE && is_left(&share, 0)) {
        const struct label_pair *p = pair_at(x, s->at);

        if (p->next != LABEL_NONE)
            __builtin_prefetch(pair_at(x, p->next)->e);
        label_list_add(&s->list, pair_value(p));
        s->at = p->next;
    }
    if (s->at == LABEL_NONE)
        s->stage = SCAN_SORT;
}

static void
scan_values(struct label_scan *s, const struct labels *x, const struct label_ask *ask)
{
    if (!s->by_number && s->at != LABEL_NONE && !is_unchanged(s, x)) {
        label_list_fini(&s->list);
        s->by_number = true;
        s->at = 0;
    }
    if (s->by_number)
        scan_by_number(s, x, ask);
    else
        scan_linked(s, x);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void
copied(struct label_scan *s, const struct label_ask *ask)
{
    s->too_long = s->list.bytes > ask->bytes_max;
    if (s->too_long) {
        label_list_fini(&s->list);
        s->stage = SCAN_DONE;
    }
    if (s->stage < SCAN_SORT)
        return;
    free(s->ids);
    free(s->seen);
    s->ids = s->seen = NULL;
}

static void
sort(struct label_scan *s, const struct label_ask *ask)
{
    if (label_list_sort_step(&s->list))
        s->stage = ask->of == LABEL_SCAN_KEYS ? SCAN_DONE : SCAN_UNITE;
}

static void
step(struct label_scan *s, const struct labels *x, const struct label_ask *ask)
{
    if (s->stage == SCAN_SORT) {
        sort(s, ask);
        return;
    }
    if (s->stage == SCAN_UNITE) {
        s->stage = label_list_unite_step(&s->list) ? SCAN_DONE : SCAN_UNITE;
        return;
    }
    if (s->stage == SCAN_SERIES)
        scan_series(s, x, ask);
    else if (s->stage == SCAN_NAMES)
        scan_names(s, x);
    else
        scan_values(s, x, ask);
    copied(s, ask);
}

bool
label_scan_step(struct label_scan *s, const struct labels *x, const struct label_ask *ask,
                uint64_t until_ns)
{
    while (s->stage != SCAN_DONE) {
        step(s, x, ask);
        if (s->stage != SCAN_DONE && clock_now_ns() > until_ns)
            return false;
    }
    return true;
}

/* Evaluating a filter: the smallest of the sets that must hold first, then the others against it,
 * then what must not hold, regular expressions last, when few series are left. */
#include "core/clock.h"
#include "shards/labels/label_filter_priv.h"
#include "shards/labels/labels_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct selection {
    const struct labels *x;
    const struct label_filter *f;
    uint64_t until_ns;
    roaring_bitmap_t *set; /* of this side; NULL: not yet limited by anything */
};

/* --- one expression --------------------------------------------------------------------------- */

static const struct posting *
postings_of(const struct labels *x, uint32_t name, struct slice value)
{
    uint32_t pair = name == LABEL_NONE ? LABEL_NONE : pair_find(x, name, value);

    return pair == LABEL_NONE ? NULL : &pair_at(x, pair)->has;
}

static struct slice
value_at(const struct selection *s, const struct label_match *m, uint32_t i)
{
    return s->f->values[m->values + i];
}

/* How many series it can find at most. */
static uint64_t
estimate(const struct selection *s, const struct label_match *m)
{
    uint32_t name = name_find(s->x, m->name);
    uint64_t n = 0;

    if (name == LABEL_NONE)
        return 0;
    if (m->op == LABEL_LIKE)
        return name_at(s->x, name)->has.n;
    for (uint32_t i = 0; i < m->values_n; i++) {
        const struct posting *p = postings_of(s->x, name, value_at(s, m, i));

        n += p ? p->n : 0;
    }
    return n;
}

/* The union of the values' sets. */
static roaring_bitmap_t *
union_of_values(const struct selection *s, const struct label_match *m)
{
    uint32_t name = name_find(s->x, m->name);
    roaring_bitmap_t *set = NULL;

    for (uint32_t i = 0; i < m->values_n; i++) {
        const struct posting *p = postings_of(s->x, name, value_at(s, m, i));

        if (p && set)
            posting_or(set, p);
        else if (p)
            set = posting_copy(p);
    }
    return set ? set : roaring_bitmap_create();
}

static void
keep_only(struct selection *s, roaring_bitmap_t *set)
{
    if (s->set) {
        roaring_bitmap_and_inplace(s->set, set);
        roaring_bitmap_free(set);
    } else {
        s->set = set;
    }
}

static void
apply_in(struct selection *s, const struct label_match *m)
{
    const struct posting *p;

    if (s->set && m->values_n == 1) {
        p = postings_of(s->x, name_find(s->x, m->name), value_at(s, m, 0));
        if (p)
            posting_and(s->set, p);
        else
            roaring_bitmap_clear(s->set);
        return;
    }
    keep_only(s, union_of_values(s, m));
}

static void
apply_not_in(struct selection *s, const struct label_match *m)
{
    uint32_t name = name_find(s->x, m->name);

    for (uint32_t i = 0; i < m->values_n; i++) {
        const struct posting *p = postings_of(s->x, name, value_at(s, m, i));

        if (p)
            posting_andnot(s->set, p);
    }
}

static void
apply_presence(struct selection *s, const struct label_match *m)
{
    uint32_t name = name_find(s->x, m->name);

    if (name == LABEL_NONE) {
        if (m->op == LABEL_WITH)
            roaring_bitmap_clear(s->set);
        return;
    }
    if (m->op == LABEL_WITH)
        posting_and(s->set, &name_at(s->x, name)->has);
    else
        posting_andnot(s->set, &name_at(s->x, name)->has);
}

/* --- regular expressions ---------------------------------------------------------------------- */

/* Series of every value that matches. */
static int
like_of_values(const struct selection *s, struct label_regex_run *run, uint32_t name,
               roaring_bitmap_t *set)
{
    for (uint32_t at = name_at(s->x, name)->first; at != LABEL_NONE;
         at = pair_at(s->x, at)->next) {
        int rc = label_regex_try(run, pair_value(pair_at(s->x, at)));

        if (rc < 0)
            return rc;
        if (rc > 0)
            posting_or(set, &pair_at(s->x, at)->has);
    }
    return 0;
}

static int
series_is_like(const struct selection *s, struct label_regex_run *run, uint32_t name, uint32_t id)
{
    const struct entry *e = record_at(s->x, id);

    for (uint32_t i = 0; i < record_n(e); i++) {
        const struct label_pair *p = pair_at(s->x, record_pair(e, i));
        int rc = p->name == name ? label_regex_try(run, pair_value(p)) : 0;

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Of the series found so far, those that bear a value that matches. */
static int
like_of_series(const struct selection *s, struct label_regex_run *run, uint32_t name,
               roaring_bitmap_t *set)
{
    roaring_uint32_iterator_t it;

    for (roaring_init_iterator(s->set, &it); it.has_value; roaring_advance_uint32_iterator(&it)) {
        int rc = series_is_like(s, run, name, it.current_value);

        if (rc < 0)
            return rc;
        if (rc > 0)
            roaring_bitmap_add(set, it.current_value);
    }
    return 0;
}

/* By series when fewer of them are left than there are values to try. */
static int
apply_like(struct selection *s, const struct label_match *m)
{
    uint32_t name = name_find(s->x, m->name);
    roaring_bitmap_t *set = roaring_bitmap_create();
    struct label_regex_run run;
    int rc = 0;

    if (name != LABEL_NONE) {
        label_regex_begin(&run, m->regex, s->until_ns);
        if (s->set && roaring_bitmap_get_cardinality(s->set) < name_at(s->x, name)->values)
            rc = like_of_series(s, &run, name, set);
        else
            rc = like_of_values(s, &run, name, set);
        label_regex_end(&run);
    }
    if (rc < 0 || m->op == LABEL_NOT_LIKE) {
        if (rc == 0)
            roaring_bitmap_andnot_inplace(s->set, set);
        roaring_bitmap_free(set);
        return rc;
    }
    keep_only(s, set);
    return 0;
}

/* --- one side of OR --------------------------------------------------------------------------- */

/* The expression to begin with. */
static const struct label_match *
smallest(const struct selection *s, const struct label_match *m, uint32_t n)
{
    const struct label_match *best = NULL;
    uint64_t best_n = UINT64_MAX;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t e;

        if (m[i].op != LABEL_IN)
            continue;
        e = estimate(s, &m[i]);
        if (best == NULL || e < best_n) {
            best = &m[i];
            best_n = e;
        }
    }
    return best;
}

/* Cheap ones, in the order of the operators, then regular expressions. */
static int
select_side(struct selection *s, const struct label_match *m, uint32_t n)
{
    const struct label_match *first = smallest(s, m, n);
    uint32_t i;
    int rc = 0;

    if (first)
        apply_in(s, first);
    for (i = 0; i < n; i++)
        if (m[i].op == LABEL_IN && &m[i] != first)
            apply_in(s, &m[i]);
    for (i = 0; i < n && rc == 0; i++)
        if (m[i].op == LABEL_LIKE && first == NULL)
            rc = apply_like(s, &m[i]);
    for (i = 0; i < n && rc == 0; i++) {
        if (m[i].op == LABEL_NOT_IN)
            apply_not_in(s, &m[i]);
        else if (m[i].op == LABEL_WITH || m[i].op == LABEL_WITHOUT)
            apply_presence(s, &m[i]);
    }
    for (i = 0; i < n && rc == 0; i++)
        if ((m[i].op == LABEL_LIKE && first) || m[i].op == LABEL_NOT_LIKE)
            rc = apply_like(s, &m[i]);
    return rc;
}

static int
select_all(struct selection *s, roaring_bitmap_t **ret_set)
{
    roaring_bitmap_t *all = NULL;
    uint32_t begin = 0;
    int rc = 0;

    for (uint32_t i = 0; i < s->f->n && rc == 0; i++) {
        if (!s->f->match[i].ends)
            continue;
        s->set = NULL;
        rc = select_side(s, s->f->match + begin, i + 1 - begin);
        begin = i + 1;
        if (all && s->set)
            roaring_bitmap_or_inplace(all, s->set);
        if (all && s->set)
            roaring_bitmap_free(s->set);
        else if (s->set)
            all = s->set;
    }
    *ret_set = all;
    return rc;
}

/* --- in order --------------------------------------------------------------------------------- */

/* Keys that begin alike are compared by eight bytes behind their common start, as a number. */
struct sort_hit {
    uint64_t order;
    struct label_hit hit;
};

static size_t
common_start(const struct label_hit *p, uint32_t n)
{
    size_t common = n ? p[0].key.n : 0;

    for (uint32_t i = 1; i < n && common > 0; i++) {
        size_t most = MIN(common, p[i].key.n), k = 0;

        while (k < most && p[i].key.p[k] == p[0].key.p[k])
            k++;
        common = k;
    }
    return common;
}

static int
compare_hits(const void *pa, const void *pb)
{
    const struct sort_hit *a = pa, *b = pb;
    int c;

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    c = memcmp(a->hit.key.p, b->hit.key.p, MIN(a->hit.key.n, b->hit.key.n));
    return c ? c : (a->hit.key.n > b->hit.key.n) - (a->hit.key.n < b->hit.key.n);
}

static void
sort_hits(struct label_hits *h)
{
    size_t common = common_start(h->p, h->n);
    struct sort_hit *s = malloc((h->n + 1) * sizeof(*s));

    ASSERT(s);
    for (uint32_t i = 0; i < h->n; i++)
        s[i] = (struct sort_hit){label_order(h->p[i].key, common), h->p[i]};
    qsort(s, h->n, sizeof(*s), compare_hits);
    for (uint32_t i = 0; i < h->n; i++)
        h->p[i] = s[i].hit;
    free(s);
}

static void
collect(const struct labels *x, const uint32_t *ids, struct label_hits *h)
{
    h->p = malloc(((size_t)h->n + 1) * sizeof(*h->p));
    ASSERT(h->p);
    for (uint32_t i = 0; i < h->n; i++) {
        if (i + 8 < h->n)
            __builtin_prefetch(record_at(x, ids[i + 8]));
        h->p[i] = (struct label_hit){entry_key(record_at(x, ids[i])), ids[i]};
    }
    sort_hits(h);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int
refuse(int rc, uint32_t limit, char *ret_err)
{
    if (rc == -E2BIG)
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: the filter finds more than %u series: ask for less at once", limit);
    else
        snprintf(ret_err, LABEL_FILTER_ERROR_BYTES,
                 "ERR TSDB: a regular expression takes more than %d steps for a value, or %d ms "
                 "for all of them", LABEL_REGEX_STEPS_MAX, LABEL_REGEX_MS_MAX);
    return rc;
}

int
labels_select_ids(const struct labels *x, const struct label_filter *f, uint32_t limit,
                  uint32_t **ret_ids, uint32_t *ret_n, char *ret_err)
{
    struct selection s = {.x = x, .f = f, .until_ns = clock_now_ns() + LABEL_REGEX_MS_MAX * 1000000ULL};
    roaring_bitmap_t *set = NULL;
    uint32_t *ids = NULL;
    uint64_t n = 0;
    int rc = x ? select_all(&s, &set) : 0;

    n = set ? roaring_bitmap_get_cardinality(set) : 0;
    if (rc == 0 && n > limit)
        rc = -E2BIG;
    if (rc == 0 && n > 0) {
        ids = malloc(n * sizeof(*ids));
        ASSERT(ids);
        roaring_bitmap_to_uint32_array(set, ids);
    }
    if (set)
        roaring_bitmap_free(set);
    if (rc < 0)
        return refuse(rc, limit, ret_err);
    *ret_ids = ids;
    *ret_n = (uint32_t)n;
    return 0;
}

int
labels_select(const struct labels *x, const struct label_filter *f, uint32_t limit,
              struct label_hits *ret_hits, char *ret_err)
{
    struct label_hits h = {0};
    uint32_t *ids;
    int rc = labels_select_ids(x, f, limit, &ids, &h.n, ret_err);

    *ret_hits = (struct label_hits){0};
    if (rc < 0)
        return rc;
    collect(x, ids, &h);
    free(ids);
    *ret_hits = h;
    return 0;
}

void
label_hits_free(struct label_hits *h)
{
    free(h->p);
    *h = (struct label_hits){0};
}

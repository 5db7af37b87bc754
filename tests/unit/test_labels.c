/* The label index and filters against a slow model: a list of series, looked at one by one. */
#include "core/clock.h"
#include "shards/head/head.h"
#include "shards/labels/label_scan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* --- the model -------------------------------------------------------------------------------- */

#define MODEL_SERIES 600
#define MODEL_LABELS 5

struct model_series {
    char key[16];
    char text[MODEL_LABELS][2][16];
    struct series_label l[MODEL_LABELS];
    uint32_t n;
};

struct model {
    struct model_series s[MODEL_SERIES];
    struct labels *x;
    struct arena *arena;
    uint64_t seed;
};

static struct model *
model_create(uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));

    cr_assert_eq(arena_create(&m->arena), 0);
    m->x = labels_create(m->arena);
    m->seed = seed;
    for (uint32_t i = 0; i < MODEL_SERIES; i++)
        snprintf(m->s[i].key, sizeof(m->s[i].key), "s%u", i * 7919 % 1000);
    return m;
}

static void
model_destroy(struct model *m)
{
    labels_destroy(&m->x);
    cr_assert_eq(arena_bytes(m->arena), 0);
    arena_destroy(&m->arena);
    free(m);
}

static void
model_set(struct model *m, uint32_t at, uint32_t n)
{
    struct model_series *s = &m->s[at];
    struct slice key = slice_of(s->key);

    s->n = n;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(s->text[i][0], 16, "n%u", (unsigned)(next_random(&m->seed) % 6));
        snprintf(s->text[i][1], 16, "v%u", (unsigned)(next_random(&m->seed) % 12));
        s->l[i] = (struct series_label){slice_of(s->text[i][0]), slice_of(s->text[i][1])};
    }
    labels_set(m->x, key, head_hash(key), s->l, n);
}

static int
compare_keys(const void *a, const void *b)
{
    return strcmp((*(const struct model_series *const *)a)->key,
                  (*(const struct model_series *const *)b)->key);
}

static void
model_ask(struct model *m, const struct label_filter *f, const char *what)
{
    const struct model_series *found[MODEL_SERIES];
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_hits h;
    uint32_t n = 0;

    for (uint32_t i = 0; i < MODEL_SERIES; i++)
        if (m->s[i].n && label_filter_matches(f, m->s[i].l, m->s[i].n))
            found[n++] = &m->s[i];
    qsort(found, n, sizeof(found[0]), compare_keys);
    cr_assert_eq(labels_select(m->x, f, MODEL_SERIES, &h, err), 0);
    cr_assert_eq(h.n, n, "%s: %u, not %u", what, h.n, n);
    for (uint32_t i = 0; i < n; i++)
        cr_assert(slice_equal(h.p[i].key, slice_of(found[i]->key)), "%s: %s", what, found[i]->key);
    label_hits_free(&h);
}

static const char *
random_expression(struct model *m, char *out, bool positive)
{
    static const char *const forms[] = {
        "n%u=v%u", "n%u=(v%u,v%u)", "n%u=~v%u|v1.", "n%u!=v%u", "n%u!=(v%u,v%u)", "n%u=", "n%u!=",
        "n%u!~v[0-%u]",
    };
    unsigned form = (unsigned)(next_random(&m->seed) % (positive ? 3 : ARRAY_SIZE(forms)));
    unsigned a = (unsigned)(next_random(&m->seed) % 7), b = (unsigned)(next_random(&m->seed) % 10),
             c = (unsigned)(next_random(&m->seed) % 13);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, 32, forms[form], a, b, c);
#pragma GCC diagnostic pop
    return out;
}

static void
model_ask_something(struct model *m)
{
    char text[8][32], err[LABEL_FILTER_ERROR_BYTES], what[300] = "";
    struct slice argv[8];
    struct label_filter *f;
    uint32_t n = 1 + (uint32_t)(next_random(&m->seed) % 4), at = 0;

    argv[at++] = slice_of(random_expression(m, text[0], true));
    for (uint32_t i = 1; i < n; i++)
        argv[at++] = slice_of(random_expression(m, text[i], false));
    if (next_random(&m->seed) % 3 == 0) {
        argv[at++] = SLICE("OR");
        argv[at++] = slice_of(random_expression(m, text[5], false));
        argv[at++] = slice_of(random_expression(m, text[6], true));
    }
    for (uint32_t i = 0; i < at; i++)
        snprintf(what + strlen(what), sizeof(what) - strlen(what), "%s ", argv[i].p);
    cr_assert_eq(label_filter_parse(argv, at, true, &f, err), 0, "%s: %s", what, err);
    model_ask(m, f, what);
    label_filter_free(&f);
}

Test(labels, every_filter_finds_what_the_model_finds)
{
    struct model *m = model_create(88172645463325252);

    for (uint32_t i = 0; i < 20000; i++) {
        model_set(m, (uint32_t)(next_random(&m->seed) % MODEL_SERIES),
                  (uint32_t)(next_random(&m->seed) % (MODEL_LABELS + 1)));
        if (i % 5 == 0)
            model_ask_something(m);
        if (i % 1000 == 0)
            labels_check(m->x);
    }
    for (uint32_t i = 0; i < MODEL_SERIES; i++)
        model_set(m, i, 0);
    labels_check(m->x);
    cr_assert_eq(labels_series(m->x), 0);
    cr_assert_eq(labels_pairs(m->x), 0);
    model_destroy(m);
}

/* What a scan finds, in one string. */
static void
scan_into(char *text, size_t room, const struct labels *x, const struct label_ask *ask)
{
    struct label_scan s = {0};

    *text = 0;
    cr_assert_eq(label_scan_begin(&s, x, ask, NULL), 0);
    while (!label_scan_step(&s, x, ask, 0))
        ;
    for (uint32_t i = 0; i < s.list.n; i++) {
        struct slice w = label_list_at(&s.list, i);

        snprintf(text + strlen(text), room - strlen(text), "%.*s ", (int)w.n, w.p);
    }
    label_scan_fini(&s);
}

static const struct label_ask all_names = {.of = LABEL_SCAN_NAMES, .bytes_max = SIZE_MAX};

static struct label_ask
values_of(struct slice name)
{
    return (struct label_ask){.of = LABEL_SCAN_VALUES, .name = name, .bytes_max = SIZE_MAX};
}

Test(labels, labels_of_a_series_come_back_in_their_order)
{
    const struct series_label l[] = {{SLICE("b"), SLICE("1")}, {SLICE("a"), SLICE("2")},
                              {SLICE("b"), SLICE("3")}, {SLICE("b"), SLICE("1")}};
    struct slice key = SLICE("k"), value;
    struct arena *a;
    struct labels *x;
    struct label_ask of_b = values_of(SLICE("b"));
    char names[100], values[100];
    uint32_t id;

    cr_assert_eq(arena_create(&a), 0);
    x = labels_create(a);
    labels_set(x, key, head_hash(key), l, 4);
    labels_check(x);
    cr_assert(labels_find(x, key, head_hash(key), &id));
    cr_assert_eq(labels_of(x, id), 4);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert(slice_equal(labels_at(x, id, i).name, l[i].name));
        cr_assert(slice_equal(labels_at(x, id, i).value, l[i].value));
    }
    cr_assert(labels_value(x, id, SLICE("b"), &value) && slice_equal(value, SLICE("1")));
    cr_assert_not(labels_value(x, id, SLICE("c"), &value));
    scan_into(names, sizeof(names), x, &all_names);
    scan_into(values, sizeof(values), x, &of_b);
    cr_assert_str_eq(names, "a b ");
    cr_assert_str_eq(values, "1 3 ");
    labels_remove(x, key, head_hash(key));
    cr_assert_not(labels_find(x, key, head_hash(key), &id));
    labels_check(x);
    labels_destroy(&x);
    arena_destroy(&a);
}

static void
bear(struct labels *x, uint32_t i, const char *own)
{
    char key_text[16];
    struct series_label l[] = {{SLICE("datacentre"), SLICE("a value that is long enough to be seen")},
                               {SLICE("own"), slice_of(own)}};
    struct slice key;

    snprintf(key_text, sizeof(key_text), "k%u", i);
    key = slice_of(key_text);
    labels_set(x, key, head_hash(key), l, *own ? 2 : 0);
    if (*own) {
        cr_assert_eq(labels_list(x, key, head_hash(key), NULL), 2);
        cr_assert_eq(labels_list(x, key, head_hash(key), l), 2);
        cr_assert(slice_equal(l[1].value, slice_of(own)));
    } else {
        cr_assert_eq(labels_list(x, key, head_hash(key), NULL), 0);
    }
}

/* Many series come, are altered, and go; what they leave. */
static size_t
come_and_go(struct labels *x, struct arena *a)
{
    enum { MANY = 3 * 1024 + 5 };
    char own[16];

    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(own, sizeof(own), "v%u", i);
        bear(x, i, own);
    }
    cr_assert_eq(labels_pairs(x), MANY + 1);
    for (uint32_t i = 0; i < MANY; i++)
        bear(x, i, i % 2 ? "odd" : "even");
    cr_assert_eq(labels_pairs(x), 3, "those that nobody bears any more are gone");
    labels_check(x);
    for (uint32_t i = 0; i < MANY; i++)
        bear(x, i, "");
    labels_check(x);
    cr_assert_eq(labels_pairs(x), 0);
    cr_assert_eq(labels_series(x), 0);
    return arena_bytes(a) + labels_outer_bytes(x);
}

Test(labels, memory_of_labels_that_nobody_bears_comes_back)
{
    struct arena *a;
    struct labels *x;
    size_t empty, first;

    cr_assert_eq(arena_create(&a), 0);
    x = labels_create(a);
    empty = arena_bytes(a) + labels_outer_bytes(x);
    first = come_and_go(x, a);
    cr_assert_leq(first, empty + 64 * KIB, "%zu bytes, %zu when it was new", first, empty);
    cr_assert_leq(come_and_go(x, a), first);
    labels_destroy(&x);
    cr_assert_eq(arena_bytes(a), 0);
    arena_destroy(&a);
}

Test(labels, thousands_of_names_are_told_apart)
{
    enum { NAMES = 17000 }; /* their numbers take one to three bytes before a value */
    char text[16], key_text[16];
    struct arena *a;
    struct labels *x;
    uint32_t id;

    cr_assert_eq(arena_create(&a), 0);
    x = labels_create(a);
    for (uint32_t i = 0; i < NAMES; i++) {
        struct series_label l = {.value = SLICE("1")};
        struct slice key;

        snprintf(text, sizeof(text), "n%u", i);
        snprintf(key_text, sizeof(key_text), "k%u", i);
        l.name = slice_of(text);
        key = slice_of(key_text);
        labels_set(x, key, head_hash(key), &l, 1);
        cr_assert(labels_find(x, key, head_hash(key), &id));
        cr_assert(slice_equal(labels_at(x, id, 0).name, l.name));
        cr_assert(slice_equal(labels_at(x, id, 0).value, l.value));
    }
    cr_assert_eq(labels_pairs(x), NAMES);
    labels_check(x);
    labels_destroy(&x);
    cr_assert_eq(arena_bytes(a), 0);
    arena_destroy(&a);
}

Test(labels, a_label_stands_once_however_many_series_bear_it)
{
    enum { MANY = 4000, LONG = 1000 };
    char text[LONG + 1];
    struct arena *a;
    struct labels *x;
    size_t before;

    memset(text, 'v', LONG);
    text[LONG] = '\0';
    cr_assert_eq(arena_create(&a), 0);
    x = labels_create(a);
    bear(x, 0, text);
    before = arena_bytes(a);
    for (uint32_t i = 1; i < MANY; i++)
        bear(x, i, text);
    cr_assert_eq(labels_pairs(x), 2);
    cr_assert_leq(arena_bytes(a) + labels_outer_bytes(x) - before, MANY * 128);
    cr_assert_geq(arena_bytes(a) - before, MANY * 2 * sizeof(uint32_t));
    labels_destroy(&x);
    cr_assert_eq(arena_bytes(a), 0);
    arena_destroy(&a);
}

/* --- filters ---------------------------------------------------------------------------------- */

static void
expect_filter(const char *text, bool extended, const char *error)
{
    char copy[200], err[LABEL_FILTER_ERROR_BYTES] = "";
    struct label_filter *f = NULL;
    struct slice argv[16];
    uint32_t n = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *at = strtok(copy, " "); at; at = strtok(NULL, " "))
        argv[n++] = slice_of(at);
    if (label_filter_parse(argv, n, extended, &f, err) == 0)
        cr_assert_null(error, "%s", text);
    else
        cr_assert(error && strcmp(err, error) == 0, "%s: %s", text, err);
    label_filter_free(&f);
}

Test(labels, filters_are_refused_in_the_words_of_redis)
{
    static const char bad[] = "ERR TSDB: failed parsing labels";
    static const char none[] = "ERR TSDB: please provide at least one matcher";
    static const char or_place[] = "ERR TSDB: OR stands between two filter expressions";

    expect_filter("a=1", false, NULL);
    expect_filter("a=(1,2) b= c!= d!=3 e!=(4)", false, NULL);
    expect_filter("a", false, bad);
    expect_filter("bad(", false, bad);
    expect_filter("a=(1", false, bad);
    expect_filter("=", false, bad);
    expect_filter("a!=1", false, none);
    expect_filter("a=", false, none);
    expect_filter("a!= b!=(1)", false, none);
    expect_filter("a=1 OR b=2", false, bad);
    expect_filter("a=1 OR b=2", true, NULL);
    expect_filter("a=1 or b!=2", true, none);
    expect_filter("OR a=1", true, or_place);
    expect_filter("a=1 OR", true, or_place);
    expect_filter("a=1 OR OR b=1", true, or_place);
    expect_filter("a=~x.*", true, NULL);
    expect_filter("a!~x.*", true, none);
    expect_filter("a=~(", true,
                  "ERR TSDB: regular expression '(': missing closing parenthesis at byte 1");
}

Test(labels, pattern_of_many_steps_is_given_up)
{
    struct series_label l = {SLICE("a"), SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")};
    struct slice argv[] = {SLICE("a=~(a*)*c|(a|aa)+(a|aa)+x")}, key = SLICE("k");
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_filter *f;
    struct label_hits h;
    struct arena *a;
    struct labels *x;

    cr_assert_eq(arena_create(&a), 0);
    x = labels_create(a);
    labels_set(x, key, head_hash(key), &l, 1);
    cr_assert_eq(label_filter_parse(argv, 1, true, &f, err), 0, "%s", err);
    cr_assert_eq(labels_select(x, f, 10, &h, err), -ETIME);
    cr_assert_eq(h.n, 0);
    label_filter_free(&f);
    labels_destroy(&x);
    arena_destroy(&a);
}

Test(labels, more_hits_than_the_limit_are_refused)
{
    struct slice argv[] = {SLICE("n1=(v0,v1,v2,v3,v4,v5,v6,v7,v8,v9,v10,v11)")};
    struct model *m = model_create(1);
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_filter *f;
    struct label_hits h;

    for (uint32_t i = 0; i < MODEL_SERIES; i++)
        model_set(m, i, MODEL_LABELS);
    cr_assert_eq(label_filter_parse(argv, 1, false, &f, err), 0);
    cr_assert_eq(labels_select(m->x, f, 10, &h, err), -E2BIG);
    cr_assert_str_eq(err,
                     "ERR TSDB: the filter finds more than 10 series: ask for less at once");
    label_filter_free(&f);
    model_destroy(m);
}

struct kept {
    struct labels *x;
    struct arena *arena;
};

static struct kept
kept_create(void)
{
    struct kept k;

    cr_assert_eq(arena_create(&k.arena), 0);
    k.x = labels_create(k.arena);
    return k;
}

static void
kept_destroy(struct kept *k)
{
    labels_check(k->x);
    labels_destroy(&k->x);
    arena_destroy(&k->arena);
}

/* --- taken down in slices --------------------------------------------------------------------- */

static void
numbered(struct labels *x, uint32_t i, const char *value)
{
    struct series_label l = {SLICE("n"), slice_of(value)};
    char key_text[24];
    struct slice key;

    /* several orders of magnitude, so that keys differ in length and the common start is short */
    snprintf(key_text, sizeof(key_text), "key:%u", i * 2654435761u >> (i % 20));
    key = slice_of(key_text);
    labels_set(x, key, head_hash(key), &l, *value ? 1 : 0);
}

static void
assert_scan_equals_select(const struct label_scan *s, const struct labels *x,
                          const struct label_filter *f)
{
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_hits h;

    cr_assert_eq(labels_select(x, f, UINT32_MAX, &h, err), 0);
    cr_assert_eq(s->list.n, h.n, "%u, not %u", s->list.n, h.n);
    for (uint32_t i = 0; i < h.n; i++)
        cr_assert(slice_equal(label_list_at(&s->list, i), h.p[i].key), "place %u", i);
    label_hits_free(&h);
}

static struct label_ask
keys_of(const struct label_filter *f)
{
    return (struct label_ask){
        .of = LABEL_SCAN_KEYS, .filter = f, .series_max = UINT32_MAX, .bytes_max = SIZE_MAX};
}

Test(labels, a_scan_in_slices_finds_what_a_selection_does)
{
    static const uint32_t sizes[] = {0, 1, 2, 511, 1023, 1024, 1025, 2048, 2049, 3072, 5000, 20000};
    struct slice argv[] = {SLICE("n=a")};
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_filter *f;
    struct label_ask ask;

    cr_assert_eq(label_filter_parse(argv, 1, false, &f, err), 0);
    ask = keys_of(f);
    for (uint32_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        struct label_scan s = {0};
        struct kept kept = kept_create();
        unsigned steps = 1;

        for (uint32_t i = 0; i < sizes[k]; i++)
            numbered(kept.x, i, "a");
        cr_assert_eq(label_scan_begin(&s, kept.x, &ask, err), 0);
        for (; !label_scan_step(&s, kept.x, &ask, 0); steps++)
            ;
        cr_assert(steps > 1 || sizes[k] < 512 || labels_series(kept.x) < 512);
        assert_scan_equals_select(&s, kept.x, f);
        label_scan_fini(&s);
        kept_destroy(&kept);
    }
    label_filter_free(&f);
}

Test(labels, a_scan_leaves_out_what_does_not_fit_any_more)
{
    struct slice argv[] = {SLICE("n=a")};
    char err[LABEL_FILTER_ERROR_BYTES];
    struct kept kept = kept_create();
    struct label_scan s = {0};
    struct label_filter *f;
    struct label_ask ask;

    cr_assert_eq(label_filter_parse(argv, 1, false, &f, err), 0);
    ask = keys_of(f);
    for (uint32_t i = 0; i < 6000; i++)
        numbered(kept.x, i, "a");
    cr_assert_eq(label_scan_begin(&s, kept.x, &ask, err), 0);
    for (uint32_t i = 0; i < 6000; i++) /* before anything is copied: gone, another, and new ones */
        if (i % 3 < 2)
            numbered(kept.x, i, i % 3 ? "b" : "");
    for (uint32_t i = 10000; i < 10100; i++)
        numbered(kept.x, i, "b");
    while (!label_scan_step(&s, kept.x, &ask, 0))
        ;
    assert_scan_equals_select(&s, kept.x, f);
    label_scan_fini(&s);
    /* the whole index goes between two slices */
    cr_assert_eq(label_scan_begin(&s, kept.x, &ask, err), 0);
    cr_assert_not(label_scan_step(&s, kept.x, &ask, 0));
    while (!label_scan_step(&s, NULL, &ask, 0))
        ;
    cr_assert_leq(s.list.n, 512);
    label_scan_fini(&s);
    label_filter_free(&f);
    kept_destroy(&kept);
}

#define WORDS 3000
#define KINDS 7

/* Series i bears n = i, and one of KINDS kinds; `own` 0: nothing. */
static void
worded(struct labels *x, uint32_t i, uint32_t own)
{
    char key_text[24], own_text[24], kind_text[24];
    struct series_label l[2];
    struct slice key;

    snprintf(key_text, sizeof(key_text), "key:%u", i);
    snprintf(own_text, sizeof(own_text), "%05u", own);
    snprintf(kind_text, sizeof(kind_text), "kind%u", i % KINDS);
    key = slice_of(key_text);
    l[0] = (struct series_label){SLICE("n"), slice_of(own_text)};
    l[1] = (struct series_label){slice_of(kind_text), SLICE("x")};
    labels_set(x, key, head_hash(key), l, own ? 2 : 0);
}

/* One step of the scan, then a change: series `at` takes a new value, its old one goes; another one
 * goes and comes. */
static void
disturb(struct labels *x, uint32_t at)
{
    worded(x, at % 1000, 10000 + at);
    worded(x, 1000 + at % 500, 0);
    worded(x, 1000 + at % 500, 20000 + at);
}

/* What series 2000 to 2999 bear stays all the time: it is there, once, and all in order. */
static void
assert_words_hold(const struct label_list *l)
{
    uint32_t stayed = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        struct slice w = label_list_at(l, i);

        if (i > 0) {
            struct slice before = label_list_at(l, i - 1);

            cr_assert_lt(memcmp(before.p, w.p, MIN(before.n, w.n)), 0, "place %u", i);
        }
        stayed += w.n == 5 && memcmp(w.p, "02", 2) == 0;
    }
    cr_assert_eq(stayed, 1000);
}

Test(labels, words_that_stay_are_found_once_whatever_changes_between_slices)
{
    struct slice argv[] = {SLICE("n!="), SLICE("kind0=x"), SLICE("OR"), SLICE("n=~.*")};
    char err[LABEL_FILTER_ERROR_BYTES];
    struct label_filter *f;

    cr_assert_eq(label_filter_parse(argv, 4, true, &f, err), 0);
    for (uint32_t k = 0; k < 4; k++) {
        struct label_ask ask = values_of(SLICE("n"));
        struct kept kept = kept_create();
        struct label_scan s = {0};
        unsigned steps = 0;

        ask.filter = k / 2 ? f : NULL;
        ask.series_max = UINT32_MAX;
        for (uint32_t i = 0; i < WORDS; i++)
            worded(kept.x, i, i ? i : WORDS);
        cr_assert_eq(label_scan_begin(&s, kept.x, &ask, err), 0);
        for (; !label_scan_step(&s, kept.x, &ask, 0); steps++)
            if (k % 2)
                disturb(kept.x, steps);
        cr_assert_gt(steps, 5);
        assert_words_hold(&s.list);
        cr_assert(k % 2 || s.list.n == WORDS, "%u values", s.list.n);
        label_scan_fini(&s);
        kept_destroy(&kept);
    }
    label_filter_free(&f);
}

Test(labels, names_are_those_of_the_series_that_a_filter_finds)
{
    struct slice argv[] = {SLICE("n=(00001,00002,00009)")};
    char err[LABEL_FILTER_ERROR_BYTES], text[200];
    struct label_ask ask = all_names;
    struct kept kept = kept_create();
    struct label_filter *f;

    for (uint32_t i = 1; i < 50; i++)
        worded(kept.x, i, i);
    scan_into(text, sizeof(text), kept.x, &ask);
    cr_assert_str_eq(text, "kind0 kind1 kind2 kind3 kind4 kind5 kind6 n ");
    cr_assert_eq(label_filter_parse(argv, 1, false, &f, err), 0);
    ask.filter = f;
    ask.series_max = 3;
    scan_into(text, sizeof(text), kept.x, &ask);
    cr_assert_str_eq(text, "kind1 kind2 n ");
    ask = values_of(SLICE("kind1"));
    ask.filter = f;
    ask.series_max = 3;
    scan_into(text, sizeof(text), kept.x, &ask);
    cr_assert_str_eq(text, "x ");
    scan_into(text, sizeof(text), NULL, &all_names);
    cr_assert_str_eq(text, "");
    label_filter_free(&f);
    kept_destroy(&kept);
}

Test(labels, a_list_that_is_too_long_is_given_up)
{
    struct label_ask ask = values_of(SLICE("n"));
    struct kept kept = kept_create();
    struct label_scan s = {0};

    for (uint32_t i = 1; i < WORDS; i++)
        worded(kept.x, i, i);
    ask.bytes_max = 1000 * (5 + 4 + sizeof(struct label_place));
    cr_assert_eq(label_scan_begin(&s, kept.x, &ask, NULL), 0);
    while (!label_scan_step(&s, kept.x, &ask, 0))
        ;
    cr_assert(s.too_long && s.list.n == 0);
    label_scan_fini(&s);
    kept_destroy(&kept);
}

/* --- rows of the store ------------------------------------------------------------------------ */

Test(labels, row_of_a_record_makes_the_same_record)
{
    const struct series_label l[] = {{SLICE("area"), SLICE("a0")}, {SLICE("empty"), SLICE("")}};
    struct slice key = SLICE("k");
    uint64_t hash = head_hash(key);
    struct kept one = kept_create(), two = kept_create();
    struct buf row = {0};
    uint32_t id;

    labels_set(one.x, key, hash, l, 2);
    cr_assert(labels_capture(one.x, key, hash, &row));
    labels_settle(one.x, key, hash, true);
    cr_assert_not(labels_capture(one.x, key, hash, &row));
    cr_assert(labels_load(two.x, key, hash, (struct slice){row.p, row.n}));
    cr_assert(labels_find(two.x, key, hash, &id));
    cr_assert_eq(labels_of(two.x, id), 2);
    cr_assert(slice_equal(labels_at(two.x, id, 0).value, SLICE("a0")));
    cr_assert_not(labels_capture(two.x, key, hash, &row)); /* the row is there */
    for (size_t n = 0; n < row.n; n++)
        cr_assert_not(labels_load(two.x, key, hash, (struct slice){row.p, n}), "cut at %zu", n);
    buf_fini(&row);
    kept_destroy(&one);
    kept_destroy(&two);
}

Test(labels, row_goes_after_its_labels)
{
    const struct series_label l[] = {{SLICE("a"), SLICE("1")}}, m[] = {{SLICE("a"), SLICE("2")}};
    struct slice key = SLICE("k");
    uint64_t hash = head_hash(key);
    struct kept k = kept_create();
    struct buf row = {0};

    /* never stored: nothing is left */
    labels_set(k.x, key, hash, l, 1);
    labels_remove(k.x, key, hash);
    cr_assert_not(labels_capture(k.x, key, hash, &row));
    /* changed while it is stored: stored again; the failed attempt counts for nothing */
    labels_set(k.x, key, hash, l, 1);
    cr_assert(labels_capture(k.x, key, hash, &row));
    labels_set(k.x, key, hash, m, 1);
    labels_settle(k.x, key, hash, true);
    cr_assert(labels_capture(k.x, key, hash, &row));
    labels_settle(k.x, key, hash, false);
    cr_assert(labels_capture(k.x, key, hash, &row));
    labels_settle(k.x, key, hash, true);
    cr_assert_not(labels_capture(k.x, key, hash, &row));
    /* gone: the row must go; gone while stored, too */
    labels_set(k.x, key, hash, l, 1);
    row.n = 0;
    cr_assert(labels_capture(k.x, key, hash, &row));
    cr_assert(row.n > 0);
    labels_remove(k.x, key, hash);
    labels_settle(k.x, key, hash, true);
    row.n = 0;
    cr_assert(labels_capture(k.x, key, hash, &row));
    cr_assert_eq(row.n, 0);
    labels_settle(k.x, key, hash, true);
    cr_assert_not(labels_capture(k.x, key, hash, &row));
    buf_fini(&row);
    kept_destroy(&k);
}

/* Metadata of a series: as bytes and back, as a copy, and what is refused. */
#include "shards/series/series_meta.h"

#include "shards/series/series.h"
#include "shards/series/series_row.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct series_label labels[] = {
    {SLICE("area"), SLICE("north")}, {SLICE("kind"), SLICE("")}, {SLICE("area"), SLICE("b\0c")}};
static const struct series_rule rules[] = {
    {SLICE("dest:avg"), 3, 60000, 0, INT64_MIN}, {SLICE(""), 14, 1, INT64_MAX, -5}};

static struct series_meta
full(void)
{
    return (struct series_meta){
        .retention = INT64_MAX, .ignore_time = 7, .ignore_value = 0.25, .chunk_bytes = 128,
        .policy = DUPLICATE_KEEP, .uncompressed = true, .has_source = true, .labels_n = 3,
        .rules_n = 2, .labels = labels, .rules = rules, .source = SLICE("src")};
}

static void
assert_round_trip(const struct series_meta *m)
{
    struct buf b = {0};
    struct series_meta back;
    char *exact;

    series_meta_write(&b, m);
    cr_assert_leq(b.n, series_meta_size(m));
    exact = malloc(b.n);
    memcpy(exact, b.p, b.n);
    cr_assert(series_meta_parse((struct slice){exact, b.n}, &back));
    cr_assert(series_meta_equal(m, &back));
    series_meta_parsed_fini(&back);
    for (size_t n = 0; n < b.n; n++)
        cr_assert_not(series_meta_parse((struct slice){exact, n}, &back), "cut at %zu", n);
    exact[0]++;
    cr_assert_not(series_meta_parse((struct slice){exact, b.n}, &back), "a later version");
    free(exact);
    buf_fini(&b);
}

Test(series_meta, bytes_give_the_same_back_and_a_part_of_them_nothing)
{
    struct series_meta m = full();

    assert_round_trip(&series_meta_default);
    assert_round_trip(&m);
    m.has_source = false;
    m.rules_n = 0;
    m.ignore_time = 0;
    m.policy = SERIES_POLICY_UNSET;
    assert_round_trip(&m);
}

Test(series_meta, every_field_tells_two_apart)
{
    struct series_meta a = full(), b;

#define DIFFERS(change)                                                                            \
    do {                                                                                           \
        b = full();                                                                                \
        change;                                                                                    \
        cr_assert_not(series_meta_equal(&a, &b), #change);                                         \
    } while (0)
    DIFFERS(b.retention = 1);
    DIFFERS(b.ignore_time = 8);
    DIFFERS(b.ignore_value = 0.5);
    DIFFERS(b.chunk_bytes = 4096);
    DIFFERS(b.policy = DUPLICATE_LAST);
    DIFFERS(b.uncompressed = false);
    DIFFERS(b.has_source = false);
    DIFFERS(b.source = SLICE("other"));
    DIFFERS(b.labels_n = 2);
    DIFFERS(b.rules_n = 1);
    cr_assert(series_meta_is_default(&series_meta_default));
    cr_assert_not(series_meta_is_default(&a));
}

Test(series_meta, a_key_takes_a_copy_without_labels_and_counts_its_bytes)
{
    struct series_meta m = full(), less = m, only = series_meta_default;
    struct slice value;
    struct arena *a;
    struct series_key *k;
    size_t plain;

    cr_assert_eq(arena_create(&a), 0);
    k = series_key_create(a);
    plain = arena_bytes(a);
    cr_assert(series_meta_is_default(series_key_settings(k)));
    series_set_meta(a, k, &m);
    less.labels_n = 0;
    cr_assert(series_meta_equal(series_key_settings(k), &less));
    cr_assert_neq(series_key_settings(k)->rules, m.rules);
    cr_assert_eq(arena_bytes(a) - plain, k->bytes);
    cr_assert(series_meta_label(&m, SLICE("area"), &value));
    cr_assert(slice_equal(value, SLICE("north")), "the first of a name");
    cr_assert_not(series_meta_label(&m, SLICE("AREA"), &value));
    cr_assert_eq(series_meta_rule(k->meta, SLICE("dest:avg")), 0);
    cr_assert_eq(series_meta_rule(k->meta, SLICE("dest")), -1);
    m = *k->meta; /* changed from itself */
    m.retention = 77;
    series_set_meta(a, k, &m);
    cr_assert_eq(k->meta->retention, 77);
    cr_assert_eq(k->meta->rules_n, 2);
    m = full();
    only.labels = m.labels;
    only.labels_n = m.labels_n;
    series_set_meta(a, k, &only);
    cr_assert_null(k->meta, "labels alone take no memory of the key");
    cr_assert_eq(arena_bytes(a), plain);
    series_set_meta(a, k, &m);
    series_key_destroy(a, &k);
    cr_assert_eq(arena_bytes(a), 0);
    arena_destroy(&a);
}

Test(series_meta, a_row_carries_it_and_a_string_row_cannot)
{
    struct series_meta m = full(), back;
    struct buf row = {0};
    struct row_head head;
    struct slice payload;

    series_row_head_write(&row, 77, &m);
    buf_append_lit(&row, "rest");
    cr_assert(row_head_parse((struct slice){row.p, row.n}, &head, &payload));
    cr_assert_eq(head.expire_ms, 77);
    cr_assert(slice_equal(payload, SLICE("rest")));
    cr_assert(series_meta_parse(head.meta, &back));
    cr_assert(series_meta_equal(&m, &back));
    series_meta_parsed_fini(&back);
    row.p[1] = 0;
    cr_assert_not(row_head_parse((struct slice){row.p, row.n}, &head, &payload));
    row.n = 0;
    series_row_head_write(&row, 0, &series_meta_default);
    cr_assert_eq(row.n, 3, "the defaults take no room");
    cr_assert(row_head_parse((struct slice){row.p, row.n}, &head, &payload));
    cr_assert_eq(head.meta.n, 0);
    buf_fini(&row);
}

/* Whole ranges of rows dropped: by tables, and row by row. */
#include "store_fixture.h"

#include <dirent.h>

#define ROWS_MANY 200000

Test(store_drop, hides_older_rows_and_no_newer_ones)
{
    struct store_fixture f;

    fixture_init(&f);
    for (int round = 0; round < 3; round++) {
        fixture_put(&f, "a", "out");
        fixture_put(&f, "b", "in");
        fixture_put(&f, "c", "in");
        fixture_put(&f, "d", "out");
        if (round == 1)
            store_compact_all(f.s);
        cr_assert_eq(store_delete_range(f.s, SLICE("b"), SLICE("d"), &f.err), 0, "%s", f.err.text);
        fixture_expect(&f, "a", "out");
        fixture_expect(&f, "b", NULL);
        fixture_expect(&f, "c", NULL);
        fixture_expect(&f, "d", "out");
        fixture_put(&f, "c", "new");
        fixture_expect(&f, "c", "new");
        fixture_reopen(&f);
        fixture_expect(&f, "b", NULL);
        fixture_expect(&f, "c", "new");
        if (round == 2)
            store_compact_all(f.s);
        fixture_expect(&f, "a", "out");
        fixture_expect(&f, "b", NULL);
        fixture_expect(&f, "c", "new");
        fixture_expect(&f, "d", "out");
    }
    fixture_fini(&f);
}

static uint64_t
sst_bytes(struct store_fixture *f)
{
    struct store_stats st;

    store_compact_all(f->s); /* and nothing goes on by itself */
    store_get_stats(f->s, &st);
    return st.sst_bytes;
}

static void
expect_tables(struct store_fixture *f, unsigned want)
{
    struct dirent *entry;
    DIR *d = opendir(f->dir);
    unsigned n = 0;

    cr_assert_not_null(d);
    while ((entry = readdir(d)))
        n += strstr(entry->d_name, ".sst") != NULL;
    closedir(d);
    cr_assert_eq(n, want, "%u tables, not %u", n, want);
}

/* A table for each pair of rows; no compaction is due. */
static void
put_pairs(struct store_fixture *f, const char *first)
{
    for (; *first; first++) {
        struct store_batch *b = store_batch_create(f->s);

        store_batch_put(b, (struct slice){(char[]){*first, '0'}, 2}, SLICE("v"));
        store_batch_put(b, (struct slice){(char[]){*first, '9'}, 2}, SLICE("v"));
        cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
        store_batch_destroy(&b);
    }
}

Test(store_drop, takes_whole_tables_out)
{
    struct store_fixture f;
    struct store_iter *it;

    fixture_init(&f);
    put_pairs(&f, "abcde");
    expect_tables(&f, 5);
    it = store_iter_open(f.s, SLICE("b"), SLICE("d"), false, true);
    cr_assert_eq(store_delete_range(f.s, SLICE("b"), SLICE("d"), &f.err), 0, "%s", f.err.text);
    store_iter_first(it);
    for (unsigned i = 0; i < 4; i++, store_iter_next(it))
        cr_assert(store_iter_valid(it), "what was open before sees them");
    cr_assert_not(store_iter_valid(it));
    store_iter_close(&it);
    for (int i = 0; i < 2; i++) {
        cr_assert_not(store_has_ranges(f.s));
        fixture_expect(&f, "a9", "v");
        fixture_expect(&f, "b0", NULL);
        fixture_expect(&f, "c9", NULL);
        fixture_expect(&f, "d0", "v");
        fixture_reopen(&f);
        expect_tables(&f, 3);
    }
    fixture_fini(&f);
}

/* What a table has beyond the range stays, be it the very key where the range ends. */
Test(store_drop, takes_no_table_that_has_more)
{
    static const char *const ends[][2] = {{"b", "c9"}, {"b", "c0\x01"}, {"b0", "c9"}, {"b\xff\xff", "c9\x01"}};
    struct store_fixture f;

    for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
        struct slice lower = slice_of(ends[i][0]), upper = slice_of(ends[i][1]);

        fixture_init(&f);
        put_pairs(&f, "abcd");
        cr_assert_eq(store_delete_range(f.s, lower, upper, &f.err), 0, "%s", f.err.text);
        cr_assert_not(store_has_ranges(f.s));
        fixture_expect(&f, "a9", "v");
        fixture_expect(&f, "b0", i < 3 ? NULL : "v");
        fixture_expect(&f, "b9", i < 3 ? NULL : "v");
        fixture_expect(&f, "c0", NULL);
        fixture_expect(&f, "c9", i < 3 ? "v" : NULL);
        fixture_expect(&f, "d0", "v");
        fixture_fini(&f);
    }
}

/* More of them than are kept in memory. */
Test(store_drop, deletes_the_rows_of_a_table_that_has_more)
{
    struct store_fixture f;
    struct store_stats st;
    unsigned left = 0;

    fixture_init(&f);
    fixture_fill(&f, ROWS_MANY, "v");
    cr_assert_eq(store_delete_range(f.s, SLICE("key:00000010"), SLICE("key:00199990"), &f.err), 0, "%s", f.err.text);
    cr_assert_not(store_has_ranges(f.s));
    for (int i = 0; i < 2; i++) {
        struct store_iter *it = store_iter_open(f.s, SLICE("key:"), SLICE("key;"), false, true);

        left = 0;
        for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
            left++;
        cr_assert_eq(store_iter_status(it, &f.err), 0);
        store_iter_close(&it);
        cr_assert_eq(left, 20);
        store_compact_all(f.s);
    }
    store_get_stats(f.s, &st);
    cr_assert_lt(st.sst_bytes, 64 * KIB);
    fixture_fini(&f);
}

Test(store_drop, without_rows_makes_no_table)
{
    struct store_fixture f;
    struct store_stats st;
    uint64_t bytes;

    fixture_init(&f);
    fixture_put(&f, "m", "1");
    fixture_put(&f, "x", "1");
    cr_assert_eq(store_delete_range(f.s, SLICE("p"), SLICE("z"), &f.err), 0, "%s", f.err.text);
    fixture_expect(&f, "x", NULL);
    bytes = sst_bytes(&f);
    cr_assert_gt(bytes, 0);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(store_delete_range(f.s, SLICE("a"), SLICE("c"), &f.err), 0);
        cr_assert_eq(store_delete_range(f.s, SLICE("p"), SLICE("z"), &f.err), 0);
    }
    store_get_stats(f.s, &st);
    cr_assert_eq(st.sst_bytes, bytes);
    cr_assert_eq(st.l0_files, 0);
    fixture_expect(&f, "m", "1");
    fixture_fini(&f);
}

Test(store_drop, of_nothing_changes_nothing)
{
    struct store_fixture f;

    fixture_init(&f);
    cr_assert_eq(store_delete_range(f.s, SLICE("a"), SLICE("z"), &f.err), 0, "%s", f.err.text);
    fixture_put(&f, "m", "1");
    cr_assert_eq(store_delete_range(f.s, SLICE("m"), SLICE("m"), &f.err), 0, "%s", f.err.text);
    cr_assert_eq(store_delete_range(f.s, SLICE("z"), SLICE("a"), &f.err), 0, "%s", f.err.text);
    fixture_expect(&f, "m", "1");
    fixture_fini(&f);
}

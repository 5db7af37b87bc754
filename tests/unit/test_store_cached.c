/* Cached reads: what they answer, and that they never read from the disk. The kernel counts a
 * thread's read calls (syscr in /proc/thread-self/io); a cached read must not move that counter. */
#include "store_fixture.h"

#include <fcntl.h>

#define ROWS 20000
#define VALUE_BYTES 100

static long
read_calls(void)
{
    char text[512] = {0};
    int fd = open("/proc/thread-self/io", O_RDONLY);
    const char *at;

    cr_assert_geq(fd, 0);
    cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    at = strstr(text, "syscr: ");
    cr_assert(at);
    return strtol(at + strlen("syscr: "), NULL, 10);
}

/* Read calls since `before`, less the one that read_calls itself makes. */
static long
read_calls_since(long before)
{
    return read_calls() - before - 1;
}

static void
put_rows(struct store_fixture *f, uint64_t seed)
{
    struct store_batch *b = store_batch_create(f->s);
    char key[32], value[VALUE_BYTES];

    for (unsigned i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < sizeof(value); j++)
            value[j] = (char)fixture_random(&seed);
        snprintf(key, sizeof(key), "row:%06u", i);
        store_batch_put(b, slice_of(key), (struct slice){value, sizeof(value)});
    }
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

/* Open again with an empty block cache of that size. */
static void
cool_down(struct store_fixture *f, uint64_t cache_bytes)
{
    store_close(&f->s);
    store_env_destroy(&f->env);
    f->env = fixture_env(cache_bytes);
    fixture_open(f);
}

static int
get_cached(struct store_fixture *f, unsigned i, const char *suffix)
{
    struct store_value v;
    char key[32];
    int r;

    snprintf(key, sizeof(key), "row:%06u%s", i, suffix);
    r = store_get_cached(f->s, slice_of(key), &v);
    if (r == 1) {
        cr_assert_eq(v.v.n, VALUE_BYTES);
        store_value_put(&v);
    }
    return r;
}

static void
get_blocking(struct store_fixture *f, unsigned i)
{
    struct store_value v;
    char key[32];

    snprintf(key, sizeof(key), "row:%06u", i);
    cr_assert_eq(store_get(f->s, slice_of(key), &v, &f->err), 1);
    store_value_put(&v);
}

Test(store_cached, get_says_again_until_a_blocking_read_has_been_there)
{
    struct store_fixture f;
    long before;

    fixture_init(&f);
    put_rows(&f, 1);
    cool_down(&f, 32 * MIB);
    before = read_calls();
    for (unsigned i = 0; i < ROWS; i += 500)
        cr_assert_eq(get_cached(&f, i, ""), -EAGAIN, "row %u", i);
    cr_assert_eq(read_calls_since(before), 0);
    before = read_calls();
    for (unsigned i = 0; i < ROWS; i += 500)
        get_blocking(&f, i);
    cr_assert_gt(read_calls_since(before), 0, "the counter works");
    before = read_calls();
    for (unsigned i = 0; i < ROWS; i += 500)
        cr_assert_eq(get_cached(&f, i, ""), 1, "row %u", i);
    cr_assert_eq(read_calls_since(before), 0);
    fixture_fini(&f);
}

Test(store_cached, absent_rows_are_known_without_reading)
{
    struct store_fixture f;
    unsigned absent = 0, again = 0;
    long before;

    fixture_init(&f);
    put_rows(&f, 1);
    put_rows(&f, 2);
    cool_down(&f, 32 * MIB);
    before = read_calls();
    for (unsigned i = 0; i < ROWS; i++) {
        int r = get_cached(&f, i, "x");

        cr_assert(r == 0 || r == -EAGAIN);
        *(r == 0 ? &absent : &again) += 1;
    }
    cr_assert_eq(read_calls_since(before), 0);
    cr_assert_gt(absent, ROWS / 100 * 97, "%u of %u", absent, ROWS);
    cr_assert_gt(again, 0, "bloom filters are sometimes wrong, and then it says so");
    fixture_fini(&f);
}

Test(store_cached, a_tiny_cache_evicts_rows_but_no_filters)
{
    struct store_fixture f;
    unsigned absent = 0, found = 0;
    long before;

    fixture_init(&f);
    put_rows(&f, 1);
    cool_down(&f, 256 * KIB);
    for (unsigned i = 0; i < ROWS; i += 100)
        get_blocking(&f, i);
    before = read_calls();
    for (unsigned i = 0; i < ROWS; i++) {
        absent += get_cached(&f, i, "x") == 0;
        found += get_cached(&f, i, "") == 1;
    }
    cr_assert_eq(read_calls_since(before), 0);
    cr_assert_gt(absent, ROWS / 100 * 98);
    cr_assert_lt(found, ROWS / 2);
    fixture_fini(&f);
}

Test(store_cached, rows_under_a_range_tombstone_are_known_to_be_gone)
{
    struct store_fixture f;
    long before;

    fixture_init(&f);
    put_rows(&f, 1);
    fixture_put_range_tombstone(&f, "row:001000", "row:019000");
    cool_down(&f, 32 * MIB);
    before = read_calls();
    for (unsigned i = 1000; i < 19000; i++)
        cr_assert_eq(get_cached(&f, i, ""), 0, "row %u", i);
    cr_assert_eq(get_cached(&f, 999, ""), -EAGAIN);
    cr_assert_eq(get_cached(&f, 19000, ""), -EAGAIN);
    cr_assert_eq(read_calls_since(before), 0);
    fixture_fini(&f);
}

static unsigned
walk(struct store_fixture *f, bool cached_only, bool fill_cache, bool forward, int *ret_status)
{
    struct store_iter *it =
        store_iter_open(f->s, SLICE("row:"), SLICE("row;"), cached_only, fill_cache);
    unsigned n = 0;

    if (forward)
        for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
            n++;
    else
        for (store_iter_last(it); store_iter_valid(it); store_iter_prev(it))
            n++;
    *ret_status = store_iter_status(it, NULL);
    store_iter_close(&it);
    return n;
}

Test(store_cached, iterator_says_again_until_the_range_is_cached)
{
    struct store_fixture f;
    int status;
    long before;

    fixture_init(&f);
    put_rows(&f, 1);
    cool_down(&f, 32 * MIB);
    for (int forward = 0; forward < 2; forward++) {
        before = read_calls();
        cr_assert_eq(walk(&f, true, true, forward, &status), 0);
        cr_assert_eq(status, -EAGAIN);
        cr_assert_eq(read_calls_since(before), 0);
    }
    cr_assert_eq(walk(&f, false, false, true, &status), ROWS);
    cr_assert_eq(status, 0);
    cr_assert_eq(walk(&f, true, true, true, &status), 0, "that walk left the cache alone");
    cr_assert_eq(status, -EAGAIN);
    cr_assert_eq(walk(&f, false, true, true, &status), ROWS);
    for (int forward = 0; forward < 2; forward++) {
        before = read_calls();
        cr_assert_eq(walk(&f, true, true, forward, &status), ROWS);
        cr_assert_eq(status, 0);
        cr_assert_eq(read_calls_since(before), 0);
    }
    fixture_fini(&f);
}

Test(store_cached, iterator_stops_where_the_cache_ends)
{
    struct store_fixture f;
    struct store_iter *it;
    unsigned n = 0;

    fixture_init(&f);
    put_rows(&f, 1);
    cool_down(&f, 32 * MIB);
    for (unsigned i = 0; i < ROWS / 2; i += 50)
        get_blocking(&f, i);
    it = store_iter_open(f.s, SLICE("row:"), SLICE("row;"), true, true);
    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
        n++;
    cr_assert_eq(store_iter_status(it, NULL), -EAGAIN);
    cr_assert_geq(n, ROWS / 2 - 50);
    cr_assert_lt(n, ROWS / 2 + 500);
    store_iter_seek(it, SLICE("row:015000"));
    cr_assert_not(store_iter_valid(it));
    cr_assert_eq(store_iter_status(it, NULL), -EAGAIN);
    store_iter_seek(it, SLICE("row:000100"));
    cr_assert(store_iter_valid(it), "a seek back to what is cached works again");
    store_iter_close(&it);
    fixture_fini(&f);
}

Test(store_cached, a_commit_is_visible_at_once)
{
    struct store_fixture f;
    struct store_value v;

    fixture_init(&f);
    for (int i = 0; i < 50; i++) {
        char value[16];

        snprintf(value, sizeof(value), "%d", i);
        fixture_put(&f, "k", value);
        if (store_get_cached(f.s, SLICE("k"), &v) == 1) {
            cr_assert(slice_equal(v.v, slice_of(value)));
            store_value_put(&v);
        }
        fixture_delete(&f, "k");
        cr_assert_neq(store_get_cached(f.s, SLICE("k"), &v), 1);
    }
    fixture_fini(&f);
}

#define SIDE_ROWS 1000

/* Rows PREFIX000000 and on in one commit: tables of the same level where nothing of them is there yet. */
static void
put_side(struct store_fixture *f, const char *prefix)
{
    struct store_batch *b = store_batch_create(f->s);
    uint64_t seed = 3;
    char key[32], value[VALUE_BYTES];

    for (unsigned i = 0; i < SIDE_ROWS; i++) {
        for (size_t j = 0; j < sizeof(value); j++)
            value[j] = (char)fixture_random(&seed);
        snprintf(key, sizeof(key), "%s%06u", prefix, i);
        store_batch_put(b, slice_of(key), (struct slice){value, sizeof(value)});
    }
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

/* Rows within the bounds, forward or backward, from `from` on where that is not NULL; *ret_rc = why it ended. */
static unsigned
walk_rows(struct store_fixture *f, const char *lower, const char *upper, const char *from, bool cached_only, bool back,
     int *ret_rc)
{
    struct store_iter *it = store_iter_open(f->s, slice_of(lower), slice_of(upper), cached_only, true);
    unsigned n = 0;

    if (from)
        store_iter_seek_back(it, slice_of(from));
    else if (back)
        store_iter_last(it);
    else
        store_iter_first(it);
    for (; store_iter_valid(it); back ? store_iter_prev(it) : store_iter_next(it))
        n++;
    *ret_rc = store_iter_status(it, &f->err);
    store_iter_close(&it);
    return n;
}

/* Nothing of the other table is in the cache. */
static void
expect_cold_end(struct store_fixture *f)
{
    int rc;

    cool_down(f, 32 * MIB);
    cr_assert_eq(walk_rows(f, "a", "b", NULL, false, false, &rc), SIDE_ROWS);
    cr_assert_eq(walk_rows(f, "a", "c", NULL, true, false, &rc), SIDE_ROWS);
    cr_assert_eq(rc, -EAGAIN);
    cr_assert_eq(walk_rows(f, "a", "c", "a000500", true, false, &rc), SIDE_ROWS - 500);
    cr_assert_eq(rc, -EAGAIN);
    cool_down(f, 32 * MIB);
    cr_assert_eq(walk_rows(f, "b", "c", NULL, false, true, &rc), SIDE_ROWS);
    walk_rows(f, "a", "c", NULL, true, true, &rc);
    cr_assert_eq(rc, -EAGAIN);
}

Test(store_cached, a_table_that_is_not_cached_does_not_end_the_level)
{
    struct store_fixture f;
    int rc;

    fixture_init(&f);
    put_side(&f, "a");
    put_side(&f, "b");
    expect_cold_end(&f);
    /* While there are range tombstones nothing is left out either. */
    put_side(&f, "d");
    fixture_put_range_tombstone(&f, "d000100", "d000200");
    for (int i = 0; i < 2; i++) {
        cool_down(&f, 32 * MIB);
        cr_assert_eq(walk_rows(&f, "a", "e", NULL, i, false, &rc), 3 * SIDE_ROWS - 100);
        cr_assert_eq(rc, 0);
        cool_down(&f, 32 * MIB);
        cr_assert_eq(walk_rows(&f, "a", "e", NULL, i, true, &rc), 3 * SIDE_ROWS - 100);
        cr_assert_eq(rc, 0);
    }
    /* And it is as before when they are gone. */
    store_compact_all(f.s);
    fixture_put(&f, "f", "1");
    cr_assert_eq(walk_rows(&f, "d", "e", NULL, false, false, &rc), SIDE_ROWS - 100);
    cool_down(&f, 32 * MIB);
    walk_rows(&f, "a", "e", NULL, true, false, &rc);
    cr_assert_eq(rc, -EAGAIN);
    fixture_fini(&f);
}

/* Whether a table goes with it, or rows of one do. */
Test(store_cached, a_range_that_was_deleted_makes_no_cached_read_wait)
{
    struct store_fixture f;
    long before;
    int rc;

    fixture_init(&f);
    for (const char *side = "abcd"; *side; side++)
        put_side(&f, (char[]){*side, 0});
    cr_assert_eq(store_delete_range(f.s, SLICE("b"), SLICE("c000100"), &f.err), 0, "%s", f.err.text);
    for (int i = 0; i < 2; i++) {
        cool_down(&f, 32 * MIB);
        before = read_calls();
        cr_assert_eq(walk_rows(&f, "a", "e", NULL, true, i, &rc), 0);
        cr_assert_eq(rc, -EAGAIN);
        cr_assert_eq(read_calls_since(before), 0);
        cr_assert_eq(walk_rows(&f, "a", "e", NULL, false, i, &rc), 3 * SIDE_ROWS - 100);
        cr_assert_eq(rc, 0);
        cr_assert_eq(walk_rows(&f, "a", "e", NULL, true, i, &rc), 3 * SIDE_ROWS - 100);
        cr_assert_eq(rc, 0);
    }
    fixture_fini(&f);
}

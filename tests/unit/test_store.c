#include "store_fixture.h"

#include <dirent.h>

#define ROWS_MANY 200000
#define BIG_BYTES (8 * MIB)

static void
expect_all(struct store_fixture *f, unsigned n, const char *generation)
{
    char key[32], value[64];

    for (unsigned i = 0; i < n; i++) {
        fixture_row_key(key, sizeof(key), i);
        snprintf(value, sizeof(value), "%s-%u", generation, i);
        fixture_expect(f, key, value);
    }
}

Test(store, many_rows_are_there_after_reopen_and_overwrite)
{
    struct store_fixture f;

    fixture_init(&f);
    fixture_fill(&f, ROWS_MANY, "first");
    expect_all(&f, ROWS_MANY, "first");
    fixture_reopen(&f);
    expect_all(&f, ROWS_MANY, "first");
    fixture_fill(&f, ROWS_MANY, "second");
    fixture_reopen(&f);
    expect_all(&f, ROWS_MANY, "second");
    store_compact_all(f.s);
    expect_all(&f, ROWS_MANY, "second");
    fixture_expect(&f, "key:", NULL);
    fixture_expect(&f, "zzz", NULL);
    fixture_fini(&f);
}

static unsigned
files_in(const char *dir)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    cr_assert(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

Test(store, opening_again_and_again_leaves_no_files_behind)
{
    struct store_fixture f;
    unsigned early;

    fixture_init(&f);
    for (unsigned i = 0; i < 3; i++) {
        fixture_put(&f, "k", "v");
        store_compact_all(f.s);
        fixture_reopen(&f);
    }
    early = files_in(f.dir);
    for (unsigned i = 0; i < 10; i++) {
        fixture_put(&f, "k", "v");
        store_compact_all(f.s);
        fixture_reopen(&f);
    }
    cr_assert_leq(files_in(f.dir), early + 4, "a compaction removes its tables in its own time");
    fixture_expect(&f, "k", "v");
    fixture_fini(&f);
}

Test(store, empty_batch_and_empty_value_are_fine)
{
    struct store_fixture f;
    struct store_batch *b;

    fixture_init(&f);
    b = store_batch_create(f.s);
    cr_assert_eq(store_batch_commit(b, &f.err), 0);
    cr_assert_eq(store_batch_bytes(b), 0);
    store_batch_put(b, SLICE("k"), SLICE(""));
    cr_assert_gt(store_batch_bytes(b), 0);
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    fixture_expect(&f, "k", "");
    fixture_fini(&f);
}

Test(store, last_operation_on_a_key_wins)
{
    struct store_fixture f;
    struct store_batch *b;

    fixture_init(&f);
    fixture_put(&f, "gone", "old");
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("z"), SLICE("1"));
    store_batch_put(b, SLICE("a"), SLICE("1"));
    store_batch_put(b, SLICE("a"), SLICE("2"));
    store_batch_delete(b, SLICE("gone"));
    store_batch_put(b, SLICE("back"), SLICE("1"));
    store_batch_delete(b, SLICE("back"));
    store_batch_put(b, SLICE("back"), SLICE("2"));
    store_batch_put(b, SLICE("away"), SLICE("1"));
    store_batch_delete(b, SLICE("away"));
    store_batch_put(b, SLICE("z"), SLICE("2"));
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    fixture_expect(&f, "a", "2");
    fixture_expect(&f, "z", "2");
    fixture_expect(&f, "gone", NULL);
    fixture_expect(&f, "back", "2");
    fixture_expect(&f, "away", NULL);
    fixture_fini(&f);
}

Test(store, a_batch_that_is_spilled_becomes_visible_at_once)
{
    struct store_fixture f;
    struct store_batch *b;
    char key[16];

    fixture_init(&f);
    fixture_put(&f, "k000", "old");
    fixture_put(&f, "k150", "old");
    b = store_batch_create(f.s);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "k%03u", i ^ 1); /* in order by the spills only */
        if (i == 150)
            store_batch_delete(b, slice_of("k150"));
        else if (i != 151)
            store_batch_put(b, slice_of(key), slice_of(key));
        if (i % 100 == 99)
            cr_assert_eq(store_batch_spill(b, &f.err), 0, "%s", f.err.text);
    }
    cr_assert_eq(store_batch_rows(b), 0);
    fixture_expect(&f, "k000", "old");
    fixture_expect(&f, "k299", NULL);
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "k%03u", i);
        fixture_expect(&f, key, i == 150 || i == 151 ? NULL : key);
    }
    store_batch_put(b, SLICE("a"), SLICE("below all"));
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    fixture_expect(&f, "a", "below all");
    fixture_fini(&f);
}

Test(store, a_spilled_batch_that_is_given_up_leaves_nothing)
{
    struct store_fixture f;
    struct store_batch *b;
    unsigned before;

    fixture_init(&f);
    fixture_put(&f, "a", "old");
    before = files_in(f.dir);
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("a"), SLICE("new"));
    cr_assert_eq(store_batch_spill(b, &f.err), 0, "%s", f.err.text);
    cr_assert_gt(files_in(f.dir), before);
    store_batch_destroy(&b);
    cr_assert_eq(files_in(f.dir), before);
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("b"), SLICE("new"));
    cr_assert_eq(store_batch_spill(b, &f.err), 0, "%s", f.err.text);
    store_batch_put(b, SLICE("a"), SLICE("not above what was spilled"));
    cr_assert_lt(store_batch_commit(b, &f.err), 0);
    store_batch_destroy(&b);
    cr_assert_eq(files_in(f.dir), before);
    fixture_reopen(&f);
    fixture_expect(&f, "a", "old");
    fixture_expect(&f, "b", NULL);
    fixture_fini(&f);
}

Test(store, delete_rows_spares_what_the_batch_puts)
{
    struct store_fixture f;
    struct store_batch *b;

    fixture_init(&f);
    for (const char *k = "abcdefgh"; *k; k++)
        fixture_put(&f, (char[]){*k, 0}, "old");
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("c"), SLICE("before"));
    store_batch_put(b, SLICE("e"), SLICE("never"));
    store_batch_delete(b, SLICE("e"));
    cr_assert_eq(store_batch_delete_rows(b, SLICE("b"), SLICE("g"), &f.err), 0);
    store_batch_put(b, SLICE("d"), SLICE("after"));
    store_batch_put(b, SLICE("cc"), SLICE("new"));
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    fixture_expect(&f, "a", "old");
    fixture_expect(&f, "b", NULL);
    fixture_expect(&f, "c", "before");
    fixture_expect(&f, "cc", "new");
    fixture_expect(&f, "d", "after");
    fixture_expect(&f, "e", NULL);
    fixture_expect(&f, "f", NULL);
    fixture_expect(&f, "g", "old");
    fixture_expect(&f, "h", "old");
    fixture_fini(&f);
}

Test(store, big_values_come_back_whole)
{
    struct store_fixture f;
    struct store_batch *b;
    struct store_value v;
    char *big = malloc(BIG_BYTES);
    uint64_t seed = 1;

    for (size_t i = 0; i < BIG_BYTES; i += 8)
        memcpy(big + i, &(uint64_t){fixture_random(&seed)}, 8);
    fixture_init(&f);
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("big2"), (struct slice){big, BIG_BYTES});
    store_batch_put(b, SLICE("big1"), (struct slice){big, BIG_BYTES - 1});
    store_batch_put(b, SLICE("small"), SLICE("x"));
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    fixture_reopen(&f);
    cr_assert_eq(store_get(f.s, SLICE("big1"), &v, &f.err), 1);
    cr_assert(slice_equal(v.v, (struct slice){big, BIG_BYTES - 1}));
    store_value_put(&v);
    cr_assert_eq(store_get(f.s, SLICE("big2"), &v, &f.err), 1);
    cr_assert(slice_equal(v.v, (struct slice){big, BIG_BYTES}));
    store_value_put(&v);
    fixture_expect(&f, "small", "x");
    fixture_fini(&f);
    free(big);
}

static void
expect_cached(struct store_fixture *f, const char *key, int rc)
{
    struct store_value v;

    cr_assert_eq(store_get_cached(f->s, slice_of(key), &v), rc, "%s", key);
    if (rc == 1)
        store_value_put(&v);
}

/* A small row that shares its block with a value larger than the cache. */
Test(store, a_block_that_is_held_stays_in_a_cache_too_small_for_it)
{
    char *big = calloc(1, BIG_BYTES);
    struct store_hold *held = NULL, *more = NULL;
    struct store_fixture f;
    struct store_batch *b;
    struct store_value v;
    struct store_iter *it;

    fixture_init(&f);
    fixture_put(&f, "another", "x");
    b = store_batch_create(f.s);
    store_batch_put(b, SLICE("k1"), SLICE("small"));
    store_batch_put(b, SLICE("k2"), (struct slice){big, BIG_BYTES});
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    store_close(&f.s);
    store_env_destroy(&f.env);
    f.env = fixture_env(1 * MIB);
    fixture_open(&f);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(store_get(f.s, SLICE("k1"), &v, &f.err), 1);
        store_value_put(&v);
        expect_cached(&f, "k1", -EAGAIN);
        if (round == 0) {
            it = store_iter_open_holding(f.s, SLICE("k1"), SLICE("k3"));
            store_iter_first(it);
            store_iter_next(it);
            cr_assert(store_iter_valid(it));
            store_iter_next(it);
            store_hold_iter(&more, it);
        } else {
            cr_assert_eq(store_get(f.s, SLICE("k1"), &v, &f.err), 1);
            store_hold_value(&more, v);
        }
        store_hold_join(&held, &more);
        cr_assert_null(more);
        expect_cached(&f, "k1", 1);
        expect_cached(&f, "k2", 1);
        store_hold_release(&held);
        cr_assert_null(held);
        expect_cached(&f, "k1", -EAGAIN);
    }
    fixture_fini(&f);
    free(big);
}

static void
expect_walk(struct store_iter *it, bool forward, const char *keys)
{
    for (; *keys; keys++) {
        cr_assert(store_iter_valid(it), "at %c", *keys);
        cr_assert_eq(store_iter_key(it).n, 1);
        cr_assert_eq(*store_iter_key(it).p, *keys, "%c, not %c", *store_iter_key(it).p, *keys);
        cr_assert(slice_equal(store_iter_value(it), SLICE("v")));
        if (forward)
            store_iter_next(it);
        else
            store_iter_prev(it);
    }
    cr_assert_not(store_iter_valid(it));
    cr_assert_eq(store_iter_status(it, NULL), 0);
}

Test(store, iterators_keep_within_their_bounds)
{
    struct store_fixture f;
    struct store_iter *it;

    fixture_init(&f);
    for (const char *k = "bdfhjl"; *k; k++)
        fixture_put(&f, (char[]){*k, 0}, "v");
    it = store_iter_open(f.s, SLICE("d"), SLICE("j"), false, true);
    store_iter_first(it);
    expect_walk(it, true, "dfh");
    store_iter_last(it);
    expect_walk(it, false, "hfd");
    store_iter_seek(it, SLICE("e"));
    expect_walk(it, true, "fh");
    store_iter_seek(it, SLICE("a"));
    expect_walk(it, true, "dfh");
    store_iter_seek(it, SLICE("i"));
    expect_walk(it, true, "");
    store_iter_seek_back(it, SLICE("g"));
    expect_walk(it, false, "fd");
    store_iter_seek_back(it, SLICE("f"));
    expect_walk(it, false, "fd");
    store_iter_seek_back(it, SLICE("z"));
    expect_walk(it, false, "hfd");
    store_iter_seek_back(it, SLICE("c"));
    expect_walk(it, false, "");
    store_iter_close(&it);
    it = store_iter_open(f.s, (struct slice){0}, (struct slice){0}, false, true);
    store_iter_first(it);
    expect_walk(it, true, "bdfhjl");
    store_iter_close(&it);
    fixture_fini(&f);
}

Test(store, iterator_is_a_snapshot)
{
    struct store_fixture f;
    struct store_iter *it;

    fixture_init(&f);
    for (const char *k = "abcd"; *k; k++)
        fixture_put(&f, (char[]){*k, 0}, "v");
    it = store_iter_open(f.s, SLICE("a"), SLICE("z"), false, true);
    fixture_put(&f, "b", "changed");
    fixture_put(&f, "bb", "new");
    fixture_delete(&f, "c");
    cr_assert_eq(store_delete_range(f.s, SLICE("d"), SLICE("e"), &f.err), 0, "%s", f.err.text);
    store_compact_all(f.s);
    store_iter_first(it);
    expect_walk(it, true, "abcd");
    store_iter_close(&it);
    fixture_expect(&f, "b", "changed");
    fixture_expect(&f, "d", NULL);
    fixture_fini(&f);
}

/* The store against a plain array, through every way of writing, with compactions in between. */
enum { MODEL_KEYS = 300, MODEL_STEPS = 1200 };

static void
model_key(char out[8], unsigned i)
{
    snprintf(out, 8, "m%05u", i);
}

static void
model_batch(struct store_fixture *f, unsigned *model, uint64_t *seed, unsigned step)
{
    struct store_batch *b = store_batch_create(f->s);
    unsigned n = (unsigned)(fixture_random(seed) % 20);
    char key[8], value[16];

    for (unsigned i = 0; i < n; i++) {
        unsigned at = (unsigned)(fixture_random(seed) % MODEL_KEYS);

        model_key(key, at);
        model[at] = fixture_random(seed) % 4 ? step : 0;
        snprintf(value, sizeof(value), "%u", step);
        if (model[at])
            store_batch_put(b, slice_of(key), slice_of(value));
        else
            store_batch_delete(b, slice_of(key));
    }
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

static void
model_delete_range(struct store_fixture *f, unsigned *model, uint64_t *seed)
{
    unsigned from = (unsigned)(fixture_random(seed) % MODEL_KEYS);
    unsigned n = (unsigned)(fixture_random(seed) % 40), to = MIN(from + n, MODEL_KEYS - 1);
    char lower[8], upper[8];

    model_key(lower, from);
    model_key(upper, to);
    cr_assert_eq(store_delete_range(f->s, slice_of(lower), slice_of(upper), &f->err), 0, "%s",
                 f->err.text);
    for (; from < to; from++)
        model[from] = 0;
}

static void
model_compare(struct store_fixture *f, const unsigned *model)
{
    struct store_iter *it = store_iter_open(f->s, SLICE("m"), SLICE("n"), false, true);
    char key[8], value[16];

    store_iter_first(it);
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        model_key(key, i);
        snprintf(value, sizeof(value), "%u", model[i]);
        fixture_expect(f, key, model[i] ? value : NULL);
        if (!model[i])
            continue;
        cr_assert(store_iter_valid(it) && slice_equal(store_iter_key(it), slice_of(key)));
        cr_assert(slice_equal(store_iter_value(it), slice_of(value)));
        store_iter_next(it);
    }
    cr_assert_not(store_iter_valid(it));
    store_iter_close(&it);
}

Test(store, equals_a_plain_array_after_every_mix_of_writes)
{
    static unsigned model[MODEL_KEYS];
    struct store_fixture f;
    uint64_t seed = 20240229;

    fixture_init(&f);
    for (unsigned step = 1; step <= MODEL_STEPS; step++) {
        unsigned dice = (unsigned)(fixture_random(&seed) % 100);

        if (dice < 85)
            model_batch(&f, model, &seed, step);
        else if (dice < 98)
            model_delete_range(&f, model, &seed);
        else if (dice == 98)
            store_compact_all(f.s);
        else
            fixture_reopen(&f);
        if (step % 25 == 0)
            model_compare(&f, model);
    }
    fixture_fini(&f);
}

/* Keys that differ in length, in trailing zeros, late or not at all: what sorting may get wrong. */
enum { SORT_OPS = 5000 };

static size_t
awkward_key(char *out, uint64_t *seed)
{
    size_t n = 1 + fixture_random(seed) % 12;

    for (size_t i = 0; i < n; i++)
        out[i] = "\0\0\0\1a\377"[fixture_random(seed) % 6];
    return n;
}

Test(store, rows_come_out_in_the_order_of_their_bytes)
{
    struct store_fixture f;
    struct store_batch *b;
    struct store_iter *it;
    char key[12], before[12] = {0}, value[16];
    size_t n, before_n = 0, rows = 0;
    uint64_t seed = 5;

    fixture_init(&f);
    b = store_batch_create(f.s);
    for (unsigned i = 0; i < SORT_OPS; i++) {
        n = awkward_key(key, &seed);
        snprintf(value, sizeof(value), "%u", i);
        store_batch_put(b, (struct slice){key, n}, slice_of(value));
    }
    cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
    store_batch_destroy(&b);
    it = store_iter_open(f.s, (struct slice){0}, (struct slice){0}, false, true);
    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it), rows++) {
        struct slice k = store_iter_key(it);
        int c = memcmp(before, k.p, MIN(before_n, k.n));

        cr_assert(c < 0 || (c == 0 && before_n < k.n), "row %zu", rows);
        memcpy(before, k.p, k.n);
        before_n = k.n;
    }
    store_iter_close(&it);
    cr_assert(rows > SORT_OPS / 2 && rows < SORT_OPS, "%zu rows, some keys twice", rows);
    /* No value is older than the operation that is looked at. */
    seed = 5;
    for (unsigned i = 0; i < SORT_OPS; i++) {
        struct store_value v;

        n = awkward_key(key, &seed);
        cr_assert_eq(store_get(f.s, (struct slice){key, n}, &v, &f.err), 1);
        snprintf(value, sizeof(value), "%.*s", (int)v.v.n, v.v.p);
        cr_assert_geq(strtoul(value, NULL, 10), i, "the last one wins");
        store_value_put(&v);
    }
    fixture_fini(&f);
}

Test(store, two_stores_share_an_environment_and_nothing_else)
{
    struct store_fixture f, g;
    char dir[96];

    fixture_init(&f);
    g = f;
    snprintf(dir, sizeof(dir), "%s/other", f.base);
    g.options.dir = dir;
    fixture_open(&g);
    fixture_put(&f, "k", "one");
    fixture_put(&g, "k", "two");
    fixture_put(&g, "only", "two");
    fixture_expect(&f, "k", "one");
    fixture_expect(&f, "only", NULL);
    fixture_expect(&g, "k", "two");
    store_close(&f.s);
    fixture_expect(&g, "k", "two");
    store_close(&g.s);
    fixture_fini(&f);
}

static const char filter_argument[] = "argument";

/* Every row whose key ends in 'x' is replaced. */
static int
filter_x(void *arg, struct slice key, struct slice value, char *ret_value, size_t *ret_n)
{
    cr_assert_eq(arg, (void *)filter_argument);
    if (key.n == 0 || key.p[key.n - 1] != 'x')
        return 0;
    memcpy(ret_value, "was:", 4);
    memcpy(ret_value + 4, value.p, MIN(value.n, 60));
    *ret_n = 4 + MIN(value.n, 60);
    return 1;
}

Test(store, filter_sees_every_row_of_a_full_compaction)
{
    struct store_fixture f;

    fixture_init(&f);
    f.options.filter = filter_x;
    f.options.filter_arg = (void *)filter_argument;
    fixture_reopen(&f);
    fixture_put(&f, "a", "1");
    fixture_put(&f, "ax", "2");
    fixture_put(&f, "bx", "3");
    fixture_delete(&f, "bx");
    fixture_put(&f, "cx", "");
    store_compact_all(f.s);
    fixture_expect(&f, "a", "1");
    fixture_expect(&f, "ax", "was:2");
    fixture_expect(&f, "bx", NULL);
    fixture_expect(&f, "cx", "was:");
    store_compact_all(f.s);
    fixture_expect(&f, "ax", "was:was:2");
    fixture_fini(&f);
}

Test(store, every_compression_reads_back)
{
    static const enum store_compression all[] = {STORE_COMPRESSION_NONE, STORE_COMPRESSION_LZ4,
                                                 STORE_COMPRESSION_ZSTD};
    uint64_t bytes[ARRAY_SIZE(all)];
    struct store_stats stats;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        struct store_fixture f;

        fixture_init(&f);
        f.options.compression = all[i];
        fixture_reopen(&f);
        fixture_fill(&f, 20000, "value-that-repeats-and-repeats");
        store_compact_all(f.s);
        expect_all(&f, 20000, "value-that-repeats-and-repeats");
        store_get_stats(f.s, &stats);
        bytes[i] = stats.sst_bytes;
        fixture_fini(&f);
    }
    cr_assert_gt(bytes[0], bytes[1] * 3 / 2, "LZ4 compresses");
    cr_assert_gt(bytes[1], bytes[2], "Zstandard compresses more");
}

Test(store, stats_tell_size_rows_and_level_0)
{
    struct store_fixture f;
    struct store_stats stats;

    fixture_init(&f);
    store_get_stats(f.s, &stats);
    cr_assert_eq(stats.sst_bytes, 0);
    fixture_fill(&f, 10000, "x");
    fixture_fill(&f, 10000, "y");
    store_get_stats(f.s, &stats);
    cr_assert_gt(stats.sst_bytes, 10000);
    cr_assert_gt(stats.table_readers_bytes, 10000 * 10 / 8, "filters are in memory");
    cr_assert_geq(stats.l0_files, 1, "the second file lies above the first");
    store_compact_all(f.s);
    store_get_stats(f.s, &stats);
    cr_assert_eq(stats.l0_files, 0);
    cr_assert_eq(stats.live_keys_estimate, 10000);
    cr_assert_eq(stats.background_errors, 0);
    cr_assert_not(stats.write_stopped);
    cr_assert_not(store_is_stalled(f.s));
    fixture_fini(&f);
}

Test(store, stats_follow_what_happens_in_the_background)
{
    struct store_fixture f;
    struct store_stats stats;

    fixture_init(&f);
    for (int i = 0; i < 5; i++)
        fixture_fill(&f, 1000, "x");
    /* Four tables lie above the first one: RocksDB compacts them on its own. */
    for (int i = 0; i < 1200; i++) {
        store_get_stats(f.s, &stats);
        if (stats.l0_files < 2)
            break;
        usleep(50000);
    }
    cr_assert_lt(stats.l0_files, 2);
    fixture_fini(&f);
}

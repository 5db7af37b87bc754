/* Tables that cannot be read, in part or at all. */
#include "store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Rows 000000 and on, with values that do not compress, in one commit. */
static void
put_random(struct store_fixture *f, unsigned rows, unsigned value_n)
{
    struct store_batch *b = store_batch_create(f->s);
    uint64_t seed = 7;
    char key[32], *value = malloc(value_n);

    for (unsigned i = 0; i < rows; i++) {
        for (unsigned j = 0; j < value_n; j++)
            value[j] = (char)fixture_random(&seed);
        snprintf(key, sizeof(key), "%06u", i);
        store_batch_put(b, slice_of(key), (struct slice){value, value_n});
    }
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
    free(value);
}

Test(store_damage, damage_in_a_table_is_an_error_and_no_value)
{
    struct store_fixture f;
    struct store_iter *it;
    struct store_value v;
    char path[512];
    int fd;

    fixture_init(&f);
    put_random(&f, 5000, 100);
    store_close(&f.s);
    store_env_destroy(&f.env);
    fixture_find_file(f.dir, ".sst", path);
    fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, "damage", 6, 200000), 6);
    close(fd);
    f.env = fixture_env(MIB);
    fixture_open(&f);
    cr_assert_eq(store_get(f.s, SLICE("000001"), &v, &f.err), 1, "other blocks are fine");
    store_value_put(&v);
    it = store_iter_open(f.s, SLICE("0"), SLICE("1"), false, true);
    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
        ;
    cr_assert_eq(store_iter_status(it, &f.err), -EIO);
    cr_assert(strstr(f.err.text, "checksum mismatch"), "%s", f.err.text);
    store_iter_close(&it);
    f.err.text[0] = '\0';
    for (unsigned i = 0, bad = 0; !bad; i++) {
        char key[32];
        int r;

        cr_assert_lt(i, 5000);
        snprintf(key, sizeof(key), "%06u", i);
        r = store_get(f.s, slice_of(key), &v, &f.err);
        bad = r != 1;
        cr_assert_eq(r, bad ? -EIO : 1);
        if (r == 1)
            store_value_put(&v);
    }
    cr_assert(strstr(f.err.text, "checksum mismatch"), "%s", f.err.text);
    fixture_fini(&f);
}

/* The largest table of the directory. */
static void
largest_file(const char *dir, char path[512])
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    off_t most = -1;
    struct stat st;

    cr_assert(d);
    while ((entry = readdir(d)))
        if (strstr(entry->d_name, ".sst") && fstatat(dirfd(d), entry->d_name, &st, 0) == 0 && st.st_size > most) {
            most = st.st_size;
            snprintf(path, 512, "%s/%s", dir, entry->d_name);
        }
    closedir(d);
}

/* Six bytes of the only table of a closed store, and what stood there before. */
struct damage {
    char path[512];
    off_t at;
    char was[6];
};

static void
damage_write(const struct damage *d, const char *bytes)
{
    int fd = open(d->path, O_WRONLY);

    cr_assert_eq(pwrite(fd, bytes, sizeof(d->was), d->at), (ssize_t)sizeof(d->was));
    close(fd);
}

/* 5,000 rows, some of which cannot be read. */
static void
damaged_fixture(struct store_fixture *f, struct damage *d, off_t at)
{
    int fd;

    fixture_init(f);
    put_random(f, 5000, 100);
    store_close(&f->s);
    fixture_find_file(f->dir, ".sst", d->path);
    d->at = at;
    fd = open(d->path, O_RDONLY);
    cr_assert_eq(pread(fd, d->was, sizeof(d->was), at), (ssize_t)sizeof(d->was));
    close(fd);
    damage_write(d, "damage");
    store_env_destroy(&f->env); /* the cache has it as it was */
    f->env = fixture_env(MIB);
    fixture_open(f);
}

static unsigned
count_rows(struct store_fixture *f, const char *lower, const char *upper, int *ret_rc)
{
    struct store_iter *it = store_iter_open(f->s, slice_of(lower), slice_of(upper), false, true);
    unsigned n = 0;

    for (store_iter_first(it); store_iter_valid(it); store_iter_next(it))
        n++;
    *ret_rc = store_iter_status(it, &f->err);
    store_iter_close(&it);
    return n;
}

/* A row at the end of the range, found from behind. */
static void
expect_last(struct store_fixture *f, const char *lower, const char *upper, const char *want)
{
    struct store_iter *it = store_iter_open(f->s, slice_of(lower), slice_of(upper), false, true);

    store_iter_last(it);
    cr_assert(store_iter_valid(it), "%d", store_iter_status(it, &f->err));
    cr_assert(slice_equal(store_iter_key(it), slice_of(want)));
    store_iter_close(&it);
}

static void
delete_unreadable(struct store_fixture *f, bool spill)
{
    struct store_batch *b = store_batch_create(f->s);

    store_batch_put(b, SLICE("001000"), SLICE("before the range"));
    store_batch_put(b, SLICE("001500"), SLICE("before the call"));
    cr_assert_eq(store_batch_delete_rows(b, SLICE("001001"), SLICE("004000"), &f->err), 0);
    if (spill)
        cr_assert_eq(store_batch_spill(b, &f->err), 0, "%s", f->err.text);
    store_batch_put(b, SLICE("003500"), SLICE("after the call"));
    store_batch_put(b, SLICE("004000"), SLICE("behind the range"));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    fixture_expect(f, "004000", "behind the range");
    store_batch_put(b, SLICE("9"), SLICE("another batch"));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

static void
expect_deleted(struct store_fixture *f)
{
    int rc;

    fixture_expect(f, "001000", "before the range");
    fixture_expect(f, "001500", "before the call");
    fixture_expect(f, "001501", NULL);
    fixture_expect(f, "002000", NULL);
    fixture_expect(f, "003500", "after the call");
    fixture_expect(f, "004000", "behind the range");
    fixture_expect(f, "9", "another batch");
    cr_assert_eq(count_rows(f, "001001", "004000", &rc), 2);
    cr_assert_eq(rc, 0, "%s", f->err.text);
    expect_last(f, "001001", "004000", "003500");
    cr_assert_eq(count_rows(f, "0", "9", &rc), 2003);
    cr_assert_eq(rc, 0, "%s", f->err.text);
}

Test(store_damage, rows_that_cannot_be_read_can_be_deleted)
{
    for (int spill = 0; spill < 2; spill++) {
        struct store_fixture f;
        struct damage d;
        int rc;

        damaged_fixture(&f, &d, 200000);
        count_rows(&f, "001001", "004000", &rc);
        cr_assert_eq(rc, -EIO);
        delete_unreadable(&f, spill);
        expect_deleted(&f);
        fixture_reopen(&f);
        expect_deleted(&f);
        /* that compaction sees it in the same way takes tables that can be read */
        store_close(&f.s);
        damage_write(&d, d.was);
        fixture_open(&f);
        store_compact_all(f.s);
        expect_deleted(&f);
        fixture_fini(&f);
    }
}

/* Where a commit begins or ends in what cannot be read, nothing tells how deep it may go. */
Test(store_damage, commits_beside_rows_that_cannot_be_read_are_made)
{
    struct store_fixture f;
    struct damage d;
    unsigned refused = 0;

    damaged_fixture(&f, &d, 200000);
    for (unsigned i = 0; i < 5000; i += 7) {
        char key[32];
        struct store_value v;

        snprintf(key, sizeof(key), "%06u", i);
        if (store_get(f.s, slice_of(key), &v, &f.err) == 1) {
            store_value_put(&v);
            continue;
        }
        refused++;
        fixture_put(&f, key, "anew");
        fixture_expect(&f, key, "anew");
        fixture_delete(&f, key);
        fixture_expect(&f, key, NULL);
        break;
    }
    cr_assert_eq(refused, 1);
    fixture_put(&f, "a", "b");
    fixture_reopen(&f);
    fixture_expect(&f, "a", "b");
    fixture_expect(&f, "000001x", NULL);
    cr_assert_eq(store_delete_range(f.s, SLICE("001001"), SLICE("004000"), &f.err), 0);
    fixture_expect(&f, "002000", NULL);
    fixture_fini(&f);
}

/* More commits than tables may wait for a compaction. */
Test(store_damage, commits_go_on_when_a_compaction_meets_what_cannot_be_read)
{
    struct store_fixture f;
    struct store_error why;
    struct damage d;
    char key[32];

    damaged_fixture(&f, &d, 200000);
    cr_assert_not(store_keeps_tables(f.s, &why));
    fixture_put(&f, "000000", "over the first row");
    store_compact_all(f.s);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "x%u", i);
        fixture_put(&f, key, "1");
        cr_assert_not(store_is_stalled(f.s));
    }
    cr_assert(store_keeps_tables(f.s, &why));
    cr_assert(strstr(why.text, "checksum mismatch") && strstr(why.text, ".sst"), "%s", why.text);
    fixture_reopen(&f);
    cr_assert_not(store_keeps_tables(f.s, &why));
    fixture_put(&f, "y", "2");
    fixture_expect(&f, "000000", "over the first row");
    fixture_expect(&f, "x0", "1");
    fixture_expect(&f, "x39", "1");
    fixture_expect(&f, "y", "2");
    store_close(&f.s);
    damage_write(&d, d.was);
    fixture_open(&f);
    store_compact_all(f.s);
    fixture_put(&f, "z", "3");
    cr_assert_not(store_keeps_tables(f.s, &why));
    fixture_expect(&f, "x39", "1");
    fixture_expect(&f, "000000", "over the first row");
    fixture_fini(&f);
}

Test(store_damage, a_missing_table_refuses_to_open)
{
    struct store_fixture f;
    char path[512];

    fixture_init(&f);
    put_random(&f, 100, 100);
    store_close(&f.s);
    fixture_find_file(f.dir, ".sst", path);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(store_open(&f.s, f.env, &f.options, &f.err), -EIO);
    cr_assert(strstr(f.err.text, "No such file"), "%s", f.err.text);
    fixture_fini(&f);
}

/* Before RocksDB has refused everything it must look healthy: the table file is begun, then the compaction
 * fails. */
Test(store_damage, a_commit_that_a_compaction_met_is_made)
{
    struct store_fixture f;
    struct store_error why;
    struct store_sst sst;
    struct damage d;

    damaged_fixture(&f, &d, 200000);
    fixture_put(&f, "000000", "over the first row");
    cr_assert_eq(store_sst_open(&sst, f.s, 100, &f.err), 0, "%s", f.err.text);
    cr_assert_eq(store_sst_put(&sst, SLICE("000001"), SLICE("on its way"), &f.err), 0);
    store_compact_all(f.s);
    cr_assert_eq(store_sst_ingest(&sst, &f.err), 0, "%s", f.err.text);
    store_sst_close(&sst);
    cr_assert(store_keeps_tables(f.s, &why));
    cr_assert(strstr(why.text, "checksum mismatch"), "%s", why.text);
    fixture_expect(&f, "000001", "on its way");
    fixture_put(&f, "000002", "after it");
    fixture_reopen(&f);
    fixture_expect(&f, "000000", "over the first row");
    fixture_expect(&f, "000001", "on its way");
    fixture_expect(&f, "000002", "after it");
    fixture_fini(&f);
}

/* The same of a table with a range tombstone: what it deletes does not come back. */
Test(store_damage, a_range_tombstone_that_a_compaction_met_deletes)
{
    struct store_fixture f;
    struct store_sst sst;
    struct damage d;
    int rc;

    damaged_fixture(&f, &d, 200000);
    fixture_put(&f, "000000", "over the first row");
    fixture_put(&f, "x1", "goes");
    cr_assert_eq(store_sst_open(&sst, f.s, 100, &f.err), 0, "%s", f.err.text);
    cr_assert_eq(store_sst_delete_range(&sst, SLICE("x"), SLICE("y"), &f.err), 0);
    store_compact_all(f.s);
    cr_assert_eq(store_sst_ingest(&sst, &f.err), 0, "%s", f.err.text);
    store_sst_close(&sst);
    fixture_expect(&f, "x1", NULL);
    cr_assert_eq(count_rows(&f, "x", "y", &rc), 0);
    cr_assert_eq(rc, 0);
    fixture_fini(&f);
}

/* The first block of a table that stands beside another one. */
Test(store_damage, the_beginning_of_a_table_that_cannot_be_read_is_not_left_out)
{
    struct store_fixture f;
    char path[512];
    int fd, rc;

    fixture_init(&f);
    fixture_put(&f, "00", "in a table before the other");
    fixture_put(&f, "9", "in a table behind it");
    put_random(&f, 5000, 100);
    store_close(&f.s);
    store_env_destroy(&f.env);
    largest_file(f.dir, path);
    fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, "damage", 6, 100), 6);
    close(fd);
    f.env = fixture_env(MIB);
    fixture_open(&f);
    count_rows(&f, "0", "99", &rc);
    cr_assert_eq(rc, -EIO);
    fixture_fini(&f);
}

/* A store with a range tombstone and a table whose beginning cannot be read, beside another one. */
static void
left_out_fixture(struct store_fixture *f, struct damage *d)
{
    struct store_batch *b;
    int fd;

    fixture_init(f);
    b = store_batch_create(f->s);
    store_batch_put(b, SLICE("/"), SLICE("before the range, in a table before the other"));
    store_batch_put(b, SLICE("00"), SLICE("in the same table"));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
    fixture_put(f, "x1", "goes");
    put_random(f, 5000, 100);
    fixture_put_range_tombstone(f, "x", "y");
    store_close(&f->s);
    store_env_destroy(&f->env);
    largest_file(f->dir, d->path);
    d->at = 100;
    fd = open(d->path, O_RDONLY);
    cr_assert_eq(pread(fd, d->was, sizeof(d->was), d->at), (ssize_t)sizeof(d->was));
    close(fd);
    damage_write(d, "damage");
    f->env = fixture_env(MIB);
    fixture_open(f);
    cr_assert(store_has_ranges(f->s));
}

/* While there are range tombstones it is, but not by who deletes it. */
Test(store_damage, the_beginning_of_a_table_that_is_left_out_is_deleted)
{
    for (int whole = 0; whole < 2; whole++) {
        struct slice from = SLICE("00"), to = SLICE("004000");
        struct store_fixture f;
        struct store_batch *b;
        struct damage d;
        int rc;

        left_out_fixture(&f, &d);
        b = store_batch_create(f.s);
        rc = whole ? store_delete_range(f.s, from, to, &f.err) : store_batch_delete_rows(b, from, to, &f.err);
        cr_assert_eq(rc, 0, "%s", f.err.text);
        cr_assert_eq(store_batch_commit(b, &f.err), 0, "%s", f.err.text);
        store_batch_destroy(&b);
        store_close(&f.s);
        damage_write(&d, d.was);
        fixture_open(&f);
        cr_assert_eq(count_rows(&f, "/", "99", &rc), 1001);
        cr_assert_eq(rc, 0, "%s", f.err.text);
        fixture_fini(&f);
    }
}

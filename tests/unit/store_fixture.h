/* Temporary stores for the tests of shards/store. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "shards/store/store_priv.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct store_fixture {
    char base[64]; /* removed in the end */
    char dir[80];
    struct store_env *env;
    struct store_options options;
    struct store *s;
    struct store_error err;
};

static inline int
fixture_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline struct store_env *
fixture_env(uint64_t cache_bytes)
{
    struct store_env_options opt = {.block_cache_bytes = cache_bytes, .background_threads = 1};
    struct store_env *env = store_env_create(&opt);

    cr_assert(env);
    return env;
}

static inline void
fixture_open(struct store_fixture *f)
{
    cr_assert_eq(store_open(&f->s, f->env, &f->options, &f->err), 0, "%s", f->err.text);
}

static inline void
fixture_init(struct store_fixture *f)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->base, sizeof(f->base), "/tmp/test-store-XXXXXX");
    cr_assert(mkdtemp(f->base));
    snprintf(f->dir, sizeof(f->dir), "%s/db", f->base);
    f->env = fixture_env(32 * MIB);
    f->options = (struct store_options){.dir = f->dir, .compression = STORE_COMPRESSION_LZ4};
    fixture_open(f);
}

static inline void
fixture_reopen(struct store_fixture *f)
{
    store_close(&f->s);
    fixture_open(f);
}

static inline void
fixture_fini(struct store_fixture *f)
{
    store_close(&f->s);
    store_env_destroy(&f->env);
    nftw(f->base, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* One operation, one commit. */
static inline void
fixture_put(struct store_fixture *f, const char *key, const char *value)
{
    struct store_batch *b = store_batch_create(f->s);

    store_batch_put(b, slice_of(key), slice_of(value));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

/* Of rows that fixture_fill makes. */
static inline int
fixture_row_key(char *out, size_t size, unsigned i)
{
    return snprintf(out, size, "key:%08u", i);
}

/* Rows 0..n-1 in an order that is neither ascending nor descending. */
static inline void
fixture_fill(struct store_fixture *f, unsigned n, const char *generation)
{
    struct store_batch *b = store_batch_create(f->s);
    char key[32], value[64];

    for (unsigned i = 0; i < n; i++) {
        unsigned shuffled = (unsigned)((uint64_t)i * 7919 % n);
        int k = fixture_row_key(key, sizeof(key), shuffled);
        int v = snprintf(value, sizeof(value), "%s-%u", generation, shuffled);

        store_batch_put(b, (struct slice){key, (size_t)k}, (struct slice){value, (size_t)v});
    }
    cr_assert_eq(store_batch_rows(b), n);
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    cr_assert_eq(store_batch_rows(b), 0, "empty again after the commit");
    store_batch_destroy(&b);
}

/* A range tombstone, as rows go that cannot be read. */
static inline void
fixture_put_range_tombstone(struct store_fixture *f, const char *lower, const char *upper)
{
    struct store_batch *b = store_batch_create(f->s);

    store_batch_delete_range(b, slice_of(lower), slice_of(upper));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

static inline void
fixture_delete(struct store_fixture *f, const char *key)
{
    struct store_batch *b = store_batch_create(f->s);

    store_batch_delete(b, slice_of(key));
    cr_assert_eq(store_batch_commit(b, &f->err), 0, "%s", f->err.text);
    store_batch_destroy(&b);
}

/* The value must be `want`; NULL: the key must not be there. */
static inline void
fixture_expect_slice(struct store_fixture *f, struct slice key, const char *want)
{
    struct store_value v;
    int r = store_get(f->s, key, &v, &f->err);

    cr_assert_eq(r, want ? 1 : 0, "%.*s: %d %s", (int)key.n, key.p, r, r < 0 ? f->err.text : "");
    if (!want)
        return;
    cr_assert(slice_equal(v.v, slice_of(want)), "%.*s: %.*s, not %s", (int)key.n, key.p, (int)v.v.n,
              v.v.p, want);
    store_value_put(&v);
}

static inline void
fixture_expect(struct store_fixture *f, const char *key, const char *want)
{
    fixture_expect_slice(f, slice_of(key), want);
}

static inline uint64_t
fixture_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The first file of the directory that ends like that. */
static inline void
fixture_find_file(const char *dir, const char *suffix, char path[512])
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    *path = '\0';
    while ((entry = readdir(d))) {
        size_t n = strlen(entry->d_name), k = strlen(suffix);

        if (n >= k && strcmp(entry->d_name + n - k, suffix) == 0)
            snprintf(path, 512, "%s/%s", dir, entry->d_name);
    }
    closedir(d);
    cr_assert(*path);
}

#endif

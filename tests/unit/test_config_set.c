/* CONFIG SET: all pairs or none. */
#include "tests/unit/config_fixture.h"

#define PAIR(n, v)         \
    {                      \
        SLICE(n), SLICE(v) \
    }

static void
expect_set(const struct config_pair *pairs, size_t n, int r, const char *message)
{
    struct config c, before;
    local_buf err = {0};

    config_init(&c);
    before = c;
    cr_expect_eq(config_set_live(&c, pairs, n, &err), r, "%s", message);
    cr_expect_str_eq(text(&err), message);
    cr_expect_eq(memcmp(&c, &before, sizeof(c)) == 0, r < 0, "%s", message);
}

Test(config_set, set_applies_all_pairs)
{
    const struct config_pair pairs[] = {PAIR("maxmemory", "100mb"), PAIR("HZ", "20"),
                                        PAIR("appendfsync", "everysec")};
    struct config c;
    local_buf err = {0};

    config_init(&c);
    cr_assert_eq(config_set_live(&c, pairs, ARRAY_SIZE(pairs), &err), 0);
    cr_expect_eq(c.maxmemory, 100 * MIB);
    cr_expect_eq(c.hz, 20);
    cr_expect_eq(c.appendfsync, CONFIG_FSYNC_EVERYSEC);
    cr_expect_eq(err.n, 0);
}

Test(config_set, set_fails_with_the_words_of_redis_and_changes_nothing)
{
    const struct config_pair unknown[] = {PAIR("hz", "20"), PAIR("foo", "3")};
    const struct config_pair immutable[] = {PAIR("hz", "20"), PAIR("port", "7000")};
    const struct config_pair fixed[] = {PAIR("appendonly", "no")};
    const struct config_pair twice[] = {PAIR("hz", "20"), PAIR("Hz", "30")};
    const struct config_pair bad[] = {PAIR("hz", "20"), PAIR("timeout", "-1")};
    const struct config_pair word[] = {PAIR("loglevel", "loud")};

    expect_set(unknown, 2, -ENOENT, "Unknown option or number of arguments for CONFIG SET - 'foo'");
    expect_set(immutable, 2, -EPERM,
               "CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
               "config");
    expect_set(fixed, 1, -EINVAL,
               "CONFIG SET failed (possibly related to argument 'appendonly') - argument can only "
               "be 'yes' here");
    expect_set(twice, 2, -EEXIST,
               "CONFIG SET failed (possibly related to argument 'Hz') - duplicate parameter");
    expect_set(bad, 2, -EINVAL,
               "CONFIG SET failed (possibly related to argument 'timeout') - argument must be "
               "between 0 and 2147483647 inclusive");
    expect_set(word, 1, -EINVAL,
               "CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be "
               "one of the following: debug, verbose, notice, warning");
}

/* Those that are fixed take the value they have. */
Test(config_set, set_takes_every_live_row_and_no_other)
{
    const struct config_row *row;
    local_buf err = {0};
    struct config c;
    size_t i;

    config_init(&c);
    for (i = 0; (row = config_row(i)) != NULL; i++) {
        struct config_pair pair = {slice_of(row->name), slice_of(row->fallback)};

        cr_expect_eq(config_set_live(&c, &pair, 1, &err), row->when == CONFIG_RESTART ? -EPERM : 0,
                     "%s", row->name);
    }
}

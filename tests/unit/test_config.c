#include "core/config.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define local_buf __attribute__((cleanup(buf_fini))) struct buf

/* Text of a buffer as a string; the buffer keeps it. */
static const char *
text(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->p;
}

static const char *
value(const struct config *c, const char *name)
{
    static struct buf out[4];
    static unsigned turn;
    struct buf *b = &out[turn++ % ARRAY_SIZE(out)];

    b->n = 0;
    config_get(c, config_find(slice_of(name)), b);
    return text(b);
}

static void
expect_same(const struct config *a, const struct config *b)
{
    const struct config_row *row;
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++)
        cr_expect_str_eq(value(a, row->name), value(b, row->name), "%s", row->name);
}

static bool
is_number(const struct config_row *row)
{
    return row->type == CONFIG_INT || row->type == CONFIG_POWER2 || row->type == CONFIG_BYTES ||
           row->type == CONFIG_DURATION;
}

static uint64_t
number(const struct config *c, const struct config_row *row)
{
    return *(const uint64_t *)((const char *)c + row->offset);
}

/* Parses `v` for `name`; the result is what config_parse said, err its message. */
static int
try_value(struct config *c, const char *name, const char *v, struct buf *err)
{
    err->n = 0;
    return config_parse(c, config_find(slice_of(name)), slice_of(v), err);
}

static void
expect_refused(const char *name, const char *v, const char *why)
{
    struct config c, before;
    local_buf err = {0};

    config_init(&c);
    before = c;
    cr_expect_eq(try_value(&c, name, v, &err), -EINVAL, "%s '%s'", name, v);
    cr_expect(strstr(text(&err), why) != NULL, "%s '%s': %s", name, v, text(&err));
    cr_expect_arr_eq(&c, &before, sizeof(c), "%s '%s' left a trace", name, v);
}

static void
expect_value(const char *name, const char *v, const char *shown)
{
    struct config c;
    local_buf err = {0};

    config_init(&c);
    cr_expect_eq(try_value(&c, name, v, &err), 0, "%s '%s': %s", name, v, text(&err));
    cr_expect_str_eq(value(&c, name), shown);
}

/* Rows */

Test(config, defaults_are_what_the_table_says_and_pass_the_check)
{
    const struct config_row *row;
    struct config c;
    local_buf err = {0};
    size_t i;

    config_init(&c);
    cr_expect_eq(c.port, 6379);
    cr_expect_eq(c.appendfsync, CONFIG_FSYNC_ALWAYS);
    cr_expect_eq(c.duplicate_policy, CONFIG_DUPLICATE_LAST);
    cr_expect_eq(c.timestamp_unit, CONFIG_TIME_MS);
    cr_expect_eq(c.store_compression, CONFIG_COMPRESSION_LZ4);
    cr_expect_eq(c.journal_segment_bytes, 64 * MIB);
    cr_expect_eq(c.io_recv_buffer_bytes, 16384);
    cr_expect_eq(c.proto_max_bulk_len, 512 * MIB);
    cr_expect_str_eq(c.bind, "127.0.0.1");
    cr_expect_str_eq(c.dir, "./data");
    cr_expect_eq(c.cpus.n, 0);
    cr_expect(c.protected_mode && c.appendonly && !c.core_ports);
    cr_expect_str_eq(c.file, "");
    cr_expect_eq(config_check(&c, &row, &err), 0);
    for (i = 0; (row = config_row(i)) != NULL; i++)
        cr_expect(row->help[0] != '\0' && row->help[strlen(row->help) - 1] == '.', "%s", row->name);
    cr_expect_geq(i, 40);
}

Test(config, names_are_unique_and_found_whatever_the_case)
{
    const struct config_row *row;
    size_t i, j;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        cr_expect_eq(config_find(slice_of(row->name)), row);
        for (j = 0; j < i; j++)
            cr_expect_str_neq(config_row(j)->name, row->name);
    }
    cr_expect_eq(config_find(SLICE("MaxClients")), config_find(SLICE("maxclients")));
    cr_expect_null(config_find(SLICE("maxclient")));
    cr_expect_null(config_find(SLICE("")));
}

Test(config, unknown_name_is_answered_with_the_nearest)
{
    cr_expect_str_eq(config_nearest(SLICE("prot")), "port");
    cr_expect_str_eq(config_nearest(SLICE("max-clients")), "maxclients");
    cr_expect_str_eq(config_nearest(SLICE("APPENDSYNC")), "appendfsync");
    cr_expect_str_eq(config_nearest(SLICE("duplicate_policy")), "duplicate-policy");
    cr_expect_null(config_nearest(SLICE("zzzzzzzz")));
    cr_expect_null(config_nearest((struct slice){"", 0}));
    cr_expect_null(config_nearest(
        SLICE("a-name-that-is-longer-than-any-setting-has-ever-been-or-will-ever-be")));
}

Test(config, get_patterns_are_globs_without_case)
{
    cr_expect(config_matches(config_find(SLICE("maxmemory")), SLICE("MAX*")));
    cr_expect(config_matches(config_find(SLICE("maxmemory")), SLICE("*")));
    cr_expect(config_matches(config_find(SLICE("hz")), SLICE("h[xyz]")));
    cr_expect(config_matches(config_find(SLICE("hz")), SLICE("?z")));
    cr_expect_not(config_matches(config_find(SLICE("hz")), SLICE("h")));
    cr_expect_not(config_matches(config_find(SLICE("hz")), SLICE("h[^z]")));
}

/* Values */

Test(config, every_number_refuses_below_min_and_above_max_and_takes_both_ends)
{
    const struct config_row *row;
    unsigned numbers = 0;
    char v[32], why[96];
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        if (!is_number(row))
            continue;
        numbers++;
        snprintf(why, sizeof(why), "argument must be between %" PRIu64 " and %" PRIu64 " inclusive",
                 row->min, row->max);
        snprintf(v, sizeof(v), "%" PRId64, (int64_t)row->min - 1);
        expect_refused(row->name, v, why);
        snprintf(v, sizeof(v), "%" PRIu64, row->max + 1);
        expect_refused(row->name, v, why);
        expect_refused(row->name, "99999999999999999999999", why);
        snprintf(v, sizeof(v), "%" PRIu64, row->min);
        expect_value(row->name, v, v);
        snprintf(v, sizeof(v), "%" PRIu64, row->max);
        expect_value(row->name, v, v);
    }
    cr_expect_geq(numbers, 25);
}

Test(config, every_number_refuses_what_is_no_number)
{
    static const char *const wrong[] = {"", "abc", "-", "1.5", "0x10", " 1", "1 ", "+1", "1q"};
    const struct config_row *row;
    size_t i, j;

    for (i = 0; (row = config_row(i)) != NULL; i++)
        for (j = 0; is_number(row) && j < ARRAY_SIZE(wrong); j++)
            expect_refused(row->name, wrong[j],
                           row->type == CONFIG_BYTES ? "argument must be a memory value"
                                                     : "couldn't be parsed into an integer");
}

Test(config, bytes_have_the_units_of_redis_conf)
{
    static const char *const cases[][2] = {
        {"1000000", "1000000"},
        {"1000000b", "1000000"},
        {"3k", "3000"},
        {"3kb", "3072"},
        {"3KB", "3072"},
        {"2m", "2000000"},
        {"2Mb", "2097152"},
        {"1g", "1000000000"},
        {"1GB", "1073741824"},
        {"1024gb", "1099511627776"},
        {"-0", "0"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++)
        expect_value("maxmemory", cases[i][0], cases[i][1]);
    expect_refused("maxmemory", "1tb", "memory value");
    expect_refused("maxmemory", "kb", "memory value");
    expect_refused("maxmemory", "20000000000gb", "between");
    expect_refused("maxclients", "1k", "integer");
}

Test(config, durations_take_units_and_refuse_parts_of_their_own)
{
    expect_value("timeout", "300", "300");
    expect_value("timeout", "5m", "300");
    expect_value("timeout", "2h", "7200");
    expect_value("timeout", "1d", "86400");
    expect_value("timeout", "5000ms", "5");
    expect_value("busy-poll-us", "50", "50");
    expect_value("busy-poll-us", "1ms", "1000");
    expect_refused("timeout", "1500ms", "number of s");
    expect_refused("timeout", "5w", "number of s");
    expect_refused("busy-poll-us", "2s", "between");
    expect_refused("timeout", "99999999999999999999d", "between");
}

Test(config, power_of_two_is_demanded_where_the_table_says)
{
    expect_value("io-recv-buffers", "64", "64");
    expect_refused("io-recv-buffers", "100", "power of two");
    expect_refused("io-uring-entries", "1023", "power of two");
}

Test(config, bool_takes_yes_and_no_only)
{
    expect_value("core-ports", "YES", "yes");
    expect_value("core-ports", "no", "no");
    expect_refused("core-ports", "true", "argument must be 'yes' or 'no'");
    expect_refused("core-ports", "1", "argument must be 'yes' or 'no'");
    expect_refused("core-ports", "", "argument must be 'yes' or 'no'");
}

Test(config, every_enum_takes_its_words_and_names_them_when_it_refuses)
{
    const struct config_row *row;
    unsigned enums = 0;
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        char words[256], *save, *word;

        if (row->type != CONFIG_ENUM)
            continue;
        enums++;
        snprintf(words, sizeof(words), "%s", row->unit);
        for (word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
            expect_value(row->name, word, word);
            expect_refused(row->name, "nonsense", word);
        }
        expect_refused(row->name, "", "argument(s) must be one of the following: ");
    }
    cr_expect_geq(enums, 6);
    expect_value("duplicate-policy", "keep", "KEEP");
    expect_refused("appendfsync", "maybe",
                   "argument(s) must be one of the following: always, everysec, no");
}

Test(config, text_is_bounded_and_free_of_control_characters)
{
    char longest[514] = {0};

    memset(longest, 'a', 512);
    expect_value("requirepass", longest, longest);
    longest[512] = 'a';
    expect_refused("requirepass", longest, "between 0 and 512 bytes");
    expect_refused("dir", "", "between 1 and 1023 bytes");
    expect_value("requirepass", "p\xc3\xa4ss \xf0\x9f\x94\x91 \\\"",
                 "p\xc3\xa4ss \xf0\x9f\x94\x91 \\\"");
    expect_refused("requirepass", "a\nb", "control");
    expect_refused("requirepass", "a\x7f", "control");
    expect_refused("requirepass", "\xc3", "UTF-8");
    expect_refused("requirepass", "\xc3(", "UTF-8");
    expect_refused("requirepass", "\x80", "UTF-8");
    expect_refused("requirepass", "\xc0\xaf", "UTF-8");
    expect_refused("requirepass", "\xed\xa0\x80", "UTF-8");
    expect_refused("requirepass", "\xf8\x88\x80\x80\x80", "UTF-8");
    expect_refused("requirepass", "\xf4\x90\x80\x80", "UTF-8");
}

Test(config, text_with_a_zero_byte_is_refused)
{
    struct config c;
    local_buf err = {0};

    config_init(&c);
    cr_expect_eq(
        config_parse(&c, config_find(SLICE("requirepass")), (struct slice){"a\0b", 3}, &err),
        -EINVAL);
    cr_expect_str_eq(c.requirepass, "");
}

Test(config, bind_takes_addresses_only)
{
    struct slice rest = SLICE(" 127.0.0.1,, ::1\t* "), word;

    expect_value("bind", "127.0.0.1 ::1", "127.0.0.1 ::1");
    expect_value("bind", "*", "*");
    expect_value("bind", "10.0.0.1,-::*,-::1", "10.0.0.1,-::*,-::1");
    expect_refused("bind", "", "at least one address");
    expect_refused("bind", " , ", "at least one address");
    expect_refused("bind", "localhost", "'localhost' is none");
    expect_refused("bind", "127.0.0.1 1.2.3", "'1.2.3' is none");
    expect_refused("bind", "-", "'-' is none");
    cr_assert(config_next_word(&rest, &word));
    cr_expect(slice_is(word, "127.0.0.1"));
    cr_assert(config_next_word(&rest, &word));
    cr_expect(slice_is(word, "::1"));
    cr_assert(config_next_word(&rest, &word));
    cr_expect(slice_is(word, "*"));
    cr_expect_not(config_next_word(&rest, &word));
}

Test(config, cpulist_is_read_and_shown_as_the_kernel_writes_it)
{
    expect_value("cpus", "", "");
    expect_value("cpus", "0-3,8", "0-3,8");
    expect_value("cpus", "5", "5");
    expect_refused("cpus", "3-1", "list of CPUs");
    expect_refused("cpus", "a", "list of CPUs");
    expect_refused("cpus", "2000", "list of CPUs");
    expect_refused("cpus", "1,", "list of CPUs");
}

Test(config, fixed_settings_take_only_their_one_value)
{
    expect_value("appendonly", "yes", "yes");
    expect_value("save", "", "");
    expect_refused("appendonly", "no", "argument can only be 'yes'");
    expect_refused("save", "3600 1", "argument can only be ''");
}

Test(config, sizes_are_shown_in_plain_digits_and_to_people_in_units)
{
    struct config c;
    local_buf out = {0};
    const struct config_row *row = config_find(SLICE("maxmemory"));
    static const struct {
        uint64_t bytes;
        const char *shown;
    } cases[] = {{0, "0"}, {1000, "1000"}, {2048, "2kb"}, {3 * MIB, "3mb"}, {4 * GIB, "4gb"}};
    size_t i;

    config_init(&c);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        c.maxmemory = cases[i].bytes;
        out.n = 0;
        config_get_human(&c, row, &out);
        cr_expect_str_eq(text(&out), cases[i].shown);
        cr_expect_eq(strtoull(value(&c, "maxmemory"), NULL, 10), cases[i].bytes);
    }
}

Test(config, check_refuses_settings_that_contradict_each_other)
{
    static const char *const cases[][3] = {
        {"block-points", "5000", "block-points-max"},
        {"journal-batch-bytes", "64mb", "journal-segment-bytes"},
        {"proto-max-bulk-len", "64mb", "client-query-buffer-limit"},
    };
    static const char *const smaller[] = {"100", "1mb", "1mb"};
    const struct config_row *row = NULL;
    local_buf err = {0};
    struct config c;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        config_init(&c);
        cr_assert_eq(try_value(&c, cases[i][0], cases[i][1], &err), 0);
        cr_assert_eq(try_value(&c, cases[i][2], smaller[i], &err), 0);
        err.n = 0;
        cr_expect_eq(config_check(&c, &row, &err), -EINVAL);
        cr_expect_str_eq(row->name, cases[i][0]);
        cr_expect(strstr(text(&err), cases[i][2]) != NULL, "%s", text(&err));
    }
}

/* CONFIG SET */

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

Test(config, set_applies_all_pairs)
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

Test(config, set_fails_with_the_words_of_redis_and_changes_nothing)
{
    const struct config_pair unknown[] = {PAIR("hz", "20"), PAIR("foo", "3")};
    const struct config_pair immutable[] = {PAIR("hz", "20"), PAIR("port", "7000")};
    const struct config_pair fixed[] = {PAIR("appendonly", "yes")};
    const struct config_pair twice[] = {PAIR("hz", "20"), PAIR("Hz", "30")};
    const struct config_pair bad[] = {PAIR("hz", "20"), PAIR("timeout", "-1")};
    const struct config_pair word[] = {PAIR("loglevel", "loud")};

    expect_set(unknown, 2, -ENOENT, "Unknown option or number of arguments for CONFIG SET - 'foo'");
    expect_set(immutable, 2, -EPERM,
               "CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
               "config");
    expect_set(fixed, 1, -EPERM,
               "CONFIG SET failed (possibly related to argument 'appendonly') - can't set "
               "immutable config");
    expect_set(twice, 2, -EEXIST,
               "CONFIG SET failed (possibly related to argument 'Hz') - duplicate parameter");
    expect_set(bad, 2, -EINVAL,
               "CONFIG SET failed (possibly related to argument 'timeout') - argument must be "
               "between 0 and 2147483647 inclusive");
    expect_set(word, 1, -EINVAL,
               "CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be "
               "one of the following: debug, verbose, notice, warning");
}

Test(config, set_takes_every_live_row_and_no_other)
{
    const struct config_row *row;
    local_buf err = {0};
    struct config c;
    size_t i;

    config_init(&c);
    for (i = 0; (row = config_row(i)) != NULL; i++) {
        struct config_pair pair = {slice_of(row->name), slice_of(row->fallback)};

        cr_expect_eq(config_set_live(&c, &pair, 1, &err), row->when == CONFIG_LIVE ? 0 : -EPERM,
                     "%s", row->name);
    }
}

/* The file */

static int
load(struct config *c, const char *yaml, struct buf *err)
{
    config_init(c);
    err->n = 0;
    return config_load_text(c, "x.yaml", slice_of(yaml), err);
}

Test(config, file_sets_values_in_any_quoting)
{
    struct config c;
    local_buf err = {0};

    cr_assert_eq(load(&c,
                      "\xef\xbb\xbf# comment\n---\nport: 7000 # why\nBIND: \"127.0.0.1 ::1\"\n"
                      "requirepass: 'it''s'\nlogfile:\nappendfsync: no\nmaxmemory: 2gb\n"
                      "cpus: 0-1\r\nsave: \"\"\n",
                      &err),
                 0, "%s", text(&err));
    cr_expect_eq(c.port, 7000);
    cr_expect_str_eq(c.bind, "127.0.0.1 ::1");
    cr_expect_str_eq(c.requirepass, "it's");
    cr_expect_str_eq(c.logfile, "");
    cr_expect_eq(c.appendfsync, CONFIG_FSYNC_NO);
    cr_expect_eq(c.maxmemory, 2 * GIB);
    cr_expect_eq(c.cpus.n, 2);
}

Test(config, empty_file_changes_nothing)
{
    static const char *const cases[] = {"", "\n\n", "# only a comment\n", "---\n", "--- # x\n"};
    struct config c, before;
    local_buf err = {0};
    size_t i;

    config_init(&before);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_expect_eq(load(&c, cases[i], &err), 0, "%s: %s", cases[i], text(&err));
        expect_same(&c, &before);
    }
}

Test(config, file_errors_name_file_and_line_and_nothing_is_touched)
{
    static const char *const cases[][2] = {
        {"hz: 20\nprot: 1", "x.yaml:2: unknown setting 'prot', did you mean 'port'?"},
        {"zzzzzzzz: 1", "x.yaml:1: unknown setting 'zzzzzzzz'; --help lists them all"},
        {"hz: 20\n\nport: 70000\n",
         "x.yaml:3: port: argument must be between 1 and 65535 inclusive"},
        {"maxmemory: 3tb", "x.yaml:1: maxmemory: argument must be a memory value (a number, then "
                           "b, k, kb, m, mb, g, gb or nothing)"},
        {"hz: 20\nport: 1\nHz: 30", "x.yaml:3: hz is set in line 1 already"},
        {"appendonly: no", "x.yaml:1: appendonly: argument can only be 'yes' here"},
        {"{hz: 20}", "x.yaml:1: expected lines of the form name: value"},
        {"- hz", "x.yaml:1: expected lines of the form name: value"},
        {"hz", "x.yaml:1: expected lines of the form name: value"},
        {"hz: 20\nbind:\n  - ::1", "x.yaml:3: bind: expected one value, no list, map or alias"},
        {"bind: {a: 1}", "x.yaml:1: bind: expected one value, no list, map or alias"},
        {"hz: *x", "x.yaml:1: hz: expected one value, no list, map or alias"},
        {"hz: 20\n? [a]\n: 1", "x.yaml:2: expected a line of the form name: value"},
        {"? hz\n: 20", "x.yaml:1: expected a line of the form name: value"},
        {"--- !!map\nhz: 20", "x.yaml:1: expected lines of the form name: value"},
        {">\n", "x.yaml:1: expected lines of the form name: value"},
        {"hz: 20\n...\n", "x.yaml:2: '...' has no place here"},
        {"hz: 20\n---\nport: 1", "x.yaml:2: a second document has no place here"},
    };
    struct config c, before;
    local_buf err = {0};
    size_t i;

    config_init(&before);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_expect_eq(load(&c, cases[i][0], &err), -EINVAL, "%s", cases[i][0]);
        cr_expect_str_eq(text(&err), cases[i][1]);
        cr_expect_arr_eq(&c, &before, sizeof(c), "%s left a trace", cases[i][0]);
    }
}

/* What libyaml itself finds is worded by libyaml: only the place is ours. */
Test(config, file_that_is_no_yaml_is_refused_with_its_line)
{
    static const char *const cases[][2] = {
        {"hz: 20\nport: \"x", "x.yaml:2: "},   {"hz: 20\nport: a: b\n", "x.yaml:2: "},
        {"hz: 20\n\tport: 1\n", "x.yaml:2: "}, {"hz: \xff\n", "x.yaml:1: "},
        {"hz: 20\n  port: 1\n", "x.yaml:1: "}, {"hz: 20\n@x: 1\n", "x.yaml:2: "},
        {"hz: \x01\n", "x.yaml:1: "},
    };
    struct config c, before;
    local_buf err = {0};
    size_t i;

    config_init(&before);
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_expect_eq(load(&c, cases[i][0], &err), -EINVAL, "%s", cases[i][0]);
        cr_expect_eq(strncmp(text(&err), cases[i][1], strlen(cases[i][1])), 0, "%s", text(&err));
        cr_expect_arr_eq(&c, &before, sizeof(c));
    }
}

static void
remove_file(char **path)
{
    unlink(*path);
    free(*path);
}

#define local_path __attribute__((cleanup(remove_file)))

static char *
temporary_file(const char *content)
{
    char *path = strdup("/tmp/pinstripe-config-XXXXXX");
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    return path;
}

static void
expect_content(const char *path, const char *content)
{
    char got[8192] = {0};
    int fd = open(path, O_RDONLY);

    cr_assert_geq(read(fd, got, sizeof(got) - 1), 0);
    close(fd);
    cr_expect_str_eq(got, content);
}

Test(config, load_reports_files_it_cannot_read)
{
    struct config c;
    local_buf err = {0};
    local_path char *big = temporary_file("");

    config_init(&c);
    cr_expect_eq(config_load(&c, "/nonexistent/x.yaml", &err), -ENOENT);
    cr_expect_str_eq(text(&err), "/nonexistent/x.yaml: No such file or directory");
    err.n = 0;
    cr_expect_eq(config_load(&c, "/tmp", &err), -EISDIR);
    err.n = 0;
    cr_assert_eq(truncate(big, (off_t)CONFIG_FILE_BYTES_MAX + 1), 0);
    cr_expect_eq(config_load(&c, big, &err), -EFBIG);
    cr_expect_str_eq(c.file, "");
}

/* CONFIG REWRITE */

static void
expect_rewrite(const char *before, void (*change)(struct config *c), const char *after)
{
    struct config c;
    local_buf err = {0}, out = {0};

    cr_assert_eq(load(&c, before, &err), 0, "%s", text(&err));
    change(&c);
    cr_expect_eq(config_rewrite_text(&c, slice_of(before), &out, &err), 0, "%s", text(&err));
    cr_expect_str_eq(text(&out), after);
}

static void
change_nothing(struct config *c)
{
}

static void
change_some(struct config *c)
{
    c->hz = 50;
    c->maxmemory = 3 * GIB;
    strcpy(c->requirepass, "p\xc3\xa4ss: \"#\\ ");
}

static void
change_password(struct config *c)
{
    strcpy(c->requirepass, "plain");
}

Test(config, rewrite_keeps_comments_order_and_what_did_not_change)
{
    expect_rewrite("", change_nothing, "");
    expect_rewrite("# a\nport:   7000 # b\nmaxmemory: 1048576\n", change_nothing,
                   "# a\nport:   7000 # b\nmaxmemory: 1048576\n");
    expect_rewrite("# \xc3\xa4\xe2\x82\xac\nhz: 20 # b\n\nmaxmemory: 1mb\nport: 1", change_some,
                   "# \xc3\xa4\xe2\x82\xac\nhz: 50 # b\n\nmaxmemory: 3gb\nport: 1\n"
                   "# Added by CONFIG REWRITE\n"
                   "requirepass: \"p\\U000000E4ss: \\\"#\\\\ \"\n");
}

Test(config, rewrite_replaces_values_in_every_yaml_form)
{
    expect_rewrite("requirepass: 'a'\nhz: 5\n", change_password, "requirepass: plain\nhz: 5\n");
    expect_rewrite("requirepass: \"a\"\nhz: 5\n", change_password, "requirepass: plain\nhz: 5\n");
    expect_rewrite("requirepass:\nhz: 5\n", change_password, "requirepass: plain\nhz: 5\n");
    expect_rewrite("requirepass:", change_password, "requirepass: plain");
    expect_rewrite("requirepass: >-\n  a\n  b\nhz: 5\n", change_password,
                   "requirepass: plain\nhz: 5\n");
    expect_rewrite("requirepass:\n|-\n a\nhz: 5\n", change_password,
                   "requirepass:\n plain\nhz: 5\n");
    expect_rewrite("requirepass: a\n  b\nhz: 5\n", change_password, "requirepass: plain\nhz: 5\n");
    expect_rewrite("requirepass: !!str a\nhz: 5\n", change_password, "requirepass: plain\nhz: 5\n");
    expect_rewrite("---\n  hz: 5\n", change_password,
                   "---\n  hz: 5\n# Added by CONFIG REWRITE\n  requirepass: plain\n");
    expect_rewrite("\xef\xbb\xbfrequirepass: a\r\nhz: 5\r\n", change_password,
                   "\xef\xbb\xbfrequirepass: plain\r\nhz: 5\r\n");
}

Test(config, rewrite_replaces_the_file_as_a_whole)
{
    local_path char *path = temporary_file("hz: 20 # twenty\n");
    struct config c;
    local_buf err = {0};
    struct stat st;

    cr_assert_eq(chmod(path, 0640), 0);
    config_init(&c);
    cr_assert_eq(config_load(&c, path, &err), 0);
    cr_expect_str_eq(c.file, path);
    c.hz = 30;
    c.appendfsync = CONFIG_FSYNC_NO;
    cr_expect_eq(config_rewrite(&c, &err), 0, "%s", text(&err));
    expect_content(path, "hz: 30 # twenty\n# Added by CONFIG REWRITE\nappendfsync: no\n");
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0640);
}

Test(config, rewrite_refuses_without_a_file_or_when_it_went_bad)
{
    local_path char *path = temporary_file("hz: 20\n");
    struct config c;
    local_buf err = {0};

    config_init(&c);
    cr_expect_eq(config_rewrite(&c, &err), -ENOENT);
    cr_expect_str_eq(text(&err), "The server is running without a config file");
    err.n = 0;
    cr_assert_eq(config_load(&c, path, &err), 0);
    cr_assert_eq(truncate(path, 1), 0);
    cr_expect_eq(config_rewrite(&c, &err), -EINVAL);
    expect_content(path, "h");
    unlink(path);
    err.n = 0;
    cr_expect_eq(config_rewrite(&c, &err), -ENOENT);
}

Test(config, every_row_survives_a_rewrite_into_an_empty_file)
{
    const struct config_row *row;
    local_buf err = {0}, out = {0};
    struct config c, back;
    size_t i;

    config_init(&c);
    for (i = 0; (row = config_row(i)) != NULL; i++)
        if (is_number(row))
            *(uint64_t *)((char *)&c + row->offset) = row->max;
    c.duplicate_policy = CONFIG_DUPLICATE_KEEP;
    c.core_ports = true;
    strcpy(c.dir, "-odd: name");
    strcpy(c.bind, "*");
    cr_assert_eq(try_value(&c, "cpus", "1-2,7", &err), 0);
    cr_assert_eq(config_rewrite_text(&c, (struct slice){"", 0}, &out, &err), 0, "%s", text(&err));
    cr_assert_eq(load(&back, text(&out), &err), 0, "%s", text(&err));
    expect_same(&back, &c);
    for (i = 0; (row = config_row(i)) != NULL; i++)
        cr_expect(!is_number(row) || number(&back, row) == row->max, "%s", row->name);
}

/* The command line */

/* clang-format off */
#define ARGS(...) (char **)(const char *[]){"server", __VA_ARGS__, NULL}
/* clang-format on */

static int
parse_args(char **argv, struct config *c, struct buf *err)
{
    int argc = 0;

    while (argv[argc] != NULL)
        argc++;
    err->n = 0;
    return config_parse_args(argc, argv, c, err);
}

Test(config, flags_set_values_in_both_forms)
{
    struct config c;
    local_buf err = {0};

    cr_assert_eq(parse_args(ARGS("--port", "7000", "--hz=20", "--bind", "127.0.0.1", "::1",
                                 "--save", "", "--requirepass=--a=b"),
                            &c, &err),
                 0, "%s", text(&err));
    cr_expect_eq(c.port, 7000);
    cr_expect_eq(c.hz, 20);
    cr_expect_str_eq(c.bind, "127.0.0.1 ::1");
    cr_expect_str_eq(c.requirepass, "--a=b");
}

Test(config, flags_override_the_file_wherever_they_stand)
{
    local_path char *path = temporary_file("port: 7000\nhz: 20\nblock-points-max: 500\n");
    struct config c;
    local_buf err = {0};

    cr_assert_eq(parse_args(ARGS(path, "--hz", "30", "--block-points", "400"), &c, &err), 0, "%s",
                 text(&err));
    cr_expect_eq(c.port, 7000);
    cr_expect_eq(c.hz, 30);
    cr_expect_str_eq(c.file, path);
    cr_assert_eq(parse_args(ARGS("--hz", "40", "--config", path, "--block-points=300"), &c, &err),
                 0);
    cr_expect_eq(c.hz, 40);
    cr_expect_eq(c.port, 7000);
}

Test(config, bad_flags_are_named_and_nothing_is_touched)
{
    local_path char *path = temporary_file("hz: 0\n");
    char in_file[128];
    struct config c, before;
    local_buf err = {0};
    size_t i;
    struct {
        char **argv;
        const char *message;
    } cases[] = {
        {ARGS("--prot", "1"), "command line: unknown setting 'prot', did you mean 'port'?"},
        {ARGS("--port", "0"), "--port: argument must be between 1 and 65535 inclusive"},
        {ARGS("--port"), "--port needs a value"},
        {ARGS("--port", "--hz", "3"), "--port needs a value"},
        {ARGS("--port="),
         "--port: argument couldn't be parsed into an integer between 1 and 65535"},
        {ARGS("--port", "1", "2"),
         "--port: argument couldn't be parsed into an integer between 1 and 65535"},
        {ARGS("-port", "1"), "command line: '-port' is no --name"},
        {ARGS("--config", "a", "--config", "b"), "command line: two configuration files"},
        {ARGS("a", "--config", "b"), "command line: two configuration files"},
        {ARGS("--config", "a", "b"), "--config takes one file"},
        {ARGS("--config"), "--config needs a value"},
        {ARGS("/nonexistent"), "/nonexistent: No such file or directory"},
        {ARGS("--appendonly", "no"), "--appendonly: argument can only be 'yes' here"},
        {ARGS("--block-points", "5000", "--block-points-max", "200"),
         "block-points (5000) must not be larger than block-points-max (200)"},
        {ARGS(path, "--hz", "5"), in_file},
    };

    snprintf(in_file, sizeof(in_file), "%s:1: hz: argument must be between 1 and 500 inclusive",
             path);
    memset(&c, 0x5a, sizeof(c));
    before = c;
    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        cr_expect_lt(parse_args(cases[i].argv, &c, &err), 0, "%s", cases[i].message);
        cr_expect_str_eq(text(&err), cases[i].message);
        cr_expect_arr_eq(&c, &before, sizeof(c));
    }
}

Test(config, help_is_asked_for_anywhere)
{
    struct config c;
    local_buf err = {0};
    int out = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY);

    fflush(stdout);
    dup2(null, STDOUT_FILENO);
    cr_expect_eq(parse_args(ARGS("--help"), &c, &err), 1);
    cr_expect_eq(parse_args(ARGS("--port", "7000", "-h"), &c, &err), 1);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
}

/* Texts */

Test(config, texts_have_every_setting)
{
    local_buf help = {0}, sample = {0}, markdown = {0};
    const struct config_row *row;
    char name[80];
    size_t i;

    config_write_help(&help, "server");
    config_write_sample(&sample);
    config_write_markdown(&markdown);
    for (i = 0; (row = config_row(i)) != NULL; i++) {
        bool settable = row->when != CONFIG_FIXED;

        snprintf(name, sizeof(name), "  --%s ", row->name);
        cr_expect_eq(strstr(text(&help), name) != NULL, settable, "%s", row->name);
        snprintf(name, sizeof(name), "\n#%s: ", row->name);
        cr_expect_eq(strstr(text(&sample), name) != NULL, settable, "%s", row->name);
        snprintf(name, sizeof(name), "| `%s` |", row->name);
        cr_expect(strstr(text(&markdown), name) != NULL, "%s", row->name);
    }
    cr_expect_null(strstr(text(&help), " \n"), "help lines end without spaces");
}

Test(config, sample_file_with_its_marks_taken_away_gives_the_defaults)
{
    local_buf sample = {0}, err = {0};
    struct config c, defaults;
    char *p;

    config_write_sample(&sample);
    for (p = (char *)text(&sample); (p = strstr(p, "\n#")) != NULL; p++)
        if (p[2] != ' ')
            p[1] = ' ';
    for (p = (char *)text(&sample); (p = strstr(p, "\n ")) != NULL; p++)
        memmove(p + 1, p + 2, strlen(p + 1));
    cr_assert_eq(load(&c, sample.p, &err), 0, "%s", text(&err));
    config_init(&defaults);
    expect_same(&c, &defaults);
}

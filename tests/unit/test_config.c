/* The table of settings and what each of them takes. */
#include "tests/unit/config_fixture.h"

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
    const struct config_row *row, *about[2];
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
    cr_expect_eq(config_check(&c, about, &err), 0);
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
        expect_refused(row->name, v,
                       row->min == 0 && row->type == CONFIG_BYTES ? "must be a memory value" : why);
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

Test(config, numbers_are_written_in_one_way_and_sizes_have_no_sign)
{
    static const char *const padded[] = {"01", "00", "-0", "-01", "0007", "00s"};
    static const char *const negative[] = {"-1", "-0", "-1kb", "-99999999999999999999"};
    const struct config_row *row;
    size_t i, j;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        for (j = 0; is_number(row) && row->type != CONFIG_BYTES && j < ARRAY_SIZE(padded); j++)
            expect_refused(row->name, padded[j], "couldn't be parsed into an integer");
        for (j = 0; row->type == CONFIG_BYTES && j < ARRAY_SIZE(negative); j++)
            expect_refused(row->name, negative[j], "argument must be a memory value");
    }
    expect_value("maxmemory", "007mb", "7340032"); /* as in Redis */
    expect_value("maxmemory", "0", "0");
    expect_value("timeout", "0", "0");
    expect_value("timeout", "10s", "10");
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
    const struct config_row *row[2] = {NULL, NULL};
    local_buf err = {0};
    struct config c;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        config_init(&c);
        cr_assert_eq(try_value(&c, cases[i][0], cases[i][1], &err), 0);
        cr_assert_eq(try_value(&c, cases[i][2], smaller[i], &err), 0);
        err.n = 0;
        cr_expect_eq(config_check(&c, row, &err), -EINVAL);
        cr_expect_str_eq(row[0]->name, cases[i][0]);
        cr_expect_str_eq(row[1]->name, cases[i][2]);
        cr_expect(strstr(text(&err), cases[i][2]) != NULL, "%s", text(&err));
    }
}

/* The configuration file: read, refused with its line, rewritten. */
#include "tests/unit/config_fixture.h"

#include <sys/stat.h>

Test(config_file, file_sets_values_in_any_quoting)
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

Test(config_file, empty_file_changes_nothing)
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

Test(config_file, file_errors_name_file_and_line_and_nothing_is_touched)
{
    static const char *const cases[][2] = {
        {"hz: 20\nprot: 1", "x.yaml:2: unknown setting 'prot', did you mean 'port'?"},
        {"zzzzzzzz: 1", "x.yaml:1: unknown setting 'zzzzzzzz'; --help lists them all"},
        {"hz: 20\n\nport: 70000\n",
         "x.yaml:3: port: argument must be between 1 and 65535 inclusive"},
        {"maxmemory: 3tb", "x.yaml:1: maxmemory: argument must be a memory value (a number, then "
                           "b, k, kb, m, mb, g, gb or nothing)"},
        {"maxmemory: -1kb", "x.yaml:1: maxmemory: argument must be a memory value (a number, then "
                            "b, k, kb, m, mb, g, gb or nothing)"},
        {"hz: 20\ntimeout: 01",
         "x.yaml:2: timeout: argument couldn't be parsed into an integer number of s (a time such "
         "as 30, 500ms, 30s, 5m, 2h or 1d)"},
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
Test(config_file, file_that_is_no_yaml_is_refused_with_its_line)
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
expect_content(const char *path, const char *content)
{
    char got[8192] = {0};
    int fd = open(path, O_RDONLY);

    cr_assert_geq(read(fd, got, sizeof(got) - 1), 0);
    close(fd);
    cr_expect_str_eq(got, content);
}

Test(config_file, load_reports_files_it_cannot_read)
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

Test(config_file, rewrite_keeps_comments_order_and_what_did_not_change)
{
    expect_rewrite("", change_nothing, "");
    expect_rewrite("# a\nport:   7000 # b\nmaxmemory: 1048576\n", change_nothing,
                   "# a\nport:   7000 # b\nmaxmemory: 1048576\n");
    expect_rewrite("# \xc3\xa4\xe2\x82\xac\nhz: 20 # b\n\nmaxmemory: 1mb\nport: 1", change_some,
                   "# \xc3\xa4\xe2\x82\xac\nhz: 50 # b\n\nmaxmemory: 3gb\nport: 1\n"
                   "# Added by CONFIG REWRITE\n"
                   "requirepass: \"p\\U000000E4ss: \\\"#\\\\ \"\n");
}

Test(config_file, rewrite_replaces_values_in_every_yaml_form)
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

Test(config_file, rewrite_replaces_the_file_as_a_whole)
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

Test(config_file, rewrite_refuses_without_a_file_or_when_it_went_bad)
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

Test(config_file, every_row_survives_a_rewrite_into_an_empty_file)
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

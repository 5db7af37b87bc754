/* The command line, and the texts made of the table. */
#include "tests/unit/config_fixture.h"

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

Test(config_args, flags_set_values_in_both_forms)
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

Test(config_args, flags_override_the_file_wherever_they_stand)
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

Test(config_args, bad_flags_are_named_and_nothing_is_touched)
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
        {ARGS("--port", "07000"),
         "--port: argument couldn't be parsed into an integer between 1 and 65535"},
        {ARGS("--maxmemory", "-1"), "--maxmemory: argument must be a memory value (a number, then "
                                    "b, k, kb, m, mb, g, gb or nothing)"},
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
         "--block-points: block-points (5000) must not be larger than block-points-max (200)"},
        {ARGS("--ts-chunk-size-bytes", "50"),
         "--ts-chunk-size-bytes: ts-chunk-size-bytes must be a multiple of 8"},
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

Test(config_args, what_contradicts_is_told_with_its_place)
{
    static const char *const cases[][3] = {
        {"hz: 5\nblock-points-max: 500\n", "2: ",
         "block-points (1024) must not be larger than block-points-max (500)"},
        {"block-points-max: 500\nhz: 5\nblock-points: 600\n", "3: ",
         "block-points (600) must not be larger than block-points-max (500)"},
        {"# how\nts-chunk-size-bytes: 50\n", "2: ", "ts-chunk-size-bytes must be a multiple of 8"},
        {"ts-duplicate-policy: keep\nts-compat: strict\n", "2: ",
         "ts-duplicate-policy is keep, which ts-compat strict refuses"},
        {"timestamp-unit: s\nts-compaction-policy: max:100m:0m\n", "2: ",
         "ts-compaction-policy has parts of a second, which timestamp-unit s cannot say"},
    };
    local_buf err = {0};
    struct config c;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        local_path char *path = temporary_file(cases[i][0]);
        char want[256];

        snprintf(want, sizeof(want), "%s:%s%s", path, cases[i][1], cases[i][2]);
        cr_expect_eq(parse_args(ARGS(path), &c, &err), -EINVAL);
        cr_expect_str_eq(text(&err), want);
    }
    { /* a flag comes after the file */
        local_path char *path = temporary_file("block-points: 600\n");

        cr_expect_eq(parse_args(ARGS(path, "--block-points-max", "500"), &c, &err), -EINVAL);
        cr_expect_str_eq(text(&err), "--block-points-max: block-points (600) must not be larger than "
                                     "block-points-max (500)");
    }
}

Test(config_args, help_is_asked_for_anywhere)
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

Test(config_args, texts_have_every_setting)
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

Test(config_args, sample_file_with_its_marks_taken_away_gives_the_defaults)
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

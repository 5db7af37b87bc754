/* The command line. Flags are rows of the table with "--" before the name; they are applied after
 * the file, so they win wherever they stand. */
#include "core/config_priv.h"

#include <stdlib.h>

#define FROM_FLAG SIZE_MAX

struct args {
    int argc;
    char **argv;
    int at; /* next word */
    const char *file;
    struct config next;
    size_t lines[CONFIG_ROWS_MAX]; /* by row: line of the file that set it, FROM_FLAG, 0 = neither */
    struct buf *err;
};

/* One "--..." word, cut at its '='. */
struct flag {
    struct slice name;
    const char *value; /* behind the '=', NULL = none */
};

static bool
is_flag(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

static struct flag
flag_cut(const char *word)
{
    const char *equals = strchr(word, '=');
    struct slice name = slice_of(word + 2);

    if (equals == NULL)
        return (struct flag){name, NULL};
    return (struct flag){{name.p, (size_t)(equals - name.p)}, equals + 1};
}

/* The words up to the next flag, joined by spaces. -EINVAL when there are none. */
static int
take_words(struct args *a, struct flag flag, struct buf *ret_value)
{
    int first = a->at;

    if (flag.value != NULL) {
        buf_printf(ret_value, "%s", flag.value);
        return 0;
    }
    for (; a->at < a->argc && !is_flag(a->argv[a->at]); a->at++)
        buf_printf(ret_value, "%s%s", a->at > first ? " " : "", a->argv[a->at]);
    if (a->at > first)
        return 0;
    buf_printf(a->err, "--%.*s needs a value", (int)flag.name.n, flag.name.p);
    return -EINVAL;
}

static int
apply_flag(struct args *a, struct flag flag, struct slice value)
{
    const struct config_row *row = config_find(flag.name);
    size_t start = a->err->n;

    if (row == NULL) {
        buf_append_lit(a->err, "command line: ");
        config_say_unknown(flag.name, a->err);
        return -EINVAL;
    }
    buf_printf(a->err, "--%s: ", row->name);
    if (config_parse(&a->next, row, value, a->err) < 0)
        return -EINVAL;
    a->err->n = start;
    a->lines[config_row_index(row)] = FROM_FLAG;
    return 0;
}

/* `apply` false: only looks for --config and the file's name, so that the file can be read first.
 * A second --config or one beside a FILE is an error. */
static int
walk_flag(struct args *a, bool apply)
{
    const char *word = a->argv[a->at++];
    struct flag flag = flag_cut(word);
    struct buf value = {0};
    int first = a->at, r;

    if (!is_flag(word)) {
        buf_printf(a->err, "command line: '%s' is no --name", word);
        return -EINVAL;
    }
    r = take_words(a, flag, &value);
    if (r == 0 && slice_is(flag.name, "config")) {
        if (!apply && a->file != NULL) {
            buf_append_lit(a->err, "command line: two configuration files");
            r = -EINVAL;
        }
        a->file = flag.value != NULL ? flag.value : a->argv[first];
        if (r == 0 && flag.value == NULL && a->at - first > 1) {
            buf_append_lit(a->err, "--config takes one file");
            r = -EINVAL;
        }
    } else if (r == 0 && apply) {
        r = apply_flag(a, flag, (struct slice){value.p, value.n});
    }
    buf_fini(&value);
    return r;
}

static int
walk_flags(struct args *a, int first, bool apply)
{
    int r = 0;

    for (a->at = first; r == 0 && a->at < a->argc;)
        r = walk_flag(a, apply);
    return r;
}

static bool
help_wanted(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static void
print_help(const char *program)
{
    struct buf out = {0};

    config_write_help(&out, program);
    fwrite(out.p, 1, out.n, stdout);
    buf_fini(&out);
}

/* Where the later of the settings that contradict each other stands: a flag, or a line. */
static void
say_place(const struct args *a, const struct config_row *const rows[2], struct buf *out)
{
    const struct config_row *row = rows[0];

    if (rows[1] && a->lines[config_row_index(rows[1])] > a->lines[config_row_index(row)])
        row = rows[1];
    if (a->lines[config_row_index(row)] == FROM_FLAG)
        buf_printf(out, "--%s: ", row->name);
    else
        buf_printf(out, "%s:%zu: ", a->file, a->lines[config_row_index(row)]);
}

/* What a row alone does not say. */
static int
check(struct args *a)
{
    const struct config_row *about[2];
    struct buf why = {0};
    int r = config_check(&a->next, about, &why);

    if (r < 0) {
        say_place(a, about, a->err);
        buf_append(a->err, why.p, why.n);
    }
    buf_fini(&why);
    return r;
}

static int
parse(struct args *a, int first)
{
    int r = walk_flags(a, first, false);

    if (r == 0 && a->file != NULL)
        r = config_load_lines(&a->next, a->file, a->lines, a->err);
    if (r == 0)
        r = walk_flags(a, first, true);
    return r == 0 ? check(a) : r;
}

int
config_parse_args(int argc, char **argv, struct config *ret, struct buf *err)
{
    struct args a = {.argc = argc, .argv = argv, .err = err};
    int first = 1, r;

    if (help_wanted(argc, argv)) {
        print_help(argv[0]);
        return 1;
    }
    config_init(&a.next);
    if (argc > 1 && argv[1][0] != '-')
        a.file = argv[first++];
    r = parse(&a, first);
    if (r == 0)
        *ret = a.next;
    return r;
}

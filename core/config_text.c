/* Texts made from the table: --help, the sample file, docs/CONFIG.md; and YAML quoting. */
#include "core/config_priv.h"

#include <inttypes.h>

#define HELP_COLUMN 34
#define LINE_COLUMNS 100

static bool
is_plain_char(char c, bool first)
{
    char l = ascii_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' ||
           (!first && (c == '-' || c == '_' || c == ',' || c == ' '));
}

/* Plain is what cannot mean anything else in YAML. */
static bool
is_plain(struct slice value)
{
    size_t i;

    for (i = 0; i < value.n; i++)
        if (!is_plain_char(value.p[i], i == 0))
            return false;
    return value.n > 0 && value.p[value.n - 1] != ' ';
}

void
config_yaml_scalar(struct slice value, struct buf *out)
{
    if (is_plain(value)) {
        buf_append(out, value.p, value.n);
        return;
    }
    buf_append_lit(out, "\"");
    while (value.n > 0) {
        int32_t code = config_utf8_next(&value);

        ASSERT(code >= 0x20);
        if (code == '"' || code == '\\')
            buf_printf(out, "\\%c", (char)code);
        else if (code < 0x7f)
            buf_printf(out, "%c", (char)code);
        else
            buf_printf(out, "\\U%08" PRIX32, (uint32_t)code);
    }
    buf_append_lit(out, "\"");
}

static void
number_human(const struct config_row *row, uint64_t value, struct buf *out)
{
    struct config scratch = {0};

    memcpy(config_field(&scratch, row), &value, sizeof(value));
    config_get_human(&scratch, row, out);
}

/* "1..65535", "yes|no", "text": what the value may be. */
static void
allowed(const struct config_row *row, const char *separator, struct buf *out)
{
    switch (row->type) {
    case CONFIG_INT:
    case CONFIG_POWER2:
    case CONFIG_BYTES:
    case CONFIG_DURATION:
        number_human(row, row->min, out);
        buf_append_lit(out, "..");
        number_human(row, row->max, out);
        if (row->unit[0] != '\0')
            buf_printf(out, " %s", row->unit);
        if (row->type == CONFIG_POWER2)
            buf_append_lit(out, ", a power of two");
        break;
    case CONFIG_REAL:
        buf_printf(out, "%llu..%llu", (unsigned long long)row->min, (unsigned long long)row->max);
        break;
    case CONFIG_BOOL:
        buf_printf(out, "yes%sno", separator);
        break;
    case CONFIG_ENUM:
        config_enum_list(row, separator, out);
        break;
    case CONFIG_TEXT:
        buf_printf(out, "text, at most %" PRIu64 " bytes", row->max);
        break;
    case CONFIG_ADDRESSES:
        buf_append_lit(out, "addresses");
        break;
    case CONFIG_CPULIST:
        buf_append_lit(out, "CPU list");
        break;
    case CONFIG_FIELDS:
        buf_append_lit(out, "names with a data type each");
        break;
    case CONFIG_COMPACTIONS:
        buf_append_lit(out, "function:bucket:retention[:alignment], separated by ;");
        break;
    }
}

/* Appends words broken into lines that start with `indent`; the first line starts in `column`. */
static void
wrap(struct buf *out, const char *text, const char *indent, size_t column)
{
    bool first = true;

    for (; *text != '\0'; first = false) {
        size_t n = strcspn(text, " ");

        if (!first && column + 1 + n > LINE_COLUMNS) {
            buf_printf(out, "\n%s", indent);
            column = strlen(indent);
        } else if (!first) {
            buf_append_lit(out, " ");
            column++;
        }
        buf_printf(out, "%.*s", (int)n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    buf_append_lit(out, "\n");
}

static const char *
when_text(const struct config_row *row)
{
    return row->when == CONFIG_LIVE ? "live" : row->when == CONFIG_RESTART ? "restart" : "fixed";
}

typedef void title_fn(struct buf *out, const char *title);
typedef void row_fn(struct buf *out, const struct config_row *row);

static void
each_row(struct buf *out, title_fn *title, row_fn *fn, bool fixed_too)
{
    const struct config_row *row;
    int group = -1;
    size_t i;

    for (i = 0; (row = config_row(i)) != NULL; i++) {
        if (row->when == CONFIG_FIXED && !fixed_too)
            continue;
        if ((int)row->group != group)
            title(out, config_group_titles[row->group]);
        group = (int)row->group;
        fn(out, row);
    }
}

/* --help */

static void
help_title(struct buf *out, const char *title)
{
    buf_printf(out, "\n%s:\n", title);
}

static void
help_row(struct buf *out, const struct config_row *row)
{
    char indent[HELP_COLUMN + 1];
    struct buf about = {0};

    memset(indent, ' ', HELP_COLUMN);
    indent[HELP_COLUMN] = '\0';
    allowed(row, "|", &about);
    buf_printf(&about, "; default %s; %s. %s%c", row->fallback[0] != '\0' ? row->fallback : "empty",
               when_text(row), row->help, '\0');
    buf_printf(out, "  --%-*s", HELP_COLUMN - 4, row->name);
    wrap(out, about.p, indent, HELP_COLUMN);
    buf_fini(&about);
}

void
config_write_help(struct buf *out, const char *program)
{
    buf_printf(out,
               "Usage: %s [FILE | --config FILE] [--name value | --name=value]... | --version\n\n",
               program);
    buf_append_lit(out, "FILE is YAML, one \"name: value\" a line; flags override it.\n"
                        "Sizes take b, k, kb, m, mb, g, gb (k = 1000, kb = 1024), times us, ms, s, "
                        "m, h, d.\n"
                        "CONFIG SET changes what is live; the rest is read at the start.\n");
    each_row(out, help_title, help_row, false);
}

/* The sample file */

static void
sample_title(struct buf *out, const char *title)
{
    buf_printf(out, "\n# ---- %s ----\n", title);
}

static void
sample_row(struct buf *out, const struct config_row *row)
{
    struct buf about = {0};

    buf_printf(&about, "%s (", row->help);
    allowed(row, "|", &about);
    buf_printf(&about, "; %s)%c", when_text(row), '\0');
    buf_append_lit(out, "\n# ");
    wrap(out, about.p, "# ", 2);
    buf_printf(out, "#%s: ", row->name);
    config_yaml_scalar(slice_of(row->fallback), out);
    buf_append_lit(out, "\n");
    buf_fini(&about);
}

void
config_write_sample(struct buf *out)
{
    buf_append_lit(out,
                   "# Pinstripe configuration: every setting at its default. Take the # away to "
                   "change one.\n# Made from core/config_table.h by gen-docs.\n");
    each_row(out, sample_title, sample_row, false);
}

/* docs/CONFIG.md */

static void
markdown_title(struct buf *out, const char *title)
{
    buf_printf(out,
               "\n## %s\n\n| name | allowed | default | when | what |\n|---|---|---|---|---|\n",
               title);
}

static void
markdown_row(struct buf *out, const struct config_row *row)
{
    buf_printf(out, "| `%s` | ", row->name);
    allowed(row, ", ", out);
    if (row->fallback[0] != '\0')
        buf_printf(out, " | `%s`", row->fallback);
    else
        buf_append_lit(out, " | empty");
    buf_printf(out, " | %s | %s |\n", when_text(row), row->help);
}

void
config_write_markdown(struct buf *out)
{
    buf_append_lit(
        out,
        "# Configuration\n\n"
        "Made from `core/config_table.h` by `gen-docs`; a test compares them.\n\n"
        "A setting is given in a YAML file (`name: value`, one a line; "
        "`tools/sample/pinstripe.yaml` "
        "has them all), as a\n"
        "command-line flag (`--name value` or `--name=value`, which overrides the file), or, where "
        "the "
        "table says *live*, with\n"
        "`CONFIG SET` while the server runs. `CONFIG REWRITE` writes what is in force back to the "
        "file.\n\n"
        "Sizes take the suffixes of redis.conf: b, k (1000), kb (1024), m, mb, g, gb. Times take "
        "us, "
        "ms, s, m, h, d; a plain\n"
        "number is in the unit of the row. Case does not matter.\n");
    each_row(out, markdown_title, markdown_row, true);
}

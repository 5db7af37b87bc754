#include "tools/dump/options.h"

#include "tools/lib/formats.h"
#include "tools/lib/options.h"
#include "tools/lib/pager.h"

#include <stdio.h>

#define AT(field) offsetof(struct dump_options, field)

static const struct option_row rows[] = {
    {"host", OPTION_TEXT, AT(host), 0, 0, "HOST", "server (127.0.0.1)"},
    {"port", OPTION_UNSIGNED, AT(port), 1, 65535, "N", "port (6379)"},
    {"user", OPTION_TEXT, AT(user), 0, 0, "NAME", "user for AUTH, with --password"},
    {"password", OPTION_TEXT, AT(password), 0, 0, "TEXT",
     "password for AUTH (that of the environment variable REDISCLI_AUTH)"},
    {"start", OPTION_TEXT, AT(start), 0, 0, "TIME", "first time: a timestamp or iso (the oldest)"},
    {"end", OPTION_TEXT, AT(end), 0, 0, "TIME", "last time, inclusive (the newest)"},
    {"date", OPTION_TEXT, AT(date), 0, 0, "YYYYMMDD", "that day only; what day-... counts from"},
    {"types", OPTION_TEXT, AT(types), 0, 0, "XX,XX...", "data types, for --format points (all)"},
    {"format", OPTION_TEXT, AT(format), 0, 0, "NAME", "see below (points, csv with --columns)"},
    {"columns", OPTION_TEXT, AT(columns), 0, 0, "MAP",
     "which column is what, as for pinstripe-load; see docs/IMPORT.md"},
    {"header", OPTION_TEXT, AT(header), 0, 0, "yes|no",
     "write a header line (yes when --columns has names and for points, else no)"},
    {"delimiter", OPTION_TEXT, AT(delimiter), 0, 0, "CHAR|tab", "between fields (,)"},
    {"key", OPTION_TEXT, AT(key), 0, 0, "TEMPLATE",
     "keys of this form; a key column shows what stands for {key}"},
    {"time", OPTION_TEXT, AT(time), 0, 0, "FORMAT", "as for pinstripe-load (the format's)"},
    {"timezone", OPTION_TEXT, AT(timezone), 0, 0, "NAME", "zone of the times written (UTC)"},
    {"unit", OPTION_TEXT, AT(unit), 0, 0, "s|ms|us|ns",
     "unit of the timestamps that are stored (the server's timestamp-unit)"},
    {"precision", OPTION_TEXT, AT(precision), 0, 0, "s|ms|us|ns", "influx: unit of its times (ns)"},
    {"output", OPTION_TEXT, AT(output), 0, 0, "FILE", "where to (-, standard output)"},
    {"compress", OPTION_TEXT, AT(compress), 0, 0, "gz|zst|none",
     "how (by the name: .gz, .zst, else not)"},
    {"no-final-newline", OPTION_FLAG, AT(no_final_newline), 0, 0, NULL, "the last line has no end"},
    {"page", OPTION_UNSIGNED, AT(page), 2, PAGER_LIMIT_MAX, "N",
     "points asked for at a time (10000)"},
    {"quiet", OPTION_FLAG, AT(quiet), 0, 0, NULL, "no summary"},
    {"help", OPTION_FLAG, AT(help), 0, 0, NULL, "this text"},
};

static const struct option_table table = {rows, ARRAY_SIZE(rows)};

enum form {
    FORM_CSV = 1,
    FORM_INFLUX = 2,
};

static const struct option_use uses[] = {
    {"columns", FORM_CSV, "CSV"}, {"header", FORM_CSV, "CSV"}, {"delimiter", FORM_CSV, "CSV"},
    {"time", FORM_CSV, "CSV"},    {"types", FORM_CSV, "CSV"},  {"precision", FORM_INFLUX, "--format influx"},
};

static int
check_uses(const struct dump_options *o, int argc, const char *const *argv, char *error, size_t error_size)
{
    enum form form = strcmp(o->format, "influx") == 0 ? FORM_INFLUX : FORM_CSV;
    const struct option_use *wrong = options_unused(&table, argc, argv, uses, ARRAY_SIZE(uses), form);

    if (wrong)
        snprintf(error, error_size, "--%s is for %s, not for --format %.64s", wrong->name, wrong->what, o->format);
    return wrong ? -EINVAL : 0;
}

static const char *
wrong_together(const struct dump_options *o, unsigned words)
{
    if (o->help)
        return NULL;
    if (words == 0 && !o->key)
        return "no key or pattern is given, see --help";
    if (o->user && !o->password)
        return "--user needs --password";
    if (o->header && strcmp(o->header, "yes") != 0 && strcmp(o->header, "no") != 0)
        return "--header takes yes or no";
    if (o->delimiter && strlen(o->delimiter) != 1 && strcmp(o->delimiter, "tab") != 0)
        return "--delimiter takes one character or tab";
    if (o->delimiter && strchr("\"\r\n", o->delimiter[0]))
        return "--delimiter cannot be a quote or the end of a line";
    if (o->compress && strcmp(o->compress, "gz") != 0 && strcmp(o->compress, "zst") != 0 &&
        strcmp(o->compress, "none") != 0)
        return "--compress takes gz, zst or none";
    if (o->date && (o->start || o->end))
        return "--date is a whole day: no --start or --end with it";
    return NULL;
}

int
dump_options_parse(struct dump_options *o, int argc, const char *const *argv, const char **words,
                   unsigned *ret_words, char *error, size_t error_size)
{
    const char *wrong;
    int rc;

    *o = (struct dump_options){.host = "127.0.0.1",
                               .port = 6379,
                               .page = 10000,
                               .timezone = "UTC",
                               .precision = "ns",
                               .output = "-"};
    rc = options_parse(&table, o, argc, argv, words, ret_words, error, error_size);
    if (rc < 0)
        return rc;
    if (o->password == NULL)
        o->password = options_password();
    if (o->format == NULL)
        o->format = o->columns ? "csv" : "points";
    wrong = wrong_together(o, *ret_words);
    if (wrong)
        snprintf(error, error_size, "%s", wrong);
    if (wrong)
        return -EINVAL;
    return o->help ? 0 : check_uses(o, argc, argv, error, error_size);
}

void
dump_options_help(void)
{
    puts("Usage: pinstripe-dump [options] KEY|PATTERN...\n\n"
         "Writes the points of series as text. A pattern has * ? [ or \\ in it.\n");
    options_help(&table);
    puts("\nFormats:");
    formats_help();
    puts("  influx      line protocol, of keys that pinstripe-load --format influx has made\n\n"
         "Exit status: 0 all is written; 1 written, but see the warnings; 2 wrong usage;\n"
         "3 stopped before the end.");
}

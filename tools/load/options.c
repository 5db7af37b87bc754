#include "tools/load/options.h"

#include "tools/lib/formats.h"
#include "tools/lib/options.h"
#include "tools/load/lane.h"
#include "tools/load/missing.h"

#include <stdio.h>

#define AT(field) offsetof(struct load_options, field)
#define WINDOW_MIN 16

static const struct option_row rows[] = {
    {"host", OPTION_TEXT, AT(host), 0, 0, "HOST", "server (127.0.0.1)"},
    {"port", OPTION_UNSIGNED, AT(port), 1, 65535, "N", "port (6379)"},
    {"user", OPTION_TEXT, AT(user), 0, 0, "NAME", "user for AUTH, with --password"},
    {"password", OPTION_TEXT, AT(password), 0, 0, "TEXT",
     "password for AUTH (that of the environment variable REDISCLI_AUTH)"},
    {"format", OPTION_TEXT, AT(format), 0, 0, "NAME", "what the files are, see below (csv)"},
    {"columns", OPTION_TEXT, AT(columns), 0, 0, "MAP",
     "which column is what: time,key,00,01/scale=100,- or price=00,ts=time; see docs/IMPORT.md"},
    {"header", OPTION_TEXT, AT(header), 0, 0, "yes|no",
     "is the first line a header (yes when --columns has names, else no)"},
    {"delimiter", OPTION_TEXT, AT(delimiter), 0, 0, "CHAR|tab", "between fields (,)"},
    {"comment", OPTION_TEXT, AT(comment), 0, 0, "CHAR", "lines that begin with it are passed over"},
    {"missing", OPTION_TEXT, AT(missing), 0, 0, "WORD,...",
     "cells that are no value, like empty ones (" MISSING_DEFAULT ")"},
    {"key", OPTION_TEXT, AT(key), 0, 0, "TEMPLATE",
     "key of a series: text with {key} {file} {symbol} {date} {kind} ({key}, or {file} when there "
     "is no key column)"},
    {"labels", OPTION_TEXT, AT(labels), 0, 0, "NAME=TEXT,...",
     "labels of each series, TEXT as in --key; none: none, of line protocol neither"},
    {"time", OPTION_TEXT, AT(time), 0, 0, "FORMAT",
     "s ms us ns, day-s to day-ns, iso, or a pattern such as '%Y%m%d %H:%M:%S' (iso)"},
    {"timezone", OPTION_TEXT, AT(timezone), 0, 0, "NAME",
     "zone of times without one, e.g. America/New_York (UTC)"},
    {"unit", OPTION_TEXT, AT(unit), 0, 0, "s|ms|us|ns",
     "unit of the timestamps that are stored (the server's timestamp-unit)"},
    {"truncate-times", OPTION_FLAG, AT(truncate_times), 0, 0, NULL,
     "a time finer than the unit loses what is finer, else its line is bad"},
    {"date", OPTION_TEXT, AT(date), 0, 0, "YYYYMMDD",
     "the day that day-... counts from (from the file's name)"},
    {"time-start", OPTION_TEXT, AT(time_start), 0, 0, "N",
     "without a time column: timestamp of the first line"},
    {"time-step", OPTION_UNSIGNED, AT(time_step), 1, 1ULL << 62, "N",
     "without a time column: what each line adds"},
    {"precision", OPTION_TEXT, AT(precision), 0, 0, "s|ms|us|ns",
     "influx: unit of the times in the file (ns)"},
    {"from-redis", OPTION_TEXT, AT(from_redis), 0, 0, "HOST:PORT",
     "take the series of a running RedisTimeSeries or Pinstripe instead of files"},
    {"from-user", OPTION_TEXT, AT(from_user), 0, 0, "NAME", "user there, with --from-password"},
    {"from-password", OPTION_TEXT, AT(from_password), 0, 0, "TEXT", "password there"},
    {"match", OPTION_TEXT, AT(match), 0, 0, "PATTERN", "which keys of it (*)"},
    {"connections", OPTION_UNSIGNED, AT(connections), 1, LANES_MAX, "N",
     "connections; a series keeps to one (4)"},
    {"window", OPTION_UNSIGNED, AT(window), WINDOW_MIN, LANE_WINDOW_MAX, "N",
     "points under way on a connection, at most (8192)"},
    {"rate", OPTION_UNSIGNED, AT(rate), 1, 1000000000, "N", "at most N points a second"},
    {"replay", OPTION_ABOVE, AT(replay), 0, 0, "SPEED",
     "as fast as the times in the data say, times SPEED, above 0 up to 1000000"},
    {"resume", OPTION_FLAG, AT(resume), 0, 0, NULL,
     "go on where an earlier load of the file stopped; nothing is lost or doubled"},
    {"growing", OPTION_FLAG, AT(growing), 0, 0, NULL,
     "with --resume: the file is still written to, a last line without its end is left for the "
     "next load"},
    {"load-name", OPTION_TEXT, AT(load_name), 0, 0, "NAME",
     "with --resume: name of the position on the server (the file's)"},
    {"wait", OPTION_UNSIGNED, AT(wait_seconds), 0, 86400, "SECONDS",
     "with --resume: for the connections of an earlier load of that name to end (10)"},
    {"strict", OPTION_FLAG, AT(strict), 0, 0, NULL, "stop at the first bad line"},
    {"reports", OPTION_UNSIGNED, AT(reports), 0, 1000000000, "N",
     "bad lines that are printed; all are counted (20)"},
    {"dry-run", OPTION_FLAG, AT(dry_run), 0, 0, NULL, "read and check, send nothing"},
    {"quiet", OPTION_FLAG, AT(quiet), 0, 0, NULL, "no progress and no summary"},
    {"help", OPTION_FLAG, AT(help), 0, 0, NULL, "this text"},
};

static const struct option_table table = {rows, ARRAY_SIZE(rows)};

enum form {
    FORM_CSV = 1,
    FORM_INFLUX = 2,
    FORM_REDIS = 4,
};

#define FOR_CSV FORM_CSV, "CSV"
#define FOR_FILES FORM_CSV | FORM_INFLUX, "files"

static const struct option_use uses[] = {
    {"columns", FOR_CSV},      {"header", FOR_CSV},     {"delimiter", FOR_CSV},
    {"comment", FOR_CSV},      {"missing", FOR_CSV},    {"time", FOR_CSV},
    {"timezone", FOR_CSV},     {"date", FOR_CSV},       {"time-start", FOR_CSV},
    {"time-step", FOR_CSV},    {"format", FOR_FILES},   {"truncate-times", FOR_FILES},
    {"wait", FOR_FILES},
    {"precision", FORM_INFLUX, "--format influx"},
    {"match", FORM_REDIS, "--from-redis"},
    {"from-user", FORM_REDIS, "--from-redis"},
    {"from-password", FORM_REDIS, "--from-redis"},
};

static int
check_uses(const struct load_options *o, int argc, const char *const *argv, char *error, size_t error_size)
{
    enum form form = o->from_redis ? FORM_REDIS : strcmp(o->format, "influx") == 0 ? FORM_INFLUX : FORM_CSV;
    const struct option_use *wrong = options_unused(&table, argc, argv, uses, ARRAY_SIZE(uses), form);

    if (wrong == NULL)
        return 0;
    snprintf(error, error_size, "--%s is for %s, not for %s%.64s", wrong->name, wrong->what,
             form == FORM_REDIS ? "--from-redis" : "--format ", form == FORM_REDIS ? "" : o->format);
    return -EINVAL;
}

static const char *
wrong_together(const struct load_options *o, unsigned files)
{
    if (o->help)
        return NULL;
    if (o->from_redis && files)
        return "--from-redis takes no files";
    if (!o->from_redis && files == 0)
        return "no file is given, see --help";
    if (o->from_redis && o->resume)
        return "--resume is for files; --from-redis begins again, which changes nothing where "
               "duplicate-policy is LAST, FIRST, MIN or MAX, but writes points twice under KEEP "
               "and adds them up twice under SUM: DEL what it wrote first";
    if (o->from_user && !o->from_password)
        return "--from-user needs --from-password";
    if (o->user && !o->password)
        return "--user needs --password";
    if (o->load_name && (!o->resume || files != 1))
        return "--load-name is for --resume and one file";
    if (o->growing && !o->resume)
        return "--growing is for --resume";
    if (o->resume && o->dry_run)
        return "--dry-run sends nothing, there is nothing to resume";
    if (o->header && strcmp(o->header, "yes") != 0 && strcmp(o->header, "no") != 0)
        return "--header takes yes or no";
    if (o->delimiter && strlen(o->delimiter) != 1 && strcmp(o->delimiter, "tab") != 0)
        return "--delimiter takes one character or tab";
    if (o->delimiter && strchr("\"\r\n", o->delimiter[0]))
        return "--delimiter cannot be a quote or the end of a line";
    if (o->comment && strlen(o->comment) != 1)
        return "--comment takes one character";
    if (!o->time_step != !o->time_start)
        return "--time-start and --time-step go together";
    return NULL;
}

int
load_options_parse(struct load_options *o, int argc, const char *const *argv, const char **files,
                   unsigned *ret_files, char *error, size_t error_size)
{
    const char *wrong;
    int rc;

    *o = (struct load_options){.host = "127.0.0.1",
                               .port = 6379,
                               .format = "csv",
                               .match = "*",
                               .missing = MISSING_DEFAULT,
                               .precision = "ns",
                               .timezone = "UTC",
                               .connections = 4,
                               .window = 8192,
                               .wait_seconds = 10,
                               .reports = 20};
    rc = options_parse(&table, o, argc, argv, files, ret_files, error, error_size);
    if (rc < 0)
        return rc;
    if (o->password == NULL)
        o->password = options_password();
    wrong = wrong_together(o, *ret_files);
    if (wrong)
        snprintf(error, error_size, "%s", wrong);
    if (wrong)
        return -EINVAL;
    return o->help ? 0 : check_uses(o, argc, argv, error, error_size);
}

void
load_options_help(void)
{
    puts("Usage: pinstripe-load [options] FILE...\n"
         "       pinstripe-load [options] --from-redis HOST:PORT [--match PATTERN]\n\n"
         "Writes points of files (plain, .gz, .zst; - is standard input) into series.\n");
    options_help(&table);
    puts("\nFormats:");
    formats_help();
    puts("  lean        lean-trade, lean-quote or lean-forex by the name of the file\n"
         "  influx      line protocol: measurement,tag=v field=1,other=2i time\n\n"
         "Exit status: 0 all is loaded; 1 loaded, but some lines or points were bad; 2 wrong "
         "usage;\n"
         "3 stopped before the end.");
}

/* The options of pinstripe-load: one table (options.c) makes the parser and --help. */
#ifndef TOOLS_LOAD_OPTIONS_H
#define TOOLS_LOAD_OPTIONS_H

#include "core/base.h"

struct load_options {
    /* where to */
    const char *host;
    uint64_t port;
    const char *user, *password;
    uint64_t connections, window;
    bool dry_run;
    /* what the files are */
    const char *format, *columns, *header, *delimiter, *comment;
    const char *key, *labels, *time, *timezone, *unit, *date;
    const char *missing;
    const char *time_start;
    uint64_t time_step;
    bool truncate_times;
    const char *precision;
    const char *from_redis, *from_user, *from_password, *match;
    /* how */
    uint64_t rate;
    double replay;
    bool resume, growing;
    const char *load_name;
    uint64_t wait_seconds;
    bool strict;
    uint64_t reports;
    bool quiet;
    bool help;
};

/* Fills `o`; the files go to files[] (room for argc). 0, or -EINVAL with a sentence in `error`. */
int load_options_parse(struct load_options *o, int argc, const char *const *argv,
                       const char **files, unsigned *ret_files, char *error, size_t error_size);
void load_options_help(void);

#endif

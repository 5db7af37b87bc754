/* The options of pinstripe-dump: one table (options.c) makes the parser and --help. */
#ifndef TOOLS_DUMP_OPTIONS_H
#define TOOLS_DUMP_OPTIONS_H

#include "core/base.h"

struct dump_options {
    /* where from */
    const char *host;
    uint64_t port;
    const char *user, *password;
    uint64_t page;
    /* which points */
    const char *start, *end, *date, *types;
    /* how they are written */
    const char *format, *columns, *header, *delimiter;
    const char *key, *time, *timezone, *unit, *precision;
    const char *output, *compress;
    bool no_final_newline;
    bool quiet;
    bool help;
};

/* Fills `o`; keys and patterns go to words[] (room for argc). 0, or -EINVAL with a sentence. */
int dump_options_parse(struct dump_options *o, int argc, const char *const *argv,
                       const char **words, unsigned *ret_words, char *error, size_t error_size);
void dump_options_help(void);

#endif

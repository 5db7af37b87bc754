/* Command-line options of the programs: a table of rows makes the parser and the text of --help.
 *
 * "--name value", "--name=value", "--flag"; what does not begin with "--" is a word (a file, a
 * key).
 * "--" ends the options. "-" alone is a word. */
#ifndef TOOLS_LIB_OPTIONS_H
#define TOOLS_LIB_OPTIONS_H

#include "core/base.h"

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_UNSIGNED, /* uint64_t from min to max */
    OPTION_NUMBER,   /* double from min to max, 0 to 1e6 where both are 0 */
    OPTION_ABOVE,    /* double above 0 to max, to 1e6 where that is 0 */
    OPTION_TEXT,     /* const char *, the word itself */
};

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t at; /* offset of the field in the program's struct */
    uint64_t min, max;
    const char *argument; /* for --help */
    const char *help;
};

struct option_table {
    const struct option_row *rows;
    size_t n;
};

/* Fills the fields of `o` that are named in argv[1..]. Words go to words[] (room for argc), their
 * number to *ret_words; words NULL: none is allowed. 0, or -EINVAL after it has written to `error`
 * what is wrong. Strings of argv are kept. */
int options_parse(const struct option_table *t, void *o, int argc, const char *const *argv,
                  const char **words, unsigned *ret_words, char *error, size_t error_size);
/* One or two lines an option, to standard output. */
void options_help(const struct option_table *t);

/* The password that redis-cli takes from the environment, which other users cannot see as they see a
 * command line: REDISCLI_AUTH. NULL when there is none. */
const char *options_password(void);

/* Which of several forms of a program an option is for, as bits. */
struct option_use {
    const char *name;
    unsigned forms;
    const char *what; /* these, for people */
};

/* The first of them that is given in argv, which options_parse has taken, and that `form` has no use
 * for; NULL when there is none. */
const struct option_use *options_unused(const struct option_table *t, int argc, const char *const *argv,
                                        const struct option_use *uses, size_t n, unsigned form);

/* A whole text as a number within bounds: 0 or -EINVAL. */
int options_unsigned(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
int options_number(const char *text, double min, double max, double *ret);

#endif

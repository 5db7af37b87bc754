/* Named formats of files: a column map with what belongs to it, so that nobody has to write them
 * down. Both programs know them; what is given on the command line comes first. */
#ifndef TOOLS_LIB_FORMATS_H
#define TOOLS_LIB_FORMATS_H

#include "core/base.h"
#include "tools/lib/keyname.h"

struct format {
    const char *name;
    const char *columns; /* NULL: must be given */
    const char *time;
    const char *key;
    bool header;
    bool us_by_digits; /* a load takes times of 16 digits for microseconds */
    const char *help;
};

/* NULL when there is none of that name. */
const struct format *format_find(const char *name);
/* "lean" by the name of the file and the number of fields of its first line: trade, quote of
 * shares, quote of currencies. NULL when they do not say. */
const struct format *format_of_lean(const struct file_facts *f, unsigned fields);
/* The names, with commas between them. */
#define FORMATS_NAMES_BYTES 160
void formats_names(char *out, size_t size);
/* A line for each, to standard output. */
void formats_help(void);

#endif

/* Comma-separated values (RFC 4180, any one-byte delimiter), a record at a time.
 *
 * A field may stand in double quotes, a quote inside is doubled; within quotes the end of a line
 * belongs to the field. Spaces belong to fields. */
#ifndef TOOLS_LIB_CSV_H
#define TOOLS_LIB_CSV_H

#include "core/base.h"
#include "core/buf.h"
#include "tools/lib/input.h"

#define CSV_FIELDS_MAX 4096

enum csv_error {
    CSV_OPEN_QUOTE = -1,  /* a quote that does not end */
    CSV_AFTER_QUOTE = -2, /* something between a closing quote and the delimiter */
    CSV_MANY_FIELDS = -3, /* more than `max` */
};

/* Where the record ends that the text begins with, see input_record. */
enum input_record csv_record(struct slice text, char delimiter, size_t *ret_n);

/* Splits line[0..n) into fields[0..max). Quoted fields are unquoted in place. Returns how many
 * fields there are, at least 1, or a csv_error. */
int csv_split(char *line, size_t n, char delimiter, struct slice *fields, int max);
/* What is wrong, for people. */
const char *csv_error_text(int error);

/* Appends a field, quoted when it has to be. */
void csv_put(struct buf *b, struct slice field, char delimiter);

#endif

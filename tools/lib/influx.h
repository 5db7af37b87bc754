/* Influx line protocol, one line:
 *
 *     measurement,tag=value field=1.5,other=2i,third=3u,on=true,name="text" 1700000000000000000
 *
 * A backslash before a comma, a space or '=' makes it part of a name. A series of ours is one field
 * of one measurement with its tags; its key is their text as it stands, a space, and the field's:
 * "cpu,host=a usage". That goes back and forth without loss, since an unescaped space cannot be in
 * either part.
 *
 * A point has no type, so its quality says which one the field had. Text is not stored. */
#ifndef TOOLS_LIB_INFLUX_H
#define TOOLS_LIB_INFLUX_H

#include "core/base.h"
#include "core/buf.h"
#include "tools/lib/input.h"

#define INFLUX_FIELDS_MAX 1024

enum influx_kind { /* the values are the qualities that are stored */
                   INFLUX_FLOAT = 0,
                   INFLUX_INTEGER = 1,
                   INFLUX_UNSIGNED = 2,
                   INFLUX_BOOLEAN = 3,
                   INFLUX_TEXT = 256, /* not stored */
};

struct influx_field {
    struct slice name, value; /* value: the number as text; of a boolean 1 or 0 */
    enum influx_kind kind;
};

struct influx_line {
    struct slice series; /* measurement and tags */
    struct slice time;   /* empty: none was given */
    unsigned n;
    struct influx_field fields[INFLUX_FIELDS_MAX];
};

/* The line without the blanks before it; nothing is left of one that is empty. */
struct slice influx_trim(struct slice line);
/* Takes a line apart; the parts point into it. NULL, or what is wrong with it. Numbers are checked:
 * finite, and whole ones up to 2^53, which a double holds. */
const char *influx_parse(struct slice line, struct influx_line *ret);
/* Where the line ends that the text begins with: the text of a field may have line ends, see
 * input_record. */
enum input_record influx_record(struct slice text, size_t *ret_n);
/* A series in its parts, all as they stand: takes the measurement from its front, ... */
void influx_measurement(struct slice *series, struct slice *ret);
/* ... and then tag by tag. False at the end. */
bool influx_next_tag(struct slice *series, struct slice *ret_name, struct slice *ret_value);
/* Appends what a name means: without the backslashes before a comma, a space or '='. */
void influx_unescape(struct buf *out, struct slice name);
/* The two parts of a key. False when it has no unescaped space. */
bool influx_split_key(struct slice key, struct slice *ret_series, struct slice *ret_field);
/* Appends the value of a field as its kind is written; an unknown quality is a float. False: no
 * field of that kind has such a value (1.5 is no integer), and it is written as a float. */
bool influx_put_value(struct buf *out, struct slice value, uint8_t quality);

#endif

/* A column map: which column of a CSV file is what of a point, for reading and for writing.
 *
 *   --columns time,00/scale=10000,01,02/text,03/hex,quality       in the order of the file
 *   --columns timestamp=time,value=00                             by the names of its header line
 *
 *   -         is passed over                  XX        a value of data type XX (00 to ff)
 *   time      the time, see --time            value     a value of the type in `type`, else of 00
 *   key       the symbol, {key} of --key      type      the data type of `value`, as two digits
 *   quality   the quality of all points       (several `time` columns are joined by a space)
 *             of the line
 *
 * In a name, and in SUFFIX, a backslash before , = / | or itself makes it part of the text.
 *
 * Behind XX and value, each with a '/':
 *   scale=10000   the file has the value times this power of ten, as a whole number
 *   decimals=2    written with so many decimals (reading takes any number)
 *   float         written with a point: 7.0 (reading takes any number)
 *   hex, HEX      whole numbers in base 16 without leading zeros, to 2^53
 *   text          up to 6 bytes of text, stored as the number that they are, first byte highest
 *   key=SUFFIX    the value is a series of its own, under the key with SUFFIX appended
 *
 * Every kind gives its text back byte for byte, number only when the text was the shortest that
 * means the value (1.5, not 1.50: that is decimals=2). A cell that would not come back is refused
 * when it is read: a hex number with a leading zero, a scaled one with decimals. */
#ifndef TOOLS_LIB_COLUMNS_H
#define TOOLS_LIB_COLUMNS_H

#include "core/base.h"
#include "core/buf.h"

#define COLUMNS_MAX 256
#define COLUMN_NAME_MAX 127
#define COLUMN_SUFFIX_MAX 127
#define CELL_TEXT_BYTES_MAX 6 /* of a text: 48 bits are exact in a double */
#define CELL_PUT_MAX 400      /* longest text cell_put writes: a double with 60 decimals */

enum column_role {
    COLUMN_SKIP,
    COLUMN_TIME,
    COLUMN_KEY,
    COLUMN_TYPE,
    COLUMN_QUALITY,
    COLUMN_VALUE, /* of column.type, or with column.any_type of the line's */
};

enum cell_kind {
    CELL_NUMBER,
    CELL_FLOAT,
    CELL_SCALED,
    CELL_HEX,
    CELL_UPPER_HEX,
    CELL_TEXT,
};

struct column {
    enum column_role role;
    enum cell_kind kind;
    uint8_t type;
    bool any_type;
    int decimals; /* NUMBER: -1 for the shortest; SCALED: log10 of the scale */
    unsigned at;  /* which field of the file */
    char name[COLUMN_NAME_MAX + 1]; /* as in the map, several with '|' between them */
    char suffix[COLUMN_SUFFIX_MAX + 1];
};

struct columns {
    unsigned n;
    bool named;
    unsigned fields; /* a line must have at least so many, known when bound or not named */
    struct column c[COLUMNS_MAX];
};

/* Reads a map. 0, or -EINVAL with a sentence in `error`. */
int columns_parse(struct columns *cs, const char *text, char *error, size_t error_size);
/* Do two columns name the same series? A dump may write one twice; a load would make two points of one. */
bool columns_has_one_twice(const struct columns *cs);
/* Finds the columns of a named map in a header line, ASCII case ignored; "a|b=..." takes either. 0,
 * or -EINVAL with the name that is missing, or there twice, in `error`. */
int columns_bind(struct columns *cs, const struct slice *fields, int n, char *error,
                 size_t error_size);
/* Appends the name of a column, the first one if it has several; nothing when it has none. */
void columns_put_name(const struct column *c, struct buf *out);
/* The first column of a role, or NULL. */
const struct column *columns_find(const struct columns *cs, enum column_role role);

/* The decimal text of a cell's value, in `room` (CELL_PUT_MAX) or in the cell itself. NULL, or what
 * is wrong with it ("is no number"). */
const char *cell_read(const struct column *c, struct slice cell, char *room, struct slice *ret);
/* The cell of a value given as text (the shortest, as the server writes it). Appends it; false when
 * the value is none that cell_read can have made. */
bool cell_put(const struct column *c, struct slice value, struct buf *out);

/* Two hexadecimal digits: 0 to 255, or -1. */
int type_parse(struct slice text);
void type_put(uint8_t type, char out[2]);

#endif

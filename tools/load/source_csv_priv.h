/* A CSV file under way: how its lines are to be understood, and the line at hand. */
#ifndef TOOLS_LOAD_SOURCE_CSV_PRIV_H
#define TOOLS_LOAD_SOURCE_CSV_PRIV_H

#include "tools/lib/columns.h"
#include "tools/lib/csv.h"
#include "tools/load/load.h"
#include "tools/load/missing.h"

#define CELL_ROOM 40 /* what cell_read writes: a 53-bit number with a point */
#define KEY_BYTES_MAX 65535

struct csv_source {
    struct load *ld;
    struct columns columns;
    struct keyname keyname;
    struct time_format time;
    const struct column *time_column, *key_column, *quality_column, *type_column;
    unsigned time_columns, value_columns;
    char delimiter;
    bool header;
    struct missing missing;
    int64_t time_start;
    /* the line */
    struct slice fields[CSV_FIELDS_MAX];
    int n;
    int64_t ts;
    uint8_t quality, type;
    struct slice values[COLUMNS_MAX]; /* of value columns; p NULL: the cell is empty */
    bool is_nan[COLUMNS_MAX];         /* of those that have a value */
    bool any_nan;
    char rooms[COLUMNS_MAX][CELL_ROOM];
    char time_text[TIME_TEXT_MAX];
    char key[KEY_BYTES_MAX + COLUMN_SUFFIX_MAX];
    size_t key_n;
};

/* From the options, the format and the name of the file: all but `the line`. s->ld is set. 0, or a
 * negative errno with ld->error set. */
int csv_source_set_up(struct csv_source *s);

#endif

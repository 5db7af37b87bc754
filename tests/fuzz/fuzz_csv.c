/* CSV lines and column maps: what was split and is written again splits into the same; a cell that
 * was taken comes back. The first byte chooses the delimiter, the rest is the line, and also a map.
 */
#include "net/number.h"
#include "tools/lib/columns.h"
#include "tools/lib/csv.h"

#include <stdlib.h>

#define LINE_MAX_BYTES 4096
#define FIELDS 64
#define EXACT_MAPS 4 /* the first of the kinds of cells: their text comes back as it was */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_line(const char *text, size_t n, char delimiter)
{
    char line[LINE_MAX_BYTES];
    struct slice fields[FIELDS], again[FIELDS];
    struct buf out = {0};
    size_t end = 0;
    int count, i;

    memcpy(line, text, n);
    count = csv_split(line, n, delimiter, fields, FIELDS);
    for (i = 0; i < count; i++) {
        if (i > 0)
            buf_append(&out, &delimiter, 1);
        csv_put(&out, fields[i], delimiter);
    }
    if (count > 0) {
        buf_reserve(&out, 1);
        ASSERT(csv_record((struct slice){out.p, out.n}, delimiter, &end) == INPUT_RECORD_WHOLE && end == out.n);
        ASSERT(csv_split(out.p, out.n, delimiter, again, FIELDS) == count);
        for (i = 0; i < count; i++)
            ASSERT(slice_equal(fields[i], again[i]));
    }
    buf_fini(&out);
}

/* Every kind of cell; of a plain number the text may have been longer than need be. */
static void
check_cell(struct slice cell)
{
    static const char *const maps[] = {"00/scale=1000", "00/hex",   "00/HEX",
                                       "00/text",       "00/float", "00"};
    struct columns *cs = malloc(sizeof(*cs));
    char room[CELL_PUT_MAX], error[256], text[RESP_DOUBLE_TEXT_MAX];
    struct slice number;
    double v, w;

    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        struct buf out = {0};

        ASSERT(columns_parse(cs, maps[i], error, sizeof(error)) == 0);
        if (cell_read(cs->c, cell, room, &number) == NULL) {
            ASSERT(parse_double(number, &v));
            ASSERT(cell_put(cs->c, (struct slice){text, format_double(text, v)}, &out));
            if (i < EXACT_MAPS)
                ASSERT(slice_equal(cell, (struct slice){out.p, out.n}));
            else
                ASSERT(parse_double((struct slice){out.p, out.n}, &w) && v == w);
        }
        buf_fini(&out);
    }
    free(cs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char delimiters[] = ",;\t|";
    char *text, error[256];
    struct columns *cs;

    if (n == 0 || n > LINE_MAX_BYTES)
        return 0;
    text = malloc(n);
    memcpy(text, data + 1, n - 1);
    text[n - 1] = '\0';
    check_line(text, n - 1, delimiters[data[0] % 4]);
    check_cell((struct slice){text, n - 1});
    cs = malloc(sizeof(*cs));
    if (columns_parse(cs, text, error, sizeof(error)) == 0)
        ASSERT(cs->n > 0 && cs->n <= COLUMNS_MAX);
    free(cs);
    free(text);
    return 0;
}

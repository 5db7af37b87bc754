/* CSV of any shape, by a column map. A line is understood as a whole before any of its points is
 * sent: a bad line gives none. */
#include "tools/load/load.h"

#include "net/number.h"
#include "tools/lib/columns.h"
#include "tools/lib/csv.h"
#include "tools/lib/formats.h"

#include <stdlib.h>

#define CELL_ROOM 40 /* what cell_read writes: a 53-bit number with a point */
#define KEY_BYTES_MAX 65535

struct csv_source {
    struct load *ld;
    struct columns columns;
    struct keyname keyname;
    struct time_format time;
    const struct column *time_column, *key_column, *quality_column, *type_column;
    unsigned time_columns;
    char delimiter;
    bool header;
    int64_t time_start;
    /* the line */
    struct slice fields[CSV_FIELDS_MAX];
    int n;
    int64_t ts;
    uint8_t quality, type;
    struct slice values[COLUMNS_MAX]; /* of value columns; p NULL: the cell is empty */
    char rooms[COLUMNS_MAX][CELL_ROOM];
    char time_text[TIME_TEXT_MAX];
    char key[KEY_BYTES_MAX + COLUMN_SUFFIX_MAX];
    size_t key_n;
};

/* --- setting up ----------------------------------------------------------------------------------
 */

static int
count_fields(struct load *ld, char delimiter, unsigned *ret)
{
    struct slice first;
    unsigned n = 1;
    int rc = input_peek(&ld->in, POSITION_FIRST_BYTES, &first);

    if (rc < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s", ld->in.error);
        return rc;
    }
    for (size_t i = 0; i < first.n && first.p[i] != '\n'; i++)
        n += first.p[i] == delimiter;
    *ret = n;
    return 0;
}

static int
find_format(struct csv_source *s, const struct format **ret)
{
    struct load *ld = s->ld;
    unsigned fields;
    int rc;

    if (strcmp(ld->o.format, "lean") != 0) {
        *ret = format_find(ld->o.format);
        if (*ret)
            return 0;
        snprintf(ld->error, sizeof(ld->error), "--format '%s' is none, see --help", ld->o.format);
        return -EINVAL;
    }
    rc = count_fields(ld, s->delimiter, &fields);
    if (rc < 0)
        return rc;
    *ret = format_of_lean(&ld->facts, fields);
    if (*ret)
        return 0;
    snprintf(ld->error, sizeof(ld->error),
             "%s: a name with trade or quote and 6, 8 or 3 columns are a file of Lean; else give "
             "--format lean-trade, lean-quote or lean-forex",
             ld->in.path);
    return -EINVAL;
}

static int
set_time(struct csv_source *s, const struct format *f)
{
    struct load *ld = s->ld;
    const char *text = ld->o.time ? ld->o.time : f->time ? f->time : time_unit_name(ld->unit);
    bool local = strcmp(ld->o.timezone, "UTC") != 0;
    const char *day = ld->o.date ? ld->o.date : ld->facts.date;

    if (time_format_init(&s->time, text, ld->unit, local) < 0) {
        snprintf(ld->error, sizeof(ld->error), "--time '%s' is no format, see --help", text);
        return -EINVAL;
    }
    s->time.truncate = ld->o.truncate_times;
    if (s->time.kind == TIME_OF_DAY && time_format_day(&s->time, slice_of(day)) < 0) {
        snprintf(ld->error, sizeof(ld->error),
                 "%s: times since midnight need a --date YYYYMMDD, or one in the file's name",
                 ld->in.path);
        return -EINVAL;
    }
    if (s->time_column == NULL && ld->o.time_start == NULL) {
        snprintf(ld->error, sizeof(ld->error),
                 "--columns has no time column (else give --time-start and --time-step)");
        return -EINVAL;
    }
    if (ld->o.time_start && !parse_int(slice_of(ld->o.time_start), &s->time_start)) {
        snprintf(ld->error, sizeof(ld->error), "--time-start '%s' is no whole number",
                 ld->o.time_start);
        return -EINVAL;
    }
    return 0;
}

static int
set_key(struct csv_source *s, const struct format *f)
{
    struct load *ld = s->ld;
    const char *text = ld->o.key ? ld->o.key : f->key ? f->key : s->key_column ? "{key}" : "{file}";
    int rc = keyname_init(&s->keyname, text, &ld->facts, ld->error, sizeof(ld->error));

    if (rc == 0 && s->keyname.has_key != (s->key_column != NULL)) {
        snprintf(ld->error, sizeof(ld->error), "--key '%s' has %s", text,
                 s->key_column ? "no {key}, but --columns has a key column"
                               : "{key}, but --columns has no key column");
        rc = -EINVAL;
    }
    if (rc == 0 && labels_name_key(&ld->labels) && s->key_column == NULL) {
        snprintf(ld->error, sizeof(ld->error), "--labels has {key}, but --columns no key column");
        rc = -EINVAL;
    }
    return rc;
}

static int
set_columns(struct csv_source *s, const struct format *f)
{
    struct load *ld = s->ld;
    const char *text = ld->o.columns ? ld->o.columns : f->columns;
    int rc;

    if (text == NULL) {
        snprintf(ld->error, sizeof(ld->error), "--format csv needs --columns, as in --columns time,00 or, by the names of a "
                 "header, --columns timestamp=time,price=00");
        return -EINVAL;
    }
    rc = columns_parse(&s->columns, text, ld->error, sizeof(ld->error));
    if (rc < 0)
        return rc;
    s->time_column = columns_find(&s->columns, COLUMN_TIME);
    s->key_column = columns_find(&s->columns, COLUMN_KEY);
    s->quality_column = columns_find(&s->columns, COLUMN_QUALITY);
    s->type_column = columns_find(&s->columns, COLUMN_TYPE);
    for (unsigned i = 0; i < s->columns.n; i++)
        s->time_columns += s->columns.c[i].role == COLUMN_TIME;
    s->header = ld->o.header ? strcmp(ld->o.header, "yes") == 0
                             : s->columns.named || (f->header && !ld->o.columns);
    if (s->columns.named && !s->header) {
        snprintf(ld->error, sizeof(ld->error), "--columns with names needs a header line");
        return -EINVAL;
    }
    return 0;
}

static int
set_up(struct csv_source *s)
{
    const struct format *f;
    const char *delimiter = s->ld->o.delimiter;
    int rc;

    s->delimiter = delimiter == NULL ? ',' : strlen(delimiter) > 1 ? '\t' : *delimiter;
    rc = find_format(s, &f);
    if (rc == 0)
        rc = set_columns(s, f);
    if (rc == 0)
        rc = set_time(s, f);
    if (rc == 0)
        rc = set_key(s, f);
    return rc;
}

/* --- a line --------------------------------------------------------------------------------------
 */

/* Several columns make one time, joined by spaces. */
static struct slice
time_cell(struct csv_source *s)
{
    size_t n = 0;

    if (likely(s->time_columns == 1))
        return s->fields[s->time_column->at];
    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];
        struct slice f = c->role == COLUMN_TIME ? s->fields[c->at] : (struct slice){0};

        if (c->role != COLUMN_TIME || n + f.n + 1 > sizeof(s->time_text))
            continue;
        if (n > 0)
            s->time_text[n++] = ' ';
        memcpy(s->time_text + n, f.p, f.n);
        n += f.n;
    }
    return (struct slice){s->time_text, n};
}

static int
bad_cell(struct csv_source *s, const struct column *c, const char *why)
{
    struct slice f = s->fields[c->at];

    return load_bad_line(s->ld, "column %u '%.*s' %s", c->at + 1, (int)MIN(f.n, 64), f.p, why);
}

/* 1 when it is fine, 0 when the line is bad, negative to stop; as all that follow. */
static int
take_time(struct csv_source *s)
{
    struct slice text;
    enum time_error e;

    if (unlikely(s->time_column == NULL)) {
        uint64_t line = s->ld->line - 1 - s->header;

        s->ts = (int64_t)((uint64_t)s->time_start + line * s->ld->o.time_step);
        return 1;
    }
    text = time_cell(s);
    e = time_parse(&s->time, text, &s->ts);
    if (likely(e == TIME_OK))
        return 1;
    return load_bad_line(s->ld, "time '%.*s' %s", (int)MIN(text.n, 64), text.p, time_error_text(e));
}

static int
take_key(struct csv_source *s)
{
    const struct keyname *k = &s->keyname;
    struct slice cell = {0};

    if (s->key_column) {
        cell = s->fields[s->key_column->at];
        if (cell.n == 0)
            return bad_cell(s, s->key_column, "is no key");
        if (k->before_n + cell.n + k->after_n > KEY_BYTES_MAX - COLUMN_SUFFIX_MAX)
            return bad_cell(s, s->key_column, "makes a key of more than 65535 bytes");
    }
    memcpy(s->key, k->before, k->before_n);
    if (cell.n)
        memcpy(s->key + k->before_n, cell.p, cell.n);
    memcpy(s->key + k->before_n + cell.n, k->after, k->after_n);
    s->key_n = k->before_n + cell.n + k->after_n;
    return 1;
}

static int
take_type_and_quality(struct csv_source *s)
{
    int64_t v = 0;

    s->type = 0;
    s->quality = 0;
    if (s->type_column) {
        v = type_parse(s->fields[s->type_column->at]);
        if (v < 0)
            return bad_cell(s, s->type_column, "is no data type (00 to ff)");
        s->type = (uint8_t)v;
    }
    if (s->quality_column && s->fields[s->quality_column->at].n > 0) {
        if (!parse_int(s->fields[s->quality_column->at], &v) || v < 0 || v > 255)
            return bad_cell(s, s->quality_column, "is no quality (0 to 255)");
        s->quality = (uint8_t)v;
    }
    return 1;
}

static int
take_values(struct csv_source *s)
{
    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];
        struct slice cell;
        const char *wrong;

        if (c->role != COLUMN_VALUE)
            continue;
        cell = s->fields[c->at];
        s->values[i].p = NULL;
        if (cell.n == 0 && c->kind != CELL_TEXT)
            continue;
        wrong = cell_read(c, cell, s->rooms[i], &s->values[i]);
        if (unlikely(wrong != NULL))
            return bad_cell(s, c, wrong);
    }
    return 1;
}

static struct slice
key_of_column(struct csv_source *s, const struct column *c)
{
    size_t suffix_n = strlen(c->suffix);

    memcpy(s->key + s->key_n, c->suffix, suffix_n);
    return (struct slice){s->key, s->key_n + suffix_n};
}

static bool
has_value(const struct csv_source *s, unsigned i)
{
    return s->columns.c[i].role == COLUMN_VALUE && s->values[i].p;
}

static void
send_labels(struct csv_source *s)
{
    struct load *ld = s->ld;

    for (unsigned i = 0; i < s->columns.n; i++) {
        struct slice key;

        if (!has_value(s, i))
            continue;
        key = key_of_column(s, &s->columns.c[i]);
        if (!sink_wants_labels(&ld->sink, key))
            continue;
        labels_set(&ld->labels,
                   s->key_column ? s->fields[s->key_column->at] : (struct slice){0});
        load_send_labels(ld, key);
    }
}

static void
send_values(struct csv_source *s)
{
    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];

        if (has_value(s, i))
            sink_point(&s->ld->sink, key_of_column(s, c), c->any_type ? s->type : c->type, s->ts,
                       s->values[i], s->quality);
    }
}

static int
take_fields(struct csv_source *s, char *line, size_t n)
{
    unsigned want = s->columns.fields;

    s->n = csv_split(line, n, s->delimiter, s->fields, CSV_FIELDS_MAX);
    if (s->n < 0)
        return load_bad_line(s->ld, "%s", csv_error_text(s->n));
    if (s->n < (int)want || (!s->columns.named && s->n > (int)want))
        return load_bad_line(s->ld, "the line has %d column%s, %u are expected", s->n,
                             s->n == 1 ? "" : "s", want);
    return 1;
}

static int
take_line(struct csv_source *s, char *line, size_t n)
{
    int rc;

    if (n == 0 || (s->ld->o.comment && line[0] == s->ld->o.comment[0]))
        return 0;
    if ((rc = take_fields(s, line, n)) <= 0 || (rc = take_time(s)) <= 0 ||
        (rc = take_key(s)) <= 0 || (rc = take_type_and_quality(s)) <= 0 ||
        (rc = take_values(s)) <= 0)
        return rc;
    rc = load_begin_points(s->ld, s->ts);
    if (rc < 0)
        return rc;
    if (s->ld->labels.rules_n > 0)
        send_labels(s);
    send_values(s);
    return 0;
}

static int
take_header(struct csv_source *s)
{
    struct load *ld = s->ld;
    char *line;
    size_t n;
    int rc = load_next_line(ld, &line, &n), fields;

    if (rc <= 0 || !s->columns.named)
        return rc;
    fields = csv_split(line, n, s->delimiter, s->fields, CSV_FIELDS_MAX);
    if (fields < 0) {
        snprintf(ld->error, sizeof(ld->error), "%s: header: %s", ld->in.path,
                 csv_error_text(fields));
        return -EINVAL;
    }
    return columns_bind(&s->columns, s->fields, fields, ld->error, sizeof(ld->error));
}

static int
take_all(struct csv_source *s)
{
    struct load *ld = s->ld;
    char *line;
    size_t n;
    int rc = s->header ? take_header(s) : 0;

    if (rc >= 0)
        rc = load_skip(ld);
    while (rc >= 0 && (rc = load_next_line(ld, &line, &n)) > 0) {
        rc = take_line(s, line, n);
        if (rc >= 0)
            rc = load_end_line(ld);
    }
    return rc;
}

int
source_csv(struct load *ld)
{
    struct csv_source *s = calloc(1, sizeof(*s));
    int rc;

    ASSERT(s);
    s->ld = ld;
    rc = set_up(s);
    if (rc == 0)
        rc = take_all(s);
    free(s);
    return rc;
}

/* CSV of any shape, by a column map. A line is understood as a whole before any of its points is
 * sent: a bad line gives none. */
#include "tools/load/source_csv_priv.h"

#include "net/number.h"

#include <math.h>
#include <stdlib.h>

/* --- a line --------------------------------------------------------------------------------------
 */

/* Several columns make one time, joined by spaces. False when they are longer than any time. */
static bool
time_cell(struct csv_source *s, struct slice *ret)
{
    size_t n = 0;

    *ret = s->fields[s->time_column->at];
    if (likely(s->time_columns == 1))
        return true;
    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];
        struct slice f = c->role == COLUMN_TIME ? s->fields[c->at] : (struct slice){0};

        if (c->role != COLUMN_TIME)
            continue;
        if (n + f.n + 1 > sizeof(s->time_text))
            return false;
        if (n > 0)
            s->time_text[n++] = ' ';
        memcpy(s->time_text + n, f.p, f.n);
        n += f.n;
    }
    *ret = (struct slice){s->time_text, n};
    return true;
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
        uint64_t line = s->ld->line - 1 - s->header, since;

        if (!__builtin_mul_overflow(line, s->ld->o.time_step, &since) &&
            !__builtin_add_overflow(s->time_start, since, &s->ts))
            return 1;
        return load_bad_line(s->ld, "its time, by --time-step, %s", time_error_text(TIME_OUT_OF_RANGE));
    }
    if (unlikely(!time_cell(s, &text)))
        return load_bad_line(s->ld, "time '%.*s...', of %u columns, is longer than %u bytes",
                             (int)MIN(text.n, 64UL), text.p, s->time_columns,
                             (unsigned)TIME_TEXT_MAX);
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

static bool
is_nan(struct slice cell)
{
    double v;

    return parse_double(cell, &v) && isnan(v);
}

/* What is no number for its column: NaN is one where the server takes it, which is TS.ADD's. */
static const char *
take_nan(struct csv_source *s, unsigned i, struct slice cell, const char *wrong)
{
    const struct column *c = &s->columns.c[i];

    if (c->kind == CELL_TEXT || !is_nan(cell))
        return wrong;
    if ((c->any_type ? s->type : c->type) != 0 || s->quality != 0)
        return "is written of type 00 and quality 0 only (--missing nan leaves it out)";
    s->values[i] = cell;
    s->is_nan[i] = s->any_nan = true;
    return NULL;
}

static int
take_values(struct csv_source *s)
{
    s->any_nan = false;
    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];
        struct slice cell;
        const char *wrong;

        if (c->role != COLUMN_VALUE)
            continue;
        cell = s->fields[c->at];
        s->values[i].p = NULL;
        s->is_nan[i] = false;
        if (c->kind != CELL_TEXT && (cell.n == 0 || missing_has(&s->missing, cell)))
            continue;
        wrong = cell_read(c, cell, s->rooms[i], &s->values[i]);
        if (likely(wrong == NULL))
            continue;
        wrong = take_nan(s, i, cell, wrong);
        if (wrong)
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
        labels_set(&ld->labels, s->key_column ? s->fields[s->key_column->at] : (struct slice){0});
        load_send_labels(ld, key);
    }
}

/* In a line what makes series comes before all points. */
static int
begin_nans(struct csv_source *s)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < s->columns.n; i++)
        if (has_value(s, i) && s->is_nan[i])
            rc = load_begin_nan(s->ld, key_of_column(s, &s->columns.c[i]));
    return rc;
}

static void
send_values(struct csv_source *s)
{
    struct load *ld = s->ld;

    for (unsigned i = 0; i < s->columns.n; i++) {
        const struct column *c = &s->columns.c[i];

        if (!has_value(s, i))
            continue;
        if (unlikely(s->is_nan[i]))
            load_send_nan(ld, key_of_column(s, c), s->ts);
        else
            sink_point(&ld->sink, key_of_column(s, c), c->any_type ? s->type : c->type, s->ts,
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
    if (unlikely(s->any_nan))
        rc = begin_nans(s);
    if (rc == 0)
        send_values(s);
    return rc;
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

static enum input_record
record_ends(void *arg, struct slice text, size_t *ret_n)
{
    const struct csv_source *s = arg;
    const char *end;

    if (!s->ld->o.comment || text.n == 0 || text.p[0] != s->ld->o.comment[0])
        return csv_record(text, s->delimiter, ret_n);
    end = memchr(text.p, '\n', text.n);
    *ret_n = end ? (size_t)(end - text.p) : text.n;
    return INPUT_RECORD_WHOLE;
}

static int
take_all(struct csv_source *s)
{
    struct load *ld = s->ld;
    char *line;
    size_t n;
    int rc;

    ld->record_ends = record_ends;
    ld->record_arg = s;
    rc = s->header ? take_header(s) : 0;
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
    rc = csv_source_set_up(s);
    if (rc == 0)
        rc = take_all(s);
    free(s);
    return rc;
}

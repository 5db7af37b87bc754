/* CSV by the column map that pinstripe-load reads it by. */
#include "tools/dump/dump.h"

#include "net/number.h"
#include "tools/dump/rows.h"
#include "tools/lib/columns.h"
#include "tools/lib/csv.h"
#include "tools/lib/formats.h"
#include "tools/lib/keyname.h"

#include <stdio.h>
#include <stdlib.h>

struct csv_writer {
    struct dump *d;
    struct columns columns;
    struct keyname keyname;
    struct time_format time;
    char delimiter;
    bool header, has_key_column;
    unsigned series_of[COLUMNS_MAX]; /* of a value column: its series among the pagers */
    struct pager pagers[ROWS_SERIES_MAX];
    struct buf names[ROWS_SERIES_MAX]; /* the keys of these */
    unsigned pagers_n;
    bool wanted[256]; /* data types, for `value` */
    int only_type;    /* -1 unless --types names one */
    struct rows rows;
    struct row row;
    struct buf cell;
};

/* --- setting up ----------------------------------------------------------------------------------
 */

static int
set_types(struct csv_writer *w)
{
    struct dump *d = w->d;
    const char *p = d->o.types;
    unsigned n = 0;

    if (p && !columns_find(&w->columns, COLUMN_TYPE)) {
        snprintf(d->error, sizeof(d->error), "--types is for a map with `type` and `value`, as of --format points");
        return -EINVAL;
    }
    w->only_type = -1;
    memset(w->wanted, p == NULL, sizeof(w->wanted));
    while (p && *p) {
        size_t len = strcspn(p, ",");
        int type = type_parse((struct slice){p, len});

        if (type < 0) {
            snprintf(d->error, sizeof(d->error), "--types takes data types such as 00,01,ff");
            return -EINVAL;
        }
        w->wanted[type] = true;
        w->only_type = n++ ? -1 : type;
        p += len + (p[len] == ',');
    }
    return 0;
}

static int
set_time(struct csv_writer *w, const struct format *f)
{
    struct dump *d = w->d;
    const char *text = d->o.time ? d->o.time : f->time ? f->time : time_unit_name(d->unit);
    bool local = strcmp(d->o.timezone, "UTC") != 0;

    int rc = time_format_init(&w->time, text, d->unit, local);

    if (rc < 0) {
        snprintf(d->error, sizeof(d->error), "--time '%s' %s", text, time_format_error_text(rc));
        return -EINVAL;
    }
    if (w->time.needs_day && (!d->o.date || time_format_day(&w->time, slice_of(d->o.date)) < 0)) {
        snprintf(d->error, sizeof(d->error), "times without a date need a --date YYYYMMDD");
        return -EINVAL;
    }
    return 0;
}

static int
set_columns(struct csv_writer *w, const struct format *f)
{
    struct dump *d = w->d;
    const char *text = d->o.columns ? d->o.columns : f->columns;
    int rc;

    if (text == NULL) {
        snprintf(d->error, sizeof(d->error),
                 "--format csv needs --columns, as in --columns time,00");
        return -EINVAL;
    }
    rc = columns_parse(&w->columns, text, d->error, sizeof(d->error));
    if (rc < 0)
        return rc;
    w->has_key_column = columns_find(&w->columns, COLUMN_KEY) != NULL;
    w->header = d->o.header ? strcmp(d->o.header, "yes") == 0
                            : w->columns.named || (f->header && !d->o.columns);
    return 0;
}

static int
set_up(struct csv_writer *w)
{
    struct dump *d = w->d;
    const char *delimiter = d->o.delimiter;
    const struct format *f = format_find(d->o.format);
    char names[FORMATS_NAMES_BYTES];
    int rc;

    if (f == NULL) {
        formats_names(names, sizeof(names));
        snprintf(d->error, sizeof(d->error), "--format '%.64s' is none of %s and influx", d->o.format,
                 names);
        return -EINVAL;
    }
    w->delimiter = delimiter == NULL ? ',' : strlen(delimiter) > 1 ? '\t' : *delimiter;
    rc = set_columns(w, f);
    if (rc == 0)
        rc = set_types(w);
    if (rc == 0)
        rc = set_time(w, f);
    if (rc == 0)
        rc = keyname_init(&w->keyname, d->o.key ? d->o.key : "{key}", NULL, d->error,
                          sizeof(d->error));
    if (rc == 0 && w->has_key_column && !w->keyname.has_key) {
        snprintf(d->error, sizeof(d->error),
                 "--key '%s' has no {key}, for which the key column stands: give the key without --key", d->o.key);
        rc = -EINVAL;
    }
    return rc;
}

/* --- series of a key -----------------------------------------------------------------------------
 */

static struct pager *
add_pager(struct csv_writer *w, struct slice key, const char *suffix, int type)
{
    struct buf *name = &w->names[w->pagers_n];

    name->n = 0;
    buf_append(name, key.p, key.n);
    buf_append(name, suffix, strlen(suffix));
    pager_init(&w->pagers[w->pagers_n], &w->d->link, (struct slice){name->p, name->n}, type,
               w->d->start, w->d->end, w->d->o.page);
    return &w->pagers[w->pagers_n++];
}

static void
open_series(struct csv_writer *w, struct slice key)
{
    bool all = columns_find(&w->columns, COLUMN_TYPE) != NULL;

    w->pagers_n = 0;
    for (unsigned i = 0; i < w->columns.n; i++) {
        const struct column *c = &w->columns.c[i];

        if (c->role != COLUMN_VALUE)
            continue;
        w->series_of[i] = w->pagers_n;
        add_pager(w, key, c->suffix, !c->any_type ? c->type : all ? w->only_type : 0);
    }
    w->rows = (struct rows){.pagers = w->pagers, .n = w->pagers_n};
}

static void
close_series(struct csv_writer *w)
{
    for (unsigned i = 0; i < w->pagers_n; i++)
        pager_fini(&w->pagers[i]);
    w->d->uneven += w->rows.uneven;
    w->d->mixed += columns_find(&w->columns, COLUMN_QUALITY) ? w->rows.mixed : 0;
}

/* --- a line --------------------------------------------------------------------------------------
 */

/* "inf" or "-inf", as the server writes them. */
static bool
is_infinite(struct slice value)
{
    return value.n > 0 && value.p[value.n - 1] == 'f';
}

static int
put_value(struct csv_writer *w, const struct column *c, const struct pager_point *p)
{
    struct dump *d = w->d;

    if (p == NULL)
        return 0;
    d->points++;
    w->cell.n = 0;
    if (!cell_put(c, p->value, &w->cell)) {
        snprintf(d->error, sizeof(d->error),
                 "the value %.*s of type %02x at %lld was not made by this kind of column",
                 (int)MIN(p->value.n, 40), p->value.p, p->type, (long long)p->ts);
        return -EBADMSG;
    }
    d->infinite += is_infinite(p->value);
    csv_put(&d->out.text, (struct slice){w->cell.p, w->cell.n}, w->delimiter);
    return 0;
}

/* The only pager's point, whose type the line shows. */
static const struct pager_point *
point_of_line(const struct csv_writer *w)
{
    for (unsigned i = 0; i < w->pagers_n; i++)
        if (w->row.points[i])
            return w->row.points[i];
    return NULL;
}

/* Several time columns share the text as they made it: a word each, the last one the rest. */
static struct slice
time_word(const struct csv_writer *w, unsigned i, struct slice text)
{
    bool last = true;

    for (unsigned k = 0; k < i; k++) {
        const char *space =
            w->columns.c[k].role == COLUMN_TIME ? memchr(text.p, ' ', text.n) : NULL;

        if (space) {
            text.n -= (size_t)(space + 1 - text.p);
            text.p = space + 1;
        }
    }
    for (unsigned k = i + 1; k < w->columns.n; k++)
        last &= w->columns.c[k].role != COLUMN_TIME;
    if (!last && memchr(text.p, ' ', text.n))
        text.n = (size_t)((const char *)memchr(text.p, ' ', text.n) - text.p);
    return text;
}

static int
put_cell(struct csv_writer *w, unsigned i, struct slice key)
{
    const struct column *c = &w->columns.c[i];
    struct buf *out = &w->d->out.text;
    char text[TIME_TEXT_MAX];
    struct slice name;

    switch (c->role) {
    case COLUMN_TIME:
        name = (struct slice){text, time_put(&w->time, w->row.ts, text)};
        csv_put(out, time_word(w, i, name), w->delimiter);
        return 0;
    case COLUMN_KEY:
        if (keyname_match(&w->keyname, key, &name))
            csv_put(out, name, w->delimiter);
        return 0;
    case COLUMN_TYPE:
        type_put(point_of_line(w)->type, text);
        buf_append(out, text, 2);
        return 0;
    case COLUMN_QUALITY:
        buf_append(out, text, format_uint(text, w->row.quality));
        return 0;
    case COLUMN_VALUE:
        return put_value(w, c, w->row.points[w->series_of[i]]);
    default:
        return 0;
    }
}

/* All of a line or nothing: a value that its column cannot write ends the dump before its line. */
static int
put_line(struct csv_writer *w, struct slice key)
{
    struct dump *d = w->d;
    size_t text_before = d->out.text.n;
    uint64_t points_before = d->points;
    int rc = 0;

    dump_begin_line(d);
    for (unsigned i = 0; rc == 0 && i < w->columns.n; i++) {
        if (i > 0)
            buf_append(&d->out.text, &w->delimiter, 1);
        rc = put_cell(w, i, key);
    }
    if (rc == 0)
        return dump_end_line(d);
    d->out.text.n = text_before;
    d->points = points_before;
    return rc;
}

static bool
is_wanted(const struct csv_writer *w)
{
    return w->pagers_n > 1 || w->wanted[point_of_line(w)->type];
}

static int
put_key(struct csv_writer *w, struct slice key)
{
    uint64_t before = w->d->points;
    struct slice name;
    int rc;

    open_series(w, key);
    while ((rc = rows_next(&w->rows, &w->row)) > 0) {
        if (is_wanted(w))
            rc = put_line(w, key);
        if (rc < 0)
            break;
    }
    if (rc < 0 && w->d->error[0] == '\0')
        rc = dump_link_failed(w->d, rc);
    if (rc == 0)
        rc = dump_check_there(w->d, w->pagers, w->pagers_n);
    close_series(w);
    if (w->has_key_column && w->d->points > before && keyname_match(&w->keyname, key, &name))
        w->d->unreadable += name.n == 0;
    return rc;
}

static int
put_header(struct csv_writer *w)
{
    static const char *const names[] = {
        [COLUMN_SKIP] = "",     [COLUMN_TIME] = "time",       [COLUMN_KEY] = "key",
        [COLUMN_TYPE] = "type", [COLUMN_QUALITY] = "quality", [COLUMN_VALUE] = "value"};
    struct buf *out = &w->d->out.text;

    dump_begin_line(w->d);
    for (unsigned i = 0; i < w->columns.n; i++) {
        const struct column *c = &w->columns.c[i];
        char type[2];

        if (i > 0)
            buf_append(out, &w->delimiter, 1);
        w->cell.n = 0;
        columns_put_name(c, &w->cell);
        if (w->cell.n == 0 && c->role == COLUMN_VALUE && !c->any_type) {
            type_put(c->type, type);
            buf_append(&w->cell, type, 2);
        } else if (w->cell.n == 0) {
            buf_append(&w->cell, names[c->role], strlen(names[c->role]));
        }
        csv_put(out, (struct slice){w->cell.p, w->cell.n}, w->delimiter);
    }
    return dump_end_line(w->d);
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static bool
ends_in(struct slice key, const char *suffix)
{
    size_t n = strlen(suffix);

    return n > 0 && key.n > n && memcmp(key.p + key.n - n, suffix, n) == 0;
}

/* A key that a column with key=SUFFIX has made stands for the key before it. */
static void
add_base(struct csv_writer *w, struct keys *bases, struct slice key)
{
    struct slice name;

    for (unsigned i = 0; i < w->columns.n; i++) {
        if (w->columns.c[i].role == COLUMN_VALUE && ends_in(key, w->columns.c[i].suffix)) {
            key.n -= strlen(w->columns.c[i].suffix);
            break;
        }
    }
    if (keyname_match(&w->keyname, key, &name))
        keys_add_one(bases, key);
}

static int
put_all(struct csv_writer *w, const struct keys *bases)
{
    struct dump *d = w->d;
    int rc;

    if (bases->n > 1 && !w->has_key_column) {
        snprintf(d->error, sizeof(d->error),
                 "%zu keys would become one file in which no column says which is which: add a key "
                 "column, or dump them one by one",
                 bases->n);
        return -EINVAL;
    }
    rc = w->header ? put_header(w) : 0;
    for (size_t i = 0; rc == 0 && i < bases->n; i++)
        rc = put_key(w, bases->key[i]);
    return rc;
}

int
write_csv(struct dump *d)
{
    struct csv_writer *w = calloc(1, sizeof(*w));
    struct keys bases = {0};
    int rc;

    ASSERT(w);
    w->d = d;
    rc = set_up(w);
    for (size_t i = 0; rc == 0 && i < d->keys.n; i++)
        add_base(w, &bases, d->keys.key[i]);
    keys_sort(&bases);
    if (rc == 0 && bases.n == 0 && d->keys.n > 0)
        dump_say_no_form(d);
    if (rc == 0)
        rc = put_all(w, &bases);
    keys_fini(&bases);
    for (unsigned i = 0; i < ROWS_SERIES_MAX; i++)
        buf_fini(&w->names[i]);
    buf_fini(&w->cell);
    free(w);
    return rc;
}

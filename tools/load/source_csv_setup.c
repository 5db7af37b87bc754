/* What the options, the format and the file's name say about a CSV file. */
#include "tools/load/source_csv_priv.h"

#include "net/number.h"
#include "tools/lib/formats.h"

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
    char names[FORMATS_NAMES_BYTES];
    unsigned fields;
    int rc;

    if (strcmp(ld->o.format, "lean") != 0) {
        *ret = format_find(ld->o.format);
        if (*ret)
            return 0;
        formats_names(names, sizeof(names));
        snprintf(ld->error, sizeof(ld->error), "--format '%.64s' is none of %s, lean and influx",
                 ld->o.format, names);
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
set_day(struct csv_source *s)
{
    struct load *ld = s->ld;
    const char *day = ld->o.date ? ld->o.date : ld->facts.date;

    if (time_format_day(&s->time, slice_of(day)) == 0)
        return 0;
    if (ld->o.date)
        snprintf(ld->error, sizeof(ld->error), "--date '%s' is no day (YYYYMMDD)", ld->o.date);
    else
        snprintf(ld->error, sizeof(ld->error),
                 "%s: times without a date need a --date YYYYMMDD, or one in the file's name", ld->in.path);
    return -EINVAL;
}

static int
set_time(struct csv_source *s, const struct format *f)
{
    struct load *ld = s->ld;
    const char *text = ld->o.time ? ld->o.time : f->time ? f->time : time_unit_name(ld->unit);
    bool local = strcmp(ld->o.timezone, "UTC") != 0;
    int rc = time_format_init(&s->time, text, ld->unit, local);

    if (rc < 0) {
        snprintf(ld->error, sizeof(ld->error), "--time '%s' %s", text, time_format_error_text(rc));
        return -EINVAL;
    }
    s->time.truncate = ld->o.truncate_times;
    s->time.us_by_digits = f->us_by_digits && ld->o.time == NULL;
    if (!s->time.needs_day && ld->o.date) {
        snprintf(ld->error, sizeof(ld->error),
                 "--date is for times without a date: day-s to day-ns, or a pattern without one");
        return -EINVAL;
    }
    if (s->time_column ? ld->o.time_start != NULL : ld->o.time != NULL) {
        snprintf(ld->error, sizeof(ld->error), "--columns has %s",
                 s->time_column ? "a time column, for which --time-start and --time-step have no use"
                                : "no time column, for which --time is");
        return -EINVAL;
    }
    rc = s->time.needs_day ? set_day(s) : 0;
    if (rc < 0)
        return rc;
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
        snprintf(ld->error, sizeof(ld->error),
                 "--format csv needs --columns, as in --columns time,00 or, by the names of a "
                 "header, --columns timestamp=time,price=00");
        return -EINVAL;
    }
    rc = columns_parse(&s->columns, text, ld->error, sizeof(ld->error));
    if (rc == 0 && columns_has_one_twice(&s->columns)) {
        snprintf(ld->error, sizeof(ld->error), "--columns has a data type twice; another series takes "
                                               "a /key=SUFFIX behind it");
        rc = -EINVAL;
    }
    if (rc < 0)
        return rc;
    s->time_column = columns_find(&s->columns, COLUMN_TIME);
    s->key_column = columns_find(&s->columns, COLUMN_KEY);
    s->quality_column = columns_find(&s->columns, COLUMN_QUALITY);
    s->type_column = columns_find(&s->columns, COLUMN_TYPE);
    for (unsigned i = 0; i < s->columns.n; i++) {
        s->time_columns += s->columns.c[i].role == COLUMN_TIME;
        s->value_columns += s->columns.c[i].role == COLUMN_VALUE;
    }
    s->header = ld->o.header ? strcmp(ld->o.header, "yes") == 0
                             : s->columns.named || (f->header && !ld->o.columns);
    if (s->columns.named && !s->header) {
        snprintf(ld->error, sizeof(ld->error), "--columns with names needs a header line");
        return -EINVAL;
    }
    return 0;
}

int
csv_source_set_up(struct csv_source *s)
{
    const struct format *f;
    const char *delimiter = s->ld->o.delimiter;
    int rc;

    s->delimiter = delimiter == NULL ? ',' : strlen(delimiter) > 1 ? '\t' : *delimiter;
    rc = missing_init(&s->missing, s->ld->o.missing);
    if (rc < 0)
        snprintf(s->ld->error, sizeof(s->ld->error), "--missing takes up to %d words, none of them empty",
                 MISSING_WORDS_MAX);
    if (rc == 0)
        rc = find_format(s, &f);
    if (rc == 0)
        rc = set_columns(s, f);
    if (rc == 0)
        rc = set_time(s, f);
    if (rc == 0)
        rc = set_key(s, f);
    return rc;
}

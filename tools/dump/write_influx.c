/* Influx line protocol, of keys as pinstripe-load makes them (tools/lib/influx.h): the fields of
 * one measurement with its tags become one line where they have a point of the same time. */
#include "tools/dump/dump.h"

#include "tools/dump/rows.h"
#include "tools/lib/influx.h"
#include "tools/lib/keyname.h"

#include "net/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct influx_writer {
    struct dump *d;
    struct keyname keyname;
    struct time_format time;
    int64_t step; /* what times are whole multiples of, in the stored unit: lines have no decimals */
    struct influx_line line; /* a key as pinstripe-load would read it back */
    struct buf text;
    struct slice series;
    struct slice fields[ROWS_SERIES_MAX];
    struct pager pagers[ROWS_SERIES_MAX];
    struct rows rows;
    struct row row;
    bool drop[ROWS_SERIES_MAX]; /* points of the row that have no text */
};

/* Would a line of this series and this field be read as just that? */
static bool
reads_back(struct influx_writer *w, struct slice name, struct slice series, struct slice field)
{
    struct slice line;

    w->text.n = 0;
    buf_append(&w->text, name.p, name.n);
    buf_append_lit(&w->text, "=0 0");
    line = influx_trim((struct slice){w->text.p, w->text.n});
    return line.n == w->text.n && line.p[0] != '#' && influx_parse(line, &w->line) == NULL &&
           w->line.n == 1 && slice_equal(w->line.series, series) &&
           slice_equal(w->line.fields[0].name, field) && w->line.time.n == 1;
}

static int
split(struct influx_writer *w, struct slice key, struct slice *ret_series, struct slice *ret_field)
{
    struct slice name;

    if (keyname_match(&w->keyname, key, &name) && influx_split_key(name, ret_series, ret_field) &&
        reads_back(w, name, *ret_series, *ret_field))
        return 0;
    snprintf(w->d->error, sizeof(w->d->error),
             "the key '%.*s' is not of the form 'measurement,tags field'", (int)MIN(key.n, 128),
             key.p);
    return -EINVAL;
}

/* Line protocol has finite numbers only. How many points of the row are left. */
static unsigned
drop_not_finite(struct influx_writer *w)
{
    unsigned left = 0;

    for (unsigned i = 0; i < w->rows.n; i++) {
        const struct pager_point *p = w->row.points[i];
        double v;

        w->drop[i] = p && !(parse_double(p->value, &v) && isfinite(v));
        w->d->not_finite += w->drop[i];
        left += p && !w->drop[i];
    }
    return left;
}

static int
put_line(struct influx_writer *w)
{
    struct dump *d = w->d;
    struct buf *out = &d->out.text;
    char time[TIME_TEXT_MAX], before = ' ';

    if (drop_not_finite(w) == 0)
        return 0;
    if (w->row.ts % w->step != 0) {
        snprintf(d->error, sizeof(d->error), "the time %lld is finer than --precision %s", (long long)w->row.ts,
                 d->o.precision);
        return -EBADMSG;
    }
    dump_begin_line(d);
    buf_append(out, w->series.p, w->series.n);
    for (unsigned i = 0; i < w->rows.n; i++) {
        const struct pager_point *p = w->row.points[i];

        if (p == NULL || w->drop[i])
            continue;
        d->points++;
        buf_append(out, &before, 1);
        buf_append(out, w->fields[i].p, w->fields[i].n);
        buf_append_lit(out, "=");
        d->retyped += !influx_put_value(out, p->value, p->quality);
        before = ',';
    }
    buf_append_lit(out, " ");
    buf_append(out, time, time_put(&w->time, w->row.ts, time));
    return dump_end_line(d);
}

/* The rows of keys[0..n), which are the fields of one series. */
static int
put_series(struct influx_writer *w, const struct slice *keys, unsigned n)
{
    struct dump *d = w->d;
    uint64_t before = d->points;
    int rc = 0;

    for (unsigned i = 0; i < n; i++) {
        split(w, keys[i], &w->series, &w->fields[i]);
        pager_init(&w->pagers[i], &d->link, keys[i], -1, d->start, d->end, d->o.page);
        w->pagers[i].only = 0;
    }
    w->rows = (struct rows){.pagers = w->pagers, .n = n};
    while (rc == 0 && (rc = rows_next(&w->rows, &w->row)) > 0)
        rc = put_line(w);
    if (rc < 0 && d->error[0] == '\0')
        rc = dump_link_failed(d, rc);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        rc = dump_check_there(d, &w->pagers[i], 1);
    for (unsigned i = 0; i < n; i++) {
        d->other_types += w->pagers[i].others;
        if (d->points > before)
            d->unreadable += memchr(keys[i].p, '\n', keys[i].n) != NULL;
        pager_fini(&w->pagers[i]);
    }
    return rc;
}

/* How many keys from `at` on are of one series: they begin alike, so they stand together. */
static int
count_fields(struct influx_writer *w, size_t at, unsigned *ret)
{
    const struct keys *ks = &w->d->keys;
    struct slice first, series, field;
    unsigned n = 0;
    int rc = split(w, ks->key[at], &first, &field);

    while (rc == 0 && at + n < ks->n) {
        rc = split(w, ks->key[at + n], &series, &field);
        if (rc < 0 || !slice_equal(series, first))
            break;
        if (n++ == ROWS_SERIES_MAX) {
            snprintf(w->d->error, sizeof(w->d->error), "'%.*s' has more than %d fields",
                     (int)MIN(first.n, 128), first.p, ROWS_SERIES_MAX);
            return -EINVAL;
        }
    }
    *ret = n;
    return rc;
}

/* Before anything is written: are all keys of the form? */
static int
check_keys(struct influx_writer *w)
{
    unsigned n = 0;
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < w->d->keys.n; at += n)
        rc = count_fields(w, at, &n);
    return rc;
}

static int
set_up(struct influx_writer *w)
{
    struct dump *d = w->d;
    enum time_unit unit;

    if (time_unit_parse(d->o.precision, &unit) < 0) {
        snprintf(d->error, sizeof(d->error), "--precision takes s, ms, us or ns");
        return -EINVAL;
    }
    time_format_init(&w->time, d->o.precision, d->unit, false);
    w->step = 1;
    for (int digits = (int)unit; digits < (int)d->unit; digits++)
        w->step *= 10;
    if (keyname_init(&w->keyname, d->o.key ? d->o.key : "{key}", NULL, d->error, sizeof(d->error)) < 0)
        return -EINVAL;
    if (w->keyname.has_key)
        return 0;
    snprintf(d->error, sizeof(d->error), "--key '%s' needs a {key}", d->o.key);
    return -EINVAL;
}

int
write_influx(struct dump *d)
{
    struct influx_writer *w = calloc(1, sizeof(*w));
    unsigned n = 0;
    int rc;

    ASSERT(w);
    w->d = d;
    rc = set_up(w);
    if (rc == 0)
        rc = check_keys(w);
    for (size_t at = 0; rc == 0 && at < d->keys.n; at += n) {
        rc = count_fields(w, at, &n);
        if (rc == 0)
            rc = put_series(w, d->keys.key + at, n);
    }
    buf_fini(&w->text);
    free(w);
    return rc;
}

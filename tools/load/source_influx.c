/* Influx line protocol: a series for each number field, see tools/lib/influx.h. */
#include "tools/lib/influx.h"

#include "tools/load/load.h"

#include <stdlib.h>

#define KEY_BYTES_MAX 65535

struct influx_source {
    struct load *ld;
    struct keyname keyname;
    struct time_format time;
    struct influx_line line;
    struct buf key;
};

static int
set_up(struct influx_source *s)
{
    struct load *ld = s->ld;
    const char *key = ld->o.key ? ld->o.key : "{key}";
    enum time_unit unit;

    if (time_unit_parse(ld->o.precision, &unit) < 0) {
        snprintf(ld->error, sizeof(ld->error), "--precision takes s, ms, us or ns");
        return -EINVAL;
    }
    time_format_init(&s->time, ld->o.precision, ld->unit, false);
    s->time.truncate = ld->o.truncate_times;
    if (keyname_init(&s->keyname, key, &ld->facts, ld->error, sizeof(ld->error)) < 0)
        return -EINVAL;
    if (s->keyname.has_key)
        return 0;
    snprintf(ld->error, sizeof(ld->error), "--key '%s' needs a {key}", key);
    return -EINVAL;
}

/* The key of a field; its front, which the fields of a line share, is there. */
static struct slice
key_of_field(struct influx_source *s, size_t front, const struct influx_field *f)
{
    s->key.n = front;
    buf_append(&s->key, f->name.p, f->name.n);
    buf_append(&s->key, s->keyname.after, s->keyname.after_n);
    return (struct slice){s->key.p, s->key.n};
}

static void
send_labels(struct influx_source *s, size_t front)
{
    struct labels *labels = &s->ld->labels;

    for (unsigned i = 0; i < s->line.n; i++) {
        const struct influx_field *f = &s->line.fields[i];
        struct slice key = key_of_field(s, front, f);

        if (f->kind == INFLUX_TEXT || !sink_wants_labels(&s->ld->sink, key))
            continue;
        labels_set(labels, s->line.series);
        labels_add_influx(labels, s->line.series, f->name);
        load_send_labels(s->ld, key);
    }
}

static void
send_fields(struct influx_source *s, size_t front, int64_t ts)
{
    for (unsigned i = 0; i < s->line.n; i++) {
        const struct influx_field *f = &s->line.fields[i];

        if (f->kind == INFLUX_TEXT)
            s->ld->report.cells_left++;
        else
            sink_point(&s->ld->sink, key_of_field(s, front, f), 0, ts, f->value, (uint8_t)f->kind);
    }
}

static size_t
longest_name(const struct influx_line *l)
{
    size_t n = 0;

    for (unsigned i = 0; i < l->n; i++)
        n = MAX(n, l->fields[i].name.n);
    return n;
}

static int
send_line(struct influx_source *s, int64_t ts)
{
    int rc = load_begin_points(s->ld, ts);
    size_t front;

    if (rc < 0)
        return rc;
    s->key.n = 0;
    buf_reserve(&s->key, KEY_BYTES_MAX + 1);
    buf_append(&s->key, s->keyname.before, s->keyname.before_n);
    buf_append(&s->key, s->line.series.p, s->line.series.n);
    buf_append_lit(&s->key, " ");
    front = s->key.n;
    if (!s->ld->labels.off)
        send_labels(s, front);
    send_fields(s, front, ts);
    return 0;
}

static int
take_line(struct influx_source *s, char *text, size_t n)
{
    struct slice line = influx_trim((struct slice){text, n});
    struct influx_line *l = &s->line;
    const char *wrong;
    enum time_error e;
    int64_t ts;

    if (line.n == 0 || line.p[0] == '#')
        return 0;
    wrong = influx_parse(line, l);
    if (wrong)
        return load_bad_line(s->ld, "the line %s", wrong);
    if (l->time.n == 0)
        return load_bad_line(s->ld, "the line has no time");
    e = time_parse(&s->time, l->time, &ts);
    if (e != TIME_OK)
        return load_bad_line(s->ld, "time '%.*s' %s", (int)MIN(l->time.n, 64), l->time.p,
                             time_error_text(e));
    if (s->keyname.before_n + l->series.n + 1 + longest_name(l) + s->keyname.after_n >
        KEY_BYTES_MAX)
        return load_bad_line(s->ld, "the line makes a key of more than 65535 bytes");
    return send_line(s, ts);
}

static enum input_record
record_ends(void *arg, struct slice text, size_t *ret_n)
{
    return influx_record(text, ret_n);
}

int
source_influx(struct load *ld)
{
    struct influx_source *s = calloc(1, sizeof(*s));
    char *line;
    size_t n;
    int rc;

    ASSERT(s);
    s->ld = ld;
    ld->record_ends = record_ends;
    rc = set_up(s);
    if (rc == 0)
        rc = load_skip(ld);
    while (rc >= 0 && (rc = load_next_line(ld, &line, &n)) > 0) {
        rc = take_line(s, line, n);
        if (rc >= 0)
            rc = load_end_line(ld);
    }
    buf_fini(&s->key);
    free(s);
    return rc;
}

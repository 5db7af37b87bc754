/* Line protocol: a series comes apart and together again, the key of each field of a good line
 * comes apart into its two parts again, and the value that is written is read as the same. */
#include "net/number.h"
#include "tools/lib/influx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_key(const struct influx_line *l, const struct influx_field *f)
{
    struct slice series, field;
    struct buf key = {0};

    buf_append(&key, l->series.p, l->series.n);
    buf_append_lit(&key, " ");
    buf_append(&key, f->name.p, f->name.n);
    ASSERT(influx_split_key((struct slice){key.p, key.n}, &series, &field));
    ASSERT(slice_equal(series, l->series) && slice_equal(field, f->name));
    buf_fini(&key);
}

/* Its parts put together again are the series. */
static void
check_series(const struct influx_line *l)
{
    struct slice rest = l->series, name, value;
    struct buf out = {0}, meant = {0};

    influx_measurement(&rest, &name);
    buf_append(&out, name.p, name.n);
    while (influx_next_tag(&rest, &name, &value)) {
        ASSERT(name.n > 0 && value.n > 0);
        buf_append_lit(&out, ",");
        buf_append(&out, name.p, name.n);
        buf_append_lit(&out, "=");
        buf_append(&out, value.p, value.n);
        influx_unescape(&meant, value);
    }
    ASSERT(slice_equal(l->series, (struct slice){out.p, out.n}));
    ASSERT(meant.n <= out.n);
    buf_fini(&out);
    buf_fini(&meant);
}

static void
check_value(const struct influx_field *f, struct influx_line *again)
{
    struct buf line = {0};

    buf_append_lit(&line, "m f=");
    influx_put_value(&line, f->value, (uint8_t)f->kind);
    ASSERT(influx_parse((struct slice){line.p, line.n}, again) == NULL);
    ASSERT(again->n == 1 && again->fields[0].kind == f->kind);
    ASSERT(slice_equal(again->fields[0].value, f->value));
    buf_fini(&line);
}

/* A record ends at the end of a line; a good line is a whole one. */
static void
check_record(struct slice text, bool good)
{
    size_t n = 0;
    enum input_record found = influx_record(text, &n);

    if (found == INPUT_RECORD_WHOLE)
        ASSERT(n == text.n || (n < text.n && text.p[n] == '\n'));
    if (good && !memchr(text.p, '\n', text.n))
        ASSERT(found == INPUT_RECORD_WHOLE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = {(const char *)data, n};
    struct influx_line *l = malloc(sizeof(*l)), *again = malloc(sizeof(*again));

    check_record(text, influx_parse(text, l) == NULL);
    if (influx_parse(text, l) == NULL) {
        ASSERT(l->n > 0 && l->n <= INFLUX_FIELDS_MAX);
        check_series(l);
        for (unsigned i = 0; i < l->n; i++) {
            check_key(l, &l->fields[i]);
            if (l->fields[i].kind != INFLUX_TEXT)
                check_value(&l->fields[i], again);
        }
    }
    free(l);
    free(again);
    return 0;
}

/* Rows as replies. See ts_range.h. */
#include "shards/commands/reply_text.h"
#include "shards/commands/ts_range.h"
#include "shards/series/series_pivot.h"

#include <stdlib.h>

#define ROWS_AT_ONCE_VALUES 512 /* values that are written without a source */

/* The headers of a row at their longest. */
#define ROW_HEADS_BYTES_MAX (3 * REPLY_HEAD_BYTES_MAX)
/* "$n", a name, and line ends. */
#define NAME_BYTES_MAX (5 + FIELDMAP_NAME_MAX + 2)

struct table_style {
    int proto;
    enum ts_row shape;
    const struct field *names; /* of TS_ROW_FIELDS */
};

static uint32_t
count_values(const double *v, uint32_t n)
{
    uint32_t values = 0;

    for (uint32_t i = 0; i < n; i++)
        values += !series_is_none(v[i]);
    return values;
}

static char *
put_name(char *out, const char *name)
{
    size_t n = strlen(name);

    out = reply_put_head(out, '$', (int64_t)n);
    memcpy(out, name, n);
    return reply_put_end(out + n);
}

static char *
put_fields(char *out, const struct table_style *style, const double *v, uint32_t n)
{
    uint32_t values = count_values(v, n);

    if (style->proto < 3)
        out = reply_put_head(out, '*', 2 * values);
    else
        out = reply_put_head(out, '%', values);
    for (uint32_t i = 0; i < n; i++)
        if (!series_is_none(v[i]))
            out = reply_put_double(put_name(out, style->names[i].name), style->proto, v[i]);
    return out;
}

static char *
put_row(char *out, const struct table_style *style, const struct series_table *t, uint32_t i)
{
    enum ts_row shape = style->shape;
    const double *v = series_table_row(t, i);
    bool flat = shape == TS_ROW_FLAT || shape == TS_ROW_TSDB;

    out = reply_put_head(out, '*', flat ? 1 + t->cols : 2);
    out = reply_put_head(out, ':', t->ts[i]);
    if (shape == TS_ROW_FIELDS)
        return put_fields(out, style, v, t->cols);
    if (shape == TS_ROW_NESTED)
        out = reply_put_head(out, '*', t->cols);
    for (uint32_t k = 0; k < t->cols; k++)
        out = shape == TS_ROW_TSDB ? reply_put_double(out, style->proto, v[k])
                                   : reply_put_sample(out, style->proto, v[k]);
    return out;
}

size_t
ts_row_bytes_max(const struct series_table *t)
{
    return ROW_HEADS_BYTES_MAX + t->cols * REPLY_DOUBLE_BYTES_MAX;
}

static size_t
row_bytes_max(const struct table_style *style, const struct series_table *t)
{
    size_t name = style->shape == TS_ROW_FIELDS ? NAME_BYTES_MAX : 0;

    return ROW_HEADS_BYTES_MAX + t->cols * (name + REPLY_DOUBLE_BYTES_MAX);
}

static void
write_rows(struct buf *out, const struct table_style *style, const struct series_table *t,
           uint32_t from, uint32_t n)
{
    char *start = buf_reserve(out, n * row_bytes_max(style, t)), *p = start;

    for (uint32_t i = from; i < from + n; i++)
        p = put_row(p, style, t, i);
    out->n += (size_t)(p - start);
}

void
ts_write_rows(struct buf *out, int proto, const struct series_table *t, uint32_t from, uint32_t n)
{
    struct table_style style = {.proto = proto, .shape = TS_ROW_FLAT};

    write_rows(out, &style, t, from, n);
}

void
ts_write_row(struct buf *out, int proto, const struct series_table *row, enum ts_row shape,
             const struct field *names)
{
    struct table_style style = {.proto = proto, .shape = shape, .names = names};

    write_rows(out, &style, row, 0, 1);
}

/* --- the source -------------------------------------------------------------------------------- */

struct table_source {
    struct buf_source source;
    struct series_table t;
    uint32_t at;
    struct table_style style;
    struct field names[]; /* of the style */
};

static bool
table_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct table_source *s = container_of(source, struct table_source, source);
    uint32_t n = (uint32_t)MIN((size_t)(s->t.n - s->at), want / row_bytes_max(&s->style, &s->t) + 1);

    write_rows(out, &s->style, &s->t, s->at, n);
    s->at += n;
    return s->at < s->t.n;
}

static void
table_destroy(struct buf_source *source)
{
    struct table_source *s = container_of(source, struct table_source, source);

    series_table_fini(&s->t);
    free(s);
}

static void
reply_table(struct buf *out, const struct table_style *style, struct series_table *t)
{
    size_t names_bytes = style->names ? t->cols * sizeof(*style->names) : 0;
    struct table_source *s;

    resp_array(out, t->n);
    if ((uint64_t)t->n * t->cols <= ROWS_AT_ONCE_VALUES) {
        write_rows(out, style, t, 0, t->n);
        series_table_fini(t);
        return;
    }
    s = calloc(1, sizeof(*s) + names_bytes);
    ASSERT(s);
    s->source = (struct buf_source){.fill = table_fill, .destroy = table_destroy,
                                    .bytes = sizeof(*s) + series_table_bytes(t)};
    s->t = *t;
    s->style = *style;
    if (style->names)
        s->style.names = memcpy(s->names, style->names, names_bytes);
    *t = (struct series_table){.cols = t->cols};
    buf_put_source(out, &s->source);
}

void
ts_reply_table(struct buf *out, int proto, struct series_table *t, enum ts_row shape)
{
    struct table_style style = {.proto = proto, .shape = shape};

    reply_table(out, &style, t);
}

void
ts_reply_fields(struct buf *out, int proto, struct series_table *t,
                const struct field *const *names)
{
    struct field own[FIELDMAP_FIELDS_MAX];
    struct table_style style = {.proto = proto, .shape = TS_ROW_FIELDS, .names = own};

    ASSERT(t->cols <= FIELDMAP_FIELDS_MAX);
    for (uint32_t i = 0; i < t->cols; i++)
        own[i] = *names[i];
    reply_table(out, &style, t);
}

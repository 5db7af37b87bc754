/* Rows as replies. See ts_range.h. */
#include "shards/commands/reply_text.h"
#include "shards/commands/ts_range.h"

#include <stdlib.h>

#define ROWS_AT_ONCE_VALUES 512 /* values that are written without a source */

/* The headers of a row at their longest. */
#define ROW_HEADS_BYTES_MAX (3 * REPLY_HEAD_BYTES_MAX)

static char *
put_row(char *out, int proto, const struct series_table *t, uint32_t i, enum ts_row shape)
{
    const double *v = series_table_row(t, i);

    out = reply_put_head(out, '*', shape == TS_ROW_NESTED ? 2 : 1 + t->cols);
    out = reply_put_head(out, ':', t->ts[i]);
    if (shape == TS_ROW_NESTED)
        out = reply_put_head(out, '*', t->cols);
    for (uint32_t k = 0; k < t->cols; k++)
        out = shape == TS_ROW_TSDB ? reply_put_double(out, proto, v[k])
                                   : reply_put_sample(out, proto, v[k]);
    return out;
}

static size_t
row_bytes_max(const struct series_table *t)
{
    return ROW_HEADS_BYTES_MAX + t->cols * REPLY_DOUBLE_BYTES_MAX;
}

static void
write_rows(struct buf *out, int proto, const struct series_table *t, uint32_t from, uint32_t n,
           enum ts_row shape)
{
    char *start = buf_reserve(out, n * row_bytes_max(t)), *p = start;

    for (uint32_t i = from; i < from + n; i++)
        p = put_row(p, proto, t, i, shape);
    out->n += (size_t)(p - start);
}

/* --- the source -------------------------------------------------------------------------------- */

struct table_source {
    struct buf_source source;
    struct series_table t;
    uint32_t at;
    int proto;
    enum ts_row shape;
};

static bool
table_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct table_source *s = container_of(source, struct table_source, source);
    uint32_t n = (uint32_t)MIN((size_t)(s->t.n - s->at), want / row_bytes_max(&s->t) + 1);

    write_rows(out, s->proto, &s->t, s->at, n, s->shape);
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

void
ts_reply_table(struct buf *out, int proto, struct series_table *t, enum ts_row shape)
{
    struct table_source *s;

    resp_array(out, t->n);
    if ((uint64_t)t->n * t->cols <= ROWS_AT_ONCE_VALUES) {
        write_rows(out, proto, t, 0, t->n, shape);
        series_table_fini(t);
        return;
    }
    s = calloc(1, sizeof(*s));
    ASSERT(s);
    s->source = (struct buf_source){.fill = table_fill, .destroy = table_destroy,
                                    .bytes = sizeof(*s) + series_table_bytes(t)};
    s->t = *t;
    s->proto = proto;
    s->shape = shape;
    *t = (struct series_table){.cols = t->cols};
    buf_put_source(out, &s->source);
}

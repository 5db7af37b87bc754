#include "shards/commands/ts_pivot.h"

#include "core/clock.h"

#include <stdlib.h>

#define COUNTED_AT_ONCE 64 /* rows between two looks at the clock */

int
ts_pivot_count(struct ts_pivot *x, const struct series_table *tables, uint32_t n, bool reverse,
               uint64_t limit, uint64_t until_ns)
{
    int64_t ts;

    if (x->pivot.at == NULL)
        series_pivot_begin(&x->pivot, tables, n, reverse);
    while (x->rows < limit && series_pivot_next(&x->pivot, &ts, NULL)) {
        if (++x->rows * x->pivot.cols > SERIES_PIVOT_VALUES_MAX)
            return -E2BIG;
        if (x->rows % COUNTED_AT_ONCE == 0 && x->rows < limit && clock_now_ns() > until_ns)
            return -EINPROGRESS;
    }
    return 0;
}

void
ts_pivot_fini(struct ts_pivot *x)
{
    series_pivot_end(&x->pivot);
    *x = (struct ts_pivot){0};
}

/* --- the reply -------------------------------------------------------------------------------- */

struct pivot_source {
    struct buf_source source;
    struct series_table *tables;
    uint32_t n;
    struct series_pivot pivot;
    uint64_t left;
    int proto;
    enum ts_row shape;
    struct field names[FIELDMAP_FIELDS_MAX];
    double row[SERIES_TABLE_COLS_MAX];
};

static bool
pivot_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct pivot_source *s = container_of(source, struct pivot_source, source);
    size_t stop = out->n + want;
    int64_t ts;
    struct series_table row = {.ts = &ts, .v = s->row, .n = 1, .cols = s->pivot.cols};

    for (; out->n < stop && s->left > 0; s->left--) {
        bool there = series_pivot_next(&s->pivot, &ts, s->row);

        ASSERT(there);
        ts_write_row(out, s->proto, &row, s->shape, s->names);
    }
    return s->left > 0;
}

static void
pivot_destroy(struct buf_source *source)
{
    struct pivot_source *s = container_of(source, struct pivot_source, source);

    series_pivot_end(&s->pivot);
    for (uint32_t i = 0; i < s->n; i++)
        series_table_fini(&s->tables[i]);
    free(s->tables);
    free(s);
}

static void
take_tables(struct pivot_source *s, struct series_table *tables)
{
    s->tables = malloc(s->n * sizeof(*s->tables));
    ASSERT(s->tables);
    for (uint32_t i = 0; i < s->n; i++) {
        s->source.bytes += series_table_bytes(&tables[i]);
        s->tables[i] = tables[i];
        tables[i] = (struct series_table){.cols = tables[i].cols};
    }
}

void
ts_pivot_reply(struct ts_pivot *x, struct buf *out, int proto, struct series_table *tables,
               enum ts_row shape, const struct field *const *names)
{
    struct pivot_source *s = calloc(1, sizeof(*s));

    ASSERT(s && x->pivot.cols <= SERIES_TABLE_COLS_MAX);
    s->source = (struct buf_source){.fill = pivot_fill, .destroy = pivot_destroy,
                                    .bytes = sizeof(*s)};
    s->n = x->pivot.n;
    s->proto = proto;
    s->shape = shape;
    s->left = x->rows;
    for (uint32_t i = 0; names && i < x->pivot.cols; i++)
        s->names[i] = *names[i];
    take_tables(s, tables);
    series_pivot_begin(&s->pivot, s->tables, s->n, x->pivot.reverse);
    resp_array(out, x->rows);
    buf_put_source(out, &s->source);
}

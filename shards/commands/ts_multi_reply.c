/* The reply over many series: the parts of all cores merged by key, as text that is made while the
 * client takes it. */
#include "shards/commands/ts_multi.h"

#include <stdlib.h>

#define TEXT_AT_ONCE (64 * KIB) /* a shorter reply is written without a source */

struct multi_source {
    struct buf_source source;
    struct ts_part *parts;
    uint32_t *at;           /* the next item of each */
    uint32_t parts_n;
    const struct ts_item *item; /* whose rows are being written */
    uint32_t row;
    int proto;
    uint32_t fields;        /* of a series; 0: its key is all there is */
};

static struct slice
next_key(const struct multi_source *s, uint32_t i)
{
    return ts_item_key(&s->parts[i], &s->parts[i].items[s->at[i]]);
}

static int
compare_keys(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, MIN(a.n, b.n));

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* The part with the lowest key; parts_n = all are through. */
static uint32_t
lowest(const struct multi_source *s)
{
    uint32_t low = s->parts_n;

    for (uint32_t i = 0; i < s->parts_n; i++)
        if (s->at[i] < s->parts[i].n &&
            (low == s->parts_n || compare_keys(next_key(s, i), next_key(s, low)) < 0))
            low = i;
    return low;
}

/* The next series up to its rows; false: that was the last. */
static bool
write_item(struct multi_source *s, struct buf *out)
{
    uint32_t i = lowest(s);
    const struct ts_item *it;

    if (i == s->parts_n)
        return false;
    it = &s->parts[i].items[s->at[i]++];
    if (s->fields && s->proto < 3)
        resp_array(out, s->fields);
    resp_bulk(out, ts_item_key(&s->parts[i], it));
    if (s->fields && s->proto >= 3)
        resp_array(out, s->fields);
    buf_append(out, s->parts[i].bytes.p + it->text, it->text_n);
    s->item = it;
    s->row = 0;
    return true;
}

static bool
multi_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct multi_source *s = container_of(source, struct multi_source, source);
    size_t stop = out->n + want;

    while (out->n < stop) {
        const struct series_table *t = s->item ? &s->item->t : NULL;

        if (t && s->row < t->n) {
            size_t room = (stop - out->n) / ts_row_bytes_max(t) + 1;
            uint32_t n = (uint32_t)MIN((size_t)(t->n - s->row), room);

            ts_write_rows(out, s->proto, t, s->row, n);
            s->row += n;
        } else if (!write_item(s, out)) {
            return false;
        }
    }
    return true;
}

static void
multi_destroy(struct buf_source *source)
{
    struct multi_source *s = container_of(source, struct multi_source, source);

    for (uint32_t i = 0; i < s->parts_n; i++)
        ts_part_fini(&s->parts[i]);
    free(s->parts);
    free(s->at);
    free(s);
}

/* The parts move into it. */
static struct multi_source *
source_create(int proto, const struct ts_multi *m, struct ts_part *parts, uint32_t n)
{
    struct multi_source *s = calloc(1, sizeof(*s));

    ASSERT(s);
    s->source.fill = multi_fill;
    s->source.destroy = multi_destroy;
    s->proto = proto;
    s->parts_n = n;
    s->fields = m->is_index ? 0 : proto < 3 ? 3 : !m->is_range ? 2 : m->grouped ? 4 : 3;
    s->parts = malloc(n * sizeof(*s->parts));
    s->at = calloc(n, sizeof(*s->at));
    ASSERT(s->parts && s->at);
    for (uint32_t i = 0; i < n; i++) {
        s->source.bytes += ts_part_bytes(&parts[i]);
        s->parts[i] = parts[i];
        parts[i] = (struct ts_part){0};
    }
    return s;
}

void
ts_multi_reply(struct buf *out, int proto, const struct ts_multi *m, struct ts_part *parts,
               uint32_t n)
{
    struct multi_source *s = source_create(proto, m, parts, n);
    uint64_t series = 0;

    for (uint32_t i = 0; i < n; i++)
        series += s->parts[i].n;
    if (m->is_index)
        resp_set(out, proto, series);
    else if (proto >= 3)
        resp_map(out, proto, series);
    else
        resp_array(out, series);
    if (s->source.bytes > TEXT_AT_ONCE) {
        buf_put_source(out, &s->source);
        return;
    }
    while (multi_fill(&s->source, out, TEXT_AT_ONCE))
        ;
    multi_destroy(&s->source);
}

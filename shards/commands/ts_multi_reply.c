/* The reply over many series: the parts of all cores merged by key, as text that is made while the
 * client takes it. */
#include "shards/commands/ts_multi.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_AT_ONCE (64 * KIB) /* a shorter reply is written without a source */

struct multi_source {
    struct buf_source source;
    struct ts_part *parts;
    struct ts_place *at; /* the next item of each */
    uint32_t parts_n;
    uint32_t low; /* the part of the item whose rows are being written */
    const struct ts_item *item;
    uint32_t text, row; /* of it: bytes and rows that are written */
    int proto;
    uint32_t fields;        /* of a series; 0: its key is all there is */
};

static bool
write_word(struct multi_source *s, struct buf *out)
{
    uint32_t i = ts_lowest(s->parts, s->parts_n, s->at);

    if (i == s->parts_n)
        return false;
    resp_bulk(out, ts_place_key(&s->parts[i], s->at[i]));
    ts_pass_over(s->parts, s->parts_n, s->at, i);
    return true;
}

/* The rows of an item have been written. Behind the last one of a page nobody needs the page. */
static void
end_item(struct multi_source *s)
{
    struct ts_part *p = &s->parts[s->low];
    struct ts_page *g = &p->pages[s->at[s->low].page];
    struct series_table *t = &g->items[s->at[s->low].item].t;

    s->source.bytes -= series_table_bytes(t);
    series_table_fini(t);
    ts_place_next(p, &s->at[s->low]);
    if (g != &p->pages[s->at[s->low].page]) {
        s->source.bytes -= ts_page_bytes(g);
        ts_page_fini(g);
    }
    s->item = NULL;
}

/* The next series up to its text; false: that was the last. */
static bool
begin_item(struct multi_source *s, struct buf *out)
{
    uint32_t i = ts_lowest(s->parts, s->parts_n, s->at);
    const struct ts_page *g;

    if (i == s->parts_n)
        return false;
    g = &s->parts[i].pages[s->at[i].page];
    s->item = &g->items[s->at[i].item];
    s->low = i;
    s->text = s->row = 0;
    if (s->proto < 3)
        resp_array(out, s->fields);
    resp_bulk(out, ts_item_key(g, s->item));
    if (s->proto >= 3)
        resp_array(out, s->fields);
    return true;
}

static void
write_text(struct multi_source *s, struct buf *out, size_t room)
{
    const struct ts_page *g = &s->parts[s->low].pages[s->at[s->low].page];
    uint32_t n = (uint32_t)MIN((size_t)(s->item->text_n - s->text), room);

    buf_append(out, g->bytes.p + s->item->text + s->text, n);
    s->text += n;
}

static void
write_rows(struct multi_source *s, struct buf *out, size_t room)
{
    const struct series_table *t = &s->item->t;
    uint32_t n;

    if (s->row < t->n) {
        n = (uint32_t)MIN((size_t)(t->n - s->row), room / ts_row_bytes_max(t) + 1);
        ts_write_rows(out, s->proto, t, s->row, n);
        s->row += n;
    }
    if (s->row == t->n)
        end_item(s);
}

static bool
multi_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct multi_source *s = container_of(source, struct multi_source, source);
    size_t stop = out->n + want;
    bool more = true;

    while (more && out->n < stop) {
        if (s->item && s->text < s->item->text_n)
            write_text(s, out, stop - out->n);
        else if (s->item)
            write_rows(s, out, stop - out->n);
        else
            more = s->fields ? begin_item(s, out) : write_word(s, out);
    }
    return more;
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
    s->fields = m->is_list ? 0 : proto < 3 ? 3 : !m->is_range ? 2 : m->grouped ? 4 : 3;
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
ts_multi_reply(struct buf *out, int proto, const struct ts_multi *m, uint64_t n,
               struct ts_part *parts, uint32_t parts_n)
{
    struct multi_source *s = source_create(proto, m, parts, parts_n);

    if (m->is_list)
        resp_set(out, proto, n);
    else if (proto >= 3)
        resp_map(out, proto, n);
    else
        resp_array(out, n);
    if (s->source.bytes > TEXT_AT_ONCE) {
        buf_put_source(out, &s->source);
        return;
    }
    while (multi_fill(&s->source, out, TEXT_AT_ONCE))
        ;
    multi_destroy(&s->source);
}

void
ts_multi_too_much(struct buf *out, uint64_t limit, const char *who, const char *cure)
{
    bool whole = limit % MIB == 0;

    resp_errorf(out, "ERR TSDB: %s more than %" PRIu64 " %s for this reply: %s a narrower FILTER", who,
                whole ? limit / MIB : limit, whole ? "MiB" : "bytes", cure);
}

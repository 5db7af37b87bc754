#include "shards/commands/point_reply.h"

#include "net/resp.h"
#include "shards/commands/reply_text.h"

#include <stdlib.h>

#define RUN_FIRST_POINTS 4 /* a reply may be of a million runs of one */

/* "*4" timestamp value type quality, each with its header and line end, at their longest. */
#define POINT_BYTES_MAX \
    (4 + (RESP_INT_TEXT_MAX + 3) + REPLY_DOUBLE_BYTES_MAX + TYPE_TEXT_BYTES + 6)
#define TYPE_TEXT_BYTES 8 /* "$2\r\n00\r\n" */

/* --- gathering -------------------------------------------------------------------------------- */

static void
run_grow(struct point_run *r, uint32_t more)
{
    uint32_t cap = r->cap ? r->cap : RUN_FIRST_POINTS;

    while (cap - r->n < more)
        cap *= 2;
    r->p = realloc(r->p, cap * sizeof(*r->p));
    ASSERT(r->p);
    if (r->quality) {
        r->quality = realloc(r->quality, cap);
        ASSERT(r->quality);
    }
    r->cap = cap;
}

void
point_run_add(struct point_run *r, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    if (r->cap - r->n < n)
        run_grow(r, n);
    if (quality && r->quality == NULL) {
        r->quality = calloc(r->cap, 1);
        ASSERT(r->quality);
    }
    memcpy(r->p + r->n, p, n * sizeof(*p));
    if (quality)
        memcpy(r->quality + r->n, quality, n);
    else if (r->quality)
        memset(r->quality + r->n, 0, n);
    r->n += n;
}

/* Of what is not used any more at most half as much stays allocated. */
void
point_run_cut(struct point_run *r, uint32_t n)
{
    struct point_run smaller = {.type = r->type};

    ASSERT(n <= r->n && r->at == 0);
    r->n = n;
    if (r->cap / 2 < n)
        return;
    if (n > 0)
        point_run_add(&smaller, r->p, r->quality, n);
    point_run_fini(r);
    *r = smaller;
}

void
point_run_fini(struct point_run *r)
{
    free(r->p);
    free(r->quality);
    *r = (struct point_run){.type = r->type};
}

/* --- text ---------------------------------------------------------------------------------------
 */

static char *
put_point(char *out, int proto, const struct point_run *r, uint32_t i)
{
    static const char hex[] = "0123456789abcdef";
    const char type[TYPE_TEXT_BYTES] = {'$',  '2', '\r', '\n', hex[r->type >> 4], hex[r->type & 15],
                                        '\r', '\n'};

    memcpy(out, "*4\r\n:", 5);
    out += 5;
    out = reply_put_end(out + format_int(out, r->p[i].ts));
    out = reply_put_double(out, proto, r->p[i].value);
    memcpy(out, type, TYPE_TEXT_BYTES);
    out += TYPE_TEXT_BYTES;
    *out++ = ':';
    return reply_put_end(out + format_uint(out, r->quality ? r->quality[i] : 0));
}

/* --- merging ------------------------------------------------------------------------------------
 */

/* The run with the next point: earliest (latest when reversed), lower type first among equals. */
static struct point_run *
next_run(struct point_run *runs, uint32_t n, bool reverse)
{
    struct point_run *best = NULL;

    for (uint32_t i = 0; i < n; i++) {
        int64_t ts;

        if (runs[i].at == runs[i].n)
            continue;
        ts = runs[i].p[runs[i].at].ts;
        if (best == NULL || (reverse ? ts > best->p[best->at].ts : ts < best->p[best->at].ts))
            best = &runs[i];
    }
    return best;
}

/* Writes `n` points; there are that many. */
static void
write_points(struct buf *out, int proto, struct point_run *runs, uint32_t runs_n, uint64_t n,
             bool reverse)
{
    char *start = buf_reserve(out, n * POINT_BYTES_MAX), *p = start;

    while (n-- > 0) {
        struct point_run *r = runs_n == 1 ? runs : next_run(runs, runs_n, reverse);

        p = put_point(p, proto, r, r->at++);
    }
    out->n += (size_t)(p - start);
}

/* --- the source ----------------------------------------------------------------------------------
 */

struct point_source {
    struct buf_source source;
    uint64_t left;
    int proto;
    bool reverse;
    uint32_t runs_n;
    struct point_run runs[];
};

static bool
point_source_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct point_source *s = container_of(source, struct point_source, source);
    uint64_t n = MIN(s->left, want / POINT_BYTES_MAX + 1);

    write_points(out, s->proto, s->runs, s->runs_n, n, s->reverse);
    s->left -= n;
    return s->left > 0;
}

static void
point_source_destroy(struct buf_source *source)
{
    struct point_source *s = container_of(source, struct point_source, source);

    for (uint32_t i = 0; i < s->runs_n; i++)
        point_run_fini(&s->runs[i]);
    free(s);
}

static struct buf_source *
point_source_create(int proto, struct point_run *runs, uint32_t runs_n, uint64_t total,
                    bool reverse)
{
    struct point_source *s = calloc(1, sizeof(*s) + runs_n * sizeof(*runs));

    ASSERT(s);
    s->source.fill = point_source_fill;
    s->source.destroy = point_source_destroy;
    s->source.bytes = sizeof(*s);
    s->left = total;
    s->proto = proto;
    s->reverse = reverse;
    s->runs_n = runs_n;
    for (uint32_t i = 0; i < runs_n; i++) {
        s->runs[i] = runs[i];
        s->source.bytes += runs[i].cap * (sizeof(*runs[i].p) + (runs[i].quality != NULL));
        runs[i] = (struct point_run){.type = runs[i].type};
    }
    return &s->source;
}

void
reply_points(struct buf *out, int proto, struct point_run *runs, uint32_t runs_n, uint64_t total,
             bool reverse)
{
    resp_array(out, total);
    if (total > POINT_REPLY_AT_ONCE_MAX) {
        buf_put_source(out, point_source_create(proto, runs, runs_n, total, reverse));
        return;
    }
    write_points(out, proto, runs, runs_n, total, reverse);
    for (uint32_t i = 0; i < runs_n; i++)
        point_run_fini(&runs[i]);
}

/* TSDB_JOIN: each point of one series with the point of another that was in force then (ASOF).
 *
 * The left points are gathered; the right ones stream past them once and are not kept. What lies just
 * outside the left points' time is asked for by itself: the newest right point before the first of
 * them, the oldest after the last. The keys may be of different cores: then it is a transaction. */
#include "shards/commands/handlers.h"
#include "shards/commands/reply_text.h"
#include "shards/commands/ts.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define JOIN_ROWS_MAX 1000000 /* left points of one reply */
#define JOIN_ROWS_AT_ONCE 512 /* rows that are written without a source */
#define JOIN_FIRST_ROWS 128

enum asof { ASOF_PREVIOUS, ASOF_NEXT, ASOF_NEAREST };

struct join_row {
    struct sample left, right;
    bool matched;
};

struct join_rows {
    struct join_row *p;
    uint32_t n, cap;
};

/* One of the two series. */
struct join_side {
    struct key k;
    const struct series *s; /* NULL: no points */
    int64_t visible;
};

struct join {
    struct ctx *c;
    int64_t start, end, tolerance;
    enum asof asof;
    struct join_side left, right;
    struct join_rows rows;
    uint32_t at; /* rows before have what they get */
    bool has_previous;
    struct sample previous; /* right point */
};

/* --- matching --------------------------------------------------------------------------------- */

static uint64_t
distance(const struct sample *a, const struct sample *b)
{
    return a->ts > b->ts ? (uint64_t)a->ts - (uint64_t)b->ts : (uint64_t)b->ts - (uint64_t)a->ts;
}

/* The right point for the next row, between the previous one and this; NULL = there is no next. */
static void
settle(struct join *j, const struct sample *next)
{
    struct join_row *row = &j->rows.p[j->at++];
    const struct sample *previous = j->has_previous ? &j->previous : NULL, *take;

    if (j->asof == ASOF_PREVIOUS)
        take = previous;
    else if (j->asof == ASOF_NEXT || previous == NULL)
        take = next;
    else if (next == NULL)
        take = previous;
    else
        take = distance(&row->left, next) < distance(&row->left, previous) ? next : previous;
    if (take == NULL || distance(&row->left, take) > (uint64_t)j->tolerance)
        return;
    row->matched = true;
    row->right = *take;
}

/* Of right points that share a time PREVIOUS takes the last, the others the first. */
static int
right_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct join *j = arg;

    for (uint32_t i = 0; i < n; i++) {
        while (j->at < j->rows.n && (j->asof == ASOF_PREVIOUS ? j->rows.p[j->at].left.ts < p[i].ts
                                                              : j->rows.p[j->at].left.ts <= p[i].ts))
            settle(j, &p[i]);
        j->has_previous = true;
        j->previous = p[i];
    }
    return j->at == j->rows.n;
}

static int
left_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct join_rows *r = arg;

    if (r->n + n > JOIN_ROWS_MAX)
        return -E2BIG;
    if (r->cap - r->n < n) {
        r->cap = MAX(MAX(2 * r->cap, JOIN_FIRST_ROWS), r->n + n);
        r->p = realloc(r->p, r->cap * sizeof(*r->p));
        ASSERT(r->p);
    }
    for (uint32_t i = 0; i < n; i++)
        r->p[r->n + i] = (struct join_row){.left = p[i]};
    r->n += n;
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int
read_side(struct join *j, struct join_side *side, struct series_query q, series_emit_fn emit,
          void *arg)
{
    q.start = MAX(q.start, side->visible);
    if (side->s == NULL || q.start > q.end)
        return 0;
    return ts_read(j->c, &side->k, side->s, &q, emit, arg);
}

static int64_t
plus(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t
minus(int64_t a, int64_t b)
{
    int64_t difference;

    return __builtin_sub_overflow(a, b, &difference) ? INT64_MIN : difference;
}

static int
read_before(struct join *j, int64_t first)
{
    struct series_query q = {.start = minus(first, j->tolerance), .end = first - 1, .limit = 1,
                             .reverse = true};

    return j->asof == ASOF_NEXT || first == INT64_MIN
               ? 0
               : read_side(j, &j->right, q, right_emit, j);
}

static int
read_after(struct join *j, int64_t last)
{
    struct series_query q = {.start = last + 1, .end = plus(last, j->tolerance), .limit = 1};

    return j->asof == ASOF_PREVIOUS || last == INT64_MAX || j->at == j->rows.n
               ? 0
               : read_side(j, &j->right, q, right_emit, j);
}

/* What must be fetched for one part is noted, and the others go on to note theirs. */
static int
read_right(struct join *j)
{
    int64_t first = j->rows.p[0].left.ts, last = j->rows.p[j->rows.n - 1].left.ts;
    struct series_query q = {.start = first, .end = last, .limit = UINT64_MAX};
    int before = read_before(j, first);
    int within = before < 0 && before != -EAGAIN ? before
                                                 : read_side(j, &j->right, q, right_emit, j);
    int after = within < 0 && within != -EAGAIN ? within : read_after(j, last);

    if (after < 0 && after != -EAGAIN)
        return after;
    return before < 0 || within < 0 || after < 0 ? -EAGAIN : 0;
}

static int
join_read(struct join *j)
{
    struct series_query q = {.start = j->start, .end = j->end, .limit = UINT64_MAX};
    int rc = read_side(j, &j->left, q, left_emit, &j->rows);

    if (rc < 0 || j->rows.n == 0)
        return rc;
    rc = read_right(j);
    while (rc == 0 && j->at < j->rows.n)
        settle(j, NULL);
    return rc;
}

/* --- the reply -------------------------------------------------------------------------------- */

#define ROW_BYTES_MAX (3 * REPLY_HEAD_BYTES_MAX + 2 * REPLY_DOUBLE_BYTES_MAX)

struct join_source {
    struct buf_source source;
    struct join_rows rows;
    uint32_t at;
    int proto;
};

static char *
put_null(char *out, int proto)
{
    if (proto < 3)
        return reply_put_head(out, '$', -1);
    *out++ = '_';
    return reply_put_end(out);
}

static void
write_rows(struct buf *out, int proto, const struct join_row *row, uint32_t n)
{
    char *start = buf_reserve(out, (size_t)n * ROW_BYTES_MAX), *p = start;

    for (; n-- > 0; row++) {
        p = reply_put_head(p, '*', 4);
        p = reply_put_head(p, ':', row->left.ts);
        p = reply_put_double(p, proto, row->left.value);
        if (row->matched) {
            p = reply_put_head(p, ':', row->right.ts);
            p = reply_put_double(p, proto, row->right.value);
        } else {
            p = put_null(put_null(p, proto), proto);
        }
    }
    out->n += (size_t)(p - start);
}

static bool
join_fill(struct buf_source *source, struct buf *out, size_t want)
{
    struct join_source *s = container_of(source, struct join_source, source);
    uint32_t n = (uint32_t)MIN((size_t)(s->rows.n - s->at), want / ROW_BYTES_MAX + 1);

    write_rows(out, s->proto, s->rows.p + s->at, n);
    s->at += n;
    return s->at < s->rows.n;
}

static void
join_destroy(struct buf_source *source)
{
    struct join_source *s = container_of(source, struct join_source, source);

    free(s->rows.p);
    free(s);
}

/* Takes the rows when they are many. */
static void
reply_rows(struct ctx *c, struct join_rows *rows)
{
    struct join_source *s;

    resp_array(c->out, rows->n);
    c->core->points_read += rows->n;
    if (rows->n <= JOIN_ROWS_AT_ONCE) {
        write_rows(c->out, c->proto, rows->p, rows->n);
        return;
    }
    s = calloc(1, sizeof(*s));
    ASSERT(s);
    s->source = (struct buf_source){.fill = join_fill, .destroy = join_destroy,
                                    .bytes = sizeof(*s) + rows->cap * sizeof(*rows->p)};
    s->rows = *rows;
    s->proto = c->proto;
    *rows = (struct join_rows){0};
    buf_put_source(c->out, &s->source);
}

/* --- the command ------------------------------------------------------------------------------ */

static bool
parse_asof(struct ctx *c, enum asof *ret)
{
    static const char *const words[] = {"previous", "next", "nearest"};

    if (!slice_is(c->argv[5], "asof"))
        return series_arg_refused(c, "option", 5, "ASOF");
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (slice_is(c->argv[6], words[i])) {
            *ret = (enum asof)i;
            return true;
        }
    return series_arg_refused(c, "option", 6, "PREVIOUS, NEXT or NEAREST");
}

static bool
parse_join(struct ctx *c, struct join *j)
{
    if (c->argc > 8) {
        ctx_error(c, "ERR wrong number of arguments for 'tsdb_join' command");
        return false;
    }
    j->tolerance = INT64_MAX;
    return series_arg_bounds(c, 3, &j->start, &j->end) && parse_asof(c, &j->asof) &&
           (c->argc < 8 || series_arg_duration(c, 7, "tolerance", 0, &j->tolerance));
}

/* False: it is no series, and that is replied. */
static bool
open_side(struct ctx *c, uint32_t i, struct join_side *side)
{
    struct entry *e;
    bool ok;

    side->k = key_open(c, c->argv[i]);
    e = key_find_type(c, &side->k, ENTRY_SERIES, &ok);
    if (e == NULL)
        return ok;
    side->s = ts_series(e);
    side->visible = ts_visible_from(series_key_settings(entry_series(e)), side->s);
    return true;
}

void
cmd_tsdb_join(struct ctx *c)
{
    struct join j = {.c = c};
    int rc;

    if (!parse_join(c, &j) || !open_side(c, 1, &j.left) || !open_side(c, 2, &j.right))
        return;
    rc = join_read(&j);
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB_JOIN: the range holds more than %d points of the left series",
                    JOIN_ROWS_MAX);
    else if (rc < 0)
        series_query_failed(c, rc);
    else if (!c->probe)
        reply_rows(c, &j.rows);
    free(j.rows.p);
}

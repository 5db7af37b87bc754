/* TSDB_JOIN: each point of one series with the point of another that was in force then (ASOF). What
 * takes longer than other clients should wait goes in slices (engine/slices.h); the keys may be of
 * different cores, which then have their turns one after the other. */
#include "shards/commands/handlers.h"
#include "shards/commands/reply_text.h"
#include "shards/commands/series_ahead.h"
#include "shards/commands/series_join.h"
#include "shards/engine/core.h"

#include <stdlib.h>

#define JOIN_ROWS_AT_ONCE 512 /* rows that are written without a source */

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
write_rows(struct buf *out, int proto, const struct join_rows *rows, uint32_t from, uint32_t n)
{
    char *start = buf_reserve(out, (size_t)n * ROW_BYTES_MAX), *p = start;

    for (uint32_t i = from; i < from + n; i++) {
        const struct join_row *row = join_row_at(rows, i);

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

    write_rows(out, s->proto, &s->rows, s->at, n);
    s->at += n;
    return s->at < s->rows.n;
}

static void
join_destroy(struct buf_source *source)
{
    struct join_source *s = container_of(source, struct join_source, source);

    join_rows_fini(&s->rows);
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
        write_rows(c->out, c->proto, rows, 0, rows->n);
        return;
    }
    s = calloc(1, sizeof(*s));
    ASSERT(s);
    s->source = (struct buf_source){.fill = join_fill, .destroy = join_destroy,
                                    .bytes = sizeof(*s) + rows->cap * sizeof(struct join_row)};
    s->rows = *rows;
    s->proto = c->proto;
    *rows = (struct join_rows){0};
    buf_put_source(c->out, &s->source);
}

/* --- in slices -------------------------------------------------------------------------------- */

enum { LEFT, RIGHT, SIDES };

struct join_slices {
    struct ahead ahead;
    struct join join;
    int rc[SIDES]; /* what was wrong with it */
};

static struct join_slices *
join_of(const struct ahead *a)
{
    return container_of((struct ahead *)a, struct join_slices, ahead);
}

static struct ahead *
ahead_of(struct slices *s)
{
    return container_of(s, struct ahead, slices);
}

static void
set_series(struct join_side *side, const struct entry *e)
{
    side->s = ts_series(e);
    side->visible = ts_visible_from(series_key_settings(entry_series(e)), side->s);
}

static int
key_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns)
{
    struct join_slices *x = join_of(a);
    struct key k = key_open(c, a->name[i]);
    struct entry *e = key_find(c, &k);
    struct join_side side = {.c = c, .k = &k, .until_ns = until_ns};
    int rc;

    if (e == NULL || e->type != ENTRY_SERIES || x->rc[LEFT] < 0) /* the command will see to it */
        return 0;
    set_series(&side, e);
    rc = i == LEFT ? join_read_left(&x->join, &side)
                   : join_read_right(&x->join, &side, a->leased);
    if (rc == -EAGAIN || rc == -EINPROGRESS)
        return rc;
    x->rc[i] = rc;
    return 0;
}

static bool
key_stands(const struct ahead *a, uint32_t i, int64_t from, int64_t to)
{
    const struct join_slices *x = join_of(a);

    if (x->rc[i] < 0)
        return false;
    return i == LEFT ? join_left_stands(&x->join, from, to) : join_right_stands(&x->join, from, to);
}

static int64_t
key_wants_from(const struct ahead *a, uint32_t i)
{
    const struct join_slices *x = join_of(a);

    if (x->rc[i] < 0)
        return INT64_MIN;
    return i == LEFT ? join_left_from(&x->join) : join_right_from(&x->join);
}

static void
key_drop(struct ahead *a, uint32_t i)
{
    struct join_slices *x = join_of(a);

    x->rc[i] = 0;
    if (i == LEFT)
        join_forget(&x->join);
    else
        join_forget_right(&x->join);
}

/* Left points have a limit of their own, right ones are not kept. */
static uint64_t
key_values(const struct ahead *a, uint32_t i)
{
    return 0;
}

static const struct ahead_keys join_keys = {key_read, key_stands, key_wants_from, key_drop, key_values};

static enum slices_result
slices_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    return ahead_step(ahead_of(s), c, sh, NULL, until_ns);
}

static void
slices_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(ahead_of(s), sh);
}

static bool
slices_reply(struct slices *s, struct ctx *c, uint64_t until_ns)
{
    struct join *j = &join_of(ahead_of(s))->join;

    if (!join_settle(j, c, until_ns))
        return false;
    reply_rows(c, &j->rows);
    return true;
}

static void
slices_destroy(struct slices *s)
{
    struct join_slices *x = join_of(ahead_of(s));

    ahead_fini(&x->ahead);
    free(x);
}

static struct slices *
slices_create(struct ctx *c, const struct join_asked *asked)
{
    struct join_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->ahead = (struct ahead){.slices = {slices_step, slices_leave, slices_reply, slices_destroy},
                              .keys = &join_keys, .values_max = UINT64_MAX, .chained = true};
    x->join.asked = *asked;
    ahead_init(&x->ahead, c, c->argv + 1, SIDES);
    return &x->ahead.slices;
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR TSDB_JOIN: the range holds more than %d points of the left series",
                    JOIN_ROWS_MAX);
    else
        series_query_failed(c, rc);
}

/* Everything is leased, and much of it was read ahead. */
static void
join_ahead(struct ctx *c, struct join_slices *x)
{
    int rc = ahead_all(&x->ahead, c, NULL);

    for (uint32_t i = 0; i < SIDES && rc == 0; i++)
        rc = x->rc[i];
    if (rc < 0)
        reply_failure(c, rc);
    x->ahead.slices.replies = rc == 0 && !c->probe;
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
parse_join(struct ctx *c, struct join_asked *asked)
{
    int64_t tolerance;

    if (c->argc > 8) {
        ctx_error(c, "ERR wrong number of arguments for 'tsdb_join' command");
        return false;
    }
    if (!series_arg_bounds(c, 3, &asked->start, &asked->end) || !parse_asof(c, &asked->asof) ||
        (c->argc == 8 && !series_arg_duration(c, 7, "tolerance", 0, &tolerance)))
        return false;
    asked->tolerance = c->argc == 8 ? (uint64_t)tolerance : UINT64_MAX;
    return true;
}

/* False: it is no series, and that is replied. */
static bool
open_side(struct ctx *c, struct key *k, struct join_side *side)
{
    struct entry *e;
    bool ok;

    e = key_find_type(c, k, ENTRY_SERIES, &ok);
    *side = (struct join_side){.c = c, .k = k};
    if (e)
        set_series(side, e);
    return ok;
}

static int
read_sides(struct join *j, struct join_side *sides)
{
    uint64_t until_ns = ahead_until(sides[LEFT].c, SIDES);
    int rc;

    sides[LEFT].until_ns = sides[RIGHT].until_ns = until_ns;
    rc = join_read_left(j, &sides[LEFT]);
    if (rc == 0)
        rc = join_read_right(j, &sides[RIGHT], true);
    return rc == 0 && !join_settle(j, sides[LEFT].c, until_ns) ? -EINPROGRESS : rc;
}

static void
join_at_once(struct ctx *c, const struct join_asked *asked, struct join_side *sides)
{
    struct join j = {.asked = *asked};
    bool again = c->slices && sides[LEFT].k->sh == sides[RIGHT].k->sh; /* it has said that it takes long */
    int rc = again ? -EINPROGRESS : read_sides(&j, sides);

    if (rc == -EINPROGRESS) {
        c->need = (struct need){.kind = NEED_SLICES};
        if (c->slices)
            *c->slices = slices_create(c, asked);
    } else if (rc < 0) {
        reply_failure(c, rc);
    } else if (!c->probe) {
        reply_rows(c, &j.rows);
    }
    join_rows_fini(&j.rows);
}

void
cmd_tsdb_join(struct ctx *c)
{
    struct key left = key_open(c, c->argv[1]), right = key_open(c, c->argv[2]);
    struct join_side sides[SIDES];
    struct join_asked asked;

    if (!parse_join(c, &asked) || !open_side(c, &left, &sides[LEFT]) ||
        !open_side(c, &right, &sides[RIGHT]))
        return;
    if (c->slices && *c->slices)
        join_ahead(c, join_of(ahead_of(*c->slices)));
    else
        join_at_once(c, &asked, sides);
}

/* TS.READ: the points of a series from a time on, and the ones to come. The waiting is done by
 * blocked.h; here is one look at the series. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_range.h"
#include "shards/engine/blocked.h"
#include "shards/engine/core.h"

#define TS_READ_MS_MAX (INT64_MAX / 2000000) /* its nanoseconds, added to the clock, fit */
static_assert(TS_READ_MS_MAX == 4611686018427, "as the error says");
#define ERR_READ_IN_MULTI "TSDB: blocking TS.READ is not allowed inside MULTI"

/* The command, as asked. */
struct read_args {
    bool blocks;
    int64_t timeout_ms;
    int64_t min_count;
    int64_t max_count; /* INT64_MAX: none given */
};

static bool
refuse(struct ctx *c, const char *error)
{
    ctx_error(c, error);
    return false;
}

/* A positive number in argument i, or the error. */
static bool
parse_positive(struct ctx *c, uint32_t i, int64_t *ret_v, const char *error)
{
    return (parse_int(c->argv[i], ret_v) && *ret_v > 0) || refuse(c, error);
}

static bool
parse_block(struct ctx *c, uint32_t at, struct read_args *a)
{
    a->blocks = true;
    if (!parse_int(c->argv[at + 1], &a->timeout_ms) || a->timeout_ms < 0 ||
        a->timeout_ms > TS_READ_MS_MAX)
        return refuse(c, a->timeout_ms > TS_READ_MS_MAX
                             ? "TSDB: BLOCK milliseconds must be at most 4611686018427"
                             : "TSDB: BLOCK milliseconds must be a non-negative integer");
    return parse_positive(c, at + 2, &a->min_count,
                          "TSDB: BLOCK min_count must be a positive integer");
}

/* Unlike other options of TS.* these are looked for where they belong, and nothing else may stand
 * there. */
static bool
parse_options(struct ctx *c, struct read_args *a)
{
    *a = (struct read_args){.max_count = INT64_MAX};
    for (uint32_t i = 3; i < c->argc;) {
        if (slice_is(c->argv[i], "block") && !a->blocks && i + 2 < c->argc) {
            if (!parse_block(c, i, a))
                return false;
            i += 3;
        } else if (slice_is(c->argv[i], "max_count") && a->max_count == INT64_MAX &&
                   i + 1 < c->argc) {
            if (!parse_positive(c, i + 1, &a->max_count,
                                "TSDB: MAX_COUNT must be a positive integer"))
                return false;
            i += 2;
        } else {
            return refuse(c, "ERR wrong number of arguments for 'ts.read' command");
        }
    }
    if (a->min_count > a->max_count)
        return refuse(c, "TSDB: BLOCK min_count must be <= MAX_COUNT");
    if (a->min_count > TS_RANGE_ROWS_MAX)
        return refuse(c, "ERR TSDB: BLOCK min_count must be <= 1000000");
    return true;
}

static bool
is_mark(struct slice text)
{
    return text.n == 1 && (text.p[0] == '-' || text.p[0] == '+' || text.p[0] == '$');
}

static bool
parse_cursor(struct ctx *c, int64_t *ret_from)
{
    bool strict = c->core->config.ts_compat == CONFIG_TS_STRICT;

    *ret_from = INT64_MIN;
    if (is_mark(c->argv[2]))
        return true;
    if (!parse_int(c->argv[2], ret_from))
        return refuse(c, ERR_TS_TIMESTAMP);
    return *ret_from >= 0 || !strict || refuse(c, ERR_TS_NEGATIVE);
}

/* What + and $ stand for at this moment; without a point everything that comes is new. (What - stands
 * for is known when the first points have been read.) */
static void
resolve(struct ctx *c, const struct entry *e, struct blocking *b)
{
    const struct series *s = e ? ts_series(e) : NULL;
    char mark = c->argv[2].p[0];
    struct sample last;
    uint8_t quality;

    if (!is_mark(c->argv[2]) || mark == '-' || s == NULL || !series_last(s, &last, &quality))
        return;
    b->at_end = mark == '$' && last.ts == INT64_MAX;
    b->from = last.ts + (mark == '$' && !b->at_end);
}

/* Too little: it waits, if it may. */
static bool
waits(struct blocking *b, const struct read_args *a, const struct entry *e,
      const struct series_table *t)
{
    if (!a->blocks || b->last || b->gone || t->n >= (uint64_t)a->min_count)
        return false;
    b->timeout_ms = a->timeout_ms;
    b->missing = (uint64_t)a->min_count - t->n;
    b->seen = e != NULL;
    b->type = TS_TYPE;
    return true;
}

/* 0, or as ts_range_read. */
static int
read_from(struct ctx *c, const struct key *k, const struct entry *e, const struct read_args *a,
          int64_t from, struct series_table *t)
{
    struct ts_range r = {.from = from, .to = INT64_MAX, .type = TS_TYPE,
                         .count = (uint64_t)MIN(a->max_count, (int64_t)TS_RANGE_ROWS_MAX)};

    return e ? ts_range_read(c, k, e, &r, 0, t) : 0;
}

static void
read_series(struct ctx *c, const struct key *k, const struct entry *e, const struct read_args *a,
            int64_t from)
{
    struct blocking none = {0}, *b = c->core->blocking ? c->core->blocking : &none;
    struct series_table t = {.cols = 1};
    int rc;

    if (!b->resolved) {
        b->from = from;
        resolve(c, e, b);
        b->resolved = true;
    }
    rc = b->gone || b->at_end ? 0 : read_from(c, k, e, a, b->from, &t);
    if (rc == 0 && t.n > 0 && b->from == INT64_MIN)
        b->from = t.ts[0]; /* of what "-" stands for */
    if (rc < 0 && rc != -EAGAIN) {
        ctx_error(c, ts_range_error(rc));
    } else if (rc == 0 && !c->probe && !waits(b, a, e, &t)) {
        c->core->points_read += t.n;
        ts_reply_table(c->out, c->proto, &t, TS_ROW_FLAT);
    }
    series_table_fini(&t);
}

void
cmd_ts_read(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    struct read_args a;
    struct entry *e;
    int64_t from;

    if (!parse_options(c, &a) || !parse_cursor(c, &from))
        return;
    if (a.blocks && c->core->blocking == NULL) {
        ctx_error(c, ERR_READ_IN_MULTI);
        return;
    }
    e = key_find(c, &k);
    if (e && e->type != ENTRY_SERIES)
        ctx_error(c, ERR_TS_WRONGTYPE);
    else
        read_series(c, &k, e, &a, from);
}

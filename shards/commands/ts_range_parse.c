/* The options of ranges, as RedisTimeSeries looks for them: each anywhere, the first of a repeated one
 * counts, what is not an option is not looked at. */
#include "shards/commands/ts_range.h"
#include "shards/engine/core.h"

#include <math.h>
#include <stdlib.h>

/* One command being read. */
struct range_args {
    struct ctx *c;
    uint32_t at;     /* of the first time */
    uint32_t series; /* lists of functions behind AGGREGATION */
    struct ts_range *r;
    bool from_open, to_open; /* - and + */
    uint32_t aggregation;    /* place of the word; 0 = none */
    uint32_t bucket;         /* place of the bucket's duration */
};

static bool
refuse(struct range_args *a, const char *error)
{
    ctx_error(a->c, error);
    return false;
}

static struct slice
arg(const struct range_args *a, uint32_t i)
{
    return a->c->argv[i];
}

static bool
has_arg(const struct range_args *a, uint32_t i)
{
    return i < a->c->argc;
}

static uint32_t
find(const struct range_args *a, const char *word)
{
    return ts_option(a->c, a->at + 2, word);
}

/* --- times ------------------------------------------------------------------------------------ */

static bool
is_time(const struct range_args *a, struct slice text, int64_t *ret_ts)
{
    bool strict = a->c->core->config.ts_compat == CONFIG_TS_STRICT;

    return parse_int(text, ret_ts) && (*ret_ts >= 0 || !strict);
}

static bool
parse_times(struct range_args *a)
{
    a->from_open = slice_is(arg(a, a->at), "-");
    a->to_open = slice_is(arg(a, a->at + 1), "+");
    a->r->from = INT64_MIN;
    a->r->to = INT64_MAX;
    if (!a->from_open && !is_time(a, arg(a, a->at), &a->r->from))
        return refuse(a, "ERR TSDB: wrong fromTimestamp");
    if (!a->to_open && !is_time(a, arg(a, a->at + 1), &a->r->to))
        return refuse(a, "ERR TSDB: wrong toTimestamp");
    return true;
}

/* --- COUNT ------------------------------------------------------------------------------------ */

/* "AGGREGATION count 5" is no COUNT, nor is one among several lists, nor is "REDUCE count". */
static uint32_t
find_count(const struct range_args *a)
{
    uint32_t i = find(a, "count"), aggregation = find(a, "aggregation");

    while ((i > aggregation && aggregation > 0 && i <= aggregation + a->series) ||
           (i > 0 && slice_is(arg(a, i - 1), "reduce")))
        i = ts_option(a->c, i + 1, "count");
    return i;
}

static bool
parse_count(struct range_args *a)
{
    uint32_t i = find_count(a);
    int64_t v;

    a->r->count = UINT64_MAX;
    if (i == 0)
        return true;
    if (!has_arg(a, i + 1))
        return refuse(a, "ERR TSDB: COUNT argument is missing");
    if (!parse_int(arg(a, i + 1), &v))
        return refuse(a, "ERR TSDB: Couldn't parse COUNT");
    if (v <= 0)
        return refuse(a, "ERR TSDB: Invalid COUNT value");
    a->r->count = (uint64_t)v;
    return true;
}

/* --- AGGREGATION ------------------------------------------------------------------------------ */

static bool
parse_function(struct range_args *a, struct slice name, struct ts_columns *col)
{
    enum aggregate fn;

    if (name.n == 0)
        return refuse(a, "ERR TSDB: Empty aggregation type in list");
    if (!aggregate_parse(name, &fn) || (aggregate_is_extension(fn) &&
                                        a->c->core->config.ts_compat == CONFIG_TS_STRICT))
        return refuse(a, "ERR TSDB: Unknown aggregation type");
    if (col->n == AGGREGATES_MAX)
        return refuse(a, "ERR TSDB: Too many aggregation types");
    col->fn[col->n++] = (uint8_t)fn;
    return true;
}

/* "avg,max". */
static bool
parse_list(struct range_args *a, struct slice list, struct ts_columns *col)
{
    const char *p = list.p, *end = list.p + list.n;

    col->n = 0;
    for (;;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;

        if (!parse_function(a, (struct slice){p, (size_t)(stop - p)}, col))
            return false;
        if (comma == NULL)
            return true;
        p = comma + 1;
    }
}

static bool
parse_bucket(struct range_args *a)
{
    int64_t v;

    if (!parse_int(arg(a, a->bucket), &v) || v < 0)
        return refuse(a, "ERR TSDB: Couldn't parse AGGREGATION");
    if (v == 0)
        return refuse(a, "ERR TSDB: bucketDuration must be greater than zero");
    a->r->bucket = v;
    return true;
}

/* Is the argument a bucket's duration rather than a list of functions? */
static bool
looks_like_number(struct slice s)
{
    return s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9';
}

/* Does a duration stand where one of several lists should, or a list where the duration should? */
static bool
is_miscounted(const struct range_args *a)
{
    struct slice behind = has_arg(a, a->bucket) ? arg(a, a->bucket) : SLICE("");
    enum aggregate fn;

    for (uint32_t i = 1; i < a->series && has_arg(a, a->aggregation + 1 + i); i++)
        if (looks_like_number(arg(a, a->aggregation + 1 + i)))
            return true;
    return a->series > 1 && aggregate_parse(behind, &fn);
}

/* One list for each series, then the duration. */
static bool
parse_lists(struct range_args *a)
{
    struct ts_columns *col = scratch_alloc(&a->c->core->scratch, a->series * sizeof(*col));

    for (uint32_t i = 0; i < a->series; i++)
        if (!parse_list(a, arg(a, a->aggregation + 1 + i), &col[i]))
            return false;
    a->r->columns = col;
    a->r->columns_n = a->series;
    return true;
}

static bool
parse_aggregation(struct range_args *a)
{
    a->aggregation = find(a, "aggregation");
    if (a->aggregation == 0)
        return true;
    a->bucket = a->aggregation + 1 + a->series;
    if (is_miscounted(a))
        return refuse(a, "ERR TSDB: the number of AGGREGATION arguments must be equal to numkeys");
    if (!has_arg(a, a->bucket))
        return refuse(a, "ERR TSDB: Couldn't parse AGGREGATION");
    return parse_lists(a) && parse_bucket(a);
}

static bool
parse_stamp(struct range_args *a)
{
    uint32_t i = a->aggregation ? ts_option(a->c, a->aggregation, "buckettimestamp") : 0;
    struct slice v;

    if (i == 0)
        return true;
    if (i != a->bucket + 1 && i != a->bucket + 2)
        return refuse(a, "ERR TSDB: BUCKETTIMESTAMP flag should be the 3rd or 4th flag after "
                         "AGGREGATION flag");
    v = has_arg(a, i + 1) ? arg(a, i + 1) : SLICE("");
    if (slice_is(v, "-") || slice_is(v, "start"))
        a->r->stamp = BUCKET_START;
    else if (slice_is(v, "+") || slice_is(v, "end"))
        a->r->stamp = BUCKET_END;
    else if (slice_is(v, "~") || slice_is(v, "mid"))
        a->r->stamp = BUCKET_MID;
    else
        return refuse(a, "ERR TSDB: unknown BUCKETTIMESTAMP parameter");
    return true;
}

static bool
parse_empty(struct range_args *a)
{
    uint32_t i = a->aggregation ? ts_option(a->c, a->aggregation, "empty") : 0;

    if (i == 0)
        return true;
    if (i != a->bucket + 1 && i != a->bucket + 3)
        return refuse(a, "ERR TSDB: EMPTY flag should be the 3rd or 5th flag after AGGREGATION "
                         "flag");
    a->r->empty = true;
    return true;
}

static bool
align_to(struct range_args *a, bool open, int64_t ts, const char *error)
{
    a->r->align = ts;
    return !open || refuse(a, error);
}

static bool
parse_align(struct range_args *a)
{
    uint32_t i = find(a, "align");
    struct slice v;

    if (i == 0)
        return true;
    if (a->aggregation == 0)
        return refuse(a, "ERR TSDB: ALIGN parameter can only be used with AGGREGATION");
    v = has_arg(a, i + 1) ? arg(a, i + 1) : SLICE("");
    if (slice_is(v, "-") || slice_is(v, "start"))
        return align_to(a, a->from_open, a->r->from,
                        "ERR TSDB: start alignment can only be used with explicit start timestamp");
    if (slice_is(v, "+") || slice_is(v, "end"))
        return align_to(a, a->to_open, a->r->to,
                        "ERR TSDB: end alignment can only be used with explicit end timestamp");
    if (!is_time(a, v, &a->r->align))
        return refuse(a, "ERR TSDB: unknown ALIGN parameter");
    return true;
}

/* --- filters ---------------------------------------------------------------------------------- */

static int
compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool
parse_filter_times(struct range_args *a)
{
    uint32_t i = find(a, "filter_by_ts"), n = 0;
    int64_t *times;

    if (i == 0)
        return true;
    times = scratch_alloc(&a->c->core->scratch, TS_RANGE_TIMES_MAX * sizeof(*times));
    for (i++; has_arg(a, i) && n < TS_RANGE_TIMES_MAX && is_time(a, arg(a, i), &times[n]); i++)
        n++;
    if (n == 0)
        return refuse(a, "ERR TSDB: FILTER_BY_TS one or more arguments are missing");
    if (n == TS_RANGE_TIMES_MAX && has_arg(a, i) && is_time(a, arg(a, i), &(int64_t){0}))
        return refuse(a, "ERR TSDB: FILTER_BY_TS takes at most 128 timestamps");
    qsort(times, n, sizeof(*times), compare_times);
    a->r->times = times;
    a->r->times_n = n;
    return true;
}

static bool
parse_filter_value(struct range_args *a)
{
    uint32_t i = find(a, "filter_by_value");

    if (i == 0)
        return true;
    if (!has_arg(a, i + 2))
        return refuse(a, "ERR TSDB: FILTER_BY_VALUE one or more arguments are missing");
    if (!parse_double(arg(a, i + 1), &a->r->value_min))
        return refuse(a, "ERR TSDB: Couldn't parse MIN");
    if (!parse_double(arg(a, i + 2), &a->r->value_max))
        return refuse(a, "ERR TSDB: Couldn't parse MAX");
    a->r->by_value = true;
    return true;
}

bool
ts_range_parse(struct ctx *c, uint32_t at, uint32_t series, bool reverse, struct ts_range *ret_r)
{
    struct range_args a = {.c = c, .at = at, .series = series, .r = ret_r};

    *ret_r = (struct ts_range){.reverse = reverse};
    ret_r->latest = find(&a, "latest") != 0;
    return parse_times(&a) && parse_count(&a) && parse_aggregation(&a) && parse_stamp(&a) &&
           parse_empty(&a) && parse_align(&a) && parse_filter_value(&a) && parse_filter_times(&a);
}

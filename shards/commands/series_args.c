/* See series_args.h. Errors name the argument: BATCH_SET takes value before timestamp, TSDB_SET the
 * other way round. */
#include "shards/commands/series_args.h"

#include "shards/engine/core.h"
#include "shards/series/duration.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <math.h>

#define NAME_TEXT_BYTES 32

int64_t
series_unit_ns(const struct ctx *c)
{
    static const int64_t ns[] = {[CONFIG_TIME_S] = 1000000000, [CONFIG_TIME_MS] = 1000000,
                                 [CONFIG_TIME_US] = 1000, [CONFIG_TIME_NS] = 1};

    return ns[c->core->config.timestamp_unit];
}

int64_t
series_now(const struct ctx *c)
{
    int64_t us = ctx_now_us(c);

    switch (c->core->config.timestamp_unit) {
    case CONFIG_TIME_S:
        return us / 1000000;
    case CONFIG_TIME_MS:
        return us / 1000;
    case CONFIG_TIME_US:
        return us;
    default:
        return us * 1000;
    }
}

struct name_text {
    char text[NAME_TEXT_BYTES];
};

/* As users write it; of BATCH_* only BATCH_SET has arguments. */
static struct name_text
upper_name(const struct ctx *c)
{
    const char *name = c->cmd->name[0] == 'b' ? "batch_set" : c->cmd->name;
    struct name_text t;
    size_t i;

    for (i = 0; name[i] && i + 1 < sizeof(t.text); i++)
        t.text[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    t.text[i] = '\0';
    return t;
}

bool
series_arg_refused(struct ctx *c, const char *what, uint32_t i, const char *allowed)
{
    resp_errorf(c->out, "ERR %s: %s '%.*s' is not %s", upper_name(c).text, what,
                (int)MIN(c->argv[i].n, 64), c->argv[i].p, allowed);
    return false;
}

bool
series_arg_once(struct ctx *c, const char *option, bool given)
{
    if (given)
        resp_errorf(c->out, "ERR %s: %s is given twice", upper_name(c).text, option);
    return !given;
}

bool
series_arg_timestamp(struct ctx *c, uint32_t i, int64_t *ret_ts)
{
    if (c->argv[i].n == 1 && c->argv[i].p[0] == '*') {
        *ret_ts = series_now(c);
        return true;
    }
    return parse_int(c->argv[i], ret_ts) ||
           series_arg_refused(c, "timestamp", i, "a signed 64-bit integer or *");
}

bool
series_arg_value(struct ctx *c, uint32_t i, double *ret_v)
{
    double v;

    if (!parse_double(c->argv[i], &v) || !isfinite(v))
        return series_arg_refused(c, "value", i,
                                  "a finite double (0, or of a size from 5e-324 to 1.7e308)");
    *ret_v = v;
    return true;
}

bool
series_arg_bound(struct ctx *c, uint32_t i, const char *what, char open, int64_t open_value,
                 int64_t *ret_ts)
{
    char allowed[64];

    if (c->argv[i].n == 1 && c->argv[i].p[0] == open) {
        *ret_ts = open_value;
        return true;
    }
    if (parse_int(c->argv[i], ret_ts))
        return true;
    snprintf(allowed, sizeof(allowed), "a signed 64-bit integer or %c", open);
    return series_arg_refused(c, what, i, allowed);
}

bool
series_arg_bounds(struct ctx *c, uint32_t i, int64_t *ret_start, int64_t *ret_end)
{
    return series_arg_bound(c, i, "start", '-', INT64_MIN, ret_start) &&
           series_arg_bound(c, i + 1, "end", '+', INT64_MAX, ret_end);
}

bool
series_arg_duration(struct ctx *c, uint32_t i, const char *what, int64_t least, int64_t *ret)
{
    static const char *const units[] = {[CONFIG_TIME_S] = "s", [CONFIG_TIME_MS] = "ms",
                                        [CONFIG_TIME_US] = "us", [CONFIG_TIME_NS] = "ns"};
    char allowed[80];
    int64_t v;
    int rc = duration_parse(c->argv[i], series_unit_ns(c), &v);

    if (rc == -ERANGE) {
        snprintf(allowed, sizeof(allowed), "a whole number of %s that fits 64 bits",
                 units[c->core->config.timestamp_unit]);
        return series_arg_refused(c, what, i, allowed);
    }
    if (rc < 0 || v < least) {
        snprintf(allowed, sizeof(allowed), "a duration of at least %lld such as 1500, 5m, 1h or 1d",
                 (long long)least);
        return series_arg_refused(c, what, i, allowed);
    }
    *ret = v;
    return true;
}

const struct field *
series_arg_field(struct ctx *c, uint32_t i)
{
    const struct field *f = fieldmap_find(&c->core->config.series_fields, c->argv[i]);

    if (f == NULL)
        series_arg_refused(c, "field", i, "a name of the setting series-fields");
    return f;
}

bool
series_arg_functions(struct ctx *c, uint32_t i, struct ts_columns *ret)
{
    const char *p = c->argv[i].p, *end = p + c->argv[i].n;
    struct ts_columns col = {.n = 0};

    for (;;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        enum aggregate fn;

        if (col.n == AGGREGATES_MAX ||
            !aggregate_parse((struct slice){p, (size_t)(stop - p)}, &fn))
            return series_arg_refused(c, "function", i,
                                      "a list of up to 16 functions such as avg,max,p99");
        col.fn[col.n++] = (uint8_t)fn;
        if (comma == NULL)
            break;
        p = comma + 1;
    }
    *ret = col;
    return true;
}

static int
hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    ch = ascii_lower(ch);
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

bool
series_arg_type(struct ctx *c, uint32_t i, uint8_t *ret_type)
{
    struct slice s = c->argv[i];
    int hi = s.n == 2 ? hex_digit(s.p[0]) : -1, lo = s.n == 2 ? hex_digit(s.p[1]) : -1;

    if (hi < 0 || lo < 0)
        return series_arg_refused(c, "data_type", i, "two hex digits (00 to ff)");
    *ret_type = (uint8_t)(hi << 4 | lo);
    return true;
}

bool
series_arg_quality(struct ctx *c, uint32_t i, uint8_t *ret_q)
{
    int64_t v;

    if (!parse_int(c->argv[i], &v) || v < 0 || v > 255)
        return series_arg_refused(c, "quality", i, "an integer from 0 to 255");
    *ret_q = (uint8_t)v;
    return true;
}

struct store *
series_visible_store(const struct key *k)
{
    return k->sh->db[k->db].hidden ? NULL : k->sh->store;
}

static int
found_point(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(bool *)arg = true;
    return 0;
}

bool
series_point_exists(struct ctx *c, struct key *k, struct entry *e, uint8_t type, int64_t ts,
                    bool *ret)
{
    struct series_query q = {.start = ts, .end = ts, .limit = 1};
    struct series *s = e ? series_find(entry_series(e), type) : NULL;

    *ret = false;
    if (s == NULL)
        return true;
    if (series_read(series_visible_store(k), true, k->db, key_slot(k->name), k->name, s, &q,
                    found_point, ret) != -EAGAIN)
        return true;
    ctx_need_range(c, &(struct need){.kind = NEED_RANGE, .sh = k->sh, .key = k->name, .db = k->db,
                                     .type = type, .start = ts, .end = ts, .limit = 1});
    return false;
}

bool
series_reply_too_old(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: timestamp %lld is older than the retention of the series allows",
                upper_name(c).text, (long long)ts);
    return false;
}

void
series_reply_nan(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: the point with timestamp %lld is NaN", upper_name(c).text, (long long)ts);
}

void
series_reply_overflow(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: the sum at timestamp %lld is not a finite double",
                upper_name(c).text, (long long)ts);
}

void
series_reply_blocked(struct ctx *c, const struct entry *e, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: a point with timestamp %lld exists and %s is BLOCK",
                upper_name(c).text, (long long)ts, series_policy_name(e));
}

void
series_reply_crowded(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: %d points have timestamp %lld, more are not kept",
                upper_name(c).text, SERIES_SAME_TS_MAX, (long long)ts);
}

void
series_query_too_many(struct ctx *c, uint32_t most)
{
    resp_errorf(c->out, "ERR %s: the range holds more than %u points: give a limit",
                upper_name(c).text, most);
}

void
series_query_failed(struct ctx *c, int rc)
{
    struct name_text name = upper_name(c);

    if (rc >= 0 || rc == -EAGAIN)
        return;
    if (rc == -E2BIG)
        resp_errorf(c->out, "ERR %s: the range has more than %d rows: give a limit or a longer bucket",
                    name.text, AGGREGATE_ROWS_MAX);
    else if (rc == -EOVERFLOW)
        resp_errorf(c->out, "ERR %s: a bucket has more than %d points, too many for percentiles",
                    name.text, AGGREGATE_RANKED_MAX);
    else
        resp_errorf(c->out, "ERR %s: a stored block of the series cannot be read: %s", name.text,
                    rc == -EBADMSG ? "it is damaged" : strerror(-rc));
}

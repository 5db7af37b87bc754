/* See series_args.h. Errors name the argument: BATCH_SET takes value before timestamp, TSDB_SET the
 * other way round. */
#include "shards/commands/series_args.h"

#include "shards/engine/core.h"
#include "shards/series/series_store.h"
#include "shards/store/row.h"

#include <math.h>

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

static const char *
upper_name(const struct ctx *c)
{
    switch (c->cmd->name[0]) {
    case 'b':
        return "BATCH_SET";
    default:
        return c->cmd->name[5] == 's' ? "TSDB_SET" : "TSDB_GET";
    }
}

bool
series_arg_refused(struct ctx *c, const char *what, uint32_t i, const char *allowed)
{
    resp_errorf(c->out, "ERR %s: %s '%.*s' is not %s", upper_name(c), what,
                (int)MIN(c->argv[i].n, 64), c->argv[i].p, allowed);
    return false;
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
        return series_arg_refused(c, "value", i, "a finite double");
    *ret_v = v;
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
    c->need = (struct need){.kind = NEED_RANGE,
                            .sh = k->sh,
                            .key = k->name,
                            .db = k->db,
                            .type = type,
                            .start = ts,
                            .end = ts,
                            .limit = 1};
    return false;
}

void
series_reply_blocked(struct ctx *c, int64_t ts)
{
    resp_errorf(c->out, "ERR %s: a point with timestamp %lld exists and duplicate-policy is BLOCK",
                upper_name(c), (long long)ts);
}

/* TSDB_SET: one point. */
#include "shards/commands/handlers.h"
#include "shards/commands/series_args.h"
#include "shards/commands/ts_rule.h"

#include "shards/engine/core.h"

static bool
reply_result(struct ctx *c, enum series_result r, int64_t ts)
{
    switch (r) {
    case SERIES_BLOCKED:
    case SERIES_NEED_STORED:
        series_reply_blocked(c, ts);
        return false;
    case SERIES_CROWDED:
        resp_errorf(c->out, "ERR TSDB_SET: more than %d points with timestamp %lld",
                    SERIES_SAME_TS_MAX, (long long)ts);
        return false;
    default:
        resp_ok(c->out);
        return true;
    }
}

void
cmd_tsdb_set(struct ctx *c)
{
    enum duplicate_policy policy = (enum duplicate_policy)c->core->config.duplicate_policy;
    struct key k = key_open(c, c->argv[1]);
    uint8_t type = 0, quality = 0;
    struct entry *e;
    int64_t ts;
    double value;
    bool ok;

    if (!series_arg_timestamp(c, 2, &ts) || !series_arg_value(c, 3, &value))
        return;
    if (c->argc > 4 && !series_arg_type(c, 4, &type))
        return;
    if (c->argc > 5 && !series_arg_quality(c, 5, &quality))
        return;
    if (c->argc > 6) {
        ctx_error(c, "ERR wrong number of arguments for 'tsdb_set' command");
        return;
    }
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    if (unlikely(series_is_too_old(e, type, ts))) {
        series_reply_too_old(c, ts);
        return;
    }
    if (unlikely(policy == DUPLICATE_BLOCK)) {
        if (!series_point_exists(c, &k, e, type, ts, &ok) || c->probe)
            return;
        if (ok) {
            series_reply_blocked(c, ts);
            return;
        }
        policy = DUPLICATE_LAST; /* nothing is there: it adds */
    }
    if (unlikely(!ts_write_ready(c, &k, e, type, ts) || c->probe))
        return;
    reply_result(c, ts_write_point(c, &k, e, type, ts, value, quality, policy), ts);
}

/* TSDB_SET: one point. */
#include "shards/commands/handlers.h"
#include "shards/commands/series_args.h"
#include "shards/commands/ts_rule.h"

#include "shards/engine/core.h"

static void
reply_result(struct ctx *c, enum series_result r, int64_t ts)
{
    switch (r) {
    case SERIES_BLOCKED:
    case SERIES_NEED_STORED:
        series_reply_nan(c, ts); /* BLOCK has been seen to */
        break;
    case SERIES_CROWDED:
        series_reply_crowded(c, ts);
        break;
    default:
        resp_ok(c->out);
    }
}

/* KEEP: false = it does not fit, or what tells must be fetched. */
static bool
finds_room(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type, int64_t ts)
{
    int rc = ts_keep_room(c, k, e, type, ts, 1);

    if (rc == 0 && !c->probe)
        series_reply_crowded(c, ts);
    else if (rc < 0)
        series_query_failed(c, rc);
    return rc == 1;
}

void
cmd_tsdb_set(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    enum duplicate_policy policy;
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
    policy = series_policy(c, e);
    if (unlikely(policy == DUPLICATE_BLOCK)) {
        if (!series_point_exists(c, &k, e, type, ts, &ok))
            return;
        if (ok && !c->probe) {
            series_reply_blocked(c, e, ts);
            return;
        }
        policy = DUPLICATE_LAST; /* nothing is there: it adds */
    }
    if (policy == DUPLICATE_KEEP && unlikely(!finds_room(c, &k, e, type, ts)))
        return;
    if (!series_meeting_fits(c, &k, e, type, ts, value, policy))
        return;
    if (unlikely(!ts_write_ready(c, &k, e, type, ts) || c->probe))
        return;
    reply_result(c, ts_write_point(c, &k, e, type, ts, value, quality, policy), ts);
}

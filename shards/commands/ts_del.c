/* TS.DEL: points between two times go. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"

static int
count_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(uint64_t *)arg += n;
    return 0;
}

static int
count_block(void *arg, const struct block_info *info)
{
    *(uint64_t *)arg += info->count;
    return SERIES_BLOCK_TAKEN;
}

static bool
parse_bound(struct ctx *c, uint32_t i, char open, int64_t open_value, const char *error,
            int64_t *ret_ts)
{
    bool strict = c->core->config.ts_compat == CONFIG_TS_STRICT;

    if (c->argv[i].n == 1 && c->argv[i].p[0] == open) {
        *ret_ts = open_value;
        return true;
    }
    if (parse_int(c->argv[i], ret_ts) && (*ret_ts >= 0 || !strict))
        return true;
    ctx_error(c, error);
    return false;
}

/* n points, which may be none: rules look at their buckets all the same. */
static int
delete_with_rules(struct ctx *c, struct key *k, struct entry *e, int64_t from, int64_t to, uint64_t n)
{
    struct sample last;
    uint8_t quality;
    int rc = 0;

    if (!series_last(ts_series(e), &last, &quality))
        return 0;
    if (ts_has_rules(e) && !ts_rules_delete_ready(c, k, e, from, to))
        return -EAGAIN;
    if (n > 0)
        rc = key_delete_points(c, k, e, TS_TYPE, from, to);
    if (rc == 0 && !c->probe && ts_has_rules(e))
        ts_rules_deleted(c, k, e, last.ts, from, to);
    return rc;
}

/* Counts also what retention hides, as RedisTimeSeries does. */
static int
delete_range(struct ctx *c, struct key *k, struct entry *e, int64_t from, int64_t to,
             uint64_t *ret_n)
{
    struct series_query q = {.start = from, .end = to, .limit = UINT64_MAX, .block = count_block};
    const struct series *s = ts_series(e);
    int rc;

    *ret_n = 0;
    if (s == NULL || from > to)
        return 0;
    rc = ts_read(c, k, s, &q, count_emit, ret_n);
    return rc < 0 ? rc : delete_with_rules(c, k, e, from, to, *ret_n);
}

void
cmd_ts_del(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    int64_t from, to;
    struct entry *e;
    uint64_t n;
    int rc;

    if (!parse_bound(c, 2, '-', INT64_MIN, "ERR TSDB: wrong fromTimestamp", &from) ||
        !parse_bound(c, 3, '+', INT64_MAX, "ERR TSDB: wrong toTimestamp", &to))
        return;
    e = ts_find(c, &k);
    if (e == NULL || !ts_rules_allow_delete(c, &k, e, from))
        return;
    rc = delete_range(c, &k, e, from, to, &n);
    if (rc == 0 && !c->probe)
        resp_int(c->out, (int64_t)n);
    else if (rc == -EBUSY)
        resp_errorf(c->out, "ERR TSDB: %d deletions of the series wait for the checkpoint, which "
                            "has begun: try again", SERIES_DEAD_MAX);
    else if (rc < 0 && rc != -EAGAIN)
        ctx_error(c, ERR_TS_STORED);
}

/* TS.RANGE, TS.REVRANGE. */
#include "shards/commands/ts_range.h"

#include "shards/commands/handlers.h"
#include "shards/engine/core.h"

static void
range_command(struct ctx *c, bool reverse)
{
    struct key k = key_open(c, c->argv[1]);
    struct series_table t = {.cols = 1};
    struct ts_range r;
    struct entry *e = ts_find(c, &k);
    int rc;

    if (e == NULL || !ts_range_parse(c, 2, 1, reverse, &r))
        return;
    t.cols = ts_range_cols(&r, 0);
    rc = ts_range_read(c, &k, e, &r, 0, &t);
    if (rc == 0 && !c->probe) {
        c->core->points_read += t.n;
        ts_reply_table(c->out, c->proto, &t, TS_ROW_FLAT);
    } else if (rc < 0 && rc != -EAGAIN) {
        ctx_error(c, ts_range_error(rc));
    }
    series_table_fini(&t);
}

void
cmd_ts_range(struct ctx *c)
{
    range_command(c, false);
}

void
cmd_ts_revrange(struct ctx *c)
{
    range_command(c, true);
}

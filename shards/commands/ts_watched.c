#include "shards/commands/ts_watched.h"

#include "shards/commands/series_ahead.h"
#include "shards/engine/core.h"
#include "shards/engine/watch.h"

static void
forget(struct ts_watched *x, struct shard *sh)
{
    if (x->watcher)
        shard_unwatch(sh, x->watcher);
    x->watcher = 0;
    ts_reading_fini(&x->reading);
    series_table_fini(&x->rows);
}

void
ts_watched_drop(struct ts_watched *x, struct shard *sh)
{
    forget(x, sh);
    x->tries = 0;
}

/* Does what was read stand? */
static bool
stands(struct ts_watched *x, struct shard *sh)
{
    struct watch_times at;

    if (x->watcher == 0 || !watch_times(sh->watches, x->watcher, &at))
        return true;
    if (watch_times_all(&at) || at.kept_from > ts_reading_wants_from(&x->reading))
        return false;
    if (!watch_times_none(&at) && !ts_reading_stands(&x->reading, at.from, at.to))
        return false;
    watch_forget_times(sh->watches, x->watcher);
    return true;
}

/* Nobody else had a turn since it was read: it is watched from then on. */
static void
watch(struct ts_watched *x, struct ctx *c, const struct key *k)
{
    if (x->watcher)
        return;
    x->watcher = ahead_watcher(c->core);
    shard_watch(k->sh, x->watcher, k->db, k->name);
}

static int
go(struct ts_watched *x, struct ctx *c, const struct key *k, const struct entry *e,
   const struct ts_range *r, uint64_t until_ns)
{
    bool last = x->tries == TS_WATCHED_TRIES_MAX;
    int rc = ts_reading_go(&x->reading, c, k, e, r, 0, &x->rows, last ? UINT64_MAX : until_ns);

    if (rc == 0)
        rc = ts_reading_end(&x->reading);
    if (rc == -EINPROGRESS || rc == -EAGAIN) {
        watch(x, c, k);
        x->steps += !last && x->reading.position.moved;
    }
    return rc;
}

int
ts_watched_go(struct ts_watched *x, struct ctx *c, const struct key *k, const struct entry *e,
              const struct ts_range *r, uint64_t until_ns)
{
    int rc;

    if (!stands(x, k->sh)) {
        forget(x, k->sh);
        x->tries += x->tries < TS_WATCHED_TRIES_MAX;
    }
    x->rows.cols = ts_range_cols(r, 0);
    if (until_ns != UINT64_MAX)
        return go(x, c, k, e, r, until_ns);
    ASSERT(x->watcher == 0);
    rc = ts_range_read(c, k, e, r, 0, &x->rows);
    if (rc < 0)
        forget(x, k->sh);
    return rc;
}

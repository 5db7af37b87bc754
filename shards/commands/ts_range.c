/* TS.RANGE, TS.REVRANGE. */
#include "shards/commands/ts_range.h"

#include "shards/commands/handlers.h"
#include "shards/commands/ts_sliced.h"
#include "shards/engine/core.h"

#include <stdlib.h>

static void
reply_rows(struct ctx *c, struct series_table *t)
{
    c->core->points_read += t->n;
    ts_reply_table(c->out, c->proto, t, TS_ROW_FLAT);
}

static void
reply_failure(struct ctx *c, int rc)
{
    if (rc != -EAGAIN)
        ctx_error(c, ts_range_error(rc));
}

/* --- in slices: see ts_sliced.h ----------------------------------------------------------------- */

struct range_slices {
    struct ts_sliced sliced;
    bool reverse;
};

/* The open bucket of LATEST comes last, when everything is leased. Backward it would be the first, and may
 * change meanwhile: that is not read in slices, unless there is no rule. */
static bool
may_be_sliced(const struct ts_range *r, const struct entry *e)
{
    return !r->latest || !r->reverse || !series_key_settings(entry_series(e))->has_source;
}

static void
put_latest_off(struct ts_range *r)
{
    r->latest_last = r->latest && !r->reverse;
    r->latest = r->latest_last;
}

static bool
slices_parse(struct ts_sliced *x, struct ctx *c, void *ret_asked)
{
    struct ts_range *r = ret_asked;

    if (!ts_range_parse(c, 2, 1, container_of(x, struct range_slices, sliced)->reverse, r))
        return false;
    put_latest_off(r);
    return true;
}

static void
slices_range(const void *asked, uint32_t i, struct ts_range *ret_r, uint32_t *ret_at)
{
    *ret_r = *(const struct ts_range *)asked;
    *ret_at = i;
}

static bool
slices_reply(struct ts_sliced *x, struct ctx *c, uint64_t until_ns)
{
    reply_rows(c, x->rows);
    return true;
}

static const struct ts_sliced_kind range_kind = {
    .parse = slices_parse,
    .asked_bytes = sizeof(struct ts_range),
    .range = slices_range,
    .reply = slices_reply,
    .refuse = reply_failure,
};

static struct slices *
slices_create(struct ctx *c, bool reverse)
{
    struct range_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->sliced.kind = &range_kind;
    x->reverse = reverse;
    return ts_sliced_init(&x->sliced, c, c->argv + 1, 1, 1, UINT64_MAX);
}

/* Everything is leased, and much of it was read ahead. */
static void
range_ahead(struct ctx *c, struct ts_range *r)
{
    int rc;

    put_latest_off(r);
    rc = ts_sliced_all(ts_sliced_of(*c->slices), c, r);
    if (rc < 0)
        reply_failure(c, rc);
}

/* --- the command ------------------------------------------------------------------------------- */

static void
go_in_slices(struct ctx *c, bool reverse)
{
    c->need = (struct need){.kind = NEED_SLICES};
    if (c->slices)
        *c->slices = slices_create(c, reverse);
}

static void
range_at_once(struct ctx *c, const struct key *k, const struct entry *e, const struct ts_range *r)
{
    struct series_table t = {.cols = ts_range_cols(r, 0)};
    bool sliced = may_be_sliced(r, e) && !(c->slices && *c->slices);
    int rc = ts_range_read_until(c, k, e, r, 0, &t, sliced ? ahead_until(c, 1) : UINT64_MAX);

    if (rc == -EINPROGRESS)
        go_in_slices(c, r->reverse);
    else if (rc < 0)
        reply_failure(c, rc);
    else if (!c->probe)
        reply_rows(c, &t);
    series_table_fini(&t);
}

static void
range_command(struct ctx *c, bool reverse)
{
    struct key k = key_open(c, c->argv[1]);
    struct ts_range r;
    struct entry *e = ts_find(c, &k);

    if (e == NULL || !ts_range_parse(c, 2, 1, reverse, &r))
        return;
    if (c->slices && *c->slices && may_be_sliced(&r, e))
        range_ahead(c, &r);
    else if (c->slices && *c->slices == NULL && !r.latest) /* it has said that it takes long */
        go_in_slices(c, reverse);
    else
        range_at_once(c, &k, e, &r); /* with LATEST it may be here for the shard of the source */
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

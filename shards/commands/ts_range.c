/* TS.RANGE, TS.REVRANGE. What takes longer than other clients should wait goes in slices
 * (engine/slices.h); LATEST does not: an open bucket depends on another series, which nobody watches. */
#include "shards/commands/ts_range.h"

#include "shards/commands/handlers.h"
#include "shards/commands/series_ahead.h"
#include "shards/engine/core.h"

#include <stdlib.h>

static void
reply_rows(struct ctx *c, struct series_table *t)
{
    c->core->points_read += t->n;
    ts_reply_table(c->out, c->proto, t, TS_ROW_FLAT);
}

/* --- in slices: see slices.h ------------------------------------------------------------------- */

struct range_slices {
    struct ahead ahead;
    bool reverse;
    struct ts_reading reading;
    struct series_table rows;
    int rc; /* what was wrong */
};

static struct range_slices *
range_of(struct ahead *a)
{
    return container_of(a, struct range_slices, ahead);
}

static struct ahead *
ahead_of(struct slices *s)
{
    return container_of(s, struct ahead, slices);
}

static int
slices_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns)
{
    struct range_slices *x = range_of(a);
    struct key k = key_open(c, a->name[i]);
    struct entry *e = key_find(c, &k);
    int rc;

    if (e == NULL || e->type != ENTRY_SERIES) /* the command will see to it */
        return 0;
    x->rows.cols = ts_range_cols(asked, 0);
    rc = ts_reading_go(&x->reading, c, &k, e, asked, 0, &x->rows, until_ns);
    if (rc == -EAGAIN || rc == -EINPROGRESS)
        return rc;
    x->rc = rc;
    return 0;
}

static bool
slices_stand(const struct ahead *a, uint32_t i, int64_t from, int64_t to)
{
    const struct range_slices *x = container_of(a, struct range_slices, ahead);

    return x->rc == 0 && ts_reading_stands(&x->reading, from, to);
}

static void
slices_drop(struct ahead *a, uint32_t i)
{
    struct range_slices *x = range_of(a);

    ts_reading_fini(&x->reading);
    series_table_fini(&x->rows);
    x->rc = 0;
}

static uint64_t
slices_values(const struct ahead *a, uint32_t i)
{
    return 0; /* the rows have a limit of their own */
}

static const struct ahead_keys range_key = {slices_read, slices_stand, slices_drop, slices_values};

static enum slices_result
slices_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    struct ahead *a = ahead_of(s);
    struct ts_range r;

    if (!ts_range_parse(c, 2, 1, range_of(a)->reverse, &r))
        return SLICES_DONE; /* ts-compat changed meanwhile: the command will say so */
    return ahead_step(a, c, sh, &r, until_ns);
}

static void
slices_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(ahead_of(s), sh);
}

static bool
slices_reply(struct slices *s, struct ctx *c, uint64_t until_ns)
{
    reply_rows(c, &range_of(ahead_of(s))->rows);
    return true;
}

static void
slices_destroy(struct slices *s)
{
    struct range_slices *x = range_of(ahead_of(s));

    ahead_fini(&x->ahead);
    free(x);
}

static struct slices *
slices_create(struct ctx *c, bool reverse)
{
    struct range_slices *x = calloc(1, sizeof(*x));

    ASSERT(x);
    x->ahead = (struct ahead){.slices = {slices_step, slices_leave, slices_reply, slices_destroy},
                              .keys = &range_key, .values_max = UINT64_MAX};
    x->reverse = reverse;
    ahead_init(&x->ahead, c, c->argv + 1, 1);
    return &x->ahead.slices;
}

/* Everything is leased, and much of it was read ahead. */
static void
range_ahead(struct ctx *c, const struct ts_range *r, struct range_slices *x)
{
    int rc = ahead_all(&x->ahead, c, r);

    if (rc == 0)
        rc = x->rc;
    if (rc == 0 && !c->probe)
        rc = ts_reading_end(&x->reading);
    if (rc < 0 && rc != -EAGAIN)
        ctx_error(c, ts_range_error(rc));
    x->ahead.slices.replies = rc == 0 && !c->probe;
}

/* --- the command ------------------------------------------------------------------------------- */

static void
range_at_once(struct ctx *c, const struct key *k, const struct entry *e, const struct ts_range *r)
{
    struct series_table t = {.cols = ts_range_cols(r, 0)};
    int rc = ts_range_read_until(c, k, e, r, 0, &t, r->latest ? UINT64_MAX : ahead_until(c, 1));

    if (rc == -EINPROGRESS) {
        c->need = (struct need){.kind = NEED_SLICES};
    } else if (rc == 0 && !c->probe) {
        reply_rows(c, &t);
    } else if (rc < 0 && rc != -EAGAIN) {
        ctx_error(c, ts_range_error(rc));
    }
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
    if (c->slices && *c->slices == NULL) { /* it has said that it takes long */
        c->need = (struct need){.kind = NEED_SLICES};
        *c->slices = slices_create(c, reverse);
    } else if (c->slices) {
        range_ahead(c, &r, range_of(ahead_of(*c->slices)));
    } else {
        range_at_once(c, &k, e, &r);
    }
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

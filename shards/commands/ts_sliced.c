#include "shards/commands/ts_sliced.h"

#include "core/clock.h"

#include <stdlib.h>

static struct ts_sliced *
sliced_of(const struct ahead *a)
{
    return container_of((struct ahead *)a, struct ts_sliced, ahead);
}

struct ts_sliced *
ts_sliced_of(struct slices *s)
{
    return sliced_of(container_of(s, struct ahead, slices));
}

/* --- the ranges of a key ----------------------------------------------------------------------- */

static int
read_range(struct ts_sliced *x, struct ctx *c, const struct key *k, const struct entry *e,
           const void *asked, uint32_t i, uint64_t until_ns)
{
    struct series_table *rows = &x->rows[i];
    struct ts_range r;
    uint32_t at;
    int rc;

    x->kind->range(asked, i, &r, &at);
    rows->cols = ts_range_cols(&r, at);
    rc = ts_reading_go(&x->ranges[i].reading, c, k, e, &r, at, rows, until_ns);
    if (rc == -EAGAIN || rc == -EINPROGRESS)
        return rc;
    x->ranges[i].rc = rc;
    return 0;
}

/* All ranges of the only key, one after the other. */
static int
read_ranges(struct ts_sliced *x, struct ctx *c, const struct key *k, const struct entry *e,
            const void *asked, uint64_t until_ns)
{
    int rc = 0;

    for (; x->next < x->per_key && rc == 0; x->next += rc == 0)
        rc = read_range(x, c, k, e, asked, x->next, until_ns);
    if (rc == 0)
        x->next = 0;
    return rc;
}

static int
key_read(struct ahead *a, struct ctx *c, const void *asked, uint32_t i, uint64_t until_ns)
{
    struct ts_sliced *x = sliced_of(a);
    struct key k = key_open(c, a->name[i]);
    struct entry *e = key_find(c, &k);

    if (e == NULL || e->type != ENTRY_SERIES) /* the command will see to it */
        return 0;
    return x->per_key == 1 ? read_range(x, c, &k, e, asked, i, until_ns)
                           : read_ranges(x, c, &k, e, asked, until_ns);
}

/* The ranges of the only key are looked at again from the first on. Where there are several keys all cores
 * are here at once. */
static void
begin_ranges(struct ts_sliced *x)
{
    if (x->per_key > 1)
        x->next = 0;
}

/* Where it does, each range is looked at again: it may go on behind where it ended. */
static bool
key_stands(const struct ahead *a, uint32_t i, int64_t from, int64_t to)
{
    struct ts_sliced *x = sliced_of(a);

    for (uint32_t k = i * x->per_key; k < (i + 1) * x->per_key; k++)
        if (x->ranges[k].rc < 0 || !ts_reading_stands(&x->ranges[k].reading, from, to))
            return false;
    begin_ranges(x);
    return true;
}

/* What is told of several ranges is told of all of them as they began. */
static int64_t
range_wants_from(const struct ts_sliced *x, uint32_t i)
{
    const struct ts_reading *reading = &x->ranges[i].reading;

    if (x->ranges[i].rc < 0)
        return INT64_MIN;
    return reading->begun && x->per_key > 1 ? reading->from : ts_reading_wants_from(reading);
}

static int64_t
key_wants_from(const struct ahead *a, uint32_t i)
{
    const struct ts_sliced *x = sliced_of(a);
    int64_t from = INT64_MAX;

    for (uint32_t k = i * x->per_key; k < (i + 1) * x->per_key; k++)
        from = MIN(from, range_wants_from(x, k));
    return from;
}

static void
key_drop(struct ahead *a, uint32_t i)
{
    struct ts_sliced *x = sliced_of(a);

    for (uint32_t k = i * x->per_key; k < (i + 1) * x->per_key; k++) {
        ts_reading_fini(&x->ranges[k].reading);
        series_table_fini(&x->rows[k]);
        x->ranges[k].rc = 0;
    }
    begin_ranges(x);
}

static uint64_t
key_values(const struct ahead *a, uint32_t i)
{
    const struct ts_sliced *x = sliced_of(a);
    uint64_t n = 0;

    for (uint32_t k = i * x->per_key; k < (i + 1) * x->per_key; k++)
        n += (uint64_t)x->rows[k].n * x->rows[k].cols;
    return n;
}

static const struct ahead_keys sliced_keys = {key_read, key_stands, key_wants_from, key_drop, key_values};

/* --- as slices --------------------------------------------------------------------------------- */

static enum slices_result
sliced_step(struct slices *s, struct ctx *c, struct shard *sh, uint64_t until_ns)
{
    struct ts_sliced *x = ts_sliced_of(s);
    void *asked = scratch_alloc(&c->core->scratch, x->kind->asked_bytes);

    if (!x->kind->parse(x, c, asked))
        return SLICES_DONE;
    return ahead_step(&x->ahead, c, sh, asked, until_ns);
}

static void
sliced_leave(struct slices *s, struct shard *sh)
{
    ahead_leave(&ts_sliced_of(s)->ahead, sh);
}

/* Completes what asks the series nothing more: nothing is leased. */
static int
complete_ranges(struct ts_sliced *x, uint64_t until_ns)
{
    while (x->complete < x->n) {
        const struct series_table *t = &x->rows[x->complete];
        int rc = ts_reading_end(&x->ranges[x->complete++].reading);

        if (rc < 0)
            return rc;
        x->values += (uint64_t)t->n * t->cols;
        if (x->values > x->ahead.values_max)
            return -E2BIG;
        if (x->complete < x->n && clock_now_ns() > until_ns)
            return -EINPROGRESS;
    }
    return 0;
}

static bool
sliced_reply(struct slices *s, struct ctx *c, uint64_t until_ns)
{
    struct ts_sliced *x = ts_sliced_of(s);
    int rc = complete_ranges(x, until_ns);

    if (rc == -EINPROGRESS)
        return false;
    if (rc == 0)
        return x->kind->reply(x, c, until_ns);
    x->kind->refuse(c, rc);
    return true;
}

static void
sliced_destroy(struct slices *s)
{
    struct ts_sliced *x = ts_sliced_of(s);

    if (x->kind->fini)
        x->kind->fini(x);
    ahead_fini(&x->ahead);
    free(x->ranges);
    free(x->rows);
    free(x);
}

struct slices *
ts_sliced_init(struct ts_sliced *x, struct ctx *c, const struct slice *name, uint32_t keys_n,
               uint32_t per_key, uint64_t values_max)
{
    ASSERT(keys_n == 1 || per_key == 1);
    x->ahead = (struct ahead){.slices = {sliced_step, sliced_leave, sliced_reply, sliced_destroy},
                              .keys = &sliced_keys, .values_max = values_max};
    x->n = keys_n * per_key;
    x->per_key = per_key;
    x->ranges = calloc(x->n, sizeof(*x->ranges));
    x->rows = calloc(x->n, sizeof(*x->rows));
    ASSERT(x->ranges && x->rows);
    ahead_init(&x->ahead, c, name, keys_n);
    return &x->ahead.slices;
}

/* Range i is there, but for LATEST. */
static int
add_latest(struct ts_sliced *x, struct ctx *c, const void *asked, uint32_t i)
{
    struct ts_reading *reading = &x->ranges[i].reading;
    struct key k = key_open(c, x->ahead.name[i / x->per_key]);
    struct entry *e = key_find(c, &k);
    struct ts_range r;
    uint32_t at;

    x->kind->range(asked, i, &r, &at);
    if (!r.latest_last || e == NULL || e->type != ENTRY_SERIES)
        return 0;
    return ts_reading_latest(reading, c, &k, e, &r, c->probe);
}

int
ts_sliced_all(struct ts_sliced *x, struct ctx *c, const void *asked)
{
    int rc = ahead_all(&x->ahead, c, asked);

    for (uint32_t i = 0; i < x->n && rc == 0; i++) {
        rc = x->ranges[i].rc;
        if (rc == 0)
            rc = add_latest(x, c, asked, i);
    }
    x->ahead.slices.replies = rc == 0 && !c->probe;
    return rc;
}

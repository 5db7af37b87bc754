/* TSDB_ROW: several fields of one time, all of them or none. Every field is checked before the first
 * is written: what a policy would refuse is found out by reading what is there. The points are
 * records of one journal batch, so a crash leaves all or none too. */
#include "shards/commands/handlers.h"
#include "shards/commands/ts_rule.h"
#include "shards/engine/core.h"

#include <math.h>

struct row_field {
    const struct field *f;
    double value;
};

struct row {
    int64_t ts;
    uint32_t n;
    struct row_field fields[FIELDMAP_FIELDS_MAX];
};

static bool
add_field(struct ctx *c, uint32_t i, struct row *r)
{
    const struct field *f = series_arg_field(c, i);

    if (f == NULL)
        return false;
    for (uint32_t k = 0; k < r->n; k++)
        if (r->fields[k].f->type == f->type) {
            resp_errorf(c->out, "ERR TSDB_ROW: '%s' and '%s' are the same data type %02x",
                        r->fields[k].f->name, f->name, f->type);
            return false;
        }
    r->fields[r->n].f = f;
    return series_arg_value(c, i + 1, &r->fields[r->n++].value);
}

static bool
parse_row(struct ctx *c, struct row *r)
{
    r->n = 0;
    if (!series_arg_timestamp(c, 2, &r->ts))
        return false;
    if (c->argc % 2 == 0) {
        ctx_error(c, "ERR wrong number of arguments for 'tsdb_row' command");
        return false;
    }
    for (uint32_t i = 3; i < c->argc; i += 2)
        if (!add_field(c, i, r))
            return false;
    return true;
}

/* The points a field has at the row's time. */
struct met {
    uint64_t n;
    double newest;
};

static int
met_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct met *met = arg;

    met->n += n;
    met->newest = p[n - 1].value;
    return 0;
}

/* NULL, or why the policy refuses the field. */
static const char *
refusal(enum duplicate_policy policy, bool own, const struct met *met, double value)
{
    switch (policy) {
    case DUPLICATE_BLOCK:
        if (met->n == 0)
            return NULL;
        return own ? "is there already and DUPLICATE_POLICY of the series is BLOCK"
                   : "is there already and duplicate-policy is BLOCK";
    case DUPLICATE_SUM:
        if (met->n > 0 && isinf(met->newest + value))
            return "would have a sum that is not a finite double";
        /* fallthrough */
    default:
        return met->n > 0 && isnan(met->newest) ? "is NaN there" : NULL;
    }
}

static void
reply_refused(struct ctx *c, const struct row *r, const struct row_field *f, const char *why)
{
    if (!c->probe)
        resp_errorf(c->out, "ERR TSDB_ROW: '%s' of timestamp %lld %s, nothing was written",
                    f->f->name, (long long)r->ts, why);
}

static bool
never_refuses(enum duplicate_policy policy)
{
    return policy == DUPLICATE_LAST || policy == DUPLICATE_FIRST;
}

/* KEEP. Returns as check_field. */
static int
check_room(struct ctx *c, struct key *k, const struct entry *e, const struct row *r,
           const struct row_field *f)
{
    int rc = ts_keep_room(c, k, e, f->f->type, r->ts, 1);

    if (rc < 0)
        series_query_failed(c, rc);
    else if (rc == 0)
        reply_refused(c, r, f, "is there 1000000 times already");
    return rc == 0 ? -EEXIST : MIN(rc, 0);
}

/* 0; -EAGAIN: what it would meet must be fetched; another error: replied. */
static int
check_field(struct ctx *c, struct key *k, const struct series_key *sk, const struct row *r,
            const struct row_field *f, enum duplicate_policy policy)
{
    struct series_query q = {.start = r->ts, .end = r->ts, .limit = UINT64_MAX};
    const struct series *s = series_find(sk, f->f->type);
    struct met met = {0};
    const char *why;
    int rc;

    if (s == NULL)
        return 0;
    rc = ts_read(c, k, s, &q, met_emit, &met);
    if (rc < 0) {
        series_query_failed(c, rc);
        return rc;
    }
    why = refusal(policy, sk->meta && sk->meta->policy != SERIES_POLICY_UNSET, &met, f->value);
    if (why)
        reply_refused(c, r, f, why);
    return why ? -EEXIST : 0;
}

static bool
check_row(struct ctx *c, struct key *k, const struct entry *e, const struct row *r,
          enum duplicate_policy policy)
{
    bool missing = false;

    for (uint32_t i = 0; i < r->n; i++)
        if (unlikely(series_is_too_old(e, r->fields[i].f->type, r->ts)))
            return series_reply_too_old(c, r->ts);
    for (uint32_t i = 0; i < r->n; i++)
        if (!ts_write_ready(c, k, e, r->fields[i].f->type, r->ts))
            return false;
    if (e == NULL || never_refuses(policy))
        return true;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct row_field *f = &r->fields[i];
        int rc = policy == DUPLICATE_KEEP ? check_room(c, k, e, r, f)
                                          : check_field(c, k, entry_series(e), r, f, policy);

        if (rc < 0 && rc != -EAGAIN)
            return false;
        missing = missing || rc == -EAGAIN;
    }
    return !missing;
}

void
cmd_tsdb_row(struct ctx *c)
{
    struct key k = key_open(c, c->argv[1]);
    enum duplicate_policy policy;
    struct entry *e;
    struct row r;
    bool ok;

    if (!parse_row(c, &r))
        return;
    e = key_find_type(c, &k, ENTRY_SERIES, &ok);
    if (!ok)
        return;
    policy = series_policy(c, e);
    if (!check_row(c, &k, e, &r, policy) || c->probe)
        return;
    if (policy == DUPLICATE_BLOCK)
        policy = DUPLICATE_LAST; /* nothing is there: it adds */
    for (uint32_t i = 0; i < r.n; i++) {
        ts_write_point(c, &k, e, r.fields[i].f->type, r.ts, r.fields[i].value, 0, policy);
        e = e ? e : key_peek(c, &k);
    }
    resp_ok(c->out);
}

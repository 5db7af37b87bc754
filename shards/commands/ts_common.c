/* What the TS.* commands share. See ts.h. */
#include "shards/commands/ts.h"

#include "shards/commands/ts_rule.h"

#include "shards/engine/core.h"
#include "shards/store/row.h"

#include <inttypes.h>
#include <math.h>

/* --- keys ------------------------------------------------------------------------------------- */

struct entry *
ts_find(struct ctx *c, struct key *k)
{
    struct entry *e = key_find(c, k);

    if (e == NULL) {
        ctx_error(c, ERR_TS_NO_KEY);
        return NULL;
    }
    if (e->type != ENTRY_SERIES) {
        ctx_error(c, ERR_TS_WRONGTYPE);
        return NULL;
    }
    return e;
}

int64_t
ts_visible_from(const struct series_meta *m, const struct series *s)
{
    return series_kept_from(s, m->retention);
}

int
ts_read(struct ctx *c, const struct key *k, const struct series *s, const struct series_query *q,
        series_emit_fn emit, void *arg)
{
    int rc = series_read(series_visible_store(k), !c->reads_through, k->db, key_slot(k->name), k->name, s, q, emit, arg);

    if (rc == -EAGAIN) {
        struct series_query f = *q;

        series_query_fetch(s, &f);
        ctx_need_range(c, &(struct need){.kind = NEED_RANGE, .sh = k->sh, .key = k->name,
                                         .db = k->db, .type = s->type, .reverse = f.reverse,
                                         .start = f.start, .end = f.end, .limit = f.limit});
    }
    return rc;
}

/* --- arguments -------------------------------------------------------------------------------- */

uint32_t
ts_option(const struct ctx *c, uint32_t from, const char *word)
{
    for (uint32_t i = from; i < c->argc; i++)
        if (slice_is(c->argv[i], word))
            return i;
    return 0;
}

const char *
ts_parse_timestamp(const struct ctx *c, struct slice text, int64_t *ret_ts)
{
    if (text.n == 1 && text.p[0] == '*') {
        *ret_ts = series_now(c);
        return NULL;
    }
    if (!parse_int(text, ret_ts))
        return ERR_TS_TIMESTAMP;
    return *ret_ts < 0 ? ERR_TS_NEGATIVE : NULL;
}

const char *
ts_parse_value(struct slice text, double *ret_v)
{
    return parse_double(text, ret_v) && !isinf(*ret_v) ? NULL : ERR_TS_VALUE;
}

bool
ts_parse_policy(const struct ctx *c, struct slice text, uint8_t *ret_policy)
{
    static const char *const names[] = {
        [DUPLICATE_LAST] = "last",   [DUPLICATE_FIRST] = "first", [DUPLICATE_MIN] = "min",
        [DUPLICATE_MAX] = "max",     [DUPLICATE_SUM] = "sum",     [DUPLICATE_BLOCK] = "block",
        [DUPLICATE_KEEP] = "keep",
    };
    bool strict = c->core->config.ts_compat == CONFIG_TS_STRICT;

    for (uint8_t i = 0; i < ARRAY_SIZE(names); i++)
        if (slice_is(text, names[i]) && !(strict && i == DUPLICATE_KEEP)) {
            *ret_policy = i;
            return true;
        }
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct met {
    bool found;
    double value;
};

static int
met_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(struct met *)arg = (struct met){true, p[n - 1].value};
    return 0;
}

/* The policy, if there is a point of this time, decides by its value whether the new one is an
 * error: looks for it. */
static bool
check_meeting(struct ctx *c, struct ts_point *p, const struct series *s)
{
    struct series_query q = {.start = p->ts, .end = p->ts, .limit = UINT64_MAX};
    struct met met = {0};
    int rc = ts_read(c, &p->key, s, &q, met_emit, &met);

    if (rc == -EAGAIN)
        return false;
    if (rc < 0)
        p->error = ERR_TS_STORED;
    else if (met.found && (p->policy == DUPLICATE_BLOCK || isnan(met.value) != isnan(p->value)))
        p->error = ERR_TS_UPSERT;
    else if (p->policy == DUPLICATE_BLOCK)
        p->policy = DUPLICATE_LAST; /* nothing is there: it adds */
    return true;
}

static int
crowd_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(uint64_t *)arg += n;
    return 0;
}

static int
crowd_block(void *arg, const struct block_info *info)
{
    *(uint64_t *)arg += info->count;
    return SERIES_BLOCK_TAKEN;
}

int
ts_keep_room(struct ctx *c, const struct key *k, const struct entry *e, uint8_t type, int64_t ts,
             uint32_t more)
{
    const struct series_limits *lim = &k->sh->series_limits;
    struct series_key *sk = e ? entry_series(e) : NULL;
    struct series *s = sk ? series_find(sk, type) : NULL;
    struct series_query q = {.start = ts, .end = ts, .limit = UINT64_MAX, .block = crowd_block};
    uint64_t ahead = c->reads_through ? 0 : c->probe ? c->ahead : c->argc, there = 0;
    enum series_room room = s ? series_room(s, lim, ts, more + ahead) : SERIES_ROOM_YES;
    int rc;

    if (likely(room == SERIES_ROOM_YES))
        return 1;
    if (room == SERIES_ROOM_LOOK) {
        rc = ts_read(c, k, s, &q, crowd_emit, &there);
        if (rc < 0)
            return rc;
        series_counted(k->sh->arena, sk, s, ts, there);
    }
    return series_room(s, lim, ts, more) == SERIES_ROOM_YES;
}

/* KEEP: is there room? */
static bool
check_room(struct ctx *c, struct ts_point *p)
{
    int rc = ts_keep_room(c, &p->key, p->e, TS_TYPE, p->ts, 1);

    if (rc == -EAGAIN)
        return false;
    if (rc <= 0)
        p->error = rc < 0 ? ERR_TS_STORED : ERR_TS_CROWDED;
    return true;
}

static bool
is_ignored(const struct ts_point *p, const struct series_meta *m, const struct sample *last)
{
    return p->policy == DUPLICATE_LAST && p->ts >= last->ts && !m->has_source &&
           (uint64_t)p->ts - (uint64_t)last->ts <= (uint64_t)m->ignore_time &&
           fabs(p->value - last->value) <= m->ignore_value; /* false for NaN */
}

static uint8_t
policy_of(const struct ctx *c, const struct series_meta *m, uint8_t on_duplicate)
{
    if (on_duplicate != SERIES_POLICY_UNSET)
        return on_duplicate;
    return m->policy != SERIES_POLICY_UNSET ? m->policy
                                            : (uint8_t)c->core->config.ts_duplicate_policy;
}

/* What becomes of the point, its rules not looked at. */
static bool
check_point(struct ctx *c, struct ts_point *p, uint8_t on_duplicate)
{
    const struct series_key *sk = p->e ? entry_series(p->e) : NULL;
    const struct series *s = sk ? series_find(sk, TS_TYPE) : NULL;
    const struct series_meta *m = sk ? series_key_settings(sk) : &series_meta_default;
    struct sample last;
    uint8_t quality;

    p->error = NULL;
    p->ignored = false;
    p->answer = p->ts;
    p->policy = policy_of(c, m, on_duplicate);
    if (s == NULL || !series_last(s, &last, &quality))
        return true;
    if (unlikely(m->retention != 0) && p->ts < last.ts &&
        (uint64_t)last.ts - (uint64_t)p->ts > (uint64_t)m->retention) {
        p->error = ERR_TS_RETENTION;
        return true;
    }
    if (unlikely(is_ignored(p, m, &last))) {
        p->ignored = true;
        p->answer = last.ts;
        return true;
    }
    if (likely(p->ts > last.ts)) {
        if (p->policy == DUPLICATE_BLOCK)
            p->policy = DUPLICATE_LAST; /* nothing is there: it adds */
        return true;
    }
    if (p->policy == DUPLICATE_LAST || p->policy == DUPLICATE_FIRST)
        return true;
    if (p->policy == DUPLICATE_KEEP)
        return check_room(c, p);
    return check_meeting(c, p, s);
}

/* The usual case: a series of which nothing was said, and a point newer than all it has. */
static inline bool
goes_behind(const struct ctx *c, struct ts_point *p, uint8_t on_duplicate)
{
    const struct series_key *sk = p->e ? entry_series(p->e) : NULL;
    const struct series *s;

    if (unlikely(sk == NULL || sk->meta != NULL))
        return false;
    s = series_find(sk, TS_TYPE);
    if (unlikely(s == NULL || s->open.n == 0 || p->ts <= s->open.p[s->open.n - 1].ts))
        return false;
    p->error = NULL;
    p->ignored = false;
    p->answer = p->ts;
    p->policy = policy_of(c, &series_meta_default, on_duplicate);
    if (p->policy == DUPLICATE_BLOCK)
        p->policy = DUPLICATE_LAST; /* nothing is there: it adds */
    return true;
}

bool
ts_check_point(struct ctx *c, struct ts_point *p, uint8_t on_duplicate)
{
    if (likely(goes_behind(c, p, on_duplicate)))
        return true;
    if (!check_point(c, p, on_duplicate))
        return false;
    if (likely(!ts_has_rules(p->e)) || p->error || p->ignored || c->reads_through)
        return true;
    return ts_rules_add_ready(c, &p->key, p->e, p->ts);
}

void
ts_add_point(struct ctx *c, struct ts_point *p)
{
    if (p->error || p->ignored)
        return;
    switch (ts_write_point(c, &p->key, p->e, TS_TYPE, p->ts, p->value, 0, p->policy)) {
    case SERIES_BLOCKED:
    case SERIES_NEED_STORED:
        p->error = ERR_TS_UPSERT;
        break;
    case SERIES_CROWDED:
        p->error = ERR_TS_CROWDED;
        break;
    default:
        break;
    }
}

void
ts_reply_point(struct ctx *c, const struct ts_point *p)
{
    if (unlikely(p->error != NULL))
        ctx_error(c, p->error);
    else if (likely(p->answer == p->ts && p->text.n > 0))
        resp_int_text(c->out, p->text);
    else
        resp_int(c->out, p->answer);
}

struct meeting {
    double value;
    uint8_t quality;
    enum duplicate_policy policy;
    enum series_result result;
};

static int
meet(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    struct meeting *m = arg;
    double old = p->value;
    uint8_t old_quality = quality ? *quality : 0;

    m->result = series_meet(&old, &old_quality, m->value, m->quality, m->policy);
    return 1;
}

/* What a point that is not newer than all others changes, the store asked as well: among the late points
 * only their readers find out, which is too late for rules. ts_rules_add_ready has fetched what it needs;
 * what cannot be read is written, and the rules say that they could not read. */
static bool
late_changes_nothing(struct ctx *c, const struct key *k, const struct series *s, int64_t ts,
                     struct meeting *m)
{
    struct series_query q = {.start = ts, .end = ts, .limit = 1, .reverse = true};
    bool was = c->reads_through;

    if (m->policy == DUPLICATE_KEEP || (m->policy == DUPLICATE_LAST && !isnan(m->value)))
        return false;
    c->reads_through = true;
    ts_read(c, k, s, &q, meet, m);
    c->reads_through = was;
    return m->result == SERIES_UNCHANGED;
}

enum series_result
ts_write_with_rules(struct ctx *c, struct key *k, struct entry *e, int64_t ts, double value,
                    uint8_t quality, enum duplicate_policy policy)
{
    const struct series *s = ts_series(e);
    struct sample last = {0};
    enum series_result r;
    uint8_t q;
    bool had = s && series_last(s, &last, &q);
    struct meeting m = {.value = value, .quality = quality, .policy = policy, .result = SERIES_ADDED};

    if (had && ts <= last.ts && late_changes_nothing(c, k, s, ts, &m))
        return SERIES_UNCHANGED;
    r = key_add_point(c, k, e, TS_TYPE, ts, value, quality, policy);
    if (r == SERIES_ADDED || r == SERIES_REPLACED || r == SERIES_LATE)
        ts_rules_added(c, k, e, had, last.ts, ts);
    return r;
}

/* --- replies ---------------------------------------------------------------------------------- */

void
ts_reply_sample(struct ctx *c, const struct sample *p)
{
    resp_array(c->out, 2);
    resp_int(c->out, p->ts);
    resp_sample_value(c->out, c->proto, p->value);
}

uint64_t
ts_exec_ns(const struct ctx *c)
{
    return c->core->limits.exec_ns / 2;
}

void
ts_reply_takes_long(struct ctx *c)
{
    resp_errorf(c->out, "ERR TSDB: '%s' takes longer than the %" PRIu64 " ms for which it may keep others "
                        "waiting inside MULTI: ask outside of it, or for less", c->cmd->name,
                c->core->limits.exec_ns / 1000000);
}

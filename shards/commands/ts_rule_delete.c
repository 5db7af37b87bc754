/* What a deletion in a series does to the destinations of its rules. See ts_rule.h.
 *
 * The destination says afterwards what the source says. Of the buckets that were over and lie between
 * the two times of the deletion, the outer ones may have points left and are computed anew; those
 * without a point, which are all between them, leave the destination with whatever was written there,
 * whoever wrote it. When the newest points went, an older bucket is the open one again: its point
 * leaves the destination as well, until the bucket is over for the second time. */
#include "shards/commands/ts_rule_priv.h"

/* One deletion as one rule sees it. */
struct cut {
    bool has_closed;
    int64_t first, last; /* starts of the outer buckets, of those that were over */
    bool has_open;       /* the source has points left */
    bool touches_open, reopens;
    int64_t open;        /* start of the open bucket */
};

/* newest_before, newest_after: of the source; NULL: it has no points left. */
static struct cut
cut_of(const struct series_rule *r, int64_t from, int64_t to, int64_t newest_before,
       const int64_t *newest_after)
{
    int64_t open_before = rule_start_of(r, newest_before);
    struct cut cut = {.first = rule_start_of(r, from), .last = rule_start_of(r, to),
                      .has_open = newest_after != NULL};

    if (newest_after) {
        cut.open = rule_start_of(r, *newest_after);
        cut.touches_open = cut.first <= cut.open && cut.open <= cut.last;
        cut.reopens = cut.open < open_before;
    }
    cut.has_closed = cut.first < open_before;
    if (cut.has_closed)
        cut.last = MIN(cut.last, rule_start_of(r, open_before - 1));
    return cut;
}

/* Is the bucket over, and may it have points? */
static bool
is_closed(const struct cut *cut, int64_t start)
{
    return cut->has_open && start < cut->open;
}

static bool
is_open(const struct cut *cut, int64_t start)
{
    return cut->has_open && start == cut->open;
}

/* --- destinations ------------------------------------------------------------------------------ */

static int
found_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(bool *)arg = true;
    return 1;
}

/* Points of a destination, with what follows for rules of its own. */
static int
delete_points(struct ctx *c, struct key *k, struct entry *e, int64_t from, int64_t to)
{
    struct series_query q = {.start = from, .end = to, .limit = 1};
    int64_t newest;
    bool found = false;
    int rc;

    if (from > to || !rule_newest(e, &newest))
        return 0;
    rc = ts_read(c, k, ts_series(e), &q, found_emit, &found);
    if (rc < 0 || !found)
        return MIN(rc, 0);
    rc = key_delete_points(c, k, e, TS_TYPE, from, to);
    if (rc == 0 && !c->probe && ts_has_rules(e))
        ts_rules_deleted(c, k, e, newest, from, to);
    return rc;
}

static bool
points_ready(struct ctx *c, struct key *k, struct entry *e, int64_t from, int64_t to)
{
    bool was = c->probe;
    int rc;

    c->probe = true;
    rc = delete_points(c, k, e, from, to);
    c->probe = was;
    if (rc == -EAGAIN)
        return false;
    return !ts_has_rules(e) ||
           (ts_rules_all_ready(c, k, e) && ts_rules_delete_ready(c, k, e, from, to));
}

bool
rule_clear_ready(struct ctx *c, struct key *k, struct entry *e, int64_t ts)
{
    return points_ready(c, k, e, ts, ts);
}

int
rule_clear(struct ctx *c, struct key *k, struct entry *e, int64_t ts)
{
    return delete_points(c, k, e, ts, ts);
}

/* --- before ------------------------------------------------------------------------------------ */

static int
newest_emit(void *arg, const struct sample *p, const uint8_t *quality, uint32_t n)
{
    *(int64_t *)arg = p[0].ts;
    return 1;
}

/* The newest time that a deletion leaves: 1, 0 = no point is left, or an error. */
static int
newest_left(struct ctx *c, const struct key *k, const struct entry *e, int64_t newest, int64_t from,
            int64_t to, int64_t *ret_ts)
{
    struct series_query q = {.start = INT64_MIN, .limit = 1, .reverse = true};
    int64_t left = INT64_MAX;
    int rc;

    *ret_ts = newest;
    if (from > newest || to < newest)
        return 1;
    if (from == INT64_MIN)
        return 0;
    q.end = from - 1;
    rc = ts_read(c, k, ts_series(e), &q, newest_emit, &left);
    if (rc < 0)
        return rc;
    *ret_ts = left;
    return left != INT64_MAX;
}

static bool
cut_ready(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
          const struct cut *cut)
{
    const struct rule_bucket first = {.start = cut->first, .after = INT64_MIN};
    const struct rule_bucket last = {.start = cut->last, .after = INT64_MIN};
    int64_t open = cut->reopens ? rule_time_of(r, cut->open) : 0;
    struct entry *to;
    struct key to_key;

    if (!rule_finds(c, k, r, &to_key, &to))
        return false;
    if (to == NULL)
        return true;
    if (cut->reopens && !points_ready(c, &to_key, to, open, open))
        return false;
    return !cut->has_closed ||
           (rule_bucket_ready(c, k, e, r, &first) && rule_bucket_ready(c, k, e, r, &last) &&
            points_ready(c, &to_key, to, cut->first, rule_end_of(r, cut->last)));
}

bool
ts_rules_delete_ready(struct ctx *c, const struct key *k, const struct entry *e, int64_t from,
                      int64_t to)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    int64_t newest, left;
    bool ready = true;
    int rc;

    if (c->probe && !ts_rules_all_ready(c, k, e))
        return false;
    if (!rule_newest(e, &newest))
        return true;
    rc = newest_left(c, k, e, newest, from, to, &left);
    if (rc < 0)
        return rc != -EAGAIN; /* the deletion itself will say what is wrong */
    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct cut cut = cut_of(&m->rules[i], from, to, newest, rc ? &left : NULL);

        if ((cut.has_closed || cut.reopens) && !cut_ready(c, k, e, &m->rules[i], &cut))
            ready = false;
    }
    return ready;
}

/* RedisTimeSeries refuses what its rules could not compute anew. */
bool
ts_rules_allow_delete(struct ctx *c, const struct key *k, const struct entry *e, int64_t from)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    int64_t kept_from = ts_visible_from(m, ts_series(e));

    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct entry *to;
        struct key to_key;

        if (rule_start_of(&m->rules[i], from) >= kept_from)
            continue;
        if (!rule_finds(c, k, &m->rules[i], &to_key, &to))
            return false;
        if (to == NULL)
            continue;
        ctx_error(c, "ERR TSDB: When a series has compactions, deleting samples or compaction "
                     "buckets beyond the series retention period is not possible");
        return false;
    }
    return true;
}

/* --- after ------------------------------------------------------------------------------------- */

/* A bucket at the edge, when it is over: its value, 1; 0 = it has no points, or an error. */
static int
edge_value(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
           const struct cut *cut, int64_t start, double *ret_v)
{
    const struct rule_bucket b = {.start = start, .after = INT64_MIN};

    return is_closed(cut, start) ? rule_bucket_value(c, k, e, r, &b, ret_v) : 0;
}

/* What of the destination has no points behind it any more. */
static void
clear_buckets(struct ctx *c, struct key *k, struct entry *e, const struct series_rule *r,
              const struct cut *cut, bool keeps_first, bool keeps_last)
{
    int64_t from = cut->first, to = rule_end_of(r, cut->last);

    if (cut->first == cut->last) {
        if (!keeps_first)
            delete_points(c, k, e, from, to);
        return;
    }
    if (keeps_first)
        from = rule_end_of(r, cut->first) + 1;
    if (keeps_last)
        to = cut->last - 1;
    delete_points(c, k, e, from, to);
}

static void
cut_closed(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
           const struct cut *cut, struct key *to_key, struct entry *to)
{
    double first = 0, last = 0;
    int has_first = edge_value(c, k, e, r, cut, cut->first, &first);
    int has_last = edge_value(c, k, e, r, cut, cut->last, &last);

    if (has_first < 0 || has_last < 0) {
        rule_complain(c, k, MIN(has_first, has_last));
        return;
    }
    clear_buckets(c, to_key, to, r, cut, has_first || is_open(cut, cut->first),
                  has_last || is_open(cut, cut->last));
    if (has_first)
        rule_upsert(c, to_key, to, r, cut->first, first);
    if (has_last && cut->last > cut->first)
        rule_upsert(c, to_key, to, r, cut->last, last);
}

static void
cut_buckets(struct ctx *c, const struct key *k, const struct entry *e, const struct series_rule *r,
            const struct cut *cut)
{
    int64_t open;
    struct entry *to;
    struct key to_key;

    if (!rule_still_finds(c, k, r, &to_key, &to))
        return;
    if (cut->reopens) {
        open = rule_time_of(r, cut->open);
        delete_points(c, &to_key, to, open, open);
    }
    if (cut->has_closed)
        cut_closed(c, k, e, r, cut, &to_key, to);
}

void
ts_rules_deleted(struct ctx *c, struct key *k, struct entry *e, int64_t last_before, int64_t from,
                 int64_t to)
{
    const struct series_meta *m = series_key_settings(entry_series(e));
    bool *opened = rules_none(c, m->rules_n), was = c->reads_through;
    int64_t newest;
    bool any = rule_newest(e, &newest);

    c->reads_through = true;
    for (uint32_t i = 0; i < m->rules_n; i++) {
        struct cut cut = cut_of(&m->rules[i], from, to, last_before, any ? &newest : NULL);

        opened[i] = cut.touches_open || cut.reopens;
        if (cut.has_closed || cut.reopens)
            cut_buckets(c, k, e, &m->rules[i], &cut);
    }
    c->reads_through = was;
    rules_count_all(c, k, e, opened);
}

/* The series of a running RedisTimeSeries, by SCAN and TS.RANGE in pages, or of another Pinstripe,
 * by SCAN and TSDB_GET, which shows all data types and qualities (tools/lib/pager.h).
 *
 * A page of TS.RANGE begins at the last time of the page before and passes over what was taken of
 * it. Labels come along: the series is created with them, or given them if it is there. Every point
 * counts as a line. The other server goes on working meanwhile: a series that is deleted there, or
 * becomes something else, before it was read is a bad line, not the end of the load. */
#include "tools/load/load.h"

#include "net/number.h"
#include "tools/lib/keys.h"
#include "tools/lib/link.h"
#include "tools/lib/pager.h"
#include "tools/lib/unit.h"

#include <math.h>
#include <stdlib.h>

#define PAGE_POINTS 10000

struct redis_source {
    struct load *ld;
    struct link from;
    bool pinstripe; /* is at the other end */
    bool same;      /* it is the server that is loaded */
    struct keyname keyname;
    struct keys keys;
    struct buf key; /* of ours */
};

static int
link_failed(struct load *ld, const struct link *l, int rc)
{
    snprintf(ld->error, sizeof(ld->error), "%s", l->error);
    return rc == -EINVAL ? -EPROTO : rc;
}

/* The answer to a question about one series: 0 when it is no failure, or was one of this series
 * only, which is counted; *ret_gone is true then. */
static int
series_answered(struct load *ld, const struct link *l, int rc, const struct buf *reply,
                struct slice key, bool *ret_gone)
{
    static const char *const gone[] = {"the key does not exist", "WRONGTYPE", "not a TSDB key"};

    for (unsigned i = 0; rc == -EPROTO && reply->p[0] == '-' && i < ARRAY_SIZE(gone); i++) {
        if (strstr(reply->p, gone[i]) == NULL)
            continue;
        *ret_gone = true;
        ld->line++;
        rc = load_bad_line(ld, "%.*s went before all of it was read: %.*s", (int)MIN(key.n, 128),
                           key.p, (int)strcspn(reply->p + 1, "\r\n"), reply->p + 1);
        return rc < 0 ? rc : load_end_line(ld);
    }
    return rc < 0 ? link_failed(ld, l, rc) : 0;
}

/* --- setting up ----------------------------------------------------------------------------------
 */

/* An address with colons of its own may stand in brackets. */
static int
set_target(struct load *ld, struct client_target *ret, char *host, size_t host_size)
{
    const char *from = ld->o.from_redis, *colon = strrchr(from, ':');
    size_t n = colon ? (size_t)(colon - from) : 0;
    int64_t port;

    if (n > 2 && from[0] == '[' && colon[-1] == ']') {
        from++;
        n -= 2;
    }
    if (n == 0 || n >= host_size || !parse_int(slice_of(colon + 1), &port) || port < 1 ||
        port > 65535) {
        snprintf(ld->error, sizeof(ld->error), "--from-redis takes HOST:PORT");
        return -EINVAL;
    }
    memcpy(host, from, n);
    host[n] = '\0';
    *ret = (struct client_target){host, (unsigned)port, ld->o.from_user, ld->o.from_password};
    return 0;
}

static int
set_key(struct redis_source *s)
{
    struct load *ld = s->ld;
    const char *key = ld->o.key ? ld->o.key : "{key}";

    if (keyname_init(&s->keyname, key, NULL, ld->error, sizeof(ld->error)) < 0)
        return -EINVAL;
    if (s->keyname.has_key)
        return 0;
    snprintf(ld->error, sizeof(ld->error), "--key '%s' needs a {key}", key);
    return -EINVAL;
}

/* --- labels --------------------------------------------------------------------------------------
 */

/* In the answer of TS.INFO, "[..., labels, [[name, value], ...], ...]". */
static void
add_labels(struct redis_source *s)
{
    struct reply_walk w = reply_walk_start(&s->from.reply);
    struct slice name, value;
    char type;
    int64_t n = reply_walk_next(&w, &type, &name), pairs = 0;

    for (; type == '*' && n >= 2 && pairs == 0; n -= 2) {
        char kind;

        reply_walk_next(&w, &kind, &name);
        if (slice_equal(name, SLICE("labels")))
            pairs = reply_walk_next(&w, &kind, &name);
        else
            reply_walk_skip(&w, 1);
    }
    for (; pairs > 0; pairs--) {
        if (reply_walk_next(&w, &type, &name) != 2 || type != '*')
            break;
        reply_walk_next(&w, &type, &name);
        reply_walk_next(&w, &type, &value);
        labels_add(&s->ld->labels, name, value);
    }
}

static int
copy_labels(struct redis_source *s, struct slice key, bool *ret_gone)
{
    struct load *ld = s->ld;
    struct slice info[] = {SLICE("TS.INFO"), key}, ours = {s->key.p, s->key.n};
    int rc = ld->labels.off ? 0 : link_ask(&s->from, ARRAY_SIZE(info), info);

    rc = series_answered(ld, &s->from, rc, &s->from.reply, key, ret_gone);
    if (rc < 0 || *ret_gone)
        return rc;
    labels_set(&ld->labels, key);
    if (!ld->labels.off)
        add_labels(s);
    ld->line++;
    ld->series_seen++;
    sink_begin_line(&ld->sink, ld->line);
    if (sink_wants_labels(&ld->sink, ours))
        load_send_labels(ld, ours);
    return load_end_line(ld);
}

/* --- points --------------------------------------------------------------------------------------
 */

/* Infinite values come of sums; no command writes them. */
static const char *
wrong_point(const struct pager_point *p, bool *ret_nan)
{
    double v;

    if (!parse_double(p->value, &v))
        return "is no number";
    *ret_nan = isnan(v);
    if (isinf(v))
        return "is no finite number";
    return *ret_nan && (p->type || p->quality) ? "is written of type 00 and quality 0 only" : NULL;
}

static int
send_nan(struct load *ld, struct slice key, int64_t ts)
{
    int rc = load_begin_nan(ld, key);

    if (rc == 0)
        load_send_nan(ld, key, ts);
    return rc;
}

static int
send_point(struct redis_source *s, const struct pager_point *p)
{
    struct load *ld = s->ld;
    struct slice key = {s->key.p, s->key.n};
    bool nan = false;
    const char *wrong = wrong_point(p, &nan);
    int rc;

    ld->line++;
    if (wrong)
        rc = load_bad_line(ld, "%.*s at %lld: '%.*s' %s", (int)MIN(key.n, 128), key.p,
                           (long long)p->ts, (int)MIN(p->value.n, 40), p->value.p, wrong);
    else
        rc = load_begin_points(ld, p->ts);
    if (rc == 0 && !wrong && nan)
        rc = send_nan(ld, key, p->ts);
    else if (rc == 0 && !wrong)
        sink_point(&ld->sink, key, p->type, p->ts, p->value, p->quality);
    return rc < 0 ? rc : load_end_line(ld);
}

/* Where the next page begins: at a time of which so many points have been taken. */
struct page {
    int64_t from;
    uint64_t taken;
};

static int
take_point(struct redis_source *s, struct page *at, int64_t ts, struct slice value)
{
    at->taken = ts == at->from ? at->taken + 1 : 1;
    at->from = ts;
    return send_point(s, &(struct pager_point){.ts = ts, .value = value});
}

/* The points of an answer of TS.RANGE behind those that were taken. Their number in the answer. */
static int64_t
send_page(struct redis_source *s, struct page *at)
{
    struct reply_walk w = reply_walk_start(&s->from.reply);
    struct slice text;
    char type;
    int64_t n = reply_walk_next(&w, &type, &text);
    uint64_t pass = at->taken;
    int rc = 0;

    if (type != '*' || n < 0)
        return link_failed(s->ld, &s->from, link_bad_answer(&s->from, "TS.RANGE"));
    for (int64_t i = 0; rc == 0 && i < n; i++) {
        char kind, time, value;
        int64_t parts = reply_walk_next(&w, &kind, &text), ts = reply_walk_next(&w, &time, &text);

        reply_walk_next(&w, &value, &text);
        if (kind != '*' || parts != 2 || time != ':' || (value != '$' && value != '+'))
            return link_failed(s->ld, &s->from, link_bad_answer(&s->from, "TS.RANGE"));
        if (ts == at->from && pass > 0)
            pass--;
        else
            rc = take_point(s, at, ts, text);
    }
    return rc < 0 ? rc : n;
}

static void
set_key_of(struct redis_source *s, struct slice key)
{
    s->key.n = 0;
    keyname_put(&s->keyname, key, &s->key);
    buf_reserve(&s->key, 1);
}

/* All points by TS.RANGE. */
static int
load_range(struct redis_source *s, struct slice key)
{
    char start[RESP_INT_TEXT_MAX], count[RESP_INT_TEXT_MAX];
    struct slice argv[] = {SLICE("TS.RANGE"), key, SLICE("-"), SLICE("+"), SLICE("COUNT"), {0}};
    struct page at = {0};
    bool gone = false;
    int64_t n;
    int rc;

    for (;;) {
        uint64_t limit = PAGE_POINTS + at.taken;

        argv[5] = (struct slice){count, format_uint(count, limit)};
        rc = link_ask(&s->from, ARRAY_SIZE(argv), argv);
        rc = series_answered(s->ld, &s->from, rc, &s->from.reply, key, &gone);
        if (rc < 0 || gone)
            return rc;
        n = send_page(s, &at);
        if (n < 0 || (uint64_t)n < limit)
            return (int)MIN(n, 0);
        argv[2] = (struct slice){start, format_int(start, at.from)};
    }
}

/* TSDB_GET has an empty answer for a key that does not exist. */
static int
check_there(struct redis_source *s, struct slice key)
{
    struct slice argv[] = {SLICE("TS.INFO"), key};
    int rc = link_ask(&s->from, ARRAY_SIZE(argv), argv);
    bool gone = false;

    return series_answered(s->ld, &s->from, rc, &s->from.reply, key, &gone);
}

/* All points of all data types by TSDB_GET. */
static int
load_pages(struct redis_source *s, struct slice key)
{
    const struct pager_point *point;
    struct pager p;
    int rc, sent = 0;
    bool gone = false;

    pager_init(&p, &s->from, key, -1, INT64_MIN, INT64_MAX, PAGE_POINTS);
    while (sent == 0 && (rc = pager_look(&p, &point)) > 0) {
        sent = send_point(s, point);
        pager_take(&p);
    }
    if (sent == 0)
        sent = series_answered(s->ld, &s->from, rc, &p.reply, key, &gone);
    if (sent == 0 && !gone)
        sent = check_there(s, key);
    pager_fini(&p);
    return sent;
}

/* Each of its points would be written once more: doubled under KEEP, and read again for ever. */
static int
onto_itself(struct load *ld, struct slice key)
{
    snprintf(ld->error, sizeof(ld->error),
             "--from-redis is the server that is loaded, and %.*s would be written onto itself: give a "
             "--key that makes other keys",
             (int)MIN(key.n, 128), key.p);
    return -EINVAL;
}

static int
load_series(struct redis_source *s, struct slice key)
{
    bool gone = false;
    int rc;

    set_key_of(s, key);
    if (s->same && slice_equal(key, (struct slice){s->key.p, s->key.n}))
        return onto_itself(s->ld, key);
    rc = copy_labels(s, key, &gone);
    if (rc == 0 && !gone)
        rc = s->pinstripe ? load_pages(s, key) : load_range(s, key);
    return rc;
}

/* Of a Pinstripe the timestamps may be in another unit than ours, and would be other times here. */
static int
find_out(struct redis_source *s)
{
    struct load *ld = s->ld;
    struct link *l = &s->from;
    enum time_unit unit;
    int rc = server_is_pinstripe(&l->target, l->fd, l->error, sizeof(l->error));

    s->pinstripe = rc > 0;
    if (rc > 0)
        rc = unit_of_server(&l->target, l->fd, &unit, l->error, sizeof(l->error));
    if (rc > 0 && unit != ld->unit) {
        snprintf(ld->error, sizeof(ld->error),
                 "timestamps there are in %s, here in %s (timestamp-unit); with --unit %s they are "
                 "taken as they are",
                 time_unit_name(unit), time_unit_name(ld->unit), time_unit_name(unit));
        return -EINVAL;
    }
    return rc < 0 ? link_failed(ld, l, rc) : 0;
}

/* By whatever addresses: a server is known by its run_id. One that does not tell is taken for another. */
static int
find_whether_same(struct redis_source *s)
{
    char there[SERVER_VALUE_MAX], here[SERVER_VALUE_MAX];
    struct load *ld = s->ld;
    struct link to = {.fd = -1};
    int rc = server_run_id(&s->from.target, s->from.fd, there, s->from.error, sizeof(s->from.error));

    if (rc < 0)
        return link_failed(ld, &s->from, rc);
    if (rc == 0 || ld->o.dry_run)
        return 0;
    if (link_open(&to, &ld->target) < 0)
        return link_failed(ld, &to, -EIO);
    rc = server_run_id(&ld->target, to.fd, here, to.error, sizeof(to.error));
    s->same = rc > 0 && strcmp(here, there) == 0;
    rc = rc < 0 ? link_failed(ld, &to, rc) : 0;
    link_close(&to);
    return rc;
}

static int
find_keys(struct redis_source *s)
{
    int rc = keys_scan(&s->keys, &s->from, s->ld->o.match);

    keys_sort(&s->keys);
    return rc < 0 ? link_failed(s->ld, &s->from, rc) : 0;
}

int
source_redis(struct load *ld)
{
    struct redis_source *s = calloc(1, sizeof(*s));
    struct client_target from;
    char host[256];
    int rc;

    ASSERT(s);
    s->ld = ld;
    s->from.fd = -1;
    rc = set_target(ld, &from, host, sizeof(host));
    if (rc == 0)
        rc = set_key(s);
    if (rc == 0 && link_open(&s->from, &from) < 0)
        rc = link_failed(ld, &s->from, -EIO);
    if (rc == 0)
        rc = find_out(s);
    if (rc == 0)
        rc = find_whether_same(s);
    if (rc == 0)
        rc = find_keys(s);
    for (size_t i = 0; rc == 0 && i < s->keys.n; i++)
        rc = load_series(s, s->keys.key[i]);
    keys_fini(&s->keys);
    link_close(&s->from);
    buf_fini(&s->key);
    free(s);
    return rc;
}

#include "tools/load/sink.h"

#include "core/clock.h"
#include "net/number.h"
#include "shards/store/row.h"
#include "tools/lib/columns.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define SLOTS 16384
#define NS_PER_S 1000000000ULL
#define POINT_BYTES_MAX 128 /* of a command without its key and value */
#define WAIT_MS 100

/* The beginning of the commands of a series, with the number of arguments left to fill in. */
struct sink_series {
    uint32_t key_n, prefix_n;
    uint8_t type, lane;
    char prefix[]; /* "*?\r\n$8\r\nTSDB_SET\r\n$<n>\r\n<key>\r\n" */
};

unsigned
sink_lane_of_slot(unsigned slot, unsigned lanes)
{
    return slot * lanes / SLOTS;
}

/* --- opening -------------------------------------------------------------------------------------
 */

static int
name_connection(struct sink *s, int fd)
{
    struct slice argv[] = {SLICE("CLIENT"), SLICE("SETNAME"), slice_of(s->o.client_name)};
    struct buf command = {0}, reply = {0};
    int rc;

    client_command(&command, ARRAY_SIZE(argv), argv);
    rc = client_ask_or_say(&s->o.target, fd, "CLIENT SETNAME", &command, &reply, s->error,
                           sizeof(s->error));
    buf_fini(&command);
    buf_fini(&reply);
    return rc;
}

static int
open_lane(struct sink *s)
{
    int fd, rc = client_open(&s->o.target, &fd, s->error, sizeof(s->error));

    if (rc < 0)
        return rc;
    rc = s->o.client_name ? name_connection(s, fd) : 0;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    rc = lane_init(&s->lanes[s->open_lanes++], fd, s->o.window, s->o.transactions, s->o.refused,
                   s->o.arg);
    if (rc < 0)
        snprintf(s->error, sizeof(s->error), "a connection: %s", strerror(-rc));
    return rc;
}

int
sink_open(struct sink *s, const struct sink_options *o)
{
    int rc = 0;

    memset(s, 0, sizeof(*s));
    s->o = *o;
    s->transaction_commands = MIN((uint64_t)LANE_TRANSACTION_POINTS, MAX(o->window / 4, 1ULL));
    s->cache = calloc(SINK_SERIES_CACHED, sizeof(*s->cache));
    if (s->cache == NULL)
        return -ENOMEM;
    while (rc == 0 && !o->dry_run && s->open_lanes < o->lanes)
        rc = open_lane(s);
    return rc;
}

void
sink_close(struct sink *s)
{
    for (unsigned i = 0; i < s->open_lanes; i++)
        lane_fini(&s->lanes[i]);
    s->open_lanes = 0;
    for (unsigned i = 0; s->cache && i < SINK_SERIES_CACHED; i++)
        free(s->cache[i]);
    free(s->cache);
    s->cache = NULL;
    seen_fini(&s->labelled);
    seen_fini(&s->made);
}

/* --- points --------------------------------------------------------------------------------------
 */

static struct sink_series *
series_create(const struct sink *s, struct slice key, uint8_t type)
{
    struct sink_series *made = malloc(sizeof(*made) + key.n + POINT_BYTES_MAX);
    int n;

    ASSERT(made);
    made->key_n = (uint32_t)key.n;
    made->type = type;
    made->lane = (uint8_t)sink_lane_of_slot(key_slot(key), s->o.lanes);
    n = sprintf(made->prefix, "*?\r\n$8\r\nTSDB_SET\r\n$%zu\r\n", key.n);
    memcpy(made->prefix + n, key.p, key.n);
    memcpy(made->prefix + n + key.n, "\r\n", 2);
    made->prefix_n = (uint32_t)((size_t)n + key.n + 2);
    return made;
}

/* A direct-mapped cache: a series that was pushed out is simply made again. */
static const struct sink_series *
find_series(struct sink *s, struct slice key, uint8_t type)
{
    uint64_t hash = XXH3_64bits_withSeed(key.p, key.n, type);
    struct sink_series **at = &s->cache[hash % SINK_SERIES_CACHED], *found = *at;

    if (likely(found && found->key_n == key.n && found->type == type &&
               memcmp(found->prefix + found->prefix_n - 2 - key.n, key.p, key.n) == 0))
        return found;
    free(found);
    *at = series_create(s, key, type);
    return *at;
}

static inline char *
put_bulk(char *to, const char *p, size_t n)
{
    *to++ = '$';
    if (likely(n < 10))
        *to++ = (char)('0' + n);
    else
        to += format_uint(to, n);
    *to++ = '\r';
    *to++ = '\n';
    memcpy(to, p, n);
    to += n;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static void
encode(struct sink *s, struct buf *out, const struct sink_series *series, struct slice value,
       uint8_t quality)
{
    char *start = buf_reserve(out, series->prefix_n + value.n + POINT_BYTES_MAX), *to = start;
    char small[RESP_INT_TEXT_MAX];

    memcpy(to, series->prefix, series->prefix_n);
    to[1] = quality ? '6' : series->type ? '5' : '4';
    to += series->prefix_n;
    to = put_bulk(to, s->ts_text, s->ts_n);
    to = put_bulk(to, value.p, value.n);
    if (series->type || quality) {
        type_put(series->type, small);
        to = put_bulk(to, small, 2);
    }
    if (quality)
        to = put_bulk(to, small, format_uint(small, quality));
    out->n += (size_t)(to - start);
}

void
sink_begin_line(struct sink *s, uint64_t line)
{
    s->line = line;
    s->lanes_of_line = 0;
}

static void
set_time(struct sink *s, int64_t ts)
{
    if (ts != s->ts || s->ts_n == 0) {
        s->ts = ts;
        s->ts_n = (unsigned)format_int(s->ts_text, ts);
    }
}

void
sink_point(struct sink *s, struct slice key, uint8_t type, int64_t ts, struct slice value,
           uint8_t quality)
{
    const struct sink_series *series;
    struct lane *l;

    s->points++;
    if (s->o.dry_run)
        return;
    set_time(s, ts);
    series = find_series(s, key, type);
    l = &s->lanes[series->lane];
    if (s->line <= l->skip_line) {
        s->skipped++;
        return;
    }
    lane_begin(l, s->line, LANE_POINT);
    encode(s, &l->out, series, value, quality);
    s->lanes_of_line |= 1ULL << series->lane;
}

static void
make_series(struct sink *s, unsigned lane, struct slice key)
{
    struct slice create[] = {SLICE("TS.CREATE"), key};

    lane_begin(&s->lanes[lane], s->line, LANE_LABELS);
    client_command(&s->lanes[lane].out, ARRAY_SIZE(create), create);
}

/* TS.ADD would make a series with the rules of ts-compaction-policy, TSDB_SET makes a plain one:
 * so it is made first. */
void
sink_begin_nan(struct sink *s, struct slice key)
{
    unsigned lane = sink_lane_of_slot(key_slot(key), s->o.lanes);

    if (s->o.dry_run || s->line <= s->lanes[lane].skip_line || !seen_add(&s->made, XXH3_64bits(key.p, key.n)))
        return;
    make_series(s, lane, key);
    s->lanes_of_line |= 1ULL << lane;
}

void
sink_nan(struct sink *s, struct slice key, int64_t ts, const char *policy)
{
    unsigned lane = sink_lane_of_slot(key_slot(key), s->o.lanes);
    struct slice add[] = {SLICE("TS.ADD"), key, {0}, SLICE("nan"), SLICE("ON_DUPLICATE"), {0}};

    s->points++;
    if (s->o.dry_run)
        return;
    if (s->line <= s->lanes[lane].skip_line) {
        s->skipped++;
        return;
    }
    set_time(s, ts);
    add[2] = (struct slice){s->ts_text, s->ts_n};
    add[5] = slice_of(policy);
    lane_begin(&s->lanes[lane], s->line, LANE_POINT);
    client_command(&s->lanes[lane].out, ARRAY_SIZE(add), add);
    s->lanes_of_line |= 1ULL << lane;
}

/* --- labels --------------------------------------------------------------------------------------
 */

bool
sink_wants_labels(struct sink *s, struct slice key)
{
    const struct lane *l = &s->lanes[sink_lane_of_slot(key_slot(key), s->o.lanes)];

    return !s->o.dry_run && s->line > l->skip_line &&
           seen_add(&s->labelled, XXH3_64bits(key.p, key.n));
}

void
sink_label(struct sink *s, struct slice key, unsigned n, struct slice args)
{
    unsigned lane = sink_lane_of_slot(key_slot(key), s->o.lanes);
    struct buf *out = &s->lanes[lane].out;

    make_series(s, lane, key);
    lane_begin(&s->lanes[lane], s->line, LANE_LABELS);
    buf_printf(out, "*%u\r\n$8\r\nTS.ALTER\r\n", 3 + 2 * n);
    client_argument(out, key);
    client_argument(out, SLICE("LABELS"));
    buf_append(out, args.p, args.n);
    s->lanes_of_line |= 1ULL << lane;
}

/* --- sending -------------------------------------------------------------------------------------
 */

static int
explain(struct sink *s, const struct lane *l, int rc)
{
    const struct client_target *t = &s->o.target;

    if (l->failure[0] && l->failure_line)
        snprintf(s->error, sizeof(s->error), "%s:%u answered to line %llu: %s", t->host, t->port,
                 (unsigned long long)l->failure_line, l->failure);
    else if (l->failure[0])
        snprintf(s->error, sizeof(s->error), "%s:%u: %s", t->host, t->port, l->failure);
    else
        snprintf(s->error, sizeof(s->error), "the connection to %s:%u: %s", t->host, t->port,
                 strerror(-rc));
    return rc;
}

static int
exchange(struct sink *s, struct lane *l)
{
    int rc = lane_exchange(l);

    return rc < 0 ? explain(s, l, rc) : 0;
}

static void
commit(struct sink *s, struct lane *l)
{
    struct slice key, position;

    s->position(s->position_arg, (unsigned)(l - s->lanes), &key, &position);
    lane_commit(l, key, position);
}

static uint64_t
in_flight(const struct sink *s)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < s->open_lanes; i++)
        n += s->lanes[i].in_flight;
    return n;
}

static uint64_t
bytes_moved(const struct sink *s)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < s->open_lanes; i++)
        n += s->lanes[i].scan.replies - s->lanes[i].out.n + s->lanes[i].out_at;
    return n;
}

int
sink_wait_or(struct sink *s, int fd, int timeout_ms)
{
    struct pollfd fds[LANES_MAX + 1];
    int rc = 0;

    for (unsigned i = 0; i < s->open_lanes; i++)
        fds[i] = (struct pollfd){
            s->lanes[i].fd, (short)(POLLIN | (lane_has_unsent(&s->lanes[i]) ? POLLOUT : 0)), 0};
    fds[s->open_lanes] = (struct pollfd){fd, POLLIN, 0}; /* passed over when it is negative */
    if (poll(fds, s->open_lanes + 1, timeout_ms) < 0 && errno != EINTR) {
        snprintf(s->error, sizeof(s->error), "poll: %s", strerror(errno));
        return -errno;
    }
    for (unsigned i = 0; rc == 0 && i < s->open_lanes; i++)
        if (fds[i].revents)
            rc = exchange(s, &s->lanes[i]);
    return rc == 0 ? fds[s->open_lanes].revents != 0 : rc;
}

int
sink_wait(struct sink *s, int timeout_ms)
{
    return sink_wait_or(s, -1, timeout_ms);
}

/* Waits while `more` says so; a server that is silent for long ends it. */
static int
wait_while(struct sink *s, bool (*more)(const struct sink *s, const struct lane *l),
           const struct lane *l)
{
    uint64_t moved = bytes_moved(s), now, since = clock_now_ns();
    int rc = 0;

    while (rc == 0 && more(s, l)) {
        rc = sink_wait(s, WAIT_MS);
        now = clock_now_ns();
        if (bytes_moved(s) != moved) {
            moved = bytes_moved(s);
            since = now;
        } else if (rc == 0 && now - since > SINK_STALL_SECONDS * NS_PER_S) {
            snprintf(s->error, sizeof(s->error), "%s:%u has not answered for %d s",
                     s->o.target.host, s->o.target.port, SINK_STALL_SECONDS);
            rc = -ETIMEDOUT;
        }
    }
    return rc;
}

static bool
is_crowded(const struct sink *s, const struct lane *l)
{
    return l->in_flight > l->window / 2 || l->out.n - l->out_at > LANE_UNSENT_MAX / 2;
}

static bool
is_busy(const struct sink *s, const struct lane *l)
{
    return in_flight(s) > 0;
}

static int
settle_lane(struct sink *s, struct lane *l)
{
    bool full = lane_is_full(l);
    int rc = 0;

    if (l->open && (full || l->open_commands >= s->transaction_commands))
        commit(s, l);
    if (l->out.n - l->out_at >= LANE_SEND_BYTES || full)
        rc = exchange(s, l);
    return rc == 0 && full ? wait_while(s, is_crowded, l) : rc;
}

int
sink_end_line(struct sink *s)
{
    uint64_t left = s->lanes_of_line;
    int rc = 0;

    for (; rc == 0 && left; left &= left - 1)
        rc = settle_lane(s, &s->lanes[__builtin_ctzll(left)]);
    return rc;
}

int
sink_flush(struct sink *s)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < s->open_lanes; i++) {
        if (s->lanes[i].open)
            commit(s, &s->lanes[i]);
        rc = exchange(s, &s->lanes[i]);
    }
    return rc;
}

int
sink_drain(struct sink *s)
{
    int rc = sink_flush(s);

    return rc < 0 ? rc : wait_while(s, is_busy, NULL);
}

uint64_t
sink_points_done(const struct sink *s)
{
    uint64_t n = 0;

    if (s->o.dry_run)
        return s->points;
    for (unsigned i = 0; i < s->open_lanes; i++)
        n += s->lanes[i].points_done;
    return n;
}

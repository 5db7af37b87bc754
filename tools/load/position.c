#include "tools/load/position.h"

#include "shards/store/row.h"
#include "tools/load/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define PREFIX "pinstripe-load:"
#define VERSION 3
#define LOOK_AGAIN_MS 50

struct record {
    struct place place;
    unsigned lanes;
    uint64_t options_hash, first_hash;
    size_t first_n;
};

/* --- asking --------------------------------------------------------------------------------------
 */

struct asked {
    struct buf command, reply;
};

static void
asked_fini(struct asked *a)
{
    buf_fini(&a->command);
    buf_fini(&a->reply);
}

static int
ask(struct position *p, struct asked *a, unsigned argc, const struct slice *argv)
{
    a->command.n = 0;
    client_command(&a->command, argc, argv);
    return client_ask_or_say(&p->target, p->fd, argv[0].p, &a->command, &a->reply, p->error,
                             sizeof(p->error));
}

/* The text of a string key. 1, 0 when there is none, or a negative errno. */
static int
get(struct position *p, const char *key, struct asked *a, struct slice *ret)
{
    struct slice argv[] = {SLICE("GET"), slice_of(key)};
    struct reply_walk w;
    char type;
    int64_t n;
    int rc = ask(p, a, ARRAY_SIZE(argv), argv);

    if (rc < 0)
        return rc;
    w = reply_walk_start(&a->reply);
    n = reply_walk_next(&w, &type, ret);
    return type == '$' && n >= 0;
}

/* --- the name ------------------------------------------------------------------------------------
 */

/* CLIENT SETNAME takes printable characters only. */
static void
set_name(struct position *p, const char *name)
{
    size_t n = MIN(strlen(name), (size_t)POSITION_NAME_MAX - strlen(PREFIX));

    memcpy(p->name, PREFIX, strlen(PREFIX));
    for (size_t i = 0; i <= n; i++)
        p->name[strlen(PREFIX) + i] = i == n                           ? '\0'
                                      : name[i] > ' ' && name[i] < 127 ? name[i]
                                                                       : '_';
}

/* How many connections bear the name. */
static int
count_named(struct position *p, struct asked *a, int *ret)
{
    struct slice argv[] = {SLICE("CLIENT"), SLICE("LIST")};
    char what[POSITION_NAME_MAX + 16];
    int n = 0, rc = ask(p, a, ARRAY_SIZE(argv), argv);
    const char *at;

    if (rc < 0)
        return rc;
    snprintf(what, sizeof(what), " name=%s ", p->name);
    for (at = a->reply.p; (at = strstr(at, what)); at++)
        n++;
    *ret = n;
    return 0;
}

static int
take_name(struct position *p, struct asked *a, uint64_t wait_seconds)
{
    struct slice argv[] = {SLICE("CLIENT"), SLICE("SETNAME"), slice_of(p->name)};
    struct timespec pause = {0, LOOK_AGAIN_MS * 1000000L};
    int rc = ask(p, a, ARRAY_SIZE(argv), argv), named = 0;

    for (uint64_t i = 0; rc == 0 && i <= wait_seconds * 1000 / LOOK_AGAIN_MS; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        rc = count_named(p, a, &named);
        if (rc == 0 && named <= 1)
            return 0;
    }
    if (rc == 0)
        snprintf(p->error, sizeof(p->error),
                 "another load is connected under the name %s (CLIENT LIST shows it)", p->name);
    return rc < 0 ? rc : -EBUSY;
}

/* --- records -------------------------------------------------------------------------------------
 */

/* The smallest number whose hash tag lies in the middle of the lane's slots. */
static void
set_keys(struct position *p)
{
    char tag[24], name[POSITION_NAME_MAX + 1];

    memcpy(name, p->name, sizeof(name));
    for (unsigned lane = 0; lane < p->lanes; lane++) {
        for (unsigned i = 0;; i++) {
            int n = snprintf(tag, sizeof(tag), "%u", i);

            if (sink_lane_of_slot(key_slot((struct slice){tag, (size_t)n}), p->lanes) == lane)
                break;
        }
        snprintf(p->key[lane], sizeof(p->key[lane]), "%s:{%s}", name, tag);
    }
}

/* The place that the text begins with, and how long it is. The end of a line lies before its place.
 */
static bool
parse_place(const char *text, struct place *ret, int *ret_used)
{
    unsigned open;

    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %u %" SCNu64 " %" SCNx64 "%n", &ret->line,
               &ret->offset, &open, &ret->last_n, &ret->last_hash, ret_used) != 5)
        return false;
    ret->open = open == 1;
    return open <= 1 && ret->last_n <= POSITION_LAST_BYTES && ret->last_n <= ret->offset;
}

static int
format_place(const struct place *at, char *out, size_t room)
{
    return snprintf(out, room, "%" PRIu64 " %" PRIu64 " %u %" PRIu64 " %016" PRIx64, at->line,
                    at->offset, at->open, at->last_n, at->last_hash);
}

static bool
parse_record(struct slice text, struct record *r)
{
    char copy[POSITION_TEXT_MAX];
    int version, before = 0, place = 0, behind = 0;

    snprintf(copy, sizeof(copy), "%.*s", (int)MIN(text.n, sizeof(copy) - 1), text.p);
    return sscanf(copy, "%d %n", &version, &before) == 1 && version == VERSION &&
           parse_place(copy + before, &r->place, &place) &&
           sscanf(copy + before + place, " %u %" SCNx64 " %zu %" SCNx64 "%n", &r->lanes,
                  &r->options_hash, &r->first_n, &r->first_hash, &behind) == 4 &&
           (size_t)(before + place + behind) == text.n && r->lanes >= 1 && r->lanes <= LANES_MAX;
}

static struct slice
format_record(struct position *p, struct slice first)
{
    char place[POSITION_PLACE_MAX];
    int n;

    format_place(&p->now, place, sizeof(place));
    n = snprintf(p->text, sizeof(p->text), "%d %s %u %016" PRIx64 " %zu %016" PRIx64, VERSION,
                 place, p->lanes, p->options_hash, first.n, XXH3_64bits(first.p, first.n));

    return (struct slice){p->text, (size_t)n};
}

static int
check_record(struct position *p, const struct record *r, struct slice first)
{
    if (first.n < r->first_n || XXH3_64bits(first.p, r->first_n) != r->first_hash)
        snprintf(p->error, sizeof(p->error),
                 "%s tells of a file that began otherwise: give this one another --load-name",
                 p->name);
    else if (r->options_hash != p->options_hash)
        snprintf(p->error, sizeof(p->error),
                 "%s tells of a load with other columns, key, time or unit: give the same ones, or "
                 "another --load-name",
                 p->name);
    else
        return 0;
    return -EINVAL;
}

/* The first line behind this one that a lane found open. */
static uint64_t
next_open(const struct position *p, uint64_t line)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < p->lanes; i++)
        if (p->lane[i].open && p->lane[i].line > line)
            next = MIN(next, p->lane[i].line);
    return next == UINT64_MAX ? 0 : next;
}

/* A lane is as far as its own key says, or as the common one. */
static int
read_lanes(struct position *p, const struct record *r, struct asked *a)
{
    struct slice text;
    struct place at;
    char copy[POSITION_TEXT_MAX];
    int rc, used;

    p->start = (struct place){.line = UINT64_MAX, .offset = UINT64_MAX};
    for (unsigned i = 0; i < p->lanes; i++) {
        p->lane[i] = r->place;
        rc = get(p, p->key[i], a, &text);
        if (rc < 0)
            return rc;
        snprintf(copy, sizeof(copy), "%.*s", rc ? (int)MIN(text.n, sizeof(copy) - 1) : 0, text.p);
        if (rc > 0 && !parse_place(copy, &at, &used)) {
            snprintf(p->error, sizeof(p->error), "%s holds no position: '%.40s'", p->key[i], copy);
            return -EINVAL;
        }
        if (rc > 0 && at.line > p->lane[i].line)
            p->lane[i] = at;
        if (p->lane[i].line < p->start.line)
            p->start = p->lane[i];
    }
    p->open_line = next_open(p, p->start.line);
    return 0;
}

static int
read_or_begin(struct position *p, unsigned lanes, struct slice first, struct asked *a)
{
    struct slice text, argv[3] = {SLICE("SET"), slice_of(p->name)};
    struct record r;
    int rc = get(p, p->name, a, &text);

    if (rc < 0)
        return rc;
    if (rc == 0) {
        p->lanes = lanes;
        set_keys(p);
        argv[2] = format_record(p, first);
        return ask(p, a, ARRAY_SIZE(argv), argv);
    }
    if (!parse_record(text, &r)) {
        snprintf(p->error, sizeof(p->error), "%s holds no position: '%.*s'", p->name,
                 (int)MIN(text.n, 40), text.p);
        return -EINVAL;
    }
    rc = check_record(p, &r, first);
    if (rc < 0)
        return rc;
    p->lanes = r.lanes;
    set_keys(p);
    rc = read_lanes(p, &r, a);
    p->now = p->start;
    return rc;
}

int
position_open(struct position *p, const struct client_target *t, const char *name, unsigned lanes,
              uint64_t options_hash, struct slice first, uint64_t wait_seconds)
{
    struct asked a = {0};
    int rc;

    memset(p, 0, sizeof(*p));
    p->fd = -1;
    p->target = *t;
    p->options_hash = options_hash;
    set_name(p, name);
    rc = client_open(t, &p->fd, p->error, sizeof(p->error));
    if (rc == 0)
        rc = take_name(p, &a, wait_seconds);
    if (rc == 0)
        rc = read_or_begin(p, lanes, first, &a);
    asked_fini(&a);
    return rc;
}

void
position_close(struct position *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

void
position_of_lane(void *position, unsigned lane, struct slice *ret_key, struct slice *ret_position)
{
    struct position *p = position;
    int n = format_place(&p->now, p->text, sizeof(p->text));

    *ret_key = slice_of(p->key[lane]);
    *ret_position = (struct slice){p->text, (size_t)n};
}

struct slice
position_found(struct position *p, unsigned lane)
{
    int n = format_place(&p->lane[lane], p->text, sizeof(p->text));

    return (struct slice){p->text, (size_t)n};
}

int
position_finish(struct position *p, struct slice first)
{
    struct slice multi = SLICE("MULTI"), exec = SLICE("EXEC");
    struct slice set[] = {SLICE("SET"), slice_of(p->name), format_record(p, first)};
    struct slice del[LANES_MAX + 1] = {SLICE("DEL")};
    struct asked a = {0};
    int rc;

    for (unsigned i = 0; i < p->lanes; i++)
        del[1 + i] = slice_of(p->key[i]);
    rc = ask(p, &a, 1, &multi);
    if (rc == 0)
        rc = ask(p, &a, ARRAY_SIZE(set), set);
    if (rc == 0)
        rc = ask(p, &a, 1 + p->lanes, del);
    if (rc == 0)
        rc = ask(p, &a, 1, &exec);
    asked_fini(&a);
    return rc;
}

int
position_check_last(struct position *p, struct slice last)
{
    if (last.n == p->start.last_n && XXH3_64bits(last.p, last.n) == p->start.last_hash)
        return 0;
    snprintf(p->error, sizeof(p->error),
             "%s tells of a file whose line %" PRIu64
             " was another: give this one another --load-name",
             p->name, p->start.line);
    return -EINVAL;
}

int
position_went_on(struct position *p, uint64_t line)
{
    snprintf(p->error, sizeof(p->error),
             "%s tells of a file whose last line, %" PRIu64
             ", had no end: now it goes on, and was loaded in part only. DEL what the file gave "
             "and this position, and load it with --growing",
             p->name, line);
    return -EINVAL;
}

int
position_check_open(struct position *p, uint64_t text_end, uint64_t end)
{
    uint64_t line = p->open_line;

    for (unsigned i = 0; i < p->lanes; i++) {
        const struct place *at = &p->lane[i];

        if (at->open && at->line == line && (at->offset < text_end || at->offset > end))
            return position_went_on(p, line);
    }
    p->open_line = next_open(p, line);
    return 0;
}

const char *
position_client_name(const struct position *p)
{
    return p->name;
}

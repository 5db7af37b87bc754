#include "tools/load/lane.h"

#include "tools/lib/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BYTES (64 * KIB)
#define ENTRIES_OF_LINE 2  /* labels, points: a line may begin when the window is almost full */
#define OVERHEAD_REPLIES 3 /* of a transaction: MULTI, SET, EXEC */

static void lane_error(void *arg, uint64_t reply, uint64_t element, const char *text);

static uint32_t
ring_size(uint64_t n)
{
    uint32_t size = 1;

    while (size < n)
        size *= 2;
    return size;
}

int
lane_init(struct lane *l, int fd, uint64_t window, bool transactions, lane_refused_fn *refused,
          void *arg)
{
    int flags = fcntl(fd, F_GETFL);
    uint32_t size = ring_size(window + ENTRIES_OF_LINE);

    *l = (struct lane){
        .fd = fd, .window = window, .transactions = transactions, .refused = refused, .arg = arg};
    l->entries = calloc(size, sizeof(*l->entries));
    l->entry_mask = size - 1;
    l->sizes = calloc(size, sizeof(*l->sizes));
    l->size_mask = size - 1;
    reply_scan_init(&l->scan);
    l->scan.on_error = lane_error;
    l->scan.on_error_arg = l;
    if (l->entries == NULL || l->sizes == NULL)
        return -ENOMEM;
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void
lane_fini(struct lane *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    buf_fini(&l->out);
    buf_fini(&l->positions);
    buf_fini(&l->settled);
    free(l->entries);
    free(l->sizes);
    l->entries = NULL;
    l->sizes = NULL;
}

/* --- writing -------------------------------------------------------------------------------------
 */

void
lane_begin(struct lane *l, uint64_t line, enum lane_what what)
{
    struct lane_entry *last = &l->entries[(l->entry_tail - 1) & l->entry_mask];

    if (l->transactions && !l->open) {
        buf_append_lit(&l->out, "*1\r\n$5\r\nMULTI\r\n");
        l->open = true;
        l->open_commands = 0;
    }
    l->open_commands++;
    l->in_flight++;
    if (l->entry_tail != l->entry_head && last->line == line && last->what == what) {
        last->n++;
        return;
    }
    ASSERT(l->entry_tail - l->entry_head <= l->entry_mask);
    l->entries[l->entry_tail++ & l->entry_mask] = (struct lane_entry){line, 1, what};
}

void
lane_commit(struct lane *l, struct slice key, struct slice position)
{
    struct slice argv[] = {SLICE("SET"), key, position};

    ASSERT(l->open && l->size_tail - l->size_head <= l->size_mask);
    ASSERT(position.n <= LANE_POSITION_MAX);
    client_command(&l->out, ARRAY_SIZE(argv), argv);
    buf_append_lit(&l->out, "*1\r\n$4\r\nEXEC\r\n");
    l->sizes[l->size_tail++ & l->size_mask] = l->open_commands;
    l->open = false;
    buf_append(&l->positions, &(char){(char)position.n}, 1);
    buf_append(&l->positions, position.p, position.n);
}

void
lane_start_at(struct lane *l, struct slice position)
{
    l->settled.n = 0;
    buf_append(&l->settled, position.p, position.n);
}

void
lane_settle(struct lane *l)
{
    l->settling = true;
    if (!l->open)
        return;
    buf_append_lit(&l->out, "*1\r\n$7\r\nDISCARD\r\n");
    l->open = false;
    l->tail_replies = l->open_commands + 2ULL; /* with MULTI's */
}

void
lane_put_back(struct lane *l, struct slice key)
{
    struct slice argv[] = {SLICE("SET"), key, {l->settled.p, l->settled.n}};

    ASSERT(l->settling && !lane_is_owed(l));
    client_command(&l->out, ARRAY_SIZE(argv), argv);
    l->tail_replies++;
    l->put_back = true;
}

/* --- answers -------------------------------------------------------------------------------------
 */

/* n commands from the oldest on are done. */
static void
retire(struct lane *l, uint64_t n)
{
    uint64_t points = 0;

    if (n == 0)
        return;
    l->in_flight -= n;
    while (n > 0) {
        struct lane_entry *e = &l->entries[l->entry_head & l->entry_mask];
        uint64_t part = MIN(n, e->n);

        e->n -= (uint32_t)part;
        n -= part;
        points += e->what == LANE_POINT ? part : 0;
        l->entry_head += e->n == 0;
    }
    l->points_done += points - MIN(points, l->points_lost);
    l->points_lost = 0;
}

/* What the i-th of the commands under way belongs to. */
static struct lane_entry
entry_of(const struct lane *l, uint64_t i)
{
    for (uint32_t at = l->entry_head; at != l->entry_tail; at++) {
        const struct lane_entry *e = &l->entries[at & l->entry_mask];

        if (i < e->n)
            return *e;
        i -= e->n;
    }
    return (struct lane_entry){0};
}

/* The oldest transaction was answered: its position is true, unless it or one before it lacks something. */
static void
take_position(struct lane *l, uint32_t commands)
{
    size_t n = (uint8_t)l->positions.p[l->positions_at];

    if (l->lacks)
        l->done_behind += commands;
    else
        lane_start_at(l, (struct slice){l->positions.p + l->positions_at + 1, n});
    l->positions_at += n + 1;
    if (l->positions_at == l->positions.n) {
        l->positions.n = l->positions_at = 0;
    } else if (l->positions_at > LANE_UNSENT_MAX / 4) {
        buf_consume(&l->positions, l->positions_at);
        l->positions_at = 0;
    }
}

bool
lane_is_owed(const struct lane *l)
{
    return l->size_head != l->size_tail || l->scan.replies - l->answered < l->tail_replies;
}

/* Accounts for what the first `replies` replies of the stream have answered. */
static int
settle(struct lane *l, uint64_t replies)
{
    if (!l->transactions) {
        if (replies - l->answered > l->in_flight)
            return -EPROTO;
        retire(l, replies - l->answered);
        l->answered = replies;
        return 0;
    }
    while (l->size_head != l->size_tail) {
        uint32_t n = l->sizes[l->size_head & l->size_mask];

        if (replies - l->answered < n + OVERHEAD_REPLIES)
            return 0;
        l->answered += n + OVERHEAD_REPLIES;
        l->size_head++;
        take_position(l, n);
        retire(l, n);
    }
    /* The head of a transaction that is still being encoded may have been answered. */
    return replies - l->answered <= l->open_commands + 1ULL || !l->open ? 0 : -EPROTO;
}

static bool
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Errors that are about the series or the point. Everything else is about the server or the load.
 */
static bool
is_about_the_data(enum lane_what what, const char *text)
{
    return begins(text, "WRONGTYPE") || begins(text, "ERR WRONGTYPE") ||
           begins(text, "ERR TSDB: ") || begins(text, "TSDB: ") ||
           (what == LANE_POINT && begins(text, "ERR TSDB_SET:") && !strstr(text, "cannot be read"));
}

/* A series that is there need not be created; of a key of another type the points are refused. */
static bool
is_expected(enum lane_what what, const char *text)
{
    return what == LANE_LABELS && (strstr(text, "already exists") || strstr(text, "WRONGTYPE"));
}

static void
lack(struct lane *l, uint64_t line)
{
    if (!l->lacks)
        l->lacks_line = line;
    l->lacks = true;
}

static void
fail(struct lane *l, uint64_t line, const char *text)
{
    lack(l, line);
    if (l->failure[0])
        return;
    snprintf(l->failure, sizeof(l->failure), "%s", text);
    l->failure_line = line;
}

static uint32_t
oldest_commands(const struct lane *l)
{
    return l->size_head != l->size_tail ? l->sizes[l->size_head & l->size_mask] : l->open_commands;
}

/* Which command a reply of the oldest transaction is about: queued, or an element of EXEC's. */
static bool
command_of(const struct lane *l, uint64_t reply, uint64_t element, uint64_t *ret_i)
{
    uint32_t n = oldest_commands(l);

    if (reply == n + 2 && element >= 1 && element <= n)
        *ret_i = element - 1;
    else if (reply >= 1 && reply <= n)
        *ret_i = reply - 1;
    else
        return false;
    return true;
}

/* Behind the last transaction: only whether the position could be put back matters. */
static bool
is_of_tail(struct lane *l, uint64_t reply)
{
    if (!l->settling || l->size_head != l->size_tail)
        return false;
    l->put_back_refused |= l->put_back && reply - l->answered == l->tail_replies - 1;
    return true;
}

static void
refuse(struct lane *l, const struct lane_entry *e, const char *text)
{
    if (l->strict)
        lack(l, e->line);
    l->refused(l->arg, e->line, e->what, text);
}

static void
lane_error(void *arg, uint64_t reply, uint64_t element, const char *text)
{
    struct lane *l = arg;
    uint64_t i = 0;
    bool data = true;
    struct lane_entry e;

    if (settle(l, reply) < 0)
        return; /* the stream is found broken at its end, too */
    if (unlikely(is_of_tail(l, reply)))
        return;
    if (l->transactions)
        data = command_of(l, reply - l->answered, element, &i) && element > 0;
    e = entry_of(l, i);
    if (data)
        l->points_lost += e.what == LANE_POINT;
    else if (element == 0 && reply - l->answered == oldest_commands(l) + 2ULL)
        l->points_lost = UINT64_MAX; /* EXEC: of the whole transaction */
    if (!data || !is_about_the_data(e.what, text))
        fail(l, e.line, text);
    else if (!is_expected(e.what, text))
        refuse(l, &e, text);
}

static int
receive(struct lane *l)
{
    char room[RECEIVE_BYTES];
    ssize_t n;
    int rc;

    do {
        n = recv(l->fd, room, sizeof(room), MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;
        rc = reply_scan_feed(&l->scan, room, (size_t)n);
        if (rc == 0)
            rc = settle(l, l->scan.replies);
        if (rc < 0) {
            l->garbled = true;
            fail(l, 0, "the server sent something that is no answer");
        }
        if (l->garbled || (l->failure[0] && !l->settling))
            return -EPROTO;
    } while (n == (ssize_t)sizeof(room));
    return 0;
}

static int
send_out(struct lane *l)
{
    ssize_t n;

    while (lane_has_unsent(l)) {
        n = send(l->fd, l->out.p + l->out_at, l->out.n - l->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0)
            return -errno;
        l->out_at += (size_t)n;
    }
    if (l->out_at == l->out.n) {
        l->out.n = l->out_at = 0;
    } else if (l->out_at > LANE_UNSENT_MAX / 4) {
        buf_consume(&l->out, l->out_at);
        l->out_at = 0;
    }
    return 0;
}

int
lane_exchange(struct lane *l)
{
    int rc = send_out(l), received;

    /* A server that closes has often said why. */
    received = receive(l);
    return received == -EPROTO || rc == 0 ? received : rc;
}

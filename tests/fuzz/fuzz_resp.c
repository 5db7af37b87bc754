/* A stream of requests, parsed whole and in pieces: both must say the same, every argument must lie
 * inside what was consumed (of an inline line with quotes: inside its copy), no byte may be changed,
 * and what was read must survive being written and read again. The first byte chooses the limits,
 * the second how the stream is cut. The same bytes also go through the measuring of replies. */
#include "net/resp.h"

#include <stdlib.h>

#define BULK_BYTES_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Appends the arguments, each behind its length: a notation that is its own check. */
static void
append_request(struct buf *said, const struct resp_parser *p)
{
    uint32_t i;

    resp_array(said, p->argc);
    for (i = 0; i < p->argc; i++)
        resp_bulk(said, p->argv[i]);
}

static void
check_request(const struct resp_parser *p, const char *data, size_t n)
{
    bool inside = *data == '*' || !(memchr(data, '"', p->used) || memchr(data, '\'', p->used));
    size_t within = inside ? p->used : p->line.n;
    uint32_t i;

    ASSERT(p->used > 0 && p->used <= n && p->need == 0 && within <= p->used);
    if (!inside)
        data = p->line.p;
    for (i = 0; i < p->argc; i++) {
        ASSERT(p->argv[i].p >= data && p->argv[i].p + p->argv[i].n <= data + within);
        ASSERT(i == 0 || p->argv[i].p >= p->argv[i - 1].p + p->argv[i - 1].n);
    }
}

struct said {
    struct buf requests, error;
};

/* Parses what has arrived in a block of its own, so that nothing outside of it goes unnoticed. */
static enum resp_status
look(struct resp_parser *p, const char *bytes, size_t n, struct said *said)
{
    char *data = malloc(n + (n == 0));
    size_t need = p->need;
    enum resp_status st;

    ASSERT(data);
    memcpy(data, bytes, n);
    st = resp_parse(p, data, n);
    ASSERT(memcmp(data, bytes, n) == 0);
    ASSERT(n >= need || st == RESP_MORE);
    if (st == RESP_COMPLETE) {
        check_request(p, data, n);
        append_request(&said->requests, p);
    } else if (st == RESP_BROKEN) {
        resp_error(&said->error, p->error);
    } else {
        ASSERT(p->need > n);
    }
    free(data);
    return st;
}

static struct said
drive(const char *bytes, size_t n, size_t step, bool authenticated)
{
    size_t at = 0, arrived = MIN(step, n);
    enum resp_status st = RESP_COMPLETE;
    struct said said = {0};
    struct resp_parser p;

    resp_parser_init(&p, BULK_BYTES_MAX);
    p.authenticated = authenticated;
    while (st != RESP_BROKEN) {
        st = look(&p, bytes + at, arrived - at, &said);
        if (st == RESP_COMPLETE)
            at += p.used;
        else if (arrived == n)
            break;
        else
            arrived = MIN(arrived + step, n);
    }
    resp_parser_fini(&p);
    return said;
}

static void
said_fini(struct said *said)
{
    buf_fini(&said->requests);
    buf_fini(&said->error);
}

static bool
buf_equal(const struct buf *a, const struct buf *b)
{
    return slice_equal((struct slice){a->p, a->n}, (struct slice){b->p, b->n});
}

/* The requests that were read, written again, are read as they are. */
static void
check_rewritten(const struct buf *requests)
{
    struct said again = drive(requests->p, requests->n, requests->n, true);

    ASSERT(again.error.n == 0 && buf_equal(&again.requests, requests));
    said_fini(&again);
}

static void
check_reply_length(const char *bytes, size_t n)
{
    int64_t length = resp_reply_length(bytes, n);

    ASSERT(length >= -1 && length <= (int64_t)n);
    if (length <= 0)
        return;
    ASSERT(resp_reply_length(bytes, (size_t)length) == length);
    ASSERT(resp_reply_length(bytes, (size_t)length - 1) == 0);
    ASSERT(resp_reply_length(bytes, (size_t)length / 2) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *bytes = (const char *)data + 2;
    struct said whole, cut;

    if (n <= 2)
        return 0;
    n -= 2;
    whole = drive(bytes, n, n, data[0] & 1);
    cut = drive(bytes, n, 1 + data[1] % 61, data[0] & 1);
    ASSERT(buf_equal(&whole.requests, &cut.requests) && buf_equal(&whole.error, &cut.error));
    if (whole.requests.n > 0)
        check_rewritten(&whole.requests);
    check_reply_length(bytes, n);
    said_fini(&whole);
    said_fini(&cut);
    return 0;
}

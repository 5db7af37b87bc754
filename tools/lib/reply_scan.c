#include "tools/lib/reply_scan.h"

#include "core/base.h"

#include <sys/types.h>

/* A bulk string or an array larger than this is a broken stream, not an answer. */
#define REPLY_LENGTH_MAX (1LL << 40)

void
reply_scan_init(struct reply_scan *s)
{
    memset(s, 0, sizeof(*s));
}

/* One element is complete; `more` elements came announced with it. */
static inline void
element_done(struct reply_scan *s, uint64_t more)
{
    uint64_t lacking = (s->lacking ? s->lacking : 1) - 1 + more;

    s->lacking = lacking;
    s->elements = lacking ? s->elements + 1 : 0;
    s->replies += lacking == 0;
}

static void
keep_error(struct reply_scan *s, const char *p, size_t n)
{
    n = MIN(n, (size_t)(REPLY_SCAN_ERROR_MAX - s->error_bytes));
    memcpy(s->error_text + s->error_bytes, p, n);
    s->error_bytes += (unsigned)n;
    while (s->error_bytes > 0 && s->error_text[s->error_bytes - 1] == '\r')
        s->error_bytes--;
    s->error_text[s->error_bytes] = '\0';
}

/* Skips to the end of the line; returns bytes taken. */
static size_t
take_line(struct reply_scan *s, const char *p, size_t n)
{
    const char *end = memchr(p, '\n', n);
    size_t taken = end ? (size_t)(end - p) + 1 : n;

    if (s->keep_line)
        keep_error(s, p, end ? taken - 1 : taken);
    s->in_line = end == NULL;
    if (end) {
        if (s->keep_line && s->on_error)
            s->on_error(s->on_error_arg, s->replies, s->elements, s->error_text);
        s->keep_line = false;
        element_done(s, 0);
    }
    return taken;
}

static int
parse_length(const char *p, const char *end, int64_t *ret_length)
{
    int64_t v = 0;
    bool negative = p < end && *p == '-';

    p += negative;
    if (p == end)
        return -EPROTO;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return -EPROTO;
        v = v * 10 + (*p - '0');
        if (v > REPLY_LENGTH_MAX)
            return -EPROTO;
    }
    if (negative && v != 1)
        return -EPROTO;
    *ret_length = negative ? -1 : v;
    return 0;
}

/* `p` is a whole header "$12\r\n" or "*3\r\n" of n bytes. */
static int
take_header(struct reply_scan *s, const char *p, size_t n)
{
    int64_t length;

    if (n < 4 || p[n - 2] != '\r' || parse_length(p + 1, p + n - 2, &length) < 0)
        return -EPROTO;
    if (length < 0) {
        s->nulls++;
        element_done(s, 0);
    } else if (p[0] == '*') {
        element_done(s, (uint64_t)length);
    } else {
        s->skip = (uint64_t)length + 2;
    }
    return 0;
}

/* The header began in an earlier piece; completes it. Returns bytes taken or -EPROTO. */
static ssize_t
join_header(struct reply_scan *s, const char *p, size_t n)
{
    size_t i, room = REPLY_SCAN_HEADER_MAX - s->header_bytes;
    unsigned whole;

    for (i = 0; i < n && i < room; i++) {
        s->header[s->header_bytes++] = p[i];
        if (p[i] == '\n') {
            whole = s->header_bytes;
            s->header_bytes = 0;
            return take_header(s, s->header, whole) < 0 ? -EPROTO : (ssize_t)(i + 1);
        }
    }
    return i == room ? -EPROTO : (ssize_t)i;
}

/* At the first byte of a bulk or array header. */
static ssize_t
start_header(struct reply_scan *s, const char *p, size_t n)
{
    const char *end = memchr(p, '\n', MIN(n, (size_t)REPLY_SCAN_HEADER_MAX));

    if (!end)
        return join_header(s, p, n);
    return take_header(s, p, (size_t)(end - p) + 1) < 0 ? -EPROTO : end - p + 1;
}

static ssize_t
start_element(struct reply_scan *s, const char *p, size_t n)
{
    switch (p[0]) {
    case '-':
        s->keep_line = s->errors++ == 0 || s->on_error;
        if (s->keep_line)
            s->error_bytes = 0;
        s->in_line = true;
        return 1;
    case '+':
    case ':':
        return (ssize_t)take_line(s, p, n);
    case '$':
    case '*':
        return start_header(s, p, n);
    default:
        return -EPROTO;
    }
}

static size_t
take_bulk(struct reply_scan *s, size_t n)
{
    size_t taken = MIN(n, s->skip);

    s->skip -= taken;
    if (s->skip == 0)
        element_done(s, 0);
    return taken;
}

/* The answers of writes come in long runs of the same five bytes. */
static size_t
take_ok_run(struct reply_scan *s, const char *p, size_t n)
{
    size_t at = 0;

    while (n - at >= 5 && memcmp(p + at, "+OK\r\n", 5) == 0)
        at += 5;
    s->replies += at / 5;
    return at;
}

int
reply_scan_feed(struct reply_scan *s, const char *p, size_t n)
{
    size_t at = 0;
    ssize_t taken;

    while (at < n) {
        if (s->skip > 0)
            taken = (ssize_t)take_bulk(s, n - at);
        else if (s->in_line)
            taken = (ssize_t)take_line(s, p + at, n - at);
        else if (s->header_bytes > 0)
            taken = join_header(s, p + at, n - at);
        else if (s->lacking == 0 && (taken = (ssize_t)take_ok_run(s, p + at, n - at)) > 0)
            ;
        else
            taken = start_element(s, p + at, n - at);
        if (taken < 0)
            return -EPROTO;
        at += (size_t)taken;
    }
    return 0;
}

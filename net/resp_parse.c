/* The request parser. Two ways through it that must agree:
 *
 * The fast path takes an array request that lies complete in the buffer and whose counts and
 * lengths have at most three digits, which is nearly every request there is. It is one loop with
 * nothing called from it. Whatever it does not like it leaves alone: it parks what it has seen and
 * the slow path goes on from there, and only the slow path ever says "more" or "broken".
 *
 * The slow path takes one token at a time (count line, length line, argument, inline line) and
 * notes after each where it stands, so a request that arrives in a thousand pieces is looked at
 * once, not a thousand times.
 *
 * What is accepted is what Redis 7.0 accepts: a length line ends at its CR and the byte after that
 * is not looked at; neither are the two bytes that end an argument. A line is judged when its CR
 * and one more byte are there, not before, so how a stream was cut never changes what is said about
 * it. Different from Redis: a NUL byte is a byte like any other (Redis waits for ever behind it),
 * and the limit on arguments is RESP_ARGS_MAX instead of INT_MAX. */
#include "net/resp.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/resp_priv.h"

#define ARGV_FIRST 16
/* The least an argument can occupy, "$0\r\n\r\n": what the fast path may read unchecked. */
#define ARGUMENT_BYTES_MIN 6

void
resp_parser_init(struct resp_parser *p, uint64_t bulk_bytes_max)
{
    *p = (struct resp_parser){.bulk_bytes_max = bulk_bytes_max, .authenticated = true};
}

void
resp_parser_fini(struct resp_parser *p)
{
    free(p->argv);
    buf_fini(&p->line);
    *p = (struct resp_parser){0};
}

void
resp_parser_reset(struct resp_parser *p)
{
    p->argc = 0;
    p->need = 0;
    p->resume_argc = 0;
    p->resume_total = 0;
    p->resume_offset = 0;
    p->resume_scan = 0;
}

static void
resize_argv(struct resp_parser *p, uint32_t cap)
{
    p->argv = realloc(p->argv, cap * sizeof(*p->argv));
    ASSERT(p->argv);
    p->argv_cap = cap;
}

void
resp_push_arg(struct resp_parser *p, uint32_t i, uintptr_t at, size_t n)
{
    /* Grown by what was seen, never by what was announced: a count costs its sender nothing. */
    if (unlikely(i == p->argv_cap))
        resize_argv(p, p->argv_cap ? p->argv_cap * 2 : ARGV_FIRST);
    p->argv[i] = (struct slice){(const char *)at, n};
}

static enum resp_status
more(struct resp_parser *p, size_t need)
{
    p->need = need;
    return RESP_MORE;
}

static enum resp_status
broken(struct resp_parser *p, const char *what)
{
    resp_parser_reset(p);
    snprintf(p->error, sizeof(p->error), "Protocol error: %s", what);
    return RESP_BROKEN;
}

static enum resp_status
complete(struct resp_parser *p, uint32_t argc, size_t used)
{
    resp_parser_reset(p);
    p->argc = argc;
    p->used = used;
    return RESP_COMPLETE;
}

/* Finds the CR of the line at resume_offset and sees to it that one byte follows it. COMPLETE means
 * the line is data[resume_offset .. +*ret_n). */
static enum resp_status
find_line(struct resp_parser *p, const char *data, size_t n, const char *too_big, size_t *ret_n)
{
    const char *line = data + p->resume_offset;
    size_t have = MIN(n - p->resume_offset, RESP_INLINE_BYTES_MAX + 1);
    const char *cr = memchr(line + p->resume_scan, '\r', have - p->resume_scan);

    if (cr == NULL && have > RESP_INLINE_BYTES_MAX)
        return broken(p, too_big);
    p->resume_scan = cr ? (size_t)(cr - line) : have;
    if (cr == NULL || (size_t)(cr - line) + 2 > n - p->resume_offset)
        return more(p, n + 1);
    p->resume_scan = 0;
    *ret_n = (size_t)(cr - line);
    return RESP_COMPLETE;
}

/* The line "*count". A count of zero or less is a whole request of nothing. */
static enum resp_status
read_count(struct resp_parser *p, const char *data, size_t n)
{
    size_t line_n;
    int64_t count;
    enum resp_status st = find_line(p, data, n, "too big mbulk count string", &line_n);

    if (st != RESP_COMPLETE)
        return st;
    if (!parse_int((struct slice){data + 1, line_n - 1}, &count) || count > RESP_ARGS_MAX)
        return broken(p, "invalid multibulk length");
    if (count > RESP_ARGS_MAX_UNAUTH && !p->authenticated)
        return broken(p, "unauthenticated multibulk length");
    p->resume_offset = line_n + 2;
    p->resume_total = count > 0 ? (uint32_t)count : 0;
    return RESP_COMPLETE;
}

static enum resp_status
expected_dollar(struct resp_parser *p, char got)
{
    char what[] = "expected '$', got ' '";

    /* The text becomes one line of a reply: what would end that line is shown as a space. */
    if (got != '\r' && got != '\n' && got != '\0')
        what[sizeof("expected '$', got '") - 1] = got;
    return broken(p, what);
}

/* One argument, "$length" and its bytes. The length line is read again when the bytes have come:
 * that is a dozen bytes, and `need` keeps it from happening more than once. */
static enum resp_status
read_argument(struct resp_parser *p, const char *data, size_t n)
{
    const char *line = data + p->resume_offset;
    size_t line_n, at;
    int64_t len;
    enum resp_status st = find_line(p, data, n, "too big bulk count string", &line_n);

    if (st != RESP_COMPLETE)
        return st;
    if (*line != '$')
        return expected_dollar(p, *line);
    if (!parse_int((struct slice){line + 1, line_n - 1}, &len) || len < 0 ||
        (uint64_t)len > p->bulk_bytes_max)
        return broken(p, "invalid bulk length");
    if (len > RESP_BULK_BYTES_MAX_UNAUTH && !p->authenticated)
        return broken(p, "unauthenticated bulk length");
    at = p->resume_offset + line_n + 2;
    if (n - at < (size_t)len + 2)
        return more(p, at + (size_t)len + 2);
    resp_push_arg(p, p->resume_argc, at, (size_t)len);
    p->resume_argc++;
    p->resume_offset = at + (size_t)len + 2;
    return RESP_COMPLETE;
}

static enum resp_status
parse_array(struct resp_parser *p, const char *data, size_t n)
{
    enum resp_status st;
    uint32_t i, argc;

    if (p->resume_total == 0) {
        st = read_count(p, data, n);
        if (st != RESP_COMPLETE)
            return st;
    }
    while (p->resume_argc < p->resume_total) {
        st = read_argument(p, data, n);
        if (st != RESP_COMPLETE)
            return st;
    }
    argc = p->resume_argc;
    for (i = 0; i < argc; i++)
        p->argv[i].p = data + (uintptr_t)p->argv[i].p;
    return complete(p, argc, p->resume_offset);
}

/* Splits the line data[0..n). Quoted parts become shorter, and who cannot run the request now has the
 * same bytes parsed again later: a line with quotes is split in a copy. */
static bool
split_line(struct resp_parser *p, const char *data, size_t n, uint32_t *ret_argc)
{
    if (memchr(data, '"', n) == NULL && memchr(data, '\'', n) == NULL)
        return resp_split_plain(p, data, n, ret_argc);
    p->line.n = 0;
    buf_append(&p->line, data, n);
    return resp_split_quoted(p, p->line.p, n, ret_argc);
}

/* An inline command: a line up to LF, with a CR before it or not. */
static enum resp_status
parse_inline(struct resp_parser *p, const char *data, size_t n)
{
    size_t have = MIN(n, RESP_INLINE_BYTES_MAX + 1), line_n;
    const char *lf = memchr(data + p->resume_scan, '\n', have - p->resume_scan);
    uint32_t argc;

    if (lf == NULL && have > RESP_INLINE_BYTES_MAX)
        return broken(p, "too big inline request");
    if (lf == NULL) {
        p->resume_scan = have;
        return more(p, n + 1);
    }
    line_n = (size_t)(lf - data);
    if (line_n > 0 && data[line_n - 1] == '\r')
        line_n--;
    if (!split_line(p, data, line_n, &argc))
        return broken(p, "unbalanced quotes in request");
    return complete(p, argc, (size_t)(lf - data) + 1);
}

static __attribute__((noinline)) enum resp_status
parse_slow(struct resp_parser *p, const char *data, size_t n)
{
    if (n == 0)
        return more(p, 1);
    if (data[0] == '*')
        return parse_array(p, data, n);
    return parse_inline(p, data, n);
}

/* The number in "?d\r", "?dd\r" or "?ddd\r", of which ARGUMENT_BYTES_MIN bytes are readable.
 * Returns the bytes of the line with its LF, 0 = leave it to the slow path. */
static inline size_t
short_number(const char *p, size_t *ret_v)
{
    unsigned a = (unsigned)(uint8_t)p[1] - '0', b, c;

    if (unlikely(a > 9))
        return 0;
    if (p[2] == '\r') {
        *ret_v = a;
        return 4;
    }
    b = (unsigned)(uint8_t)p[2] - '0';
    if (unlikely(b > 9 || a == 0))
        return 0;
    if (p[3] == '\r') {
        *ret_v = a * 10 + b;
        return 5;
    }
    c = (unsigned)(uint8_t)p[3] - '0';
    if (unlikely(c > 9 || p[4] != '\r'))
        return 0;
    *ret_v = (a * 10 + b) * 10 + c;
    return 6;
}

/* Hands what the fast path has seen to the slow path. */
static __attribute__((noinline)) bool
park(struct resp_parser *p, const char *data, const char *at, uint32_t seen, size_t total)
{
    uint32_t i;

    for (i = 0; i < seen; i++)
        p->argv[i].p = (const char *)(uintptr_t)(p->argv[i].p - data);
    p->resume_argc = seen;
    p->resume_total = (uint32_t)total;
    p->resume_offset = (size_t)(at - data);
    return false;
}

/* False: not complete here, the slow path goes on from the resume_ fields. */
static inline bool
parse_fast(struct resp_parser *p, const char *data, size_t n)
{
    const char *at = data, *end = data + n;
    size_t bulk_bytes_max = p->bulk_bytes_max;
    struct slice *argv = p->argv;
    size_t step, total, len;
    uint32_t i;

    if (unlikely(n < ARGUMENT_BYTES_MIN || *at != '*'))
        return false;
    step = short_number(at, &total);
    if (unlikely(step == 0 || total > p->argv_cap ||
                 (total > RESP_ARGS_MAX_UNAUTH && !p->authenticated)))
        return false;
    at += step;
    for (i = 0; i < total; i++) {
        if (unlikely(end - at < ARGUMENT_BYTES_MIN || *at != '$'))
            return park(p, data, at, i, total);
        step = short_number(at, &len);
        if (unlikely(step == 0 || (size_t)(end - at) < step + len + 2 || len > bulk_bytes_max))
            return park(p, data, at, i, total);
        argv[i] = (struct slice){at + step, len};
        at += step + len + 2;
    }
    p->argc = (uint32_t)total;
    p->used = (size_t)(at - data);
    return true;
}

enum resp_status
resp_parse(struct resp_parser *p, const char *data, size_t n)
{
    if (unlikely(p->need != 0)) {
        if (n < p->need)
            return RESP_MORE;
        return parse_slow(p, data, n);
    }
    if (unlikely(p->argv_cap > RESP_ARGV_KEEP))
        resize_argv(p, RESP_ARGV_KEEP);
    if (likely(parse_fast(p, data, n)))
        return RESP_COMPLETE;
    return parse_slow(p, data, n);
}

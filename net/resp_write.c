/* The reply writers. Each reserves once and writes once. */
#include "net/resp.h"

#include <stdarg.h>
#include <stdio.h>

/* A type byte, a number of 20 digits, CRLF, "txt:" and the closing CRLF: 29 at most. */
#define HEADER_BYTES_MAX 32

static char *
put_header(char *out, char type, uint64_t n)
{
    *out++ = type;
    out += format_uint(out, n);
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static void
append_header(struct buf *b, char type, uint64_t n)
{
    char *out = buf_reserve(b, HEADER_BYTES_MAX);

    b->n += (size_t)(put_header(out, type, n) - out);
}

/* What would end the line early becomes a space. */
static void
flatten_line(char *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (p[i] == '\r' || p[i] == '\n')
            p[i] = ' ';
}

static void
append_line(struct buf *b, char type, const char *s)
{
    size_t n = strlen(s);
    char *out = buf_reserve(b, n + 3);

    out[0] = type;
    memcpy(out + 1, s, n);
    flatten_line(out + 1, n);
    memcpy(out + 1 + n, "\r\n", 2);
    b->n += n + 3;
}

void
resp_simple(struct buf *b, const char *s)
{
    append_line(b, '+', s);
}

void
resp_error(struct buf *b, const char *s)
{
    append_line(b, '-', s);
}

void
resp_errorf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *out;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    out = buf_reserve(b, (size_t)n + 3);
    out[0] = '-';
    va_start(ap, fmt);
    vsnprintf(out + 1, (size_t)n + 1, fmt, ap);
    va_end(ap);
    flatten_line(out + 1, (size_t)n);
    memcpy(out + 1 + n, "\r\n", 2);
    b->n += (size_t)n + 3;
}

void
resp_int_text(struct buf *b, struct slice text)
{
    char *out = buf_reserve(b, text.n + 3);

    out[0] = ':';
    if (likely(text.n >= 8 && text.n <= 16)) { /* a time: no call */
        memcpy(out + 1, text.p, 8);
        memcpy(out + 1 + text.n - 8, text.p + text.n - 8, 8);
    } else {
        memcpy(out + 1, text.p, text.n);
    }
    memcpy(out + 1 + text.n, "\r\n", 2);
    b->n += text.n + 3;
}

void
resp_int(struct buf *b, int64_t v)
{
    char *out = buf_reserve(b, HEADER_BYTES_MAX);
    size_t n;

    out[0] = ':';
    n = 1 + format_int(out + 1, v);
    memcpy(out + n, "\r\n", 2);
    b->n += n + 2;
}

void
resp_bulk(struct buf *b, struct slice s)
{
    char *start = buf_reserve(b, s.n + HEADER_BYTES_MAX);
    char *out = put_header(start, '$', s.n);

    if (s.n > 0)
        memcpy(out, s.p, s.n);
    memcpy(out + s.n, "\r\n", 2);
    b->n += (size_t)(out - start) + s.n + 2;
}

void
resp_bulk_int(struct buf *b, int64_t v)
{
    char text[RESP_INT_TEXT_MAX];

    resp_bulk(b, (struct slice){text, format_int(text, v)});
}

void
resp_null(struct buf *b, int proto)
{
    if (proto >= 3)
        buf_append_lit(b, "_\r\n");
    else
        buf_append_lit(b, "$-1\r\n");
}

void
resp_null_array(struct buf *b, int proto)
{
    if (proto >= 3)
        buf_append_lit(b, "_\r\n");
    else
        buf_append_lit(b, "*-1\r\n");
}

void
resp_array(struct buf *b, uint64_t n)
{
    append_header(b, '*', n);
}

void
resp_map(struct buf *b, int proto, uint64_t pairs)
{
    if (proto >= 3)
        append_header(b, '%', pairs);
    else
        append_header(b, '*', pairs * 2);
}

void
resp_set(struct buf *b, int proto, uint64_t n)
{
    append_header(b, proto >= 3 ? '~' : '*', n);
}

void
resp_bool(struct buf *b, int proto, bool v)
{
    const char *text = proto >= 3 ? (v ? "#t\r\n" : "#f\r\n") : (v ? ":1\r\n" : ":0\r\n");

    buf_append(b, text, 4);
}

void
resp_double(struct buf *b, int proto, double v)
{
    char text[RESP_DOUBLE_TEXT_MAX];
    size_t n = format_double(text, v);
    char *out;

    if (proto < 3) {
        resp_bulk(b, (struct slice){text, n});
        return;
    }
    out = buf_reserve(b, n + 3);
    out[0] = ',';
    memcpy(out + 1, text, n);
    memcpy(out + 1 + n, "\r\n", 2);
    b->n += n + 3;
}

void
resp_sample_value(struct buf *b, int proto, double v)
{
    char *out = buf_reserve(b, RESP_DOUBLE_TEXT_MAX + 3);
    size_t n = proto < 3 ? format_sample_resp2(out + 1, v) : format_sample_resp3(out + 1, v);

    out[0] = proto < 3 ? '+' : ',';
    memcpy(out + 1 + n, "\r\n", 2);
    b->n += n + 3;
}

void
resp_verbatim(struct buf *b, int proto, struct slice s)
{
    char *start, *out;

    if (proto < 3) {
        resp_bulk(b, s);
        return;
    }
    start = buf_reserve(b, s.n + HEADER_BYTES_MAX);
    out = put_header(start, '=', s.n + 4);
    memcpy(out, "txt:", 4);
    if (s.n > 0)
        memcpy(out + 4, s.p, s.n);
    memcpy(out + 4 + s.n, "\r\n", 2);
    b->n += (size_t)(out - start) + 4 + s.n + 2;
}

void
resp_push(struct buf *b, int proto, uint64_t n)
{
    append_header(b, proto >= 3 ? '>' : '*', n);
}

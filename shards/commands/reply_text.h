/* Pieces of replies as text, for the writers that make long ones: each writes at `out`, where there
 * is room, and returns where it ended. */
#ifndef SHARDS_COMMANDS_REPLY_TEXT_H
#define SHARDS_COMMANDS_REPLY_TEXT_H

#include "net/number.h"

/* A double in any of the forms below, with its header and line end. */
#define REPLY_DOUBLE_BYTES_MAX (5 + RESP_DOUBLE_TEXT_MAX + 2)
/* "*n" or ":n" and the like. */
#define REPLY_HEAD_BYTES_MAX (1 + RESP_INT_TEXT_MAX + 2)

static inline char *
reply_put_end(char *out)
{
    memcpy(out, "\r\n", 2);
    return out + 2;
}

static inline char *
reply_put_head(char *out, char type, int64_t n)
{
    *out++ = type;
    return reply_put_end(out + format_int(out, n));
}

/* "$n", then text of up to 99 bytes that is n bytes long. */
static inline char *
reply_put_bulk_double(char *out, double v)
{
    char *text = out + 4; /* "$n\r\n", one byte more for two digits */
    size_t n = format_double(text + 1, v);

    *out++ = '$';
    if (n >= 10)
        *out++ = (char)('0' + n / 10);
    *out++ = (char)('0' + n % 10);
    out = reply_put_end(out);
    memmove(out, text + 1, n);
    return reply_put_end(out + n);
}

/* As TSDB_* commands write a value: text in RESP2, a double in RESP3. */
static inline char *
reply_put_double(char *out, int proto, double v)
{
    if (proto < 3)
        return reply_put_bulk_double(out, v);
    *out++ = ',';
    return reply_put_end(out + format_double(out, v));
}

/* As TS.* commands write it: RedisTimeSeries' notation. */
static inline char *
reply_put_sample(char *out, int proto, double v)
{
    *out++ = proto < 3 ? '+' : ',';
    out += proto < 3 ? format_sample_resp2(out, v) : format_sample_resp3(out, v);
    return reply_put_end(out);
}

#endif

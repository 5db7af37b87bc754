/* RESP: parsing requests and writing replies.
 *
 * Requests: arrays of bulk strings, or inline commands. The parser is incremental by restart: it
 * looks at the bytes there are and says complete, need more, or broken; it allocates only to grow
 * its argument vector and copies nothing but inline lines with quotes. Arguments point into the
 * caller's bytes, those of such a line into a copy of it: the bytes are never changed, so a request
 * that cannot be run yet may be parsed again. */
#ifndef NET_RESP_H
#define NET_RESP_H

#include "core/base.h"
#include "core/buf.h"
#include "net/number.h"

#define RESP_INLINE_BYTES_MAX (64 * KIB) /* an inline line, and any length line, as in Redis */
#define RESP_ARGS_MAX (1024 * 1024)      /* arguments of one request */
#define RESP_ARGS_MAX_UNAUTH 10          /* the same before AUTH */
#define RESP_BULK_BYTES_MAX_UNAUTH 16384 /* one argument before AUTH */
#define RESP_ARGV_KEEP 256               /* argument slots a parser keeps between requests */
#define RESP_LINE_KEEP 1024              /* bytes of an inline line that it keeps */
#define RESP_ERROR_TEXT_MAX 96

enum resp_status {
    RESP_COMPLETE, /* one request: argc/argv; `used` bytes consumed (argc 0 = nothing to run) */
    RESP_MORE,     /* nothing consumed; `need` = least total bytes that can make progress */
    RESP_BROKEN,   /* protocol error: `error` is the text after "-ERR " */
};

/* One per connection: it remembers a half-received request. No memory until the first request;
 * argv is valid until the next resp_parse on the same parser, and only after RESP_COMPLETE. What
 * the arguments of an inline command point to is valid until then, too. */
struct resp_parser {
    /* the request found */
    struct slice *argv;
    uint32_t argc, argv_cap;
    size_t used;
    size_t need;
    /* limits, set by the owner */
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    bool authenticated;      /* false: the small limits before AUTH apply */
    /* where a half-received request stands, so that retrying does not rescan what was seen; the
     * bytes may have moved meanwhile, so argv[0..resume_argc).p hold offsets, not addresses */
    uint32_t resume_argc;  /* arguments seen */
    uint32_t resume_total; /* arguments announced; 0 = not known yet */
    size_t resume_offset;  /* first byte that is not understood yet */
    size_t resume_scan;    /* bytes after it known to hold no end of line */
    struct buf line;       /* the inline command with quotes that was parsed last */
    char error[RESP_ERROR_TEXT_MAX];
};

/* `authenticated` starts out true: owners that ask for a password clear it. */
void resp_parser_init(struct resp_parser *p, uint64_t bulk_bytes_max);
void resp_parser_fini(struct resp_parser *p);

/* Looks for one request at the start of data[0..n). `data` must be the same bytes (possibly moved,
 * with more appended) until COMPLETE or BROKEN; resp_parser_reset forgets a half-seen request.
 *
 * On RESP_MORE calling again with fewer than `need` bytes is cheap and useless. Inside an argument
 * `need` reaches to its end, at most bulk_bytes_max plus what came before; that is what a client
 * announced, not what it sent, so whoever reserves that much decides whether to believe it. */
enum resp_status resp_parse(struct resp_parser *p, const char *data, size_t n);
void resp_parser_reset(struct resp_parser *p);

/* To be called when the arguments are no longer needed: a long inline line is given back. */
static inline void
resp_parser_trim(struct resp_parser *p)
{
    if (unlikely(p->line.cap > RESP_LINE_KEEP))
        buf_fini(&p->line);
}

/* Reply writers append to a buf. `proto` is 2 or 3 and matters where the two differ. */
void resp_simple(struct buf *b, const char *s); /* +s */
void resp_error(struct buf *b, const char *s);  /* -s ; CR and LF become spaces */
__attribute__((format(printf, 2, 3))) void resp_errorf(struct buf *b, const char *fmt, ...);
void resp_int(struct buf *b, int64_t v);       /* :v */
/* :v of a number that parse_int has read from this text: there is but one way to write it. */
void resp_int_text(struct buf *b, struct slice text);
void resp_bulk(struct buf *b, struct slice s); /* $n */
void resp_bulk_int(struct buf *b, int64_t v);
void resp_null(struct buf *b, int proto);                     /* $-1 or _ */
void resp_null_array(struct buf *b, int proto);               /* *-1 or _ */
void resp_array(struct buf *b, uint64_t n);                   /* *n, also sets in RESP2 */
void resp_map(struct buf *b, int proto, uint64_t pairs);      /* *2n or %n */
void resp_set(struct buf *b, int proto, uint64_t n);          /* *n or ~n */
void resp_bool(struct buf *b, int proto, bool v);             /* :0/:1 or #f/#t */
void resp_double(struct buf *b, int proto, double v);         /* bulk text or ,v ; inf, -inf, nan */
/* The value of a sample as RedisTimeSeries writes it: +text (format_sample_resp2) or ,text. */
void resp_sample_value(struct buf *b, int proto, double v);
void resp_verbatim(struct buf *b, int proto, struct slice s); /* bulk or =n txt: */
void resp_push(struct buf *b, int proto, uint64_t n);         /* *n or >n */

/* The constant replies, for the hot path. */
static inline void
resp_ok(struct buf *b)
{
    buf_append_lit(b, "+OK\r\n");
}

/* Length of the first complete reply at p (nested replies included), 0 when incomplete, -1 when
 * malformed; for code that splits concatenated replies, and for tests. Knows RESP2 and RESP3; an
 * attribute (|n) belongs to the reply that follows it. */
int64_t resp_reply_length(const char *p, size_t n);

#endif

/* RESP: parsing requests and writing replies.
 *
 * Requests: arrays of bulk strings, or inline commands. The parser is incremental by restart: it
 * looks at the bytes there are and says complete, need more, or broken; it allocates only to grow
 * its argument vector and never copies. Arguments point into the caller's bytes (inline commands
 * with quotes are unescaped in place, so the bytes are writable). */
#ifndef NET_RESP_H
#define NET_RESP_H

#include "core/base.h"
#include "core/buf.h"

#define RESP_INLINE_BYTES_MAX (64 * KIB) /* as Redis: "too big inline request" */
#define RESP_ARGS_MAX (1024 * 1024)      /* as Redis: "invalid multibulk length" */
#define RESP_INT_TEXT_MAX 21             /* "-9223372036854775808" */
#define RESP_DOUBLE_TEXT_MAX 32

enum resp_status {
    RESP_COMPLETE,  /* one request: argc/argv; `used` bytes consumed (argc 0 = empty line) */
    RESP_MORE,      /* nothing consumed; `need` = least total bytes that can make progress */
    RESP_BROKEN,    /* protocol error: `error` is the text after "-ERR " */
};

struct resp_parser {
    struct slice *argv;
    uint32_t argc, argv_cap;
    size_t used;
    size_t need;
    char error[96];
    /* limits, set by the owner */
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    bool authenticated;      /* false: Redis's small limits before AUTH apply (10 args, 16 KiB) */
    /* where a half-received request stands, so that retrying does not rescan what was seen */
    uint32_t resume_argc;
    size_t resume_offset;
    uint32_t resume_total;
};

void resp_parser_init(struct resp_parser *p, uint64_t bulk_bytes_max);
void resp_parser_fini(struct resp_parser *p);
/* Looks for one request at the start of data[0..n). `data` must be the same bytes (possibly moved,
 * with more appended) until COMPLETE or BROKEN; resp_parser_reset forgets a half-seen request. */
enum resp_status resp_parse(struct resp_parser *p, char *data, size_t n);
void resp_parser_reset(struct resp_parser *p);

/* Reply writers append to a buf. `proto` is 2 or 3 and matters where the two differ. */
void resp_simple(struct buf *b, const char *s);         /* +s */
void resp_error(struct buf *b, const char *s);          /* -s ; CR and LF become spaces */
__attribute__((format(printf, 2, 3))) void resp_errorf(struct buf *b, const char *fmt, ...);
void resp_int(struct buf *b, int64_t v);                /* :v */
void resp_bulk(struct buf *b, struct slice s);          /* $n */
void resp_bulk_int(struct buf *b, int64_t v);
void resp_null(struct buf *b, int proto);               /* $-1 or _ */
void resp_null_array(struct buf *b, int proto);         /* *-1 or _ */
void resp_array(struct buf *b, uint64_t n);             /* *n, also sets in RESP2 */
void resp_map(struct buf *b, int proto, uint64_t pairs); /* *2n or %n */
void resp_set(struct buf *b, int proto, uint64_t n);    /* *n or ~n */
void resp_bool(struct buf *b, int proto, bool v);       /* :0/:1 or #f/#t */
void resp_double(struct buf *b, int proto, double v);   /* bulk text or ,v ; inf, -inf, nan */
void resp_verbatim(struct buf *b, int proto, struct slice s); /* bulk or =n txt: */
void resp_push(struct buf *b, int proto, uint64_t n);   /* *n or >n */

/* The constant replies, for the hot path. */
static inline void
resp_ok(struct buf *b)
{
    buf_append_lit(b, "+OK\r\n");
}

/* Numbers. Text buffers are not NUL-terminated; the length is returned. */
size_t format_int(char out[RESP_INT_TEXT_MAX], int64_t v);
/* Shortest text that reads back as the same double ("100.5", "1e+300", "-0", "nan", "inf"); fixed
 * notation between 1e-5 and 1e21 as `%.17g`-style clients expect it from Redis 7 scores. */
size_t format_double(char out[RESP_DOUBLE_TEXT_MAX], double v);
/* Strict decimal int64 as Redis's string2ll: no spaces, no '+', no leading zeros. False = not one. */
bool parse_int(struct slice s, int64_t *ret_v);
/* A double as strtod reads it, the whole slice, correctly rounded, fast for plain decimals.
 * False = not a number. "inf"/"nan" spellings are accepted: callers that want finite check. */
bool parse_double(struct slice s, double *ret_v);

/* Length of the first complete reply at p (nested replies included), 0 when incomplete, -1 when
 * malformed; for code that splits concatenated replies, and for tests. */
int64_t resp_reply_length(const char *p, size_t n);

#endif

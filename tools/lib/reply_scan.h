/* Counts complete replies in a RESP2 byte stream, as fast as it can and without keeping any.
 *
 * A client that only wants to know "how many are answered, was one an error" need not build values:
 * lines are skipped to their end, bulk strings by their length, and arrays only raise the number of
 * elements that the current reply still lacks, which covers any nesting. The stream may be cut
 * anywhere; the scanner keeps what it needs from one call to the next. */
#ifndef TOOLS_LIB_REPLY_SCAN_H
#define TOOLS_LIB_REPLY_SCAN_H

#include "core/base.h"

/* "$<length>\r\n" and "*<count>\r\n" must fit; a longer header is a protocol error. */
#define REPLY_SCAN_HEADER_MAX 32
#define REPLY_SCAN_ERROR_MAX 255

/* Is told of each error line: the number of the reply it is in (0: the first of the stream), which
 * element of it (0: the reply itself, 1: the first element of the array that it is), its text. */
typedef void reply_scan_error_fn(void *arg, uint64_t reply, uint64_t element, const char *text);

struct reply_scan {
    reply_scan_error_fn *on_error; /* NULL: errors are only counted, the first one's text kept */
    void *on_error_arg;
    uint64_t replies;     /* complete top-level replies so far */
    uint64_t errors;      /* error lines so far, nested ones too */
    uint64_t nulls;       /* null bulk strings and null arrays: misses */
    uint64_t lacking;     /* elements the current reply still needs, 0 between replies */
    uint64_t elements;    /* elements of the current reply that are complete */
    uint64_t skip;        /* bytes of bulk string and its CRLF still to come */
    bool in_line;         /* inside a line whose end has not come yet */
    bool keep_line;       /* that line is an error whose text is wanted */
    unsigned error_bytes; /* length of error_text */
    unsigned header_bytes;
    char header[REPLY_SCAN_HEADER_MAX]; /* start of a header that was cut */
    char error_text[REPLY_SCAN_ERROR_MAX + 1];
};

/* All zero is the start state; on_error may be set afterwards. */
void reply_scan_init(struct reply_scan *s);
/* Takes the next n bytes of the stream. 0, or -EPROTO if they are not RESP2; the scanner is then of
 * no further use. */
int reply_scan_feed(struct reply_scan *s, const char *p, size_t n);

#endif

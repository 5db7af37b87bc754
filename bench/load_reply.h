/* Counts complete replies in a RESP2 byte stream, as fast as it can and without keeping any.
 *
 * A client that only wants to know "how many are answered, was one an error" need not build values:
 * lines are skipped to their end, bulk strings by their length, and arrays only raise the number of
 * elements that the current reply still lacks, which covers any nesting. The stream may be cut
 * anywhere; the scanner keeps what it needs from one call to the next. */
#ifndef BENCH_LOAD_REPLY_H
#define BENCH_LOAD_REPLY_H

#include "core/base.h"

/* "$<length>\r\n" and "*<count>\r\n" must fit; a longer header is a protocol error. */
#define LOAD_REPLY_HEADER_MAX 32
#define LOAD_REPLY_ERROR_MAX 255

struct load_reply_scan {
    uint64_t replies;     /* complete top-level replies so far */
    uint64_t errors;      /* error lines so far, nested ones too */
    uint64_t nulls;       /* null bulk strings and null arrays: misses */
    uint64_t lacking;     /* elements the current reply still needs, 0 between replies */
    uint64_t skip;        /* bytes of bulk string and its CRLF still to come */
    bool in_line;         /* inside a line whose end has not come yet */
    bool keep_line;       /* that line is the first error: keep its text */
    unsigned error_bytes; /* length of error_text */
    unsigned header_bytes;
    char header[LOAD_REPLY_HEADER_MAX]; /* start of a header that was cut */
    char error_text[LOAD_REPLY_ERROR_MAX + 1];
};

/* All zero is the start state. */
void load_reply_init(struct load_reply_scan *s);
/* Takes the next n bytes of the stream. 0, or -EPROTO if they are not RESP2; the scanner is then of
 * no further use. */
int load_reply_feed(struct load_reply_scan *s, const char *p, size_t n);

#endif

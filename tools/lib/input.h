/* Lines of a file, plain, .gz or .zst; which of them is seen by the first bytes, not by the name.
 *
 * A line is handed out without its end ("\n" or "\r\n"), in memory that is the reader's and may be
 * written to until the next call. The last line of a file may have none, or half of one ("\r").
 * Lines within quotes may be parts of one record, if the owner says so. Offsets count bytes of the
 * text, uncompressed. A file that ends within compressed data is an error, not an end; zeros behind
 * gzip data are nothing, as for gzip. */
#ifndef TOOLS_LIB_INPUT_H
#define TOOLS_LIB_INPUT_H

#include "core/base.h"
#include "core/buf.h"

#define INPUT_LINE_BYTES_MAX (1 * MIB)
#define INPUT_ERROR_MAX 320
/* Of a record of several lines: a quote that is not closed by then is a stray one. A key of 65535
 * quotes is twice as long. */
#define INPUT_RECORD_BYTES_MAX (256 * KIB)

struct input_decoder;
struct input;

/* Before a read() of what is no file, where bytes may be long in coming. 0 when it is to be read, or
 * a negative errno with input.error set: the reader stops with that. */
typedef int input_wait_fn(void *arg, struct input *in);

struct input {
    const char *path; /* "-" is standard input */
    int fd;
    struct input_decoder *decoder; /* NULL: plain */
    struct buf raw;                /* read from the file, not decoded yet */
    size_t raw_at;
    bool raw_end;
    struct buf text; /* decoded, not handed out yet */
    size_t text_at;
    size_t handed; /* bytes before text_at that are the last line, with its end */
    bool text_end;
    input_wait_fn *wait; /* NULL: read() waits */
    void *wait_arg;
    /* for the owner to look at */
    uint64_t line;       /* number of the line handed out last, the first is 1 */
    uint64_t offset;     /* of the text behind it */
    unsigned end_bytes;  /* of its end, which lies before `offset` */
    bool ended;          /* there was a "\n" */
    bool open;           /* a quote of it is not closed by the end of the text */
    uint64_t file_bytes; /* size of the file, 0 when it has none (a pipe) */
    uint64_t file_at;    /* bytes of it that were read, ahead of the lines */
    bool garbage;        /* behind the end of gzip data stood what is none, and was passed over */
    char error[INPUT_ERROR_MAX];
};

enum input_result {
    INPUT_END,
    INPUT_LINE,
    INPUT_LONG, /* a line over INPUT_LINE_BYTES_MAX was passed over */
};

/* 0, or a negative errno with input.error set. `path` must stay. */
int input_open(struct input *in, const char *path);
/* The same, with somebody who waits for the bytes of a pipe, the first ones too. */
int input_open_waiting(struct input *in, const char *path, input_wait_fn *wait, void *arg);
void input_close(struct input *in);

/* The next line. An input_result, or a negative errno with input.error set; -EBADMSG is damaged
 * compressed data. */
int input_line(struct input *in, char **ret_line, size_t *ret_n);

/* Where the record ends that a text begins with. */
enum input_record {
    INPUT_RECORD_WHOLE,  /* *ret_n bytes: a "\n" is next, or the end of the text */
    INPUT_RECORD_OPEN,   /* a quote is not closed */
    INPUT_RECORD_BROKEN, /* a quote is closed where none can be */
};

typedef enum input_record input_record_fn(void *arg, struct slice text, size_t *ret_n);

/* As input_line, but the line ends within quotes belong to the line: the lines up to the one that
 * closes them are one. Where they are not closed, or not as they should be, the first line is handed
 * out alone. The number is that of the last of them. */
int input_record(struct input *in, input_record_fn *ends, void *arg, char **ret_line, size_t *ret_n);

/* Passes over the text up to `offset`, behind line number `line`. -ENODATA when the text is
 * shorter. Only before the first input_line. */
int input_skip(struct input *in, uint64_t offset, uint64_t line);

/* Passes over the end of a line, if it stands next. 1 when it did or the text is over (with "\r",
 * too), 0 when something else stands there, or a negative errno. Only before the first input_line. */
int input_take_end(struct input *in);

/* How many bytes of the file the lines handed out took; of a compressed one an estimate. */
uint64_t input_done(const struct input *in);

/* The first bytes of the text, up to `n`, without taking them; only before the first input_line.
 * *ret_n is less than n only when the text is. 0 or a negative errno. */
int input_peek(struct input *in, size_t n, struct slice *ret);

#endif

/* Bytes to a file or to standard output, plain, .gz or .zst.
 *
 * What was written is only known to be there when output_close has returned 0. Nothing is opened
 * before there are bytes to write. A file gets its name when it is complete: until then it is
 * NAME.tmp, and one that was there stays as it was. What is no file (a pipe, a device, also a
 * symbolic link such as /dev/stdout) is written to itself. */
#ifndef TOOLS_LIB_OUTPUT_H
#define TOOLS_LIB_OUTPUT_H

#include "core/base.h"
#include "core/buf.h"

#define OUTPUT_ERROR_MAX 320

enum output_kind {
    OUTPUT_BY_NAME, /* .gz, .zst, else plain */
    OUTPUT_PLAIN,
    OUTPUT_GZIP,
    OUTPUT_ZSTD,
};

struct output_encoder;

struct output {
    const char *path; /* "-" is standard output */
    char *tmp;        /* what is written until it is complete; NULL: path itself */
    int fd;           /* -1 before the first byte */
    bool begun;
    int failed; /* 0 or a negative errno; nothing more is written then */
    struct output_encoder *encoder;
    struct buf text; /* to append to; output_flush takes it */
    struct buf packed;
    uint64_t bytes; /* of text that were taken */
    char error[OUTPUT_ERROR_MAX];
};

/* Can `path` be written, as far as that is to be seen without beginning? 0, or a negative errno with
 * output.error set. Before output_open. */
int output_check(struct output *out, const char *path);
/* 0, or a negative errno with output.error set. */
int output_open(struct output *out, const char *path, enum output_kind kind);
/* Writes the text away when there is much of it. 0 or a negative errno. */
int output_flush_some(struct output *out);
/* Writes everything, ends the compressed data and closes. 0 or the first error there was. If that
 * or the owner says that the bytes are not complete, no file gets the name; `ret_left`, to be
 * freed, is then the name of what was written, NULL if nothing was. */
int output_close(struct output *out, bool complete, char **ret_left);

#endif

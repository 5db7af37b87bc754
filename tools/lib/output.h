/* Bytes to a file or to standard output, plain, .gz or .zst.
 *
 * What was written is only known to be there when output_close has returned 0. */
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
    int fd;
    int failed; /* 0 or a negative errno; nothing more is written then */
    struct output_encoder *encoder;
    struct buf text; /* to append to; output_flush takes it */
    struct buf packed;
    uint64_t bytes; /* of text that were taken */
    char error[OUTPUT_ERROR_MAX];
};

/* 0, or a negative errno with output.error set. A file that is there is overwritten. */
int output_open(struct output *out, const char *path, enum output_kind kind);
/* Writes the text away when there is much of it. 0 or a negative errno. */
int output_flush_some(struct output *out);
/* Writes everything, ends the compressed data and closes. 0 or the first error there was. */
int output_close(struct output *out);

#endif

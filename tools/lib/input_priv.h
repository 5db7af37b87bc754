/* What stands between the bytes of a compressed file and its text. */
#ifndef TOOLS_LIB_INPUT_PRIV_H
#define TOOLS_LIB_INPUT_PRIV_H

#include "core/base.h"

enum input_kind {
    INPUT_PLAIN,
    INPUT_GZIP,
    INPUT_ZSTD,
};

struct input_decoder;

/* By the first bytes of a file. */
enum input_kind input_kind_of(const char *p, size_t n);
/* NULL when out of memory. */
struct input_decoder *input_decoder_create(enum input_kind kind);
void input_decoder_destroy(struct input_decoder **d);

/* Decodes from in[*in_at..in_n) to out[*out_at..out_n) and moves both places on. 0, or -EBADMSG
 * with the reason in *ret_why. */
int input_decode(struct input_decoder *d, const char *in, size_t in_n, size_t *in_at, char *out,
                 size_t out_n, size_t *out_at, const char **ret_why);
/* May the file end here? */
bool input_decoder_at_end(const struct input_decoder *d);
/* Was something that is neither compressed data nor zeros passed over behind it? */
bool input_decoder_has_garbage(const struct input_decoder *d);

#endif

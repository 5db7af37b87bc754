#include "tools/lib/input_priv.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_MAGIC_FIRST '\x1f'
#define GZIP_WINDOW (15 + 16) /* the largest window, with a gzip header */

struct input_decoder {
    enum input_kind kind;
    bool at_end; /* behind a whole member or frame */
    bool behind; /* gzip: behind the last member */
    bool garbage; /* and something stood there */
    z_stream gzip;
    ZSTD_DStream *zstd;
};

enum input_kind
input_kind_of(const char *p, size_t n)
{
    if (n >= 2 && memcmp(p, "\x1f\x8b", 2) == 0)
        return INPUT_GZIP;
    if (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
        return INPUT_ZSTD;
    /* A frame that is skipped, as pzstd writes before each of its own. */
    if (n >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)
        return INPUT_ZSTD;
    return INPUT_PLAIN;
}

struct input_decoder *
input_decoder_create(enum input_kind kind)
{
    struct input_decoder *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->kind = kind;
    if (kind == INPUT_GZIP ? inflateInit2(&d->gzip, GZIP_WINDOW) == Z_OK
                           : (d->zstd = ZSTD_createDStream()) != NULL)
        return d;
    free(d);
    return NULL;
}

void
input_decoder_destroy(struct input_decoder **d)
{
    if (*d == NULL)
        return;
    if ((*d)->kind == INPUT_GZIP)
        inflateEnd(&(*d)->gzip);
    else
        ZSTD_freeDStream((*d)->zstd);
    free(*d);
    *d = NULL;
}

/* As gzip does: zeros that fill up a block of a tape or a disk are nothing, all else is. */
static void
pass_over(struct input_decoder *d, const char *in, size_t in_n, size_t *in_at)
{
    d->behind = true;
    for (; *in_at < in_n; ++*in_at)
        d->garbage = d->garbage || in[*in_at] != 0;
}

/* Members that follow each other are one text, as for gunzip. */
static int
decode_gzip(struct input_decoder *d, const char *in, size_t in_n, size_t *in_at, char *out,
            size_t out_n, size_t *out_at, const char **ret_why)
{
    z_stream *z = &d->gzip;
    int rc;

    if (d->at_end && (d->behind || in[*in_at] != GZIP_MAGIC_FIRST)) {
        pass_over(d, in, in_n, in_at);
        return 0;
    }
    z->next_in = (Bytef *)(uintptr_t)(in + *in_at);
    z->avail_in = (uInt)(in_n - *in_at);
    z->next_out = (Bytef *)(out + *out_at);
    z->avail_out = (uInt)(out_n - *out_at);
    if (d->at_end)
        inflateReset(z);
    d->at_end = false;
    rc = inflate(z, Z_NO_FLUSH);
    *in_at = in_n - z->avail_in;
    *out_at = out_n - z->avail_out;
    d->at_end = rc == Z_STREAM_END;
    if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR)
        return 0;
    *ret_why = z->msg ? z->msg : "it is no gzip data";
    return -EBADMSG;
}

static int
decode_zstd(struct input_decoder *d, const char *in, size_t in_n, size_t *in_at, char *out,
            size_t out_n, size_t *out_at, const char **ret_why)
{
    ZSTD_inBuffer from = {in, in_n, *in_at};
    ZSTD_outBuffer to = {out, out_n, *out_at};
    size_t rc = ZSTD_decompressStream(d->zstd, &to, &from);

    *in_at = from.pos;
    *out_at = to.pos;
    if (ZSTD_isError(rc)) {
        *ret_why = ZSTD_getErrorName(rc);
        return -EBADMSG;
    }
    d->at_end = rc == 0;
    return 0;
}

int
input_decode(struct input_decoder *d, const char *in, size_t in_n, size_t *in_at, char *out,
             size_t out_n, size_t *out_at, const char **ret_why)
{
    if (d->at_end && *in_at == in_n)
        return 0;
    return (d->kind == INPUT_GZIP ? decode_gzip : decode_zstd)(d, in, in_n, in_at, out, out_n,
                                                               out_at, ret_why);
}

bool
input_decoder_at_end(const struct input_decoder *d)
{
    return d->at_end;
}

bool
input_decoder_has_garbage(const struct input_decoder *d)
{
    return d->garbage;
}

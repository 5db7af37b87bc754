#include "tools/lib/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define FLUSH_BYTES (256 * KIB)
#define PACK_BYTES (128 * KIB)
#define GZIP_WINDOW (15 + 16) /* the largest window, with a gzip header */
#define GZIP_MEMORY 8
#define ZSTD_LEVEL 3

struct output_encoder {
    enum output_kind kind;
    z_stream gzip;
    ZSTD_CStream *zstd;
};

static int
fail(struct output *out, int rc, const char *what)
{
    if (out->failed == 0) {
        out->failed = rc;
        snprintf(out->error, sizeof(out->error), "%s: %s", out->path, what);
    }
    return out->failed;
}

static bool
ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n > m && strcmp(path + n - m, end) == 0;
}

static struct output_encoder *
encoder_create(enum output_kind kind)
{
    struct output_encoder *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return NULL;
    e->kind = kind;
    if (kind == OUTPUT_GZIP ? deflateInit2(&e->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
                                           GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK
                            : (e->zstd = ZSTD_createCStream()) != NULL &&
                                  !ZSTD_isError(ZSTD_initCStream(e->zstd, ZSTD_LEVEL)))
        return e;
    free(e);
    return NULL;
}

static void
encoder_destroy(struct output_encoder **e)
{
    if (*e == NULL)
        return;
    if ((*e)->kind == OUTPUT_GZIP)
        deflateEnd(&(*e)->gzip);
    else
        ZSTD_freeCStream((*e)->zstd);
    free(*e);
    *e = NULL;
}

int
output_open(struct output *out, const char *path, enum output_kind kind)
{
    *out = (struct output){.path = path, .fd = STDOUT_FILENO};
    if (kind == OUTPUT_BY_NAME)
        kind = ends_in(path, ".gz")    ? OUTPUT_GZIP
               : ends_in(path, ".zst") ? OUTPUT_ZSTD
                                       : OUTPUT_PLAIN;
    if (kind != OUTPUT_PLAIN && (out->encoder = encoder_create(kind)) == NULL)
        return fail(out, -ENOMEM, strerror(ENOMEM));
    if (strcmp(path, "-") != 0)
        out->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return out->fd < 0 ? fail(out, -errno, strerror(errno)) : 0;
}

static int
write_all(struct output *out, const char *p, size_t n)
{
    ssize_t written;

    while (n > 0 && out->failed == 0) {
        written = write(out->fd, p, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail(out, -errno, strerror(errno));
        p += written;
        n -= (size_t)written;
    }
    return out->failed;
}

/* Packs some of the text from *at on. True when all of it, and at the end all of the frame, is out.
 */
static bool
pack_gzip(struct output *out, size_t *at, bool end)
{
    z_stream *z = &out->encoder->gzip;
    int rc;

    z->next_in = (Bytef *)(out->text.p + *at);
    z->avail_in = (uInt)(out->text.n - *at);
    z->next_out = (Bytef *)out->packed.p;
    z->avail_out = PACK_BYTES;
    rc = deflate(z, end ? Z_FINISH : Z_NO_FLUSH);
    *at = out->text.n - z->avail_in;
    out->packed.n = PACK_BYTES - z->avail_out;
    return end ? rc == Z_STREAM_END : z->avail_in == 0 && z->avail_out > 0;
}

static bool
pack_zstd(struct output *out, size_t *at, bool end)
{
    ZSTD_inBuffer from = {out->text.p, out->text.n, *at};
    ZSTD_outBuffer to = {out->packed.p, PACK_BYTES, 0};
    size_t left =
        ZSTD_compressStream2(out->encoder->zstd, &to, &from, end ? ZSTD_e_end : ZSTD_e_continue);

    *at = from.pos;
    out->packed.n = to.pos;
    if (ZSTD_isError(left))
        fail(out, -EIO, ZSTD_getErrorName(left));
    return end ? left == 0 : from.pos == from.size;
}

static int
write_packed(struct output *out, bool end)
{
    bool done = false;
    size_t at = 0;

    out->packed.n = 0;
    buf_reserve(&out->packed, PACK_BYTES);
    while (!done && out->failed == 0) {
        done =
            out->encoder->kind == OUTPUT_GZIP ? pack_gzip(out, &at, end) : pack_zstd(out, &at, end);
        write_all(out, out->packed.p, out->packed.n);
    }
    return out->failed;
}

static int
flush(struct output *out, bool end)
{
    out->bytes += out->text.n;
    if (out->failed == 0)
        out->encoder ? write_packed(out, end) : write_all(out, out->text.p, out->text.n);
    out->text.n = 0;
    return out->failed;
}

int
output_flush_some(struct output *out)
{
    return out->text.n >= FLUSH_BYTES ? flush(out, false) : out->failed;
}

int
output_close(struct output *out)
{
    if (out->fd >= 0)
        flush(out, true);
    if (out->fd > STDOUT_FILENO && close(out->fd) < 0)
        fail(out, -errno, strerror(errno));
    encoder_destroy(&out->encoder);
    buf_fini(&out->text);
    buf_fini(&out->packed);
    out->fd = -1;
    return out->failed;
}

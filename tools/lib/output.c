#include "tools/lib/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* A file, or nothing yet: what a finished file may be renamed to. */
static bool
is_replaceable(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? S_ISREG(st.st_mode) : errno == ENOENT && *path;
}

int
output_check(struct output *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    struct stat st;
    int rc = 0;

    *out = (struct output){.path = path, .fd = -1};
    if (strcmp(path, "-") == 0)
        return 0;
    if (*path == '\0' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return fail(out, *path ? -EISDIR : -ENOENT, strerror(*path ? EISDIR : ENOENT));
    if (!is_replaceable(path))
        return 0;
    folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    ASSERT(folder);
    if (access(folder, W_OK | X_OK) < 0 || (access(path, F_OK) == 0 && access(path, W_OK) < 0))
        rc = fail(out, -errno, strerror(errno));
    free(folder);
    return rc;
}

int
output_open(struct output *out, const char *path, enum output_kind kind)
{
    bool is_stdout = strcmp(path, "-") == 0;

    *out = (struct output){.path = path, .fd = is_stdout ? STDOUT_FILENO : -1};
    if (kind == OUTPUT_BY_NAME)
        kind = ends_in(path, ".gz")    ? OUTPUT_GZIP
               : ends_in(path, ".zst") ? OUTPUT_ZSTD
                                       : OUTPUT_PLAIN;
    if (kind != OUTPUT_PLAIN && (out->encoder = encoder_create(kind)) == NULL)
        return fail(out, -ENOMEM, strerror(ENOMEM));
    if (!is_stdout && is_replaceable(path) && asprintf(&out->tmp, "%s.tmp", path) < 0) {
        out->tmp = NULL;
        return fail(out, -ENOMEM, strerror(ENOMEM));
    }
    return 0;
}

/* The file that takes the place of another one may be read by the same users, and replaces none
 * that may not be written. */
static int
open_tmp(struct output *out)
{
    struct stat st;
    bool replaces = stat(out->path, &st) == 0;

    if (replaces && access(out->path, W_OK) < 0)
        return -1;
    out->fd = open(out->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                   replaces ? st.st_mode & 0777 : 0666);
    if (out->fd >= 0 && replaces)
        return fchmod(out->fd, st.st_mode & 0777);
    return out->fd;
}

static int
begin(struct output *out)
{
    out->begun = true;
    if (out->fd >= 0)
        return 0;
    if (out->tmp == NULL)
        out->fd = open(out->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    else if (open_tmp(out) < 0)
        return fail(out, -errno, strerror(errno));
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
    if (out->failed == 0 && (out->begun || begin(out) == 0))
        out->encoder ? write_packed(out, end) : write_all(out, out->text.p, out->text.n);
    out->text.n = 0;
    return out->failed;
}

int
output_flush_some(struct output *out)
{
    return out->text.n >= FLUSH_BYTES ? flush(out, false) : out->failed;
}

/* It is on the disk before it takes the place of another file. */
static void
close_file(struct output *out, bool complete, char **ret_left)
{
    if (out->tmp && complete && out->failed == 0 && fsync(out->fd) < 0)
        fail(out, -errno, strerror(errno));
    if (close(out->fd) < 0)
        fail(out, -errno, strerror(errno));
    if (out->tmp && complete && out->failed == 0 && rename(out->tmp, out->path) < 0)
        fail(out, -errno, strerror(errno));
    if (complete && out->failed == 0)
        return;
    *ret_left = out->tmp;
    out->tmp = NULL;
}

int
output_close(struct output *out, bool complete, char **ret_left)
{
    *ret_left = NULL;
    if (complete || out->begun || out->text.n > 0)
        flush(out, true);
    if (out->fd > STDOUT_FILENO)
        close_file(out, complete, ret_left);
    free(out->tmp);
    out->tmp = NULL;
    encoder_destroy(&out->encoder);
    buf_fini(&out->text);
    buf_fini(&out->packed);
    out->fd = -1;
    return out->failed;
}

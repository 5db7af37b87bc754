#include "tools/lib/input.h"

#include "tools/lib/input_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_BYTES (256 * KIB)
#define TEXT_BYTES (512 * KIB) /* decoded at a time */

static int
fail(struct input *in, int rc, const char *what)
{
    snprintf(in->error, sizeof(in->error), "%s: %s", in->path, what);
    return rc;
}

/* Reads into the free end of `b`. Bytes, 0 at the end, or a negative errno. */
static ssize_t
read_some(struct input *in, struct buf *b, size_t room)
{
    char *to = buf_reserve(b, room);
    ssize_t n;
    int rc;

    do {
        rc = in->wait && in->file_bytes == 0 ? in->wait(in->wait_arg, in) : 0;
        if (rc < 0)
            return rc;
        n = read(in->fd, to, room);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(in, -errno, strerror(errno));
    b->n += (size_t)n;
    in->file_at += (uint64_t)n;
    return n;
}

static int
fill_raw(struct input *in)
{
    ssize_t n;

    in->raw.n = in->raw_at = 0;
    n = read_some(in, &in->raw, RAW_BYTES);
    in->raw_end = n == 0;
    return n < 0 ? (int)n : 0;
}

static int
decode_some(struct input *in)
{
    size_t room = TEXT_BYTES, before = in->text.n, at = 0;
    const char *why;
    int rc = 0;

    buf_reserve(&in->text, room);
    while (rc == 0 && at == 0) {
        if (in->raw_at == in->raw.n && !in->raw_end)
            rc = fill_raw(in);
        /* Also without new bytes: the decoder may hold text that had no room before. */
        if (rc == 0 && input_decode(in->decoder, in->raw.p, in->raw.n, &in->raw_at,
                                    in->text.p + before, room, &at, &why) < 0)
            rc = fail(in, -EBADMSG, why);
        if (rc == 0 && at == 0 && in->raw_at == in->raw.n && in->raw_end) {
            in->text_end = true;
            in->garbage = input_decoder_has_garbage(in->decoder);
            if (!input_decoder_at_end(in->decoder))
                rc = fail(in, -EBADMSG, "the file ends in the middle of compressed data");
            break;
        }
    }
    in->text.n = before + at;
    return rc;
}

/* More text behind what there is; sets text_end when there is no more. */
static int
fill(struct input *in)
{
    ssize_t n;

    if (in->text_at > 0) {
        buf_consume(&in->text, in->text_at);
        in->text_at = 0;
    }
    if (in->decoder)
        return decode_some(in);
    if (in->raw_at < in->raw.n) { /* what was read to see what kind of file it is */
        buf_append(&in->text, in->raw.p + in->raw_at, in->raw.n - in->raw_at);
        in->raw_at = in->raw.n;
        return 0;
    }
    n = read_some(in, &in->text, TEXT_BYTES);
    in->text_end = n == 0;
    return n < 0 ? (int)n : 0;
}

/* A pipe may bring its first bytes one by one. */
static int
read_magic(struct input *in)
{
    ssize_t n = 1;

    while (n > 0 && in->raw.n < 4)
        n = read_some(in, &in->raw, RAW_BYTES);
    in->raw_end = n == 0;
    return n < 0 ? (int)n : 0;
}

static int
skip_mark(struct input *in)
{
    struct slice first;
    int rc = input_peek(in, 3, &first);

    if (rc == 0 && first.n == 3 && memcmp(first.p, "\xef\xbb\xbf", 3) == 0) {
        in->text_at += 3;
        in->offset = 3;
    }
    return rc;
}

int
input_open(struct input *in, const char *path)
{
    return input_open_waiting(in, path, NULL, NULL);
}

int
input_open_waiting(struct input *in, const char *path, input_wait_fn *wait, void *arg)
{
    enum input_kind kind;
    struct stat st;
    int rc;

    *in = (struct input){.path = path, .fd = STDIN_FILENO, .wait = wait, .wait_arg = arg};
    if (strcmp(path, "-") != 0)
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return fail(in, -errno, strerror(errno));
    if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode))
        in->file_bytes = (uint64_t)st.st_size;
    rc = read_magic(in);
    if (rc < 0)
        return rc;
    kind = input_kind_of(in->raw.p, in->raw.n);
    if (kind != INPUT_PLAIN && (in->decoder = input_decoder_create(kind)) == NULL)
        return fail(in, -ENOMEM, strerror(ENOMEM));
    return skip_mark(in);
}

void
input_close(struct input *in)
{
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    input_decoder_destroy(&in->decoder);
    buf_fini(&in->raw);
    buf_fini(&in->text);
    in->fd = -1;
}

static int
hand_out(struct input *in, size_t n, size_t with_end, char **ret_line, size_t *ret_n)
{
    char *line = in->text.p + in->text_at;

    in->ended = with_end > n;
    if (n > 0 && line[n - 1] == '\r')
        n--;
    in->end_bytes = (unsigned)(with_end - n);
    in->text_at += with_end;
    in->handed = with_end;
    in->offset += with_end;
    in->line++;
    *ret_line = line;
    *ret_n = n;
    return INPUT_LINE;
}

/* A line that is too long, with its end, which may be in the memory already. */
static int
pass_over(struct input *in)
{
    const char *from, *end;
    bool half = false; /* of an end: "\r" */
    size_t n;
    int rc;

    for (;;) {
        n = in->text.n - in->text_at;
        from = in->text.p + in->text_at;
        end = n > 0 ? memchr(from, '\n', n) : NULL;
        n = end ? (size_t)(end - from) : n;
        half = n > 0 ? from[n - 1] == '\r' : half;
        n += end != NULL;
        in->text_at += n;
        in->offset += n;
        if (end || in->text_end)
            break;
        rc = fill(in);
        if (rc < 0)
            return rc;
    }
    in->line++;
    in->ended = end != NULL;
    in->end_bytes = (unsigned)in->ended + half;
    return INPUT_LONG;
}

int
input_line(struct input *in, char **ret_line, size_t *ret_n)
{
    size_t seen = 0, n;
    const char *from, *end;
    int rc;

    for (;;) {
        n = in->text.n - in->text_at;
        from = in->text.p + in->text_at;
        end = n > seen ? memchr(from + seen, '\n', n - seen) : NULL;
        if (end && (size_t)(end - from) <= INPUT_LINE_BYTES_MAX)
            return hand_out(in, (size_t)(end - from), (size_t)(end - from) + 1, ret_line, ret_n);
        if (n > INPUT_LINE_BYTES_MAX)
            return pass_over(in);
        if (in->text_end)
            return n > 0 ? hand_out(in, n, n, ret_line, ret_n) : INPUT_END;
        seen = n;
        rc = fill(in);
        if (rc < 0)
            return rc;
    }
}

/* The line handed out last and more than `have` bytes from its beginning on, if there are as many. */
static int
look_behind_line(struct input *in, size_t have, struct slice *ret)
{
    int rc = 0;

    in->text_at -= in->handed; /* so that it stays in the memory */
    while (rc == 0 && in->text.n - in->text_at <= have && !in->text_end)
        rc = fill(in);
    *ret = (struct slice){in->text.p + in->text_at, in->text.n - in->text_at};
    in->text_at += in->handed;
    return rc;
}

/* Hands out the last line anew, with those behind it up to `n` bytes. */
static int
widen(struct input *in, size_t n, size_t with_end, char **ret_line, size_t *ret_n)
{
    const char *p = in->text.p + in->text_at - in->handed, *end = p + n;

    in->text_at -= in->handed;
    in->offset -= in->handed;
    in->line--;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        in->line++;
        p++;
    }
    return hand_out(in, n, with_end, ret_line, ret_n);
}

static int
join_lines(struct input *in, input_record_fn *ends, void *arg, char **ret_line, size_t *ret_n)
{
    struct slice text = {*ret_line, *ret_n};
    size_t n = 0;
    enum input_record found = ends(arg, text, &n);
    bool whole, over = false; /* over: the end of the text is seen */
    int rc;

    if (found != INPUT_RECORD_OPEN)
        return INPUT_LINE;
    do {
        rc = look_behind_line(in, text.n, &text);
        if (rc < 0)
            return rc;
        over = in->text_end && text.n <= INPUT_RECORD_BYTES_MAX;
        text.n = MIN(text.n, INPUT_RECORD_BYTES_MAX);
        found = ends(arg, text, &n);
        whole = found == INPUT_RECORD_WHOLE && (n < text.n || over);
    } while (!whole && !over && found != INPUT_RECORD_BROKEN && text.n < INPUT_RECORD_BYTES_MAX);
    if (whole)
        return widen(in, n, n + (n < text.n), ret_line, ret_n);
    in->open = found == INPUT_RECORD_OPEN && over;
    *ret_line = in->text.p + in->text_at - in->handed; /* it may have moved */
    return INPUT_LINE;
}

int
input_record(struct input *in, input_record_fn *ends, void *arg, char **ret_line, size_t *ret_n)
{
    int rc = input_line(in, ret_line, ret_n);

    in->open = false;
    if (rc != INPUT_LINE || likely(memchr(*ret_line, '"', *ret_n) == NULL))
        return rc;
    return join_lines(in, ends, arg, ret_line, ret_n);
}

/* Passing over by reading, for compressed files and pipes. */
static int
skip_by_reading(struct input *in, uint64_t offset)
{
    uint64_t take;
    int rc;

    while (in->offset < offset) {
        take = MIN(offset - in->offset, in->text.n - in->text_at);
        in->text_at += take;
        in->offset += take;
        if (in->offset == offset)
            break;
        if (in->text_end)
            return fail(in, -ENODATA, "the file is shorter than what was loaded of it");
        rc = fill(in);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int
input_skip(struct input *in, uint64_t offset, uint64_t line)
{
    int rc;

    if (in->decoder || in->file_bytes == 0 || offset < in->offset + in->text.n - in->text_at) {
        rc = skip_by_reading(in, offset);
        if (rc < 0)
            return rc;
    } else {
        if (offset > in->file_bytes)
            return fail(in, -ENODATA, "the file is shorter than what was loaded of it");
        if (lseek(in->fd, (off_t)offset, SEEK_SET) < 0)
            return fail(in, -errno, strerror(errno));
        in->raw.n = in->raw_at = in->text.n = in->text_at = 0;
        in->raw_end = in->text_end = false;
        in->offset = in->file_at = offset;
    }
    in->line = line;
    return 0;
}

int
input_peek(struct input *in, size_t n, struct slice *ret)
{
    int rc = 0;

    while (rc == 0 && in->text.n - in->text_at < n && !in->text_end)
        rc = fill(in);
    if (rc < 0)
        return rc;
    *ret = (struct slice){in->text.p + in->text_at, MIN(n, in->text.n - in->text_at)};
    return 0;
}

int
input_take_end(struct input *in)
{
    struct slice next;
    int rc = input_peek(in, 2, &next);
    size_t n;

    if (rc < 0)
        return rc;
    n = next.n > 0 && next.p[0] == '\r';
    if (next.n > n && next.p[n] != '\n')
        return 0;
    n += next.n > n;
    in->text_at += n;
    in->offset += n;
    return 1;
}

/* What was decoded and not handed out yet has its share of what was read. */
uint64_t
input_done(const struct input *in)
{
    uint64_t left = in->text.n - in->text_at, decoded = in->offset + left;
    uint64_t read = in->file_at - (in->raw.n - in->raw_at);

    return decoded ? (uint64_t)((double)read * (double)in->offset / (double)decoded) : 0;
}

/* A journal directory made up by the input: segments, batches with right or wrong checksums, raw
 * bytes and flipped bits. Whatever it holds, a scan must end with 0 or -EBADMSG, hand out records
 * in order and whole, say the same a second time, and after cutting what it complains about often
 * enough the rest must be readable, with nothing new in it and nothing lost that could be read
 * before.
 *
 * The input is a list of operations; with checksums made here the fuzzer gets past them. */
#include "shards/journal/journal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENT_BYTES (8 * JOURNAL_BLOCK_BYTES)
#define SEGMENTS_MAX 4
#define CUTS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[64];

/* ---- taking the input apart ---- */

struct input {
    const uint8_t *p;
    size_t n;
};

static uint8_t
take(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

/* Small numbers mostly; 0xff calls for eight bytes of any value. */
static uint64_t
take_number(struct input *in)
{
    uint64_t v = take(in);
    int i;

    if (v == 0xff)
        for (v = 0, i = 0; i < 8; i++)
            v = v << 8 | take(in);
    return v;
}

/* ---- building ---- */

struct image {
    char *p;
    struct journal_segment_header h;
    uint64_t at, due;
};

static void
begin_segment(struct image *im, struct input *in, uint64_t number)
{
    uint64_t lsn = take_number(in);

    memset(im->p, (int)(take(in) & 1 ? 0x5a : 0), SEGMENT_BYTES);
    im->h = (struct journal_segment_header){.number = number,
                                            .first_lsn = lsn ? lsn : im->due,
                                            .capacity = SEGMENT_BYTES,
                                            .incarnation = 1 + take(in) % 3,
                                            .salt = take(in),
                                            .state = 1 + take(in) % 2};
    if (im->h.first_lsn == 0)
        im->h.first_lsn = 1;
    im->due = im->h.first_lsn;
    im->at = JOURNAL_BLOCK_BYTES;
    journal_segment_encode(im->p, &im->h);
}

static size_t
room(const struct image *im)
{
    return im->at < SEGMENT_BYTES ? SEGMENT_BYTES - im->at : 0;
}

/* A batch of records as the writer makes it. */
static void
good_batch(struct image *im, struct input *in)
{
    uint32_t i, records = 1 + take(in) % 8, bytes = take(in) % 120;
    struct journal_batch b = {.segment = im->h.number,
                              .first_lsn = im->due,
                              .incarnation = im->h.incarnation,
                              .records = records,
                              .flags = take(in) & 1};
    char *q = im->p + im->at + JOURNAL_BATCH_HEADER_BYTES;

    if (room(im) < JOURNAL_BLOCK_BYTES)
        return;
    for (i = 0; i < records; i++) {
        *q++ = (char)bytes;
        memset(q, (int)i, bytes);
        q += bytes;
    }
    im->at +=
        journal_batch_seal(im->p + im->at, (size_t)(q - im->p - (ptrdiff_t)im->at), im->h.salt, &b);
    im->due += records;
}

/* A batch with a payload and header fields from the input, and right checksums. */
static void
odd_batch(struct image *im, struct input *in)
{
    struct journal_batch b = {.segment = im->h.number + (take(in) & 1),
                              .first_lsn = im->due + take_number(in),
                              .incarnation = im->h.incarnation,
                              .records = (uint32_t)take_number(in),
                              .flags = take(in) & 3};
    size_t n = take(in), i;

    if (room(im) < JOURNAL_BLOCK_BYTES)
        return;
    b.records += b.records == 0;
    for (i = 0; i <= n; i++)
        im->p[im->at + JOURNAL_BATCH_HEADER_BYTES + i] = (char)take(in);
    im->at +=
        journal_batch_seal(im->p + im->at, JOURNAL_BATCH_HEADER_BYTES + n + 1, im->h.salt, &b);
}

static void
poke(struct image *im, struct input *in)
{
    size_t at = (take_number(in) * 97 + take(in)) % SEGMENT_BYTES;

    im->p[at] ^= (char)take(in);
}

static void
raw_bytes(struct image *im, struct input *in)
{
    size_t at = (size_t)take(in) % 8 * JOURNAL_BLOCK_BYTES, n = take(in), i;

    for (i = 0; i < n; i++)
        im->p[at + i] = (char)take(in);
}

static void
write_segment(const struct image *im, uint64_t number, size_t bytes)
{
    char path[128], name[JOURNAL_NAME_BYTES];
    int fd;

    journal_name(number, name);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT(fd >= 0 && write(fd, im->p, bytes) == (ssize_t)bytes);
    close(fd);
}

static void
build(struct input *in)
{
    struct image im = {.p = calloc(1, SEGMENT_BYTES), .due = 1};
    uint64_t number = 1;

    ASSERT(im.p);
    begin_segment(&im, in, number);
    while (in->n) {
        switch (take(in) % 8) {
        case 0:
            write_segment(&im, number, SEGMENT_BYTES);
            if (number == SEGMENTS_MAX)
                in->n = 0;
            else
                begin_segment(&im, in, ++number);
            break;
        case 1:
            odd_batch(&im, in);
            break;
        case 2:
            poke(&im, in);
            break;
        case 3:
            raw_bytes(&im, in);
            break;
        case 4:
            im.at += JOURNAL_BLOCK_BYTES;
            break;
        default:
            good_batch(&im, in);
        }
    }
    write_segment(&im, number, SEGMENT_BYTES);
    free(im.p);
}

/* ---- reading ---- */

struct reading {
    int ret;
    uint64_t first, last, n;
    uint32_t crc; /* of all records */
    struct journal_tail tail;
    struct journal_error err;
};

static int
note(void *arg, uint64_t lsn, struct slice record)
{
    struct reading *r = arg;

    ASSERT(r->n == 0 || lsn == r->last + 1);
    r->first = r->n ? r->first : lsn;
    r->last = lsn;
    r->n++;
    r->crc = journal_crc32c(r->crc, record.p, record.n);
    return 0;
}

static struct reading
read_all(void)
{
    struct reading r = {0};

    r.ret = journal_scan(dir, UINT64_MAX, NULL, NULL, &r.tail, &r.err);
    if (r.ret == 0 && r.tail.records) {
        ASSERT(journal_scan(dir, r.tail.first_lsn - 1, note, &r, &r.tail, &r.err) == 0);
        ASSERT(r.n == r.tail.records && r.first == r.tail.first_lsn && r.last == r.tail.last_lsn);
    }
    ASSERT(r.ret == 0 || r.ret == -EBADMSG);
    ASSERT(r.ret == 0 || r.err.segment > 0);
    return r;
}

static void
clear_dir(void)
{
    struct dirent *de;
    DIR *d = opendir(dir);

    while ((de = readdir(d)))
        if (de->d_name[0] != '.')
            unlinkat(dirfd(d), de->d_name, 0);
    closedir(d);
}

static void
make_dir(void)
{
    snprintf(dir, sizeof(dir), "%s/fuzz_journal.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ASSERT(mkdtemp(dir));
}

static void
drop_dir(void)
{
    clear_dir();
    rmdir(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct input in = {data, n};
    struct reading r, again;
    struct journal_error err;
    uint64_t readable;
    int cuts;

    if (!dir[0]) {
        make_dir();
        atexit(drop_dir);
    }
    clear_dir();
    build(&in);
    r = read_all();
    again = read_all();
    ASSERT(again.ret == r.ret && again.crc == r.crc && again.n == r.n);
    for (cuts = 0; r.ret && cuts < CUTS_MAX; cuts++) {
        readable = r.err.last_lsn;
        ASSERT(journal_cut(dir, r.err.segment, r.err.offset, &err) == 0);
        r = read_all();
        /* a segment put aside may have been what cut others short: more can be readable now */
        ASSERT(r.ret || r.tail.last_lsn >= readable || readable == 0);
    }
    ASSERT(r.ret == 0);
    return 0;
}

#include "shards/journal/journal_reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES (4 * MIB) /* asked of the kernel at a time */

void
journal_reader_init(struct journal_reader *r)
{
    *r = (struct journal_reader){.fd = -1};
}

void
journal_reader_fini(struct journal_reader *r)
{
    free(r->p);
    journal_reader_init(r);
}

void
journal_reader_set(struct journal_reader *r, int fd, uint64_t size)
{
    r->fd = fd;
    r->ask = (size_t)MIN(size, READ_BYTES);
    r->start = r->end = 0;
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

/* Drops what stands before offset and makes room for n bytes from there. */
static bool
slide(struct journal_reader *r, uint64_t offset, size_t n)
{
    size_t keep = offset < r->end ? (size_t)(r->end - offset) : 0;
    size_t cap = MAX(n, r->ask);
    char *p;

    if (cap > r->cap) {
        p = malloc(cap);
        if (!p) {
            r->error = ENOMEM;
            return false;
        }
        if (keep)
            memcpy(p, r->p + (offset - r->start), keep);
        free(r->p);
        r->p = p;
        r->cap = cap;
    } else if (keep) {
        memmove(r->p, r->p + (offset - r->start), keep);
    }
    r->start = offset;
    r->end = offset + keep;
    return true;
}

static bool
fill(struct journal_reader *r, size_t n)
{
    size_t have;
    ssize_t got;

    while ((have = (size_t)(r->end - r->start)) < n) {
        got = pread(r->fd, r->p + have, MIN(r->cap - have, READ_BYTES), (off_t)r->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            r->error = got ? errno : ENODATA;
            return false;
        }
        r->end += (uint64_t)got;
    }
    return true;
}

const char *
journal_reader_want(struct journal_reader *r, uint64_t offset, size_t n)
{
    ASSERT(offset >= r->start);
    if (offset + n > r->end && (!slide(r, offset, n) || !fill(r, n)))
        return NULL;
    return r->p + (offset - r->start);
}

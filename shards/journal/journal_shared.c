#include "shards/journal/journal_shared.h"

#include "shards/journal/journal.h"

#include <stdlib.h>

void
journal_shared_add(struct journal_shared *s, size_t at, struct blob *b, struct slice bytes)
{
    ASSERT(s->n == 0 || s->p[s->n - 1].at <= at);
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 4;
        s->p = realloc(s->p, s->cap * sizeof(*s->p));
        ASSERT(s->p);
    }
    s->p[s->n++] = (struct journal_part){at, blob_get(b), bytes};
    s->bytes += bytes.n;
}

uint32_t
journal_shared_crc32c(const struct journal_shared *s, uint32_t crc, const struct buf *own,
                      size_t from)
{
    for (uint32_t i = 0; i < s->n; i++) {
        crc = journal_crc32c(crc, own->p + from, s->p[i].at - from);
        crc = journal_crc32c(crc, s->p[i].bytes.p, s->p[i].bytes.n);
        from = s->p[i].at;
    }
    return journal_crc32c(crc, own->p + from, own->n - from);
}

/* What of a run of bytes, which begins at *at, lies in what is still to be read. */
static void
take(struct slice run, uint64_t *at, uint64_t *offset, char **to, size_t *n)
{
    uint64_t skip = *offset - *at;

    *at += run.n;
    if (*offset >= *at || *n == 0)
        return;
    run.n = MIN(run.n - skip, *n);
    memcpy(*to, run.p + skip, run.n);
    *to += run.n;
    *n -= run.n;
    *offset += run.n;
}

void
journal_shared_read(const struct journal_shared *s, const struct buf *own, uint64_t offset,
                    char *to, size_t n)
{
    uint64_t at = 0;
    size_t from = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        take((struct slice){own->p + from, s->p[i].at - from}, &at, &offset, &to, &n);
        take(s->p[i].bytes, &at, &offset, &to, &n);
        from = s->p[i].at;
    }
    take((struct slice){own->p + from, own->n - from}, &at, &offset, &to, &n);
    memset(to, 0, n);
}

void
journal_shared_clear(struct journal_shared *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        blob_put(&s->p[i].blob);
    s->n = 0;
    s->bytes = 0;
}

void
journal_shared_fini(struct journal_shared *s)
{
    journal_shared_clear(s);
    free(s->p);
    *s = (struct journal_shared){0};
}

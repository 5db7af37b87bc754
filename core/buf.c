#include "core/buf.h"

#include "core/reaper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 256

static void
drop_sources(struct buf_source **link)
{
    while (*link) {
        struct buf_source *s = *link;

        *link = s->next;
        s->destroy(s);
    }
}

void
buf_fini(struct buf *b)
{
    drop_sources(&b->sources);
    reaper_free(b->p, b->cap);
    *b = (struct buf){0};
}

void
buf_grow(struct buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;

    while (cap - b->n < more)
        cap *= 2;
    b->p = realloc(b->p, cap);
    ASSERT(b->p);
    b->cap = cap;
}

void
buf_reserve_exactly(struct buf *b, size_t cap)
{
    if (cap <= b->cap)
        return;
    b->p = realloc(b->p, cap);
    ASSERT(b->p);
    b->cap = cap;
}

static struct buf_source **
first_source_beyond(struct buf *b, size_t at)
{
    struct buf_source **link = &b->sources;

    while (*link && (*link)->at <= at)
        link = &(*link)->next;
    return link;
}

void
buf_put_source(struct buf *b, struct buf_source *s)
{
    ASSERT(b->n > 0);
    s->at = b->n;
    s->next = NULL;
    *first_source_beyond(b, b->n) = s;
}

void
buf_cut(struct buf *b, size_t n)
{
    ASSERT(n <= b->n);
    b->n = n;
    if (unlikely(b->sources != NULL))
        drop_sources(first_source_beyond(b, n));
}

void
buf_move(struct buf *to, struct buf *from, size_t at, size_t n)
{
    struct buf_source **first, *s;

    ASSERT(at + n <= from->n);
    first = first_source_beyond(from, at);
    while ((s = *first) != NULL && s->at <= at + n) {
        size_t place = to->n + s->at - at;
        struct buf_source **link = first_source_beyond(to, place);

        *first = s->next;
        s->at = place;
        s->next = NULL;
        *link = s;
    }
    if (n > 0)
        buf_append(to, from->p + at, n);
}

size_t
buf_source_bytes(const struct buf *b)
{
    size_t bytes = 0;

    for (const struct buf_source *s = b->sources; s; s = s->next)
        bytes += s->bytes;
    return bytes;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    buf_reserve(b, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

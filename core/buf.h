/* A growable byte buffer on the process heap. Capacity is kept between uses; growth doubles.
 * One owner, one thread. Running out of memory aborts: every caller bounds what it appends. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "core/base.h"

struct buf {
    char *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
};

void buf_fini(struct buf *b);
/* Makes room for `more` bytes beyond n; the slow half of buf_reserve. */
void buf_grow(struct buf *b, size_t more);

/* Returns where the next `more` bytes may be written; add them to b->n afterwards. */
static inline char *
buf_reserve(struct buf *b, size_t more)
{
    if (unlikely(b->cap - b->n < more))
        buf_grow(b, more);
    return b->p + b->n;
}

static inline void
buf_append(struct buf *b, const void *p, size_t n)
{
    memcpy(buf_reserve(b, n), p, n);
    b->n += n;
}

#define buf_append_lit(b, lit) buf_append((b), (lit), sizeof(lit) - 1)

/* Drops the first n bytes. */
static inline void
buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->n);
    if (n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

/* Appends formatted text. */
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);

#endif

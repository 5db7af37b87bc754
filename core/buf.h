/* A growable byte buffer on the process heap. Capacity is kept between uses; growth doubles.
 * One owner, one thread. Running out of memory aborts: every caller bounds what it appends.
 *
 * A buffer can also hold sources: text that is made piece by piece only when it leaves, at the
 * place where the source was put. So a reply of a million points costs its command no more than
 * gathering them, and its connection no more than a piece at a time. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "core/base.h"

struct buf;

/* Text to be made later. Belongs to the buffer it was put into; may move to another thread with
 * it. */
struct buf_source {
    /* Appends about `want` bytes; false when that was the last of it. */
    bool (*fill)(struct buf_source *s, struct buf *out, size_t want);
    void (*destroy)(struct buf_source *s);
    size_t bytes; /* memory it holds at the moment */
    size_t at;    /* where in the buffer its text belongs: set by buf_put_source */
    struct buf_source *next;
};

struct buf {
    char *p;
    size_t n;                   /* bytes used, without what sources will add */
    size_t cap;                 /* bytes allocated */
    struct buf_source *sources; /* in order of place; almost always none */
};

void buf_fini(struct buf *b);
/* The source's text will stand here, before whatever is appended from now on. At least one byte must
 * have been appended before it, by the same reply. */
void buf_put_source(struct buf *b, struct buf_source *s);
/* What stands from byte `at` on, without what sources will add; valid until the next change. */
static inline struct slice
buf_from(const struct buf *b, size_t at)
{
    return (struct slice){b->p + at, b->n - at};
}
/* Takes back what stands beyond n bytes. */
void buf_cut(struct buf *b, size_t n);
/* Appends n bytes of `from`, beginning at its byte `at`, with the sources among and directly behind
 * them: those leave `from`. */
void buf_move(struct buf *to, struct buf *from, size_t at, size_t n);
/* Memory held by the sources. */
size_t buf_source_bytes(const struct buf *b);
/* Makes room for `more` bytes beyond n; the slow half of buf_reserve. */
void buf_grow(struct buf *b, size_t more);

/* Memory for `cap` bytes in all, no more. */
void buf_reserve_exactly(struct buf *b, size_t cap);

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
    if (unlikely(n == 0)) /* memcpy takes no null pointer, not even then */
        return;
    memcpy(buf_reserve(b, n), p, n);
    b->n += n;
}

#define buf_append_lit(b, lit) buf_append((b), (lit), sizeof(lit) - 1)

/* Drops the first n bytes; no source stands among them. */
static inline void
buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->n);
    if (n < b->n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    for (struct buf_source *s = b->sources; unlikely(s != NULL); s = s->next)
        s->at -= n;
}

/* Appends formatted text. */
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);

#endif

/* Variable-length integers of the block and row formats: 7 bits a byte, low bits first, the top bit
 * set on all but the last byte; at most 10 bytes. Signed ones go through zigzag first. Also the
 * bounded cursor every decoder of this folder reads with. */
#ifndef SHARDS_SERIES_VARINT_H
#define SHARDS_SERIES_VARINT_H

#include "core/base.h"
#include "core/buf.h"

#define VARINT_BYTES_MAX 10

/* Bytes still to be read. */
struct cursor {
    const uint8_t *p, *end;
};

static inline struct cursor
cursor_of(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.p;

    return (struct cursor){p, p + s.n};
}

static inline size_t
cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->p);
}

/* Takes n bytes off; NULL when there are not that many. */
static inline const uint8_t *
cursor_take(struct cursor *c, size_t n)
{
    const uint8_t *p = c->p;

    if (unlikely(cursor_left(c) < n))
        return NULL;
    c->p += n;
    return p;
}

static inline uint64_t
zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t
unzigzag(uint64_t u)
{
    return (int64_t)((u >> 1) ^ -(u & 1));
}

static inline void
varint_put(struct buf *out, uint64_t v)
{
    uint8_t *p = (uint8_t *)buf_reserve(out, VARINT_BYTES_MAX);
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    out->n += n;
}

/* False: no complete varint there, or one that does not fit 64 bits. */
static inline bool
varint_get(struct cursor *c, uint64_t *ret)
{
    uint64_t v = 0;
    unsigned shift;

    for (shift = 0; shift < 70 && c->p < c->end; shift += 7) {
        uint8_t b = *c->p++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static inline bool
varint_get_signed(struct cursor *c, int64_t *ret)
{
    uint64_t u;

    if (!varint_get(c, &u))
        return false;
    *ret = unzigzag(u);
    return true;
}

static inline bool
cursor_u8(struct cursor *c, uint8_t *ret)
{
    if (unlikely(c->p == c->end))
        return false;
    *ret = *c->p++;
    return true;
}

static inline bool
cursor_u64(struct cursor *c, uint64_t *ret)
{
    const uint8_t *p = cursor_take(c, 8);

    if (!p)
        return false;
    *ret = get_le64(p);
    return true;
}

static inline void
buf_put_u8(struct buf *out, uint8_t v)
{
    *buf_reserve(out, 1) = (char)v;
    out->n++;
}

static inline void
buf_put_u64(struct buf *out, uint64_t v)
{
    put_le64(buf_reserve(out, 8), v);
    out->n += 8;
}

/* Number of significant bits: 0 for 0, 64 for values with the top bit set. */
static inline unsigned
bit_width(uint64_t v)
{
    return 64 - (unsigned)__builtin_clzll(v | 1) - (v == 0);
}

#endif

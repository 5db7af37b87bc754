/* The vocabulary every file shares: integer names, assertions that stay on, small macros.
 *
 * ASSERT states an invariant of our own code. It never looks at bytes that came from a socket or a
 * disk: those get an error that says which rule they broke. */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* These evaluate the smaller (greater) argument twice: no calls in them. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(n, to) (((n) + ((to) - 1)) & ~((__typeof__(n))(to) - 1))
#define CACHE_LINE 64

#define KIB (1024UL)
#define MIB (1024UL * KIB)
#define GIB (1024UL * MIB)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Prints the broken invariant with its place and aborts; the core file is the report. */
_Noreturn void base_assert_failed(const char *what, const char *file, int line);

#define ASSERT(x)                                                                                  \
    do {                                                                                           \
        if (unlikely(!(x)))                                                                        \
            base_assert_failed(#x, __FILE__, __LINE__);                                            \
    } while (0)

/* A run of bytes that somebody else owns. Not NUL-terminated. */
struct slice {
    const char *p;
    size_t n;
};

#define SLICE(lit) ((struct slice){(lit), sizeof(lit) - 1})

static inline struct slice
slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char
ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* True if `a` equals the lower-case literal `lower`, ASCII case ignored. */
static inline bool
slice_is(struct slice a, const char *lower)
{
    size_t i;

    for (i = 0; i < a.n; i++)
        if (lower[i] == '\0' || ascii_lower(a.p[i]) != lower[i])
            return false;
    return lower[a.n] == '\0';
}

/* Unaligned little-endian access; every format of ours is little-endian unless it is a sort key. */
#define BASE_LE(bits)                                                                              \
    static inline uint##bits##_t get_le##bits(const void *p)                                       \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof(v));                                                                  \
        return v;                                                                                  \
    }                                                                                              \
    static inline void put_le##bits(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        memcpy(p, &v, sizeof(v));                                                                  \
    }
BASE_LE(16)
BASE_LE(32)
BASE_LE(64)
#undef BASE_LE
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats assume a little-endian host");

/* Big-endian, for bytes that RocksDB sorts. */
static inline void
put_be16(void *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, sizeof(v));
}

static inline uint16_t
get_be16(const void *p)
{
    return __builtin_bswap16(get_le16(p));
}

static inline void
put_be64(void *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof(v));
}

static inline uint64_t
get_be64(const void *p)
{
    return __builtin_bswap64(get_le64(p));
}

#endif

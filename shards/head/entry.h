/* One key in memory: a 24-byte header, then optional expiry, the key, and the value.
 *
 *   data: [int64 expire_ms, only with ENTRY_HAS_EXPIRE][key bytes][value]
 *
 * The value of a string up to ENTRY_INLINE_MAX bytes stands inline; a longer one, and every other
 * type, is a pointer (8 bytes, unaligned; read with entry_ptr) to what the type's module made. */
#ifndef SHARDS_HEAD_ENTRY_H
#define SHARDS_HEAD_ENTRY_H

#include "alloc/blob.h"
#include "core/base.h"

#define ENTRY_INLINE_MAX 4096
#define ENTRY_KEY_BYTES_MAX 65535

enum entry_type {
    ENTRY_STRING = 0,
    ENTRY_SERIES = 1,
    ENTRY_TYPES,
};

/* What a command made of a string, for OBJECT ENCODING: Redis tells by it how the string came to be.
 * Kept in memory only. */
enum string_form {
    STRING_SET,     /* it was set: its value says all */
    STRING_FLOAT,   /* by INCRBYFLOAT: no integer, even where it reads as one */
    STRING_CHANGED, /* in place */
};

enum entry_flag {
    ENTRY_HAS_EXPIRE = 1 << 0,
    ENTRY_TOMBSTONE = 1 << 1,   /* deleted; kept until the store has forgotten the row */
    ENTRY_IN_STORE = 1 << 2,    /* the store has a row of this key */
    ENTRY_MAYBE_STORE = 1 << 3, /* nobody looked yet whether the store has one */
    ENTRY_EXTERNAL = 1 << 4,    /* a string's value is a struct bigval behind a pointer */
    ENTRY_REFERENCED = 1 << 5,  /* CLOCK bit */
    ENTRY_PURGE = 1 << 6,       /* sub rows of an older incarnation in the store must go */
    ENTRY_FLUSHING = 1 << 7,    /* its present state is in the checkpoint under way */
};

/* A string too long to stand inline: the first `len` bytes at p, in a blob that others may hold, too.
 * From there up to `cap` the bytes are this string's alone, and from `zero` on they are zeros. */
struct bigval {
    uint64_t len, cap, zero;
    char *p;
    struct blob *blob;
};
#define STRING_SHARED_BYTES_MIN (64 * KIB) /* shorter ones are copied */

struct entry {
    uint32_t seq;       /* journal batch that holds its last change: a reader may have to wait */
    uint32_t dirty_pos; /* place in the dirty list + 1; 0 = clean */
    uint32_t len;       /* bytes of the inline value region */
    uint32_t access_s;  /* last access, seconds of the shard's clock */
    uint16_t key_len;
    uint8_t type : 4, form : 4; /* enum entry_type, enum string_form */
    uint8_t flags;
    uint32_t hash_hi; /* upper half of the key's hash: resize without touching the key */
    char data[];
};
static_assert(sizeof(struct entry) == 24, "the per-key overhead we publish");

static inline size_t
entry_key_offset(const struct entry *e)
{
    return e->flags & ENTRY_HAS_EXPIRE ? sizeof(int64_t) : 0;
}

static inline struct slice
entry_key(const struct entry *e)
{
    return (struct slice){e->data + entry_key_offset(e), e->key_len};
}

static inline char *
entry_inline(const struct entry *e)
{
    return (char *)e->data + entry_key_offset(e) + e->key_len;
}

/* The pointer a non-inline value consists of. */
static inline void *
entry_ptr(const struct entry *e)
{
    void *p;

    memcpy(&p, entry_inline(e), sizeof(p));
    return p;
}

static inline void
entry_set_ptr(struct entry *e, void *p)
{
    memcpy(entry_inline(e), &p, sizeof(p));
}

/* The value of a string entry, wherever it stands. */
static inline struct slice
entry_string(const struct entry *e)
{
    if (unlikely(e->flags & ENTRY_EXTERNAL)) {
        const struct bigval *v = entry_ptr(e);
        return (struct slice){v->p, v->len};
    }
    return (struct slice){entry_inline(e), e->len};
}

/* The blob of a string that is long enough to be shared, and mostly made of it; NULL otherwise. The
 * caller does not hold it. */
static inline struct blob *
entry_blob(const struct entry *e)
{
    const struct bigval *v;

    if (likely(!(e->flags & ENTRY_EXTERNAL)))
        return NULL;
    v = entry_ptr(e);
    return v->len >= STRING_SHARED_BYTES_MIN && v->len >= v->blob->bytes / 2 ? v->blob : NULL;
}

/* Milliseconds since the epoch, 0 = never expires. */
static inline int64_t
entry_expire(const struct entry *e)
{
    return e->flags & ENTRY_HAS_EXPIRE ? (int64_t)get_le64(e->data) : 0;
}

static inline size_t
entry_bytes(const struct entry *e)
{
    return sizeof(*e) + entry_key_offset(e) + e->key_len + e->len;
}

#endif

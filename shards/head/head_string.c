/* Strings: inline up to ENTRY_INLINE_MAX, behind a struct bigval above.
 *
 * The bytes of a long one are a blob, so that others hold them without a copy. Overwriting bytes that
 * somebody else may look at makes a copy first; appending behind them does not.
 *
 * A long string keeps room to grow: appends double it while it is small and add a quarter from
 * GROW_DOUBLE_BYTES on, so n bytes appended piece by piece are copied a constant number of times.
 */
#include "shards/head/head_priv.h"

#define GROW_DOUBLE_BYTES (1 * MIB)
/* A string set to less than this part of its buffer gets a smaller one. */
#define SHRINK_DIVISOR 4

static struct bigval *
bigval_new(struct head *h, uint64_t cap)
{
    struct bigval *v = arena_alloc(h->arena, sizeof(*v));
    struct blob *b = blob_create(arena_usable(cap));

    *v = (struct bigval){.cap = b->bytes, .p = b->p, .blob = b};
    arena_charge(h->arena, b->bytes);
    return v;
}

void
head_bigval_free(struct head *h, struct bigval *v)
{
    arena_discharge(h->arena, v->blob->bytes);
    blob_put(&v->blob);
    arena_free(h->arena, v, sizeof(*v));
}

static uint64_t
cap_for_growth(uint64_t cap, uint64_t need)
{
    uint64_t more = cap < GROW_DOUBLE_BYTES ? cap : cap / 4;

    return arena_usable(MAX(need, cap + more));
}

/* The blob takes the place of what the string of an entry had, p and cap of which are set. */
static void
set_blob(struct head *h, struct entry *e, struct blob *b)
{
    struct bigval *v = entry_ptr(e);
    size_t old = v->blob->bytes;

    arena_charge(h->arena, b->bytes);
    arena_discharge(h->arena, old);
    if (e->dirty_pos)
        h->dirty_bytes += b->bytes - old;
    blob_put(&v->blob);
    v->blob = b;
}

/* Gives the bigval of an entry, which nobody shares, room for `cap` bytes; those there are stay. */
static void
resize(struct head *h, struct entry *e, uint64_t cap)
{
    struct bigval *v = entry_ptr(e);
    size_t old = v->blob->bytes;

    blob_resize(v->blob, cap);
    v->p = v->blob->p;
    v->cap = cap;
    arena_charge(h->arena, cap);
    arena_discharge(h->arena, old);
    if (e->dirty_pos)
        h->dirty_bytes += cap - old;
}

/* Gives it memory of its own of `cap` bytes; the first `keep` are carried over. */
static void
set_cap(struct head *h, struct entry *e, uint64_t cap, uint64_t keep)
{
    struct bigval *v = entry_ptr(e);
    struct blob *b;

    cap = arena_usable(cap);
    if (keep > 0 && !blob_is_shared(v->blob) && v->p == v->blob->p) {
        resize(h, e, cap);
        return;
    }
    b = blob_create(cap);
    memcpy(b->p, v->p, keep);
    v->p = b->p;
    v->cap = cap;
    set_blob(h, e, b);
}

/* Turns an inline string into a long one of the same bytes, or of none. */
static struct entry *
externalise(struct head *h, struct entry *e, uint64_t cap, bool keep)
{
    struct bigval *v = bigval_new(h, cap);

    if (keep) {
        v->len = e->len;
        memcpy(v->p, entry_inline(e), e->len);
    }
    e = head_resize(h, e, ENTRY_STRING, sizeof(v), 0, entry_expire(e));
    entry_set_ptr(e, v);
    e->flags |= ENTRY_EXTERNAL;
    if (e->dirty_pos)
        h->dirty_bytes += sizeof(*v) + v->blob->bytes;
    return e;
}

static void
assert_live_string(const struct entry *e, uint64_t hash)
{
    ASSERT(e->hash_hi == hash_hi_of(hash));
    ASSERT(e->type == ENTRY_STRING && !(e->flags & ENTRY_TOMBSTONE));
}

struct entry *
head_string_set(struct head *h, uint64_t hash, struct entry *e, struct slice value)
{
    struct bigval *v;

    assert_live_string(e, hash);
    if (likely(value.n <= ENTRY_INLINE_MAX)) {
        if (unlikely(e->flags & ENTRY_EXTERNAL))
            head_drop_value(h, e);
        e = head_resize(h, e, ENTRY_STRING, (uint32_t)value.n, 0, entry_expire(e));
        if (likely(value.n > 0))
            memcpy(entry_inline(e), value.p, value.n);
        return e;
    }
    if (!(e->flags & ENTRY_EXTERNAL)) {
        e = externalise(h, e, value.n, false);
    } else {
        v = entry_ptr(e);
        if (value.n > v->cap || value.n < v->cap / SHRINK_DIVISOR || blob_is_shared(v->blob))
            set_cap(h, e, value.n, 0);
    }
    v = entry_ptr(e);
    memcpy(v->p, value.p, value.n);
    v->len = value.n;
    return e;
}

struct entry *
head_string_share(struct head *h, uint64_t hash, struct entry *e, struct blob *b,
                  struct slice value)
{
    struct bigval *v;

    assert_live_string(e, hash);
    ASSERT(value.p >= b->p && value.p + value.n <= b->p + b->bytes);
    if (!(e->flags & ENTRY_EXTERNAL))
        e = externalise(h, e, 1, false);
    v = entry_ptr(e);
    v->p = (char *)value.p;
    v->len = v->cap = value.n;
    set_blob(h, e, b);
    return e;
}

/* Writes into a buffer that has the room; what lies between old end and offset becomes zero. */
static void
patch_bytes(char *p, uint64_t len, uint64_t offset, struct slice bytes)
{
    if (offset > len)
        memset(p + len, 0, offset - len);
    memcpy(p + offset, bytes.p, bytes.n);
}

struct entry *
head_string_patch(struct head *h, uint64_t hash, struct entry *e, uint64_t offset,
                  struct slice bytes)
{
    uint64_t end = offset + bytes.n;
    struct bigval *v;
    uint32_t old;

    assert_live_string(e, hash);
    ASSERT(end >= offset);
    if (bytes.n == 0)
        return e;
    if (!(e->flags & ENTRY_EXTERNAL)) {
        if (end <= ENTRY_INLINE_MAX) {
            old = e->len;
            if (end > old)
                e = head_resize(h, e, ENTRY_STRING, (uint32_t)end, old, entry_expire(e));
            patch_bytes(entry_inline(e), old, offset, bytes);
            return e;
        }
        e = externalise(h, e, cap_for_growth(e->len, end), true);
    }
    v = entry_ptr(e);
    if (end > v->cap)
        set_cap(h, e, cap_for_growth(v->cap, end), v->len);
    else if (offset < v->len && blob_is_shared(v->blob))
        set_cap(h, e, MAX(end, v->len), v->len);
    patch_bytes(v->p, v->len, offset, bytes);
    v->len = MAX(v->len, end);
    return e;
}

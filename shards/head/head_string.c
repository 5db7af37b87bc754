/* Strings: inline up to ENTRY_INLINE_MAX, behind a struct bigval above.
 *
 * The bytes of a long one are a blob, so that others hold them without a copy. Overwriting bytes that
 * somebody else may look at makes a copy first; appending behind them does not.
 *
 * A long string keeps room to grow: appends double it while it is small and add a quarter from
 * GROW_DOUBLE_BYTES on, so n bytes appended piece by piece are copied a constant number of times.
 *
 * A gap of GAP_BYTES_MIN or more between the end of a string and what is written behind it is not filled:
 * the string gets fresh memory, which is zeros and takes none until it is touched.
 */
#include "shards/head/head_priv.h"

#define GROW_DOUBLE_BYTES (1 * MIB)
/* A string set to less than this part of its buffer gets a smaller one. */
#define SHRINK_DIVISOR 4
#define GAP_BYTES_MIN (1 * MIB)

static struct bigval *
bigval_new(struct head *h, uint64_t cap, bool zero)
{
    struct bigval *v = arena_alloc(h->arena, sizeof(*v));
    struct blob *b = zero ? blob_create_zero(arena_usable(cap)) : blob_create(arena_usable(cap));

    *v = (struct bigval){.cap = b->bytes, .zero = zero ? 0 : b->bytes, .p = b->p, .blob = b};
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
    v->cap = v->zero = cap;
    arena_charge(h->arena, cap);
    arena_discharge(h->arena, old);
    if (e->dirty_pos)
        h->dirty_bytes += cap - old;
}

/* Gives it memory of its own of `cap` bytes; the first `keep` are carried over, those behind are zeros if
 * asked for. */
static void
set_cap(struct head *h, struct entry *e, uint64_t cap, uint64_t keep, bool zero)
{
    struct bigval *v = entry_ptr(e);
    struct blob *b;

    cap = arena_usable(cap);
    if (keep > 0 && !zero && !blob_is_shared(v->blob) && v->p == v->blob->p) {
        resize(h, e, cap);
        return;
    }
    b = zero ? blob_create_zero(cap) : blob_create(cap);
    memcpy(b->p, v->p, keep);
    v->p = b->p;
    v->cap = cap;
    v->zero = zero ? keep : cap;
    set_blob(h, e, b);
}

/* Turns an inline string into a long one of the same bytes, or of none. */
static struct entry *
externalise(struct head *h, struct entry *e, uint64_t cap, bool keep, bool zero)
{
    struct bigval *v = bigval_new(h, cap, zero);

    if (keep) {
        v->len = e->len;
        v->zero = MAX(v->zero, v->len);
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
        e = externalise(h, e, value.n, false, false);
    } else {
        v = entry_ptr(e);
        if (value.n > v->cap || value.n < v->cap / SHRINK_DIVISOR || blob_is_shared(v->blob))
            set_cap(h, e, value.n, 0, false);
    }
    v = entry_ptr(e);
    memcpy(v->p, value.p, value.n);
    v->len = value.n;
    v->zero = MAX(v->zero, v->len);
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
        e = externalise(h, e, 1, false, false);
    v = entry_ptr(e);
    v->p = (char *)value.p;
    v->len = v->cap = v->zero = value.n;
    set_blob(h, e, b);
    return e;
}

/* Writes into a buffer that has the room; what lies between old end and offset becomes zero, which it is
 * already from `zero` on. */
static void
patch_bytes(char *p, uint64_t len, uint64_t zero, uint64_t offset, struct slice bytes)
{
    uint64_t to = MIN(offset, zero);

    if (to > len)
        memset(p + len, 0, to - len);
    memcpy(p + offset, bytes.p, bytes.n);
}

/* Does a patch that ends at `end` need other memory than a long string has? */
static bool
needs_memory(const struct bigval *v, uint64_t offset, uint64_t end)
{
    return end > v->cap || (offset < v->len && blob_is_shared(v->blob));
}

static bool
leaves_gap(uint64_t len, uint64_t offset)
{
    return offset > len && offset - len >= GAP_BYTES_MIN;
}

/* What lies between the end of a long string and a patch behind it, and is not zeros yet. */
static uint64_t
bytes_to_clear(const struct bigval *v, uint64_t offset)
{
    uint64_t to = MIN(offset, v->zero);

    return to > v->len ? to - v->len : 0;
}

/* Room for a patch. */
static void
make_room(struct head *h, struct entry *e, uint64_t offset, uint64_t end)
{
    struct bigval *v = entry_ptr(e);
    bool zero = leaves_gap(v->len, offset);

    if (end > v->cap)
        set_cap(h, e, cap_for_growth(v->cap, end), v->len, zero);
    else if (needs_memory(v, offset, end))
        set_cap(h, e, MAX(end, v->len), v->len, zero);
}

static struct entry *
patch_inline(struct head *h, struct entry *e, uint64_t offset, struct slice bytes)
{
    uint64_t end = offset + bytes.n;
    uint32_t old = e->len;

    if (end > old)
        e = head_resize(h, e, ENTRY_STRING, (uint32_t)end, old, entry_expire(e));
    patch_bytes(entry_inline(e), old, end, offset, bytes);
    return e;
}

struct entry *
head_string_patch(struct head *h, uint64_t hash, struct entry *e, uint64_t offset,
                  struct slice bytes)
{
    uint64_t end = offset + bytes.n;
    struct bigval *v;

    assert_live_string(e, hash);
    ASSERT(end >= offset);
    if (bytes.n == 0)
        return e;
    if (!(e->flags & ENTRY_EXTERNAL)) {
        if (end <= ENTRY_INLINE_MAX)
            return patch_inline(h, e, offset, bytes);
        e = externalise(h, e, cap_for_growth(e->len, end), true, leaves_gap(e->len, offset));
    } else {
        make_room(h, e, offset, end);
    }
    v = entry_ptr(e);
    patch_bytes(v->p, v->len, v->zero, offset, bytes);
    v->len = MAX(v->len, end);
    v->zero = MAX(v->zero, v->len);
    return e;
}

uint64_t
head_string_patch_cost(const struct entry *e, uint64_t offset, uint64_t n, uint64_t *ret_cap)
{
    uint64_t end = offset + n;
    const struct bigval *v;

    if (n == 0 || !(e->flags & ENTRY_EXTERNAL))
        return 0;
    v = entry_ptr(e);
    *ret_cap = end > v->cap ? cap_for_growth(v->cap, end) : v->cap;
    return needs_memory(v, offset, end) ? v->len : bytes_to_clear(v, offset);
}

void
head_string_adopt(struct head *h, struct entry *e, struct blob *b, uint64_t len)
{
    struct bigval *v = entry_ptr(e);

    ASSERT(e->flags & ENTRY_EXTERNAL && len <= v->len && v->len <= b->bytes);
    memcpy(b->p + len, v->p + len, v->len - len);
    v->p = b->p;
    v->cap = b->bytes;
    v->zero = v->len;
    set_blob(h, e, b);
}

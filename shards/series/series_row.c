#include "shards/series/series_row.h"

#include "shards/series/varint.h"

#define ROW_TYPE_SERIES 1 /* ENTRY_SERIES, which stands above this folder */
#define ROW_FLAGS_USED (ROW_HAS_EXPIRE | ROW_HAS_META)

enum series_row_flag {
    TYPE_HAS_OPEN = 1 << 0,
    TYPE_HAS_BLOCKS = 1 << 1,
    TYPE_FLAGS_USED = 0x03,
};

static void
head_write(struct buf *out, uint8_t type, uint8_t flags, int64_t expire_ms)
{
    buf_put_u8(out, ROW_FORMAT_VERSION);
    buf_put_u8(out, type);
    buf_put_u8(out, expire_ms ? flags | ROW_HAS_EXPIRE : flags);
    if (expire_ms)
        buf_put_u64(out, (uint64_t)expire_ms);
}

void
row_head_write(struct buf *out, uint8_t type, int64_t expire_ms)
{
    head_write(out, type, 0, expire_ms);
}

void
series_row_head_write(struct buf *out, int64_t expire_ms, const struct series_meta *m)
{
    struct buf meta = {0};

    if (series_meta_is_default(m)) {
        head_write(out, ROW_TYPE_SERIES, 0, expire_ms);
        return;
    }
    series_meta_write(&meta, m);
    head_write(out, ROW_TYPE_SERIES, ROW_HAS_META, expire_ms);
    varint_put(out, meta.n);
    buf_append(out, meta.p, meta.n);
    buf_fini(&meta);
}

static bool
head_meta(struct cursor *c, struct slice *ret)
{
    const uint8_t *p;
    uint64_t n;

    if (!varint_get(c, &n) || n == 0 || (p = cursor_take(c, n)) == NULL)
        return false;
    *ret = (struct slice){(const char *)p, n};
    return true;
}

bool
row_head_parse(struct slice row, struct row_head *ret_head, struct slice *ret_payload)
{
    struct cursor c = cursor_of(row);
    struct row_head head = {0};
    uint8_t version, flags;
    uint64_t expire = 0;

    if (!cursor_u8(&c, &version) || version != ROW_FORMAT_VERSION)
        return false;
    if (!cursor_u8(&c, &head.type) || !cursor_u8(&c, &flags) || flags & ~ROW_FLAGS_USED)
        return false;
    if (flags & ROW_HAS_EXPIRE && !cursor_u64(&c, &expire))
        return false;
    if (flags & ROW_HAS_META && (head.type != ROW_TYPE_SERIES || !head_meta(&c, &head.meta)))
        return false;
    head.expire_ms = (int64_t)expire;
    *ret_head = head;
    *ret_payload = (struct slice){(const char *)c.p, cursor_left(&c)};
    return true;
}

static void
write_open(struct buf *out, const struct series *s)
{
    struct sample last;
    uint8_t quality;
    uint64_t bits;

    if (!series_last(s, &last, &quality))
        return;
    memcpy(&bits, &last.value, sizeof(bits));
    varint_put(out, zigzag(s->open.p[0].ts));
    varint_put(out, (uint64_t)last.ts - (uint64_t)s->open.p[0].ts);
    buf_put_u64(out, bits);
    buf_put_u8(out, quality);
}

void
series_row_write(struct buf *out, const struct series_key *k, uint64_t as_of_lsn)
{
    uint32_t i;

    varint_put(out, k->n);
    for (i = 0; i < k->n; i++) {
        const struct series *s = series_at(k, i);
        const struct series_frozen *z = s->frozen;
        bool has_blocks;
        ASSERT(z);
        has_blocks = s->open.n && (s->has_stored_blocks || z->sealed_n || z->late.n);
        buf_put_u8(out, s->type);
        buf_put_u8(out,
                   (uint8_t)((s->open.n ? TYPE_HAS_OPEN : 0) | (has_blocks ? TYPE_HAS_BLOCKS : 0)));
        varint_put(out, as_of_lsn);
        varint_put(out, z->late_gen);
        if (has_blocks)
            varint_put(out, z->run_max);
        write_open(out, s);
    }
}

static bool
parse_open(struct cursor *c, struct series_row_type *t)
{
    uint64_t span, bits;

    if (!varint_get_signed(c, &t->open_ts) || !varint_get(c, &span) || !cursor_u64(c, &bits) ||
        !cursor_u8(c, &t->last_quality))
        return false;
    t->last.ts = (int64_t)((uint64_t)t->open_ts + span);
    memcpy(&t->last.value, &bits, sizeof(bits));
    return t->last.ts >= t->open_ts;
}

static bool
parse_type(struct cursor *c, struct series_row_type *t)
{
    uint64_t late_gen, run_max = 0;
    uint8_t flags;

    *t = (struct series_row_type){0};
    if (!cursor_u8(c, &t->type) || !cursor_u8(c, &flags) || flags & ~TYPE_FLAGS_USED)
        return false;
    if (!varint_get(c, &t->as_of_lsn) || !varint_get(c, &late_gen) || late_gen > UINT32_MAX)
        return false;
    t->has_open = flags & TYPE_HAS_OPEN;
    t->has_blocks = flags & TYPE_HAS_BLOCKS;
    t->late_gen = (uint32_t)late_gen;
    if (t->has_blocks && (!varint_get(c, &run_max) || run_max > UINT32_MAX))
        return false;
    t->run_max = (uint32_t)run_max;
    return t->has_open ? parse_open(c, t) : !t->has_blocks;
}

bool
series_row_parse(struct slice payload, struct series_row_type *ret_types, uint32_t *ret_n)
{
    struct cursor c = cursor_of(payload);
    uint64_t n, i;

    if (!varint_get(&c, &n) || n > SERIES_TYPES_MAX)
        return false;
    for (i = 0; i < n; i++)
        if (!parse_type(&c, &ret_types[i]) || (i && ret_types[i].type <= ret_types[i - 1].type))
            return false;
    *ret_n = (uint32_t)n;
    return c.p == c.end;
}

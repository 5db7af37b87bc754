#include "shards/engine/record.h"

static uint32_t
varint_size(uint64_t v)
{
    uint32_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

static char *
put_varint(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}

static char *
put_head(char *p, enum record_op op, uint8_t db)
{
    *p++ = (char)op;
    *p++ = (char)db;
    return p;
}

static char *
put_bytes(char *p, struct slice s)
{
    memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *
put_key(char *p, struct slice key)
{
    return put_bytes(put_varint(p, key.n), key);
}

static uint32_t
key_size(struct slice key)
{
    return varint_size(key.n) + (uint32_t)key.n;
}

void
record_set(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms, struct slice value)
{
    char *p = journal_append(j, 2 + key_size(key) + 8 + (uint32_t)value.n);

    p = put_key(put_head(p, RECORD_SET, db), key);
    put_le64(p, (uint64_t)expire_ms);
    put_bytes(p + 8, value);
}

void
record_set_shared(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms,
                  struct blob *b, struct slice value)
{
    char *p = journal_append_shared(j, 2 + key_size(key) + 8, b, value);

    p = put_key(put_head(p, RECORD_SET, db), key);
    put_le64(p, (uint64_t)expire_ms);
}

void
record_del(struct journal *j, uint8_t db, struct slice key)
{
    char *p = journal_append(j, 2 + (uint32_t)key.n);

    put_bytes(put_head(p, RECORD_DEL, db), key);
}

void
record_expire(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms)
{
    char *p = journal_append(j, 2 + 8 + (uint32_t)key.n);

    p = put_head(p, RECORD_EXPIRE, db);
    put_le64(p, (uint64_t)expire_ms);
    put_bytes(p + 8, key);
}

void
record_patch(struct journal *j, uint8_t db, struct slice key, uint64_t offset, struct slice bytes)
{
    char *p = journal_append(j, 2 + key_size(key) + varint_size(offset) + (uint32_t)bytes.n);

    p = put_key(put_head(p, RECORD_PATCH, db), key);
    put_bytes(put_varint(p, offset), bytes);
}

void
record_patch_shared(struct journal *j, uint8_t db, struct slice key, uint64_t offset,
                    struct blob *b, struct slice bytes)
{
    uint32_t n = 2 + key_size(key) + varint_size(offset);

    put_varint(put_key(put_head(journal_append_shared(j, n, b, bytes), RECORD_PATCH, db), key),
               offset);
}

void
record_point(struct journal *j, uint8_t db, struct slice key, uint8_t type, int64_t ts,
             double value, uint8_t quality, uint8_t policy)
{
    char *p = journal_append(j, 2 + key_size(key) + 3 + 16);

    p = put_key(put_head(p, RECORD_POINT, db), key);
    *p++ = (char)type;
    *p++ = (char)quality;
    *p++ = (char)policy;
    put_le64(p, (uint64_t)ts);
    memcpy(p + 8, &value, 8);
}

void
record_delete(struct journal *j, uint8_t db, struct slice key, uint8_t type, int64_t from,
              int64_t to)
{
    char *p = journal_append(j, 2 + key_size(key) + 1 + 16);

    p = put_key(put_head(p, RECORD_DELETE, db), key);
    *p++ = (char)type;
    put_le64(p, (uint64_t)from);
    put_le64(p + 8, (uint64_t)to);
}

void
record_block(struct journal *j, uint8_t db, struct slice key, uint8_t type, struct slice block)
{
    char *p = journal_append(j, 2 + key_size(key) + 1 + (uint32_t)block.n);

    p = put_key(put_head(p, RECORD_BLOCK, db), key);
    *p++ = (char)type;
    put_bytes(p, block);
}

void
record_series_meta(struct journal *j, uint8_t db, struct slice key, struct slice meta)
{
    char *p = journal_append(j, 2 + key_size(key) + (uint32_t)meta.n);

    put_bytes(put_key(put_head(p, RECORD_SERIES_META, db), key), meta);
}

void
record_flush(struct journal *j, uint8_t db)
{
    put_head(journal_append(j, 2), RECORD_FLUSH, db);
}

void
record_group(struct journal *j, const uint16_t *shards, const uint64_t *lsns, uint32_t n)
{
    char *p = journal_append(j, 2 + varint_size(n) + n * 10);

    p = put_varint(put_head(p, RECORD_GROUP, 0), n);
    for (uint32_t i = 0; i < n; i++, p += 10) {
        put_le16(p, shards[i]);
        put_le64(p + 2, lsns[i]);
    }
}

/* --- parsing: every length is checked, nothing is believed ------------------------------------ */

static bool
take_varint(struct slice *s, uint64_t *ret_v)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && s->n; shift += 7) {
        uint8_t b = (uint8_t)*s->p++;

        s->n--;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret_v = v;
            return true;
        }
    }
    return false;
}

static bool
take_bytes(struct slice *s, uint64_t n, struct slice *ret)
{
    if (n > s->n)
        return false;
    *ret = (struct slice){s->p, n};
    s->p += n;
    s->n -= n;
    return true;
}

static bool
take_key(struct slice *s, struct slice *ret_key)
{
    uint64_t n;

    return take_varint(s, &n) && take_bytes(s, n, ret_key);
}

static bool
take_i64(struct slice *s, int64_t *ret_v)
{
    struct slice b;

    if (!take_bytes(s, 8, &b))
        return false;
    *ret_v = (int64_t)get_le64(b.p);
    return true;
}

static bool
parse_point(struct slice s, struct record *r)
{
    struct slice b;

    if (!take_key(&s, &r->key) || !take_bytes(&s, 19, &b) || s.n != 0)
        return false;
    r->type = (uint8_t)b.p[0];
    r->quality = (uint8_t)b.p[1];
    r->policy = (uint8_t)b.p[2];
    r->ts = (int64_t)get_le64(b.p + 3);
    memcpy(&r->value, b.p + 11, 8);
    return true;
}

static bool
parse_delete(struct slice s, struct record *r)
{
    struct slice b;

    if (!take_key(&s, &r->key) || !take_bytes(&s, 17, &b) || s.n != 0)
        return false;
    r->type = (uint8_t)b.p[0];
    r->ts = (int64_t)get_le64(b.p + 1);
    r->to = (int64_t)get_le64(b.p + 9);
    return r->ts <= r->to;
}

static bool
parse_block(struct slice s, struct record *r)
{
    struct slice b;

    if (!take_key(&s, &r->key) || !take_bytes(&s, 1, &b))
        return false;
    r->type = (uint8_t)b.p[0];
    r->bytes = s;
    return true;
}

static bool
parse_group(struct slice s, struct record *r)
{
    uint64_t n;

    if (!take_varint(&s, &n) || n > RECORD_GROUP_MAX || s.n != n * 10)
        return false;
    r->parts_n = (uint32_t)n;
    r->parts = s.p;
    return true;
}

static bool
record_in_limits(const struct record *r)
{
    return r->key.n <= RECORD_KEY_BYTES_MAX && r->expire_ms >= 0 &&
           r->offset <= RECORD_STRING_BYTES_MAX &&
           r->bytes.n <= RECORD_STRING_BYTES_MAX - r->offset;
}

bool
record_parse(struct slice s, struct record *ret_r)
{
    struct record r = {0};
    bool ok = false;

    if (s.n < 2)
        return false;
    r.op = (uint8_t)s.p[0];
    r.db = (uint8_t)s.p[1];
    s = (struct slice){s.p + 2, s.n - 2};
    switch (r.op) {
    case RECORD_SET:
        ok = take_key(&s, &r.key) && take_i64(&s, &r.expire_ms);
        r.bytes = s;
        break;
    case RECORD_DEL:
        ok = true;
        r.key = s;
        break;
    case RECORD_EXPIRE:
        ok = take_i64(&s, &r.expire_ms);
        r.key = s;
        break;
    case RECORD_PATCH:
        ok = take_key(&s, &r.key) && take_varint(&s, &r.offset);
        r.bytes = s;
        break;
    case RECORD_POINT:
        ok = parse_point(s, &r);
        break;
    case RECORD_DELETE:
        ok = parse_delete(s, &r);
        break;
    case RECORD_BLOCK:
        ok = parse_block(s, &r);
        break;
    case RECORD_SERIES_META:
        ok = take_key(&s, &r.key);
        r.bytes = s;
        break;
    case RECORD_FLUSH:
        ok = s.n == 0;
        break;
    case RECORD_GROUP:
        ok = parse_group(s, &r);
        break;
    default:
        break;
    }
    if (!ok || !record_in_limits(&r))
        return false;
    *ret_r = r;
    return true;
}

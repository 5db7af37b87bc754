#include "shards/commands/dump_payload.h"

#include "core/crc64.h"
#include "shards/journal/journal.h"
#include "shards/series/series.h"
#include "shards/series/varint.h"

#include <liblzf/lzf.h>
#include <stdlib.h>

#define FOOTER_BYTES 10
#define LENGTH_BYTES_MAX 9
#define BLOCK_HEAD_BYTES 5 /* checksum, data type */
#define INT_TEXT_BYTES_MAX 11 /* of a string that is written as an integer */
#define LZF_RATIO_MAX 300     /* three bytes stand for at most 264 */

/* What RDB has before values. */
enum rdb_type { RDB_STRING = 0, RDB_MODULE = 7 };
enum rdb_length { RDB_6BIT = 0, RDB_14BIT = 1, RDB_32BIT = 0x80, RDB_64BIT = 0x81, RDB_SPECIAL = 3 };
enum rdb_special { RDB_INT8 = 0, RDB_INT16 = 1, RDB_INT32 = 2, RDB_LZF = 3 };
enum rdb_module { RDB_MODULE_END = 0, RDB_MODULE_STRING = 5 };

/* Nine characters of 6 bits and a version of 10. */
static const char module_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
#define MODULE_NAME "PINSTRIPE"
#define MODULE_NAME_CHARS 9
#define MODULE_VERSION_BITS 10

static uint64_t
module_id(void)
{
    uint64_t id = 0;

    for (unsigned i = 0; i < MODULE_NAME_CHARS; i++)
        id = id << 6 | (uint64_t)(strchr(module_chars, MODULE_NAME[i]) - module_chars);
    return id << MODULE_VERSION_BITS | DUMP_SERIES_VERSION;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void
put_length(struct buf *out, uint64_t n)
{
    uint8_t *p = (uint8_t *)buf_reserve(out, LENGTH_BYTES_MAX);
    unsigned bytes = 1;

    if (n < 1 << 6) {
        p[0] = (uint8_t)n;
    } else if (n < 1 << 14) {
        p[0] = (uint8_t)(RDB_14BIT << 6 | n >> 8);
        p[1] = (uint8_t)n;
        bytes = 2;
    } else {
        unsigned wide = n <= UINT32_MAX ? 4 : 8;

        p[0] = wide == 4 ? RDB_32BIT : RDB_64BIT;
        for (unsigned i = 0; i < wide; i++)
            p[1 + i] = (uint8_t)(n >> 8 * (wide - 1 - i));
        bytes = 1 + wide;
    }
    out->n += bytes;
}

static unsigned
length_bytes(uint64_t n)
{
    return n < 1 << 6 ? 1 : n < 1 << 14 ? 2 : n <= UINT32_MAX ? 5 : 9;
}

static void
put_plain(struct buf *out, struct slice s)
{
    put_length(out, s.n);
    buf_append(out, s.p, s.n);
}

/* Bytes of the integer that the text is written as, 0 = as text. */
static unsigned
int_bytes(struct slice s, int64_t *ret_v)
{
    if (s.n == 0 || s.n > INT_TEXT_BYTES_MAX || !parse_int(s, ret_v))
        return 0;
    if (*ret_v >= INT8_MIN && *ret_v <= INT8_MAX)
        return 1;
    if (*ret_v >= INT16_MIN && *ret_v <= INT16_MAX)
        return 2;
    return *ret_v >= INT32_MIN && *ret_v <= INT32_MAX ? 4 : 0;
}

void
dump_write_footer(struct buf *out, size_t from)
{
    char *p = buf_reserve(out, FOOTER_BYTES);

    put_le16(p, DUMP_RDB_VERSION);
    put_le64(p + 2, crc64(0, out->p + from, out->n - from + 2));
    out->n += FOOTER_BYTES;
}

uint64_t
dump_string_bytes(struct slice value)
{
    int64_t v;
    unsigned n = int_bytes(value, &v);

    return 1 + (n ? 1 + n : length_bytes(value.n) + value.n) + FOOTER_BYTES;
}

void
dump_write_string(struct buf *out, struct slice value)
{
    size_t from = out->n;
    int64_t v;
    unsigned n = int_bytes(value, &v);

    buf_reserve(out, dump_string_bytes(value));
    buf_put_u8(out, RDB_STRING);
    if (n) {
        buf_put_u8(out, (uint8_t)(RDB_SPECIAL << 6 | (n == 1 ? RDB_INT8 : n == 2 ? RDB_INT16
                                                                              : RDB_INT32)));
        for (unsigned i = 0; i < n; i++)
            buf_put_u8(out, (uint8_t)((uint64_t)v >> 8 * i));
    } else {
        put_plain(out, value);
    }
    dump_write_footer(out, from);
}

void
dump_series_begin(struct buf *out, const struct series_meta *m)
{
    struct buf meta = {0};

    series_meta_write(&meta, m);
    buf_put_u8(out, RDB_MODULE);
    put_length(out, module_id());
    put_length(out, RDB_MODULE_STRING);
    put_plain(out, (struct slice){meta.p, meta.n});
    buf_fini(&meta);
}

void
dump_series_block(struct buf *out, uint8_t type, struct slice block)
{
    put_length(out, RDB_MODULE_STRING);
    put_length(out, BLOCK_HEAD_BYTES + block.n);
    put_le32(buf_reserve(out, 4), journal_crc32c(journal_crc32c(0, &type, 1), block.p, block.n));
    out->n += 4;
    buf_put_u8(out, type);
    buf_append(out, block.p, block.n);
}

void
dump_series_end(struct buf *out, size_t from)
{
    put_length(out, RDB_MODULE_END);
    dump_write_footer(out, from);
}

/* --- reading: nothing is believed --------------------------------------------------------------- */

static bool
get_be(struct cursor *c, unsigned bytes, uint64_t *ret)
{
    const uint8_t *p = cursor_take(c, bytes);
    uint64_t v = 0;

    if (p == NULL)
        return false;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    *ret = v;
    return true;
}

/* A length; or, with *ret_special, which encoding follows instead. */
static bool
get_length(struct cursor *c, uint64_t *ret, bool *ret_special)
{
    uint8_t b, low;

    *ret_special = false;
    if (!cursor_u8(c, &b))
        return false;
    switch (b >> 6) {
    case RDB_6BIT:
        *ret = b;
        return true;
    case RDB_14BIT:
        if (!cursor_u8(c, &low))
            return false;
        *ret = (uint64_t)(b & 0x3f) << 8 | low;
        return true;
    case RDB_SPECIAL:
        *ret_special = true;
        *ret = b & 0x3f;
        return true;
    default:
        return b == RDB_32BIT ? get_be(c, 4, ret) : b == RDB_64BIT && get_be(c, 8, ret);
    }
}

static bool
get_plain_length(struct cursor *c, uint64_t *ret)
{
    bool special;

    return get_length(c, ret, &special) && !special;
}

static bool
get_plain(struct cursor *c, struct slice *ret)
{
    const uint8_t *p;
    uint64_t n;

    if (!get_plain_length(c, &n) || (p = cursor_take(c, n)) == NULL)
        return false;
    *ret = (struct slice){(const char *)p, n};
    return true;
}

static enum dump_error
parse_int_string(struct cursor *c, unsigned bytes, struct dump *d)
{
    const uint8_t *p = cursor_take(c, bytes);
    uint64_t u = 0;
    int64_t v;

    if (p == NULL)
        return DUMP_DAMAGED;
    for (unsigned i = 0; i < bytes; i++)
        u |= (uint64_t)p[i] << 8 * i;
    v = bytes == 1 ? (int8_t)u : bytes == 2 ? (int16_t)u : (int32_t)u;
    d->string = (struct slice){d->digits, format_int(d->digits, v)};
    return DUMP_OK;
}

static enum dump_error
parse_lzf_string(struct cursor *c, uint64_t string_max, struct dump *d)
{
    const uint8_t *p;
    uint64_t packed, n;

    if (!get_plain_length(c, &packed) || !get_plain_length(c, &n) ||
        (p = cursor_take(c, packed)) == NULL)
        return DUMP_DAMAGED;
    if (n > string_max)
        return DUMP_LONG;
    if (n == 0 || n / LZF_RATIO_MAX > packed || packed > UINT32_MAX || n > UINT32_MAX)
        return DUMP_DAMAGED;
    d->unpacked = malloc(n);
    ASSERT(d->unpacked);
    if (lzf_decompress(p, (unsigned)packed, d->unpacked, (unsigned)n) != n)
        return DUMP_DAMAGED;
    d->string = (struct slice){d->unpacked, n};
    return DUMP_OK;
}

static enum dump_error
parse_string(struct cursor *c, uint64_t string_max, struct dump *d)
{
    const uint8_t *p;
    bool special;
    uint64_t n;

    d->kind = DUMP_STRING;
    if (!get_length(c, &n, &special))
        return DUMP_DAMAGED;
    if (special && n == RDB_LZF)
        return parse_lzf_string(c, string_max, d);
    if (special)
        return n > RDB_INT32 ? DUMP_DAMAGED : parse_int_string(c, 1u << n, d);
    if ((p = cursor_take(c, n)) == NULL)
        return DUMP_DAMAGED;
    if (n > string_max)
        return DUMP_LONG;
    d->string = (struct slice){(const char *)p, n};
    return DUMP_OK;
}

static void
name_module(uint64_t id, char ret[10])
{
    id >>= MODULE_VERSION_BITS;
    for (unsigned i = MODULE_NAME_CHARS; i-- > 0; id >>= 6)
        ret[i] = module_chars[id & 0x3f];
    ret[MODULE_NAME_CHARS] = '\0';
}

/* Where the blocks seen so far end. */
struct seen {
    struct samples room;
    bool any;
    uint8_t type;
    int64_t last;
    uint32_t same; /* points with the last time */
};

/* Times never fall within a data type, and not too many of them are equal. */
static bool
check_times(struct seen *s, uint8_t type, const struct samples *points)
{
    if (s->any && type < s->type)
        return false;
    if (!s->any || type != s->type) {
        s->same = 0;
        s->last = INT64_MIN;
    }
    s->any = true;
    s->type = type;
    for (uint32_t i = 0; i < points->n; i++) {
        if (points->p[i].ts < s->last)
            return false;
        s->same = points->p[i].ts == s->last ? s->same + 1 : 1;
        s->last = points->p[i].ts;
        if (s->same > SERIES_SAME_TS_MAX)
            return false;
    }
    return true;
}

static enum dump_error
check_block(struct dump *d, struct seen *s, uint8_t type, struct slice block)
{
    struct block_info info;
    struct samples points;
    bool ok;

    if (!block_read_info(block, &info))
        return DUMP_DAMAGED;
    d->points += info.count;
    if (d->points > DUMP_POINTS_MAX)
        return DUMP_POINTS;
    if (block_decode_samples(block, &points) < 0)
        return DUMP_DAMAGED;
    ok = check_times(s, type, &points);
    samples_fini(&points);
    return ok ? DUMP_OK : DUMP_DAMAGED;
}

/* 1 = a block, 0 = the end, -1 = damaged. */
static int
next_block(struct cursor *c, uint8_t *ret_type, struct slice *ret_block)
{
    struct slice s;
    uint64_t op;

    if (!get_plain_length(c, &op))
        return -1;
    if (op == RDB_MODULE_END)
        return 0;
    if (op != RDB_MODULE_STRING || !get_plain(c, &s) || s.n < BLOCK_HEAD_BYTES)
        return -1;
    *ret_type = (uint8_t)s.p[4];
    *ret_block = (struct slice){s.p + BLOCK_HEAD_BYTES, s.n - BLOCK_HEAD_BYTES};
    return journal_crc32c(0, s.p + 4, s.n - 4) == get_le32(s.p) ? 1 : -1;
}

static enum dump_error
parse_blocks(struct cursor *c, struct dump *d)
{
    enum dump_error e = DUMP_OK;
    struct seen seen = {.any = false};
    struct slice block;
    uint8_t type;
    int rc = 1;

    d->blocks = (struct slice){(const char *)c->p, cursor_left(c)};
    while (e == DUMP_OK && (rc = next_block(c, &type, &block)) == 1)
        e = check_block(d, &seen, type, block);
    return rc < 0 ? DUMP_DAMAGED : e;
}

static enum dump_error
parse_series(struct cursor *c, struct dump *d)
{
    struct slice meta;
    uint64_t id, op;
    enum dump_error e;

    d->kind = DUMP_SERIES;
    if (!get_plain_length(c, &id))
        return DUMP_DAMAGED;
    if (id != module_id()) {
        name_module(id, d->module);
        return DUMP_MODULE;
    }
    if (!get_plain_length(c, &op) || op != RDB_MODULE_STRING || !get_plain(c, &meta) ||
        !series_meta_parse(meta, &d->meta))
        return DUMP_DAMAGED;
    e = d->meta.rules_n || d->meta.has_source ? DUMP_DAMAGED : parse_blocks(c, d);
    if (e != DUMP_OK)
        series_meta_parsed_fini(&d->meta);
    return e;
}

static bool
check_footer(struct slice payload)
{
    const char *footer;

    if (payload.n < FOOTER_BYTES)
        return false;
    footer = payload.p + payload.n - FOOTER_BYTES;
    return get_le16(footer) <= DUMP_RDB_VERSION_READ_MAX &&
           get_le64(footer + 2) == crc64(0, payload.p, payload.n - 8);
}

static enum dump_error
parse_value(struct cursor *c, uint64_t string_max, struct dump *d)
{
    if (!cursor_u8(c, &d->type))
        return DUMP_DAMAGED;
    if (d->type == RDB_STRING)
        return parse_string(c, string_max, d);
    return d->type == RDB_MODULE ? parse_series(c, d) : DUMP_TYPE;
}

enum dump_error
dump_parse(struct slice payload, uint64_t string_max, struct dump *ret)
{
    struct cursor c;
    enum dump_error e;

    *ret = (struct dump){.unpacked = NULL};
    if (!check_footer(payload))
        return DUMP_SUM;
    c = cursor_of((struct slice){payload.p, payload.n - FOOTER_BYTES});
    e = parse_value(&c, string_max, ret);
    if (e == DUMP_OK && cursor_left(&c) > 0) {
        dump_fini(ret);
        return DUMP_DAMAGED;
    }
    if (e != DUMP_OK) {
        free(ret->unpacked);
        ret->unpacked = NULL;
    }
    return e;
}

bool
dump_next_block(struct dump *d, uint8_t *ret_type, struct slice *ret_block)
{
    struct cursor c = cursor_of(d->blocks);
    bool more = next_block(&c, ret_type, ret_block) == 1;

    d->blocks = (struct slice){(const char *)c.p, cursor_left(&c)};
    return more;
}

void
dump_fini(struct dump *d)
{
    free(d->unpacked);
    d->unpacked = NULL;
    if (d->kind == DUMP_SERIES)
        series_meta_parsed_fini(&d->meta);
}

/* See row.h for the layout, docs/FORMATS.md ("Rows") for the bytes. Numbers are big endian because
 * RocksDB sorts rows as bytes: a range of slots, a key's rows and a series' blocks by time are each
 * one run of neighbours. */
#include "shards/store/row.h"

#define KIND_AT_MOST 0xfe /* 0xff ends the rows of a key */
#define BLOCK_SUB_KEY_BYTES 9
static_assert(ROW_MAIN <= KIND_AT_MOST && ROW_BLOCK <= KIND_AT_MOST, "0xff is the upper bound");
static_assert(ROW_MAIN < ROW_BLOCK, "the main row comes first");

/* Flipping the sign bit makes negative times sort before positive ones. */
static uint64_t
time_to_sortable(int64_t ts)
{
    return (uint64_t)ts ^ (UINT64_C(1) << 63);
}

static int64_t
time_from_sortable(uint64_t v)
{
    return (int64_t)(v ^ (UINT64_C(1) << 63));
}

size_t
row_db_lower(char *out, uint8_t db)
{
    out[0] = (char)db;
    return 1;
}

size_t
row_slot_lower(char *out, uint8_t db, uint16_t slot)
{
    row_db_lower(out, db);
    put_be16(out + 1, slot);
    return 3;
}

size_t
row_key_lower(char *out, uint8_t db, uint16_t slot, struct slice key)
{
    ASSERT(db != ROW_DB_META && slot < ROW_SLOTS && key.n <= UINT16_MAX);
    row_slot_lower(out, db, slot);
    put_be16(out + 3, (uint16_t)key.n);
    if (key.n)
        memcpy(out + ROW_PREFIX_BYTES, key.p, key.n);
    return ROW_PREFIX_BYTES + key.n;
}

size_t
row_key_upper(char *out, uint8_t db, uint16_t slot, struct slice key)
{
    size_t n = row_key_lower(out, db, slot, key);

    out[n] = (char)(KIND_AT_MOST + 1);
    return n + 1;
}

size_t
row_main(char *out, uint8_t db, uint16_t slot, struct slice key)
{
    size_t n = row_key_lower(out, db, slot, key);

    out[n] = ROW_MAIN;
    return n + 1;
}

size_t
row_labels_lower(char *out, uint8_t db)
{
    return row_db_lower(out, db | ROW_DB_LABELS);
}

size_t
row_labels(char *out, uint8_t db, uint16_t slot, struct slice key)
{
    size_t n = row_key_lower(out, db | ROW_DB_LABELS, slot, key);

    out[n] = ROW_LABELS;
    return n + 1;
}

size_t
row_block(char *out, uint8_t db, uint16_t slot, struct slice key, uint8_t type, int64_t ts)
{
    size_t n = row_key_lower(out, db, slot, key);

    out[n] = ROW_BLOCK;
    out[n + 1] = (char)type;
    put_be64(out + n + 2, time_to_sortable(ts));
    return n + 1 + BLOCK_SUB_KEY_BYTES;
}

/* The kind byte and what follows it. */
static bool
parse_kind(const char *p, size_t n, bool is_labels, struct row_parts *parts)
{
    parts->kind = (uint8_t)p[0];
    if ((parts->kind == ROW_LABELS) != is_labels)
        return false;
    if (parts->kind != ROW_BLOCK)
        return n == 1 && (is_labels || parts->kind == ROW_MAIN);
    if (n != 1 + BLOCK_SUB_KEY_BYTES)
        return false;
    parts->data_type = (uint8_t)p[1];
    parts->ts = time_from_sortable(get_be64(p + 2));
    return true;
}

bool
row_parse(struct slice row, struct row_parts *ret_parts)
{
    struct row_parts parts = {0};
    bool is_labels;
    size_t after_key;

    if (row.n <= ROW_PREFIX_BYTES || (uint8_t)row.p[0] == ROW_DB_META)
        return false;
    is_labels = (row.p[0] & ROW_DB_LABELS) != 0;
    parts.db = (uint8_t)(row.p[0] & ~ROW_DB_LABELS);
    parts.slot = get_be16(row.p + 1);
    parts.key = (struct slice){row.p + ROW_PREFIX_BYTES, get_be16(row.p + 3)};
    after_key = ROW_PREFIX_BYTES + parts.key.n;
    if (parts.slot >= ROW_SLOTS || row.n <= after_key)
        return false;
    if (!parse_kind(row.p + after_key, row.n - after_key, is_labels, &parts))
        return false;
    *ret_parts = parts;
    return true;
}

/* Row keys: what row_parse takes is exactly what row_main, row_labels and row_block write, and lies
 * between the bounds of its key (of its database, for labels). The same bytes as a key: the slot, against the definition bit by bit. */
#include "shards/store/row.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
compare(const char *a, size_t an, const char *b, size_t bn)
{
    int c = memcmp(a, b, MIN(an, bn));

    return c ? c : (an > bn) - (an < bn);
}

static void
check_row(struct slice row, char *buf)
{
    struct row_parts p;
    size_t len;

    if (!row_parse(row, &p))
        return;
    ASSERT(p.slot < ROW_SLOTS && p.db < ROW_DB_LABELS);
    len = p.kind == ROW_LABELS ? row_labels_lower(buf, p.db)
                               : row_key_lower(buf, p.db, p.slot, p.key);
    ASSERT(compare(buf, len, row.p, row.n) < 0);
    len = p.kind == ROW_LABELS ? row_labels_lower(buf, p.db + 1)
                               : row_key_upper(buf, p.db, p.slot, p.key);
    ASSERT(compare(row.p, row.n, buf, len) < 0 || (p.kind == ROW_LABELS && p.db == 0x7f));
    if (p.kind == ROW_LABELS)
        len = row_labels(buf, p.db, p.slot, p.key);
    else if (p.kind == ROW_MAIN)
        len = row_main(buf, p.db, p.slot, p.key);
    else
        len = row_block(buf, p.db, p.slot, p.key, p.data_type, p.ts);
    ASSERT(slice_equal(row, (struct slice){buf, len}));
}

/* The text between the first brace and the first closing one after it, byte by byte. */
static struct slice
tag_of(struct slice key)
{
    size_t open, close;

    for (open = 0; open < key.n && key.p[open] != '{'; open++)
        ;
    for (close = open + 1; close < key.n && key.p[close] != '}'; close++)
        ;
    if (close >= key.n || close == open + 1)
        return key;
    return (struct slice){key.p + open + 1, close - open - 1};
}

static void
check_slot(struct slice key)
{
    struct slice tag = tag_of(key);
    uint32_t crc = 0;

    for (size_t i = 0; i < tag.n; i++) {
        crc ^= (uint32_t)(uint8_t)tag.p[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    ASSERT(key_slot(key) == crc % ROW_SLOTS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *exact = malloc(n + !n), *buf = malloc(ROW_KEY_BYTES_MAX);

    ASSERT(exact && buf);
    if (n)
        memcpy(exact, data, n); /* at its very length, so that a read past it is noticed */
    check_row((struct slice){exact, n}, buf);
    check_slot((struct slice){exact, n});
    free(buf);
    free(exact);
    return 0;
}

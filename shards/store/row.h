/* Keys of the rows in the store.
 *
 *   [db:1][slot:2 BE][key length:2 BE][user key][kind:1][sub key]
 *
 * All rows of one user key are neighbours, its main row first; a database is a range, and a slot of
 * a database is a range. Kinds: ROW_MAIN has no sub key. ROW_BLOCK: [data type:1][first
 * timestamp:8, big endian, sign bit flipped]. Rows about the shard itself have db 0xff and a name.
 *
 * ROW_LABELS, the labels of a series, stand apart, with ROW_DB_LABELS in the database's byte: a
 * start reads all of them and nothing else. */
#ifndef SHARDS_STORE_ROW_H
#define SHARDS_STORE_ROW_H

#include "core/base.h"

enum row_kind { ROW_MAIN = 0x01, ROW_LABELS = 0x02, ROW_BLOCK = 0x10 };

#define ROW_DB_META 0xff
#define ROW_DB_LABELS 0x80 /* or'ed to a database */
#define ROW_PREFIX_BYTES 5
#define ROW_KEY_BYTES_MAX (ROW_PREFIX_BYTES + 65535 + 1 + 9)
#define ROW_SLOTS 16384

/* CRC16-XMODEM of the key or of its {hash tag}, mod 16384, as Redis Cluster has it. */
uint16_t key_slot(struct slice key);

/* Each writes into `out` and returns the length. */
size_t row_main(char *out, uint8_t db, uint16_t slot, struct slice key);
size_t row_labels(char *out, uint8_t db, uint16_t slot, struct slice key);
size_t row_block(char *out, uint8_t db, uint16_t slot, struct slice key, uint8_t type, int64_t ts);
/* Bounds of all rows of a key / of the block rows of one data type / of a slot / of a database:
 * lower inclusive, upper exclusive (upper may be a prefix successor). */
size_t row_key_lower(char *out, uint8_t db, uint16_t slot, struct slice key);
size_t row_key_upper(char *out, uint8_t db, uint16_t slot, struct slice key);
size_t row_slot_lower(char *out, uint8_t db, uint16_t slot);
size_t row_db_lower(char *out, uint8_t db);
/* Bounds of the rows of labels of a database. */
size_t row_labels_lower(char *out, uint8_t db);

/* Takes a row key apart; false = not a row of ours. */
struct row_parts {
    uint8_t db;
    uint16_t slot;
    struct slice key;
    uint8_t kind;
    uint8_t data_type; /* ROW_BLOCK */
    int64_t ts;        /* ROW_BLOCK */
};
bool row_parse(struct slice row, struct row_parts *ret_parts);

#endif

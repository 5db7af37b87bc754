/* Journal records: the effect of one command on one key, absolute, little-endian.
 *
 *   [op:1][db:1] then by op:
 *   SET    [key length varint][key][expire:8, 0 = none][value ...]
 *   DEL    [key ...]
 *   EXPIRE [expire:8, 0 = none][key ...]
 *   PATCH  [key length varint][key][offset varint][bytes ...]
 *   POINT  [key length varint][key][data type:1][quality:1][policy:1][ts:8][value:8]
 *   DELETE [key length varint][key][data type:1][from:8][to:8]: no point between the two times, both
 *          included, is left; those that come later are
 *   BLOCK  [key length varint][key][data type:1][block ...]: the points of the block, each under KEEP
 *   FLUSH  (db 0xff = all)
 *   META   [key length varint][key][metadata of a series ...]: the key is made when absent
 *   GROUP  [n varint] n x ([shard:2][lsn:8]): first record of a cross-shard group; the shards that
 *          take part and the LSN of this very record in each of their journals. What follows in the
 *          same batch belongs to it. */
#ifndef SHARDS_ENGINE_RECORD_H
#define SHARDS_ENGINE_RECORD_H

#include "shards/journal/journal.h"

enum record_op {
    RECORD_SET = 1,
    RECORD_DEL = 2,
    RECORD_EXPIRE = 3,
    RECORD_PATCH = 4,
    RECORD_POINT = 5,
    RECORD_FLUSH = 6,
    RECORD_GROUP = 7,
    RECORD_SERIES_META = 8,
    RECORD_DELETE = 9,
    RECORD_BLOCK = 10,
};

#define RECORD_DB_ALL 0xff
#define RECORD_GROUP_MAX 256
#define RECORD_KEY_BYTES_MAX 65535
#define RECORD_STRING_BYTES_MAX (1 * GIB) /* the most that proto-max-bulk-len can be */

struct record {
    uint8_t op, db;
    struct slice key;
    int64_t expire_ms;
    struct slice bytes; /* SET value, PATCH bytes, META metadata, BLOCK block */
    uint64_t offset;    /* PATCH */
    uint8_t type, quality, policy;
    int64_t ts;         /* DELETE: the first */
    int64_t to;         /* DELETE: the last */
    double value;
    /* GROUP */
    uint32_t parts_n;
    const char *parts; /* n x 10 bytes */
};

/* The key is this string now, whatever it was; expire_ms 0 = it does not expire. */
void record_set(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms,
                struct slice value);
/* The same of a value that lies in a blob, which the journal holds until it is written. */
void record_set_shared(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms,
                       struct blob *b, struct slice value);
void record_del(struct journal *j, uint8_t db, struct slice key);
void record_expire(struct journal *j, uint8_t db, struct slice key, int64_t expire_ms);
void record_patch(struct journal *j, uint8_t db, struct slice key, uint64_t offset,
                  struct slice bytes);
void record_patch_shared(struct journal *j, uint8_t db, struct slice key, uint64_t offset,
                         struct blob *b, struct slice bytes);
void record_point(struct journal *j, uint8_t db, struct slice key, uint8_t type, int64_t ts,
                  double value, uint8_t quality, uint8_t policy);
void record_delete(struct journal *j, uint8_t db, struct slice key, uint8_t type, int64_t from,
                   int64_t to);
/* `block` as block_encode writes it. */
void record_block(struct journal *j, uint8_t db, struct slice key, uint8_t type,
                  struct slice block);
/* `meta` as series_meta_write writes it. */
void record_series_meta(struct journal *j, uint8_t db, struct slice key, struct slice meta);
void record_flush(struct journal *j, uint8_t db);
/* shards[i] and lsns[i] of every participant. */
void record_group(struct journal *j, const uint16_t *shards, const uint64_t *lsns, uint32_t n);

/* False: not a record of ours (a newer version's, or damage that the checksum did not see): cut short,
 * or with a key, string or expiry that cannot be. */
bool record_parse(struct slice payload, struct record *ret_r);
static inline void
record_group_part(const struct record *r, uint32_t i, uint16_t *ret_shard, uint64_t *ret_lsn)
{
    *ret_shard = get_le16(r->parts + i * 10);
    *ret_lsn = get_le64(r->parts + i * 10 + 2);
}

#endif

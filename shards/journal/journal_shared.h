/* Bytes of a batch that stand somewhere else: long values, which whoever made them keeps. They are not
 * copied into the batch but, a piece at a time, into what is being written. Private to the folder and to
 * struct journal. Thread: whose the batch is. */
#ifndef SHARDS_JOURNAL_JOURNAL_SHARED_H
#define SHARDS_JOURNAL_JOURNAL_SHARED_H

#include "alloc/blob.h"
#include "core/buf.h"

/* Stands before byte `at` of the batch's own bytes. */
struct journal_part {
    size_t at;
    struct blob *blob; /* held */
    struct slice bytes;
};

struct journal_shared {
    struct journal_part *p; /* by `at` */
    uint32_t n, cap;
    uint64_t bytes; /* of all */
};

/* The bytes, which lie in the blob, stand behind own[0, at). Holds the blob. */
void journal_shared_add(struct journal_shared *s, size_t at, struct blob *b, struct slice bytes);
/* CRC32C of own[from, n) with the parts, continuing `crc`; no part stands before `from`. */
uint32_t journal_shared_crc32c(const struct journal_shared *s, uint32_t crc, const struct buf *own,
                               size_t from);
/* Bytes [offset, offset + n) of own and parts, zeros behind the end. */
void journal_shared_read(const struct journal_shared *s, const struct buf *own, uint64_t offset,
                         char *to, size_t n);
/* Lets go of all. */
void journal_shared_clear(struct journal_shared *s);
void journal_shared_fini(struct journal_shared *s);

#endif

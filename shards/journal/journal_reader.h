/* Reads a file from front to back through a window of memory. Blocking. */
#ifndef SHARDS_JOURNAL_JOURNAL_READER_H
#define SHARDS_JOURNAL_JOURNAL_READER_H

#include "core/base.h"

struct journal_reader {
    int fd;
    size_t ask; /* bytes to read at a time */
    int error;  /* errno of the read that failed */
    char *p;    /* holds [start, end) of the file */
    size_t cap;
    uint64_t start, end;
};

void journal_reader_init(struct journal_reader *r);
void journal_reader_fini(struct journal_reader *r);
/* Goes on with another file of `size` bytes; `fd` stays the caller's. Keeps the memory. */
void journal_reader_set(struct journal_reader *r, int fd, uint64_t size);
/* The n bytes at offset, which never goes down between calls, valid until the next call. NULL: the
 * file could not be read or ends before them, r->error says (ENODATA for the latter). */
const char *journal_reader_want(struct journal_reader *r, uint64_t offset, size_t n);

#endif

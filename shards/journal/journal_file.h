/* Segment files: making, recycling, removing. Everything here blocks and runs on a helper thread,
 * or before the loop runs.
 *
 * A new file is allocated, written once with zeros, given a spare's header, made durable, and only
 * then gets its name; so is a recycled one, which is not written with zeros again. Whatever moment
 * the machine stops at, a file with a segment's name is whole, and the left-overs have names of
 * their own that journal_file_clean removes. */
#ifndef SHARDS_JOURNAL_JOURNAL_FILE_H
#define SHARDS_JOURNAL_JOURNAL_FILE_H

#include "shards/journal/journal_format.h"

#include <sys/types.h>

/* What is asked of the file system; a test may put its own functions here. All return a negative
 * errno on failure. */
struct journal_file_ops {
    int (*open)(int dir_fd, const char *name, int flags); /* a descriptor */
    int (*allocate)(int fd, uint64_t bytes);
    ssize_t (*write)(int fd, const void *p, size_t n, uint64_t offset); /* bytes written */
    int (*sync)(int fd);
    int (*rename)(int dir_fd, const char *from, const char *to);
    int (*remove)(int dir_fd, const char *name);
};
extern const struct journal_file_ops journal_file_syscalls;

/* Where the files are; shared read-only by the loop and its helper. */
struct journal_place {
    int dir_fd;
    const struct journal_file_ops *ops;
};

struct journal_file {
    uint64_t number;
    uint64_t capacity;
    uint32_t salt;
    int direct_fd; /* O_DIRECT|O_DSYNC; -1 where the file system refuses it */
    int flush_fd;  /* O_DIRECT, to be followed by fdatasync; -1 likewise */
    int plain_fd;
};

/* Makes segment `number`, a spare, out of nothing (recycle 0) or out of the file of segment
 * `recycle`, which must have this capacity. 0 or a negative errno; on failure a file to recycle may
 * be gone, nothing else is left behind. */
int journal_file_prepare(const struct journal_place *pl, uint64_t number, uint64_t capacity,
                         uint64_t recycle, struct journal_file *ret_f);
/* Writes the header of a segment in use; durable when it returns 0. */
int journal_file_activate(const struct journal_place *pl, const struct journal_file *f,
                          uint32_t incarnation, uint64_t first_lsn);
/* Removes a segment; gone for good when it returns 0. */
int journal_file_remove(const struct journal_place *pl, uint64_t number);
/* Removes what an interrupted journal_file_prepare left. */
int journal_file_clean(const struct journal_place *pl);
void journal_file_close(struct journal_file *f);

#endif

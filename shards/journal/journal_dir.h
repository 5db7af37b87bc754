/* A journal's directory: which segments are there and what their headers say. Blocking. */
#ifndef SHARDS_JOURNAL_JOURNAL_DIR_H
#define SHARDS_JOURNAL_JOURNAL_DIR_H

#include "shards/journal/journal_format.h"

struct journal_dir_entry {
    uint64_t number;                 /* from the name */
    uint64_t size;                   /* of the file */
    const char *rule;                /* NULL, or why the header cannot be used */
    bool foreign;                    /* no write that was cut short explains that */
    struct journal_segment_header h; /* valid without a rule */
};

struct journal_dir {
    int fd; /* of the directory */
    struct journal_dir_entry *items;
    size_t n;
};

/* Opens the directory, fsyncs it, and reads the headers of all segments, in ascending order of
 * their numbers. Each file is fsynced before it is read: what a reader sees must not vanish again.
 * 0 or a negative errno; err (may be NULL) says which file. */
int journal_dir_open(struct journal_dir *d, const char *path, struct journal_error *err);
void journal_dir_close(struct journal_dir *d);

/* A segment in use, as opposed to a spare or one whose header is unreadable. */
static inline bool
journal_dir_active(const struct journal_dir_entry *e)
{
    return !e->rule && e->h.state == JOURNAL_SEGMENT_ACTIVE;
}

#endif

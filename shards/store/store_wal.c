/* RocksDB's WAL, which is never written. Each open begins a file of it, and since nothing is ever flushed
 * from a memtable none of them is ever old enough for RocksDB to remove: an empty file for every start,
 * which the next one opens and reads. All but the newest, which the database has open, go here. */
#include "shards/store/store_priv.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its number; 0 = another file, or one with something in it. */
static uint64_t
empty_wal(int dir_fd, const char *name)
{
    uint64_t number;
    struct stat st;
    int end = 0;

    if (sscanf(name, "%" SCNu64 ".log%n", &number, &end) != 1 || end == 0 || name[end] != 0)
        return 0;
    return fstatat(dir_fd, name, &st, 0) == 0 && st.st_size == 0 ? number : 0;
}

static uint64_t
newest_wal(DIR *d)
{
    struct dirent *entry;
    uint64_t newest = 0;

    while ((entry = readdir(d)))
        newest = MAX(newest, empty_wal(dirfd(d), entry->d_name));
    return newest;
}

void
store_sweep_wals(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    uint64_t newest;

    if (!d)
        return;
    newest = newest_wal(d);
    rewinddir(d);
    while ((entry = readdir(d))) {
        uint64_t number = empty_wal(dirfd(d), entry->d_name);

        if (number != 0 && number < newest)
            unlinkat(dirfd(d), entry->d_name, 0);
    }
    closedir(d);
}

/* Small text files that are there whole or not at all. Blocking. */
#ifndef SHARDS_NODE_WHOLE_FILE_H
#define SHARDS_NODE_WHOLE_FILE_H

#include "core/base.h"

/* Syncs a file or directory. 0 or a negative errno. */
int whole_file_sync(const char *path);
/* Replaces the file at path: PATH.tmp, sync, rename, sync of the directory. 0 or a negative errno; then
 * the file is what it was. */
int whole_file_replace(const char *path, struct slice text);
/* Reads up to size - 1 bytes, synced first so that a crash cannot take back what was seen, with a zero
 * behind them. 0 or a negative errno; -EINVAL where it is no file. */
int whole_file_read(const char *path, char *out, size_t size);

#endif
